//! The loop that sends: looks for mails whose time has come, as many at once as their transports allow.

use super::attempt::{self, AttemptResult, Means, TransportHealth};
use super::choose::choose;
use super::health::Health;
use super::pool::Pool;
use super::probe::of_host;
use super::schedule;
use super::settle::attempt_and_settle;
use crate::machine::Machine;
use crate::metrics::Metrics;
use crate::oauth2::Tokens;
use crate::spool::leases::Host;
use crate::store::claims;
use crate::store::outgoing::{self, ClaimedMail, ForTransport, MailClaimQuery, MailClaims, RecoverQuery};
use crate::store::{Store, StoreError};
use crate::worker::{Live, LiveConfiguration};
use postigo_model::configured::{Configuration, Queue, Retries, Transport};
use postigo_model::timestamp::now;
use postigo_supervision::back_off;
use postigo_supervision::{Panic, SupervisedTask, WorkKind, caught};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// So often is looked for mails whose time has come; other processes put some into the queue too.
const LOOKS_EVERY: Duration = Duration::from_millis(250);
/// The longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// So often are claims renewed, lapsed ones taken back, and idle connections closed.
const KEEPS_EVERY: Duration = claims::RENEWED;
/// So many mails get their transport at once.
const CHOSEN_AT_ONCE: u32 = 256;

/// What the loop works with.
pub struct SendTools {
    /// The queue.
    pub store: Store,
    /// What is taken up before anything is sent, where a claim tells of a later configuration.
    pub live: Arc<Live>,
    /// Who works here.
    pub host: Host,
    /// What is signed in with.
    pub tokens: Arc<Tokens>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// The commands and folders that transports may use.
    pub machine: Arc<Machine>,
    /// Notified when this process has put mails into the queue.
    pub woken: Arc<Notify>,
}

struct Sender {
    tools: SendTools,
    means: Means,
    transports: BTreeMap<String, Transport>,
    /// What mails with the null sender are chosen a transport by: the addresses that queues send from.
    senders: BTreeMap<String, String>,
    retries: Retries,
    health: BTreeMap<String, Health>,
    sending: JoinSet<Result<AttemptResult, Panic>>,
    /// Transport and claim token of what is being sent.
    claims: HashMap<Id, (String, i64)>,
    warned: bool,
    kept: Option<Instant>,
    keeps_every: Duration,
}

/// Sends until `stop`; what is under way then is ended still.
pub async fn run(tools: SendTools, configured: impl Fn() -> Arc<LiveConfiguration>, stop: CancellationToken) {
    let mut sender = Sender::new(tools);
    let supervised = SupervisedTask::new(WorkKind::Sending, "", stop.clone()).resting_at_most(LONGEST_PAUSE);
    let mut failures = 0;
    while !stop.is_cancelled() {
        let looked = async {
            let setup = configured();
            sender.look(&setup.configuration).await
        };
        // What is being sent goes on meanwhile.
        let Ok(looked) = supervised.round(looked).await else { continue };
        let wait = match looked {
            Ok(found) => {
                failures = 0;
                if found { Duration::ZERO } else { LOOKS_EVERY }
            }
            Err(error) => {
                failures += 1;
                tracing::warn!(%error, "the outgoing queue could not be looked at; nothing is lost");
                back_off::after_failures(failures, LOOKS_EVERY, LONGEST_PAUSE)
            }
        };
        // A panic here is told, and looked after by the next look.
        let _ = supervised.round(sender.wait(wait, &stop)).await;
    }
    let keeps_every = sender.keeps_every;
    while !sender.sending.is_empty() {
        // Renewed still: a large mail may take longer than a claim lasts.
        tokio::select! {
            () = sender.ended() => {}
            () = tokio::time::sleep(keeps_every) => {}
        }
        sender.keep().await;
    }
    attempt::save(&sender.tools.store, sender.means.pool.close(true).await).await;
}

impl Sender {
    fn new(tools: SendTools) -> Self {
        Self {
            means: Means::new(tools.store.clone(), Arc::clone(&tools.tokens), Arc::clone(&tools.machine)),
            tools,
            transports: BTreeMap::new(),
            senders: BTreeMap::new(),
            retries: Retries::default(),
            health: BTreeMap::new(),
            sending: JoinSet::new(),
            claims: HashMap::new(),
            warned: false,
            kept: None,
            keeps_every: KEEPS_EVERY,
        }
    }

