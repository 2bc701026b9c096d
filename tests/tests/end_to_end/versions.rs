//! Who changed what is configured, what it was before, and the way back.

use super::rest::{Rest, expect};
use postigo::store::packing::unpack;
use postigo_tests::component::Component;
use postigo_tests::gate::{Gate, on_both};
use serde_json::{Value, json};
use sqlx::{Connection as _, Row as _};

/// What is configured at first.
const CONFIGURED: &str = r#"
[[queue]]
name = "Support"
[[system_address]]
address = "Support@example.org"
queue = "Support"
[[account]]
name = "main"
protocol = "imaps"
host = "mail.example.org"
user = "support"
password = "pa55word-of-main"
[[template]]
name = "Hello"
body = "Hello."
"#;

/// What the versions of a thing tell, the latest first: number, way, what the change did, and its keys.
fn told(gate: &Gate, command: &str, name: &str) -> Vec<Value> {
    let versions = gate.json(&[command, "versions", name]);
    versions
        .iter()
        .map(|version| {
            let by = version["actor"].as_str().unwrap_or_default();
            assert!(version["way"].is_null() || by.starts_with("command line ("), "{version}");
            json!([version["number"], version["way"], version["act"], version["keys"], version["secrets"]])
        })
        .collect()
}

/// Does something with a gate's database, as somebody does by hand.
fn by_hand<T>(gate: &Gate, work: impl AsyncFnOnce(&mut sqlx::AnyConnection) -> T) -> T {
    sqlx::any::install_default_drivers();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = sqlx::AnyConnection::connect(&gate.database_url()).await.unwrap();
        work(&mut connection).await
    })
}

/// Changes rows by hand.
fn change_by_hand(gate: &Gate, statement: &'static str) {
    let changed = by_hand(gate, async |connection| sqlx::query(statement).execute(connection).await.unwrap());
    assert_eq!(changed.rows_affected(), 1, "{statement}");
}

/// What all versions say that a gate has, as they lie in its database, unpacked.
fn version_texts(gate: &Gate) -> Vec<String> {
    let rows = by_hand(gate, async |connection| {
        let statement =
            "SELECT body, keys, secrets, has_secrets, digest FROM configured_version ORDER BY kind, name, number";
        sqlx::query(statement).fetch_all(connection).await.unwrap()
    });
    let text = |row: &sqlx::any::AnyRow| {
        let packed: Vec<u8> = row.get(0);
        let body = if packed.is_empty() { Vec::new() } else { unpack("version", &packed, 1 << 20).unwrap() };
        let others: Vec<String> = (1..5).map(|column| row.get::<String, _>(column)).collect();
        format!("{} {}", String::from_utf8(body).unwrap(), others.join(" "))
    };
    rows.iter().map(text).collect()
}

/// Asserts that no secret lies in clear in the versions that a gate has.
fn versions_have_no_secret(gate: &Gate) {
    let texts = version_texts(gate);
    assert!(texts.iter().any(|text| text.contains("\"host\"")), "they can be read: {texts:?}");
    for text in texts {
        assert!(!text.contains("pa55word") && !text.contains("bound:"), "{text}");
    }
}

/// Asserts that no secret lies in what a gate has in its folder, in clear.
fn has_no_secret_in_clear(gate: &Gate) {
    for entry in std::fs::read_dir(gate.folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(8).any(|window| window == b"pa55word"), "{}", path.display());
        }
    }
}

