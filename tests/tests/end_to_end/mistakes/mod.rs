//! Typical mistakes of configuration and command line, and what is said of each: `messages.txt` has them all, to be
//! read as an admin reads them. `POSTIGO_BLESS=1` writes it anew; what it says then is reviewed like any other text.
//!
//! The page is made of blocks. `[FILE]` begins a file, indented, that the commands after it may name; a line that begins
//! with `$ postigo` is a command, and below it stands its exit status with what it said on standard error.

use postigo_tests::gate::Gate;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What is configured when a mistake is made.
const BASE: &str = r#"
[settings]
agents = ["anna"]
[[queue]]
name = "Support"
address = "support@example.org"
[[system_address]]
address = "support@example.org"
display_name = "Support"
queue = "Support"
[[account]]
name = "main"
protocol = "imaps"
host = "mail.example.org"
user = "support"
password = "s e c r e t"
[[transport]]
name = "relay"
host = "mail.example.org"
[[dynamic_field]]
name = "Contract"
[[template]]
name = "Hello"
[[auto_response]]
name = "Receipt"
queue = "Support"
subject = "We have it"
[[filter]]
name = "10 Invoices"
component = "match"
[filter.settings]
when = [{ header = "Subject", matches = "invoice" }]
set = [{ header = "X-OTOBO-Queue", value = "Support" }]
"#;

const MAIL: &str = "From: jane@example.com\r\nSubject: invoice\r\n\r\nHello\r\n";

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/end_to_end/mistakes/messages.txt")
}

/// A command's words, as a shell takes them: with blanks between, and quotes around what has some.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// Runs a command among the files; gives its exit status and what it said, without what differs from run to run.
fn said(gate: &Gate, files: &Path, words: &[String]) -> (i32, String) {
    let mut command = gate.command();
    let output = command.args(words).current_dir(files).env("TZ", "UTC").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!text.contains("s e c r e t"), "{words:?}: {text}");
    let folder = gate.folder().display().to_string();
    let text = text.replace(&folder, "DATA").replace(&files.canonicalize().unwrap().display().to_string(), "HERE");
    (output.status.code().unwrap(), text)
}

#[test]
fn every_mistake_is_told_with_its_place_and_what_to_do() {
    let (gate, files) = (Gate::new(), tempfile::tempdir().unwrap());
    gate.configure(BASE);
    std::fs::write(files.path().join("mail.eml"), MAIL).unwrap();
    let before = gate.run(&["config", "export"]);
    let page = page();
    let text = std::fs::read_to_string(&page).unwrap();
    let (mut found, mut told, mut file) = (String::new(), 0, None::<PathBuf>);
    // What a command said is made anew; everything else stands as it is.
    let mut is_said = false;
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ postigo ") {
            let (status, text) = said(&gate, files.path(), &words(command));
            let _ = writeln!(found, "{line}\n  exit {status}");
            for line in text.lines().filter(|line| !line.trim().is_empty()) {
                let _ = writeln!(found, "  {line}");
            }
            assert!(status != 0 || text.contains("warning: "), "{command} is no mistake: {text}");
            let odd = ["Error {", "Error(", "Some(", "None", "unwrap", "panicked"];
            assert!(!odd.iter().any(|odd| text.contains(odd)), "what is said of {command} is not for people: {text}");
            if let (true, Some(file)) = (command.starts_with("config check"), &file) {
                let named = format!("{}:", file.file_name().unwrap().to_str().unwrap());
                assert!(
                    text.lines().all(|line| line.trim_start_matches("warning: ").starts_with(&named)),
                    "{command}: {text}"
                );
            }
            told += 1;
            is_said = true;
        } else if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let path = files.path().join(name);
            std::fs::write(&path, "").unwrap();
            (file, is_said) = (Some(path), false);
            let _ = writeln!(found, "{line}");
        } else if let (Some(content), Some(path), false) = (line.strip_prefix("  "), &file, is_said) {
            let text = std::fs::read_to_string(path).unwrap() + content + "\n";
            std::fs::write(path, text).unwrap();
            let _ = writeln!(found, "{line}");
        } else if !(is_said && line.starts_with("  ")) {
            is_said = false;
            let is_known = line.is_empty() || line.starts_with('#');
            assert!(is_known, "messages.txt has a line that is neither file nor command: {line}");
            if line.starts_with('#') {
                file = None;
            }
            let _ = writeln!(found, "{line}");
        }
    }
    assert!(told >= 100, "{told} mistakes");
    assert_eq!(gate.run(&["config", "export"]), before, "no mistake changes anything");
    if std::env::var_os("POSTIGO_BLESS").is_some() {
        std::fs::write(&page, &found).unwrap();
        return;
    }
    for (line, (expected, got)) in text.lines().zip(found.lines()).enumerate() {
        assert_eq!(got, expected, "messages.txt, line {}", line + 1);
    }
    assert_eq!(found.lines().count(), text.lines().count(), "messages.txt is cut short, or says more than is told");
}
