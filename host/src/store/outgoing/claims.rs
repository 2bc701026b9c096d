//! Who sends a mail: claims that end by themselves, by the database's clock, and what a try came to.

use super::{DeliveryUpdate, read_word};
use crate::store::claims::{self, Term, but_for_locked, fence, fenced};
use crate::store::sql::{Sql, pieces};
use crate::store::{Engine, StoreError, communications, configuration};
use postigo_model::claim::Claim;
use postigo_model::communication::{CommunicationRecord, MailFate};
use postigo_model::configured::ConfigurationVersion;
use postigo_model::outgoing::{DeliveryStatus, MOST_UNCERTAIN, OutgoingKind, OutgoingStatus};
use postigo_model::ticket::NewArticle;
use sqlx::{AnyConnection, Row};
use std::time::Duration;

/// The term of a claim: longer than a lease's, since what goes out twice is worse than what waits.
const TERM: Term = Term { until: "outgoing.claimed_until", lasts: Duration::from_mins(1) };

/// A mail that is to be sent now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedMail {
    /// The right to send it.
    pub claim: Claim,
    /// What it is.
    pub kind: OutgoingKind,
    /// The ticket's row id; 0: none.
    pub ticket_id: i64,
    /// Envelope sender; empty: the null sender.
    pub sender: String,
    /// Those of its recipients that it must still reach.
    pub recipients: Vec<String>,
    /// With its angle brackets.
    pub message_id: String,
    /// Its subject, cut, for the log.
    pub subject: String,
    /// Bytes.
    pub size: i64,
    /// Whether it may hold bytes above 127.
    pub has_eight_bits: bool,
    /// Transport name.
    pub transport: String,
    /// Tries with this one.
    pub tries: i64,
    /// Tries before this one whose answer was lost.
    pub uncertain_tries: i64,
    /// When it came into the queue, milliseconds since the epoch.
    pub queued_at: i64,
}

impl ClaimedMail {
    /// Whether it is noted that its content is about to go out. Of an agent's mail that costs nothing until an answer
    /// was lost: the first time it is sent again in any case.
    pub fn is_marked(&self) -> bool {
        is_marked(self.kind, self.uncertain_tries)
    }
}

fn is_marked(kind: OutgoingKind, uncertain_tries: i64) -> bool {
    kind.is_automatic() || uncertain_tries > 0
}

/// How many mails of a transport are wanted.
#[derive(Debug, Clone)]
pub struct ForTransport {
    /// Its name.
    pub name: String,
    /// So many at most.
    pub limit: u32,
}

/// What a process asks for when it looks for work.
#[derive(Debug, Clone)]
pub struct MailClaimQuery {
    /// The database.
    pub engine: Engine,
    /// The data folder's id.
    pub host: String,
    /// The version of the configuration by which is chosen and sent.
    pub configuration: ConfigurationVersion,
    /// Transports chosen for mails that had none: row id and name.
    pub chosen: Vec<(i64, String)>,
    /// What is wanted.
    pub transports: Vec<ForTransport>,
}

/// What a look for work gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailClaims {
    /// Mails to be sent now.
    Mails(Vec<ClaimedMail>),
    /// Nothing is claimed or changed: the configuration is at this other version, which may choose otherwise.
    Behind(ConfigurationVersion),
}

/// The waiting mails that no transport is chosen for: row id, sender, queue. Oldest first.
pub async fn unassigned(connection: &mut AnyConnection, limit: u32) -> Result<Vec<(i64, String, String)>, StoreError> {
    let mut sql = Sql::new(
        "SELECT id, sender, queue FROM outgoing WHERE status = 'waiting' AND transport IS NULL ORDER BY next_try_at, id LIMIT ",
    );
    let rows = sql.bind(limit).all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).collect()
}

