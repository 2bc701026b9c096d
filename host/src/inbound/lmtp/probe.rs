//! What an admin is told of a listener: whether it is there, and if not, whether it could be.

use super::bind::BoundSocket;
use super::wire::ClientBytes;
use super::{ListenError, tls};
use postigo_model::configured::{Endpoint, Tls};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};

/// A listener on this machine greets sooner than that.
const PATIENCE: Duration = Duration::from_secs(10);
/// A greeting has at most so many bytes.
const LONGEST_GREETING: u64 = 1_024;

/// Says how an endpoint greets, or that nobody listens there and the daemon could.
pub async fn probe(endpoint: Endpoint, tls: &Tls) -> Result<Vec<(&'static str, String)>, ListenError> {
    tls::acceptor(tls).await?;
    let connected: io::Result<Box<dyn ClientBytes>> = match &endpoint {
        Endpoint::Tcp(address) => {
            TcpStream::connect(address).await.map(|stream| -> Box<dyn ClientBytes> { Box::new(stream) })
        }
        Endpoint::Unix(path) => {
            UnixStream::connect(path).await.map(|stream| -> Box<dyn ClientBytes> { Box::new(stream) })
        }
    };
    let mut facts = vec![("listens on", endpoint.to_string())];
    if let Ok(stream) = connected {
        let greeting = tokio::time::timeout(PATIENCE, greeting(stream)).await;
        let reason = match greeting {
            Ok(Ok(line)) if line.starts_with("220") => {
                facts.push(("greeting", line));
                return Ok(facts);
            }
            Ok(Ok(line)) => format!("it says {line:?}"),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it is silent".to_owned(),
        };
        return Err(ListenError::Stranger { endpoint, reason });
    }
    // It is given back at once.
    drop(BoundSocket::to(&endpoint).await?);
    facts.push((
        "state",
        "nobody listens there now; the daemon can, and does so while it runs and the account is valid".to_owned(),
    ));
    Ok(facts)
}

async fn greeting(stream: Box<dyn ClientBytes>) -> io::Result<String> {
    let mut stream = BufReader::new(stream.take(LONGEST_GREETING));
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line).await?;
    stream.get_mut().get_mut().write_all(b"QUIT\r\n").await?;
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}
