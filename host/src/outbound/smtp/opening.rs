//! From nothing to a session: connection, greeting, TLS, EHLO, sign-in.

use super::connection::Connection;
use super::error::{NegativeReply, SmtpError};
use super::response::Response;
use super::session::SmtpSession;
use super::sign_in;
use crate::commlog::Communication;
use lettre::transport::smtp::commands::{Ehlo, Starttls};
use lettre::transport::smtp::extension::ClientId;
use postigo_model::communication::{CommunicationRecord, Priority};
use postigo_model::configured::{Server, SmtpServer, TlsMode, Transport};
use postigo_net::credentials::Credentials;
use postigo_net::waiting::waits_for;
use postigo_net::{Stream, greeted};
use std::time::Duration;

/// So much of what a server offers is shown.
const LONGEST_OFFERS: usize = 2_000;
/// A TCP connection that takes longer does not come about.
const CONNECTS_WITHIN: Duration = Duration::from_secs(30);

impl SmtpSession {
    /// Connects and signs in. The error comes with the communication of the failed connection.
    pub async fn open(
        transport: &Transport,
        smtp: SmtpServer<'_>,
        credentials: &Credentials,
    ) -> Result<Self, (SmtpError, Box<CommunicationRecord>)> {
        let mut log = Self::log(transport);
        match open(smtp, credentials, &mut log).await {
            Ok(OpenedConnection { connection, offers, facts }) => Ok(Self::new(connection, offers, facts, log)),
            Err(error) => {
                log.entry(Priority::Error, "outbound.smtp", error.to_string());
                Err((error, Box::new(log.finish(true))))
            }
        }
    }
}

/// A connection that is signed in, and what was learnt on the way.
struct OpenedConnection {
    connection: Connection,
    offers: Vec<String>,
    facts: Vec<(&'static str, String)>,
}

async fn open(
    smtp: SmtpServer<'_>,
    credentials: &Credentials,
    log: &mut Communication,
) -> Result<OpenedConnection, SmtpError> {
    let mut facts = Vec::new();
    let mut note = |key: &'static str, fact: String| {
        log.entry(Priority::Info, "outbound.smtp", format!("{key}: {fact}"));
        facts.push((key, fact));
    };
    let (server, host) = (smtp.server, smtp.server.host);
    let hello = ClientId::Domain(hello(smtp));
    let mut connection = connect(server, credentials).await?;
    note("server", format!("{host}, port {}", server.port));
    let mut secured = None;
    if server.tls_mode == TlsMode::Implicit {
        let agreed;
        (connection, agreed) = connection.secure(host, server.tls).await?;
        secured = Some(agreed);
    }
    waits_for(|| format!("the greeting of {host}"));
    let greeting = connection.answer();
    let greeting = if server.tls_mode == TlsMode::Implicit {
        greeting.await
    } else {
        greeted(host, server.port, "kind = \"smtps\"", greeting).await?
    };
    let greeting = due(greeting, 220).map_err(|words| failed(host, "greet", words))?;
    note("greeting", greeting.words());
    if server.tls_mode == TlsMode::StartTls {
        start_tls(&mut connection, host, &hello).await?;
        let agreed;
        (connection, agreed) = connection.secure(host, server.tls).await?;
        secured = Some(agreed);
    }
    note("tls", secured.clone().unwrap_or_else(|| "none".to_owned()));
    let mut connection = connection.read_ahead();
    let offers = match introduce(&mut connection, host, &hello).await? {
        Introduction::Extended(offers) => offers,
        Introduction::Plain(words) => {
            note("hello", format!("HELO, since the server does not take EHLO ({words}); it offers nothing"));
            Vec::new()
        }
    };
    note("capabilities", connection.redactor().line(&offers.join(", "), LONGEST_OFFERS));
    if *credentials != Credentials::None {
        if secured.is_none() && !smtp.allow_insecure_auth && !is_this_machine(host) {
            return Err(SmtpError::Clear(host.to_owned()));
        }
        waits_for(|| format!("{host} to let {} in", server.user));
        let mechanism = sign_in::sign_in(&mut connection, &offers, server, credentials).await?;
        note("signed in", format!("{} by {mechanism}", server.user));
    }
    Ok(OpenedConnection { connection, offers, facts })
}

