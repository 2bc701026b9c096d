//! Guests written by hand in the text format: what no compiler would make.

use super::harness::*;
use postigo_mail::Mail;
use postigo_model::guest::{FailureKind, GuestLimits};
use postigo_sandbox::{
    Asker, CallFailure, Group, GroupMember, GroupSpec, GuestSession, PrepareError, UploadRefusal, Verdict,
};
use std::fmt::Write as _;
use std::sync::Arc;

/// A core module that is a filter by the canonical ABI, with places for what a test wants different.
#[derive(Default)]
pub struct ByHand {
    /// Before everything else: more imports.
    pub imports: String,
    /// More memories, tables, functions.
    pub parts: String,
    /// The first memory's limits in pages; "2" where empty.
    pub memory: String,
    /// Instructions of `describe` before it gives the description.
    pub describe: String,
    /// Instructions of `configure` before it says that all is well.
    pub configure: String,
    /// Instructions of `evaluate` before it gives what stands at 200; the mail is local 1.
    pub evaluate: String,
    /// What `evaluate` gives: bytes of a `result<verdict, string>`, in the escapes of the text format; "matched" where
    /// empty.
    pub result: String,
    /// The settings schema that it describes itself with; "{}" where empty.
    pub schema: String,
    /// A function's text in the contract, and another of the same core type that it is built with instead.
    pub instead: Option<(&'static str, &'static str)>,
    /// Built for a later version of the contract: this one with a function more.
    pub later: bool,
}

/// What the world of a guest may import besides: interfaces of WASI, as far as tests use them.
const WORLD: &str = "package by:hand;
    world guest {
        include postigo:filter/filter@1.1.0;
        import wasi:cli/environment@0.2.0; import wasi:cli/stdin@0.2.0; import wasi:cli/stdout@0.2.0; import wasi:cli/stderr@0.2.0;
        import wasi:cli/exit@0.2.0; import wasi:clocks/monotonic-clock@0.2.0; import wasi:clocks/wall-clock@0.2.0;
        import wasi:random/random@0.2.0; import wasi:filesystem/preopens@0.2.0; import wasi:sockets/tcp-create-socket@0.2.0;
    }
    package wasi:io@0.2.0 {
        interface error { resource error; }
        interface poll { resource pollable { block: func(); } poll: func(in: list<borrow<pollable>>) -> list<u32>; }
        interface streams {
            use error.{error};
            variant stream-error { last-operation-failed(error), closed }
            resource input-stream { blocking-read: func(len: u64) -> result<list<u8>, stream-error>; }
            resource output-stream { blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>; }
        }
    }
    package wasi:cli@0.2.0 {
        interface environment { get-environment: func() -> list<tuple<string, string>>; get-arguments: func() -> list<string>; }
        interface stdin { use wasi:io/streams@0.2.0.{input-stream}; get-stdin: func() -> input-stream; }
        interface stdout { use wasi:io/streams@0.2.0.{output-stream}; get-stdout: func() -> output-stream; }
        interface stderr { use wasi:io/streams@0.2.0.{output-stream}; get-stderr: func() -> output-stream; }
        interface exit { exit: func(status: result); }
    }
    package wasi:clocks@0.2.0 {
        interface monotonic-clock {
            use wasi:io/poll@0.2.0.{pollable};
            now: func() -> u64; subscribe-duration: func(when: u64) -> pollable;
        }
        interface wall-clock { record datetime { seconds: u64, nanoseconds: u32 } now: func() -> datetime; }
    }
    package wasi:random@0.2.0 { interface random { get-random-u64: func() -> u64; get-random-bytes: func(len: u64) -> list<u8>; } }
    package wasi:filesystem@0.2.0 {
        interface types { resource descriptor; }
        interface preopens { use types.{descriptor}; get-directories: func() -> list<tuple<descriptor, string>>; }
    }
    package wasi:sockets@0.2.0 {
        interface tcp-create-socket {
            enum ip-address-family { ipv4, ipv6 }
            enum error-code { unknown, access-denied, not-supported }
            resource tcp-socket;
            create-tcp-socket: func(family: ip-address-family) -> result<tcp-socket, error-code>;
        }
    }";

/// The contract as a later version of it may be: a function more in `postigo:message`, and a later `postigo:filter`.
fn later_contract() -> (wit_parser::Resolve, wit_parser::PackageId) {
    contract(|now| later(now).replace("generation: func() -> u64;", "generation: func() -> u64; later: func() -> u64;"))
}

