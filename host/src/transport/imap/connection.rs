//! A signed-in IMAP connection (RFC 3501): commands go out, and every answer is read to its tagged end, whose status is checked.
//!
//! The commands are written here and read through async-imap's parser, because its own methods for FETCH, STORE and EXPUNGE end quietly when
//! the server answers NO, and Postigo must know.

use super::error::ImapError;
use crate::config::{Account, Protocol};
use crate::oauth2::Credentials;
use crate::transport::sasl::{Exchange, Mechanism};
use crate::transport::stream::Stream;
use async_imap::imap_proto::{Capability, RequestId, Response, ResponseCode, Status};
use async_imap::{Authenticator, Client, Session};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;

/// A signed-in connection.
#[derive(Debug)]
pub struct Connection {
    session: Session<Stream>,
    capabilities: BTreeSet<String>,
    /// What the log tells of how the connection came about: key and value.
    pub facts: Vec<(&'static str, String)>,
}

/// The folder after SELECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selected {
    /// UIDVALIDITY (RFC 3501 section 2.3.1.1).
    pub uid_validity: u32,
    /// How many messages it has.
    pub exists: u32,
    /// Whether flags can be set and messages deleted.
    pub writable: bool,
}

impl Connection {
    /// Connects, agrees on TLS where the protocol says so, and signs in.
    pub async fn open(account: &Account, credentials: &Credentials) -> Result<Self, ImapError> {
        let mut facts = Vec::new();
        let stream = reach(account, &mut facts).await?;
        let mut client = Client::new(stream.read_ahead());
        if account.protocol != Protocol::ImapStartTls {
            facts.push(("greeting", greeting(&mut client).await?));
        }
        let before = ask_capabilities(&mut client).await?;
        let session = sign_in(client, account, credentials, &before).await?;
        let mut connection = Self { session, capabilities: BTreeSet::new(), facts };
        // They differ before and after signing in (RFC 3501 section 6.1.1).
        connection.capabilities = connection.after_sign_in().await?;
        connection.facts.push(("capabilities", connection.capabilities.iter().map(String::as_str).collect::<Vec<_>>().join(" ")));
        Ok(connection)
    }

    async fn after_sign_in(&mut self) -> Result<BTreeSet<String>, ImapError> {
        let mut found = BTreeSet::new();
        self.command("ask for the capabilities", "CAPABILITY", |response| {
            if let Response::Capabilities(list) = response {
                found = names(list);
            }
        })
        .await?;
        Ok(found)
    }

    /// Whether the server has a capability, named in capitals.
    pub fn has(&self, capability: &str) -> bool {
        self.capabilities.contains(capability)
    }

