//! Fetches the accounts that this daemon holds, each in a task of its own: one that is slow, silent or broken keeps none of the others.

use super::shares::Held;
use crate::config::{Account, Configuration};
use crate::metrics::Metrics;
use crate::oauth2::Tokens;
use crate::pause;
use crate::spool::Spool;
use crate::store::fetch_requests::{self, FetchRequest};
use crate::store::leases::Host;
use crate::transport::{self, FetchReport, Intake, Rules};
use crate::worker::Setup;
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

/// A fetch that is to end and has come to no good place by then waits for a server that hangs.
const GOOD_PLACE_WITHIN: Duration = Duration::from_secs(5);

/// What every fetch works with.
#[derive(Clone)]
pub struct Tools {
    /// Where messages become durable.
    pub spool: Spool,
    /// Who works here.
    pub host: Host,
    /// What is signed in with.
    pub tokens: Arc<Tokens>,
    /// Counts.
    pub metrics: Arc<Metrics>,
}

/// The fetching of one account.
struct Task {
    account: Arc<Account>,
    rules: Rules,
    stop: CancellationToken,
    requests: mpsc::UnboundedSender<FetchRequest>,
    ended: JoinHandle<()>,
}

/// Fetches until `stop`, then ends every fetch at its next good place.
pub async fn run(tools: Tools, setup: impl Fn() -> Arc<Setup>, mut held: watch::Receiver<Held>, stop: CancellationToken) {
    let mut tasks: BTreeMap<String, Task> = BTreeMap::new();
    // By account: a changed account's next fetch begins when the one before has ended, so that no two are ever at the same mailbox.
    let mut ending: BTreeMap<String, JoinHandle<()>> = BTreeMap::new();
    while !stop.is_cancelled() {
        let now_held = held.borrow_and_update().clone();
        let wanted = wanted(&setup().configuration, &now_held);
        tasks.retain(|name, task| {
            let stays = wanted.get(name).is_some_and(|(account, rules)| **account == *task.account && *rules == task.rules);
            if !stays {
                task.stop.cancel();
                ending.insert(name.clone(), std::mem::replace(&mut task.ended, tokio::spawn(async {})));
            }
            stays
        });
        for (name, (account, rules)) in wanted {
            let before = if tasks.contains_key(&name) { None } else { ending.remove(&name) };
            tasks.entry(name).or_insert_with(|| start(&tools, account, rules, before));
        }
        ending.retain(|_, task| !task.is_finished());
        pass_requests(&tools, &tasks, &now_held).await;
        tokio::select! {
            () = stop.cancelled() => {}
            _ = held.changed() => {}
            () = tokio::time::sleep(REQUESTS_EVERY) => {}
        }
    }
    for (name, task) in tasks {
        task.stop.cancel();
        ending.insert(name, task.ended);
    }
    for task in ending.into_values() {
        // A fetch that panicked has told so.
        let _ = task.await;
    }
}

fn wanted(configuration: &Configuration, held: &Held) -> BTreeMap<String, (Arc<Account>, Rules)> {
    let rules = Rules::of(configuration);
    let accounts = configuration.accounts.values();
    accounts
        .filter(|account| held.contains(&account.name) && account.valid.is_valid() && transport::is_polled(account))
        .map(|account| {
            let interval = account.interval.or(Some(configuration.settings.poll_interval));
            (account.name.clone(), (Arc::new(Account { interval, ..account.clone() }), rules.clone()))
        })
        .collect()
}

fn start(tools: &Tools, account: Arc<Account>, rules: Rules, before: Option<JoinHandle<()>>) -> Task {
    let stop = CancellationToken::new();
    let (requests, asked) = mpsc::unbounded_channel();
    let polling = poll(tools.clone(), Arc::clone(&account), rules.clone(), stop.clone(), asked);
    let ended = tokio::spawn(async move {
        if let Some(before) = before {
            // A fetch that panicked has told so.
            let _ = before.await;
        }
        polling.await;
    });
    Task { account, rules, stop, requests, ended }
}

