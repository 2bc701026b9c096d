//! The floor plan holds: arrows between rooms run down, and there is no ring, read from the code's own paths.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

mod plan;
mod source;

use plan::Plan;
use source::{Crate, Sources};

const STORE: &str = "store/mod.rs";

/// The crate of that name (`postigo_mail`), to be changed.
fn of_name<'s>(sources: &'s mut Sources, name: &str) -> &'s mut Crate {
    sources.crates.iter_mut().find(|found| found.name == name).expect("a crate of that name")
}

#[test]
fn arrows_run_down() {
    assert_eq!(Plan::read().arrows_up(&Sources::read()), Vec::<String>::new());
}

#[test]
fn there_is_no_ring_between_files() {
    assert_eq!(Sources::read().rings(), Vec::<String>::new());
}

/// The two tests above would tell.
#[test]
fn a_path_that_leads_up_or_round_is_found() {
    let (plan, mut sources) = (Plan::read(), Sources::read());
    of_name(&mut sources, "postigo").add(STORE, "use crate::http::ApiState;");
    let up = plan.arrows_up(&sources);
    assert!(
        matches!(&up[..], [only] if only.contains("store/mod.rs") && only.contains("crate::http::ApiState")),
        "{up:?}"
    );

    let mut sources = Sources::read();
    of_name(&mut sources, "postigo")
        .add(STORE, "fn above() { let _ = postigo_model::hexadecimal::hexadecimal(crate::cli::run as _); }");
    assert_eq!(plan.arrows_up(&sources).len(), 1, "a path in a function is a path");

    let mut sources = Sources::read();
    of_name(&mut sources, "postigo_model").add("timestamp.rs", "use postigo_mail::Mail;");
    assert_eq!(plan.arrows_up(&sources).len(), 1, "crates are floors, too");

    let mut sources = Sources::read();
    of_name(&mut sources, "postigo_mail").add("charset.rs", "use super::message::Message;");
    let found = sources.rings();
    assert!(matches!(&found[..], [only] if only.contains("charset.rs") && only.contains("message.rs")), "{found:?}");

    let mut sources = Sources::read();
    of_name(&mut sources, "postigo_mail")
        .add("charset.rs", "#[cfg(test)]\nmod tests { use super::super::message::Message; }");
    assert_eq!(sources.rings(), Vec::<String>::new(), "tests may look anywhere");
}

/// What hands the list of worlds down to the sandbox's core.
const ABOVE_THE_CORE: [&str; 3] =
    ["postigo_sandbox/lib.rs", "postigo_sandbox/child/work.rs", "postigo_sandbox/training/child.rs"];

/// The paths by which the sandbox's core names a world of the contract.
fn worlds_named_by_the_core(sources: &Sources) -> Vec<String> {
    let core = |file: &str| {
        file.starts_with("postigo_sandbox/")
            && !file.starts_with("postigo_sandbox/worlds/")
            && !ABOVE_THE_CORE.contains(&file)
    };
    let named = sources.arrows().into_iter().filter(|arrow| core(&arrow.file) && arrow.path.contains("worlds::"));
    named.map(|arrow| format!("{}: {}", arrow.file, arrow.path)).collect()
}

#[test]
fn the_sandboxs_core_names_no_world() {
    assert_eq!(worlds_named_by_the_core(&Sources::read()), Vec::<String>::new());
    let mut sources = Sources::read();
    of_name(&mut sources, "postigo_sandbox").add("session.rs", "use crate::worlds::filter::Verdict;");
    let found = worlds_named_by_the_core(&sources);
    assert!(
        matches!(&found[..], [only] if only.contains("session.rs") && only.contains("crate::worlds::filter")),
        "{found:?}"
    );
}