#[test]
fn what_was_configured_before_is_listed_shown_compared_and_restored() {
    on_both(|gate| {
        gate.configure(CONFIGURED);
        gate.run(&["queue", "set", "Support", "comment=one", "follow_up=reject"]);
        let created = json!([1, "file", "created", ["name"], []]);
        let changed = json!([2, "command-line", "changed", ["follow_up", "comment"], []]);
        assert_eq!(told(gate, "queue", "Support"), [changed.clone(), created.clone()]);
        let first = &gate.json(&["queue", "show", "Support", "--version", "1"])[0];
        assert_eq!((&first["number"], &first["thing"]["follow_up"]), (&json!(1), &json!("possible")), "{first}");
        let compared = &gate.json(&["queue", "compare", "Support", "1"])[0];
        let differences = json!([
            { "key": "follow_up", "before": "possible", "after": "reject" },
            { "key": "comment", "before": "", "after": "one" }
        ]);
        assert_eq!(compared["differences"], differences, "{compared}");
        assert!(gate.run(&["queue", "compare", "Support", "1", "2"]).contains("comment: \"\" -> \"one\""));

        // A trial changes nothing; then it is as it was, by a version more.
        let said = gate.run(&["queue", "restore", "Support", "1", "--check"]);
        assert!(said.contains("Only checked") && said.contains("comment: \"one\" -> \"\""), "{said}");
        assert_eq!(told(gate, "queue", "Support").len(), 2);
        gate.run(&["queue", "restore", "Support", "1", "comment=otherwise"]);
        let shown = &gate.json(&["queue", "show", "Support"])[0];
        assert_eq!((&shown["follow_up"], &shown["comment"]), (&json!("possible"), &json!("otherwise")));
        for key in ["created_by", "changed_by"] {
            assert!(shown[key].as_str().unwrap().starts_with("command line ("), "{shown}");
        }
        assert!(shown["changed_at"].is_string() && shown["created_at"].is_string());
        assert!(!gate.run(&["config", "export"]).contains("changed_at"), "files have none of it");
        assert!(gate.run(&["queue", "restore", "Support", "3"]).contains("already"));
        assert_eq!(told(gate, "queue", "Support").len(), 3, "what changes nothing is no version");

        // An address in any spelling; what was there before the file, too.
        gate.run(&["address", "set", "SUPPORT@EXAMPLE.ORG", "comment=x"]);
        assert_eq!(told(gate, "address", "support@Example.org").len(), 2);
        gate.run(&["queue", "set", "Raw", "comment=raw"]);
        let found = json!([1, null, "found", [], []]);
        assert_eq!(told(gate, "queue", "Raw")[1], found);
        gate.run(&["queue", "restore", "Raw", "1"]);
        assert_eq!(gate.json(&["queue", "show", "Raw"])[0]["comment"], "");

        // What was deleted comes back.
        gate.run(&["template", "delete", "Hello"]);
        assert!(gate.refused(&["template", "restore", "Hello", "2"]).contains("was deleted"));
        gate.run(&["template", "restore", "Hello", "1"]);
        assert_eq!(gate.json(&["template", "show", "Hello"])[0]["body"], "Hello.");

        // The settings have no name.
        gate.configure("[settings]\nticket_hook = \"Case#\"\n");
        let settings = gate.json(&["settings", "versions"]);
        assert_eq!(settings[0]["keys"], json!(["ticket_hook"]), "{settings:?}");
        gate.run(&["settings", "restore", "1"]);
        assert_eq!(gate.json(&["settings", "show"])[0]["ticket_hook"], "Ticket#");

        // Customer users are made by files and commands alike.
        gate.run(&["customer", "set", "jane", "email=jane@customer.test"]);
        gate.run(&["customer", "set", "jane", "first_name=Jane"]);
        gate.run(&["customer", "restore", "jane", "1"]);
        let jane = &gate.json(&["customer", "show", "jane"])[0];
        assert!(jane["first_name"] == "" && jane["changed_by"].is_string(), "{jane}");
        gate.run(&["customer", "delete", "jane"]);
        assert_eq!(told(gate, "customer", "jane").len(), 1, "of who is gone only that is kept");
    });
}