    /// Sends a command and reads its answers; `each` sees the untagged ones. `doing` is an infinitive for errors.
    pub async fn command(&mut self, doing: &'static str, text: &str, each: impl FnMut(&Response<'_>)) -> Result<(), ImapError> {
        let sent = self.send(doing, text).await?;
        self.finish(doing, &sent, each).await
    }

    /// Sends a command whose answers are read later: the next one can be under way while they are.
    pub async fn send(&mut self, doing: &'static str, text: &str) -> Result<RequestId, ImapError> {
        tracing::trace!(doing, "commanded");
        self.session.run_command(text).await.map_err(|error| ImapError::during(doing, error))
    }

    /// Reads the answers of a command to its end.
    pub async fn finish(&mut self, doing: &'static str, sent: &RequestId, mut each: impl FnMut(&Response<'_>)) -> Result<(), ImapError> {
        loop {
            let answer = self.session.read_response().await.map_err(|error| ImapError::during(doing, error.into()))?;
            let Some(answer) = answer else { return Err(ImapError::closed(doing, "it closed the connection")) };
            match answer.parsed() {
                Response::Done { tag, status, outcome } if tag == sent => {
                    let text = outcome.information.as_deref().unwrap_or_default();
                    return match status {
                        Status::Ok => {
                            // FLAGS and codes of the final answer are of interest to SELECT and COPY.
                            each(answer.parsed());
                            Ok(())
                        }
                        _ => Err(ImapError::refused(doing, text)),
                    };
                }
                Response::Data { status: Status::Bye, outcome } => {
                    return Err(ImapError::closed(doing, outcome.information.as_deref().unwrap_or("BYE")));
                }
                other => each(other),
            }
        }
    }

    /// Selects a folder, named in UTF-8.
    pub async fn select(&mut self, folder: &str) -> Result<Selected, ImapError> {
        self.open_folder("SELECT", folder).await
    }

    /// Looks at a folder without changing anything in it.
    pub async fn examine(&mut self, folder: &str) -> Result<Selected, ImapError> {
        self.open_folder("EXAMINE", folder).await
    }

    async fn open_folder(&mut self, verb: &str, folder: &str) -> Result<Selected, ImapError> {
        use async_imap::imap_proto::MailboxDatum;
        let command = format!("{verb} {}", super::folder::quoted(folder)?);
        let (mut uid_validity, mut exists, mut writable) = (None, 0, true);
        let opened = self
            .command("open the folder", &command, |response| match response {
                Response::MailboxData(MailboxDatum::Exists(count)) => exists = *count,
                Response::Data { outcome, .. } | Response::Done { outcome, .. } => match &outcome.code {
                    Some(ResponseCode::UidValidity(value)) => uid_validity = Some(*value),
                    Some(ResponseCode::ReadOnly) => writable = false,
                    _ => {}
                },
                _ => {}
            })
            .await;
        match opened {
            Ok(()) => {
                let uid_validity = uid_validity.ok_or_else(|| ImapError::NoUids(folder.to_owned()))?;
                Ok(Selected { uid_validity, exists, writable })
            }
            Err(ImapError::Refused { text, .. }) => Err(ImapError::Folder { folder: folder.to_owned(), text }),
            Err(other) => Err(other),
        }
    }

    /// Says goodbye. Whatever comes of it, the work is done.
    pub async fn close(mut self) {
        let _ = tokio::time::timeout(Duration::from_secs(2), self.session.logout()).await;
    }
}

