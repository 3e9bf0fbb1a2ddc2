//! TLS of the vault, and a throw-away certificate authority for demo and tests.

use super::VaultError;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use std::{fmt, sync::Arc};

/// The vault's certificate chain and key, and who may connect.
#[derive(Clone)]
pub struct VaultTls {
    /// Chain, leaf first.
    pub cert_pem: Vec<u8>,
    pub key_pem: Vec<u8>,
    /// With it only clients holding a certificate of this CA may connect.
    pub client_ca_pem: Option<Vec<u8>>,
}

impl fmt::Debug for VaultTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultTls").field("mutual", &self.client_ca_pem.is_some()).finish()
    }
}

fn bad(error: impl fmt::Display) -> VaultError {
    VaultError::Tls(error.to_string())
}

impl VaultTls {
    pub(super) fn server_config(&self) -> Result<ServerConfig, VaultError> {
        let provider = Arc::new(ring::default_provider());
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&self.cert_pem)
            .collect::<Result<_, _>>()
            .map_err(bad)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key_pem).map_err(bad)?;
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(bad)?;
        let builder = match &self.client_ca_pem {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                for cert in CertificateDer::pem_slice_iter(pem) {
                    roots.add(cert.map_err(bad)?).map_err(bad)?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .map_err(bad)?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(bad)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// A certificate and its private key, both PEM.
#[derive(Clone)]
pub struct CertifiedPem {
    pub cert_pem: String,
    pub key_pem: String,
}

/// A certificate authority that lives as long as this value; its key is never written anywhere.
pub struct ThrowawayCa {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl ThrowawayCa {
    /// # Errors
    /// [`VaultError::Tls`] if no key can be made.
    pub fn new(name: &str) -> Result<Self, VaultError> {
        let key = KeyPair::generate().map_err(bad)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = params.self_signed(&key).map_err(bad)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// The certificate clients (or the vault, for client certificates) are to trust.
    pub fn cert_pem(&self) -> &str {
        &self.pem
    }

    /// A server certificate for these DNS names and IP addresses.
    ///
    /// # Errors
    /// [`VaultError::Tls`] if a name cannot stand in a certificate.
    pub fn server(&self, names: &[&str]) -> Result<CertifiedPem, VaultError> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        self.issue(CertificateParams::new(names).map_err(bad)?, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A client certificate for mutual TLS.
    ///
    /// # Errors
    /// [`VaultError::Tls`] if no key can be made.
    pub fn client(&self, name: &str) -> Result<CertifiedPem, VaultError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        self.issue(params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn issue(
        &self,
        mut params: CertificateParams,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<CertifiedPem, VaultError> {
        let key = KeyPair::generate().map_err(bad)?;
        params.extended_key_usages = vec![usage];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let cert = params.signed_by(&key, &self.issuer).map_err(bad)?;
        Ok(CertifiedPem { cert_pem: cert.pem(), key_pem: key.serialize_pem() })
    }
}
