//! What was filed, what waits, and what the log says of it.

use super::harness::Api;
use super::seed::mail;
use crate::http::role::Role;
use axum::http::header;
use serde_json::{Value, json};

#[tokio::test]
async fn a_ticket_is_shown_with_its_articles_and_its_mail() {
    let api = Api::start().await;
    let filed = api.file("Printer on fire").await;
    let ticket = api.get(Role::Reader, &format!("/tickets/{}", filed.number)).await.expect(200);
    assert_eq!(
        (&ticket["ticket_number"], &ticket["queue"], &ticket["owner"]),
        (&json!(filed.number), &json!("Raw"), &Value::Null)
    );
    assert_eq!(ticket["articles"][0]["id"], json!(filed.article_id));
    let article = api.get(Role::Reader, &format!("/articles/{}", filed.article_id)).await.expect(200);
    assert_eq!((&article["body"], &article["date"]), (&json!("Hello.\n"), &json!("2026-11-24T12:00:00Z")));

    let raw = api.get(Role::Reader, &format!("/articles/{}/raw", filed.article_id)).await;
    assert_eq!(String::from_utf8(raw.body.clone()).unwrap(), mail("Printer on fire"));
    assert_eq!(raw.header(header::CONTENT_TYPE), "message/rfc822");
    assert!(raw.header(header::CONTENT_DISPOSITION).starts_with("attachment;"));
    assert_eq!(raw.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");

    api.get(Role::Reader, "/tickets/1").await.problem(404);
    api.get(Role::Reader, "/articles/999").await.problem(404);
    api.get(Role::Reader, "/articles/999/raw").await.problem(404);
}

#[tokio::test]
async fn tickets_are_listed_newest_first_by_page_and_filter() {
    let api = Api::start().await;
    for subject in ["one", "two", "three"] {
        api.file(subject).await;
    }
    let titles = |page: &Value| {
        page["items"].as_array().unwrap().iter().map(|ticket| ticket["title"].clone()).collect::<Vec<_>>()
    };
    let first = api.get(Role::Reader, "/tickets?limit=2").await.expect(200);
    assert_eq!(titles(&first), ["three", "two"]);
    api.file("four").await;
    let next = format!("/tickets?limit=2&cursor={}", first["next_cursor"].as_str().unwrap());
    assert_eq!(titles(&api.get(Role::Reader, &next).await.expect(200)), ["one"], "what came meanwhile moves nothing");
    assert_eq!(titles(&api.get(Role::Reader, "/tickets?search=TW").await.expect(200)), ["two"]);
    assert!(titles(&api.get(Role::Reader, "/tickets?queue=Junk").await.expect(200)).is_empty());
    assert!(titles(&api.get(Role::Reader, "/tickets?lock=tmp_lock").await.expect(200)).is_empty());
    assert!(titles(&api.get(Role::Reader, "/tickets?customer_user=new@x.test").await.expect(200)).is_empty());
    for (name, path) in [
        ("queue", "/tickets?queue=Nowhere"),
        ("state", "/tickets?state=opened"),
        ("owner", "/tickets?owner=bob"),
        ("lock", "/tickets?lock=locked"),
        ("account", "/spool?account=nobody"),
        ("account", "/communications?account=nobody"),
        ("parent", "/communications?parent=0193"),
    ] {
        let told = api.get(Role::Admin, path).await.problem(400);
        assert_eq!(told["errors"][0]["parameter"], name, "{path}");
    }
    assert_eq!(api.get(Role::Reader, "/tickets?colour=red").await.problem(400)["errors"][0]["parameter"], "colour");
}

#[tokio::test]
async fn a_ticket_is_changed_as_a_whole_or_not_at_all() {
    let api = Api::start().await;
    api.patch(Role::Admin, "/settings", &json!({ "agents": ["anna"] })).await.expect(200);
    let (first, second) = (api.file("first").await.number, api.file("second").await.number);
    let path = format!("/tickets/{first}");
    let changed = api
        .patch(Role::Agent, &path, &json!({ "queue": "Misc", "state": "open", "owner": "anna", "lock": "lock" }))
        .await
        .expect(200);
    assert_eq!(
        (&changed["queue"], &changed["state"], &changed["owner"], &changed["lock"]),
        (&json!("Misc"), &json!("open"), &json!("anna"), &json!("lock"))
    );
    assert_eq!(api.patch(Role::Agent, &path, &json!({ "owner": null })).await.expect(200)["owner"], Value::Null);

    let wrong = api
        .patch(Role::Agent, &path, &json!({ "queue": "Nowhere", "state": "done", "owner": "bob", "lock": "shut" }))
        .await
        .problem(422);
    let places: Vec<&str> =
        wrong["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(places, ["/state", "/queue", "/owner", "/lock"]);
    api.patch(Role::Agent, &path, &json!({ "title": "x" })).await.problem(422);
    api.patch(Role::Agent, &path, &json!({ "state": "closed successful", "merge_into": "1" })).await.problem(404);
    assert_eq!(api.get(Role::Agent, &path).await.json()["state"], "open", "nothing was changed");

    let merged = api.patch(Role::Agent, &path, &json!({ "merge_into": second })).await.expect(200);
    assert_eq!((&merged["state"], &merged["merged_into"]), (&json!("merged"), &json!(second)));
    api.patch(Role::Agent, &path, &json!({ "merge_into": second })).await.problem(409);
    assert_eq!(
        api.get(Role::Agent, &format!("/tickets/{second}")).await.json()["articles"].as_array().unwrap().len(),
        2
    );
}

#[tokio::test]
async fn bytes_whose_place_is_away_can_be_asked_for_again_and_bytes_that_are_gone_are_named() {
    let api = Api::start().await;
    let large = format!("{}{}", mail("large"), "x".repeat(300 << 10));
    let path = format!("/spool/{}/raw", api.take_in(&large).await);
    let (objects, aside) = (api.folder.path().join("objects"), api.folder.path().join("aside"));
    std::fs::rename(&objects, &aside).unwrap();
    let away = api.get(Role::Reader, &path).await.problem(503);
    assert!(away["detail"].as_str().unwrap().contains("folder of large messages"), "{away}");
    std::fs::rename(&aside, &objects).unwrap();
    assert_eq!(api.get(Role::Reader, &path).await.body, large.as_bytes());
    for prefix in std::fs::read_dir(&objects).unwrap() {
        for file in std::fs::read_dir(prefix.unwrap().path()).unwrap() {
            std::fs::remove_file(file.unwrap().path()).unwrap();
        }
    }
    let gone = api.get(Role::Reader, &path).await.problem(500);
    assert!(gone["detail"].as_str().unwrap().contains("Put the file back from a backup"), "{gone}");
}

#[tokio::test]
async fn held_messages_are_read_released_and_dropped() {
    let api = Api::start().await;
    let (released, dropped) = (api.hold("release me").await, api.hold("drop me").await);
    let held = api.get(Role::Reader, "/spool?status=held").await.expect(200);
    assert_eq!(held["items"].as_array().unwrap().len(), 2);
    let shown = api.get(Role::Reader, &format!("/spool/{released}")).await.expect(200);
    assert!(shown["reason"].as_str().unwrap().contains("10 Invoices"));
    let raw = api.get(Role::Reader, &format!("/spool/{released}/raw")).await;
    assert_eq!(String::from_utf8(raw.body.clone()).unwrap(), mail("release me"));

    let metrics = api.raw(super::harness::request(axum::http::Method::GET, "/metrics", &[], Vec::new())).await;
    assert!(String::from_utf8(metrics.body).unwrap().contains("postigo_spool_messages{status=\"held\"} 2"));
    let ready = api.raw(super::harness::request(axum::http::Method::GET, "/readyz", &[], Vec::new())).await.expect(200);
    assert_eq!(ready["spool"]["held"], json!(2));

    let again = api.post(Role::Admin, &format!("/spool/{released}/release"), &json!({})).await.expect(200);
    assert_eq!(again["status"], "waiting");
    api.delete(Role::Admin, &format!("/spool/{dropped}")).await.expect(204);
    for problem in ["/spool/999", "/spool/999/raw"] {
        api.get(Role::Reader, problem).await.problem(404);
    }
    api.post(Role::Admin, "/spool/999/release", &json!({})).await.problem(404);
    api.delete(Role::Admin, "/spool/999").await.problem(404);
    assert_eq!(api.get(Role::Reader, "/spool?status=lost").await.problem(400)["errors"][0]["parameter"], "status");
}

#[tokio::test]
async fn the_log_is_listed_searched_and_shown() {
    let api = Api::start().await;
    api.file("Needle").await;
    api.hold("Hay").await;
    let found = api.get(Role::Reader, "/communications?search=needle").await.expect(200);
    let item = &found["items"][0];
    assert_eq!(
        (found["items"].as_array().unwrap().len(), &item["status"], &item["priority"]),
        (1, &json!("warning"), &json!("warning"))
    );
    let path = format!("/communications/{}", item["id"].as_str().unwrap());
    let keys = async |parameters: &str| -> Vec<String> {
        let shown = api.get(Role::Reader, &format!("{path}{parameters}")).await.expect(200);
        let entries = shown["entries"].as_array().unwrap();
        entries.iter().map(|entry| entry["key"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(keys("").await, ["chain", "filing", "auto-response"]);
    assert_eq!(keys("?priority=warning").await, ["filing"]);
    let failed =
        api.get(Role::Reader, "/communications?status=failed&sort=oldest&since=2020-01-01T00:00:00Z").await.expect(200);
    assert_eq!(failed["items"].as_array().unwrap().len(), 1);
    let first = api.get(Role::Reader, "/communications?limit=1").await.expect(200);
    let next = format!("/communications?limit=1&cursor={}", first["next_cursor"].as_str().unwrap());
    assert_ne!(api.get(Role::Reader, &next).await.expect(200)["items"][0]["id"], first["items"][0]["id"]);

    let overview = api.get(Role::Reader, "/communications/overview").await.expect(200);
    assert_eq!((&overview["statuses"]["warning"], &overview["accounts"]["local"]["failed"]), (&json!(1), &json!(1)));
    api.get(Role::Reader, "/communications/0193").await.problem(404);
    assert_eq!(
        api.get(Role::Reader, "/communications?since=yesterday").await.problem(400)["errors"][0]["parameter"],
        "since"
    );
    assert_eq!(
        api.get(Role::Reader, "/communications?sort=colour").await.problem(400)["errors"][0]["parameter"],
        "sort"
    );
}

#[tokio::test]
async fn customer_users_are_kept() {
    let api = Api::start().await;
    let jane = json!({
        "login": "jane", "email": "Jane@Example.com", "customer_number": "ACME", "first_name": "Jane", "last_name": "", "language": "en"
    });
    let mut made = api.post(Role::Agent, "/customer-users", &jane).await.expect(201);
    for key in ["created_at", "created_by", "changed_at", "changed_by"] {
        assert!(made.as_object_mut().unwrap().remove(key).unwrap().is_string(), "{key}");
    }
    assert_eq!(made, jane);
    api.post(Role::Agent, "/customer-users", &jane).await.problem(409);
    assert_eq!(
        api.patch(Role::Agent, "/customer-users/jane", &json!({ "customer_number": "B" })).await.expect(200)["email"],
        "Jane@Example.com"
    );
    api.put(Role::Agent, "/customer-users/joe", &json!({ "email": "joe@example.com" })).await.expect(201);
    assert_eq!(api.get(Role::Reader, "/customer-users?limit=1").await.expect(200)["items"][0]["login"], "jane");
    assert_eq!(
        api.put(Role::Agent, "/customer-users/joe", &json!({ "login": "jim", "email": "x@y" })).await.problem(422)["errors"]
            [0]["pointer"],
        "/login"
    );
    api.post(Role::Agent, "/customer-users", &json!({ "login": "x" })).await.problem(422);
    for (query, expected) in
        [("search=ACME", vec![]), ("search=JOE@", vec!["joe"]), ("search=example&limit=1", vec!["jane"])]
    {
        let found = api.get(Role::Reader, &format!("/customer-users?{query}")).await.expect(200);
        let logins: Vec<&Value> = found["items"].as_array().unwrap().iter().map(|item| &item["login"]).collect();
        assert_eq!(logins, expected, "{query}");
        assert_eq!(found["next_cursor"].is_string(), query.ends_with("limit=1"), "{found}");
    }
    let page = api.get(Role::Reader, "/customer-users?search=example&limit=1").await.expect(200);
    let next = format!("/customer-users?search=example&limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
    let page = api.get(Role::Reader, &next).await.expect(200);
    assert_eq!((&page["items"][0]["login"], &page["next_cursor"]), (&json!("joe"), &Value::Null));
    assert_eq!(
        api.get(Role::Agent, "/customer-users?colour=red").await.problem(400)["errors"][0]["parameter"],
        "colour"
    );
    api.delete(Role::Agent, "/customer-users/jane").await.expect(204);
    api.delete(Role::Agent, "/customer-users/jane").await.problem(404);
    api.get(Role::Agent, "/customer-users/jane").await.problem(404);
    api.patch(Role::Agent, "/customer-users/jane", &json!({})).await.problem(404);
}

#[tokio::test]
async fn settings_are_changed_key_by_key() {
    let api = Api::start().await;
    let changed = api
        .patch(Role::Admin, "/settings", &json!({ "poll_interval": "5m", "log_retention": { "failed": "90d" } }))
        .await
        .expect(200);
    assert_eq!((&changed["poll_interval"], &changed["log_retention"]["successful"]), (&json!("5m"), &json!("7d")));
    let wrong = api.patch(Role::Admin, "/settings", &json!({ "default_queue": "Nowhere" })).await.problem(422);
    assert_eq!(wrong["errors"][0]["pointer"], "/default_queue");
    api.patch(Role::Admin, "/settings", &json!({ "max_message_size": "large", "colour": 1 })).await.problem(422);
    api.patch(Role::Admin, "/settings", &json!(7)).await.problem(422);
    assert_eq!(api.get(Role::Reader, "/settings").await.expect(200), changed);
}
