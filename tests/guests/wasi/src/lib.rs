//! A filter that looks around in WASI through Rust's standard library and tells what it finds in its verdict, so that
//! the tests see whether a component that was built long ago still finds the same. The file in `tests/kept` was built
//! from this one for `wasm32-wasip2`: what it tells stays as it is. `make guests` builds it for a target that has no
//! WASI, which nobody runs.

use postigo_filter::{Description, FilterSettings, Group, GroupProblem, Mail, Verdict};
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant, SystemTime};
use std::{env, fs, io, net, thread};

/// All filters, which are alike.
pub struct Lookers;

impl Group for Lookers {
    fn describe() -> Description {
        Description::new("wasi", "1.0.0", "Tells what it finds in WASI.").sets("X-OTOBO-Title")
    }

    /// Prints where its settings say so: the handle by which it did is kept from then on, which no snapshot can.
    fn configure(filters: Vec<FilterSettings>) -> Result<Self, Vec<GroupProblem>> {
        if filters.iter().any(|filter| filter.settings.contains("print")) {
            println!("configured");
        }
        Ok(Self)
    }

    fn evaluate(&self, _: usize, _: &Mail<'_>) -> Result<Verdict, String> {
        println!("looking around");
        eprint!("without a line's end comes its end");
        let found = [
            format!("arguments {}", env::args_os().count()),
            format!("variables {}", env::vars_os().count()),
            format!("files {}", fs::read_dir("/").is_ok() || fs::read("/etc/passwd").is_ok()),
            format!("written {}", fs::write("/tmp/found", "me").is_ok()),
            format!("input {}", io::read_to_string(io::stdin()).unwrap_or_default().len()),
            format!("network {}", net::TcpStream::connect("127.0.0.1:25").is_ok()),
            format!("today {:?}", SystemTime::UNIX_EPOCH.elapsed().unwrap_or(Duration::MAX)),
            format!("slept {:?}", slept(Duration::from_hours(24))),
            format!("chance {:x}", RandomState::new().hash_one(1)),
        ];
        Ok(Verdict::matched().set("X-OTOBO-Title", found.join(", ")))
    }
}

/// How long it took to sleep for so long.
fn slept(time: Duration) -> Duration {
    let began = Instant::now();
    thread::sleep(time);
    began.elapsed()
}

postigo_filter::export!(group Lookers);
