//! Tasks that panic beside others that do not.

mod server;

use super::{fetching, listening, overview, serve, shares, working};
use crate::answer;
use crate::chain::{ChainPlan, LazySandbox};
use crate::http::{self, ApiState};
use crate::metrics::Metrics;
use crate::oauth2::Tokens;
use crate::outbound;
use crate::own_process;
use crate::secret_key::SecretKey;
use crate::spool::Spool;
use crate::spool::leases::Host;
use crate::store::communications::{self, AccountStatus, LogFilter, Overview};
use crate::store::{Location, Store, configuration, fetch_requests};
use crate::trapped_log::trap;
use crate::worker::{DoneMessage, Live, LiveConfiguration, Worker};
use axum::body::Body;
use axum::http::Request;
use postigo_mail::Vocabulary;
use postigo_model::communication::{CommunicationStatus, Priority};
use postigo_model::configured::{Account, AfterFetch, Configuration, OAuth2, Protocol, Secret};
use postigo_model::spool::{Arrival, SourceKey};
use postigo_model::timestamp::now;
use postigo_net::listen::{ConnectionLimits, Descriptors};
use postigo_sandbox::RuntimeOptions;
use postigo_supervision as supervision;
use postigo_supervision::WorkKind;
use serde_json::Value;
use server::{Answers, Server};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// Nothing here takes nearly so long.
const PATIENCE: Duration = Duration::from_secs(40);

/// Panics the first time that it is sprung.
#[derive(Default)]
struct Trap(AtomicBool);

impl Trap {
    fn spring(&self) {
        assert!(self.0.swap(true, Ordering::Relaxed), "on purpose");
    }
}

/// Whose clone panics the first time.
struct Fragile(Arc<Trap>);

impl Clone for Fragile {
    fn clone(&self) -> Self {
        self.0.spring();
        Self(Arc::clone(&self.0))
    }
}

/// A helpdesk without filters.
struct Desk {
    store: Store,
    spool: Spool,
    live: Arc<Live>,
    tokens: Arc<Tokens>,
    metrics: Arc<Metrics>,
    router: axum::Router,
    host: Host,
    stop: CancellationToken,
    tasks: TaskTracker,
    _folder: tempfile::TempDir,
}

impl Desk {
    async fn with(accounts: Vec<Account>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let spool = Spool::open(store.clone(), folder.path()).unwrap();
        let key = SecretKey::at(folder.path().join("key"));
        let mut configuration: Configuration = configuration::load(&store, &key).await.unwrap();
        configuration.accounts = accounts.into_iter().map(|account| (account.name.clone(), account)).collect();
        let setup = LiveConfiguration::new(configuration, ChainPlan::default(), Vocabulary::new(&[]));
        let sandbox =
            Arc::new(LazySandbox::new(RuntimeOptions::new(folder.path().join("cache"), "no-filter-runs-here".into())));
        let live = Live::with(setup, store.clone(), key.clone(), sandbox);
        let (tokens, metrics) = (Tokens::new(store.clone(), key.clone()), Arc::new(Metrics::new()));
        let state = ApiState::new(
            spool.clone(),
            key,
            Arc::clone(&tokens),
            Arc::clone(&live),
            Arc::clone(&metrics),
            Arc::default(),
        );
        let router = http::router(state.on_loopback());
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let desk =
            Self { store, spool, live, tokens, metrics, router, host: Host::new("here"), stop, tasks, _folder: folder };
        desk.tasks.spawn(overview::run(desk.store.clone(), desk.host.id.clone(), desk.stop.clone()));
        desk
    }

    /// What is configured, told by a closure that panics the first time.
    fn configured(&self, trap: Trap) -> impl Fn() -> Arc<LiveConfiguration> + Clone + Send + Sync + use<> {
        let (live, trap) = (Arc::clone(&self.live), Arc::new(trap));
        move || {
            trap.spring();
            live.current()
        }
    }

