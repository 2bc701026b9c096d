//! Two that wait for one another: a client for a greeting in clear, a server for TLS to begin. They would be silent
//! until the time-out.

use crate::stream::ConnectError;
use crate::tls;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Ports on which servers speak TLS from the first byte (RFC 8314).
const TLS_PORTS: [u16; 3] = [465, 993, 995];
/// On these a silence means something soon; …
const SOON: Duration = Duration::from_secs(2);
/// … on others servers may let clients wait for their greeting on purpose: six seconds are usual, and who speaks first
/// is taken for a spammer.
const LATER: Duration = Duration::from_secs(8);
/// A server that speaks TLS answers it in this time.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Awaits a server's greeting in clear. Where it does not come for some seconds, another connection finds out whether
/// the server waits for TLS; `instead` is what to configure then.
pub async fn greeted<T>(
    host: &str,
    port: u16,
    instead: &'static str,
    greeting: impl Future<Output = T>,
) -> Result<T, ConnectError> {
    let patience = if TLS_PORTS.contains(&port) { SOON } else { LATER };
    greeted_within(patience, host, port, instead, greeting).await
}

async fn greeted_within<T>(
    patience: Duration,
    host: &str,
    port: u16,
    instead: &'static str,
    greeting: impl Future<Output = T>,
) -> Result<T, ConnectError> {
    let mut greeting = std::pin::pin!(greeting);
    let finds_out = async {
        tokio::time::sleep(patience).await;
        speaks_tls(host, port).await
    };
    tokio::select! {
        biased;
        greeting = &mut greeting => return Ok(greeting),
        true = finds_out => return Err(ConnectError::TlsAtOnce { host: host.to_owned(), port, instead }),
        else => {}
    }
    Ok(greeting.await)
}

/// Whether a server answers the beginning of TLS with TLS.
async fn speaks_tls(host: &str, port: u16) -> bool {
    let asked = async {
        let hello = tls::hello(host)?;
        let mut stream = TcpStream::connect((host, port)).await.ok()?;
        stream.write_all(&hello).await.ok()?;
        let mut answer = [0; 2];
        stream.read_exact(&mut answer).await.ok()?;
        Some(tls::is_record(&answer))
    };
    tokio::time::timeout(ANSWERS_WITHIN, asked).await.ok().flatten().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// A server that answers the first bytes of each client with this.
    async fn server(answer: &'static [u8]) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut hello = [0; 512];
                    let read = client.read(&mut hello).await.unwrap_or(0);
                    assert!(hello.starts_with(b"\x16\x03") || read == 0, "TLS begins with its hello");
                    let _ = client.write_all(answer).await;
                    let _ = client.read(&mut hello).await;
                });
            }
        });
        port
    }

    #[tokio::test]
    async fn a_silent_server_that_waits_for_tls_is_told_from_one_that_is_slow() {
        let soon = Duration::from_millis(10);
        // A handshake's answer, and an alert.
        for answer in [&b"\x16\x03\x03\x00\x7a"[..], b"\x15\x03\x01\x00\x02"] {
            let port = server(answer).await;
            let greeting = std::future::pending::<()>();
            let error = greeted_within(soon, "127.0.0.1", port, "protocol imaps", greeting).await.unwrap_err();
            let told = format!("127.0.0.1 speaks TLS from the first byte on port {port}");
            assert!(
                error.to_string().starts_with(&told) && error.to_string().ends_with("Use protocol imaps."),
                "{error}"
            );
        }
        let port = server(b"500 what?\r\n").await;
        let greeting = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            7
        };
        assert_eq!(greeted_within(soon, "127.0.0.1", port, "", greeting).await.unwrap(), 7);
    }
}
