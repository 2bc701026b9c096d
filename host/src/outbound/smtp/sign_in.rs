//! AUTH (RFC 4954).

use super::connection::Connection;
use super::error::{NegativeReply, SmtpError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use postigo_model::configured::Server;
use postigo_net::credentials::Credentials;
use postigo_net::sasl::{Exchange, Mechanism};

/// No mechanism has more challenges.
const MOST_CHALLENGES: usize = 4;

/// Signs in by the best mechanism that both have; gives its name.
pub async fn sign_in(
    connection: &mut Connection,
    offers: &[String],
    server: Server<'_>,
    credentials: &Credentials,
) -> Result<&'static str, SmtpError> {
    let offered = |name: &str| {
        offers
            .iter()
            .filter_map(|offer| offer.strip_prefix("AUTH"))
            .any(|list| list.split([' ', '=']).any(|word| word == name))
    };
    let mechanism = Mechanism::choose(credentials, offered)?;
    let mut exchange = Exchange::new(mechanism, credentials, server.host, server.port)?;
    let first =
        if mechanism.speaks_first() { format!(" {}", BASE64.encode(exchange.respond(b""))) } else { String::new() };
    let mut answered = connection.command(format!("AUTH {}{first}\r\n", mechanism.name())).await;
    for _ in 0..MOST_CHALLENGES {
        let challenge = match &answered {
            Ok(response) if response.code() == 334 => {
                BASE64.decode(response.lines().next().unwrap_or_default().trim()).unwrap_or_default()
            }
            _ => break,
        };
        answered = connection.command(format!("{}\r\n", BASE64.encode(exchange.respond(&challenge)))).await;
    }
    let words = match answered {
        Ok(response) if response.code() == 235 => return Ok(mechanism.name()),
        Ok(response) => format!("it answers {} where 235 was due", response.code()),
        Err(NegativeReply::Broken(words) | NegativeReply::Later { words, .. }) => {
            return Err(SmtpError::Server { host: server.host.to_owned(), doing: "let this client sign in", words });
        }
        Err(NegativeReply::Refused(words)) => words,
    };
    let reason = exchange.refusal().map(|reason| format!(" ({reason})")).unwrap_or_default();
    Err(SmtpError::SignIn {
        host: server.host.to_owned(),
        user: server.user.to_owned(),
        words: format!("{words}{reason}"),
    })
}
