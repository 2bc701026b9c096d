//! What the documentation shows is what is taken.

use super::authors::guests;
use postigo_skipped::skipped;
use postigo_tests::gate::Gate;
use std::path::{Path, PathBuf};

/// Where all that the examples lean on is configured.
const AROUND: &str = "[[queue]]\nname = \"Support\"\n\n[[queue]]\nname = \"Billing\"\n\n\
    [[system_address]]\naddress = \"support@example.org\"\nqueue = \"Support\"\n\n[[dynamic_field]]\nname = \"Invoice\"\n\n\
    [[dynamic_field]]\nname = \"GuessedQueue\"\n\n[[dynamic_field]]\nname = \"GuessedSurely\"\n";
/// What examples call a classifier that somebody uploaded, and the guest that it is here.
const CLASSIFIER: [&str; 2] = ["acme-sorter", "labels"];
/// What stands before an example that is a part of an account.
const ACCOUNT: &str = "[[account]]\nname = \"a\"\nprotocol = \"imaps\"\nhost = \"mail.example.org\"\nuser = \"u\"\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn pages() -> Vec<PathBuf> {
    let root = root();
    let docs = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .chain([root.join("README.md")])
        .collect()
}

/// The file of an example; none of one that is for another program.
fn file(component: &str, example: &str) -> Option<String> {
    match example {
        manifest if manifest.contains("[package]") => None,
        part if part.starts_with("oauth2 = ") || part.starts_with("[account.oauth2]") => {
            Some(format!("{ACCOUNT}{part}"))
        }
        part if part.starts_with("[filter.settings]") => {
            Some(format!("[[filter]]\nname = \"f\"\ncomponent = \"{component}\"\n{part}"))
        }
        whole => Some(whole.to_owned()),
    }
}

#[test]
fn every_configuration_in_the_documentation_is_valid() {
    let gate = Gate::new();
    gate.configure(AROUND);
    let labels = guests().join("labels.wasm");
    if !labels.exists() {
        return skipped("the guests are not built (make guests)");
    }
    gate.run(&["component", "upload", &labels.display().to_string()]);
    gate.run(&["component", "activate", CLASSIFIER[1]]);
    let (mut checked, mut refused) = (0, Vec::new());
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        let component = page.file_stem().unwrap().to_str().unwrap();
        let examples = text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
        for example in examples.filter_map(|example| file(component, example)) {
            let path = gate.folder().join("example.toml");
            std::fs::write(&path, example.replace(CLASSIFIER[0], CLASSIFIER[1])).unwrap();
            let mut command = gate.command();
            for secret in ["MAIN_PASSWORD", "RELAY_PASSWORD", "CLIENT_SECRET"] {
                command.env(secret, "a secret");
            }
            let output = command.args(["config", "check"]).arg(&path).output().unwrap();
            checked += 1;
            if !output.status.success() {
                refused.push(format!("{}: {example}\n{}", page.display(), String::from_utf8_lossy(&output.stderr)));
            }
        }
    }
    assert!(checked > 8 && refused.is_empty(), "{checked} examples; refused:\n{}", refused.join("\n"));
}

/// The words of a command line, as a shell takes them apart.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quote, mut begun) = (vec![String::new()], None, false);
    for character in line.chars() {
        match (quote, character) {
            (None, '"' | '\'') => (quote, begun) = (Some(character), true),
            (Some(open), _) if open == character => quote = None,
            (None, ' ') => {
                if std::mem::take(&mut begun) {
                    words.push(String::new());
                }
            }
            _ => {
                words.last_mut().unwrap().push(character);
                begun = true;
            }
        }
    }
    words
}

/// The lines of a page's section that are in blocks of this language, by block.
fn blocks<'s>(section: &'s str, language: &str) -> Vec<Vec<&'s str>> {
    let opening = format!("```{language}\n");
    let blocks = section.split(opening.as_str()).skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap().lines().collect()).collect()
}

#[test]
fn every_question_of_an_admin_is_answered_by_the_commands_and_requests_that_stand_there() {
    let gate = super::log::gate();
    gate.configure(
        "[[queue]]\nname = \"Support\"\n\n[[system_address]]\naddress = \"desk@example.org\"\nqueue = \"Raw\"\n\n\
         [[account]]\nname = \"main\"\nprotocol = \"imap\"\nhost = \"127.0.0.1\"\nport = 1\nuser = \"u\"\npassword = \"expired\"\n",
    );
    let mail = |from: &str, subject: &str| {
        super::log::ingest(&gate, &format!("From: {from}\nTo: desk@example.org\nSubject: {subject}\n\nhello\n"))
    };
    let filed = mail("Jane <jane@example.com>", "Invoice 42");
    mail("mallory@example.net", "Now");
    mail("robot@example.net", "I am away");
    let number = filed["ticket_number"].as_str().unwrap();
    gate.try_run(["fetch", "--account", "main"]);
    let daemon = gate.serve("warn");
    let rest = super::rest::Rest::new(&gate, &daemon, "admin");

    let page = std::fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let section = page.split("## Questions an admin asks").nth(1).unwrap().split("\n## ").next().unwrap();
    let (by_command, by_rest) = (blocks(section, "console"), blocks(section, "http"));
    assert_eq!((section.matches("\n**\"").count(), by_command.len(), by_rest.len()), (8, 8, 8));
    for block in by_command.iter().chain(&by_rest) {
        assert!((1..=2).contains(&block.len()), "{block:?}");
    }
    let mut told = String::new();
    for line in by_command.concat() {
        let found = gate.json(&["log", "list", "--search", "jane@example.com", "--kind", "message"]).remove(0);
        let line = line.replace("NUMBER", number).replace("ID", found["id"].as_str().unwrap());
        let words = words(line.strip_prefix("$ postigo ").unwrap());
        let mut command = gate.command();
        let output = command.env("MAIN_PASSWORD", "new").args(&words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        told.push_str(&String::from_utf8_lossy(&output.stdout));
        if line.contains(" list ") {
            assert!(!gate.json(&words.iter().map(String::as_str).collect::<Vec<_>>()).is_empty(), "{words:?}");
        }
    }
    for words in [
        "by filter:10 Invoices",
        "It sets X-OTOBO-Queue: Junk.",
        "No automatic answer (reply): the queue Junk has none of this type.",
        "Facilities",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    for line in by_rest.concat() {
        let line = line.replace("NUMBER", number).replace("ID", filed["communication"].as_str().unwrap());
        let (method, rest_of_line) = line.split_once(" /api/v1").unwrap();
        let (path, body) = rest_of_line.split_once(' ').unwrap_or((rest_of_line, ""));
        let answer = rest.send(method, path, "application/json", body);
        assert!(answer.status().is_success(), "{line}: {}", answer.text().unwrap());
        let answer: serde_json::Value = serde_json::from_str(&answer.text().unwrap()).unwrap();
        if path.contains('?') {
            assert_ne!(answer["items"], serde_json::json!([]), "{line}");
        }
    }
}

/// The sources below a folder, one after the other.
fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_promise_names_tests_that_there_are() {
    let page = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let promises = page.split("## Promises and their tests").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut tests = String::new();
    sources(&root().join("tests/tests"), &mut tests);
    // Each of the host's crates has its own.
    sources(&root().join("host"), &mut tests);
    let named: Vec<&str> =
        promises.split('`').skip(1).step_by(2).filter_map(|code| Some(code.rsplit_once("::")?.1)).collect();
    let missing: Vec<_> = named.iter().filter(|name| !tests.contains(&format!("fn {name}()"))).collect();
    assert!(named.len() > 20 && missing.is_empty(), "{missing:?}");
}