async fn pass_requests(tools: &Tools, tasks: &BTreeMap<String, Task>, held: &Held) {
    let accounts: Vec<String> = held.iter().cloned().collect();
    if accounts.is_empty() {
        return;
    }
    let taken = match fetch_requests::take(tools.spool.store(), &tools.host.id, &accounts).await {
        Ok(taken) => taken,
        Err(error) => {
            tracing::debug!(%error, "requests to fetch could not be looked for");
            return;
        }
    };
    for request in taken {
        let Some(task) = tasks.get(&request.account) else {
            let report = not_fetched(&request.account, "The account is not valid, or nothing is fetched for its protocol.");
            answer(tools, &request, &report).await;
            continue;
        };
        if let Err(refused) = task.requests.send(request) {
            answer(tools, &refused.0, &not_fetched(&task.account.name, "The account was changed meanwhile; ask again.")).await;
        }
    }
}

fn not_fetched(account: &str, why: &str) -> FetchReport {
    FetchReport { account: account.to_owned(), error: Some(why.to_owned()), ..FetchReport::default() }
}

/// Fetches one account at its interval, and whenever somebody asks.
async fn poll(
    tools: Tools,
    account: Arc<Account>,
    rules: Rules,
    stop: CancellationToken,
    mut asked: mpsc::UnboundedReceiver<FetchRequest>,
) {
    let interval = Duration::from_secs(account.interval.unwrap_or(600).max(1));
    let mut memory = transport::Memory::lasting();
    let mut failures = 0;
    let mut request: Option<FetchRequest> = None;
    while !stop.is_cancelled() {
        let intake = Intake::begin(Arc::clone(&account), rules.clone(), tools.spool.clone(), Arc::clone(&tools.tokens), stop.clone());
        let report = tokio::select! {
            report = transport::fetch(intake, &mut memory) => report,
            // As after a crash: what is durable is known, and the server is told by the next fetch.
            () = given_up(&stop) => {
                tracing::warn!(account = account.name, "a fetch failed to end in time and is broken off; the next one goes on");
                return;
            }
        };
        tools.metrics.fetched(&account.name, report.fetched, report.error.is_some());
        failures = tell(&report, failures);
        if let Some(request) = request.take() {
            tokio::spawn(answer_when_filed(tools.clone(), request, report));
        }
        let pause = if failures == 0 { interval } else { pause::after_failures(failures, FIRST_PAUSE, LONGEST_PAUSE.max(interval)) };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
            () = memory.wait_for_news(), if failures == 0 => {}
            () = held(&tools.spool, &account), if failures == 0 => {}
            came = asked.recv() => request = came,
        }
    }
    asked.close();
    let unanswered = request.into_iter().chain(std::iter::from_fn(|| asked.try_recv().ok()));
    for request in unanswered {
        answer(&tools, &request, &not_fetched(&account.name, "The account was changed meanwhile; ask again.")).await;
    }
    memory.close().await;
}

/// Waits for the end, and for the time that a fetch has to come to a good place.
async fn given_up(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(GOOD_PLACE_WITHIN).await;
}

/// Waits until a message is held that the account puts into a folder of its server.
async fn held(spool: &Spool, account: &Account) {
    let mut changed = spool.changed();
    while transport::puts_aside(account) {
        // A database that cannot be asked now is asked after the next change, and by every fetch.
        if transport::is_to_be_put_aside(spool, account).await.unwrap_or(false) {
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
async fn answer_when_filed(tools: Tools, request: FetchRequest, report: FetchReport) {
    // After that time the answer is as true as before.
    let _ = tokio::time::timeout(FILED_WITHIN, until_worked_off(&tools.spool, &report.account)).await;
    answer(&tools, &request, &report).await;
}

/// Waits until no message of the account is on its way.
pub async fn until_worked_off(spool: &Spool, account: &str) {
    let filter = transport::on_their_way(account);
    let mut changed = spool.changed();
    while !matches!(spool.list(&filter).await, Ok(waiting) if waiting.is_empty()) {
        // Filing by another process is seen by looking again.
        let _ = tokio::time::timeout(Duration::from_millis(200), changed.changed()).await;
    }
}

async fn answer(tools: &Tools, request: &FetchRequest, report: &FetchReport) {
    let report = serde_json::to_value(report).unwrap_or_default();
    if let Err(error) = fetch_requests::answer(tools.spool.store(), request.id, &report).await {
        tracing::warn!(%error, "a request to fetch could not be answered");
    }
}