#[test]
fn secrets_are_in_no_version_stay_where_they_go_and_are_told_of_where_they_are_missing() {
    on_both(|gate| {
        gate.configure(CONFIGURED);
        gate.run(&["account", "set", "main", "password=pa55word-of-later"]);
        let changed = json!([2, "command-line", "changed", [], ["password"]]);
        assert_eq!(told(gate, "account", "main")[0], changed);
        gate.run(&["account", "set", "main", "folder=Other"]);

        // It stays what it is now.
        let said = gate.run(&["account", "restore", "main", "1"]);
        assert!(said.contains("is as in version 1 again:") && said.contains("folder"), "{said}");
        let said = gate.run(&["account", "restore", "main", "1", "password=pa55word-once-more"]);
        assert!(said.contains("again, but for what was given:") && said.contains("password: a secret"), "{said}");
        assert_eq!(told(gate, "account", "main")[0], json!([5, "command-line", "changed", [], ["password"]]));
        let compared = &gate.json(&["account", "compare", "main", "1", "2"])[0];
        assert_eq!((&compared["differences"], &compared["secrets"]), (&json!([]), &json!(["password"])));

        // It goes nowhere else than it was given for.
        gate.run(&["account", "set", "main", "host=other.example.org", "password=pa55word-of-other"]);
        let said = gate.refused(&["account", "restore", "main", "1"]);
        assert!(said.contains("must be given again"), "{said}");
        assert_eq!(gate.json(&["account", "show", "main"])[0]["host"], "other.example.org", "nothing was saved");
        gate.run(&["account", "restore", "main", "1", "password=pa55word-again"]);
        assert_eq!(gate.json(&["account", "show", "main"])[0]["host"], "mail.example.org");

        // What lacks it is told of.
        gate.configure(
            "[[transport]]\nname = \"way\"\nhost = \"h.example.org\"\nuser = \"u\"\npassword = \"pa55word-out\"\n",
        );
        gate.run(&["transport", "delete", "way"]);
        let output = gate.try_run(["transport", "restore", "way", "1"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.matches("key password: is missing").count(), 1, "{said}");
        assert_eq!(gate.json(&["transport", "show", "way"])[0]["host"], "h.example.org", "the rest is there again");

        // What somebody writes into a row by hand is used, and is a secret all the same.
        gate.configure(
            "[[transport]]\nname = \"signed\"\nhost = \"h.example.org\"\nuser = \"u@example.org\"\n\
             oauth2 = { provider = \"microsoft\", tenant = \"t\", client_id = \"c\", client_secret = \"pa55word-of-client\" }\n",
        );
        has_no_secret_in_clear(gate);
        change_by_hand(
            gate,
            "UPDATE configured SET body = REPLACE(body, '\"tenant\":', '\"client_secret\":\"pa55word-by-hand\",\"tenant\":') \
             WHERE kind = 'transport' AND name = 'signed'",
        );
        change_by_hand(
            gate,
            "UPDATE configured SET body = REPLACE(body, '\"host\":', '\"password\":\"pa55word-by-hand\",\"host\":') \
             WHERE kind = 'account' AND name = 'main'",
        );
        for (command, name) in [("transport", "signed"), ("account", "main")] {
            let latest = told(gate, command, name)[0].clone();
            assert_eq!(latest[2], "found", "{latest}");
            let number = latest[0].to_string();
            let before = gate.run(&[command, "show", name, "--version", &number, "--json"]);
            gate.run(&[command, "set", name, "comment=since"]);
            let after = gate.run(&[command, "show", name, "--version", &number, "--json"]);
            for shown in [before, after] {
                assert!(shown.contains("example.org") && !shown.contains("pa55word"), "{shown}");
            }
        }
        for arguments in [
            &["account", "versions", "main", "--json"][..],
            &["account", "show", "main", "--version", "1", "--json"],
            &["account", "compare", "main", "1", "--json"],
            &["transport", "versions", "way", "--json"],
            &["transport", "show", "way", "--version", "1"],
        ] {
            let printed = gate.run(arguments);
            assert!(!printed.contains("pa55word") && !printed.contains("bound:"), "{arguments:?}: {printed}");
        }
        versions_have_no_secret(gate);
    });
}

#[test]
fn a_version_whose_component_is_gone_is_not_restored() {
    on_both(|gate| {
        let path = gate.folder().join("urgent.wasm");
        std::fs::write(&path, Component::new("urgent", "1.0.0").sets("X-OTOBO-Queue", "Junk").bytes()).unwrap();
        gate.run(&["component", "upload", path.to_str().unwrap()]);
        gate.run(&["component", "activate", "urgent"]);
        gate.configure("[[filter]]\nname = \"10\"\ncomponent = \"urgent@1.0.0\"\n");
        gate.run(&["filter", "delete", "10"]);
        gate.run(&["component", "delete", "urgent@1.0.0"]);
        let said = gate.refused(&["filter", "restore", "10", "1"]);
        assert!(said.contains("no component \"urgent@1.0.0\""), "{said}");
        assert_eq!(gate.json(&["filter", "list"]), Vec::<Value>::new());
        gate.run(&["component", "upload", path.to_str().unwrap()]);
        gate.run(&["component", "activate", "urgent"]);
        let uploaded = &gate.json(&["component", "show", "urgent"])[0];
        for key in ["uploaded_by", "activated_by"] {
            assert!(uploaded[key].as_str().unwrap().starts_with("command line ("), "{uploaded}");
        }
        gate.run(&["filter", "restore", "10", "1"]);
        let shown = &gate.json(&["filter", "show", "10"])[0];
        assert_eq!((&shown["component"], &shown["digest"].is_null()), (&json!("urgent@1.0.0"), &true), "{shown}");
        assert!(shown["changed_by"].is_string(), "{shown}");
    });
}

#[test]
fn over_rest_each_change_has_the_token_and_a_version_is_restored_where_nobody_was_first() {
    on_both(|gate| {
        gate.configure(CONFIGURED);
        let daemon = gate.serve("warn");
        let admin = Rest::new(gate, &daemon, "admin");
        let reader = Rest::new(gate, &daemon, "reader");
        let by = format!("token {} (made on the command line)", admin.get("/whoami")["id"]);
        let token = &admin.get("/tokens")["items"][0];
        assert!(token["created_by"].as_str().unwrap().starts_with("command line ("), "{token}");
        let shown = admin.get("/queues/Support");
        admin.json("PUT", "/queues/Support", &shown, 200);
        assert_eq!(reader.get("/queues/Support/versions")["items"].as_array().unwrap().len(), 1, "nothing was changed");
        admin.json("PATCH", "/queues/Support", &json!({ "comment": "by rest" }), 200);
        let versions = reader.get("/queues/Support/versions");
        let latest = &versions["items"][0];
        assert_eq!(
            (&latest["actor"], &latest["way"], &latest["keys"]),
            (&json!(by), &json!("rest"), &json!(["comment"]))
        );
        let listed = reader.get("/queues?search=by%20rest");
        assert_eq!(listed["items"][0]["changed_by"], json!(by), "{listed}");
        assert_eq!(admin.get("/queues/Support/versions/1")["thing"]["comment"], "");
        reader.json("GET", "/queues/Support/versions/1", &Value::Null, 403);
        admin.json("GET", "/queues/Support/versions/9", &Value::Null, 404);
        reader.json("GET", "/queues/None/versions", &Value::Null, 404);
        reader.json("POST", "/queues/Support/versions/1/restore", &json!({}), 403);

        let restore = |tag: &str, query: &str| {
            let url = format!("{}/queues/Support/versions/1/restore{query}", admin.url);
            let request = admin.client.post(url).bearer_auth(&admin.token).header("content-type", "application/json");
            request.header("if-match", tag).body("{}").send().unwrap()
        };
        let tag = |rest: &Rest| {
            let response = rest.send("GET", "/queues/Support", "application/json", "");
            response.headers()["etag"].to_str().unwrap().to_owned()
        };
        let seen = tag(&admin);
        let tried = expect(restore(&seen, "?check=true"), 200);
        assert_eq!(tried["differences"], json!([{ "key": "comment", "before": "by rest", "after": "" }]), "{tried}");
        admin.json("PATCH", "/queues/Support", &json!({ "comment": "by somebody else" }), 200);
        expect(restore(&seen, ""), 412);
        assert_eq!(admin.get("/queues/Support")["comment"], "by somebody else");
        let restored = expect(restore(&tag(&admin), ""), 200);
        assert_eq!((&restored["comment"], &restored["differences"][0]["key"]), (&json!(""), &json!("comment")));
        let page = reader.get("/queues/Support/versions?limit=2");
        let numbers = |page: &Value| {
            let items = page["items"].as_array().unwrap().iter();
            items.map(|version| version["number"].as_i64().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(numbers(&page), [4, 3]);
        let cursor = page["next_cursor"].as_str().unwrap();
        assert_eq!(numbers(&reader.get(&format!("/queues/Support/versions?limit=2&cursor={cursor}"))), [2, 1]);

        // The settings, and what was deleted.
        admin.json("PATCH", "/settings", &json!({ "ticket_hook": "Case#" }), 200);
        assert_eq!(admin.get("/settings/versions")["items"][0]["actor"], json!(by));
        let settings = admin.json("POST", "/settings/versions/1/restore", &json!({}), 200);
        assert_eq!(settings["ticket_hook"], "Ticket#");
        admin.json("DELETE", "/templates/Hello", &Value::Null, 204);
        assert_eq!(admin.json("POST", "/templates/Hello/versions/1/restore", &json!({}), 201)["body"], "Hello.");
        assert_eq!(admin.get("/templates/Hello")["created_by"], json!(by));
        admin.json("POST", "/customer-users", &json!({ "login": "jane", "email": "jane@customer.test" }), 201);
        admin.json("PATCH", "/customer-users/jane", &json!({ "first_name": "Jane" }), 200);
        let jane = admin.json("POST", "/customer-users/jane/versions/1/restore", &json!({}), 200);
        assert_eq!((&jane["first_name"], &jane["differences"][0]["before"]), (&json!(""), &json!("Jane")));
        let account = admin.get("/accounts/main/versions/1");
        assert_eq!(account["has_secrets"], json!(["password"]));
        assert!(!account.to_string().contains("pa55word"));

        admin.json("POST", "/filters", &json!({ "name": "10", "component": "match", "grants": ["raw"] }), 201);
        admin.json("PATCH", "/filters/10", &json!({ "grants": [] }), 200);
        let filter = admin.json("POST", "/filters/10/versions/1/restore", &json!({}), 200);
        assert_eq!((&filter["grants"], &filter["differences"]), (&json!([]), &json!([])), "{filter}");
        assert_eq!(filter["warnings"][0]["pointer"], "/grants", "{filter}");

        // What was in a version and nobody is to see.
        admin.json("PATCH", "/templates/Hello", &json!({ "body": "The key is k3y." }), 200);
        admin.json("PATCH", "/templates/Hello", &json!({ "body": "Hello." }), 200);
        reader.json("DELETE", "/templates/Hello/versions", &Value::Null, 403);
        admin.json("DELETE", "/templates/Hello/versions", &Value::Null, 204);
        assert!(!version_texts(gate).concat().contains("k3y"));
        let versions = admin.get("/templates/Hello/versions");
        let changed =
            versions["items"].as_array().unwrap().iter().find(|version| version["forgotten"] == true).unwrap();
        assert_eq!((&changed["actor"], &changed["keys"]), (&json!(by), &json!(["body"])), "{versions}");
        let path = format!("/templates/Hello/versions/{}", changed["number"]);
        assert_eq!(admin.get(&path)["thing"], Value::Null);
        admin.json("POST", &format!("{path}/restore"), &json!({}), 409);
        admin.json("DELETE", "/templates/None/versions", &Value::Null, 404);
    });
}

#[test]
fn what_versions_forget_is_shown_by_nobody_and_who_changed_it_stays() {
    on_both(|gate| {
        gate.configure(CONFIGURED);
        for comment in ["k3y", "", "other"] {
            gate.run(&["queue", "set", "Support", &format!("comment={comment}")]);
        }
        assert!(version_texts(gate).concat().contains("k3y"));
        let said = gate.run(&["queue", "forget-versions", "Support", "2"]);
        assert!(said.contains("1 version has forgotten"), "{said}");
        assert!(!version_texts(gate).concat().contains("k3y"));
        assert!(gate.run(&["queue", "versions", "Support"]).contains("changed: comment (what it was is forgotten)"));
        assert_eq!(gate.json(&["queue", "show", "Support", "--version", "2"])[0]["thing"], Value::Null);
        for arguments in [&["queue", "restore", "Support", "2"][..], &["queue", "compare", "Support", "2"]] {
            assert!(gate.refused(arguments).contains("is forgotten"), "{arguments:?}");
        }
        let said = gate.run(&["queue", "forget-versions", "Support"]);
        assert!(said.contains("2 versions have forgotten"), "what it is now stays: {said}");
        let forgotten: Vec<Value> = gate
            .json(&["queue", "versions", "Support"])
            .into_iter()
            .map(|version| version["forgotten"].clone())
            .collect();
        assert_eq!(forgotten, [false, true, true, true]);
        assert!(gate.run(&["queue", "forget-versions", "Support"]).contains("No version"));
        assert!(gate.refused(&["queue", "forget-versions", "Raw", "1"]).contains("Change it first"));
        assert!(gate.refused(&["queue", "forget-versions", "Support", "9"]).contains("versions 1 to 4"));
        gate.run(&["queue", "restore", "Support", "4"]);
        assert!(gate.run(&["settings", "forget-versions"]).contains("No version"));
    });
}

#[test]
fn a_grant_that_was_taken_away_comes_back_only_where_it_is_given() {
    on_both(|gate| {
        gate.configure("[[filter]]\nname = \"10\"\ncomponent = \"match\"\ngrants = [\"body\", \"raw\"]\n");
        gate.run(&["filter", "set", "10", "grants=[\"body\"]", "comment=less"]);
        let said = String::from_utf8_lossy(&gate.try_run(["filter", "restore", "10", "1"]).stderr).into_owned();
        assert!(said.contains("key grants: stay as they are now: version 1 had raw, which is not restored"), "{said}");
        let shown = || gate.json(&["filter", "show", "10"]).remove(0);
        assert_eq!((&shown()["grants"], &shown()["comment"]), (&json!(["body"]), &json!("")));
        gate.run(&["filter", "restore", "10", "1", "grants=[\"body\", \"raw\"]"]);
        assert_eq!(shown()["grants"], json!(["body", "raw"]));
        gate.run(&["filter", "delete", "10"]);
        gate.run(&["filter", "restore", "10", "1"]);
        assert_eq!(shown()["grants"], json!([]), "who makes it again says what it may");
    });
}

#[test]
fn what_is_released_dropped_retried_or_cancelled_names_who_did_it() {
    on_both(|gate| {
        gate.configure(
            "[settings]\ndefault_queue = \"Support\"\n[[queue]]\nname = \"Support\"\naddress = \"support@example.org\"\n\
             [[system_address]]\naddress = \"support@example.org\"\nqueue = \"Support\"\n\
             [[filter]]\nname = \"10\"\ncomponent = \"match\"\n[filter.settings]\n\
             when = [{ header = \"Subject\", matches = \"spam\" }]\nset = [{ header = \"X-OTOBO-Ignore\", value = \"yes\" }]\n",
        );
        let path = gate.folder().join("mail.eml");
        let ingest = |subject: &str| {
            let mail = format!(
                "From: jane@customer.test\r\nMessage-ID: <{subject}@x>\r\nSubject: {subject}\r\n\r\nHello.\r\n"
            );
            std::fs::write(&path, mail).unwrap();
            gate.json(&["ingest", path.to_str().unwrap()]).remove(0)
        };
        let is_by_us = |shown: &Value| {
            assert!(shown["handled_by"].as_str().unwrap_or_default().starts_with("command line ("), "{shown}");
            assert!(shown["handled_at"].is_string(), "{shown}");
        };
        assert_eq!(ingest("spam")["status"], "ignored");
        let shown = |what: &str| gate.json(&[what, "show", "1"]).remove(0);
        assert!(shown("spool")["handled_by"].is_null() && shown("spool")["handled_at"].is_null());
        gate.run(&["spool", "release", "1"]);
        is_by_us(&shown("spool"));
        assert_eq!(shown("spool")["status"], "ignored", "it went the whole way again");
        gate.run(&["spool", "drop", "1"]);
        is_by_us(&shown("spool"));

        let number = ingest("pump")["ticket_number"].as_str().unwrap().to_owned();
        let body = gate.folder().join("body.txt");
        std::fs::write(&body, "We come.").unwrap();
        gate.run(&["ticket", "reply", &number, "--body-file", body.to_str().unwrap()]);
        assert!(shown("outbound")["handled_by"].is_null());
        gate.run(&["outbound", "cancel", "1"]);
        is_by_us(&shown("outbound"));
        let daemon = gate.serve("warn");
        let admin = Rest::new(gate, &daemon, "admin");
        let retried = admin.json("POST", "/outbound/1/retry", &Value::Null, 200);
        assert!(retried["handled_by"].as_str().unwrap().starts_with("token "), "{retried}");
    });
}
