//! Components that are valid and small, and grow without bounds in what compiles them: the child's limits end each, and
//! nothing else ends.

use super::by_hand::ByHand;
use super::harness::*;
use postigo_sandbox::{Asker, UploadRefusal};
use std::fmt::Write as _;

/// A component with these parts that calls itself a filter.
fn component(parts: &str) -> Vec<u8> {
    let exports = ["postigo:filter/filtering@1.1.0", "postigo:plugin/setup@1.1.0"]
        .map(|name| format!("(export {name:?} (instance $guest))"));
    let text = format!("(component {parts} (instance $guest) {})", exports.concat());
    wat::parse_str(text).unwrap()
}

/// Asserts that a bomb is valid and of a size that is taken, that it is refused, and that the next component is not;
/// gives the reason.
fn defused(bytes: &[u8]) -> UploadRefusal {
    wasmparser::Validator::new().validate_all(bytes).unwrap();
    assert!(bytes.len() < 32 << 20, "{} bytes", bytes.len());
    let refused = runtime().inspect(bytes, Asker::Host).map(|_| "taken").unwrap_err();
    assert!(runtime().inspect(&built("hostile"), Asker::Host).is_ok(), "the runtime goes on");
    refused
}

/// As [`defused`]; the child was ended by a limit while it compiled.
fn ended_by_a_limit(bytes: &[u8]) {
    let refused = defused(bytes);
    let told =
        matches!(&refused, UploadRefusal::Compile(reason) if reason.contains("memory") || reason.contains("time"));
    assert!(told, "{refused}");
}

/// Components each of which has so many instances of the one before; `first` is what the innermost is made of.
fn exponential(first: &str, levels: usize, instances: usize) -> String {
    let mut text = format!("(component $c0 {first})");
    for level in 1..=levels {
        write!(text, "(component $c{level} {})", format!("(instance (instantiate $c{}))", level - 1).repeat(instances))
            .unwrap();
    }
    write!(text, "(instance (instantiate $c{levels}))").unwrap();
    text
}

#[test]
fn uploads_that_are_refused_leave_nothing_on_disk() {
    let cache = tempfile::tempdir().unwrap();
    let runtime = runtime_in(cache.path().to_owned());
    let files = |folder: &str| -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![cache.path().join(folder)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    found.push(entry.file_name().into_string().unwrap());
                }
            }
        }
        // Notes of wasmtime's own: beside a file, which it deletes with it, and of when it tidied. A thread of it may be about
        // to write one.
        let endings = [".stats", ".wip-atomic-write-stats"];
        found.retain(|name| !endings.iter().any(|ending| name.ends_with(ending)) && !name.starts_with(".cleanup"));
        found
    };
    for variant in 0..5 {
        let traps = ByHand {
            parts: format!("(func (result i32) (i32.const {variant}))"),
            describe: "unreachable".into(),
            ..ByHand::default()
        };
        let refused = traps.inspect_in(&runtime).unwrap_err();
        assert!(matches!(refused, UploadRefusal::Describe(_)), "{refused}");
    }
    assert_eq!([files("functions"), files("code"), files("snapshots")], [const { Vec::<String>::new() }; 3]);
    assert!(ByHand::default().inspect_in(&runtime).is_ok());
    assert_eq!(files("functions").len(), 1);
}

#[test]
fn instances_of_instances_of_instances() {
    ended_by_a_limit(&component(&exponential("", 9, 10)));
}

#[test]
fn a_bomb_that_is_padded_to_the_size_of_an_interpreter() {
    let mut bytes = component(&exponential("(core module $m) (core instance (instantiate $m))", 9, 10));
    // A custom section: a name, and thirty MiB of nothing.
    bytes.extend_from_slice(&section(0, &[b"\x07padding".as_slice(), &vec![0; 30 << 20]].concat()));
    ended_by_a_limit(&bytes);
}

#[test]
fn modules_in_instances_of_instances() {
    ended_by_a_limit(&component(&exponential("(core module $m) (core instance (instantiate $m))", 9, 10)));
}

#[test]
fn memories_in_instances_of_instances() {
    ended_by_a_limit(&component(&exponential("(core module $m (memory 1)) (core instance (instantiate $m))", 9, 10)));
}

