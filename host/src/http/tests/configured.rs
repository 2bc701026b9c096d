//! Configured things: the same form, rules and errors as the configuration file.

use super::harness::{Api, request};
use crate::http::role::Role;
use axum::http::{Method, header};
use serde_json::{Value, json};

/// Sends with further headers.
async fn send_with(
    api: &Api,
    method: Method,
    path: &str,
    name: &str,
    value: &str,
    body: &Value,
) -> super::harness::Answer {
    let authorization = format!("Bearer {}", api.token(Role::Admin));
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json"), (name, value)];
    api.raw(request(method, &format!("/api/v1{path}"), &headers, body.to_string().into_bytes())).await
}

#[tokio::test]
async fn queues_and_addresses_are_made_shown_and_changed() {
    let api = Api::start().await;
    let created = api.post(Role::Admin, "/queues", &json!({ "name": "Support / 2nd", "follow_up": "reject" })).await;
    assert_eq!(created.header(header::LOCATION), "/api/v1/queues/Support%20%2F%202nd");
    let queue = created.expect(201);
    assert_eq!(
        (&queue["follow_up"], &queue["valid"], &queue["address"]),
        (&json!("reject"), &json!(true), &Value::Null)
    );
    assert_eq!(api.get(Role::Reader, "/queues/Support%20%2F%202nd").await.expect(200), queue);
    api.post(Role::Admin, "/queues", &json!({ "name": "Support / 2nd" })).await.problem(409);

    let address = json!({ "address": "Support@Example.org", "queue": "Support / 2nd" });
    api.post(Role::Admin, "/system-addresses", &address).await.expect(201);
    let path = "/queues/Support%20%2F%202nd";
    let changed = api
        .patch(Role::Admin, path, &json!({ "address": "support@example.org", "valid": "temporarily-invalid" }))
        .await
        .expect(200);
    assert_eq!((&changed["follow_up"], &changed["valid"]), (&json!("reject"), &json!("temporarily-invalid")));

    let used =
        api.patch(Role::Admin, "/system-addresses/support@example.org", &json!({ "valid": false })).await.problem(422);
    assert!(used.to_string().contains("Support / 2nd"), "the queue that uses it is named: {used}");
    let replaced = api.put(Role::Admin, path, &json!({})).await.expect(200);
    assert_eq!(
        (&replaced["follow_up"], &replaced["address"]),
        (&json!("possible"), &Value::Null),
        "what is left out has its default"
    );
    api.patch(Role::Admin, "/system-addresses/SUPPORT@example.org", &json!({ "valid": false })).await.expect(200);
}

