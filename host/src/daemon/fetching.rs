//! Fetches the accounts that this daemon holds, each in a task of its own: one that is slow, silent or broken keeps
//! none of the others.

use super::shares::HeldAccounts;
use crate::inbound::{self, FetchReport, Intake, IntakeRules};
use crate::machine::Machine;
use crate::metrics::Metrics;
use crate::oauth2::Tokens;
use crate::spool::Spool;
use crate::spool::leases::Host;
use crate::store::StoreError;
use crate::store::fetch_requests::{self, FetchRequest};
use crate::worker::{Live, LiveConfiguration};
use postigo_model::configured::{Account, Configuration};
use postigo_supervision as supervision;
use postigo_supervision::back_off;
use postigo_supervision::{Break, SupervisedTask, WorkKind, catch_async, caught};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The pause after a first failure.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause after failures, unless the account's interval is longer.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// So often is asked whether a command wants a fetch now.
const REQUESTS_EVERY: Duration = Duration::from_millis(250);
/// So often is looked whether a message is held, while messages come.
const HELD_EVERY: Duration = Duration::from_millis(500);
/// A command that asked for a fetch waits so long at most for its messages to be filed.
const FILED_WITHIN: Duration = Duration::from_mins(1);
/// The longest pause of what starts the fetches, after it broke.
const LONGEST_REST: Duration = Duration::from_secs(5);

/// What every fetch works with.
#[derive(Clone)]
pub struct FetchTools {
    /// Where messages become durable.
    pub spool: Spool,
    /// What is looked into before each fetch: an account is never fetched as it was configured before.
    pub live: Arc<Live>,
    /// Who works here.
    pub host: Host,
    /// What is signed in with.
    pub tokens: Arc<Tokens>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// The folders of this machine that the daemon was given.
    pub machine: Arc<Machine>,
}

/// The fetching of one account.
struct FetchTask {
    account: Arc<Account>,
    rules: IntakeRules,
    stop: CancellationToken,
    requests: mpsc::UnboundedSender<FetchRequest>,
    ended: JoinHandle<()>,
}

/// What is being fetched.
#[derive(Default)]
struct FetchTasks {
    running: BTreeMap<String, FetchTask>,
    /// By account: a changed account's next fetch begins when the one before has ended, so that no two are ever at the
    /// same mailbox.
    ending: BTreeMap<String, JoinHandle<()>>,
}

/// Fetches until `stop`, then ends every fetch at its next good place.
pub async fn run(
    tools: FetchTools,
    setup: impl Fn() -> Arc<LiveConfiguration>,
    mut held: watch::Receiver<HeldAccounts>,
    stop: CancellationToken,
) {
    let supervised = SupervisedTask::new(WorkKind::Fetches, "", stop.clone()).resting_at_most(LONGEST_REST);
    let mut tasks = FetchTasks::default();
    let mut changes = tools.live.changes();
    while !stop.is_cancelled() {
        let now_held = held.borrow_and_update().clone();
        changes.mark_unchanged();
        let looked = async {
            tasks.adapt(&tools, wanted(&setup().configuration, &now_held));
            let asked = requests(&tools, &now_held).await;
            if !asked.is_empty() {
                // Who changed an account, and then asks for it, is given what was changed.
                let newest = tools.live.newest().await;
                tasks.adapt(&tools, wanted(&setup().configuration, &now_held));
                pass(&tools, &tasks.running, asked, newest.as_ref().err()).await;
            }
        };
        if supervised.round(looked).await.is_err() {
            continue;
        }
        tokio::select! {
            biased;
            // At the end who says what is held may be gone first; that is no fault.
            () = stop.cancelled() => {}
            changed = held.changed() => if changed.is_err() && !stop.is_cancelled() {
                // Nobody says any more what is held: what is, stays.
                supervised.rest(&Break::Ended).await;
            },
            _ = changes.changed() => {}
            () = tokio::time::sleep(REQUESTS_EVERY) => {}
        }
    }
    tasks.end().await;
}

