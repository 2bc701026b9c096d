//! Versions of what is configured, and who did what: every answer is held against the document.

use super::harness::{Answer, Api, request};
use crate::http::role::Role;
use axum::http::{Method, header};
use serde_json::{Value, json};

impl Api {
    /// Restores a version, where what is there has this tag.
    async fn restore_if(&self, path: &str, tag: &str) -> Answer {
        let authorization = format!("Bearer {}", self.token(Role::Admin));
        let headers =
            [("authorization", authorization.as_str()), ("content-type", "application/json"), ("if-match", tag)];
        self.raw(request(Method::POST, &format!("/api/v1{path}/restore"), &headers, b"{}".to_vec())).await
    }
}

#[tokio::test]
async fn versions_of_every_kind_are_shown_and_restored_as_the_document_says() {
    let api = Api::start().await;
    let admin = Role::Admin;
    let things = [
        ("/queues", "A", json!({ "name": "A" })),
        ("/system-addresses", "a@desk.test", json!({ "address": "a@desk.test", "queue": "Raw" })),
        ("/accounts", "A", json!({ "name": "A", "protocol": "local" })),
        ("/dynamic-fields", "A", json!({ "name": "A" })),
        ("/auto-responses", "A", json!({ "name": "A", "queue": "Raw" })),
        ("/templates", "A", json!({ "name": "A" })),
        ("/transports", "A", json!({ "name": "A", "host": "mail.example.org" })),
        ("/customer-users", "a", json!({ "login": "a", "email": "a@x.test" })),
    ];
    for (path, name, body) in things {
        api.post(admin, path, &body).await.expect(201);
        let one = format!("{path}/{name}");
        let same = api.get(admin, &one).await.expect(200);
        api.put(admin, &one, &same).await.expect(200);
        let listed = api.get(Role::Reader, &format!("{one}/versions")).await.expect(200);
        assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{path}: what changes nothing is no version");
        assert_eq!(listed["items"][0]["act"], "created", "{listed}");
        let shown = api.get(admin, &format!("{one}/versions/1")).await.expect(200);
        assert!(shown["thing"].is_object(), "{shown}");
        let restored = api.post(admin, &format!("{one}/versions/1/restore"), &json!({})).await.expect(200);
        assert_eq!(restored["differences"], json!([]), "{path}");
        assert_eq!(restored["changed_by"], listed["items"][0]["actor"], "{path}");
        api.get(Role::Reader, &format!("{one}/versions/1")).await.problem(403);
        api.get(admin, &format!("{one}/versions/2")).await.problem(404);
        api.post(admin, &format!("{one}/versions/1/restore"), &json!({ "colour": 1 })).await.problem(422);
        api.post(admin, &format!("{one}/versions/1/restore"), &json!([])).await.problem(422);
        api.delete(admin, &format!("{one}/versions/1")).await.expect(204);
        let forgotten = api.get(admin, &format!("{one}/versions/1")).await.expect(200);
        assert_eq!((&forgotten["thing"], &forgotten["forgotten"]), (&Value::Null, &json!(true)), "{path}");
        api.delete(admin, &format!("{one}/versions")).await.expect(204);
    }
    api.patch(admin, "/settings", &json!({ "kept_versions": 19 })).await.problem(422);
    api.patch(admin, "/settings", &json!({ "ticket_hook": "Case#" })).await.expect(200);
    api.get(Role::Reader, "/settings/versions/1").await.problem(403);
    let first = api.get(admin, "/settings/versions/1").await.expect(200);
    assert_eq!((&first["act"], &first["thing"]["ticket_hook"]), (&json!("found"), &json!("Ticket#")));
    let tried = api.post(admin, "/settings/versions/1/restore?check=true", &json!({})).await;
    assert!(!tried.headers.contains_key(header::ETAG), "nothing is stored that it would be the tag of");
    assert_eq!(tried.expect(200)["differences"][0]["key"], "ticket_hook");
    assert_eq!(api.get(admin, "/settings").await.expect(200)["ticket_hook"], "Case#", "it was only tried");
    api.delete(admin, "/settings/versions/1").await.expect(204);
    api.delete(admin, "/settings/versions").await.expect(204);
    assert_eq!(api.get(admin, "/settings/versions/1").await.expect(200)["thing"], Value::Null);
}

#[tokio::test]
async fn who_was_overtaken_restores_nothing_and_what_was_deleted_comes_back() {
    let api = Api::start().await;
    let admin = Role::Admin;
    api.post(admin, "/templates", &json!({ "name": "A", "body": "one" })).await.expect(201);
    let seen = api.get(admin, "/templates/A").await.header(header::ETAG).to_owned();
    api.patch(admin, "/templates/A", &json!({ "body": "two" })).await.expect(200);
    api.restore_if("/templates/A/versions/1", &seen).await.problem(412);
    let now = api.get(admin, "/templates/A").await;
    assert_eq!(now.json()["body"], "two");
    let tag = now.header(header::ETAG).to_owned();
    let restored = api.restore_if("/templates/A/versions/1", &tag).await;
    assert_eq!(restored.expect(200)["differences"], json!([{ "key": "body", "before": "two", "after": "one" }]));
    assert_eq!(restored.header(header::ETAG), seen, "the tag is of the thing alone");
    let otherwise = api.post(admin, "/templates/A/versions/2/restore", &json!({ "comment": "kept" })).await.expect(200);
    assert_eq!((&otherwise["body"], &otherwise["comment"]), (&json!("two"), &json!("kept")));
    api.delete(admin, "/templates/A").await.expect(204);
    let acts = api.get(admin, "/templates/A/versions?limit=2").await.expect(200);
    assert_eq!((&acts["items"][0]["act"], &acts["items"][0]["number"]), (&json!("deleted"), &json!(5)));
    assert_eq!(api.get(admin, "/templates/A/versions/5").await.expect(200)["thing"], Value::Null);
    api.post(admin, "/templates/A/versions/5/restore", &json!({})).await.problem(409);
    let back = api.post(admin, "/templates/A/versions/4/restore", &json!({})).await.expect(201);
    assert_eq!((&back["body"], &back["comment"]), (&json!("two"), &json!("kept")));
    for role in [Role::Reader, Role::Agent, Role::Author] {
        api.post(role, "/templates/A/versions/1/restore", &json!({})).await.problem(403);
    }
}

#[tokio::test]
async fn a_token_names_who_made_it_and_a_message_who_handled_it() {
    let api = Api::start().await;
    let by = api.get(Role::Admin, "/whoami").await.expect(200);
    let by = format!("token {} ({})", by["id"], by["name"].as_str().unwrap());
    let made = api.post(Role::Admin, "/tokens", &json!({ "name": "monitoring", "role": "reader" })).await.expect(201);
    let listed = api.get(Role::Admin, "/tokens").await.expect(200);
    let token = listed["items"].as_array().unwrap().iter().find(|token| token["id"] == made["id"]).unwrap();
    assert_eq!(token["created_by"], json!(by));
    let id = api.hold("Held").await;
    assert_eq!(api.get(Role::Reader, &format!("/spool/{id}")).await.expect(200)["handled_by"], Value::Null);
    let released = api.post(Role::Admin, &format!("/spool/{id}/release"), &json!({})).await.expect(200);
    assert_eq!((&released["handled_by"], released["handled_at"].is_string()), (&json!(by), true));
}