    /// Looks for work and begins it; says whether there was any.
    async fn look(&mut self, configuration: &Configuration) -> Result<bool, StoreError> {
        self.retries.clone_from(&configuration.settings.outbound);
        self.take_up(configuration).await?;
        self.keep().await;
        let wanted = self.wanted();
        let mut connection = self.tools.store.read().await?;
        let open = outgoing::unassigned(&mut connection, CHOSEN_AT_ONCE).await?;
        if self.transports.is_empty() {
            self.warn_without_transport(!open.is_empty());
            return Ok(false);
        }
        let chosen: Vec<(i64, String)> = open
            .into_iter()
            .filter_map(|(id, sender, queue)| {
                choose(configuration, &sender, &queue).map(|transport| (id, transport.name.clone()))
            })
            .collect();
        let names: Vec<&str> = wanted.iter().map(|wanted| wanted.name.as_str()).collect();
        let engine = self.tools.store.engine();
        if chosen.is_empty() && (names.is_empty() || !outgoing::is_any_waiting(&mut connection, engine, &names).await?)
        {
            return Ok(false);
        }
        drop(connection);
        let claiming = MailClaimQuery {
            engine,
            host: self.tools.host.id.clone(),
            configuration: configuration.version,
            chosen,
            transports: wanted,
        };
        let claimed = self
            .tools
            .store
            .write(claiming, |claiming, connection| Box::pin(outgoing::claim(connection, claiming)))
            .await?;
        let claimed = match claimed {
            MailClaims::Mails(claimed) => claimed,
            MailClaims::Behind(version) => {
                // New filters are prepared first, which may take longer than a claim lasts.
                let live = Arc::clone(&self.tools.live);
                self.keeping(live.at_least(version)).await?;
                return Ok(true);
            }
        };
        let found = !claimed.is_empty();
        for claimed in claimed {
            self.begin(claimed);
        }
        Ok(found)
    }

    /// Takes up a changed configuration: the waiting mails get their transports anew.
    async fn take_up(&mut self, configuration: &Configuration) -> Result<(), StoreError> {
        let valid = configuration.transports.iter().filter(|(_, transport)| transport.valid.is_valid());
        let transports: BTreeMap<String, Transport> =
            valid.map(|(name, transport)| (name.clone(), transport.clone())).collect();
        let sender = |queue: &Queue| configuration.sender_of(queue).map(|sender| sender.address.clone());
        let queues = configuration.queues.iter();
        let senders: BTreeMap<String, String> =
            queues.filter_map(|(name, queue)| Some((name.clone(), sender(queue)?))).collect();
        if transports == self.transports && senders == self.senders && self.kept.is_some() {
            return Ok(());
        }
        if self.kept.is_none() {
            // The claims of an earlier run on this data folder are nobody's any more.
            self.recover(true).await?;
        }
        self.tools.store.write((), |(), connection| Box::pin(outgoing::unassign(connection))).await?;
        for (name, transport) in &transports {
            if self.transports.get(name) != Some(transport) {
                if let Some(why) = self.tools.machine.refuses(transport).map(of_host) {
                    tracing::warn!(transport = name, why, "a transport cannot be used; its mails wait");
                }
                self.health.entry(name.clone()).or_default().forgive();
            }
        }
        (self.transports, self.senders) = (transports, senders);
        Ok(())
    }

    async fn recover(&self, own: bool) -> Result<(), StoreError> {
        let host = own.then(|| self.tools.host.id.clone());
        let recovering = RecoverQuery {
            engine: self.tools.store.engine(),
            host,
            pause: schedule::pause_after(&self.retries, 1),
            now: now(),
        };
        let recovered = self
            .tools
            .store
            .write(recovering, |recovering, connection| Box::pin(outgoing::recover(connection, recovering)))
            .await?;
        if recovered > 0 {
            tracing::warn!(mails = recovered, "a process ended while it sent mails; they are taken up again");
        }
        Ok(())
    }

    /// What has to be done now and then.
    async fn keep(&mut self) {
        if self.kept.is_some_and(|kept| kept.elapsed() < self.keeps_every) {
            return;
        }
        self.kept = Some(Instant::now());
        let tokens: Vec<i64> = self.claims.values().map(|(_, token)| *token).collect();
        let renewed = self
            .tools
            .store
            .write((self.tools.store.engine(), tokens), |(engine, tokens), connection| {
                Box::pin(outgoing::renew(connection, *engine, tokens))
            })
            .await;
        let recovered = self.recover(false).await;
        if let Err(error) = renewed.and(recovered) {
            tracing::warn!(%error, "claims on outgoing mails could not be renewed");
        }
        let pool: &Pool = &self.means.pool;
        attempt::save(&self.tools.store, pool.close(false).await).await;
    }

