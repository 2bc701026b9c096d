//! What reading costs: of the worst mail of each kind, in instructions, in allocations and in memory, at most so many
//! for each of its bytes; of a body of REST, in memory. All of it is counted, nothing is timed: the figures are the
//! same on every machine.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot work ends")]

use postigo::http::reckoned;
use postigo::worker::memory_of;
use postigo_tests::worst_mails::{KINDS, PLAIN_HTML, read};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use wasmtime::{Config, Engine, Instance, Module, Store};

/// Instructions (of WebAssembly, in which the readers are run for it) for each byte.
const INSTRUCTIONS: u64 = 1_000;
/// What the bounds on fields, addresses and parts may cost besides, in a mail of any size.
const BESIDES: u64 = 100_000_000;
/// HTML that is written to be dear costs at most so many times what HTML of mail programs does.
const HTML: u64 = 3;
/// Allocated over all are so many times the bytes that the worker reckons with; and allocations are not more than those
/// bytes. What is copied again and again is seen here, since copying is one instruction.
const ALLOCATED: u64 = 5;

/// The mails' sizes.
fn sizes() -> Vec<usize> {
    let in_full = std::env::var("POSTIGO_PROOF").is_ok_and(|proof| proof == "full");
    let mib: &[usize] = if in_full { &[1, 4, 16, 32] } else { &[1, 4] };
    mib.iter().map(|mib| mib << 20).collect()
}

