//! TLS towards clients, by STARTTLS (RFC 3207), where the account names a certificate.

use super::ListenError;
use postigo_model::configured::Tls;
use postigo_net::pem;
use postigo_supervision::{WorkKind, blocking};
use rustls::ServerConfig;
use rustls::crypto::ring;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// What offers TLS to clients; none without a certificate. TLS 1.2 and 1.3; clients need no certificate of their own.
pub async fn acceptor(settings: &Tls) -> Result<Option<TlsAcceptor>, ListenError> {
    if settings.certificate.is_empty() {
        return Ok(None);
    }
    let (certificate, key) = (settings.certificate.clone(), settings.key.clone());
    let lost = failed("certificate", &certificate);
    // Reads files.
    let config = blocking(WorkKind::Files, "", move || server_config(&certificate, &key))
        .await
        .map_err(|panic| lost(panic.to_string()))??;
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

fn server_config(certificate: &str, key: &str) -> Result<ServerConfig, ListenError> {
    let (no_certificate, no_key) = (failed("certificate", certificate), failed("key", key));
    let chain = pem::certificates(certificate).map_err(&no_certificate)?;
    let private = pem::private_key(key).map_err(&no_key)?;
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| no_certificate(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| no_key(error.to_string()))
}

fn failed(key: &'static str, path: &str) -> impl Fn(String) -> ListenError + use<> {
    let path = path.to_owned();
    move |reason| ListenError::Certificate { key, path: path.clone(), reason }
}
