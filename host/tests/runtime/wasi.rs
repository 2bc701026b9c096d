//! WASI, as guests of other languages find it: everything is there, and nothing is behind it.

use super::by_hand::ByHand;
use super::harness::*;
use postigo_model::guest::FailureKind;
use postigo_sandbox::{Asker, GuestSession, LogLine};

/// Every import of WASI that these tests use; those that are not called cost nothing.
const IMPORTS: &str = r#"
  (import "wasi:cli/environment@0.2.0" "get-environment" (func $environment (param i32)))
  (import "wasi:cli/environment@0.2.0" "get-arguments" (func $arguments (param i32)))
  (import "wasi:cli/stdin@0.2.0" "get-stdin" (func $stdin (result i32)))
  (import "wasi:cli/stdout@0.2.0" "get-stdout" (func $stdout (result i32)))
  (import "wasi:cli/stderr@0.2.0" "get-stderr" (func $stderr (result i32)))
  (import "wasi:cli/exit@0.2.0" "exit" (func $exit (param i32)))
  (import "wasi:io/streams@0.2.0" "[method]input-stream.blocking-read" (func $read (param i32 i64 i32)))
  (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.0" "[resource-drop]output-stream" (func $drop-output (param i32)))
  (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:io/poll@0.2.0" "poll" (func $poll (param i32 i32 i32)))
  (import "wasi:clocks/monotonic-clock@0.2.0" "now" (func $now (result i64)))
  (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $sleep (param i64) (result i32)))
  (import "wasi:clocks/wall-clock@0.2.0" "now" (func $today (param i32)))
  (import "wasi:random/random@0.2.0" "get-random-u64" (func $random (result i64)))
  (import "wasi:random/random@0.2.0" "get-random-bytes" (func $random-bytes (param i64 i32)))
  (import "wasi:filesystem/preopens@0.2.0" "get-directories" (func $folders (param i32)))
  (import "wasi:sockets/tcp-create-socket@0.2.0" "create-tcp-socket" (func $socket (param i32 i32)))
"#;

fn guest(evaluate: &str) -> ByHand {
    ByHand { imports: IMPORTS.into(), evaluate: evaluate.into(), ..ByHand::default() }
}

/// What a guest logs in one call that works.
fn logged(guest: &ByHand) -> Vec<LogLine> {
    let called = GuestSession::open(&guest.prepare(16 << 20).unwrap()).unwrap().evaluate(0, mail("Invoice 42"), None);
    called.result.unwrap();
    called.log
}

/// Traps unless the number at this address is this one.
fn expect(address: u32, number: u32) -> String {
    format!("(if (i32.ne (i32.load (i32.const {address})) (i32.const {number})) (then unreachable))")
}

#[test]
fn there_are_no_variables_arguments_folders_input_or_network() {
    let asked = [
        // Lists: pointer, length.
        "(call $environment (i32.const 500)) (call $arguments (i32.const 508)) (call $folders (i32.const 516))"
            .to_owned(),
        expect(504, 0) + &expect(512, 0) + &expect(520, 0),
        // Reading is an error, and the stream is closed (the second case).
        "(call $read (call $stdin) (i64.const 100) (i32.const 524))".to_owned(),
        "(if (i32.ne (i32.load8_u (i32.const 524)) (i32.const 1)) (then unreachable))".to_owned(),
        "(if (i32.ne (i32.load8_u (i32.const 528)) (i32.const 1)) (then unreachable))".to_owned(),
        // A socket is an error: not supported, the third.
        "(call $socket (i32.const 0) (i32.const 540))".to_owned(),
        "(if (i32.ne (i32.load8_u (i32.const 540)) (i32.const 1)) (then unreachable))".to_owned(),
        "(if (i32.ne (i32.load8_u (i32.const 544)) (i32.const 2)) (then unreachable))".to_owned(),
    ];
    assert!(!guest(&asked.concat()).evaluate().unwrap().matched);
}

#[test]
fn clocks_stand_still_and_who_sleeps_goes_on_at_once() {
    let century = "(local.set $pollable (call $sleep (i64.const 3155760000000000000)))";
    let asked = [
        "(if (i64.ne (call $now) (i64.const 0)) (then unreachable)) (call $today (i32.const 504))".to_owned(),
        expect(504, 0) + &expect(508, 0) + &expect(512, 0),
        format!("{century} (call $block (local.get $pollable))"),
        // Both of two are ready.
        format!(
            "(i32.store (i32.const 520) (local.get $pollable)) {century} (i32.store (i32.const 524) (local.get $pollable))"
        ),
        "(call $poll (i32.const 520) (i32.const 2) (i32.const 532))".to_owned(),
        "(if (i64.ne (call $now) (i64.const 0)) (then unreachable))".to_owned(),
    ];
    let slept = guest(&format!("(local $pollable i32) {}", asked.concat()));
    let called = GuestSession::open(&slept.prepare(16 << 20).unwrap()).unwrap().evaluate(0, mail("Invoice 42"), None);
    assert!(called.result.is_ok() && called.own < LONG, "{:?}", called.result);
    let forever = guest(
        "(local $pollable i32) (local.set $pollable (call $sleep (i64.const 1)))
         (loop $again (call $block (local.get $pollable)) (br $again))",
    );
    forever.fails_as(FailureKind::HostCalls);
    guest("(call $poll (i32.const 500) (i32.const 0) (i32.const 532))").fails_as(FailureKind::Trap);
}

#[test]
fn random_numbers_are_the_same_for_every_message() {
    // The first two of SplitMix64 that begins at zero.
    let asked = guest(
        "(if (i64.ne (call $random) (i64.const 0xe220a8397b1dcdaf)) (then unreachable))
         (call $random-bytes (i64.const 8) (i32.const 500))
         (if (i64.ne (i64.load align=1 (i32.load (i32.const 500))) (i64.const 0x6e789e6aa1b965f4)) (then unreachable))",
    );
    let group = asked.prepare(16 << 20).unwrap();
    for _ in 0..3 {
        assert!(evaluate(&group, 0).is_ok());
    }
    guest("(call $random-bytes (i64.const 5000000000) (i32.const 500))").fails_as(FailureKind::Output);
}

/// Draws a random number, and traps unless it is the first of the sequence, or the second in an instance's second call,
/// and so on; `drawn` have been drawn before any call.
fn draws_from(drawn: u32) -> ByHand {
    let sequence = ["0xe220a8397b1dcdaf", "0x6e789e6aa1b965f4", "0x06c45d188009454f"];
    let expected = sequence.iter().zip(0_u32..).map(|(number, place)| {
        format!(
            "(if (i32.eq (global.get $drawn) (i32.const {place})) (then (local.set $expected (i64.const {number}))))"
        )
    });
    let evaluate = format!(
        "(local $expected i64) {} (global.set $drawn (i32.add (global.get $drawn) (i32.const 1)))
         (if (i64.ne (call $random) (local.get $expected)) (then unreachable))",
        expected.collect::<String>()
    );
    let parts = format!("(global $output (mut i32) (i32.const 0)) (global $drawn (mut i32) (i32.const {drawn}))");
    ByHand { parts, ..guest(&evaluate) }
}

#[test]
fn random_numbers_begin_anew_after_the_snapshot_and_go_on_within_a_message() {
    let draw = "(drop (call $random))";
    // A handle that is kept keeps it from being snapshotted: each instance is configured itself, and goes on.
    let keep = "(global.set $output (call $stdout))";
    let snapshotted = ByHand { configure: draw.into(), ..draws_from(0) };
    let ahead = ByHand { configure: format!("{draw} {keep}"), ..draws_from(1) };
    for (drawing, snapshot) in [(snapshotted, true), (ahead, false)] {
        let group = drawing.prepare(16 << 20).unwrap();
        assert_eq!(group.cost().snapshot, snapshot, "{:?}", group.cost());
        for _ in 0..3 {
            let mut session = GuestSession::open(&group).unwrap();
            let first = session.evaluate(0, mail("Invoice 42"), None);
            first.result.unwrap();
            session.evaluate(0, first.mail, None).result.unwrap();
        }
    }
}

/// Instructions that write so many bytes from an address to standard output (or error), with a handle that is then
/// dropped.
fn print(to: &str, address: u32, length: u32) -> String {
    format!(
        "(local.set $handle (call {to})) (call $write (local.get $handle) (i32.const {address}) (i32.const {length}) (i32.const 560))
         (call $drop-output (local.get $handle))"
    )
}

#[test]
fn what_is_printed_is_logged_by_lines_and_cut_like_log_lines() {
    let text = r#"(data (i32.const 600) "one\ntwo and no end")"#;
    let printed = print("$stdout", 600, 18) + &print("$stderr", 600, 4);
    let guest_with =
        |parts: &str, printed: &str| ByHand { parts: parts.into(), ..guest(&format!("(local $handle i32) {printed}")) };
    let lines = logged(&guest_with(text, &printed));
    let shown: Vec<_> = lines.iter().map(|line| (line.priority, line.text.as_str())).collect();
    assert_eq!(shown, [("info", "one"), ("notice", "one"), ("info", "two and no end")]);
    // A hundred thousand bytes without an end of line are one line of a KiB, and two thousand long lines end at the
    // limit of a call.
    let flood = "(memory.fill (i32.const 70000) (i32.const 120) (i32.const 50000))".to_owned()
        + &print("$stdout", 70_000, 50_000);
    let lines = logged(&guest_with("", &flood));
    assert_eq!(lines.iter().map(|line| line.text.len()).max(), Some(1 << 10));
    assert!(lines.last().unwrap().text.contains("1 lines were cut"), "{lines:?}");
    let many = format!(
        "(local $handle i32) (local $left i32) (local.set $left (i32.const 2000)) (loop $again {}
         (local.set $left (i32.sub (local.get $left) (i32.const 1))) (br_if $again (local.get $left)))",
        "(memory.fill (i32.const 70000) (i32.const 120) (i32.const 1000)) (i32.store8 (i32.const 71000) (i32.const 10))"
            .to_owned() + &print("$stdout", 70_000, 1_001)
    );
    let lines = logged(&guest(&many));
    assert!(lines.iter().map(|line| line.text.len()).sum::<usize>() < 66 << 10);
    assert!(lines.last().unwrap().text.contains("left out"));
}

