//! Waiting for new mail on an open connection (IDLE, RFC 2177).
//!
//! The wait may be dropped at any moment: what the server was asked for is remembered, and ended before the next
//! command.

use super::connection::{Connection, Idle};
use super::error::ImapError;
use async_imap::imap_proto::{RequestId, Response, Status};
use postigo_net::waiting::waits_for;
use std::time::Duration;
use tokio::time::Instant;

/// An IDLE is ended and begun again after this time. Servers allow half an hour; address translation on the way forgets
/// sooner, and a connection that died in silence is noticed only then.
pub const RENEWED: Duration = Duration::from_mins(4);

/// What the server says while it is waited on.
enum IdleNews {
    /// A command has ended.
    Ended(RequestId),
    /// It hangs up.
    Bye(String),
    /// Anything else.
    Other,
}

const WAIT: &str = "tell of new mail";
const BEGIN: &str = "begin to wait for new mail";
const END: &str = "end the wait for new mail";

impl Connection {
    /// Waits until the server tells of a new message in the open folder. May be dropped at any moment and called again.
    pub async fn wait_for_news(&mut self) -> Result<(), ImapError> {
        loop {
            if self.news {
                return Ok(());
            }
            if matches!(self.idle, Idle::Unclear) {
                return Err(ImapError::closed(BEGIN, "an earlier command was interrupted"));
            }
            let Idle::Begun { at, .. } = self.idle else {
                self.begin_idle().await?;
                continue;
            };
            let told = self.answer(WAIT, |response| match response {
                Response::Done { tag, .. } => IdleNews::Ended(tag.clone()),
                Response::Data { status: Status::Bye, outcome } => {
                    IdleNews::Bye(outcome.information.as_deref().unwrap_or("BYE").to_owned())
                }
                _ => IdleNews::Other,
            });
            match tokio::time::timeout_at(at + RENEWED, told).await {
                Err(_) => self.wake().await?,
                // Some servers end it by themselves.
                Ok(Ok(IdleNews::Ended(ended))) if matches!(&self.idle, Idle::Begun { tag, .. } if *tag == ended) => {
                    self.idle = Idle::Not;
                }
                Ok(Ok(IdleNews::Bye(text))) => return Err(ImapError::left(WAIT, &text, self.redactor())),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(error),
            }
        }
    }

    async fn begin_idle(&mut self) -> Result<(), ImapError> {
        self.idle = Idle::Unclear;
        let sent = self.send(BEGIN, "IDLE").await?;
        if let Err(error) = self.continued(BEGIN, &sent).await {
            if matches!(error, ImapError::Refused { .. }) {
                self.idle = Idle::Not;
            }
            return Err(error);
        }
        self.idle = Idle::Begun { tag: sent, at: Instant::now() };
        // Silence is what is expected now.
        self.session.get_ref().set_timeout(RENEWED + self.timeout);
        Ok(())
    }

    /// Makes the connection take commands again; an error where it does not live any more.
    pub async fn wake(&mut self) -> Result<(), ImapError> {
        self.session.get_ref().set_timeout(self.timeout);
        waits_for(|| format!("the server to {END}"));
        match std::mem::replace(&mut self.idle, Idle::Unclear) {
            Idle::Begun { tag, .. } => {
                let done = self.session.run_command_untagged("DONE").await;
                done.map_err(|error| ImapError::during(END, error, self.redactor()))?;
                self.finish(END, &tag, |_| ()).await?;
            }
            Idle::Not => self.command("show that it is there", "NOOP", |_| ()).await?,
            Idle::Unclear => return Err(ImapError::closed(BEGIN, "an earlier command was interrupted")),
        }
        self.idle = Idle::Not;
        Ok(())
    }
}