    /// Awaits what may take long; what is being sent stays claimed meanwhile.
    async fn keeping<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(self.keeps_every) => self.keep().await,
            }
        }
    }

    /// How many mails each transport can take.
    fn wanted(&self) -> Vec<ForTransport> {
        let free = |(name, transport): (&String, &Transport)| {
            let limit =
                self.health.get(name).map_or(transport.connections, |health| health.free(transport.connections));
            (limit > 0).then(|| ForTransport { name: name.clone(), limit })
        };
        self.transports.iter().filter_map(free).collect()
    }

    fn warn_without_transport(&mut self, waiting: bool) {
        if waiting && !self.warned {
            tracing::warn!("mails wait to be sent, and there is no valid transport; configure one ([[transport]])");
        }
        self.warned = waiting;
    }

    fn begin(&mut self, claimed: ClaimedMail) {
        let Some(transport) = self.transports.get(&claimed.transport) else { return };
        self.health.entry(claimed.transport.clone()).or_default().begin();
        let names = (claimed.transport.clone(), claimed.claim.token);
        let (name, metrics) = (transport.name.clone(), Arc::clone(&self.tools.metrics));
        let trying = attempt_and_settle(self.means.clone(), transport.clone(), self.retries.clone(), claimed, metrics);
        let task = self.sending.spawn(async move { caught(WorkKind::OutgoingMail, &name, trying).await });
        self.claims.insert(task.id(), names);
    }

    /// Waits for the next thing to do: a mail was sent, or it is time to look again.
    async fn wait(&mut self, wait: Duration, stop: &CancellationToken) {
        let is_sending = !self.sending.is_empty();
        let woken = Arc::clone(&self.tools.woken);
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.ended(), if is_sending => {}
            () = woken.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }

    /// Waits until a try has ended, and notes how its transport does.
    async fn ended(&mut self) {
        let (id, transported) = match self.sending.join_next_with_id().await {
            Some(Ok((id, Ok(tried)))) => (id, tried.transport),
            // It has told so. What came of the mail could not be written: its claim lapses.
            Some(Ok((id, Err(_)))) => (id, TransportHealth::Unknown),
            Some(Err(error)) => (error.id(), TransportHealth::Unknown),
            None => return,
        };
        let Some((name, _)) = self.claims.remove(&id) else { return };
        self.health.entry(name.clone()).or_default().end(&name, &transported);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::LazySandbox;
    use crate::secret_key::SecretKey;
    use crate::store::outgoing::{NewOutgoing, SendableMail};
    use crate::store::{Location, configuration};
    use postigo_model::outgoing::OutgoingKind;
    use postigo_sandbox::RuntimeOptions;

    async fn queue(store: &Store) {
        let composed = SendableMail {
            recipients: vec!["jane@x.example".into()],
            raw: vec![b"Subject: x\r\n\r\n".to_vec().into()],
            ..SendableMail::default()
        };
        let new = NewOutgoing { kind: OutgoingKind::Reply, ticket_id: 0, article_id: 0, composed, now: now() };
        store.write(new, |new, connection| Box::pin(outgoing::queue(connection, new))).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_being_sent_stays_claimed_while_a_changed_configuration_is_taken_up() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let key = SecretKey::at(folder.path().join("key"));
        let sandbox = Arc::new(LazySandbox::new(RuntimeOptions::new(folder.path().join("cache"), "none".into())));
        let live = Live::start(store.clone(), key.clone(), sandbox).await.unwrap();
        let mut configuration = configuration::load(&store, &key).await.unwrap();
        let transport = Transport { name: "t".into(), connections: 5, ..Transport::default() };
        configuration.transports.insert("t".into(), transport);
        let mut sender = Sender::new(SendTools {
            store: store.clone(),
            live: Arc::clone(&live),
            host: Host::new("here"),
            tokens: Tokens::new(store.clone(), key),
            metrics: Arc::default(),
            machine: Arc::default(),
            woken: Arc::default(),
        });
        sender.keeps_every = Duration::from_millis(10);
        sender.kept = Some(Instant::now());
        // One mail is being sent, and another waits.
        queue(&store).await;
        let claiming = MailClaimQuery {
            engine: store.engine(),
            host: "here".into(),
            configuration: configuration.version,
            chosen: vec![(1, "t".into())],
            transports: vec![ForTransport { name: "t".into(), limit: 1 }],
        };
        let claimed = store
            .write(claiming, |claiming, connection| Box::pin(outgoing::claim(connection, claiming)))
            .await
            .unwrap();
        let MailClaims::Mails(claimed) = claimed else { panic!("{claimed:?}") };
        let task = sender.sending.spawn(std::future::pending());
        sender.claims.insert(task.id(), ("t".into(), claimed[0].claim.token));
        queue(&store).await;

        store.execute("UPDATE config_version SET version = version + 1").await;
        let held_back = live.hold_back().await;
        let until = async || -> i64 {
            let mut sql = crate::store::sql::Sql::new("SELECT claimed_until FROM outgoing WHERE status = 'sending'");
            let row = sql.one(&mut store.read().await.unwrap()).await.unwrap();
            sqlx::Row::try_get(&row, 0).unwrap()
        };
        let watching = async {
            for _ in 0..3 {
                store
                    .execute("UPDATE outgoing SET claimed_until = claimed_until - 1000 WHERE status = 'sending'")
                    .await;
                let before = until().await;
                while until().await <= before {
                    tokio::task::yield_now().await;
                }
            }
            drop(held_back);
        };
        let both = async { tokio::join!(sender.look(&configuration), watching) };
        let (looked, ()) = tokio::time::timeout(Duration::from_mins(1), both).await.expect("the claim is renewed");
        assert!(looked.unwrap(), "there is something to do by the new configuration");
        assert_eq!(live.current().configuration.version, configuration::version(&store).await.unwrap());
    }
}