/// The contract with its text changed.
fn contract(change: impl Fn(&str) -> String) -> (wit_parser::Resolve, wit_parser::PackageId) {
    let text = |file: &str| {
        let now = std::fs::read_to_string(format!("{}/../wit/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        change(&now)
    };
    let mut wit = wit_parser::Resolve::default();
    for file in ["deps/postigo-message/message.wit", "deps/postigo-plugin/plugin.wit"] {
        wit.push_str(file, &text(file)).unwrap();
    }
    let package = wit.push_str("filter.wit", &text("filter.wit")).unwrap();
    (wit, package)
}

/// The names of that contract.
fn later(text: &str) -> String {
    let mut text = text.to_owned();
    for (package, now, then) in [("message", "1.0.0", "1.1.0"), ("filter", "1.1.0", "1.4.0")] {
        for before in [format!("postigo:{package}@"), format!("{package}/{package}@"), format!("{package}/filtering@")]
        {
            text = text.replace(&format!("{before}{now}"), &format!("{before}{then}"));
        }
    }
    text
}

/// Bytes of a `result<verdict, string>`: ok, not matched, no changes, no reason.
const NOT_MATCHED: &str = r"\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00";

impl ByHand {
    fn text(&self) -> String {
        let memory = if self.memory.is_empty() { "2" } else { &self.memory };
        let result = if self.result.is_empty() { NOT_MATCHED } else { &self.result };
        let schema = if self.schema.is_empty() { "{}" } else { &self.schema };
        let schema_length: String =
            (schema.len() as u32).to_le_bytes().iter().map(|byte| format!("\\{byte:02x}")).collect();
        let mut text = String::new();
        write!(
            text,
            r#"(module
  (import "postigo:message/message@1.0.0" "[resource-drop]mail" (func $drop (param i32)))
  {imports}
  (memory (export "memory") {memory})
  {parts}
  (data (i32.const 0) "by-hand1.0.0A guest.")
  (data (i32.const 65536) {schema:?})
  ;; the description: five pairs of pointer and length
  (data (i32.const 100) "\00\00\00\00\07\00\00\00\07\00\00\00\05\00\00\00\0c\00\00\00\08\00\00\00\00\00\01\00{schema_length}\00\00\00\00\00\00\00\00")
  (data (i32.const 200) "{result}")
  (global $free (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
    (global.set $free (i32.add (local.get $at) (local.get 3)))
    (local.get $at))
  (func (export "postigo:plugin/setup@1.1.0#describe") (result i32) {describe} (i32.const 100))
  ;; no headers: the list of grants, which is as empty
  (func (export "postigo:filter/filtering@1.1.0#settable-headers") (result i32) (i32.const 132))
  (func (export "postigo:plugin/setup@1.1.0#configure") (param i32 i32) (result i32)
    {configure}
    ;; a result<_, list<problem>> that is ok: zeroes
    (i32.const 300))
  (func (export "postigo:filter/filtering@1.1.0#evaluate") (param i32 i32) (result i32)
    {evaluate}
    (call $drop (local.get 1))
    (i32.const 200)))"#,
            imports = self.imports,
            parts = self.parts,
            describe = self.describe,
            configure = self.configure,
            evaluate = self.evaluate,
        )
        .unwrap();
        text
    }

    fn module(&self) -> Vec<u8> {
        let text = if self.later { later(&self.text()) } else { self.text() };
        let mut bytes = wat::parse_str(text).unwrap();
        let (wit, package, world) = if self.later {
            let (wit, package) = later_contract();
            (wit, package, "filter")
        } else if let Some((text, instead)) = self.instead {
            let (wit, package) = contract(|now| now.replace(text, instead));
            (wit, package, "filter")
        } else {
            let mut wit = wit_parser::Resolve::default();
            wit.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit")).unwrap();
            let package = wit.push_str("guest.wit", WORLD).unwrap();
            (wit, package, "guest")
        };
        let world = wit.select_world(&[package], Some(world)).unwrap();
        wit_component::embed_component_metadata(&mut bytes, &wit, world, wit_component::StringEncoding::UTF8).unwrap();
        bytes
    }

    /// How its inspection by a runtime ends.
    pub fn inspect_in(&self, runtime: &postigo_sandbox::Runtime) -> Result<postigo_sandbox::Inspection, UploadRefusal> {
        runtime.inspect(&self.module(), Asker::Host)
    }

    pub fn prepare(&self, memory: u64) -> Result<Arc<Group>, PrepareError> {
        self.prepare_within(GuestLimits { time: LONG, memory })
    }

    fn prepare_within(&self, limits: GuestLimits) -> Result<Arc<Group>, PrepareError> {
        let inspected = runtime().inspect(&self.module(), Asker::Host).map_err(PrepareError::Refused)?;
        let spec = GroupSpec {
            component: inspected.component.into(),
            digest: inspected.description.digest,
            members: vec![GroupMember::new("one", serde_json::json!({}))],
            grants: Vec::new(),
            limits,
        };
        runtime().prepare(&spec, Asker::Host)
    }

    pub fn evaluate(&self) -> Result<Verdict, CallFailure> {
        evaluate(&self.prepare(16 << 20).unwrap(), 0)
    }

    pub fn fails_as(&self, kind: FailureKind) -> String {
        let failure = self.evaluate().unwrap_err();
        assert_eq!(failure.kind, kind, "{failure}");
        failure.message
    }
}

/// The fields that [`reads_fields`] reads: their last two letters are the two halves of a number below 256.
pub fn field_names() -> impl Iterator<Item = String> {
    (b'a'..=b'p')
        .flat_map(|high| (b'a'..=b'p').map(move |low| format!("X-Blank-{}{}", char::from(high), char::from(low))))
}

/// A guest that reads all of [`field_names`].
pub fn reads_fields(limits: GuestLimits) -> Arc<Group> {
    let guest = ByHand {
        imports:
            r#"(import "postigo:message/message@1.0.0" "[method]mail.headers" (func $headers (param i32 i32 i32 i32)))"#
                .into(),
        parts: r#"(data (i32.const 600) "X-Blank-")"#.into(),
        evaluate: "(local $n i32)
            (loop $again
              (i32.store8 (i32.const 608) (i32.add (i32.const 97) (i32.shr_u (local.get $n) (i32.const 4))))
              (i32.store8 (i32.const 609) (i32.add (i32.const 97) (i32.and (local.get $n) (i32.const 15))))
              (call $headers (local.get 1) (i32.const 600) (i32.const 10) (i32.const 700))
              (local.set $n (i32.add (local.get $n) (i32.const 1)))
              (br_if $again (i32.lt_u (local.get $n) (i32.const 256))))"
            .into(),
        ..ByHand::default()
    };
    guest.prepare_within(limits).unwrap()
}

fn in_result(result: &str) -> ByHand {
    ByHand { result: result.into(), ..ByHand::default() }
}

#[test]
fn a_guest_by_hand_works() {
    assert!(!ByHand::default().evaluate().unwrap().matched);
}

#[test]
fn nonsense_in_a_result_is_bad_output() {
    // Neither ok nor error.
    in_result(r"\07").fails_as(FailureKind::Output);
    // A bool that is neither: by the canonical ABI that is true.
    assert!(in_result(r"\00\00\00\00\09").evaluate().unwrap().matched);
    // A reason of a gigabyte.
    in_result(r"\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\40")
        .fails_as(FailureKind::Output);
    // Changes by the hundred million.
    in_result(r"\00\00\00\00\00\00\00\00\00\00\00\00\ff\ff\ff\0f\00\00\00\00\00\00\00\00")
        .fails_as(FailureKind::Output);
    // Changes that lie outside the memory.
    in_result(r"\00\00\00\00\00\00\00\00\f0\ff\ff\ff\01\00\00\00\00\00\00\00\00\00\00\00")
        .fails_as(FailureKind::Output);
    // A reason that is not UTF-8.
    let not_utf8 = r"\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\e0\00\00\00\02\00\00\00\ff\fe";
    assert!(in_result(not_utf8).fails_as(FailureKind::Output).contains("utf-8"));
}

#[test]
fn many_changes_that_share_a_long_string_are_bad_output() {
    // 5,000 changes, each pointing at the same 60 KB: 300 MB if they were copied.
    let fill = "(func $fill (local $n i32)
        (loop $next
          (i32.store (i32.add (i32.const 66000) (i32.shl (local.get $n) (i32.const 2))) (i32.const 60000))
          (local.set $n (i32.add (local.get $n) (i32.const 1)))
          (br_if $next (i32.lt_u (local.get $n) (i32.const 20000)))))";
    let guest = ByHand {
        memory: "4".into(),
        parts: fill.into(),
        configure: "(call $fill)".into(),
        result: r"\00\00\00\00\00\00\00\00\d0\01\01\00\88\13\00\00\00\00\00\00\00\00\00\00".into(),
        ..ByHand::default()
    };
    guest.fails_as(FailureKind::Output);
}

#[test]
fn a_verdict_sets_a_thousand_headers_at_most() {
    // Changes of zeroes: empty names and values.
    let changes =
        |count: &str| in_result(&format!(r"\00\00\00\00\00\00\00\00\70\11\01\00{count}\00\00\00\00\00\00\00\00"));
    assert_eq!(changes(r"\e8\03\00\00").evaluate().unwrap().changes.len(), 1000);
    assert!(changes(r"\e9\03\00\00").fails_as(FailureKind::Output).contains("1001 headers; at most 1000"));
}

#[test]
fn an_endless_recursion_exhausts_its_own_stack_only() {
    let guest = ByHand {
        parts: "(func $deep (param i32) (result i32) (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))".into(),
        evaluate: "(drop (call $deep (i32.const 0)))".into(),
        ..ByHand::default()
    };
    assert!(guest.fails_as(FailureKind::Trap).contains("stack"));
}

#[test]
fn a_mail_that_is_kept_beyond_its_call_is_a_trap() {
    // It returns without giving the borrowed mail back.
    let guest = ByHand { evaluate: "(return (i32.const 200))".into(), ..ByHand::default() };
    let failure = guest.evaluate().unwrap_err();
    assert!(matches!(failure.kind, FailureKind::Trap | FailureKind::Output), "{failure}");
    // It uses a mail that nobody lent.
    let guest = ByHand {
        imports: r#"(import "postigo:message/message@1.0.0" "[method]mail.generation" (func $generation (param i32) (result i64)))"#.into(),
        evaluate: "(drop (call $generation (i32.const 77)))".into(),
        ..ByHand::default()
    };
    let failure = guest.evaluate().unwrap_err();
    assert!(matches!(failure.kind, FailureKind::Trap | FailureKind::Output), "{failure}");
}

#[test]
fn memory_is_counted_over_all_memories() {
    // Sixteen memories of 2 MiB each pass one by one, and not together.
    let guest = ByHand { parts: "(memory 32)\n".repeat(16), ..ByHand::default() };
    assert_eq!(started(&guest, 16 << 20), Err(FailureKind::Memory));
    assert_eq!(started(&guest, 64 << 20), Ok(()));
    let grow = ByHand {
        parts: "(memory $more 1)".into(),
        evaluate: "(if (i32.eq (memory.grow $more (i32.const 300)) (i32.const -1)) (then unreachable))".into(),
        ..ByHand::default()
    };
    grow.fails_as(FailureKind::Memory);
}

/// How a guest's start with a memory limit ends.
fn started(guest: &ByHand, memory: u64) -> Result<(), FailureKind> {
    match guest.prepare(memory) {
        Ok(group) => evaluate(&group, 0).map(drop).map_err(|failure| failure.kind),
        Err(PrepareError::Failed(failure)) => Err(failure.kind),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn tables_are_memory_too() {
    let grown = ByHand {
        parts: "(table $t 1 funcref)".into(),
        evaluate: "(if (i32.eq (table.grow $t (ref.null func) (i32.const 5000000)) (i32.const -1)) (then unreachable))"
            .into(),
        ..ByHand::default()
    };
    // Growing a table cannot be snapshotted, so this one also goes the way of instances made ahead.
    assert!(!grown.prepare(16 << 20).unwrap().cost().snapshot);
    grown.fails_as(FailureKind::Memory);
    let large = ByHand { parts: "(table $t 5000000 funcref)".into(), ..ByHand::default() };
    assert_eq!(started(&large, 16 << 20), Err(FailureKind::Memory));
}

#[test]
fn a_memory_at_its_maximum_costs_more_and_works() {
    let guest = ByHand { memory: "2 2".into(), ..ByHand::default() };
    let group = guest.prepare(16 << 20).unwrap();
    let cost = group.cost();
    assert!(!cost.snapshot && !cost.because.is_empty(), "{cost:?}");
    for _ in 0..20 {
        assert!(!evaluate(&group, 0).unwrap().matched);
    }
}

#[test]
fn instances_made_ahead_are_fresh_for_every_message() {
    // At its maximum, so without a snapshot; it counts its calls at 400 and traps at the second one.
    let guest = ByHand {
        memory: "2 2".into(),
        evaluate: "(i32.store (i32.const 400) (i32.add (i32.load (i32.const 400)) (i32.const 1)))
                   (if (i32.gt_u (i32.load (i32.const 400)) (i32.const 1)) (then unreachable))"
            .into(),
        ..ByHand::default()
    };
    let group = guest.prepare(16 << 20).unwrap();
    for _ in 0..20 {
        let mut session = GuestSession::open(&group).unwrap();
        let first: Box<Mail> = mail("One");
        let called = session.evaluate(0, first, None);
        assert!(called.result.is_ok());
        assert_eq!(session.evaluate(0, called.mail, None).result.unwrap_err().kind, FailureKind::Trap);
    }
}

#[test]
fn a_configure_that_every_message_would_wait_for_has_less_time() {
    // It has a global that cannot be snapshotted.
    let parts = "(global $v (mut v128) (v128.const i64x2 0 0))";
    let guest = ByHand { parts: parts.into(), configure: "(loop $l (br $l))".into(), ..ByHand::default() };
    let said = guest.prepare(16 << 20).map(|_| "prepared").unwrap_err();
    assert!(
        matches!(&said, PrepareError::Failed(CallFailure { kind: FailureKind::Timeout, message }) if message.contains("5000 ms")),
        "{said}"
    );
}

#[test]
fn a_start_function_that_loops_times_out() {
    let guest = ByHand { parts: "(func $start (loop $l (br $l))) (start $start)".into(), ..ByHand::default() };
    let said = runtime().inspect(&guest.module(), Asker::Host).map(|_| "taken").unwrap_err();
    assert!(matches!(&said, UploadRefusal::Describe(CallFailure { kind: FailureKind::Timeout, .. })), "{said}");
}

#[test]
fn a_compile_bomb_ends_in_the_child() {
    // Every loop may be left and begun again with any value in every local: a hundred kilobytes here, a product of both
    // numbers there.
    let (loops, locals) = (2000, 20_000);
    let mut body = format!("(local {})", "i64 ".repeat(locals));
    (0..loops).for_each(|_| body.push_str("(loop "));
    (1..=locals).for_each(|local| {
        write!(body, "(local.set {local} (i64.add (local.get {local}) (i64.const {local})))").unwrap();
    });
    (0..loops).for_each(|label| write!(body, "(br_if {label} (local.get 0))").unwrap());
    (0..loops).for_each(|_| body.push(')'));
    let guest = ByHand { parts: format!("(func $bomb (param i32) {body})"), ..ByHand::default() };
    let module = guest.module();
    assert!(module.len() < 1 << 20, "{} bytes", module.len());
    let said = runtime().inspect(&module, Asker::Host).map(|_| "taken").unwrap_err();
    assert!(matches!(said, UploadRefusal::Compile(_)), "{said}");
    assert!(evaluate(&group(&["behave"]), 0).unwrap().matched, "the runtime goes on");
}

#[test]
fn a_settings_schema_is_bounded_at_upload() {
    let refused = |schema: serde_json::Value| {
        let guest = ByHand { schema: schema.to_string(), ..ByHand::default() };
        let said = runtime().inspect(&guest.module(), Asker::Host).map(|_| "taken").unwrap_err();
        assert!(matches!(&said, UploadRefusal::Description(_)), "{said}");
        said.to_string()
    };
    let json = |text: String| serde_json::from_str::<serde_json::Value>(&text).unwrap();
    assert!(refused(json(r##"{"allOf":[{"$ref":"#"}]}"##.into())).contains("again and again"));
    let levels: Vec<String> = (0..28)
        .map(|level| {
            format!(r##""n{level}":{{"allOf":[{{"$ref":"#/$defs/n{0}"}},{{"$ref":"#/$defs/n{0}"}}]}}"##, level + 1)
        })
        .collect();
    let doubling = format!(r##"{{"$ref":"#/$defs/n0","$defs":{{{},"n28":true}}}}"##, levels.join(","));
    assert!(refused(json(doubling)).contains("written out"));
    assert!(refused(json(r#"{"type":"nothing"}"#.into())).contains("no JSON Schema"));
    // Thirty bytes that compile to more than a megabyte.
    assert!(refused(serde_json::json!({ "pattern": "((((a{99}){99}){99}){99}){99}" })).contains("no JSON Schema"));
    let guest = ByHand { schema: r#"{"type":"object"}"#.into(), ..ByHand::default() };
    assert_eq!(runtime().inspect(&guest.module(), Asker::Host).unwrap().description.settings_schema["type"], "object");
}

#[test]
fn a_schema_that_grows_with_the_settings_ends_in_the_child() {
    // Each level of the settings is looked at twice as often as the one above.
    let schema = serde_json::json!({ "$ref": "#/$defs/n", "$defs": { "n": { "allOf": [
        { "properties": { "a": { "$ref": "#/$defs/n" } } }, { "properties": { "a": { "$ref": "#/$defs/n" } } }
    ] } } });
    let check = |depth: usize| {
        let settings = (0..depth).fold(serde_json::json!({}), |inner, _| serde_json::json!({ "a": inner }));
        runtime().check_settings(&schema, &[GroupMember::new("one", settings)], Asker::Host)
    };
    assert_eq!(check(3), Ok(Vec::new()));
    let said = check(60).unwrap_err();
    assert!(matches!(&said, UploadRefusal::Description(_)), "{said}");
    let cyclic = serde_json::json!({ "allOf": [{ "$ref": "#" }] });
    let said = runtime().check_settings(&cyclic, &[], Asker::Host).unwrap_err();
    assert!(said.to_string().contains("again and again"), "one that an earlier version kept is refused too: {said}");
}

#[test]
fn imports_that_are_not_offered_are_named() {
    let refused = |import: &str| {
        let wit = format!("(component (import \"{import}\" (instance)))");
        let said = runtime().inspect(&wat::parse_str(wit).unwrap(), Asker::Host).map(|_| "taken").unwrap_err();
        assert!(matches!(&said, UploadRefusal::Import { import: named, .. } if named == import), "{said}");
        said.to_string()
    };
    for reserved in ["state", "http"] {
        assert!(refused(&format!("postigo:plugin/{reserved}@1.1.0")).contains("reserved"));
        assert!(refused(&format!("postigo:filter/{reserved}@1.1.0")).contains("reserved"));
    }
    assert!(refused("postigo:message/message@2.0.0").contains("this Postigo has postigo:message/message@1.0.0"));
    assert!(refused("postigo:classifier/models@1.0.0").contains("no package postigo:classifier"));
    assert!(refused("acme:cloud/upload@0.3.0").contains("postigo:message/message@1.0.0"));
}

#[test]
fn a_guest_of_a_later_contract_runs_or_hears_which_version_is_here() {
    let says = |guest: &ByHand| match guest.prepare(16 << 20) {
        Ok(group) => evaluate(&group, 0).map(|_| "ran".to_owned()).unwrap(),
        Err(error) => error.to_string(),
    };
    assert_eq!(says(&ByHand { later: true, ..ByHand::default() }), "ran", "it needs no more than there is here");
    let imports =
        r#"(import "postigo:message/message@1.0.0" "[method]mail.later" (func $later (param i32) (result i64)))"#;
    let evaluate = "(drop (call $later (local.get 1)))";
    let needs_more =
        says(&ByHand { later: true, imports: imports.into(), evaluate: evaluate.into(), ..ByHand::default() });
    for part in
        ["imports `postigo:message/message@1.1.0`", "postigo:message/message@1.0.0, which this Postigo has", "later"]
    {
        assert!(needs_more.contains(part), "{part} is missing in: {needs_more}");
    }
}

#[test]
fn an_export_of_another_type_is_refused_at_upload_by_its_name() {
    let (settings, bytes) = ("configure: func(filters: list<filter-settings>)", "configure: func(filters: list<u8>)");
    let cases = [
        ("configure", (settings, bytes)),
        ("evaluate", ("-> result<verdict, string>", "-> result<verdict, list<u8>>")),
        ("settable-headers", ("settable-headers: func() -> list<string>", "settable-headers: func() -> list<u8>")),
    ];
    for (name, instead) in cases {
        let refused = ByHand { instead: Some(instead), ..ByHand::default() }.inspect_in(&runtime()).unwrap_err();
        let said = refused.to_string();
        assert!(said.contains(&format!("`{name}`")) && said.contains("postigo:filter/filter@1.1.0"), "{said}");
    }
}