#[tokio::test]
async fn every_mistake_is_named_by_its_place_and_nothing_is_changed() {
    let api = Api::start().await;
    let body =
        json!({ "name": "", "follow_up": "maybe", "colour": "red", "valid": "no", "address": "nobody@example.org" });
    let problem = api.post(Role::Admin, "/queues", &body).await.problem(422);
    let places: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    for place in ["/name", "/follow_up", "/colour", "/valid"] {
        assert!(places.contains(&place), "{place} is missing in {problem:#}");
    }
    let unknown =
        api.post(Role::Admin, "/queues", &json!({ "name": "A", "address": "nobody@example.org" })).await.problem(422);
    assert_eq!(unknown["errors"][0]["pointer"], "/address");
    assert!(unknown["detail"].as_str().unwrap().contains("nobody@example.org"), "{unknown}");
    let renamed = api.patch(Role::Admin, "/queues/Raw", &json!({ "name": "Cooked" })).await.problem(422);
    assert_eq!(renamed["errors"][0]["pointer"], "/name");
    api.patch(Role::Admin, "/queues/Nothing", &json!({})).await.problem(404);
    api.post(Role::Admin, "/queues", &json!(["A"])).await.problem(422);
    let names: Vec<Value> = api.get(Role::Admin, "/queues").await.json()["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|queue| queue["name"].clone())
        .collect();
    assert_eq!(names, ["Junk", "Misc", "Postmaster", "Raw"]);
}

#[tokio::test]
async fn what_is_saved_and_worth_a_second_look_is_told_in_the_answer_and_nowhere_else() {
    let api = Api::start().await;
    let account = json!({ "name": "main", "protocol": "imap+starttls", "port": 993, "host": "mail.example.org", "user": "u", "password": "p" });
    let created = api.post(Role::Admin, "/accounts", &account).await;
    let tag = created.header(header::ETAG).to_owned();
    let created = created.expect(201);
    let told = created["warnings"].as_array().unwrap();
    assert!(told.len() == 1 && told[0]["pointer"] == "/port", "{created}");
    assert!(told[0]["detail"].as_str().unwrap().starts_with("Servers speak TLS from the first byte"), "{created}");
    let path = "/accounts/main";
    let shown = api.get(Role::Admin, path).await;
    assert_eq!(shown.header(header::ETAG), tag, "the tag is that of the account itself");
    assert_eq!(shown.expect(200).get("warnings"), None);
    // What was answered can be sent back; it is told again only where something changes.
    assert_eq!(api.put(Role::Admin, path, &created).await.expect(200).get("warnings"), None);
    let changed = api.patch(Role::Admin, path, &json!({ "comment": "x", "warnings": [] })).await.expect(200);
    assert_eq!(changed["warnings"], created["warnings"]);
    let mended = api.patch(Role::Admin, path, &json!({ "port": 143, "password": "p" })).await.expect(200);
    assert_eq!(mended.get("warnings"), None);
    api.patch(Role::Admin, "/settings", &json!({ "warnings": [], "agents": ["anna"] })).await.expect(200);
}

#[tokio::test]
async fn a_password_goes_in_and_never_comes_out() {
    let api = Api::start().await;
    let account = json!({ "name": "main", "protocol": "imaps", "host": "mail.example.org", "user": "support", "password": "pa55word",
        "oauth2": { "provider": "microsoft", "client_id": "x", "client_secret": "s3cret" } });
    let created = api.post(Role::Admin, "/accounts", &account).await;
    assert_eq!(created.expect(201)["tls"]["verify"], json!(true));
    let shown = api.get(Role::Admin, "/accounts/main").await;
    let listed = api.get(Role::Admin, "/accounts").await;
    for answer in [&created, &shown, &listed] {
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!text.contains("pa55word") && !text.contains("s3cret") && !text.contains("\"password\":"), "{text}");
    }
    // What is shown can be sent back; the password stays.
    api.put(Role::Admin, "/accounts/main", &shown.json()).await.expect(200);
    api.patch(Role::Admin, "/accounts/main", &json!({ "folder": "Support", "comment": "x" })).await.expect(200);
    let stored = crate::store::configuration::load(&api.state.store, &api.state.key).await.unwrap();
    assert_eq!(stored.accounts["main"].password.as_ref().unwrap().reveal(), "pa55word");
    assert_eq!((stored.accounts["main"].folder.as_str(), stored.accounts["main"].tls.verify), ("Support", true));

    let file =
        api.patch(Role::Admin, "/accounts/main", &json!({ "password": { "file": "/etc/passwd" } })).await.problem(422);
    assert_eq!(file["errors"][0]["pointer"], "/password");
    let wrong = api.patch(Role::Admin, "/accounts/main", &json!({ "password": ["hidden"] })).await;
    assert!(!String::from_utf8_lossy(&wrong.body).contains("hidden"), "an error does not repeat a secret");
    wrong.problem(422);
}

