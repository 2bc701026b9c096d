//! Where a session's mail goes: the spool, and what the session must know of it.

use super::Policy;
use crate::metrics::Metrics;
use crate::spool::Spool;
use crate::store::{StoreError, communications};
use crate::worker::Live;
use postigo_model::communication::CommunicationRecord;
use postigo_model::configured::Endpoint;
use postigo_model::spool::{Arrival, SpoolStatus, TakenIn};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The depth of the spool is asked for so often at most.
const COUNTED_EVERY: Duration = Duration::from_millis(500);
/// After the disk was full, mail is refused beforehand for so long.
const FULL_FOR: Duration = Duration::from_secs(5);

/// So many refused mails a minute have a row of their own, of all clients of a listener together.
const REFUSALS_A_MINUTE: u32 = 60;

/// What a session hands mail to.
pub trait Sink: Send + Sync + 'static {
    /// Who is taken in, as of now.
    fn policy(&self) -> Arc<Policy>;

    /// Who is taken in, as it is configured in the database now; none where that cannot be taken up.
    fn newest_policy(&self) -> impl Future<Output = Option<Arc<Policy>>> + Send;

    /// Whether it is known that no more can be taken for now.
    fn is_full(&self, policy: &Policy) -> impl Future<Output = bool> + Send;

    /// Stores messages; durable when this returns.
    fn take_in(&self, arrivals: Vec<Arrival>) -> impl Future<Output = Result<Vec<TakenIn>, StoreError>> + Send;

    /// Writes a connection's communication.
    fn log(&self, record: CommunicationRecord) -> impl Future<Output = ()> + Send;

    /// Whether one more mail that was refused may have a row of its own in the log now: anybody may bring such mails, and
    /// those beyond stand in the row of their connection alone.
    fn may_tell_refusal(&self) -> bool;

    /// Counts what a client was answered for a message of an account: `stored`, `known`, `refused`, `deferred`.
    fn count(&self, account: &str, outcome: &'static str);
}

/// The spool behind a listener. `policy` gives who is taken in now.
pub struct SpoolSink<P> {
    endpoint: Endpoint,
    spool: Spool,
    metrics: Arc<Metrics>,
    live: Arc<Live>,
    policy: P,
    waiting: Mutex<Option<(Instant, i64)>>,
    full: Mutex<Option<Instant>>,
    /// When this minute of refusals began, and how many were told in it.
    refusals: Mutex<Option<(Instant, u32)>>,
}

impl<P> SpoolSink<P> {
    /// For a listener at this endpoint.
    pub fn new(endpoint: Endpoint, spool: Spool, metrics: Arc<Metrics>, live: Arc<Live>, policy: P) -> Self {
        Self {
            endpoint,
            spool,
            metrics,
            live,
            policy,
            waiting: Mutex::default(),
            full: Mutex::default(),
            refusals: Mutex::default(),
        }
    }

    fn may_tell_refusal_at(&self, now: Instant) -> bool {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = refusals.filter(|(begun, _)| now.duration_since(*begun) < Duration::from_mins(1));
        let (begun, told) = begun.unwrap_or((now, 0));
        *refusals = Some((begun, told.saturating_add(1)));
        told < REFUSALS_A_MINUTE
    }

    /// Messages that wait or are worked on, counted a moment ago.
    async fn waiting(&self) -> i64 {
        let counted = *self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match counted {
            Some((when, count)) if when.elapsed() < COUNTED_EVERY => count,
            _ => {
                // A database that cannot count cannot store either, and then says so itself.
                let depths = self.spool.depths().await.unwrap_or_default();
                let count =
                    [SpoolStatus::Waiting, SpoolStatus::Claimed].iter().filter_map(|status| depths.get(status)).sum();
                *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), count));
                count
            }
        }
    }
}

impl<P: Fn() -> Arc<Policy> + Send + Sync + 'static> Sink for SpoolSink<P> {
    fn policy(&self) -> Arc<Policy> {
        (self.policy)()
    }

    async fn newest_policy(&self) -> Option<Arc<Policy>> {
        match self.live.newest().await {
            Err(error) if !error.is_temporary() => None,
            // What cannot be asked for the configuration stores no message either, and says so.
            _ => Some(self.policy()),
        }
    }

    async fn is_full(&self, policy: &Policy) -> bool {
        let full = *self.full.lock().unwrap_or_else(PoisonError::into_inner);
        full.is_some_and(|since| since.elapsed() < FULL_FOR)
            || (policy.most_waiting > 0 && self.waiting().await >= policy.most_waiting.into())
    }

    async fn take_in(&self, arrivals: Vec<Arrival>) -> Result<Vec<TakenIn>, StoreError> {
        let taken = self.spool.take_in(arrivals).await;
        if taken.as_ref().is_err_and(StoreError::is_full) {
            *self.full.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        taken
    }

    async fn log(&self, record: CommunicationRecord) {
        let saved = self
            .spool
            .store()
            .write(record, |record, connection| Box::pin(communications::save(connection, record)))
            .await;
        if let Err(error) = saved {
            tracing::warn!(endpoint = %self.endpoint, %error, "the communication log could not be written");
        }
    }

    fn may_tell_refusal(&self) -> bool {
        self.may_tell_refusal_at(Instant::now())
    }

    fn count(&self, account: &str, outcome: &'static str) {
        self.metrics.received(account, outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::LazySandbox;
    use crate::secret_key::SecretKey;
    use crate::store::{Location, Store};
    use postigo_model::spool::SourceKey;
    use postigo_sandbox::RuntimeOptions;

    async fn listening() -> (tempfile::TempDir, SpoolSink<impl Fn() -> Arc<Policy> + Send + Sync + 'static>) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let spool = Spool::open(store, folder.path()).unwrap();
        let endpoint = Endpoint::Tcp("127.0.0.1:24".parse().unwrap());
        let key = SecretKey::at(folder.path().join("key"));
        let sandbox = LazySandbox::new(RuntimeOptions::new(folder.path().join("cache"), "no-filter-runs-here".into()));
        let live = Live::start(spool.store().clone(), key, Arc::new(sandbox)).await.unwrap();
        let sink = SpoolSink::new(endpoint, spool, Arc::new(Metrics::new()), live, || Arc::new(Policy::default()));
        (folder, sink)
    }

    #[tokio::test]
    async fn refused_mails_of_all_clients_have_so_many_rows_a_minute() {
        let (_folder, sink) = listening().await;
        let now = Instant::now();
        let told = |seconds| {
            let at = now + Duration::from_secs(seconds);
            (0..1_000).filter(|_| sink.may_tell_refusal_at(at)).count()
        };
        assert_eq!((told(0), told(59), told(61)), (60, 0, 60));
    }

    #[tokio::test]
    async fn a_spool_with_as_many_waiting_as_may_be_is_full() {
        let (_folder, sink) = listening().await;
        let policy = |most_waiting| {
            let mut policy = Policy::default();
            policy.most_waiting = most_waiting;
            policy
        };
        let arrival = Arrival {
            account: "main".into(),
            key: SourceKey::Digest,
            source: String::new(),
            received_at: 0,
            recipients: Vec::new(),
            communication: None,
            raw: b"Subject: a\r\n\r\n".to_vec().into(),
        };
        assert!(!sink.is_full(&policy(0)).await);
        sink.take_in(vec![arrival]).await.unwrap();
        assert!(sink.is_full(&policy(1)).await);
        assert!(!sink.is_full(&policy(2)).await);
        assert!(!sink.is_full(&policy(0)).await, "0 is no limit");
    }
}
