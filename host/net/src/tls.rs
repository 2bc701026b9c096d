//! TLS towards a server: the system's certificate authorities and the account's own, a client certificate, or no check
//! at all.

use crate::pem;
use crate::redaction::Redactor;
use crate::words::said;
use postigo_model::configured::Tls;
use postigo_supervision::{WorkKind, blocking};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Why TLS could not be agreed on.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A configured file cannot be used.
    #[error("The key {key} names {path}, which cannot be used: {reason}")]
    File {
        /// `tls.ca`, `tls.client_certificate`, `tls.client_key`.
        key: &'static str,
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The host is neither a name nor an address.
    #[error("{0} is no host name that a certificate could be checked against.")]
    Host(String),
    /// The server's certificate is not accepted.
    #[error("The certificate of {host} is refused: {reason}. {advice}")]
    Certificate {
        /// As configured.
        host: String,
        /// Why.
        reason: String,
        /// A sentence.
        advice: &'static str,
    },
    /// The server speaks no version of TLS that is safe.
    #[error(
        "{host} speaks no TLS newer than 1.1, which is no longer safe (RFC 8996): {reason}. Its administrator must allow TLS 1.2 or 1.3."
    )]
    Old {
        /// As configured.
        host: String,
        /// Why.
        reason: String,
    },
    /// It answers in clear.
    #[error(
        "{host} does not speak TLS where it was to begin, but in clear: {words}. If this port begins in clear, use STARTTLS (imap+starttls, pop3+starttls, smtp+starttls); else the port that speaks TLS from the first byte (993, 995, 465)."
    )]
    InClear {
        /// As configured.
        host: String,
        /// What it said.
        words: String,
    },
    /// The handshake failed.
    #[error(
        "{host} and this host could not agree on TLS: {reason}. It must speak TLS 1.2 or 1.3 on this port: check port, protocol and the server's settings."
    )]
    Handshake {
        /// As configured.
        host: String,
        /// Why.
        reason: io::Error,
    },
}

/// Agrees on TLS with `host` over `stream`; the sentence tells with which version and cipher suite.
/// `redactor` is that of the stream.
pub async fn agree<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    redactor: &Redactor,
    host: &str,
    settings: &Tls,
) -> Result<(TlsStream<FirstBytes<S>>, String), TlsError> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| TlsError::Host(host.to_owned()))?;
    let settings = settings.clone();
    // Reads files.
    let config = blocking(WorkKind::Files, "", move || shared_config(&settings))
        .await
        .map_err(|error| TlsError::File { key: "tls.ca", path: String::new(), reason: error.to_string() })??;
    let first = Arc::default();
    let stream = FirstBytes { inner: stream, first: Arc::clone(&first) };
    let stream = TlsConnector::from(config).connect(name, stream).await.map_err(|reason| {
        let first = first.lock().unwrap_or_else(PoisonError::into_inner);
        if first.is_empty() || is_record(&first) {
            return explain(host, reason, redactor);
        }
        TlsError::InClear { host: host.to_owned(), words: said(&String::from_utf8_lossy(&first), redactor) }
    })?;
    let agreed = agreed(stream.get_ref().1);
    Ok((stream, agreed))
}

/// Whether bytes begin as TLS does (RFC 8446 section 5.1): a record's kind, and a version.
pub fn is_record(bytes: &[u8]) -> bool {
    matches!(bytes, [20..=23, rest @ ..] if rest.first().is_none_or(|version| *version == 3))
}

/// The first bytes of a handshake with a server: whoever speaks TLS answers them with TLS, whatever it thinks of them.
pub fn hello(host: &str) -> Option<Vec<u8>> {
    let name = ServerName::try_from(host.to_owned()).ok()?;
    let config = client_config(&Tls { verify: false, ..Tls::default() }).ok()?;
    let mut connection = rustls::ClientConnection::new(Arc::new(config), name).ok()?;
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).ok()?;
    Some(hello)
}

/// So many bytes of what a server says first are kept.
const FIRST: usize = 200;

/// A stream that keeps what came first: where that is no TLS, the server's words say more than the error.
#[derive(Debug)]
pub struct FirstBytes<S> {
    inner: S,
    first: Arc<Mutex<Vec<u8>>>,
}

impl<S: AsyncRead + Unpin> AsyncRead for FirstBytes<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, into))?;
        let come = into.filled().get(before..).unwrap_or_default();
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        let room = FIRST.saturating_sub(first.len()).min(come.len());
        first.extend_from_slice(come.get(..room).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FirstBytes<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

/// With which version and cipher suite a connection is secured.
pub fn agreed(connection: &rustls::CommonState) -> String {
    let version = connection.protocol_version().map(|version| format!("{version:?}")).unwrap_or_default();
    let suite = connection.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite())).unwrap_or_default();
    format!("{} {suite}", version.replace('_', "."))
}