impl FetchTasks {
    /// Ends what is wanted no more, or otherwise; begins what is missing.
    fn adapt(&mut self, tools: &FetchTools, wanted: BTreeMap<String, (Arc<Account>, IntakeRules)>) {
        let stays = |name: &str, task: &FetchTask| {
            wanted.get(name).is_some_and(|(account, rules)| **account == *task.account && *rules == task.rules)
        };
        for (name, task) in self.running.extract_if(.., |name, task| !stays(name, task)) {
            task.stop.cancel();
            self.ending.insert(name, task.ended);
        }
        for (name, (account, rules)) in wanted {
            if !self.running.contains_key(&name) {
                let before = self.ending.remove(&name);
                self.running.insert(name, start(tools, account, rules, before));
            }
        }
        self.ending.retain(|_, task| !task.is_finished());
    }

    async fn end(mut self) {
        for (name, task) in self.running {
            task.stop.cancel();
            self.ending.insert(name, task.ended);
        }
        for task in self.ending.into_values() {
            // A task that panicked has told so.
            let _ = task.await;
        }
    }
}

fn wanted(configuration: &Configuration, held: &HeldAccounts) -> BTreeMap<String, (Arc<Account>, IntakeRules)> {
    let rules = IntakeRules::of(configuration);
    let accounts = configuration.accounts.values().filter(|account| held.contains(&account.name));
    accounts
        .filter_map(|account| polled(configuration, account))
        .map(|account| (account.name.clone(), (Arc::new(account), rules.clone())))
        .collect()
}

/// An account as it is fetched, if it is.
fn polled(configuration: &Configuration, account: &Account) -> Option<Account> {
    let interval = account.interval.or(Some(configuration.settings.poll_interval));
    let is_polled = account.valid.is_valid() && account.source().is_polled();
    is_polled.then(|| Account { interval, ..account.clone() })
}

fn start(tools: &FetchTools, account: Arc<Account>, rules: IntakeRules, before: Option<JoinHandle<()>>) -> FetchTask {
    let stop = CancellationToken::new();
    let (requests, asked) = mpsc::unbounded_channel();
    let polling = AccountPoller {
        tools: tools.clone(),
        account: Arc::clone(&account),
        rules: rules.clone(),
        stop: stop.clone(),
        memory: inbound::AccountMemory::lasting(),
        failures: 0,
        request: None,
        asked,
    };
    let ended = tokio::spawn(async move {
        if let Some(before) = before {
            // A task that panicked has told so.
            let _ = before.await;
        }
        polling.run().await;
    });
    FetchTask { account, rules, stop, requests, ended }
}

/// What commands ask for of the accounts that are held.
async fn requests(tools: &FetchTools, held: &HeldAccounts) -> Vec<FetchRequest> {
    let accounts: Vec<String> = held.iter().cloned().collect();
    if accounts.is_empty() {
        return Vec::new();
    }
    fetch_requests::take(tools.spool.store(), &tools.host.id, &accounts).await.unwrap_or_else(|error| {
        tracing::debug!(%error, "requests to fetch could not be looked for");
        Vec::new()
    })
}

/// Passes requests on to the accounts' tasks; not where it could not be taken up how these are configured now.
async fn pass(
    tools: &FetchTools,
    tasks: &BTreeMap<String, FetchTask>,
    asked: Vec<FetchRequest>,
    refused: Option<&StoreError>,
) {
    for request in asked {
        if let Some(error) = refused {
            answer(tools, &request, &not_fetched(&request.account, &not_taken_up(error))).await;
            continue;
        }
        let Some(task) = tasks.get(&request.account) else {
            let report =
                not_fetched(&request.account, "The account is not valid, or nothing is fetched for its protocol.");
            answer(tools, &request, &report).await;
            continue;
        };
        if let Err(refused) = task.requests.send(request) {
            answer(
                tools,
                &refused.0,
                &not_fetched(&task.account.name, "The account was changed meanwhile; ask again."),
            )
            .await;
        }
    }
}

fn not_taken_up(error: &StoreError) -> String {
    format!("What is configured now could not be taken up, and nothing is fetched by what was before: {error}")
}

fn not_fetched(account: &str, why: &str) -> FetchReport {
    FetchReport { account: account.to_owned(), error: Some(why.to_owned()), ..FetchReport::default() }
}

