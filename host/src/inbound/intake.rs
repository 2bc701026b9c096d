//! One fetch from one account: what it may take, what it has taken in, what it tells the log.

use super::error::FetchError;
use crate::commlog::{Communication, ShownWait, save};
use crate::machine::Machine;
use crate::oauth2::{Owner, Tokens};
use crate::spool::Spool;
use crate::store::{WriteWork, communications};
use postigo_model::communication::{CommunicationKind, CommunicationRecord, MailFate, MailHeading, Priority};
use postigo_model::configured::{Account, Configuration, Dispatch, Oversize};
use postigo_model::mailbox::Mailbox;
use postigo_model::spool::{Arrival, SourceKey, TakenIn};
use postigo_model::timestamp::now;
use postigo_net::credentials::Credentials;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The log's row of a running fetch is brought up to date so often at most.
const LOG_EVERY: Duration = Duration::from_secs(2);

/// A fetch that is to end and has come to no good place by then waits for a server that hangs.
const GOOD_PLACE_WITHIN: Duration = Duration::from_secs(5);

/// What a fetch did; the answer of `fetch` and of REST.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FetchReport {
    /// Account name.
    pub account: String,
    /// Id of its communication.
    pub communication: Option<String>,
    /// Messages that the source has.
    pub seen: u64,
    /// Messages whose bytes were fetched.
    pub fetched: u64,
    /// Of these, stored now.
    pub new: u64,
    /// Of these, known by their bytes already: nothing is filed twice.
    pub known: u64,
    /// Messages that the source was told of: deleted, moved or marked there.
    pub told: u64,
    /// Not fetched: dealt with by earlier fetches.
    pub earlier: u64,
    /// Not fetched: they were there before the account began (`start = "now"`).
    pub left: u64,
    /// Not fetched: above `max_message_size`.
    pub oversize: u64,
    /// Not fetched: marked as deleted by others.
    pub marked_deleted: u64,
    /// Not fetched: gone before they could be.
    pub gone: u64,
    /// Not fetched: the source does not give them.
    pub unreadable: u64,
    /// Bytes fetched.
    pub bytes: u64,
    /// How long it took.
    pub milliseconds: u64,
    /// Why it failed, a sentence.
    pub error: Option<String>,
}

/// What may be taken in, and what is done with the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IntakeRules {
    /// Bytes of the largest message that is taken in.
    pub greatest: u64,
    /// What becomes of larger ones.
    pub oversize: Oversize,
    /// Automatic answers that an address gets within a day.
    pub answers_per_day: u32,
    /// Automatic answers to everybody within an hour; 0: no limit.
    pub answers_per_hour: u32,
    /// Hosts whose Authentication-Results are believed.
    pub authentication_results_from: Vec<String>,
    /// System addresses: mail from ourselves is not answered.
    pub own_addresses: BTreeSet<Mailbox>,
    /// Forms of addresses that get no automatic answers (`auto_responses_refused`).
    pub unanswered: Vec<String>,
    /// The queue that sends what tells of refused mail: the account's, else the default one.
    pub queue: String,
}

impl IntakeRules {
    /// As they are configured.
    pub fn of(configuration: &Configuration) -> Self {
        let settings = &configuration.settings;
        Self {
            greatest: settings.max_message_size,
            oversize: settings.oversize,
            answers_per_day: settings.auto_responses_per_day,
            answers_per_hour: settings.auto_responses_per_hour,
            authentication_results_from: settings.authentication_results_from.clone(),
            own_addresses: configuration.system_addresses.values().map(|own| Mailbox::of(&own.address)).collect(),
            unanswered: settings.auto_responses_refused.clone(),
            queue: settings.default_queue.clone(),
        }
    }
}

/// A fetch under way.
#[derive(Debug)]
pub struct Intake {
    /// The account as it was when the fetch began.
    pub account: Arc<Account>,
    /// What was counted so far.
    pub report: FetchReport,
    tokens: Arc<Tokens>,
    rules: IntakeRules,
    spool: Spool,
    machine: Arc<Machine>,
    stop: CancellationToken,
    log: Communication,
    /// Whether later communications refer to this one.
    referred_to: bool,
    started: Instant,
    logged: Instant,
}

impl Intake {
    /// Begins a fetch; `stop` ends it between two batches.
    pub fn begin(
        account: Arc<Account>,
        mut rules: IntakeRules,
        spool: Spool,
        tokens: Arc<Tokens>,
        stop: CancellationToken,
    ) -> Self {
        if let Dispatch::Queue(queue) = &account.dispatch {
            rules.queue.clone_from(queue);
        }
        let log = Communication::start(CommunicationKind::Connection, &account.name, account.protocol.name());
        let report = FetchReport {
            account: account.name.clone(),
            communication: Some(log.id().to_owned()),
            ..FetchReport::default()
        };
        let started = Instant::now();
        Self {
            account,
            report,
            tokens,
            rules,
            spool,
            machine: Arc::default(),
            stop,
            log,
            referred_to: false,
            started,
            logged: started,
        }
    }

    /// On a daemon that was given these folders: on the way to an account's folder below one of them no link is
    /// followed.
    #[must_use]
    pub fn on(self, machine: Arc<Machine>) -> Self {
        Self { machine, ..self }
    }