    /// Fetches and files for all accounts.
    fn begin(
        &self,
        configured: impl Fn() -> Arc<LiveConfiguration> + Send + Sync + 'static,
        done: impl Fn(DoneMessage) + Clone + Send + Sync + 'static,
        trap: Trap,
    ) {
        let shares = shares::Shares::new(self.store.clone(), self.host.clone());
        let held = shares.watch();
        let live = Arc::clone(&self.live);
        let accounts = move || {
            trap.spring();
            live.current().configuration.accounts.keys().cloned().collect()
        };
        self.tasks.spawn(shares.keep(accounts, self.stop.clone()));
        let tools = fetching::FetchTools {
            spool: self.spool.clone(),
            live: Arc::clone(&self.live),
            host: self.host.clone(),
            tokens: Arc::clone(&self.tokens),
            metrics: Arc::clone(&self.metrics),
            machine: Arc::default(),
        };
        self.tasks.spawn(fetching::run(tools, configured, held.clone(), self.stop.clone()));
        let worker = Arc::new(Worker::new(self.spool.clone(), Arc::clone(&self.live)));
        self.tasks.spawn(working::run(worker, self.host.clone(), held, done, self.stop.clone()));
    }

    async fn get(&self, path: &str) -> String {
        let request = Request::get(path).header("host", "localhost").body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
        String::from_utf8(axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap()
    }

    async fn readiness(&self) -> Value {
        serde_json::from_str(&self.get("/readyz").await).unwrap()
    }

    async fn overview(&self) -> Overview {
        communications::overview(&mut self.store.read().await.unwrap(), None, None).await.unwrap()
    }

    /// Asks again, whenever a task breaks or works again and meanwhile, until the answer is there.
    async fn until<T>(&self, what: &str, mut ask: impl AsyncFnMut(&Self) -> Option<T>) -> T {
        let mut changes = supervision::changes();
        let asked = async {
            loop {
                if let Some(answer) = ask(self).await {
                    return answer;
                }
                let _ = tokio::time::timeout(Duration::from_millis(50), changes.changed()).await;
            }
        };
        let answer = tokio::time::timeout(PATIENCE, asked).await.ok();
        answer.unwrap_or_else(|| panic!("{what}; broken are {:?}", supervision::broken()))
    }

    async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        tokio::time::timeout(PATIENCE, self.tasks.wait()).await.expect("every task ends");
        assert_eq!(self.overview().await.broken_tasks, [], "of a host that has ended nothing is broken");
    }
}

fn local(name: &str) -> Account {
    Account { name: name.into(), protocol: Protocol::Local, ..Account::default() }
}

fn imap(name: &str, port: u16) -> Account {
    Account {
        name: name.into(),
        protocol: Protocol::Imap,
        host: "127.0.0.1".into(),
        port: Some(port),
        user: name.into(),
        after_fetch: AfterFetch::Keep,
        interval: Some(1),
        timeout: 5,
        ..Account::default()
    }
}

fn arrival(account: &str, id: &str) -> Arrival {
    Arrival {
        account: account.into(),
        key: SourceKey::Digest,
        source: id.into(),
        received_at: now(),
        recipients: Vec::new(),
        communication: None,
        raw: format!("From: jane@x.test\r\nMessage-ID: <{id}@x.test>\r\nSubject: {id}\r\n\r\nHello\r\n")
            .into_bytes()
            .into(),
    }
}

