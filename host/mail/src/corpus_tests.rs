//! Real and broken mails from the collection beside the workspace, where it is present.

use super::*;
use postigo_model::configured::DynamicField;
use postigo_skipped::without_data;
use std::path::{Path, PathBuf};

fn collection() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/mail");
    if !folder.is_dir() {
        without_data(&folder);
        return None;
    }
    Some(folder)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Reads everything that can be read of a mail, and checks what holds for every one.
fn read_whole(raw: &[u8], vocabulary: &Vocabulary) -> Mail {
    let message = OpenedMessage::as_it_came(Message::parse(raw.to_vec().into()));
    assert_eq!(message.message().raw().as_ref(), raw);
    let mail = message.vet(Envelope::default(), vocabulary).0.compute();
    for name in mail.header_names() {
        assert!(!mail.header(name).unwrap().contains(['\r', '\n', '\0']), "{name}");
        mail.addresses(name);
    }
    assert!(!mail.text().contains(['\r', '\0']));
    mail.html();
    for (index, attachment) in mail.attachments().iter().enumerate() {
        assert_eq!(mail.attachment_bytes(index).unwrap().len() as u64, attachment.size);
    }
    mail
}

#[test]
fn every_fixture_is_read() {
    let Some(folder) = collection() else { return };
    let vocabulary = Vocabulary::new(&[DynamicField::default()]);
    let fixtures: Vec<_> = files(&folder.join("mime-fixtures"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "eml"))
        .collect();
    assert!(fixtures.len() > 100, "{}", fixtures.len());
    for path in fixtures {
        let raw = std::fs::read(&path).unwrap();
        let mail = read_whole(&raw, &vocabulary);
        assert!(
            !mail.text().is_empty() || mail.message().header_names().next().is_some(),
            "{}: nothing was read",
            path.display()
        );
    }
}

#[test]
fn every_mail_of_the_corpus_is_read() {
    let Some(folder) = collection() else { return };
    let vocabulary = Vocabulary::new(&[]);
    let unpacked = tempfile::tempdir().unwrap();
    let unpack = std::process::Command::new("tar")
        .arg("-xzf")
        .arg(folder.join("spamassassin.tar.gz"))
        .arg("-C")
        .arg(unpacked.path())
        .status();
    assert!(unpack.unwrap().success());
    let mails = files(unpacked.path());
    assert!(mails.len() > 1_000, "{}", mails.len());
    for path in mails.iter().step_by(5) {
        let mail = read_whole(&std::fs::read(path).unwrap(), &vocabulary);
        assert!(mail.header("From").is_some(), "{}", path.display());
    }
}
