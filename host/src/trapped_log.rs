//! For tests: a log that panics at a sentence, and so breaks a task in the middle of its work, wherever it says
//! something.

use std::fmt::Debug;
use std::sync::{Mutex, Once, PoisonError};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// The sentences at which it panics, each once.
static SET: Mutex<Vec<&str>> = Mutex::new(Vec::new());

/// Whoever logs this sentence next panics; with an account's name behind it, whoever logs it of that account.
pub fn trap(sentence: &'static str) {
    static ONCE: Once = Once::new();
    // Tests have no other log.
    ONCE.call_once(|| drop(tracing::subscriber::set_global_default(TrappedLog)));
    SET.lock().unwrap_or_else(PoisonError::into_inner).push(sentence);
}

struct TrappedLog;

impl Subscriber for TrappedLog {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut said = Sentence::default();
        event.record(&mut said);
        let sprung = {
            let mut set = SET.lock().unwrap_or_else(PoisonError::into_inner);
            set.iter().position(|sentence| said.is(sentence)).map(|place| set.swap_remove(place))
        };
        assert!(sprung.is_none(), "on purpose");
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

/// An event's message, and the account that it is about.
#[derive(Default)]
struct Sentence {
    words: String,
    account: String,
}

impl Sentence {
    fn is(&self, sentence: &str) -> bool {
        let of_account = sentence.strip_prefix(&self.words).and_then(|rest| rest.strip_prefix(' '));
        sentence == self.words || of_account.is_some_and(|account| account == self.account)
    }
}

impl Visit for Sentence {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.words = format!("{value:?}");
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "account" {
            value.clone_into(&mut self.account);
        }
    }
}
