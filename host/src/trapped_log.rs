//! For tests: a log that panics at a sentence, and so breaks a task in the middle of its work, wherever it says
//! something.

use std::fmt::Debug;
use std::sync::{Mutex, Once, PoisonError};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// The sentences at which it panics, each once.
static SET: Mutex<Vec<&str>> = Mutex::new(Vec::new());

/// Whoever logs this sentence next panics.
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
            set.iter().position(|sentence| *sentence == said.0).map(|place| set.swap_remove(place))
        };
        assert!(sprung.is_none(), "on purpose");
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

/// An event's message.
#[derive(Default)]
struct Sentence(String);

impl Visit for Sentence {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