    /// What of this machine was given.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The spool that it fills.
    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// What the client signs in with; asked for anew for each connection.
    pub async fn credentials(&self) -> Result<Credentials, FetchError> {
        Ok(self.tokens.for_account(&self.account).await?)
    }

    /// The server refused these credentials: a cached access token is forgotten.
    pub async fn refused(&self, credentials: &Credentials) {
        if matches!(credentials, Credentials::Bearer { .. }) {
            self.tokens.refused(&Owner::Account(self.account.name.clone())).await;
        }
    }

    /// What may be taken in.
    pub fn rules(&self) -> &IntakeRules {
        &self.rules
    }

    /// Whether it should end at the next good place.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Waits until it is to end, and for the time that it has to come to a good place.
    pub fn given_up(&self) -> impl Future<Output = ()> + Send + use<> {
        let stop = self.stop.clone();
        async move {
            stop.cancelled().await;
            tokio::time::sleep(GOOD_PLACE_WITHIN).await;
        }
    }

    /// Says that later fetches refer to this one's communication: it stays a row of its own.
    pub fn is_referred_to(&mut self) {
        self.referred_to = true;
    }

    /// Adds an entry to the communication. No secret may be in it.
    pub fn note(&mut self, priority: Priority, key: &str, sentence: impl Into<String>) {
        self.log.entry(priority, key, sentence);
    }

    /// Has the fetch be found by a mail that it tells of.
    pub fn searchable(&mut self, heading: &MailHeading) {
        heading.fields().for_each(|(_, value)| self.log.searchable(value));
    }

    /// Tells of a mail that is too large to be taken in: in the fetch's communication, and where `heading` says which
    /// mail it is, in one of the mail's own, by which it is found.
    pub async fn tell_too_large(&mut self, key: &str, sentence: String, heading: Option<&MailHeading>, fate: MailFate) {
        self.note(Priority::Warning, key, sentence.as_str());
        let Some(heading) = heading else { return };
        let mut communication = self.log.of_message();
        communication.about_mail(heading);
        communication.came_to(fate);
        communication.entry(Priority::Warning, key, sentence);
        save(self.spool.store().clone(), communication.finish(false)).await;
    }

    /// A message of this account, for [`Spool::take_in`].
    pub fn arrival(&self, key: SourceKey, source: String, raw: Vec<u8>) -> Arrival {
        Arrival {
            account: self.account.name.clone(),
            key,
            source,
            received_at: now(),
            recipients: Vec::new(),
            communication: Some(self.log.id().to_owned()),
            raw: raw.into(),
        }
    }

    /// Counts what became durable.
    pub fn count(&mut self, taken: &[TakenIn]) {
        for taken in taken {
            match taken {
                TakenIn::New(_) => self.report.new += 1,
                TakenIn::Adopted(_) | TakenIn::Known(_) => self.report.known += 1,
            }
        }
    }

    /// Writes the communication as it is now, if that was long ago: it can be read while it runs.
    pub async fn show_progress(&mut self) {
        if self.logged.elapsed() >= LOG_EVERY || self.logged == self.started {
            self.logged = Instant::now();
            save(self.spool.store().clone(), self.log.so_far()).await;
        }
    }

    /// What shows in the communication, as it is now, what is waited for.
    pub fn shown_wait(&self) -> ShownWait {
        ShownWait::of(self.spool.store(), &self.log, "transport")
    }

    /// Ends the fetch, writes its communication and gives the report.
    pub async fn end(mut self, result: Result<(), FetchError>) -> FetchReport {
        let report = &self.report;
        let summary = format!(
            "{} messages there; {} fetched ({} new, {} known, {} bytes); told of {}; not fetched: {} dealt with by earlier fetches, {} there before the account began, {} too large, {} marked as deleted by others, {} gone, {} unreadable.",
            report.seen,
            report.fetched,
            report.new,
            report.known,
            report.bytes,
            report.told,
            report.earlier,
            report.left,
            report.oversize,
            report.marked_deleted,
            report.gone,
            report.unreadable
        );
        self.note(Priority::Info, "transport.summary", summary);
        if let Err(error) = &result {
            self.note(Priority::Error, "transport.failed", error.to_string());
        }
        self.report.milliseconds = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.report.error = result.err().map(|error| error.to_string());
        let record = self.log.clone().finish(self.report.error.is_some());
        if self.brought_nothing(record.priority) {
            self.end_empty(record).await;
        } else {
            save(self.spool.store().clone(), record).await;
        }
        self.report
    }

    /// Whether nobody will look for this fetch by itself.
    fn brought_nothing(&self, priority: Priority) -> bool {
        let report = &self.report;
        !self.referred_to
            && priority <= Priority::Info
            && report.error.is_none()
            && (report.fetched, report.told) == (0, 0)
    }

    async fn end_empty(&mut self, record: CommunicationRecord) {
        let work: WriteWork<CommunicationRecord, String> =
            |record, connection| Box::pin(communications::save_empty(connection, record));
        match self.spool.store().write(record, work).await {
            Ok(id) => self.report.communication = Some(id),
            Err(error) => {
                tracing::warn!(account = self.account.name, %error, "the communication log could not be written");
            }
        }
    }
}