#[tokio::test]
async fn a_secret_goes_where_it_was_given_for_and_another_place_asks_for_it_again() {
    let api = Api::start().await;
    let oauth2 =
        json!({ "provider": "microsoft", "tenant": "example.org", "client_id": "x", "client_secret": "s3cret" });
    let account = json!({ "name": "main", "protocol": "imaps", "host": "mail.example.org", "user": "support", "password": "pa55word", "oauth2": oauth2 });
    api.post(Role::Admin, "/accounts", &account).await.expect(201);
    let transport = json!({ "name": "relay", "kind": "smtp+starttls", "host": "mail.example.org", "user": "support", "password": "pa55word" });
    api.post(Role::Admin, "/transports", &transport).await.expect(201);
    let both = ["/password", "/oauth2/client_secret"];
    let elsewhere: [(&str, Value, &[&str]); 14] = [
        ("/accounts/main", json!({ "host": "mail.attacker.example" }), &both),
        ("/accounts/main", json!({ "port": 994 }), &both),
        ("/accounts/main", json!({ "protocol": "pop3s" }), &both),
        ("/accounts/main", json!({ "protocol": "imap", "port": 993 }), &both),
        ("/accounts/main", json!({ "user": "else" }), &both),
        ("/accounts/main", json!({ "tls": { "verify": false } }), &both),
        ("/accounts/main", json!({ "tls": { "ca": "/tmp/ca.pem" } }), &both),
        ("/accounts/main", json!({ "oauth2": { "token_url": "https://attacker.example/token" } }), &both[1..]),
        ("/accounts/main", json!({ "oauth2": { "tenant": "attacker.example" } }), &both[1..]),
        ("/accounts/main", json!({ "oauth2": { "client_id": "y" } }), &both[1..]),
        ("/transports/relay", json!({ "host": "mail.attacker.example" }), &both[..1]),
        ("/transports/relay", json!({ "kind": "smtp", "port": 587 }), &both[..1]),
        ("/transports/relay", json!({ "allow_insecure_auth": true }), &both[..1]),
        ("/transports/relay", json!({ "tls": { "verify": false } }), &both[..1]),
    ];
    for (path, change, expected) in &elsewhere {
        let patched = api.patch(Role::Admin, path, change).await.problem(422);
        let mut whole = if *path == "/accounts/main" { account.clone() } else { transport.clone() };
        for (key, value) in change.as_object().unwrap() {
            match value {
                Value::Object(inner) if whole[key].is_object() => {
                    inner.iter().for_each(|(key_, value)| whole[key][key_] = value.clone());
                }
                value => whole[key] = value.clone(),
            }
        }
        whole.as_object_mut().unwrap().remove("password");
        if whole["oauth2"].is_object() {
            whole["oauth2"].as_object_mut().unwrap().remove("client_secret");
        }
        for problem in [patched, api.put(Role::Admin, path, &whole).await.problem(422)] {
            let places: Vec<&str> =
                problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
            assert_eq!(places, *expected, "{change}: {problem}");
            assert!(problem.to_string().contains("given again: it was given for "), "{problem}");
        }
    }
    // What does not change where they go leaves them, in whatever way it is written.
    for same in [
        json!({ "host": "MAIL.example.org" }),
        json!({ "port": 993 }),
        json!({ "folder": "X" }),
        json!({ "tls": { "client_key": "", "verify": true } }),
    ] {
        api.patch(Role::Admin, "/accounts/main", &same).await.expect(200);
    }
    // Given again, they go there; an empty one is forgotten.
    let moved = json!({ "host": "new.example.org", "password": "pa55word", "oauth2": { "client_secret": "" } });
    api.patch(Role::Admin, "/accounts/main", &moved).await.expect(200);
    api.patch(Role::Admin, "/accounts/main", &json!({ "host": "mail.example.org" })).await.problem(422);
}

#[tokio::test]
async fn an_empty_secret_is_forgotten_and_holds_nothing_to_a_place() {
    let api = Api::start().await;
    let way = |host: &str| json!({ "name": "way", "kind": "smtp", "host": host, "user": "x", "password": "pa55word" });
    api.post(Role::Admin, "/transports", &way("a.example.org")).await.expect(201);
    let stored = async || {
        let configuration = crate::store::configuration::load(&api.state.store, &api.state.key).await.unwrap();
        configuration.transports["way"].clone()
    };
    for forgotten in [json!({ "password": "" }), json!({ "password": null })] {
        api.put(Role::Admin, "/transports/way", &way("a.example.org")).await.expect(200);
        assert!(stored().await.password.is_some());
        let moved = json!({ "host": "b.example.org", "user": "" });
        api.patch(Role::Admin, "/transports/way", &moved).await.problem(422);
        api.patch(Role::Admin, "/transports/way", &forgotten).await.expect(200);
        assert_eq!(stored().await.password, None, "{forgotten}");
        api.patch(Role::Admin, "/transports/way", &moved).await.expect(200);
        let credentials = api.state.tokens.for_transport(&stored().await).await.unwrap();
        assert_eq!(credentials, postigo_net::credentials::Credentials::None, "nobody is signed in");
        // A whole thing in its place: what it leaves out stays, what it gives empty goes.
        api.put(Role::Admin, "/transports/way", &way("b.example.org")).await.expect(200);
        let mut whole = way("b.example.org");
        whole.as_object_mut().unwrap().remove("password");
        api.put(Role::Admin, "/transports/way", &whole).await.expect(200);
        assert!(stored().await.password.is_some());
        whole["password"] = forgotten["password"].clone();
        api.put(Role::Admin, "/transports/way", &whole).await.expect(200);
        assert_eq!(stored().await.password, None, "{forgotten}");
    }
}

