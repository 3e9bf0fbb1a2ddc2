//! Who the store is and who the dock is: trusted roots, the pin, the client certificate.

use super::SetupError;
use crate::store::Distrust;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest::{SHA256, digest};
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, OtherError,
    RootCertStore, SignatureScheme,
    client::{
        WantsClientCert, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring as ring_provider},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
    server::ParsedCertificate,
};
use std::sync::Arc;

/// SHA-256 of the public key (SPKI, DER) of a certificate, base64: what `openssl x509 -pubkey`
/// piped through `openssl pkey -pubin -outform der | sha256sum` gives.
pub(super) fn spki_sha256(certificate: &[u8]) -> Option<String> {
    let certificate = CertificateDer::from_slice(certificate);
    let parsed = ParsedCertificate::try_from(&certificate).ok()?;
    Some(STANDARD.encode(digest(&SHA256, parsed.subject_public_key_info().as_ref())))
}

/// The TLS settings of one peer. Without `ca_pem` the operating system's authorities are trusted.
///
/// # Errors
/// [`SetupError`].
pub fn client_config(
    ca_pem: Option<&[u8]>,
    client_pem: Option<(&[u8], &[u8])>,
    pin: Option<&str>,
) -> Result<ClientConfig, SetupError> {
    let provider = Arc::new(ring_provider::default_provider());
    let chain = chain_verifier(ca_pem, &provider)?;
    let verifier = match pin {
        None => chain,
        Some(pin) => Arc::new(Pinned { chain, pin: parse_pin(pin)? }),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| SetupError::Tls(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    with_client(builder, client_pem)
}

/// Whether these authorities (PEM), or else those of the system, can be trusted at all.
///
/// # Errors
/// [`SetupError`].
pub fn check_authorities(ca_pem: Option<&[u8]>) -> Result<(), SetupError> {
    chain_verifier(ca_pem, &Arc::new(ring_provider::default_provider())).map(|_| ())
}

/// Whether a client certificate (PEM chain) can be shown with this key.
///
/// # Errors
/// [`SetupError`].
pub fn check_client(certificates: &[u8], key: &[u8]) -> Result<(), SetupError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring_provider::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| SetupError::Tls(error.to_string()))?
        .with_root_certificates(RootCertStore::empty());
    with_client(builder, Some((certificates, key))).map(|_| ())
}

fn with_client(
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    client_pem: Option<(&[u8], &[u8])>,
) -> Result<ClientConfig, SetupError> {
    let Some((certificates, key)) = client_pem else {
        return Ok(builder.with_no_client_auth());
    };
    let certificates = certificates_of(certificates, "the client certificate")?;
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| SetupError::Pem("the client key is not a PEM private key"))?;
    builder
        .with_client_auth_cert(certificates, key)
        .map_err(|error| SetupError::Tls(format!("client certificate and key: {error}")))
}

fn chain_verifier(
    ca_pem: Option<&[u8]>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, SetupError> {
    let Some(ca_pem) = ca_pem else {
        let system = rustls_platform_verifier::Verifier::new(provider.clone());
        return Ok(Arc::new(system.map_err(|error| SetupError::Tls(error.to_string()))?));
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates_of(ca_pem, "the CA file")? {
        roots
            .add(certificate)
            .map_err(|error| SetupError::Tls(format!("a certificate of the CA file: {error}")))?;
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map(|verifier| verifier as Arc<dyn ServerCertVerifier>)
        .map_err(|error| SetupError::Tls(format!("the CA file: {error}")))
}

fn certificates_of(
    pem: &[u8],
    what: &'static str,
) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(SetupError::Tls(format!("{what} holds no PEM certificate"))),
    }
}

fn parse_pin(pin: &str) -> Result<[u8; 32], SetupError> {
    let bytes = STANDARD.decode(pin.trim()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or(SetupError::Pem("the server key pin is not the base64 of 32 bytes"))
}

/// What [`Pinned`] refuses with.
#[derive(Debug, thiserror::Error)]
#[error("the certificate holds another key than the pinned one")]
struct WrongKey;

/// Why rustls, or the pin, refused a certificate.
pub(super) fn distrust(error: &CertificateError) -> Distrust {
    match error {
        // Another authority of the same name: its key is not the one that signed.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Distrust::UnknownIssuer,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Distrust::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Distrust::NotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Distrust::WrongName
        }
        CertificateError::Other(OtherError(inner)) if inner.is::<WrongKey>() => Distrust::WrongKey,
        // The list grows with rustls; what is not named here has no advice of its own.
        _ => Distrust::Unusable,
    }
}

/// A trusted chain *and* exactly this public key: an authority that errs, or a proxy that opens
/// TLS with one the operating system trusts, is not enough.
#[derive(Debug)]
struct Pinned {
    chain: Arc<dyn ServerCertVerifier>,
    pin: [u8; 32],
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let good =
            self.chain.verify_server_cert(end_entity, intermediates, name, ocsp_response, now)?;
        let spki = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
        if digest(&SHA256, spki.as_ref()).as_ref() == self.pin {
            Ok(good)
        } else {
            Err(Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(WrongKey)))))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_reason_to_distrust_has_a_next_step_of_its_own() {
        let now = UnixTime::since_unix_epoch(Duration::from_secs(9));
        let cases = [
            (CertificateError::UnknownIssuer, Distrust::UnknownIssuer),
            (CertificateError::BadSignature, Distrust::UnknownIssuer),
            (CertificateError::Expired, Distrust::Expired),
            (CertificateError::ExpiredContext { time: now, not_after: now }, Distrust::Expired),
            (CertificateError::NotValidYet, Distrust::NotYetValid),
            (CertificateError::NotValidForName, Distrust::WrongName),
            (CertificateError::Other(OtherError(Arc::new(WrongKey))), Distrust::WrongKey),
            (CertificateError::Revoked, Distrust::Unusable),
        ];
        let mut steps = std::collections::BTreeSet::new();
        for (error, why) in cases {
            assert_eq!(distrust(&error), why);
            steps.insert(why.next_step());
        }
        assert_eq!(steps.len(), 6);
    }
}