/// Whether a mail of these transports is to be sent now.
pub async fn is_any_waiting(
    connection: &mut AnyConnection,
    engine: Engine,
    transports: &[&str],
) -> Result<bool, StoreError> {
    let mut sql = Sql::new("SELECT 1 FROM outgoing WHERE status = 'waiting' AND transport IN ");
    sql.list(transports.iter().copied()).push(" AND next_try_at <= ").push(engine.clock()).push(" LIMIT 1");
    Ok(sql.optional(connection).await?.is_some())
}

/// Forgets which transport was chosen for the waiting mails: the transports have changed.
pub async fn unassign(connection: &mut AnyConnection) -> Result<u64, StoreError> {
    Sql::new("UPDATE outgoing SET transport = NULL WHERE status = 'waiting' AND transport IS NOT NULL")
        .execute(connection)
        .await
}

/// Claims mails whose time has come, for whoever works by the configuration as it is. No two processes ever get the
/// same.
pub async fn claim(connection: &mut AnyConnection, asked: &MailClaimQuery) -> Result<MailClaims, StoreError> {
    let version = configuration::kept_version(connection, asked.engine).await?;
    if version != asked.configuration {
        return Ok(MailClaims::Behind(version));
    }
    for (id, transport) in &asked.chosen {
        let mut sql = Sql::new("UPDATE outgoing SET transport = ");
        sql.bind(transport)
            .push(" WHERE status = 'waiting' AND transport IS NULL AND id = ")
            .bind(*id)
            .execute(connection)
            .await?;
    }
    let mut claimed = Vec::new();
    for wanted in &asked.transports {
        for id in waiting(connection, asked, wanted).await? {
            claimed.push(claim_one(connection, asked, id).await?);
        }
    }
    Ok(MailClaims::Mails(claimed))
}

async fn waiting(
    connection: &mut AnyConnection,
    asked: &MailClaimQuery,
    wanted: &ForTransport,
) -> Result<Vec<i64>, StoreError> {
    let clock = asked.engine.clock();
    let mut sql = Sql::new("SELECT id FROM outgoing WHERE status = 'waiting' AND transport = ");
    sql.bind(&wanted.name)
        .push(" AND next_try_at <= ")
        .push(clock)
        .push(" ORDER BY next_try_at, id LIMIT ")
        .bind(wanted.limit);
    but_for_locked(&mut sql, asked.engine).all(connection).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

async fn claim_one(connection: &mut AnyConnection, asked: &MailClaimQuery, id: i64) -> Result<ClaimedMail, StoreError> {
    let claim = Claim { id, token: claims::token()? };
    let mut sql = Sql::new("UPDATE outgoing SET status = 'sending', tries = tries + 1, data_begun = 0, claim = ");
    sql.bind(claim.token.to_string()).push(", claimed_by = ").bind(&asked.host).push(", claimed_until = ");
    TERM.from_now(&mut sql, asked.engine).push(" WHERE id = ").bind(id);
    sql.push(" RETURNING kind, ticket_id, sender, message_id, size, transport, tries, queued_at, uncertain_tries, eight_bits, subject");
    let row = sql.one(connection).await?;
    let (kind, uncertain_tries): (OutgoingKind, i64) = (read_word(&row, 0)?, row.try_get(8)?);
    let mut sql = Sql::new("SELECT recipient FROM delivery WHERE outgoing_id = ");
    sql.bind(id)
        .push(" AND status IN ")
        .list(open(kind, uncertain_tries).iter().map(|status| status.name()))
        .push(" ORDER BY recipient");
    let recipients = sql.all(connection).await?.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    Ok(ClaimedMail {
        claim,
        kind,
        ticket_id: row.try_get(1)?,
        sender: row.try_get(2)?,
        recipients,
        message_id: row.try_get(3)?,
        size: row.try_get(4)?,
        transport: row.try_get::<Option<String>, _>(5)?.unwrap_or_default(),
        tries: row.try_get(6)?,
        queued_at: row.try_get(7)?,
        uncertain_tries,
        has_eight_bits: row.try_get::<i64, _>(9)? != 0,
        subject: row.try_get(10)?,
    })
}

/// The deliveries that are still to be made: people's mail is sent again after its answer was lost, but not for ever.
fn open(kind: OutgoingKind, uncertain_tries: i64) -> &'static [DeliveryStatus] {
    if kind.is_automatic() || uncertain_tries >= MOST_UNCERTAIN {
        &[DeliveryStatus::Waiting, DeliveryStatus::Delayed]
    } else {
        &[DeliveryStatus::Waiting, DeliveryStatus::Delayed, DeliveryStatus::Uncertain]
    }
}