#[tokio::test]
async fn an_address_keeps_its_spelling_when_it_is_changed_by_another() {
    let api = Api::start().await;
    let desk = json!({ "address": "Desk@Example.org", "queue": "Raw" });
    api.post(Role::Admin, "/system-addresses", &desk).await.expect(201);
    let path = "/system-addresses/DESK@example.ORG";
    for body in [json!({ "display_name": "Desk" }), json!({ "address": "desk@example.org", "display_name": "D" })] {
        assert_eq!(api.patch(Role::Admin, path, &body).await.expect(200)["address"], "Desk@Example.org");
    }
    assert_eq!(
        api.put(Role::Admin, path, &json!({ "queue": "Junk" })).await.expect(200)["address"],
        "Desk@Example.org"
    );
}

#[tokio::test]
async fn nobody_gets_programs_or_folders_of_the_machine_by_configuring_them() {
    let api = Api::start().await;
    let transport = |kind: &str, host: &str| json!({ "name": "way", "kind": kind, "host": host });
    for (kind, host) in [
        ("sendmail", "/bin/sh"),
        ("sendmail", ""),
        ("sendmail", "given"),
        ("file", "/etc/cron.d"),
        ("file", "/"),
        ("file", "other"),
    ] {
        let problem = api.post(Role::Admin, "/transports", &transport(kind, host)).await.problem(422);
        assert_eq!(problem["errors"][0]["pointer"], "/host", "{problem}");
        assert!(problem.to_string().contains("postigo serve --allow-"), "{problem}");
    }
    api.post(Role::Admin, "/transports", &transport("file", "given")).await.expect(201);
    let tested = api.post(Role::Admin, "/transports/way/test", &Value::Null).await.expect(200);
    assert_eq!(tested["works"], true, "{tested}");
    api.patch(Role::Admin, "/transports/way", &json!({ "kind": "sendmail", "host": "/bin/sh" })).await.problem(422);

    // Nor by a link that lies below what the daemon was given.
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(elsewhere.path().join("box/new")).unwrap();
    let given = api.state.machine.folder("given").unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), given.path().join("away")).unwrap();
    let beyond = given.path().join("away/box").display().to_string();
    api.patch(Role::Admin, "/transports/way", &json!({ "host": beyond })).await.expect(200);
    api.post(Role::Admin, "/accounts", &json!({ "name": "beyond", "protocol": "maildir", "host": beyond }))
        .await
        .expect(201);
    for path in ["/transports/way/test", "/accounts/beyond/test"] {
        let tested = api.post(Role::Admin, path, &Value::Null).await.expect(200);
        assert!(
            tested["works"] == false && tested.to_string().contains("away: it is a link, not a folder"),
            "{path}: {tested}"
        );
    }
    assert_eq!(std::fs::read_dir(elsewhere.path().join("box")).unwrap().count(), 1, "only what was there");

    let maildir = json!({ "name": "theirs", "protocol": "maildir", "host": "/var/mail/boss" });
    let problem = api.post(Role::Admin, "/accounts", &maildir).await.problem(422);
    assert_eq!(problem["errors"][0]["pointer"], "/host", "{problem}");
}

#[tokio::test]
async fn a_change_can_be_made_conditional() {
    let api = Api::start().await;
    let tag = api.get(Role::Admin, "/queues/Raw").await.header(header::ETAG).to_owned();
    let unchanged = send_with(&api, Method::GET, "/queues/Raw", "if-none-match", &tag, &json!({})).await;
    assert_eq!((unchanged.status.as_u16(), unchanged.body.len()), (304, 0));
    send_with(&api, Method::PATCH, "/queues/Raw", "if-match", &tag, &json!({ "comment": "first" })).await.expect(200);
    send_with(&api, Method::PATCH, "/queues/Raw", "if-match", &tag, &json!({ "comment": "late" })).await.problem(412);
    send_with(&api, Method::PUT, "/queues/Raw", "if-none-match", "*", &json!({})).await.problem(412);
    send_with(&api, Method::PUT, "/queues/New", "if-none-match", "*", &json!({})).await.expect(201);
    assert_eq!(api.get(Role::Admin, "/queues/Raw").await.json()["comment"], "first");
}