/// Calls `check` with each kind that is meant and each size, on all cores; what it complains of fails the test.
fn every_kind(
    sizes: &[usize],
    is_meant: impl Fn(&str) -> bool,
    check: impl Fn(usize, usize) -> Result<String, String> + Sync,
) {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let kinds: Vec<usize> = (0..KINDS.len()).filter(|kind| is_meant(KINDS[*kind].0)).collect();
    let work = || {
        while let Some(place) =
            Some(next.fetch_add(1, Ordering::Relaxed)).filter(|place| *place < kinds.len() * sizes.len())
        {
            let (kind, size) = (kinds[place / sizes.len()], sizes[place % sizes.len()]);
            match check(kind, size) {
                Ok(figures) => println!("{:<55} {:>5} KiB: {figures}", KINDS[kind].0, size >> 10),
                Err(complaint) => {
                    wrong.lock().unwrap().push(format!("{}, {} KiB: {complaint}", KINDS[kind].0, size >> 10));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, std::num::NonZero::get) {
            scope.spawn(work);
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The readers, in which instructions are counted.
struct Counted {
    engine: Engine,
    module: Module,
}

impl Counted {
    fn readers() -> Self {
        let engine = Engine::new(Config::new().consume_fuel(true)).unwrap();
        let guests = std::env::var("CARGO_TARGET_DIR")
            .map_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"), Into::into);
        let module = Module::from_file(&engine, guests.join("guests/worst-mails.wasm"))
            .expect("the guests are built (make guests)");
        Self { engine, module }
    }

    /// How many instructions it takes to read the mail of a kind; what ended it, where that is more than `most`.
    fn read(&self, kind: usize, size: usize, most: u64) -> Result<u64, String> {
        let mut store = Store::new(&self.engine, ());
        store.set_fuel(u64::MAX).unwrap();
        let instance = Instance::new(&mut store, &self.module, &[]).unwrap();
        let make = instance.get_typed_func::<(u32, u32), ()>(&mut store, "make_mail").unwrap();
        let read = instance.get_typed_func::<(), u32>(&mut store, "read_mail").unwrap();
        make.call(&mut store, (kind as u32, size as u32)).unwrap();
        store.set_fuel(most).unwrap();
        match read.call(&mut store, ()) {
            Ok(_) => Ok(most - store.get_fuel().unwrap()),
            Err(error) => Err(format!("after {most} instructions: {:?}", error.root_cause().to_string())),
        }
    }
}

#[test]
fn no_mail_costs_more_instructions_than_so_many_for_each_byte() {
    let readers = Counted::readers();
    let check = |kind: usize, size: usize| {
        let instructions = readers.read(kind, size, BESIDES + INSTRUCTIONS * size as u64)?;
        Ok(format!("{} instructions a byte", instructions / size as u64))
    };
    every_kind(&sizes(), |_| true, check);
}

#[test]
fn no_html_costs_much_more_than_what_mail_programs_write() {
    let readers = Counted::readers();
    let plain = KINDS.iter().position(|(name, _)| *name == PLAIN_HTML).unwrap();
    let size = 1 << 20;
    let usual = readers.read(plain, size, u64::MAX).unwrap();
    let check = |kind: usize, size: usize| {
        let instructions = readers.read(kind, size, HTML * usual)?;
        Ok(format!("{:.1} times", instructions as f64 / usual as f64))
    };
    // What grows as it is decoded is dear for that alone, as plain text is: "HTML that grows" is not among these.
    every_kind(&[size], |name| name.starts_with("HTML of "), check);
}

#[test]
fn no_mail_takes_more_memory_than_the_worker_reckons_with() {
    let sizes = [&[16 << 10, 128 << 10], sizes().as_slice()].concat();
    every_kind(
        &sizes,
        |_| true,
        |kind, size| {
            let raw = (KINDS[kind].1)(size);
            let bytes = raw.len() as u64;
            let counted = allocation_counter::measure(|| {
                std::hint::black_box(read(raw));
            });
            let peak = bytes + counted.bytes_max;
            let figures = format!(
                "{:.1} times its bytes at once, {:.1} over all, {:.2} allocations a byte",
                peak as f64 / bytes as f64,
                counted.bytes_total as f64 / bytes as f64,
                counted.count_total as f64 / bytes as f64
            );
            let proportionate = peak <= memory_of(bytes)
                && counted.bytes_total <= ALLOCATED * memory_of(bytes)
                && counted.count_total <= memory_of(bytes);
            if proportionate { Ok(figures) } else { Err(figures) }
        },
    );
}

/// A JSON text that repeats `unit`, of so many bytes at most: about as many.
fn repeated(begin: &str, unit: &str, end: &str, bytes: usize) -> Vec<u8> {
    format!("{begin}{}{end}", unit.repeat((bytes - begin.len() - end.len()) / unit.len())).into_bytes()
}

#[test]
fn no_body_takes_more_memory_than_is_set_aside_for_it() {
    let mut accepted = 0;
    for (begin, unit, end) in [
        ("[", "0,", "0]"),
        ("[", "[],", "0]"),
        ("[", "{},", "0]"),
        ("[", "[0],", "0]"),
        ("[", "[[0]],", "0]"),
        ("[", "{\"\":0},", "0]"),
        ("[", "{\"\":{\"\":[0]}},", "0]"),
        ("[", "{\"a\":0,\"b\":0,\"c\":0,\"d\":0},", "0]"),
        ("[", "\"\",", "0]"),
        ("[", "\"text\\n\",", "0]"),
        ("\"", "text", "\""),
        ("\"", "text\\n", "\""),
        ("", "[", ""),
        ("", "{\"a\":", ""),
    ] {
        for size in [1 << 10, 16 << 10, 64 << 10, 128 << 10, 1 << 20] {
            let body = repeated(begin, unit, end, size);
            let bytes = body.len() as u64;
            let mut room = None;
            let counted = allocation_counter::measure(|| room = reckoned(&body));
            assert!(counted.bytes_max <= 2 * bytes + 1_024, "counting {unit} takes {} bytes", counted.bytes_max);
            let Some(room) = room else { continue };
            accepted += 1;
            let mut value = None;
            let read = allocation_counter::measure(|| value = serde_json::from_slice::<serde_json::Value>(&body).ok());
            println!(
                "{unit:<20} {size:>8}: {:.1} times, {:.1} kept, {:.1} set aside",
                read.bytes_max as f64 / bytes as f64,
                read.bytes_current as f64 / bytes as f64,
                room as f64 / bytes as f64
            );
            assert!(
                u64::try_from(read.bytes_current).unwrap_or_default() <= room,
                "{unit}, {size}: {} bytes are kept of {room}",
                read.bytes_current
            );
            // A text with escapes is put together beside where it is kept.
            assert!(read.bytes_max <= room + 2 * bytes, "{unit}, {size}: {} bytes at once of {room}", read.bytes_max);
            assert!(room <= 16 << 20, "a body of 1 MiB takes 16 times as much at most");
        }
    }
    assert!(accepted > 30);
}
