//! What Postigo costs, each figure beside a baseline that is measured in the same run.
//!
//! `make bench` runs all; `cargo bench --workspace --bench postigo -- calls chain` the sections named: calls, chain,
//! files, fetch, lmtp, sending, accounts, daemon, reading, flood, bombed, million.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark that cannot work ends"
)]

mod accounts;
mod bombed;
mod calls;
mod chain;
mod daemon;
mod fetch;
mod files;
mod flood;
mod lmtp;
mod million;
mod reading;
mod report;
mod rules;
mod sending;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let sections: [(&str, fn()); 12] = [
        ("calls", calls::run),
        ("chain", chain::run),
        ("files", files::run),
        ("fetch", fetch::run),
        ("lmtp", lmtp::run),
        ("sending", sending::run),
        ("accounts", accounts::run),
        ("daemon", daemon::run),
        ("reading", reading::run),
        ("flood", flood::run),
        ("bombed", bombed::run),
        ("million", million::run),
    ];
    for (name, section) in sections {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            section();
        }
    }
}
