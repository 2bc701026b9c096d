//! What a client waits for, said while it waits: a server that is silent is otherwise silent in the log, too, until
//! the time-out.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What is waited for so long is told.
const LASTED: Duration = Duration::from_secs(1);

tokio::task_local! {
    static WAITED_FOR: Arc<Mutex<String>>;
}

/// Notes what is waited for from now on, a noun: `the greeting of mail.example.org`. Of no effect where nobody is to be
/// told.
pub fn waits_for(what: impl FnOnce() -> String) {
    let _ = WAITED_FOR.try_with(|waited_for| {
        *waited_for.lock().unwrap_or_else(PoisonError::into_inner) = what();
    });
}

/// Does something that waits for a server. `tell` hears what is waited for once that has lasted for a second, and
/// again when something else has.
pub async fn telling<T, F: Future<Output = ()>>(work: impl Future<Output = T>, mut tell: impl FnMut(String) -> F) -> T {
    let waited_for = Arc::new(Mutex::new(String::new()));
    let mut work = std::pin::pin!(WAITED_FOR.scope(Arc::clone(&waited_for), work));
    let mut told = String::new();
    loop {
        let waits = async {
            tokio::time::sleep(LASTED).await;
            let now = waited_for.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if now != told && !now.is_empty() {
                tell(now.clone()).await;
                told = now;
            }
        };
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = waits => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_lasts_is_told_once_and_what_does_not_is_not() {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let work = async {
            waits_for(|| "nothing long".to_owned());
            let mut heard = Vec::new();
            for what in ["the greeting", "TLS"] {
                waits_for(|| what.to_owned());
                heard.extend(told.recv().await);
            }
            heard
        };
        let tell = |what| {
            let _ = tell.send(what);
            std::future::ready(())
        };
        assert_eq!(telling(work, tell).await, ["the greeting", "TLS"]);
        waits_for(|| unreachable!("nobody is told"));
    }
}
