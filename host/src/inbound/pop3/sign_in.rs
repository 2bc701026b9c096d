//! Signing in: USER and PASS (RFC 1939), or AUTH (RFC 5034) with a mechanism that the server names.

use super::answer::{ErrAnswer, StatusLine};
use super::connection::Connection;
use super::error::Pop3Error;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postigo_model::configured::{Server, TlsMode};
use postigo_net::credentials::Credentials;
use postigo_net::sasl::{Exchange, Mechanism};

/// A server that asks more often than this does not want anybody in.
const MOST_CHALLENGES: usize = 8;
const DOING: &str = "sign in";

/// Signs in the simplest way that carries the credentials.
pub async fn sign_in(
    connection: &mut Connection,
    server: Server<'_>,
    credentials: &Credentials,
) -> Result<(), Pop3Error> {
    let offered = connection.capability("SASL").unwrap_or_default().to_ascii_uppercase();
    let mechanism = Mechanism::choose(credentials, |name| offered.split(' ').any(|offer| offer == name));
    match credentials {
        Credentials::Password { user, password } if by_user_and_pass(connection, user, password.reveal()) => {
            let answer = match connection.command(DOING, &format!("USER {user}")).await? {
                Ok(_) => connection.command(DOING, &format!("PASS {}", password.reveal())).await?,
                refused => refused,
            };
            answer.map(drop).map_err(|refusal| Pop3Error::sign_in(server.user, refusal))
        }
        Credentials::None | Credentials::Password { .. } | Credentials::Bearer { .. } => {
            let clear = server.tls_mode == TlsMode::Clear && connection.has("STLS");
            let refused = |text: String| Pop3Error::SignIn { user: server.user.to_owned(), text };
            let mechanism = mechanism
                .map_err(|error| if clear { Pop3Error::SignInDisabled } else { refused(error.to_string()) })?;
            let exchange = Exchange::new(mechanism, credentials, server.host, server.port)
                .map_err(|error| refused(error.to_string()))?;
            authenticate(connection, server, exchange).await
        }
    }
}

/// Whether USER and PASS are there, and carry these letters: spaces would divide a user, other scripts have no place in
/// RFC 1939.
fn by_user_and_pass(connection: &Connection, user: &str, password: &str) -> bool {
    let offered = connection.has("USER") || connection.capability("SASL").is_none() && !connection.has("STLS");
    let plain = |text: &str| {
        !text.is_empty() && text.len() <= 240 && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
    };
    offered && plain(user) && plain(password) && !user.contains(' ')
}

async fn authenticate(
    connection: &mut Connection,
    server: Server<'_>,
    mut exchange: Exchange<'_>,
) -> Result<(), Pop3Error> {
    // The first answer on a line of its own: tokens are longer than the 255 bytes that a command may have (RFC 5034
    // section 4).
    connection.send(DOING, &format!("AUTH {}\r\n", exchange.mechanism().name())).await?;
    for _ in 0..MOST_CHALLENGES {
        match connection.status(DOING).await? {
            StatusLine::Ok(_) => return Ok(()),
            StatusLine::Refused(refusal) => {
                let text = match exchange.refusal() {
                    Some(reason) => format!("{} ({reason})", refusal.text),
                    None => refusal.text,
                };
                return Err(Pop3Error::sign_in(server.user, ErrAnswer { code: refusal.code, text }));
            }
            StatusLine::Challenge(challenge) => {
                let challenge = STANDARD.decode(challenge).unwrap_or_default();
                let answer = STANDARD.encode(exchange.respond(&challenge));
                connection.send(DOING, &format!("{answer}\r\n")).await?;
            }
        }
    }
    Err(Pop3Error::lost(DOING, "it kept asking"))
}
