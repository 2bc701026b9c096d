//! A panic as a value: caught where it happens, with what may be told of it.

use postigo_model::text::{beginning, on_one_line};
use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, Location, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;
use std::task::Poll;

/// So many bytes of a message are told.
const LONGEST: usize = 200;

/// Messages of the standard library that hold numbers alone besides their own words.
const ONLY_NUMBERS: [&str; 4] =
    ["index out of bounds: the len is ", "range start index ", "range end index ", "slice index starts at "];

/// Beginnings of messages of the standard library; what follows them is a value.
const BEGINNINGS: [&str; 5] = [
    "called `Result::unwrap()` on an `Err` value",
    "assertion `left == right` failed",
    "assertion `left != right` failed",
    "byte index ",
    "end byte index ",
];

/// What may be told of a panic, on one line: where it happened, and its message as far as it stands in the program
/// itself. A message that was put together may quote what the code worked on, a mail or a secret, so nothing of it is
/// told but what the standard library says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Panic(String);

impl Panic {
    /// For what ended without an outcome, in these words.
    pub(super) fn because(text: &str) -> Self {
        Self(text.to_owned())
    }
}

thread_local! {
    /// How many catches are around what this thread does now.
    static AROUND: Cell<u32> = const { Cell::new(0) };
    /// What the hook saw last within one of them.
    static SEEN: Cell<Option<String>> = const { Cell::new(None) };
}

/// Does something; its panic is the error. Whatever it changed may be half changed then: the caller sees to that.
pub fn catch<T>(work: impl FnOnce() -> T) -> Result<T, Panic> {
    listen();
    let around = AroundGuard::enter();
    let done = catch_unwind(AssertUnwindSafe(work));
    drop(around);
    done.map_err(|payload| {
        // Raised anew from another thread, it has passed no hook.
        let seen = SEEN.try_with(Cell::take).ok().flatten();
        Panic(seen.unwrap_or_else(|| told(&*payload, None)))
    })
}

/// The same for what is awaited; it lies on the heap, so that those around it stay small.
pub fn catch_async<F: Future>(work: F) -> impl Future<Output = Result<F::Output, Panic>> {
    let mut work = Box::pin(work);
    std::future::poll_fn(move |context| match catch(|| work.as_mut().poll(context)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Err(panic) => Poll::Ready(Err(panic)),
    })
}

struct AroundGuard;

impl AroundGuard {
    fn enter() -> Self {
        let _ = AROUND.try_with(|around| around.set(around.get() + 1));
        Self
    }
}

impl Drop for AroundGuard {
    fn drop(&mut self) {
        let _ = AROUND.try_with(|around| around.set(around.get().saturating_sub(1)));
    }
}

/// Has panics that will be caught noted instead of printed: what is printed is not bounded, and quotes whatever the
/// message does.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            let is_caught = AROUND.try_with(|around| around.get() > 0).unwrap_or(false);
            if is_caught {
                let _ = SEEN.try_with(|seen| seen.set(Some(told(info.payload(), info.location()))));
            } else {
                before(info);
            }
        }));
    });
}

fn told(payload: &(dyn Any + Send), place: Option<&Location<'_>>) -> String {
    let message = match (payload.downcast_ref::<&'static str>(), payload.downcast_ref::<String>()) {
        (Some(literal), _) => one_line(literal),
        (None, Some(text)) => harmless(text),
        (None, None) => "no message".to_owned(),
    };
    match place {
        Some(place) => format!("{message} ({}:{})", crate_path(place.file()), place.line()),
        None => message,
    }
}

/// What a message tells that was put together while the program ran.
fn harmless(text: &str) -> String {
    if ONLY_NUMBERS.iter().any(|beginning| text.starts_with(beginning)) {
        return one_line(text);
    }
    let beginning = BEGINNINGS.iter().find(|beginning| text.starts_with(*beginning));
    beginning.map_or_else(
        || "a message that may quote what it is about".to_owned(),
        |beginning| format!("{}…", beginning.trim_end()),
    )
}

fn one_line(text: &str) -> String {
    beginning(&on_one_line(text), LONGEST).to_owned()
}

/// A source file without the folders of the machine that compiled it: `imap-proto-0.16.6/src/parser/core.rs`.
fn crate_path(file: &str) -> String {
    let file =
        file.rsplit_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/')).map_or(file, |(_, path)| path);
    if file.starts_with('/') {
        let parts: Vec<&str> = file.rsplit('/').take(3).collect();
        return parts.into_iter().rev().collect::<Vec<_>>().join("/");
    }
    file.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(work: impl FnOnce()) -> String {
        catch(work).unwrap_err().to_string()
    }

    #[test]
    fn a_panic_is_told_with_its_place_and_without_what_it_quotes() {
        let secret = "s3cret";
        let place = |text: String| {
            let (message, place) = text.rsplit_once(" (").unwrap();
            assert!(!place.starts_with('/') && place.contains(".rs:"), "{place}");
            message.to_owned()
        };
        assert_eq!(place(text(|| panic!("on\npurpose"))), "on purpose");
        assert_eq!(place(text(|| panic!("not {secret}"))), "a message that may quote what it is about");
        assert_eq!(place(text(|| assert_eq!(secret, "other"))), "assertion `left == right` failed…");
        assert_eq!(
            place(text(|| assert_eq!(secret.parse::<u8>().unwrap(), 0))),
            "called `Result::unwrap()` on an `Err` value…"
        );
        assert_eq!(
            place(text(|| assert_eq!(secret.parse::<u8>().expect(secret), 0))),
            "a message that may quote what it is about"
        );
        assert!(!text(|| assert!(secret[usize::from(b'9')..].is_empty())).contains(secret));
        let numbers = [1, 2, 3];
        let index = secret.len();
        assert_eq!(
            place(text(|| assert_eq!(numbers[index], 1))),
            "index out of bounds: the len is 3 but the index is 6"
        );
    }

    #[test]
    fn a_source_file_is_named_without_the_folders_of_a_machine() {
        let of = |file| crate_path(file);
        assert_eq!(
            of("/home/x/.cargo/registry/src/index.crates.io-1949/imap-proto-0.16.6/src/parser/core.rs"),
            "imap-proto-0.16.6/src/parser/core.rs"
        );
        assert_eq!(of("/home/x/work/library/core/src/option.rs"), "core/src/option.rs");
        assert_eq!(of("host/src/pause.rs"), "host/src/pause.rs");
    }

    #[tokio::test]
    async fn what_is_awaited_is_caught_at_whichever_step_it_panics() {
        assert_eq!(catch_async(async { 7 }).await, Ok(7));
        let later = async {
            tokio::task::yield_now().await;
            panic!("later");
        };
        assert!(catch_async(later).await.unwrap_err().to_string().starts_with("later ("));
    }

    #[test]
    fn an_inner_catch_takes_its_own_panic_and_leaves_the_outer_one_its_own() {
        let outer = text(|| {
            assert!(text(|| panic!("inner")).starts_with("inner"));
            panic!("outer");
        });
        assert!(outer.starts_with("outer"), "{outer}");
    }
}