#[test]
fn functions_that_are_passed_on_from_instance_to_instance() {
    let mut text = String::from(
        "(component $c0 (core module $m (func (export \"f\"))) (core instance $i (instantiate $m))
         (func (export \"f\") (canon lift (core func $i \"f\"))))",
    );
    for level in 1..=9 {
        let before = level - 1;
        let mut calls = String::new();
        for instance in 0..10 {
            write!(
                calls,
                "(instance $i{instance} (instantiate $c{before})) (core func $f{instance} (canon lower (func $i{instance} \"f\")))"
            )
            .unwrap();
        }
        write!(
            text,
            "(component $c{level} {calls} (core module $m (import \"\" \"f\" (func $f)) (func (export \"f\") call $f))
             (core instance $i (instantiate $m (with \"\" (instance (export \"f\" (func $f0))))))
             (func (export \"f\") (canon lift (core func $i \"f\"))))"
        )
        .unwrap();
    }
    ended_by_a_limit(&component(&format!("{text} (instance (instantiate $c9))")));
}

#[test]
fn components_within_components() {
    let header = b"\0asm\x0d\0\x01\0";
    // Deeper than the text format goes: section 4 of a component is a component.
    let mut inner = header.to_vec();
    for _ in 0..3_000 {
        inner = [header.as_slice(), &section(4, &inner)].concat();
    }
    let outer = component("");
    let bytes = [header.as_slice(), &section(4, &inner), &outer[header.len()..]].concat();
    defused(&bytes);
    let text = format!("{}{}", "(component ".repeat(90), ")".repeat(90));
    defused(&component(&text));
}

/// A section of a binary: its number, its length in LEB128, its bytes.
fn section(number: u8, bytes: &[u8]) -> Vec<u8> {
    let (mut section, mut left) = (vec![number], bytes.len());
    loop {
        let low = (left & 0x7f) as u8;
        left >>= 7;
        section.push(if left == 0 { low } else { low | 0x80 });
        if left == 0 {
            return [section.as_slice(), bytes].concat();
        }
    }
}

#[test]
fn values_of_values_of_values_that_adapters_copy() {
    // Each type is eight of the one before; two components hand one over.
    let mut types = String::from("(type $t0 string)");
    for level in 1..=5 {
        write!(types, "(type $t{level} (tuple {}))", format!("$t{} ", level - 1).repeat(8)).unwrap();
    }
    let memory = "(core module $m (memory (export \"m\") 1) (func (export \"r\") (param i32 i32 i32 i32) (result i32) unreachable)
        (func (export \"f\") (param i32)))
        (core instance $i (instantiate $m)) (alias core export $i \"m\" (core memory $mem)) (alias core export $i \"r\" (core func $r))";
    let options = "(memory $mem) (realloc $r)";
    let text = format!(
        "(component $a {types} {memory} (func (export \"f\") (param \"x\" $t5) (canon lift (core func $i \"f\") {options})))
         (component $b {types} (import \"f\" (func $f (param \"x\" $t5))) {memory}
           (core func $l (canon lower (func $f) {options}))
           (core module $n (import \"\" \"f\" (func (param i32)))) (core instance (instantiate $n (with \"\" (instance (export \"f\" (func $l)))))))
         (instance $ia (instantiate $a)) (instance (instantiate $b (with \"f\" (func $ia \"f\"))))"
    );
    defused(&component(&text));
}

#[test]
fn a_module_that_writes_into_every_page_of_its_memory() {
    // A byte in each of 30,000 pages of 4 KiB: 117 MiB from a third of one, in each of three modules.
    let mut data = String::new();
    (0..30_000_u32).for_each(|page| write!(data, "(data (i32.const {}) \"x\")", page << 12).unwrap());
    let refused = defused(&component(&format!("(core module (memory 1875) {data})").repeat(3)));
    assert!(matches!(&refused, UploadRefusal::Compile(_) | UploadRefusal::Export(_)), "{refused}");
}

#[test]
fn blocks_within_blocks_with_a_table_of_branches() {
    let (blocks, functions) = (3_000, 60);
    let labels: String = (0..blocks).map(|label| format!("{label} ")).collect();
    let body = format!("{}(br_table {labels}(local.get 0)){}", "(block ".repeat(blocks), ")".repeat(blocks));
    let text: String = (0..functions).map(|_| format!("(func (param i32) {body})")).collect();
    defused(&component(&format!("(core module {text})")));
}