#[test]
fn who_exits_fails_and_it_is_said() {
    for (status, word) in [(0, "success"), (1, "failure")] {
        let said = guest(&format!("(call $exit (i32.const {status}))")).fails_as(FailureKind::Trap);
        assert!(said.contains("ended itself") && said.contains(word), "{said}");
    }
}

#[test]
fn a_handle_that_is_kept_over_configure_is_still_one_in_every_message() {
    // It asks for its output once, and prints by the same handle from then on, as C libraries do.
    let parts = r#"(global $output (mut i32) (i32.const 0)) (data (i32.const 600) "hello\n")"#;
    let print = "(call $write (global.get $output) (i32.const 600) (i32.const 6) (i32.const 560))";
    let kept = ByHand { parts: parts.into(), configure: "(global.set $output (call $stdout))".into(), ..guest(print) };
    let group = kept.prepare(16 << 20).unwrap();
    let cost = group.cost();
    assert!(!cost.snapshot && cost.because.contains("1 handle of WASI"), "{cost:?}");
    for _ in 0..3 {
        let called = GuestSession::open(&group).unwrap().evaluate(0, mail("Invoice 42"), None);
        assert!(called.result.is_ok());
        assert_eq!(called.log.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["hello"]);
    }
    let given_back = "(global.set $output (call $stdout)) (call $drop-output (global.get $output))";
    let printed = format!("(global.set $output (call $stdout)) {print}");
    let dropped = ByHand { parts: parts.into(), configure: given_back.into(), ..guest(&printed) };
    let group = dropped.prepare(16 << 20).unwrap();
    assert!(group.cost().snapshot, "{:?}", group.cost());
    assert!((0..3).all(|_| evaluate(&group, 0).is_ok()));
}