#[tokio::test]
async fn lists_can_be_searched_and_paged() {
    let api = Api::start().await;
    api.patch(Role::Admin, "/queues/Misc", &json!({ "comment": "Odds and ENDS" })).await.expect(200);
    let found = api.get(Role::Reader, "/queues?search=ends").await.expect(200);
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    let first = api.get(Role::Reader, "/queues?limit=3").await.expect(200);
    let next = format!("/queues?limit=3&cursor={}", first["next_cursor"].as_str().unwrap());
    assert_eq!(api.get(Role::Reader, &next).await.expect(200)["items"][0]["name"], "Raw");
    api.get(Role::Reader, "/queues?colour=red").await.problem(400);
}

#[tokio::test]
async fn fields_and_answers_can_be_deleted() {
    let api = Api::start().await;
    api.post(Role::Admin, "/dynamic-fields", &json!({ "name": "Contract" })).await.expect(201);
    api.post(
        Role::Admin,
        "/auto-responses",
        &json!({ "name": "Receipt", "type": "reply", "queue": "Raw", "subject": "S" }),
    )
    .await
    .expect(201);
    api.post(Role::Admin, "/transports", &json!({ "name": "relay", "kind": "smtp", "host": "localhost" }))
        .await
        .expect(201);
    for path in ["/dynamic-fields/Contract", "/auto-responses/Receipt", "/transports/relay"] {
        api.get(Role::Reader, path).await.expect(200);
        api.delete(Role::Admin, path).await.expect(204);
        api.get(Role::Reader, path).await.problem(404);
        api.delete(Role::Admin, path).await.problem(404);
    }
}

#[tokio::test]
async fn a_change_that_is_saved_is_no_error_where_nobody_can_be_asked_who_works_by_it() {
    let api = Api::start().await;
    api.state.store.execute("DROP TABLE host").await;
    let answer = api.patch(Role::Admin, "/queues/Raw", &json!({ "comment": "saved" })).await.expect(202);
    assert_eq!((&answer["comment"], &answer["behind"]), (&json!("saved"), &json!([])));
    assert_eq!(api.get(Role::Admin, "/queues/Raw").await.expect(200)["comment"], "saved");
    api.post(Role::Admin, "/dynamic-fields", &json!({ "name": "Contract" })).await.expect(202);
    let gone = api.delete(Role::Admin, "/dynamic-fields/Contract").await.expect(202);
    assert_eq!(gone["behind"], json!([]));
    api.get(Role::Admin, "/dynamic-fields/Contract").await.problem(404);
}

#[tokio::test]
async fn a_body_of_too_many_values_is_refused_before_it_is_read() {
    let api = Api::start().await;
    let filter = |settings: Value| json!({ "name": "a", "component": "nothing", "settings": { "a": settings } });
    let kept = api.post(Role::Admin, "/filters", &filter(json!(vec![0; 20_500]))).await.problem(422);
    assert!(kept.to_string().contains("a filter may have 20000"), "{kept}");
    for (path, body) in [
        ("/filters", filter(json!(vec![json!({ "": 0 }); 11_000]))),
        ("/queues", json!(vec![json!([]); 21_001])),
        ("/customer-users", json!({ "login": vec![0; 100_000] })),
        ("/tickets", json!({ "to": vec![""; 30_000] })),
    ] {
        let refused = api.post(Role::Admin, path, &body).await.problem(413);
        assert!(refused["detail"].as_str().unwrap().contains("more than 21000 texts"), "{refused}");
    }
    let deep = "[".repeat(100_000);
    let authorization = format!("Bearer {}", api.token(Role::Admin));
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    api.raw(request(Method::POST, "/api/v1/filters", &headers, deep.into_bytes())).await.problem(400);
}
