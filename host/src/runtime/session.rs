//! A session: the calls that one message makes into one group.

use super::contract::{Called, Failure, FailureKind, Screened, Verdict};
use super::group::Group;
use crate::mail::Mail;
use std::sync::Arc;
use std::time::Duration;

/// One message's way through a group. The first call gets a fresh instance of the snapshot, further ones use it again; after a
/// failure the next call gets a new one. What is left is thrown away with the session.
pub struct Session {
    group: Arc<Group>,
}

impl Session {
    pub(super) fn new(group: Arc<Group>) -> Self {
        Self { group }
    }

    /// Asks which filters might match the mail as it is now. Only where [`Group::screens`].
    pub fn screen(&mut self, mail: Box<Mail>) -> Called<Screened> {
        Self::nothing(mail)
    }

    /// Calls a filter, named by its index in the group.
    pub fn evaluate(&mut self, _filter: u32, mail: Box<Mail>) -> Called<Verdict> {
        let _ = &self.group;
        Self::nothing(mail)
    }

    fn nothing<T>(mail: Box<Mail>) -> Called<T> {
        let failure = Failure { kind: FailureKind::Trap, message: "the sandbox is not there yet".into() };
        Called { mail, took: Duration::ZERO, log: Vec::new(), result: Err(failure) }
    }
}
