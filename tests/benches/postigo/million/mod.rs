//! A database of very many mails: how quickly it is filled at its beginning and at its end, what a mail takes in it, and
//! how long lists, searches and overviews take.
//!
//! `POSTIGO_MAILS` says how many mails (100,000), `POSTIGO_MILLION` names a folder in which the databases stay, to be used
//! again; `make bench-million` sets both.

mod bytes;
mod corpus;
mod filling;
mod lists;

use super::report::section;
use filling::Filled;
use postigo_tests::gate::Gate;
use postigo_tests::postgres::Postgres;
use std::path::{Path, PathBuf};

pub fn run() {
    let mails = std::env::var("POSTIGO_MAILS").ok().and_then(|mails| mails.parse().ok()).unwrap_or(100_000_u64);
    let temporary = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("POSTIGO_MILLION").map(PathBuf::from);
    let folder = kept.as_deref().unwrap_or(temporary.path());
    for filters in [20, 100] {
        section(&format!("{mails} mails, sizes log-normal with a median of 2 KB, {filters} filters, in SQLite"));
        let data = folder.join(format!("sqlite-{filters}"));
        let filled = Filled::there(&data, mails, filters).unwrap_or_else(|| {
            let _ = std::fs::remove_dir_all(&data);
            std::fs::create_dir_all(&data).unwrap();
            filling::fill(&Gate::kept(&data, None), &data, mails, filters)
        });
        measure(&Gate::kept(&data, None), &filled, &bytes::of_sqlite(&data));
    }
    section(&format!("{mails} mails, sizes log-normal with a median of 2 KB, 20 filters, in PostgreSQL"));
    postgres(&folder.join("postgres"), mails);
}

fn postgres(folder: &Path, mails: u64) {
    const FILTERS: usize = 20;
    let data = folder.join("gate");
    let Some(server) = Postgres::kept(&folder.join("server")) else { return };
    let filled = Filled::there(&data, mails, FILTERS).unwrap_or_else(|| {
        let _ = std::fs::remove_dir_all(&data);
        std::fs::create_dir_all(&data).unwrap();
        filling::fill(&Gate::kept(&data, Some(&server.anew("million"))), &data, mails, FILTERS)
    });
    let url = server.url("million");
    measure(&Gate::kept(&data, Some(&url)), &filled, &bytes::of_postgres(&url));
}

fn measure(gate: &Gate, filled: &Filled, bytes: &bytes::Bytes) {
    filled.print();
    bytes.print();
    lists::run(gate, filled);
}