#[test]
fn what_is_printed_before_a_failing_configure_stands_in_its_error() {
    let parts = r#"(data (i32.const 600) "Traceback: no such table\n")"#;
    let configure = "(call $write (call $stderr) (i32.const 600) (i32.const 25) (i32.const 560)) unreachable";
    let fails = ByHand { parts: parts.into(), configure: configure.into(), ..guest("") };
    let said = fails.prepare(16 << 20).map(|_| "prepared").unwrap_err().to_string();
    assert!(said.contains("it wrote: Traceback: no such table"), "{said}");
}

#[test]
fn a_function_whose_answer_would_be_huge_by_its_type_is_refused_at_upload() {
    // Two thousand times a case of a hundred thousand letters: 200 MB at each call, of a type of 100 KB.
    let huge = format!(
        r#"(component
          (import "wasi:cli/environment@0.2.0" (instance
            (type $enum (enum "{}"))
            (export "named" (type $named (eq $enum)))
            (export "everything" (func (result (tuple {}))))))
          (instance $guest)
          (export "postigo:filter/filtering@1.1.0" (instance $guest))
          (export "postigo:plugin/setup@1.1.0" (instance $guest)))"#,
        "a".repeat(99_000),
        "$named ".repeat(2_000),
    );
    let refused = runtime().inspect(&wat::parse_str(huge).unwrap(), Asker::Host).unwrap_err().to_string();
    for part in ["`wasi:cli/environment@0.2.0`", "WASI 0.2", "`everything`", "1000 parts", "64 KiB"] {
        assert!(refused.contains(part), "{part} is missing in: {refused}");
    }
}

#[test]
fn who_prints_without_end_is_ended_and_takes_little_of_the_hosts_time() {
    // Four MiB of line breaks at a time, less what a call hands over besides.
    let flood = "(local $out i32) (memory.fill (i32.const 131072) (i32.const 10) (i32.const 4190000))
        (local.set $out (call $stdout))
        (loop $again
          (call $write (local.get $out) (i32.const 131072) (i32.const 4190000) (i32.const 560))
          (br $again))";
    let printing = ByHand { memory: "70".into(), ..guest(flood) };
    let called =
        GuestSession::open(&printing.prepare(16 << 20).unwrap()).unwrap().evaluate(0, mail("Invoice 42"), None);
    let failure = called.result.unwrap_err();
    assert_eq!(failure.kind, FailureKind::HostCalls, "{failure}");
    assert!(failure.message.contains("printed more than 16 MiB"), "{failure}");
    assert!(called.host < std::time::Duration::from_secs(1), "{:?}", called.host);
}

#[test]
fn who_hoards_handles_is_told_how_many_there_are() {
    let said = guest("(loop $again (drop (call $stdout)) (br $again))").fails_as(FailureKind::Memory);
    assert!(said.contains("more than 10000 handles at once"), "{said}");
}
