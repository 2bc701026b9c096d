//! Real and broken mails from two public collections: each is filed, and its bytes come back unchanged.
//!
//! The bytes of each mail are compared by `make proof`, of every twentieth else. Without the collections there is
//! nothing to do.

use postigo_skipped::without_data;
use postigo_tests::gate::{Gate, is_full};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the collections lie beside a checkout.
fn collections() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/mail")
}

/// Every `.eml` below a folder, in the order of their paths.
fn mails_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "eml") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_mail_is_filed_and_its_bytes_come_back() {
    let collections = collections();
    if !collections.is_dir() {
        without_data(&collections);
        return;
    }
    let unpacked = tempfile::tempdir().unwrap();
    let archive = collections.join("spamassassin.tar.gz");
    assert!(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(unpacked.path()).status().unwrap().success());
    let mut mails = mails_below(&collections.join("mime-fixtures"));
    mails.extend(mails_below(unpacked.path()));
    assert!(mails.len() > 1_900, "both collections are there");

    let gate = Gate::new();
    let paths: Vec<&str> = mails.iter().map(|path| path.to_str().unwrap()).collect();
    let results = gate.json(&[&["ingest"], paths.as_slice()].concat());
    assert_eq!(results.len(), mails.len());
    let mut seen: BTreeMap<Vec<u8>, &str> = BTreeMap::new();
    let step = if is_full() { 1 } else { 20 };
    for (index, (path, result)) in paths.iter().zip(&results).enumerate() {
        let raw = std::fs::read(path).unwrap();
        let known = seen.insert(raw.clone(), path);
        match result["status"].as_str().unwrap() {
            "filed" => assert!(result["ticket_number"].is_string(), "{path}: {result}"),
            "duplicate" => assert!(known.is_some(), "{path} is no other's copy: {result}"),
            other => panic!("{path} ended as {other}: {result}"),
        }
        if index % step == 0 && result["status"] == "filed" {
            let article = result["article_id"].to_string();
            let shown = gate.try_run(["article", "show", &article, "--raw"]);
            assert_eq!(shown.stdout, raw, "the received bytes of {path}");
        }
    }
}
