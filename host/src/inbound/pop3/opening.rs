//! From nothing to a signed-in connection: greeting, capabilities, TLS, sign-in.

use super::answer;
use super::connection::Connection;
use super::error::Pop3Error;
use super::sign_in;
use postigo_model::configured::{Server, TlsMode};
use postigo_net::credentials::Credentials;
use postigo_net::waiting::waits_for;
use postigo_net::{ConnectError, Stream, greeted};

/// So many characters of what a server can do are shown.
const LONGEST_CAPABILITIES: usize = 2_000;

impl Connection {
    /// Connects, agrees on TLS where the protocol says so, and signs in.
    pub async fn open(server: Server<'_>, credentials: &Credentials) -> Result<Self, Pop3Error> {
        let stream = Stream::connect(server.host, server.port, server.timeout, credentials.redactor()).await?;
        Self::over(stream, server, credentials).await
    }

    /// Greets, agrees on TLS and signs in over a stream.
    pub(super) async fn over(stream: Stream, server: Server<'_>, credentials: &Credentials) -> Result<Self, Pop3Error> {
        let mut facts = Vec::new();
        let stream =
            if server.tls_mode == TlsMode::Implicit { secure(stream, server, &mut facts).await? } else { stream };
        let mut connection = Self::new(stream, facts);
        waits_for(|| format!("the greeting of {}", server.host));
        let greeting = connection.expect("greet");
        let greeting = if server.tls_mode == TlsMode::Implicit {
            greeting.await?
        } else {
            greeted(server.host, server.port, "protocol pop3s", greeting).await??
        };
        connection.facts.insert(0, ("greeting", answer::said(greeting.as_bytes(), connection.redactor())));
        waits_for(|| format!("the capabilities of {}", server.host));
        connection.ask_capabilities().await?;
        if server.tls_mode == TlsMode::StartTls {
            connection = connection.start_tls(server).await?;
        }
        waits_for(|| format!("{} to let {} in", server.host, server.user));
        sign_in::sign_in(&mut connection, server, credentials).await?;
        // They may differ before and after signing in (RFC 2449 section 5).
        connection.ask_capabilities().await?;
        let capabilities = connection.capabilities();
        let capabilities = if capabilities.is_empty() {
            "none (no CAPA)".to_owned()
        } else {
            connection.redactor().line(&capabilities, LONGEST_CAPABILITIES)
        };
        connection.facts.push(("capabilities", capabilities));
        Ok(connection)
    }

    /// Agrees on TLS in a connection in clear (STLS).
    async fn start_tls(mut self, server: Server<'_>) -> Result<Self, Pop3Error> {
        waits_for(|| format!("the answer of {} to STLS", server.host));
        match self.command("start TLS", "STLS").await? {
            Ok(_) => {}
            Err(refusal) => return Err(Pop3Error::NoStartTls(refusal.text)),
        }
        let (stream, mut facts) = self.into_stream().ok_or(Pop3Error::ClearBeforeTls)?;
        let stream = secure(stream, server, &mut facts).await?;
        let mut connection = Self::new(stream, facts);
        // What was said in clear does not count (RFC 2595 section 4).
        connection.ask_capabilities().await?;
        Ok(connection)
    }
}

async fn secure(
    stream: Stream,
    server: Server<'_>,
    facts: &mut Vec<(&'static str, String)>,
) -> Result<Stream, Pop3Error> {
    let (stream, agreed) = stream.secure(server.host, server.tls).await.map_err(ConnectError::from)?;
    facts.push(("tls", agreed));
    Ok(stream)
}
