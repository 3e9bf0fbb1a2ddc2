//! Listening, TLS, limits and shutdown; HTTP/1.1 only.

use super::{
    VaultError, VaultOptions, access::Rule, access_log::AccessLog, disk::Disk,
    incoming::WatchedBody, patient::Patient, service::Vault,
};
use hyper::{
    HeaderMap, Request, Response, body::Incoming, header::HeaderValue, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::{
    Body, HttpError,
    auth::SimpleAuth,
    config::{S3Config, StaticConfigProvider},
    service::{S3Service, S3ServiceBuilder},
};
use std::{future::Future, net::SocketAddr, path::Path, pin::pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

/// More connections wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 128;
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// For reading a request head and, with keep-alive, for waiting for the next request. Longer than
/// clients keep idle connections (reqwest: 90 s), so that they close first.
const HEAD_MAX: Duration = Duration::from_secs(120);
/// A client that takes none of an answer for so long is given up.
const STALLED_MAX: Duration = Duration::from_secs(60);
const SHUTDOWN_MAX: Duration = Duration::from_secs(10);
/// Bytes of one connection's read buffer, so of one piece of a body.
const BUFFER_BYTES: usize = 256 << 10;
/// Complete with 10,000 parts stays far below.
const XML_BYTES_MAX: usize = 4 << 20;

pub(super) async fn serve(
    options: VaultOptions,
    ready: impl FnOnce(SocketAddr),
    shutdown: impl Future<Output = ()>,
) -> Result<(), VaultError> {
    if options.access_key.is_empty() || options.secret_key.is_empty() {
        return Err(VaultError::NoCredentials);
    }
    let tls = options.tls.as_ref().map(|tls| tls.server_config()).transpose()?;
    let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
    let (root, buckets) = (options.root.clone(), options.buckets.clone());
    let disk = tokio::task::spawn_blocking(move || Disk::open(&root, &buckets))
        .await
        .expect("opening the store does not panic")?;
    let log = options.access_log.as_deref().map(open_log).transpose()?;
    let address = options.listen;
    let failed = |source| VaultError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    let service = Front { s3: s3_service(options, disk), log };
    ready(local);
    accept_until(listener, acceptor, service, shutdown).await;
    Ok(())
}

fn open_log(path: &Path) -> Result<Arc<AccessLog>, VaultError> {
    let doing = "open the access log";
    let failed = |source| VaultError::Disk { doing, path: path.to_owned(), source };
    AccessLog::open(path).map(Arc::new).map_err(failed)
}

/// What every connection hands its requests to.
#[derive(Clone)]
struct Front {
    s3: S3Service,
    log: Option<Arc<AccessLog>>,
}

fn s3_service(options: VaultOptions, disk: Disk) -> S3Service {
    let mut config = S3Config::default();
    config.xml_max_body_size = XML_BYTES_MAX;
    // POST forms are refused, but only after they were read: read next to nothing of them.
    config.post_object_max_file_size = 0;
    config.form_max_field_size = 16 << 10;
    config.form_max_fields_size = 64 << 10;
    config.form_max_parts = 32;
    let vault = Vault { disk: Arc::new(disk), region: options.region.clone() };
    let mut builder = S3ServiceBuilder::new(vault);
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    builder.set_auth(SimpleAuth::from_single(options.access_key, options.secret_key));
    builder.set_access(Rule { region: options.region });
    builder.build()
}

async fn accept_until(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    service: Front,
    shutdown: impl Future<Output = ()>,
) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let (stop, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let slot = slots.clone().acquire_owned();
        let accepted = async { (slot.await, listener.accept().await) };
        tokio::select! {
            () = &mut shutdown => break,
            (slot, accepted) = accepted => match accepted {
                Ok((stream, _)) => {
                    let serving =
                        connection(stream, acceptor.clone(), service.clone(), stopped.clone());
                    connections.spawn(async move {
                        serving.await;
                        drop(slot);
                    });
                }
                // Out of descriptors and the like: pass by themselves, but not at once.
                Err(error) => {
                    tracing::warn!(%error, "vault: cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
    let _ = stop.send(true);
    let finished = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(SHUTDOWN_MAX, finished).await;
}

async fn connection(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    service: Front,
    stopped: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    match acceptor {
        None => speak(stream, service, stopped).await,
        Some(acceptor) => match timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => speak(stream, service, stopped).await,
            Ok(Err(error)) => tracing::debug!(%error, "vault: TLS handshake refused"),
            Err(_) => tracing::debug!("vault: TLS handshake timed out"),
        },
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    service: Front,
    mut stopped: watch::Receiver<bool>,
) {
    let answering = service_fn(move |request| answer(service.clone(), request));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_MAX)
            .max_buf_size(BUFFER_BYTES)
            .serve_connection(TokioIo::new(Patient::new(stream, STALLED_MAX)), answering)
    );
    let stop = async move { drop(stopped.wait_for(|stop| *stop).await) };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "vault: connection ended");
    }
}

async fn answer(service: Front, request: Request<Incoming>) -> Result<Response<Body>, HttpError> {
    let (mut parts, incoming) = request.into_parts();
    let watched = WatchedBody::new(incoming, parts.headers.contains_key("expect"));
    let mut noted = service.log.as_ref().map(|log| log.begin(&parts, watched.clone()));
    parts.extensions.insert(watched.clone());
    let body = Body::http_body_unsync(watched.clone());
    let mut response = service.s3.call(Request::from_parts(parts, body)).await?;
    let at_end = watched.drain().await;
    stamp(response.headers_mut(), at_end);
    noted.iter_mut().for_each(|noted| noted.answered(response.status()));
    Ok(response)
}

/// A request id for receipts and questions, and `close` where the body is not at its end.
fn stamp(headers: &mut HeaderMap, at_end: bool) {
    let id = uuid::Uuid::now_v7().simple().to_string();
    let value = HeaderValue::from_str(&id).expect("hexadecimal digits are a header value");
    headers.insert("x-amz-request-id", value);
    if !at_end {
        headers.insert("connection", HeaderValue::from_static("close"));
    }
}