/// The fetching of one account, at its interval and whenever somebody asks.
struct AccountPoller {
    tools: FetchTools,
    account: Arc<Account>,
    rules: IntakeRules,
    stop: CancellationToken,
    memory: inbound::AccountMemory,
    /// In a row.
    failures: u32,
    /// Who asked for the next fetch.
    request: Option<FetchRequest>,
    asked: mpsc::UnboundedReceiver<FetchRequest>,
}

impl AccountPoller {
    async fn run(mut self) {
        let name = self.account.name.clone();
        let supervised = SupervisedTask::new(WorkKind::Fetch, &name, self.stop.clone()).resting_at_most(LONGEST_PAUSE);
        while !self.stop.is_cancelled() {
            let round = async {
                match self.is_as_configured().await {
                    // It is ended, and begun anew as it is to be.
                    Ok(false) => return self.stop.cancelled().await,
                    Err(error) if !error.is_temporary() => self.ended(not_fetched(&name, &not_taken_up(&error))),
                    // Where the database is away a fetch says so itself.
                    Ok(true) | Err(_) => self.fetch().await,
                }
                self.wait().await;
            };
            if let Err(panic) = catch_async(round).await {
                self.memory.disconnect();
                let how = Break::Panicked(panic);
                if let Some(request) = self.request.take() {
                    answer(&self.tools, &request, &not_fetched(&name, &how.to_string())).await;
                }
                supervised.rest(&how).await;
            }
        }
        self.end().await;
    }

    /// Whether the account is to be fetched still as it was when this began.
    async fn is_as_configured(&self) -> Result<bool, StoreError> {
        let setup = self.tools.live.newest().await?;
        let account = setup.configuration.accounts.get(&self.account.name);
        let account = account.and_then(|account| polled(&setup.configuration, account));
        Ok(account.as_ref() == Some(&*self.account) && IntakeRules::of(&setup.configuration) == self.rules)
    }

    /// Fetches once and tells what came of it.
    async fn fetch(&mut self) {
        let tools = &self.tools;
        let intake = Intake::begin(
            Arc::clone(&self.account),
            self.rules.clone(),
            tools.spool.clone(),
            Arc::clone(&tools.tokens),
            self.stop.clone(),
        );
        let report = inbound::fetch(intake.on(Arc::clone(&tools.machine)), &mut self.memory).await;
        self.ended(report);
    }

    /// Tells what a fetch came to.
    fn ended(&mut self, report: FetchReport) {
        let tools = &self.tools;
        tools.metrics.fetched(&self.account.name, report.fetched, report.error.is_some());
        self.failures = tell(&report, self.failures);
        if let Some(request) = self.request.take() {
            tokio::spawn(answer_when_filed(tools.clone(), request, report));
        }
        if self.failures == 0 {
            supervision::well(WorkKind::Fetch, &self.account.name);
        }
    }

    /// Waits until it is time for the next fetch.
    async fn wait(&mut self) {
        let interval = Duration::from_secs(self.account.interval.unwrap_or(600).max(1));
        let failures = self.failures;
        let pause = if failures == 0 {
            interval
        } else {
            back_off::after_failures(failures, FIRST_PAUSE, LONGEST_PAUSE.max(interval))
        };
        supervision::goes_on(WorkKind::Fetch, &self.account.name, pause);
        let mut waits_well = true;
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
            () = news(&mut self.memory, inbound::AccountMemory::wait_for_news, &self.account, &self.stop, &mut waits_well), if failures == 0 => {}
            () = held(&self.tools.spool, &self.account), if failures == 0 => {}
            came = self.asked.recv() => self.request = came,
        }
        if waits_well {
            supervision::well(WorkKind::Idle, &self.account.name);
        }
    }

    async fn end(mut self) {
        self.asked.close();
        let unanswered = self.request.take().into_iter().chain(std::iter::from_fn(|| self.asked.try_recv().ok()));
        for request in unanswered {
            answer(
                &self.tools,
                &request,
                &not_fetched(&self.account.name, "The account was changed meanwhile; ask again."),
            )
            .await;
        }
        // Nobody misses what is wanted no more.
        supervision::well(WorkKind::Fetch, &self.account.name);
        supervision::well(WorkKind::Idle, &self.account.name);
        // What a server says to a goodbye is of no use.
        let _ = caught(WorkKind::Idle, &self.account.name, self.memory.close()).await;
    }
}

