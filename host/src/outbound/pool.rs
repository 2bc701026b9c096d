//! Connections that are kept for the next mail.

use super::smtp::SmtpSession;
use postigo_model::communication::CommunicationRecord;
use postigo_model::configured::Transport;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A connection that nobody uses is closed after so long: servers close theirs not much later.
const IDLE: Duration = Duration::from_secs(30);
/// A connection that was idle for no longer than this is used without asking whether it still lives.
const FRESH: Duration = Duration::from_secs(1);
/// So many mails go over one connection; some servers refuse more.
const MAILS: u32 = 100;

/// The idle connections of every transport.
#[derive(Default)]
pub struct Pool {
    idle: Mutex<BTreeMap<String, Vec<(Transport, SmtpSession)>>>,
    /// Those that have carried as many mails as they may, by their transports' names.
    spent: Mutex<Vec<(String, SmtpSession)>>,
}

impl Pool {
    /// A connection of this transport that lives, if there is one; the rows are those of connections that were found
    /// dead.
    pub async fn take(&self, transport: &Transport) -> (Option<SmtpSession>, Vec<CommunicationRecord>) {
        // Some servers take only so many connections at once: those go first. Another transport's server may be slow to
        // say goodbye.
        let mut ended = end_all(self.take_spent(|name| name == transport.name)).await;
        while let Some((kept, mut session)) = self.pop(&transport.name) {
            // A connection of what was configured before is none of this transport.
            if kept == *transport && session.idle() < IDLE && (session.idle() < FRESH || session.is_alive().await) {
                return (Some(session), ended);
            }
            ended.push(session.end().await);
        }
        (None, ended)
    }

    fn pop(&self, name: &str) -> Option<(Transport, SmtpSession)> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).get_mut(name)?.pop()
    }

    /// Keeps a connection; gives its row if it is broken, and ended. Nothing is said to the server: what it has taken is
    /// written first.
    pub async fn keep(&self, transport: &Transport, session: SmtpSession) -> Option<CommunicationRecord> {
        if !session.is_usable() {
            return Some(session.end().await);
        }
        if session.sent() >= MAILS {
            self.spent.lock().unwrap_or_else(PoisonError::into_inner).push((transport.name.clone(), session));
            return None;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.entry(transport.name.clone()).or_default().push((transport.clone(), session));
        None
    }

    /// Ends connections: those that have carried enough or were idle for too long, or all. Gives their rows.
    pub async fn close(&self, all: bool) -> Vec<CommunicationRecord> {
        let mut closed = self.take_spent(|_| true);
        {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            for sessions in idle.values_mut() {
                let idle = sessions.extract_if(.., |(_, session)| all || session.idle() >= IDLE);
                closed.extend(idle.map(|(_, session)| session));
            }
            idle.retain(|_, sessions| !sessions.is_empty());
        }
        end_all(closed).await
    }

    fn take_spent(&self, is_of: impl Fn(&str) -> bool) -> Vec<SmtpSession> {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.extract_if(.., |(name, _)| is_of(name)).map(|(_, session)| session).collect()
    }
}

async fn end_all(sessions: Vec<SmtpSession>) -> Vec<CommunicationRecord> {
    futures_util::future::join_all(sessions.into_iter().map(SmtpSession::end)).await
}