/// The tasks that a list in JSON names, with what each is for.
fn named(tasks: &Value) -> Vec<(String, String)> {
    let word = |task: &Value, key: &str| task[key].as_str().unwrap_or_default().to_owned();
    tasks.as_array().into_iter().flatten().map(|task| (word(task, "task"), word(task, "of"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_task_that_panics_is_told_of_everywhere_and_goes_on_beside_the_others() {
    if !own_process::is_here() {
        return;
    }
    let server = Server::start(Answers::default()).await;
    let desk = Desk::with(vec![local("main"), local("beside"), imap("breaks", server.port)]).await;
    trap("commanded breaks");
    // What each task is given panics the first time that it is used.
    let (filing, filings) = (Arc::new(Trap::default()), Fragile(Arc::default()));
    let (filed, mut ended) = tokio::sync::mpsc::unbounded_channel();
    let done = move |done: DoneMessage| {
        std::hint::black_box(&filings);
        let _ = filed.send(done.result.source.clone());
        if done.result.source == "first" {
            filing.spring();
        }
    };
    desk.begin(desk.configured(Trap::default()), done, Trap::default());
    let tools = listening::ListenTools {
        spool: desk.spool.clone(),
        live: Arc::clone(&desk.live),
        metrics: Arc::clone(&desk.metrics),
        room: Arc::default(),
        descriptors: Arc::new(Descriptors::of(20_000)),
        most: ConnectionLimits::default(),
        command: Duration::from_mins(5),
        configured: desk.configured(Trap::default()),
    };
    desk.tasks.spawn(listening::run(tools, desk.stop.clone()));
    let (live, configured) = (Arc::clone(&desk.live), desk.configured(Trap::default()));
    desk.tasks.spawn(answer::run(desk.spool.clone(), live, configured, || (), desk.stop.clone()));
    let (store, host, tokens) = (desk.store.clone(), desk.host.clone(), Arc::clone(&desk.tokens));
    let (metrics, machine, woken) = (Arc::clone(&desk.metrics), Arc::default(), Arc::new(Notify::new()));
    let live = Arc::clone(&desk.live);
    let tools = outbound::SendTools { store, live, host, tokens, metrics, machine, woken };
    desk.tasks.spawn(outbound::run(tools, desk.configured(Trap::default()), desk.stop.clone()));
    let trapped = |trap: Arc<Trap>| {
        move || {
            let trap = Arc::clone(&trap);
            async move {
                trap.spring();
                Ok(0)
            }
        }
    };
    desk.tasks.spawn(serve::refresh(trapped(Arc::default()), desk.stop.clone()));
    desk.tasks.spawn(serve::purge(trapped(Arc::default()), desk.stop.clone()));
    desk.spool.take_in(vec![arrival("main", "first"), arrival("beside", "other")]).await.unwrap();

    let expected: BTreeSet<(String, String)> = [
        (WorkKind::Leases, ""),
        (WorkKind::Fetches, ""),
        (WorkKind::Fetch, "breaks"),
        (WorkKind::Filings, ""),
        (WorkKind::Filing, "main"),
        (WorkKind::Listeners, ""),
        (WorkKind::Answers, ""),
        (WorkKind::Sending, ""),
        (WorkKind::Configuration, ""),
        (WorkKind::Purge, ""),
    ]
    .map(|(work, of)| (work.name().to_owned(), of.to_owned()))
    .into();
    let (mut ready, mut shown) = (BTreeSet::new(), BTreeSet::new());
    desk.until("each is told of by readiness and overview", async |desk| {
        let readiness = desk.readiness().await;
        assert_eq!(readiness["ready"], true, "the others do their work");
        assert_eq!(readiness["degraded"], !named(&readiness["broken_tasks"]).is_empty());
        ready.extend(named(&readiness["broken_tasks"]));
        shown.extend(desk.overview().await.broken_tasks.into_iter().map(|task| (task.task, task.of)));
        (expected.is_subset(&ready) && expected.is_subset(&shown)).then_some(())
    })
    .await;
    desk.spool.take_in(vec![arrival("main", "second")]).await.unwrap();
    let mut sources = BTreeSet::new();
    while sources.len() < 3 {
        sources.extend(tokio::time::timeout(PATIENCE, ended.recv()).await.unwrap());
    }
    desk.until("each goes on", async |desk| (desk.readiness().await["degraded"] == false).then_some(())).await;
    let metrics = desk.get("/metrics").await;
    for (task, _) in &expected {
        let counted = metrics
            .lines()
            .find_map(|line| line.strip_prefix(&format!("postigo_task_panics_total{{task=\"{task}\"}} ")));
        assert_eq!(counted, Some("1"), "{task}");
    }
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_answer_that_breaks_the_parser_breaks_no_fetch_and_is_told_in_its_communication() {
    if !own_process::is_here() {
        return;
    }
    let odd = Server::start(Answers { list: server::BREAKS_THE_PARSER, ..Answers::default() }).await;
    let desk = Desk::with(vec![imap("says-odd", odd.port)]).await;
    let live = Arc::clone(&desk.live);
    let asked = fetch_requests::ask(&desk.store, "says-odd").await.unwrap();
    desk.begin(move || live.current(), |_| (), Trap(AtomicBool::new(true)));
    let answer = desk
        .until("the command is answered", async |desk| fetch_requests::answered(&desk.store, asked).await.unwrap())
        .await;
    assert_eq!((&answer["error"], &answer["seen"]), (&Value::Null, &1.into()), "{answer}");
    let mut connection = desk.store.read().await.unwrap();
    // In the communication of the fetch that opened the connection: its poll may have come first.
    let filter = LogFilter { account: Some("says-odd".into()), limit: 100, ..LogFilter::default() };
    let mut told = 0;
    for of_account in communications::list(&mut connection, &filter).await.unwrap() {
        let shown = communications::show(&mut connection, &of_account.id, Priority::Notice).await.unwrap().unwrap();
        let entries = shown.communication.entries;
        told += entries.iter().filter(|entry| entry.value.contains("left out: * METADATA")).count();
    }
    assert!(told > 0, "the fetch that opened a connection tells of it");
    drop(connection);
    assert_eq!(desk.readiness().await["degraded"], false, "nothing has panicked");
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_wait_for_mail_goes_on_over_an_answer_that_breaks_the_parser() {
    if !own_process::is_here() {
        return;
    }
    let server = Server::start(Answers { idle: server::BREAKS_THE_PARSER_AND_TELLS, ..Answers::default() }).await;
    let desk = Desk::with(vec![imap("waits", server.port)]).await;
    let live = Arc::clone(&desk.live);
    desk.begin(move || live.current(), |_| (), Trap(AtomicBool::new(true)));
    desk.until("what comes after it is heard, and it waits again", async |_| (server.waits() > 1).then_some(())).await;
    assert_eq!(desk.readiness().await["degraded"], false, "nothing has panicked");
    let status = desk.overview().await.accounts.remove("waits").unwrap();
    assert_eq!((status.status, status.failed), (CommunicationStatus::Successful, 0), "no fetch has failed");
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_fetch_that_panics_fails_with_the_reason_and_keeps_no_other() {
    if !own_process::is_here() {
        return;
    }
    let (odd, good) = (Server::start(Answers::default()).await, Server::start(Answers::default()).await);
    let desk = Desk::with(vec![imap("panics", odd.port), imap("good", good.port)]).await;
    let live = Arc::clone(&desk.live);
    trap("commanded panics");
    desk.begin(move || live.current(), |_| (), Trap(AtomicBool::new(true)));
    let status = async |desk: &Desk, account: &str| -> AccountStatus {
        desk.overview().await.accounts.remove(account).unwrap_or_default()
    };
    let readiness = desk
        .until("it is told, with when it goes on", async |desk| {
            Some(desk.readiness().await).filter(|ready| ready["broken_tasks"][0]["again_at"].is_string())
        })
        .await;
    assert_eq!(named(&readiness["broken_tasks"]), [("fetch".to_owned(), "panics".to_owned())]);
    assert_eq!(readiness["degraded"], true);
    let failed = desk
        .until("its fetch fails", async |desk| Some(status(desk, "panics").await).filter(|odd| odd.failed > 0))
        .await;
    assert!(now() - failed.last < 60_000, "it is of now: {failed:?}");
    for account in ["panics", "good"] {
        let fetched =
            async |desk: &Desk| (status(desk, account).await.status == CommunicationStatus::Successful).then_some(());
        desk.until("both are fetched", fetched).await;
    }
    desk.until("it goes on", async |desk| (desk.readiness().await["degraded"] == false).then_some(())).await;
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_renewal_that_panics_fails_its_fetch_and_is_done_anew_by_the_next() {
    if !own_process::is_here() {
        return;
    }
    let good = Server::start(Answers::default()).await;
    // Nobody answers there.
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let oauth2 = OAuth2 {
        client_id: "postigo".into(),
        client_secret: Some(Secret::new("s3cret")),
        token_url: format!("http://{nobody}/token"),
        scopes: vec!["mail".into()],
        flow: "client-credentials".into(),
        ..OAuth2::default()
    };
    let renews = Account { oauth2: Some(oauth2), ..imap("renews", good.port) };
    let desk = Desk::with(vec![renews, imap("good", good.port)]).await;
    let asked = fetch_requests::ask(&desk.store, "renews").await.unwrap();
    trap("no access token");
    let live = Arc::clone(&desk.live);
    desk.begin(move || live.current(), |_| (), Trap(AtomicBool::new(true)));

    let answer = desk
        .until("the command is answered", async |desk| fetch_requests::answered(&desk.store, asked).await.unwrap())
        .await;
    let told = desk
        .until("it is told", async |desk| Some(desk.readiness().await).filter(|ready| ready["degraded"] == true))
        .await;
    assert_eq!(named(&told["broken_tasks"]), [("renewal".to_owned(), "renews".to_owned())]);
    assert!(told["broken_tasks"][0]["why"].as_str().unwrap().contains("on purpose"), "{told} {answer}");
    let again = fetch_requests::ask(&desk.store, "renews").await.unwrap();
    let answer =
        desk.until("it is tried anew", async |desk| fetch_requests::answered(&desk.store, again).await.unwrap()).await;
    assert!(answer["error"].as_str().unwrap().contains("The provider gives the account"), "{answer}");
    let fetched = async |desk: &Desk| {
        desk.overview().await.accounts.remove("good").filter(|good| good.status == CommunicationStatus::Successful)
    };
    desk.until("the other is fetched", fetched).await;
    assert!(desk.get("/metrics").await.contains("postigo_task_panics_total{task=\"renewal\"} 1"));
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_listener_that_panics_is_told_of_and_listens_again_beside_the_other() {
    if !own_process::is_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let lmtp = |name: &str| Account {
        name: name.into(),
        protocol: Protocol::Lmtp,
        host: path(name).display().to_string(),
        ..Account::default()
    };
    let desk = Desk::with(vec![lmtp("one"), lmtp("other")]).await;
    let live = Arc::clone(&desk.live);
    let tools = listening::ListenTools {
        spool: desk.spool.clone(),
        live: Arc::clone(&desk.live),
        metrics: Arc::clone(&desk.metrics),
        room: Arc::default(),
        descriptors: Arc::new(Descriptors::of(20_000)),
        most: ConnectionLimits::default(),
        command: Duration::from_mins(5),
        configured: move || live.current(),
    };
    trap("listens");
    desk.tasks.spawn(listening::run(tools, desk.stop.clone()));
    let told = desk
        .until("it is told", async |desk| Some(desk.readiness().await).filter(|ready| ready["degraded"] == true))
        .await;
    let broken = named(&told["broken_tasks"]);
    let [(task, of)] = broken.as_slice() else { panic!("{told}") };
    assert!(task == "listener" && told["broken_tasks"][0]["again_at"].is_string(), "{told}");
    let greets = async |place: &std::path::Path| {
        let mut client = tokio::net::UnixStream::connect(place).await.ok()?;
        let mut greeting = [0; 4];
        tokio::io::AsyncReadExt::read_exact(&mut client, &mut greeting).await.ok()?;
        (&greeting == b"220 ").then_some(())
    };
    let other = path(if path("one").display().to_string() == *of { "other" } else { "one" });
    desk.until("the other serves", async |_| greets(&other).await).await;
    desk.until("it serves again", async |_| greets(std::path::Path::new(of)).await).await;
    desk.until("it is well", async |desk| (desk.readiness().await["degraded"] == false).then_some(())).await;
    assert!(desk.get("/metrics").await.contains("postigo_task_panics_total{task=\"listener\"} 1"));
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_fetches_tells_where_nobody_says_what_is_held_but_not_at_the_end() {
    if !own_process::is_here() {
        return;
    }
    let desk = Desk::with(Vec::new()).await;
    let tools = || fetching::FetchTools {
        spool: desk.spool.clone(),
        live: Arc::clone(&desk.live),
        host: desk.host.clone(),
        tokens: Arc::clone(&desk.tokens),
        metrics: Arc::clone(&desk.metrics),
        machine: Arc::default(),
    };
    let nobody = || tokio::sync::watch::channel(shares::HeldAccounts::default()).1;
    let live = Arc::clone(&desk.live);
    let configured = move || live.current();
    let ended = CancellationToken::new();
    let ending = configured.clone();
    let stop = ended.clone();
    // It is asked for what is configured in each round, and told to end in the first.
    let ends = move || {
        stop.cancel();
        ending()
    };
    fetching::run(tools(), ends, nobody(), ended).await;
    assert!(supervision::broken().iter().all(|task| task.work != WorkKind::Fetches), "{:?}", supervision::broken());
    desk.tasks.spawn(fetching::run(tools(), configured, nobody(), desk.stop.clone()));
    let told = desk
        .until("it is told", async |desk| Some(desk.readiness().await).filter(|ready| ready["degraded"] == true))
        .await;
    assert_eq!(named(&told["broken_tasks"]), [("fetches".to_owned(), String::new())]);
    desk.end().await;
}
