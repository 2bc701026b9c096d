//! What the documentation shows is what is taken.

use postigo_tests::gate::Gate;
use std::path::{Path, PathBuf};

/// Where all that the examples lean on is configured.
const AROUND: &str = "[[queue]]\nname = \"Support\"\n\n[[queue]]\nname = \"Billing\"\n\n\
    [[system_address]]\naddress = \"support@example.org\"\nqueue = \"Support\"\n\n[[dynamic_field]]\nname = \"Invoice\"\n";
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
    let (mut checked, mut refused) = (0, Vec::new());
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        let component = page.file_stem().unwrap().to_str().unwrap();
        let examples = text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
        for example in examples.filter_map(|example| file(component, example)) {
            let path = gate.folder().join("example.toml");
            std::fs::write(&path, &example).unwrap();
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
