//! The overview: how accounts and transports do, and what their communications amount to.

use super::figures::{Figures, Group, empty_fetches};
use super::sums;
use super::time_span::started;
use crate::store::StoreError;
use crate::store::broken_tasks::{self, BrokenTask};
use crate::store::snapshot::snapshot;
use postigo_model::communication::{CommunicationKind, CommunicationStatus, Direction};
use sqlx::AnyConnection;
use std::collections::{BTreeMap, HashMap};

/// The peer's four figures.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overview {
    /// By account, how its last connection (else message) ended, and how many failed.
    pub accounts: BTreeMap<String, AccountStatus>,
    /// The same by transport.
    pub transports: BTreeMap<String, AccountStatus>,
    /// How many communications have which status.
    pub statuses: BTreeMap<String, i64>,
    /// How many run.
    pub active: i64,
    /// Mean milliseconds from start to end, of messages and fetches that ended. Connections that wait for the next mail,
    /// to a server or of a listener's client, last as long as somebody likes.
    pub mean_milliseconds: Option<f64>,
    /// Tasks of the daemons that are broken now, whatever the span of time.
    pub broken_tasks: Vec<BrokenTask>,
}

/// How an account or transport does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountStatus {
    /// Of the last communication that ended; of an account, of a connection where there was one. `processing` where none
    /// has ended.
    pub status: CommunicationStatus,
    /// When that one started, milliseconds since the epoch.
    pub last: i64,
    /// Communications.
    pub communications: i64,
    /// Those that failed.
    pub failed: i64,
}

/// The figures of communications started in this span of time (milliseconds since the epoch).
pub async fn overview(
    connection: &mut AnyConnection,
    since: Option<i64>,
    until: Option<i64>,
) -> Result<Overview, StoreError> {
    let mut overview = Overview { broken_tasks: broken_tasks::all(connection).await?, ..Overview::default() };
    let (mut ended, mut took) = (0, 0);
    let mut last: HashMap<(Direction, String), (bool, bool, i64, String)> = HashMap::new();
    for (group, figures) in figures(connection, since, until).await? {
        let Group { account: name, direction, kind, status } = group;
        let count = figures.communications;
        *overview.statuses.entry(status.name().to_owned()).or_default() += count;
        if status == CommunicationStatus::Processing {
            overview.active += count;
        } else {
            (ended, took) = (ended + figures.timed, took + figures.took);
        }
        // An answer that was never composed had no transport.
        if name.is_empty() {
            continue;
        }
        let all = if direction == Direction::Incoming { &mut overview.accounts } else { &mut overview.transports };
        let account = all.entry(name.clone()).or_default();
        account.communications += count;
        account.failed += if status == CommunicationStatus::Failed { count } else { 0 };
        // One that runs tells of an account only where none has ended. What an account's messages come to is no matter of
        // its server; a transport is for its mails, and a connection that ends well later makes none of them arrive.
        let is_telling = kind == CommunicationKind::Connection || direction == Direction::Outgoing;
        let at = started(&figures.last_id).max(figures.last_at);
        let rank = (status != CommunicationStatus::Processing, is_telling, at, figures.last_id);
        let known = last.entry((direction, name)).or_default();
        if *known < rank {
            account.status = status;
            account.last = rank.2;
            *known = rank;
        }
    }
    overview.mean_milliseconds = (ended > 0).then(|| took as f64 / ended as f64);
    Ok(overview)
}

/// What each group amounts to, all of one instant.
async fn figures(
    connection: &mut AnyConnection,
    since: Option<i64>,
    until: Option<i64>,
) -> Result<HashMap<Group, Figures>, StoreError> {
    let mut snapshot = snapshot(connection).await?;
    let mut found = sums::between(&mut snapshot, since, until).await?;
    found.extend(empty_fetches(&mut snapshot, since, until).await?);
    snapshot.rollback().await?;
    let mut all: HashMap<Group, Figures> = HashMap::new();
    for (group, figures) in found {
        all.entry(group).or_default().add(&figures);
    }
    Ok(all)
}

/// Whether an account or a transport of this name has a communication in the log.
pub async fn has_account_or_transport(connection: &mut AnyConnection, name: &str) -> Result<bool, StoreError> {
    Ok(figures(connection, None, None).await?.keys().any(|group| group.account == name))
}
