//! The beginning of an IMAP connection: TCP, TLS, greeting, and who we are.

use super::answer_stream::AnswerStream;
use super::error::{ImapError, plain};
use super::odd::Oddities;
use async_imap::imap_proto::{Capability, Response, Status};
use async_imap::{Authenticator, Client, Session};
use postigo_model::configured::{Server, TlsMode};
use postigo_net::credentials::Credentials;
use postigo_net::redaction::Redactor;
use postigo_net::sasl::{Exchange, Mechanism};
use postigo_net::waiting::waits_for;
use postigo_net::words::said;
use postigo_net::{ConnectError, Stream, greeted};
use std::collections::BTreeSet;
use tokio::io::AsyncWriteExt as _;

/// What the log tells of how a connection came about: key and value.
pub type ConnectionFacts = Vec<(&'static str, String)>;

/// Connects, agrees on TLS where the protocol says so, and signs in. `oddities` hears of what is not quite IMAP.
pub async fn open(
    server: Server<'_>,
    credentials: &Credentials,
    oddities: &Oddities,
) -> Result<(Session<AnswerStream>, ConnectionFacts), ImapError> {
    let mut facts = Vec::new();
    let redactor = credentials.redactor();
    let stream = reach(server, &redactor, &mut facts, oddities).await?;
    let session = over(stream.read_ahead(), server, credentials, oddities, &mut facts).await?;
    Ok((session, facts))
}

/// Signs in over a stream on which nothing more begins.
pub async fn over(
    stream: Stream,
    server: Server<'_>,
    credentials: &Credentials,
    oddities: &Oddities,
    facts: &mut ConnectionFacts,
) -> Result<Session<AnswerStream>, ImapError> {
    let redactor = stream.redactor().clone();
    let greeted = server.tls_mode == TlsMode::StartTls;
    let mut client = Client::new(AnswerStream::over(stream, greeted, oddities.clone()));
    if !greeted {
        facts.push(("greeting", greeting(&mut client, server, &redactor).await?));
    }
    waits_for(|| format!("the capabilities of {}", server.host));
    let before = ask_capabilities(&mut client, &redactor).await?;
    waits_for(|| format!("{} to let {} in", server.host, server.user));
    authenticate(client, server, credentials, &before, &redactor).await
}

/// Connects; for STARTTLS what is sent in clear ends here.
async fn reach(
    server: Server<'_>,
    redactor: &Redactor,
    facts: &mut ConnectionFacts,
    oddities: &Oddities,
) -> Result<Stream, ImapError> {
    let stream = Stream::connect(server.host, server.port, server.timeout, redactor.clone()).await?;
    facts.push(("server", format!("{}:{}", server.host, server.port)));
    match server.tls_mode {
        TlsMode::Clear => Ok(stream),
        TlsMode::Implicit => {
            let (stream, agreed) = stream.secure(server.host, server.tls).await.map_err(ConnectError::from)?;
            facts.push(("tls", agreed));
            Ok(stream)
        }
        TlsMode::StartTls => {
            let mut client = Client::new(AnswerStream::over(stream, false, oddities.clone()));
            facts.push(("greeting", greeting(&mut client, server, redactor).await?));
            waits_for(|| format!("the answer of {} to STARTTLS", server.host));
            client.run_command_and_check_ok("STARTTLS", None).await.map_err(|error| match error {
                async_imap::error::Error::No(text) | async_imap::error::Error::Bad(text) => {
                    ImapError::NoStartTls(said(&plain(&text), redactor))
                }
                other => ImapError::during("start TLS", other, redactor),
            })?;
            // Whatever came after the server's OK in clear lies in the client's buffers and is dropped with them.
            let (stream, agreed) =
                client.into_inner().into_inner().secure(server.host, server.tls).await.map_err(ConnectError::from)?;
            facts.push(("tls", agreed));
            Ok(stream)
        }
    }
}

async fn greeting(
    client: &mut Client<AnswerStream>,
    server: Server<'_>,
    redactor: &Redactor,
) -> Result<String, ImapError> {
    let doing = "greet";
    waits_for(|| format!("the greeting of {}", server.host));
    let greeting = client.read_response();
    let answer = if server.tls_mode == TlsMode::Implicit {
        greeting.await
    } else {
        greeted(server.host, server.port, "protocol imaps", greeting).await?
    };
    let answer = answer.map_err(|error| ImapError::during(doing, error.into(), redactor))?;
    match answer.as_ref().map(|answer| answer.parsed()) {
        Some(Response::Data { status: Status::Ok | Status::PreAuth, outcome }) => {
            Ok(said(outcome.information.as_deref().unwrap_or_default(), redactor))
        }
        Some(Response::Data { outcome, .. }) => {
            Err(ImapError::left(doing, outcome.information.as_deref().unwrap_or("BYE"), redactor))
        }
        Some(_) => Err(ImapError::closed(doing, "it does not speak IMAP")),
        None => Err(ImapError::closed(doing, "it closed the connection")),
    }
}

async fn ask_capabilities(
    client: &mut Client<AnswerStream>,
    redactor: &Redactor,
) -> Result<BTreeSet<String>, ImapError> {
    let doing = "ask for the capabilities";
    // With a tag that async-imap's own counter never gives.
    let stream = client.get_mut();
    stream.write_all(b"CAP CAPABILITY\r\n").await.map_err(|error| ImapError::during(doing, error.into(), redactor))?;
    stream.flush().await.map_err(|error| ImapError::during(doing, error.into(), redactor))?;
    let mut found = BTreeSet::new();
    loop {
        let answer = client.read_response().await.map_err(|error| ImapError::during(doing, error.into(), redactor))?;
        match answer.as_ref().map(|answer| answer.parsed()) {
            Some(Response::Capabilities(list)) => found = names(list),
            Some(Response::Done { status: Status::Ok, .. }) => return Ok(found),
            Some(Response::Done { outcome, .. }) => {
                return Err(ImapError::refused(doing, outcome.information.as_deref().unwrap_or_default(), redactor));
            }
            Some(_) => {}
            None => return Err(ImapError::closed(doing, "it closed the connection")),
        }
    }
}

/// Capabilities in capitals.
pub fn names(list: &[Capability<'_>]) -> BTreeSet<String> {
    list.iter()
        .map(|capability| match capability {
            Capability::Imap4rev1 => "IMAP4REV1".to_owned(),
            Capability::Auth(name) => format!("AUTH={}", name.to_ascii_uppercase()),
            Capability::Atom(name) => name.to_ascii_uppercase(),
        })
        .collect()
}

/// LOGIN, or AUTHENTICATE where LOGIN is disabled, could not carry the letters (RFC 3501 section 6.2), or a token is to
/// be shown.
async fn authenticate(
    client: Client<AnswerStream>,
    server: Server<'_>,
    credentials: &Credentials,
    capabilities: &BTreeSet<String>,
    redactor: &Redactor,
) -> Result<Session<AnswerStream>, ImapError> {
    let refused = |text: String| ImapError::SignIn { user: server.user.to_owned(), text };
    let disabled = capabilities.contains("LOGINDISABLED");
    let mechanism = Mechanism::choose(credentials, |name| capabilities.contains(&format!("AUTH={name}")));
    let (user, secret) = match credentials {
        Credentials::None => ("", ""),
        Credentials::Password { user, password } => (user.as_str(), password.reveal()),
        Credentials::Bearer { user, token } => (user.as_str(), token.reveal()),
    };
    let by_login = !matches!(credentials, Credentials::Bearer { .. })
        && !disabled
        && (mechanism.is_err() || user.is_ascii() && secret.is_ascii());
    // Why an access token is refused, where the server says so before its answer.
    let mut why = String::new();
    let result = if by_login {
        client.login(user, secret).await
    } else {
        let mechanism =
            mechanism.map_err(|error| if disabled { ImapError::SignInDisabled } else { refused(error.to_string()) })?;
        let mut exchange = Exchange::new(mechanism, credentials, server.host, server.port)
            .map_err(|error| refused(error.to_string()))?;
        let result = client.authenticate(mechanism.name(), SaslAnswers(&mut exchange)).await;
        why = exchange.refusal().map(|why| format!(" ({why})")).unwrap_or_default();
        result
    };
    result.map_err(|(error, _)| match error {
        async_imap::error::Error::No(text) | async_imap::error::Error::Bad(text) => {
            refused(format!("{}{why}", said(&plain(&text), redactor)))
        }
        // Its text might hold what was typed.
        async_imap::error::Error::Validate(_) => refused("user or password holds a line break".to_owned()),
        other => ImapError::during("sign in", other, redactor),
    })
}

/// Lets async-imap ask for each answer.
struct SaslAnswers<'e, 'c>(&'e mut Exchange<'c>);

impl Authenticator for SaslAnswers<'_, '_> {
    type Response = Vec<u8>;

    fn process(&mut self, challenge: &[u8]) -> Vec<u8> {
        self.0.respond(challenge)
    }
}