fn explain(host: &str, reason: io::Error, redactor: &Redactor) -> TlsError {
    use rustls::{AlertDescription, CertificateError as Bad, Error, PeerIncompatible};
    let host = host.to_owned();
    let error = reason.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match error {
        Some(Error::InvalidCertificate(why)) => {
            let advice = match why {
                Bad::Expired | Bad::ExpiredContext { .. } => {
                    "Its administrator must renew it; if this machine's clock is wrong, set it."
                }
                Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                    "It begins later; if this machine's clock is wrong, set it."
                }
                Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                    "Correct the account's host to a name that the certificate is for."
                }
                _ => "Name its authority as tls.ca, or correct the host's name.",
            };
            TlsError::Certificate { host, reason: redactor.redact(&why.to_string()), advice }
        }
        Some(
            why @ (Error::AlertReceived(AlertDescription::ProtocolVersion)
            | Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13)),
        ) => TlsError::Old { host, reason: why.to_string() },
        _ => TlsError::Handshake { host, reason },
    }
}

/// One for all who say nothing of their own: authorities take memory, and hundreds of connections may stay open.
fn shared_config(settings: &Tls) -> Result<Arc<ClientConfig>, TlsError> {
    static USUAL: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if *settings != Tls::default() {
        return client_config(settings).map(Arc::new);
    }
    if let Some(usual) = USUAL.get() {
        return Ok(Arc::clone(usual));
    }
    let usual = Arc::new(client_config(settings)?);
    Ok(Arc::clone(USUAL.get_or_init(|| usual)))
}

/// What a client goes by, with the authorities and the certificate that the settings name. Reads files.
pub fn client_config(settings: &Tls) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::File { key: "tls", path: String::new(), reason: error.to_string() })?;
    let builder = if settings.verify {
        builder.with_root_certificates(authorities(&settings.ca)?)
    } else {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
    };
    if settings.client_certificate.is_empty() {
        return Ok(builder.with_no_client_auth());
    }
    let chain = certificates("tls.client_certificate", &settings.client_certificate)?;
    // A key in the same file as its certificate need not be named twice.
    let key_path = if settings.client_key.is_empty() { &settings.client_certificate } else { &settings.client_key };
    let failed = |reason: &dyn std::fmt::Display| TlsError::File {
        key: "tls.client_key",
        path: key_path.clone(),
        reason: reason.to_string(),
    };
    let key = pem::private_key(key_path).map_err(|reason| failed(&reason))?;
    builder.with_client_auth_cert(chain, key).map_err(|error| failed(&error))
}

/// The system's authorities, read once, and those of `own`.
fn authorities(own: &str) -> Result<RootCertStore, TlsError> {
    static SYSTEM: OnceLock<RootCertStore> = OnceLock::new();
    let mut store = SYSTEM
        .get_or_init(|| {
            let mut store = RootCertStore::empty();
            let found = rustls_native_certs::load_native_certs();
            for error in &found.errors {
                tracing::warn!(%error, "some of the system's certificate authorities cannot be read");
            }
            store.add_parsable_certificates(found.certs);
            store
        })
        .clone();
    if !own.is_empty() {
        for certificate in certificates("tls.ca", own)? {
            store.add(certificate).map_err(|error| TlsError::File {
                key: "tls.ca",
                path: own.to_owned(),
                reason: error.to_string(),
            })?;
        }
    }
    Ok(store)
}

fn certificates(key: &'static str, path: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    pem::certificates(path).map_err(|reason| TlsError::File { key, path: path.to_owned(), reason })
}

/// Takes any certificate: for `verify = false` alone. Signatures of the handshake are still checked.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_answers_in_clear_is_quoted_at_once() {
        for words in ["220 mx.example.org ESMTP\r\n", "* OK IMAP ready\r\n", "+OK POP3 \u{1}\r\n"] {
            let (ours, mut theirs) = tokio::io::duplex(4096);
            tokio::io::AsyncWriteExt::write_all(&mut theirs, words.as_bytes()).await.unwrap();
            let error = agree(ours, &Redactor::default(), "mx.example.org", &Tls::default()).await.unwrap_err();
            let text = error.to_string();
            assert!(text.contains(&format!("in clear: {}", &words[..8])) && text.contains("STARTTLS"), "{text}");
        }
    }
}
