//! One run over an account's mailbox: sessions, until nothing is left to be fetched.

use super::Memory;
use super::connection::Connection;
use super::error::Pop3Error;
use super::session::{KEY, Pop3Session, SessionRest};
use crate::inbound::error::FetchError;
use crate::inbound::intake::Intake;
use postigo_model::communication::Priority;
use postigo_model::configured::Server;
use postigo_net::credentials::Credentials;

/// Fetches what is new from the account's mailbox.
pub async fn fetch(intake: &mut Intake, server: Server<'_>, memory: &mut Memory) -> Result<(), FetchError> {
    let account = intake.account.clone();
    let mut first = true;
    let mut lost = false;
    let mut before = None;
    loop {
        intake.show_progress().await;
        let mut shown = intake.shown_wait();
        let mut connection = match shown.during(open(intake, server)).await {
            // Some servers let nobody in again at once. The next run goes on.
            Err(FetchError::Pop3(error)) if !first && error.is_wait() => {
                intake.note(Priority::Notice, KEY, format!("The rest is left for the next fetch. {error}"));
                return Ok(());
            }
            other => other?,
        };
        let facts = std::mem::take(&mut connection.facts);
        if first {
            for (key, value) in facts {
                intake.note(Priority::Debug, &format!("{KEY}.{key}"), value);
            }
            intake.show_progress().await;
        }
        let mut shown = intake.shown_wait();
        match shown.during(Pop3Session::new(connection, intake, memory, &account, first).run()).await {
            Ok((SessionRest::Nothing, _)) => return Ok(()),
            Ok((SessionRest::More, _)) if intake.is_stopped() => return Ok(()),
            Ok((SessionRest::More, listed)) => {
                let new = intake.report.new;
                if before.is_some_and(|(there, known)| listed >= there && new == known) {
                    let sentence =
                        "The server has kept what it said it had deleted; the rest is left for the next fetch.";
                    intake.note(Priority::Error, KEY, sentence);
                    return Ok(());
                }
                before = Some((listed, new));
            }
            // One message may have ended it: the others are fetched now, that one alone and last.
            Err((error, SessionRest::More)) if !lost && !intake.is_stopped() => {
                intake.note(Priority::Warning, KEY, format!("{error}. The other messages are fetched first."));
                lost = true;
            }
            Err((error, _)) => return Err(error),
        }
        first = false;
    }
}

async fn open(intake: &Intake, server: Server<'_>) -> Result<Connection, FetchError> {
    let credentials = intake.credentials().await?;
    match Connection::open(server, &credentials).await {
        Err(error @ Pop3Error::SignIn { .. }) => {
            intake.refused(&credentials).await;
            Err(error.into())
        }
        other => Ok(other?),
    }
}

/// Connects, signs in and counts the messages, changing nothing; what the server said, key and value.
pub async fn probe(server: Server<'_>, credentials: &Credentials) -> Result<Vec<(&'static str, String)>, Pop3Error> {
    let mut connection = Connection::open(server, credentials).await?;
    let mut facts = std::mem::take(&mut connection.facts);
    let count = connection.count().await?;
    let uidls = if count == 0 {
        ""
    } else if connection.has_uidls().await? {
        ", with unique-ids"
    } else {
        ", without unique-ids (UIDL)"
    };
    connection.quit().await?;
    facts.push(("mailbox", format!("{count} messages{uidls}")));
    Ok(facts)
}