/// Waits until the source tells of new mail. A wait that panics is followed by a pause, and then by a fetch on a new
/// connection.
async fn news(
    memory: &mut inbound::AccountMemory,
    wait: impl AsyncFnOnce(&mut inbound::AccountMemory),
    account: &Account,
    stop: &CancellationToken,
    waits_well: &mut bool,
) {
    if let Err(panic) = catch_async(wait(memory)).await {
        *waits_well = false;
        memory.disconnect();
        let supervised =
            SupervisedTask::new(WorkKind::Idle, &account.name, stop.clone()).resting_at_most(LONGEST_PAUSE);
        supervised.rest(&Break::Panicked(panic)).await;
    }
}

/// Waits until a message is held that the account puts into a folder of its server.
async fn held(spool: &Spool, account: &Account) {
    let mut changed = spool.changed();
    while inbound::puts_aside(account) {
        // A database that cannot be asked now is asked after the next change, and by every fetch.
        if inbound::is_to_be_put_aside(spool, account).await.unwrap_or(false) {
            return;
        }
        tokio::time::sleep(HELD_EVERY).await;
        if changed.changed().await.is_err() {
            break;
        }
    }
    std::future::pending::<()>().await;
}

/// Says what a fetch did; gives the failures in a row.
fn tell(report: &FetchReport, failures: u32) -> u32 {
    let FetchReport { account, fetched, new, known, told, milliseconds, .. } = report;
    match &report.error {
        Some(error) => {
            tracing::warn!(account, fetched, error, "a fetch failed; it will be tried again");
            failures.saturating_add(1)
        }
        None if *fetched + *told > 0 => {
            tracing::info!(account, fetched, new, known, told, milliseconds, "fetched");
            0
        }
        None => {
            tracing::debug!(account, "nothing to fetch");
            0
        }
    }
}

/// A command that asked expects to find its tickets when it ends.
async fn answer_when_filed(tools: FetchTools, request: FetchRequest, report: FetchReport) {
    // After that time, or without looking, the answer is as true as before.
    let filed = tokio::time::timeout(FILED_WITHIN, until_worked_off(&tools.spool, &report.account));
    let _ = caught(WorkKind::FetchAnswer, &report.account, filed).await;
    answer(&tools, &request, &report).await;
}

/// Waits until no message of the account is on its way.
pub async fn until_worked_off(spool: &Spool, account: &str) {
    let filter = inbound::on_their_way(account);
    let mut changed = spool.changed();
    while !matches!(spool.list(&filter).await, Ok(waiting) if waiting.is_empty()) {
        // Filing by another process is seen by looking again.
        let _ = tokio::time::timeout(Duration::from_millis(200), changed.changed()).await;
    }
}

async fn answer(tools: &FetchTools, request: &FetchRequest, report: &FetchReport) {
    let report = serde_json::to_value(report).unwrap_or_default();
    if let Err(error) = fetch_requests::answer(tools.spool.store(), request.id, &report).await {
        tracing::warn!(%error, "a request to fetch could not be answered");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wait_for_news_that_panics_is_told_of_and_ends_before_the_next_fetch() {
        let account = Account { name: "waits".into(), ..Account::default() };
        let (mut memory, stop) = (inbound::AccountMemory::lasting(), CancellationToken::new());
        let mut waits_well = true;
        // The pause after it ends with the daemon.
        let mut changes = supervision::changes();
        let stopping = async {
            changes.changed().await.unwrap();
            stop.cancel();
        };
        let panics = async |_: &mut inbound::AccountMemory| panic!("on purpose");
        tokio::join!(news(&mut memory, panics, &account, &stop, &mut waits_well), stopping);
        assert!(!waits_well, "it has not shown that it waits well");
        let broken = supervision::broken()
            .into_iter()
            .find(|broken| broken.work == WorkKind::Idle && broken.of == "waits")
            .unwrap();
        assert!(broken.why.contains("on purpose") && broken.again_at.is_some(), "{broken:?}");
        let waits = async |_: &mut inbound::AccountMemory| ();
        waits_well = true;
        news(&mut memory, waits, &account, &stop, &mut waits_well).await;
        assert!(waits_well);
    }
}
