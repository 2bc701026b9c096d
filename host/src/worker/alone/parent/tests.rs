//! What is said of the ends of children: shell scripts that say that they are ready, and then do as a test wishes.

use super::*;
use crate::chain::{ChainPlan, Mode};
use crate::worker::live::LiveConfiguration;
use postigo_mail::{Envelope, Vocabulary};
use postigo_model::configured::Configuration;
use std::collections::HashMap;
use std::sync::Arc;

/// Ticks that a child of these tests may stand still or go on, also until it is ready.
const SOON: u32 = 50;
/// So many that it ends by itself before.
const LATE: u32 = 600;

/// How a child ends that says that it is ready, and then runs these commands of the shell.
fn end_of(commands: &str, memory: Option<u64>, patience: u32) -> ProcessEnd {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("child");
    // A frame: the lengths of its header and of what follows, and the header.
    let script =
        format!("#!/bin/sh\nprintf '\\007\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\"Ready\"'\n{commands}\n");
    // Written by another process: one that is started meanwhile by another test would keep the file open.
    let write = "printf %s \"$1\" > \"$0\" && chmod 700 \"$0\"";
    let written = Command::new("/bin/sh").args(["-c", write]).arg(&program).arg(script).status().unwrap();
    assert!(written.success());
    let processes = ChildProcess {
        memory,
        guest_memory: 0,
        patience,
        ..ChildProcess::new(&RuntimeOptions::new(folder.path().join("cache"), program))
    };
    let setup = LiveConfiguration::new(Configuration::default(), ChainPlan::default(), Vocabulary::new(&[]));
    let job = AloneJob {
        message: 1,
        raw: b"Subject: small\r\n\r\nHello.\r\n".as_slice().into(),
        envelope: Envelope::default(),
        mode: Mode::Live { check_screening: false, put_off_before: false },
        setup: Arc::new(setup),
        components: HashMap::new(),
    };
    processes.run(&job, &mut |_| Ok(None), &CancellationToken::new()).unwrap_err()
}

#[test]
fn a_child_that_stands_still_has_died_of_its_message() {
    let end = end_of("exec sleep 1000", None, SOON);
    assert!(matches!(&end, ProcessEnd::Died(why) if why == "it had stood still for 5 s, and was ended"), "{end}");
}

#[test]
fn a_child_that_somebody_stops_or_that_wants_a_processor_blames_nobody() {
    for commands in ["kill -STOP $$", "while :; do :; done"] {
        let end = end_of(commands, None, SOON);
        assert!(
            matches!(&end, ProcessEnd::NotRun(why) if why.contains("or since it was stopped")),
            "{commands}: {end}"
        );
    }
}

#[test]
fn a_child_that_is_killed_blames_its_message_only_where_it_took_more_memory_than_that_may_cost() {
    let end = end_of("kill -KILL $$", None, LATE);
    assert!(matches!(&end, ProcessEnd::NotRun(why) if why.contains("killed from outside")), "{end}");
    // It takes memory when it has its mail, is looked at each tick, and is killed twenty ticks later.
    let grows = "grep -aq Hello; x=$(head -c 10000000 /dev/zero | tr '\\0' x); sleep 2; kill -KILL $$";
    let end = end_of(grows, Some(4 << 20), LATE);
    assert!(matches!(&end, ProcessEnd::Died(why) if why.contains("a message of this size may take 4 MiB")), "{end}");
    let end = end_of(grows, None, LATE);
    assert!(matches!(&end, ProcessEnd::NotRun(why) if why.contains("killed from outside")), "{end}");
}

#[test]
fn a_panic_in_a_child_is_told_as_what_it_is() {
    let panicked = r#"printf '\032\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0{"Panicked":"at a.rs:1:2"}'"#;
    let end = end_of(panicked, None, LATE);
    assert!(matches!(&end, ProcessEnd::Panicked(why) if why == "at a.rs:1:2"), "{end}");
}

#[test]
fn a_child_that_ends_before_it_has_its_message_says_nothing_of_it() {
    let end = end_of("printf broken; exit 3", None, LATE);
    assert!(matches!(&end, ProcessEnd::NotRun(why) if why.contains("exit status: 3")), "{end}");
}