/// Renews claims; those that others have taken over meanwhile are not touched.
pub async fn renew(connection: &mut AnyConnection, engine: Engine, tokens: &[i64]) -> Result<(), StoreError> {
    for piece in pieces(tokens) {
        let mut sql = Sql::new("UPDATE outgoing SET claimed_until = ");
        TERM.from_now(&mut sql, engine)
            .push(" WHERE status = 'sending' AND claim IN ")
            .list(piece.iter().map(i64::to_string));
        sql.execute(connection).await?;
    }
    Ok(())
}

/// Notes that the content of a mail is about to go out. [`StoreError::Fenced`] if the claim is no longer in force: then
/// nothing may go out.
pub async fn begin_data(connection: &mut AnyConnection, claim: &Claim) -> Result<(), StoreError> {
    let mut sql = Sql::new("UPDATE outgoing SET data_begun = 1");
    fenced(in_force(&mut sql, claim).execute(connection).await?, 1)
}

/// Notes who has a mail that is still to go out to others, for whom no content has begun to go out.
/// [`StoreError::Fenced`] if the claim is no longer in force: then it may not go out to them.
pub async fn note_accepted(
    connection: &mut AnyConnection,
    claim: &Claim,
    accepted: &[DeliveryUpdate],
    now: i64,
) -> Result<(), StoreError> {
    for delivered in accepted {
        super::delivered(connection, claim.id, delivered, now).await?;
    }
    let mut sql = Sql::new("UPDATE outgoing SET data_begun = 0");
    fenced(in_force(&mut sql, claim).execute(connection).await?, 1)
}

fn in_force<'s>(sql: &'s mut Sql, claim: &Claim) -> &'s mut Sql {
    fence(sql, "sending", claim.id, claim.token.to_string())
}

/// What a try came to.
#[derive(Debug, Clone)]
pub struct AttemptOutcome {
    /// The right to say so.
    pub claim: Claim,
    /// What became of it for its recipients.
    pub deliveries: Vec<DeliveryUpdate>,
    /// When it is tried again, milliseconds since the epoch; none: it is not.
    pub next_try_at: Option<i64>,
    /// The content went out and its answer was lost.
    pub uncertain: bool,
    /// False where the try was not the mail's own: its transport could not be reached, or the program stops.
    pub counts: bool,
    /// A sentence; empty where nothing went wrong.
    pub error: String,
    /// For the ticket: what could not be delivered.
    pub note: Option<(i64, NewArticle)>,
    /// The mail's communication.
    pub communication: Option<CommunicationRecord>,
    /// Milliseconds since the epoch.
    pub now: i64,
}

