//! The provider's endpoints over TLS.

use super::grants::{Answer, Grants, Parameters, parameters};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::post;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

type Shared = Arc<Mutex<Grants>>;

/// Listens, and serves for as long as the runtime lives.
pub async fn start(port: u16, folder: &Path, grants: Shared) {
    let listener = Tls {
        listener: TcpListener::bind(("127.0.0.1", port)).await.expect("a free port"),
        acceptor: acceptor(folder),
    };
    let routes = Router::new()
        .route("/token", post(|state, headers, body| answer(state, headers, body, Grants::token)))
        .route("/device", post(|state, headers, body| answer(state, headers, body, Grants::device)))
        .route(
            "/introspect",
            post(|state, headers, body| answer(state, headers, body, |grants, asked, _| grants.introspect(asked))),
        )
        .with_state(grants);
    tokio::spawn(async move { axum::serve(listener, routes).await });
}

#[expect(clippy::unused_async, reason = "what axum takes is asynchronous")]
async fn answer(
    State(grants): State<Shared>,
    headers: HeaderMap,
    body: String,
    endpoint: fn(&mut Grants, &Parameters, &str) -> Answer,
) -> (StatusCode, axum::Json<Value>) {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (status, body) = endpoint(&mut grants.lock().expect("nobody panicked"), &parameters(&body), authorization);
    (StatusCode::from_u16(status).expect("a status"), axum::Json(body))
}

fn acceptor(folder: &Path) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_file(folder.join("server.pem")).expect("openssl made it");
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).expect("openssl made it");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certificate], key))
        .expect("the certificate is good");
    TlsAcceptor::from(Arc::new(config))
}

struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let Ok((stream, address)) = self.listener.accept().await else { continue };
            // Whoever does not trust the certificate hangs up.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