async fn connect(server: Server<'_>, credentials: &Credentials) -> Result<Connection, SmtpError> {
    let connecting = Stream::connect(server.host, server.port, server.timeout, credentials.redactor());
    match tokio::time::timeout(CONNECTS_WITHIN, connecting).await {
        Ok(connected) => Ok(Connection::new(connected?, server.timeout)),
        Err(_) => Err(failed(server.host, "answer", format!("no connection within {} s", CONNECTS_WITHIN.as_secs()))),
    }
}

/// STARTTLS (RFC 3207); the stream is at the first byte of TLS afterwards.
async fn start_tls(connection: &mut Connection, host: &str, hello: &ClientId) -> Result<(), SmtpError> {
    // Who knows no EHLO knows no STARTTLS either.
    match introduce(connection, host, hello).await? {
        Introduction::Extended(offers) if offers.iter().any(|offer| offer == "STARTTLS") => {}
        _ => return Err(SmtpError::NoStartTls(host.to_owned())),
    }
    waits_for(|| format!("the answer of {host} to STARTTLS"));
    due(connection.command(Starttls).await, 220).map(|_| ()).map_err(|words| failed(host, "start TLS", words))
}

/// How a server takes to this client.
enum Introduction {
    /// It knows EHLO, and offers this.
    Extended(Vec<String>),
    /// It knows HELO alone; what it said to EHLO.
    Plain(String),
}

/// Introduces this client: by EHLO, and where the server refuses that for good, by HELO (RFC 5321 section 3.2).
async fn introduce(connection: &mut Connection, host: &str, hello: &ClientId) -> Result<Introduction, SmtpError> {
    waits_for(|| format!("the answer of {host} to EHLO"));
    let words = match connection.command(Ehlo::new(hello.clone())).await {
        Err(NegativeReply::Refused(words)) => words,
        answered => {
            let offered = due(answered, 250).map(|response| Introduction::Extended(offers(&response)));
            return offered.map_err(|words| failed(host, "answer EHLO", words));
        }
    };
    match due(connection.command(format!("HELO {hello}\r\n")).await, 250) {
        Ok(_) => Ok(Introduction::Plain(words)),
        // What it has against EHLO says more, a blocked address for example.
        Err(_) => Err(failed(host, "answer EHLO", words)),
    }
}

/// The response, if it has the code that is due; else what came instead.
fn due(answered: Result<Response, NegativeReply>, code: u16) -> Result<Response, String> {
    match answered {
        Ok(response) if response.code() == code => Ok(response),
        Ok(response) => Err(format!("it answers {} where {code} was due", response.words())),
        Err(answer) => Err(answer.words().to_owned()),
    }
}

fn failed(host: &str, doing: &'static str, words: String) -> SmtpError {
    SmtpError::Server { host: host.to_owned(), doing, words }
}

/// The keywords of an answer to EHLO, without its first line, which names the server.
fn offers(response: &Response) -> Vec<String> {
    response.lines().skip(1).map(|line| line.trim().to_ascii_uppercase()).filter(|offer| !offer.is_empty()).collect()
}

/// What this client calls itself: as configured, else this machine's name.
fn hello(smtp: SmtpServer<'_>) -> String {
    if let Some(hello) = smtp.hello {
        return hello.to_owned();
    }
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    let fit =
        !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.'));
    if fit { name.to_owned() } else { "localhost".to_owned() }
}

fn is_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_net::redaction::Redactor;

    #[test]
    fn an_answer_to_ehlo_is_read_line_by_line() {
        let offered = |answer: &str| offers(&Response::read(answer.as_bytes(), &Redactor::default()).unwrap());
        let answer =
            "250-mx.example.org at your service\r\n250-Size 1000\r\n250-AUTH plain login\r\n250-\r\n250 8BITMIME\r\n";
        assert_eq!(offered(answer), ["SIZE 1000", "AUTH PLAIN LOGIN", "8BITMIME"]);
        assert!(offered("250 mx.example.org\r\n").is_empty());
    }

    #[test]
    fn only_this_machine_gets_a_password_in_clear() {
        assert!(is_this_machine("LocalHost") && is_this_machine("127.0.0.2") && is_this_machine("::1"));
        assert!(
            !is_this_machine("mail.example.org")
                && !is_this_machine("localhost.example.org")
                && !is_this_machine("10.0.0.1")
        );
    }
}