/// Writes what a try came to; gives the mail's new status. [`StoreError::Fenced`] if the claim is no longer in force.
pub async fn settle(connection: &mut AnyConnection, outcome: &AttemptOutcome) -> Result<OutgoingStatus, StoreError> {
    for delivered in &outcome.deliveries {
        super::delivered(connection, outcome.claim.id, delivered, outcome.now).await?;
    }
    let status = match outcome.next_try_at {
        Some(_) => OutgoingStatus::Waiting,
        None => ended(connection, outcome.claim.id).await?,
    };
    let mut sql = Sql::new("UPDATE outgoing SET claim = '', status = ");
    sql.bind(status.name()).push(", last_error = ").bind(&outcome.error).push(", changed_at = ").bind(outcome.now);
    sql.push(", next_try_at = ").bind(outcome.next_try_at.unwrap_or_default());
    sql.push(", uncertain_tries = uncertain_tries + ").bind(outcome.uncertain);
    sql.push(", tries = tries - ").bind(!outcome.counts);
    fenced(in_force(&mut sql, &outcome.claim).execute(connection).await?, 1)?;
    if let Some((ticket_id, note)) = &outcome.note {
        super::add_note(connection, outcome.claim.id, *ticket_id, note, outcome.now).await?;
    }
    if let Some(record) = &outcome.communication {
        let mut record = record.clone();
        record.fate = fate(status);
        (record.article_id, record.ticket_number) = article(connection, outcome.claim.id).await?;
        communications::save(connection, &record).await?;
    }
    Ok(status)
}

/// What a try came to, in the log's word.
fn fate(status: OutgoingStatus) -> Option<MailFate> {
    match status {
        OutgoingStatus::Due | OutgoingStatus::Waiting => Some(MailFate::Waiting),
        OutgoingStatus::Sending => None,
        OutgoingStatus::Sent => Some(MailFate::Sent),
        OutgoingStatus::Failed => Some(MailFate::Failed),
        OutgoingStatus::Uncertain => Some(MailFate::Uncertain),
        OutgoingStatus::Cancelled => Some(MailFate::Cancelled),
    }
}

/// The article that a mail is, and the number of its ticket.
async fn article(connection: &mut AnyConnection, id: i64) -> Result<(Option<i64>, Option<String>), StoreError> {
    let mut sql = Sql::new(
        "SELECT article.id, ticket.number FROM article JOIN ticket ON ticket.id = article.ticket_id WHERE article.outgoing_id <> 0 AND article.outgoing_id = ",
    );
    let row = sql.bind(id).push(" ORDER BY article.id LIMIT 1").optional(connection).await?;
    Ok(match row {
        Some(row) => (row.try_get(0)?, row.try_get(1)?),
        None => (None, None),
    })
}

/// The status of a mail that is not tried again.
async fn ended(connection: &mut AnyConnection, id: i64) -> Result<OutgoingStatus, StoreError> {
    let deliveries = super::deliveries(connection, id).await?;
    let any = |status: DeliveryStatus| deliveries.iter().any(|delivery| delivery.status == status);
    Ok(if any(DeliveryStatus::Failed) {
        OutgoingStatus::Failed
    } else if any(DeliveryStatus::Uncertain) {
        OutgoingStatus::Uncertain
    } else {
        OutgoingStatus::Sent
    })
}

/// Whose claims are taken back, and how.
#[derive(Debug, Clone)]
pub struct RecoverQuery {
    /// The database.
    pub engine: Engine,
    /// The data folder whose claims are all of an earlier run; none: only lapsed claims are taken back.
    pub host: Option<String>,
    /// Milliseconds until a mail is sent again that may have arrived.
    pub pause: i64,
    /// Milliseconds since the epoch.
    pub now: i64,
}

