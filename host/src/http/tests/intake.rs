//! Mail handed in over REST, on its durable way.

use super::harness::{Answer, Api};
use super::seed::mail;
use crate::http::role::Role;
use crate::spool::Host;
use crate::spool::leases;
use crate::worker::Worker;
use axum::http::{Method, header};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

impl Api {
    /// Has this process work on the accounts' messages until the guard is dropped.
    async fn work(&self, accounts: &[&str]) -> DropGuard {
        let stop = CancellationToken::new();
        let accounts: Vec<String> = accounts.iter().map(|name| (*name).to_owned()).collect();
        let worker = std::sync::Arc::new(Worker::new(self.state.spool.clone(), self.state.live.clone()));
        let (calling, ended) = (worker.clone(), stop.clone());
        tokio::spawn(async move { ended.run_until_cancelled(calling.call_accounts(&|| ())).await });
        for lease in leases::acquire(&self.state.store, &Host::new("test"), &accounts).await.unwrap() {
            let (worker, stop) = (worker.clone(), stop.clone());
            tokio::spawn(async move { worker.run(&lease, &stop, &mut |_| ()).await.unwrap() });
        }
        stop.drop_guard()
    }

    async fn submit(&self, role: Role, query: &str, mail: impl Into<Vec<u8>>) -> Answer {
        self.send(role, Method::POST, &format!("/messages{query}"), "message/rfc822", mail).await
    }
}

#[tokio::test]
async fn a_mail_becomes_a_ticket_once() {
    let api = Api::start().await;
    let _work = api.work(&["local"]).await;
    let first = api.submit(Role::Agent, "", mail("Printer")).await.expect(201);
    assert_eq!(
        (&first["status"], &first["title"], &first["queue"]),
        (&json!("filed"), &json!("Printer"), &json!("Raw"))
    );
    let again = api.submit(Role::Agent, "", mail("Printer")).await.expect(200);
    assert_eq!((&again["status"], &again["ticket_number"]), (&json!("duplicate"), &first["ticket_number"]));
    assert_eq!((&again["auto_response"], &again["warnings"]), (&Value::Null, &json!([])));
    let raw = api.get(Role::Reader, &format!("/articles/{}/raw", first["article_id"])).await;
    assert_eq!(raw.body, mail("Printer").into_bytes());
    let log = api
        .get(Role::Reader, &format!("/communications/{}", first["communication"].as_str().unwrap()))
        .await
        .expect(200);
    assert_eq!(log["status"], "successful");
}

#[tokio::test]
async fn only_an_admin_speaks_for_a_trusted_account() {
    let api = Api::start().await;
    api.post(Role::Admin, "/accounts", &json!({ "name": "boss", "protocol": "local", "trusted": true }))
        .await
        .expect(201);
    let _work = api.work(&["local", "boss"]).await;
    let with_header = |subject: &str| format!("X-OTOBO-Queue: Junk\r\n{}", mail(subject));
    api.submit(Role::Agent, "?account=boss", with_header("a")).await.problem(403);
    assert_eq!(api.submit(Role::Admin, "?account=boss", with_header("b")).await.expect(201)["queue"], "Junk");
    assert_eq!(api.submit(Role::Agent, "", with_header("c")).await.expect(201)["queue"], "Raw");
    assert_eq!(
        api.get(Role::Agent, "/tickets").await.json()["items"].as_array().unwrap().len(),
        2,
        "the refused one was not stored"
    );
}

#[tokio::test]
async fn a_mail_that_was_here_before_and_not_filed_is_told_of_with_where_it_is() {
    let api = Api::start().await;
    api.post(Role::Admin, "/accounts", &json!({ "name": "boss", "protocol": "local", "trusted": true }))
        .await
        .expect(201);
    let _work = api.work(&["boss"]).await;
    let ignored = || format!("X-OTOBO-Ignore: yes\r\n{}", mail("Advertisement"));
    assert_eq!(api.submit(Role::Admin, "?account=boss", ignored()).await.expect(201)["status"], "ignored");
    let again = api.submit(Role::Admin, "?account=boss", ignored()).await.expect(200);
    let told = json!(["This message was here before and is ignored: see message 1 of the spool."]);
    assert_eq!((&again["status"], &again["warnings"]), (&json!("duplicate"), &told));
    api.delete(Role::Admin, "/spool/1").await.expect(204);
    let again = api.submit(Role::Admin, "?account=boss", ignored()).await.expect(200);
    assert_eq!(
        (&again["status"], &again["ticket_number"]),
        (&json!("duplicate"), &Value::Null),
        "what was dropped was not filed"
    );
    let told = json!(["This message was here before and was dropped: see message 1 of the spool."]);
    assert_eq!(again["warnings"], told);
}