/// Connects; for STARTTLS what is sent in clear ends here.
async fn reach(account: &Account, facts: &mut Vec<(&'static str, String)>) -> Result<Stream, ImapError> {
    let timeout = Duration::from_secs(account.timeout.max(1));
    let port = account.port.unwrap_or(if account.protocol == Protocol::Imaps { 993 } else { 143 });
    let stream = Stream::connect(&account.host, port, timeout).await?;
    facts.push(("server", format!("{}:{port}", account.host)));
    match account.protocol {
        Protocol::Imaps => {
            let (stream, agreed) =
                stream.secure(&account.host, &account.tls).await.map_err(crate::transport::stream::ConnectError::from)?;
            facts.push(("tls", agreed));
            Ok(stream)
        }
        Protocol::ImapStartTls => {
            let mut client = Client::new(stream);
            facts.push(("greeting", greeting(&mut client).await?));
            client.run_command_and_check_ok("STARTTLS", None).await.map_err(|error| match error {
                async_imap::error::Error::No(text) | async_imap::error::Error::Bad(text) => {
                    ImapError::NoStartTls(super::error::short(&text))
                }
                other => ImapError::during("start TLS", other),
            })?;
            // Whatever came after the server's OK in clear lies in the client's buffer and is dropped with it.
            let (stream, agreed) =
                client.into_inner().secure(&account.host, &account.tls).await.map_err(crate::transport::stream::ConnectError::from)?;
            facts.push(("tls", agreed));
            Ok(stream)
        }
        _ => Ok(stream),
    }
}

async fn greeting(client: &mut Client<Stream>) -> Result<String, ImapError> {
    let doing = "greet";
    let answer = client.read_response().await.map_err(|error| ImapError::during(doing, error.into()))?;
    match answer.as_ref().map(|answer| answer.parsed()) {
        Some(Response::Data { status: Status::Ok | Status::PreAuth, outcome }) => {
            Ok(super::error::short(outcome.information.as_deref().unwrap_or_default()))
        }
        Some(Response::Data { outcome, .. }) => Err(ImapError::closed(doing, outcome.information.as_deref().unwrap_or("BYE"))),
        Some(_) => Err(ImapError::closed(doing, "it does not speak IMAP")),
        None => Err(ImapError::closed(doing, "it closed the connection")),
    }
}

async fn ask_capabilities(client: &mut Client<Stream>) -> Result<BTreeSet<String>, ImapError> {
    let doing = "ask for the capabilities";
    // With a tag that async-imap's own counter never gives.
    let stream = client.get_mut();
    stream.write_all(b"CAP CAPABILITY\r\n").await.map_err(|error| ImapError::during(doing, error.into()))?;
    stream.flush().await.map_err(|error| ImapError::during(doing, error.into()))?;
    let mut found = BTreeSet::new();
    loop {
        let answer = client.read_response().await.map_err(|error| ImapError::during(doing, error.into()))?;
        match answer.as_ref().map(|answer| answer.parsed()) {
            Some(Response::Capabilities(list)) => found = names(list),
            Some(Response::Done { status: Status::Ok, .. }) => return Ok(found),
            Some(Response::Done { outcome, .. }) => {
                return Err(ImapError::refused(doing, outcome.information.as_deref().unwrap_or_default()));
            }
            Some(_) => {}
            None => return Err(ImapError::closed(doing, "it closed the connection")),
        }
    }
}

fn names(list: &[Capability<'_>]) -> BTreeSet<String> {
    list.iter()
        .map(|capability| match capability {
            Capability::Imap4rev1 => "IMAP4REV1".to_owned(),
            Capability::Auth(name) => format!("AUTH={}", name.to_ascii_uppercase()),
            Capability::Atom(name) => name.to_ascii_uppercase(),
        })
        .collect()
}

/// LOGIN, or AUTHENTICATE where LOGIN is disabled, could not carry the letters (RFC 3501 section 6.2), or a token is to be shown.
async fn sign_in(
    client: Client<Stream>,
    account: &Account,
    credentials: &Credentials,
    capabilities: &BTreeSet<String>,
) -> Result<Session<Stream>, ImapError> {
    let refused = |text: String| ImapError::SignIn { user: account.user.clone(), text };
    let disabled = capabilities.contains("LOGINDISABLED");
    let mechanism = Mechanism::choose(credentials, |name| capabilities.contains(&format!("AUTH={name}")));
    let (user, secret) = match credentials {
        Credentials::None => ("", ""),
        Credentials::Password { user, password } => (user.as_str(), password.reveal()),
        Credentials::Bearer { user, token } => (user.as_str(), token.reveal()),
    };
    let by_login =
        !matches!(credentials, Credentials::Bearer { .. }) && !disabled && (mechanism.is_err() || user.is_ascii() && secret.is_ascii());
    let result = if by_login {
        client.login(user, secret).await
    } else {
        let mechanism = mechanism.map_err(|error| if disabled { ImapError::SignInDisabled } else { refused(error.to_string()) })?;
        let port = account.port.unwrap_or(if account.protocol == Protocol::Imaps { 993 } else { 143 });
        let exchange = Exchange::new(mechanism, credentials, &account.host, port).map_err(|error| refused(error.to_string()))?;
        client.authenticate(mechanism.name(), Answering(exchange)).await
    };
    result.map_err(|(error, _)| match error {
        async_imap::error::Error::No(text) | async_imap::error::Error::Bad(text) => {
            // A server might repeat the secret; an empty one would match everywhere.
            let secret = if secret.is_empty() { "\0" } else { secret };
            refused(super::error::short(&text).replace(secret, "…"))
        }
        // Its text might hold what was typed.
        async_imap::error::Error::Validate(_) => refused("user or password holds a line break".to_owned()),
        other => ImapError::during("sign in", other),
    })
}

/// Lets async-imap ask for each answer.
struct Answering<'c>(Exchange<'c>);

impl Authenticator for Answering<'_> {
    type Response = Vec<u8>;

    fn process(&mut self, challenge: &[u8]) -> Vec<u8> {
        self.0.respond(challenge)
    }
}