/// Takes back the claims of processes that have ended; gives their number. A mail whose content had not begun to go out
/// waits again; an automatic one whose content had ends as uncertain; an agent's is sent again after the pause, until
/// its answer was lost too often.
pub async fn recover(connection: &mut AnyConnection, asked: &RecoverQuery) -> Result<u64, StoreError> {
    let mut sql = Sql::new(
        "SELECT id, kind, data_begun, uncertain_tries, ticket_id, message_id FROM outgoing WHERE status = 'sending'",
    );
    sql.push(" AND ");
    match &asked.host {
        Some(host) => TERM.free_for(&mut sql, asked.engine, ("outgoing.claimed_by", host)),
        None => TERM.over(&mut sql, asked.engine),
    };
    let rows = but_for_locked(&mut sql, asked.engine).all(connection).await?;
    let mut recovered = 0;
    for row in &rows {
        let (id, kind, begun, tries): (i64, OutgoingKind, i64, i64) =
            (row.try_get(0)?, read_word(row, 1)?, row.try_get(2)?, row.try_get(3)?);
        if is_marked(kind, tries) && begun == 0 {
            wait_again(connection, id, asked.now).await?;
        } else if kind.is_automatic() {
            doubt(connection, id, OutgoingStatus::Uncertain, CUT_OFF, asked.now).await?;
        } else if tries + 1 < MOST_UNCERTAIN {
            doubt(connection, id, OutgoingStatus::Waiting, CUT_OFF, asked.now).await?;
            let mut sql = Sql::new("UPDATE outgoing SET next_try_at = ");
            sql.bind(asked.now + asked.pause).push(" WHERE id = ").bind(id).execute(connection).await?;
        } else {
            doubt(connection, id, OutgoingStatus::Uncertain, CUT_OFF, asked.now).await?;
            tell(connection, id, kind, (row.try_get(4)?, row.try_get(5)?), asked.now).await?;
        }
        recovered += 1;
    }
    Ok(recovered)
}

/// Tells agents in the ticket (row id; 0: none) of their mail (Message-ID) that it may not have arrived.
async fn tell(
    connection: &mut AnyConnection,
    id: i64,
    kind: OutgoingKind,
    (ticket_id, message_id): (i64, &str),
    now: i64,
) -> Result<(), StoreError> {
    let mut deliveries = super::deliveries(connection, id).await?;
    deliveries.retain(|delivery| delivery.status == DeliveryStatus::Uncertain);
    if ticket_id == 0 || deliveries.is_empty() {
        return Ok(());
    }
    let lost: Vec<String> =
        deliveries.iter().map(|delivery| format!("{}: {}", delivery.recipient, delivery.detail)).collect();
    super::add_note(connection, id, ticket_id, &NewArticle::undelivered(kind.name(), message_id, &lost, now), now).await
}

const CUT_OFF: &str = "The program ended while this mail was sent; it may have arrived or not.";

/// The content had not begun to go out.
async fn wait_again(connection: &mut AnyConnection, id: i64, now: i64) -> Result<(), StoreError> {
    let mut sql = Sql::new("UPDATE outgoing SET claim = '', status = 'waiting', last_error = '', changed_at = ");
    sql.bind(now).push(" WHERE status = 'sending' AND id = ").bind(id).execute(connection).await?;
    Ok(())
}

/// It may have reached those that it was still to reach.
async fn doubt(
    connection: &mut AnyConnection,
    id: i64,
    status: OutgoingStatus,
    why: &str,
    now: i64,
) -> Result<(), StoreError> {
    let mut sql = Sql::new("UPDATE outgoing SET claim = '', uncertain_tries = uncertain_tries + 1, status = ");
    sql.bind(status.name()).push(", changed_at = ").bind(now).push(", last_error = ").bind(why);
    sql.push(" WHERE status = 'sending' AND id = ").bind(id).execute(connection).await?;
    let mut sql = Sql::new("UPDATE delivery SET status = 'uncertain', detail = ");
    sql.bind(why)
        .push(", changed_at = ")
        .bind(now)
        .push(" WHERE status IN ('waiting', 'delayed') AND outgoing_id = ")
        .bind(id);
    sql.execute(connection).await?;
    Ok(())
}

/// Ends a claimed mail as uncertain, for the recipients that it was to reach; does nothing if the claim is no longer in
/// force.
pub async fn park(connection: &mut AnyConnection, claim: &Claim, why: &str, now: i64) -> Result<(), StoreError> {
    let mut sql = Sql::new("SELECT 1 FROM outgoing");
    match in_force(&mut sql, claim).optional(connection).await? {
        Some(_) => doubt(connection, claim.id, OutgoingStatus::Uncertain, why, now).await,
        None => Ok(()),
    }
}