#[tokio::test]
async fn what_is_no_mail_is_refused() {
    let api = Api::start().await;
    api.patch(Role::Admin, "/settings", &json!({ "max_message_size": "1 KiB" })).await.expect(200);
    api.submit(Role::Agent, "", vec![b'x'; 2000]).await.problem(413);
    api.submit(Role::Agent, "", "").await.problem(400);
    api.send(Role::Agent, Method::POST, "/messages", "application/json", "{}").await.problem(415);
    assert_eq!(api.submit(Role::Agent, "?account=nobody", "x").await.problem(400)["errors"][0]["parameter"], "account");
    api.submit(Role::Agent, "?acount=local", "x").await.problem(400);
    api.patch(Role::Admin, "/accounts/local", &json!({ "valid": false })).await.problem(422);
    assert_eq!(api.get(Role::Agent, "/spool").await.json()["items"], json!([]));
}

#[tokio::test]
async fn an_account_is_tried_and_fetched_now() {
    let api = Api::start().await;
    let local = api.post(Role::Admin, "/accounts/local/test", &json!({})).await.expect(200);
    assert_eq!((&local["works"], &local["error"]), (&json!(true), &json!(null)));
    let unreachable = json!({ "name": "main", "protocol": "imap", "host": "127.0.0.1", "port": 1, "user": "x", "password": "pa55word" });
    api.post(Role::Admin, "/accounts", &unreachable).await.expect(201);
    let test = api.post(Role::Admin, "/accounts/main/test", &json!({})).await.expect(200);
    assert_eq!(test["works"], json!(false));
    assert!(!test["error"].as_str().unwrap().contains("pa55word"));

    // Another host answers the request for a fetch.
    let store = api.state.store.clone();
    let answering = tokio::spawn(async move {
        loop {
            let taken = crate::store::fetch_requests::take(&store, "other", &["local".to_owned()]).await.unwrap();
            if let Some(request) = taken.first() {
                return crate::store::fetch_requests::answer(&store, request.id, &json!({ "fetched": 3 }))
                    .await
                    .unwrap();
            }
            tokio::task::yield_now().await;
        }
    });
    let fetched = api.post(Role::Admin, "/accounts/local/fetch", &json!({})).await.expect(200);
    assert_eq!(fetched, json!({ "account": "local", "done": true, "result": { "fetched": 3 } }));
    answering.await.unwrap();
    api.post(Role::Admin, "/accounts/nobody/fetch", &json!({})).await.problem(404);
    api.post(Role::Admin, "/accounts/nobody/test", &json!({})).await.problem(404);
}

#[tokio::test]
async fn a_dry_run_tells_all_and_keeps_nothing() {
    let api = Api::start().await;
    let test = |query: &'static str, body: String| api.send(Role::Author, Method::POST, query, "message/rfc822", body);
    let tried = test("/chain/test", format!("X-OTOBO-Queue: Junk\r\n{}", mail("Dry"))).await.expect(200);
    assert_eq!(
        (&tried["queue"], &tried["filters"], &tried["ticket_number"]),
        (&json!("Raw"), &json!([]), &json!(null))
    );
    assert!(
        tried["notes"][0].as_str().unwrap().contains("X-OTOBO-Queue"),
        "what an untrusted header lost is told: {tried}"
    );
    let trusted = test("/chain/test?trusted=true", format!("X-OTOBO-Queue: Junk\r\n{}", mail("Dry"))).await.expect(200);
    assert_eq!(trusted["queue"], "Junk");
    test("/chain/test?account=nobody", mail("Dry")).await.problem(400);
    test("/filters/none/test", mail("Dry")).await.problem(404);
    assert_eq!(api.get(Role::Reader, "/tickets").await.json()["items"], json!([]));
    assert_eq!(api.get(Role::Reader, "/communications").await.json()["items"], json!([]));
}

#[tokio::test]
async fn an_empty_chain_and_the_components_are_shown() {
    let api = Api::start().await;
    let chain = api.get(Role::Reader, "/chain").await.expect(200);
    assert_eq!(chain["filters"], json!([]));
    api.get(Role::Reader, "/components/no-such-thing").await.problem(404);
    api.delete(Role::Author, "/components/no-such-thing").await.problem(404);
    let wrong = api.send(Role::Author, Method::POST, "/components", "application/octet-stream", "x").await;
    wrong.problem(415);
    let large = api.send(Role::Author, Method::POST, "/components", "application/wasm", vec![0; (32 << 20) + 1]).await;
    large.problem(413);
    assert_eq!(large.header(header::CACHE_CONTROL), "no-store");
}

#[tokio::test]
async fn a_component_is_as_large_as_the_setting_allows() {
    let api = Api::start().await;
    let upload = |bytes: usize| api.send(Role::Author, Method::POST, "/components", "application/wasm", vec![0; bytes]);
    api.patch(Role::Admin, "/settings", &json!({ "max_component_size": "64 KiB" })).await.expect(200);
    let large = upload((64 << 10) + 1).await;
    large.problem(413);
    let said = large.json()["detail"].to_string();
    assert!(said.contains("`max_component_size`") && said.contains("65536"), "{said}");
    upload(64 << 10).await.problem(422);
    // More than REST takes cannot be set.
    let wrong = api.patch(Role::Admin, "/settings", &json!({ "max_component_size": "129 MiB" })).await.problem(422);
    assert!(wrong.to_string().contains("128 MiB"), "{wrong}");
    api.patch(Role::Admin, "/settings", &json!({ "max_component_size": "128 MiB" })).await.expect(200);
}
