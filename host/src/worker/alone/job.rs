//! What is done in a process of its own, and the seam behind which that process is.

use super::death::ProcessEnd;
use crate::chain::{ChainRecord, Mode};
use crate::store::StoreError;
use crate::worker::live::LiveConfiguration;
use bytes::Bytes;
use postigo_mail::Envelope;
use postigo_model::ticket::{FollowUpSearch, FollowedTicket};
use std::collections::HashMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A message that is to be read and taken through the chain.
pub struct AloneJob {
    /// Its row, for the log.
    pub message: i64,
    /// Its bytes.
    pub raw: Bytes,
    /// What is known besides them.
    pub envelope: Envelope,
    /// How the chain is run.
    pub mode: Mode,
    /// What is in force.
    pub setup: Arc<LiveConfiguration>,
    /// The components of its plan, by digest.
    pub components: HashMap<String, Arc<[u8]>>,
}

/// Finds the ticket that a mail follows up.
pub type LookUp<'l> = dyn FnMut(FollowUpSearch) -> Result<Option<FollowedTicket>, StoreError> + 'l;

/// Where such messages are worked on.
pub trait MessageProcess: Send + Sync {
    /// Takes a message through the chain. Blocks until that is done, the process has died, or `stop`.
    fn run(
        &self,
        job: &AloneJob,
        look_up: &mut LookUp<'_>,
        stop: &CancellationToken,
    ) -> Result<ChainRecord, ProcessEnd>;
}
