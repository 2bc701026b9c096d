//! The threads that guests run on: a few more than there are cores, and more for a while where all of them are busy.

use super::refusal::LostJob;
use super::template::Instance;
use postigo_supervision::{WorkKind, caught_here};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a job may wait for a busy thread before one more is started.
const PATIENCE: Duration = Duration::from_millis(20);
/// Threads over the usual number: with that many guests in a loop, the next message waits for the first of them to end.
const EXTRA: usize = 24;
/// How long an extra thread waits for work.
const IDLE: Duration = Duration::from_secs(2);
/// Instances that wait for the end of a job to be dropped.
const GRAVES: usize = 8;

type ThreadJob = Box<dyn FnOnce() + Send>;

/// A handle of the threads; they end when it is dropped and their jobs are done.
pub(super) struct Threads {
    shared: Arc<ThreadsState>,
}

struct ThreadsState {
    queue: Mutex<JobQueue>,
    work: Condvar,
    stuck: Condvar,
    most: usize,
}

struct JobQueue {
    jobs: VecDeque<(Instant, ThreadJob)>,
    threads: usize,
    idle: usize,
    ended: bool,
}

impl Threads {
    /// Starts the usual number of threads.
    pub(super) fn start(usual: usize) -> std::io::Result<Self> {
        let queue = JobQueue { jobs: VecDeque::new(), threads: 0, idle: 0, ended: false };
        let shared = Arc::new(ThreadsState {
            queue: Mutex::new(queue),
            work: Condvar::new(),
            stuck: Condvar::new(),
            most: usual + EXTRA,
        });
        let threads = Self { shared };
        for _ in 0..usual.max(1) {
            threads.shared.add_thread(true)?;
        }
        let watched = Arc::clone(&threads.shared);
        std::thread::Builder::new().name("guest-watch".into()).spawn(move || {
            // A watch that panics would leave messages to wait for busy threads: it begins again.
            while caught_here(WorkKind::GuestThreads, "", || watched.watch()).is_err() {
                std::thread::sleep(PATIENCE);
            }
        })?;
        Ok(threads)
    }

    /// Runs a job on one of them.
    pub(super) fn spawn<T, J>(&self, job: J) -> impl Future<Output = Result<T, LostJob>> + Send + use<T, J>
    where
        T: Send + 'static,
        J: FnOnce() -> T + Send + 'static,
    {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.submit(Box::new(move || {
            // Nobody waits any more where this fails.
            sender.send(job()).ok();
        }));
        async move { receiver.await.map_err(|_| LostJob) }
    }

    /// Runs a job for which nobody waits.
    pub(super) fn submit(&self, job: ThreadJob) {
        let mut queue = self.shared.lock();
        queue.jobs.push_back((Instant::now(), job));
        let (idle, waiting) = (queue.idle, queue.jobs.len());
        drop(queue);
        if idle > 0 {
            self.shared.work.notify_one();
        }
        if waiting > idle {
            self.shared.stuck.notify_one();
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.work.notify_all();
        self.shared.stuck.notify_all();
    }
}

impl ThreadsState {
    fn lock(&self) -> MutexGuard<'_, JobQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add_thread(self: &Arc<Self>, stays: bool) -> std::io::Result<()> {
        let shared = Arc::clone(self);
        std::thread::Builder::new().name("guest".into()).spawn(move || shared.work(stays))?;
        self.lock().threads += 1;
        Ok(())
    }

    /// Starts one more thread whenever a job has waited too long for a busy one.
    fn watch(self: &Arc<Self>) {
        let mut queue = self.lock();
        while !queue.ended {
            let Some(waited) = queue.jobs.front().map(|(since, _)| since.elapsed()) else {
                queue = self.stuck.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            if waited >= PATIENCE && queue.idle == 0 && queue.threads < self.most {
                drop(queue);
                if let Err(error) = self.add_thread(false) {
                    tracing::warn!("no further thread for guests could be started: {error}");
                }
                queue = self.lock();
            }
            queue = self.stuck.wait_timeout(queue, PATIENCE).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn work(&self, stays: bool) {
        GRAVEYARD.set(Some(VecDeque::new()));
        while let Some(job) = self.next(stays) {
            // Told where it is caught. Whoever waits for the job hears that it is lost.
            let _ = caught_here(WorkKind::Guest, "", job);
            let _ = caught_here(WorkKind::Guest, "", empty_graves);
        }
        self.lock().threads -= 1;
    }

    fn next(&self, stays: bool) -> Option<ThreadJob> {
        let mut queue = self.lock();
        loop {
            if let Some((_, job)) = queue.jobs.pop_front() {
                return Some(job);
            }
            if queue.ended {
                return None;
            }
            queue.idle += 1;
            let waited = self.work.wait_timeout(queue, if stays { Duration::from_hours(1) } else { IDLE });
            let (woken, time_out) = waited.unwrap_or_else(PoisonError::into_inner);
            queue = woken;
            queue.idle -= 1;
            if time_out.timed_out() && !stays && queue.jobs.is_empty() {
                return None;
            }
        }
    }
}

thread_local! {
    static GRAVEYARD: RefCell<Option<VecDeque<Instance>>> = const { RefCell::new(None) };
}

/// Drops an instance, on a guest thread after the job: resetting its memory takes as long as a call, and nobody need
/// wait for it.
pub(super) fn bury(instance: Instance) {
    let surplus = GRAVEYARD.with_borrow_mut(|graves| match graves {
        Some(graves) => {
            graves.push_back(instance);
            if graves.len() > GRAVES { graves.pop_front() } else { None }
        }
        None => Some(instance),
    });
    drop(surplus);
}

/// Drops what this thread has buried, now.
pub(super) fn empty_graves() {
    GRAVEYARD.with_borrow_mut(|graves| graves.iter_mut().for_each(VecDeque::clear));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_job_that_panics_is_lost_and_the_thread_goes_on() {
        let threads = Threads::start(1).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(threads.spawn(|| -> u8 { panic!("on purpose") })), Err(LostJob));
        assert_eq!(runtime.block_on(threads.spawn(|| 7)), Ok(7));
    }

    #[test]
    fn more_jobs_than_threads_that_all_wait_do_not_stop_the_next_one() {
        let threads = Threads::start(2).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let gates: Vec<_> = (0..10)
            .map(|_| {
                let (open, gate) = mpsc::channel::<()>();
                threads.submit(Box::new(move || assert!(gate.recv().is_err())));
                open
            })
            .collect();
        // All ten wait for their gates; the eleventh runs all the same.
        assert_eq!(runtime.block_on(threads.spawn(|| "through")), Ok("through"));
        drop(gates);
    }
}
