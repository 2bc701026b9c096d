//! What tools of integrators make of the OpenAPI documents that a daemon serves, and that it works.

use super::rest::Rest;
use postigo_tests::clients::ClientTools;
use postigo_tests::gate::{Daemon, Gate, http_client};
use serde_json::json;
use std::time::Duration;

/// The documents as they are served.
const DOCUMENTS: [&str; 2] = ["openapi.json", "openapi-3.0.json"];

/// Puts both documents into the folder of the tools.
fn fetch_documents(daemon: &Daemon, tools: &ClientTools) {
    let client = http_client(Duration::from_mins(1));
    for name in DOCUMENTS {
        let response = client.get(format!("{}/api/v1/{name}", daemon.url)).send().unwrap().error_for_status().unwrap();
        std::fs::write(tools.folder().join(name), response.text().unwrap()).unwrap();
    }
}

#[test]
fn a_validator_finds_nothing_in_the_documents() {
    let Some(tools) = ClientTools::start() else { return };
    let gate = Gate::new();
    let daemon = gate.serve("warn");
    fetch_documents(&daemon, &tools);
    for name in DOCUMENTS {
        told(tools.python(&["-m", "openapi_spec_validator", "--validation-errors", "all", name]));
    }
    // It does find what is wrong.
    let document = std::fs::read_to_string(tools.folder().join(DOCUMENTS[0])).unwrap();
    let wrong = document.replacen("\"description\":\"What went wrong\",", "", 1);
    std::fs::write(tools.folder().join("wrong.json"), wrong).unwrap();
    let found = tools.python(&["-m", "openapi_spec_validator", "wrong.json"]).unwrap_err();
    assert!(found.contains("'description' is a required property"), "{found}");
}

/// What a tool said; where it failed, the test does.
fn told(said: Result<String, String>) -> String {
    said.unwrap_or_else(|said| panic!("{said}"))
}

#[test]
fn a_client_that_is_made_in_python_works_with_a_gate() {
    let Some(tools) = ClientTools::start() else { return };
    let gate = Gate::new();
    gate.configure("[[system_address]]\naddress = \"help@desk.test\"\nqueue = \"Raw\"\n");
    let daemon = gate.serve("warn");
    fetch_documents(&daemon, &tools);
    tools.take("generator.yaml");
    tools.take("program.py");
    // A warning is a part of the API that the client would not have.
    let make = [
        "-m",
        "openapi_python_client",
        "generate",
        "--meta",
        "none",
        "--config",
        "generator.yaml",
        "--fail-on-warning",
    ];
    for (document, folder) in [(DOCUMENTS[0], "postigo_client"), (DOCUMENTS[1], "postigo_client_of_3_0")] {
        told(tools.python(&[&make[..], &["--path", document, "--output-path", folder]].concat()));
    }
    let rest = Rest::new(&gate, &daemon, "admin");
    let number = told(tools.python(&["program.py", &daemon.url, &rest.token]));
    let ticket = rest.get(&format!("/tickets/{}", number.trim()));
    assert_eq!((&ticket["title"], ticket["articles"].as_array().unwrap().len()), (&json!("Printer"), 2), "{ticket:#}");
}

#[test]
fn types_that_are_made_for_typescript_hold_a_program_to_the_api() {
    let Some(tools) = ClientTools::start() else { return };
    let gate = Gate::new();
    let daemon = gate.serve("warn");
    fetch_documents(&daemon, &tools);
    tools.take("program.ts");
    tools.take("tsconfig.json");
    for document in DOCUMENTS {
        let make = [document, "--default-non-nullable", "false", "--output", "api.d.ts"];
        told(tools.node("openapi-typescript/bin/cli.js", &make));
        told(tools.node("typescript/bin/tsc", &["--project", "."]));
    }
}
