//! What agents write.

use super::harness::{Answer, Api, request};
use crate::http::BASE;
use crate::http::role::Role;
use axum::http::Method;
use mail_parser::{MessageParser, MimeHeaders as _};
use serde_json::{Value, json};

impl Api {
    /// Gives the queue Raw an address to send from.
    async fn send_from(&self) {
        let address = json!({ "address": "help@desk.test", "display_name": "Hülfe, Desk", "queue": "Raw" });
        self.post(Role::Admin, "/system-addresses", &address).await.expect(201);
        let queue = json!({ "salutation": "Dear <OTOBO_CUSTOMER_REALNAME>,", "signature": "-- \n<OTOBO_QUEUE> team" });
        self.patch(Role::Admin, "/queues/Raw", &queue).await.expect(200);
        self.patch(Role::Admin, "/settings", &json!({ "agents": ["anna"] })).await.expect(200);
    }

    async fn raw_article(&self, receipt: &Value) -> Vec<u8> {
        self.get(Role::Reader, &format!("/articles/{}/raw", receipt["article_id"])).await.body
    }

    async fn named(&self, key: &str, path: &str, body: &Value) -> Answer {
        let authorization = format!("Bearer {}", self.token(Role::Agent));
        let headers =
            [("authorization", authorization.as_str()), ("content-type", "application/json"), ("idempotency-key", key)];
        self.raw(request(Method::POST, &format!("{BASE}{path}"), &headers, body.to_string().into_bytes())).await
    }
}

#[tokio::test]
async fn a_reply_goes_to_the_customer_from_the_queues_address_in_the_thread() {
    let api = Api::start().await;
    api.send_from().await;
    let filed = api.file("Printer").await;
    let body = json!({
        "body": "It is <OTOBO_TICKET_Title> mended.", "html": "<p>It is mended.</p>", "cc": ["Bob <bob@example.com>"], "bcc": ["boss@example.com"],
        "attachments": [{ "name": "bill.pdf", "media_type": "application/pdf", "content": "JVBERi0=" }], "quote": true, "agent": "anna"
    });
    let receipt = api.post(Role::Agent, &format!("/tickets/{}/articles", filed.number), &body).await.expect(201);
    let raw = api.raw_article(&receipt).await;
    let mail = MessageParser::default().parse(&raw).unwrap();
    let from = mail.from().unwrap().first().unwrap();
    assert_eq!((from.name(), from.address()), (Some("Hülfe, Desk"), Some("help@desk.test")));
    assert_eq!(mail.to().unwrap().first().unwrap().address(), Some("jane@example.com"));
    assert_eq!(mail.subject(), Some(format!("Re: [Ticket#{}] Printer", filed.number).as_str()));
    let text = mail.body_text(0).unwrap().replace("\r\n", "\n");
    assert!(text.starts_with("Dear jane@example.com,\n\nIt is <OTOBO_TICKET_Title> mended.\n\n"), "{text}");
    assert!(text.contains("\n> Hello.\n\n-- \nRaw team\n"), "{text}");
    assert!(mail.body_html(0).unwrap().contains("<p>It is mended.</p>"));
    assert_eq!(mail.attachments().next().unwrap().attachment_name(), Some("bill.pdf"));
    assert!(!String::from_utf8_lossy(&raw).contains("boss@"));

    let shown = api.get(Role::Reader, &format!("/tickets/{}", filed.number)).await.expect(200);
    assert_eq!(shown["state"], "open", "who answers a new ticket has opened it");
    let article = &shown["articles"][1];
    assert_eq!((&article["sender_type"], &article["visible_for_customer"]), (&json!("agent"), &json!(true)));
    assert_eq!(
        (&article["delivery"]["status"], &article["delivery"]["outgoing_id"]),
        (&json!("waiting"), &receipt["outgoing_id"])
    );
    let recipients: Vec<&str> = article["delivery"]["recipients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["address"].as_str().unwrap())
        .collect();
    assert_eq!(recipients, ["bob@example.com", "boss@example.com", "jane@example.com"]);
    assert_eq!(shown["articles"][0]["delivery"], Value::Null);
    assert_eq!(article["message_id"], receipt["message_id"]);
}

#[tokio::test]
async fn a_request_with_a_key_is_carried_out_once() {
    let api = Api::start().await;
    api.send_from().await;
    let filed = api.file("Printer").await;
    let path = format!("/tickets/{}/articles", filed.number);
    let body = json!({ "body": "Once." });
    let first = api.named("k1", &path, &body).await.expect(201);
    assert_eq!(api.named("k1", &path, &body).await.expect(201), first);
    assert_ne!(api.named("k2", &path, &body).await.expect(201), first);
    let other = api.named("k1", &path, &json!({ "body": "Twice." })).await.problem(422);
    assert_eq!(other["errors"][0]["parameter"], "Idempotency-Key");
    api.named("", &path, &body).await.problem(400);
    let shown = api.get(Role::Reader, &format!("/tickets/{}", filed.number)).await.json();
    assert_eq!(shown["articles"].as_array().unwrap().len(), 3);
    let opening = json!({ "queue": "Raw", "to": ["x@example.com"], "subject": "s", "body": "b" });
    let opened = api.named("k3", "/tickets", &opening).await.expect(201);
    assert_eq!(api.named("k3", "/tickets", &opening).await.expect(201), opened);
    assert_eq!(api.get(Role::Reader, "/tickets").await.json()["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_wrong_is_named_and_nothing_is_sent() {
    let api = Api::start().await;
    let filed = api.file("Printer").await;
    let path = format!("/tickets/{}/articles", filed.number);
    let none = api.post(Role::Agent, &path, &json!({ "body": "x" })).await.problem(409);
    assert!(none["detail"].as_str().unwrap().contains("no valid system address"), "{none}");
    api.send_from().await;
    for (body, pointer) in [
        (json!({ "body": "x", "from": "ceo@desk.test" }), "/from"),
        (json!({ "body": "x", "colour": 1 }), "/colour"),
        (json!({ "body": "x", "to": ["a@x.test, b@x.test"] }), "/to/0"),
        (json!({ "body": "x", "to": ["a@x.test\r\nBcc: b@x.test"] }), "/to/0"),
        (json!({ "body": "x", "cc": ["a@x.test", "HELP@desk.test"] }), "/cc/1"),
        (json!({ "body": "x", "to": [] }), "/to"),
        (json!({ "body": " " }), "/body"),
        (json!({ "body": "x", "template": "None" }), "/template"),
        (json!({ "body": "x", "state": "done" }), "/state"),
        (json!({ "body": "x", "agent": "bob" }), "/agent"),
        (json!({ "body": "x", "article_id": 99 }), "/article_id"),
        (json!({ "body": "x", "attachments": [{ "name": "a", "content": "%" }] }), "/attachments/0/content"),
        (json!({ "kind": "mail", "body": "x" }), "/to"),
        (json!({ "kind": "note", "body": "x", "to": ["a@x.test"] }), "/to"),
        (json!({ "kind": "note", "body": "x", "article_id": 1 }), "/article_id"),
        (json!({ "kind": "note", "body": "x", "quote": true }), "/quote"),
        (json!({ "kind": "letter", "body": "x" }), "/kind"),
    ] {
        let answer = api.post(Role::Agent, &path, &body).await;
        assert_eq!(answer.status.as_u16(), 422, "{body}");
        let problem = answer.problem(422);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
    }
    api.post(Role::Agent, "/tickets/1/articles", &json!({ "body": "x" })).await.problem(404);
    api.post(Role::Agent, "/articles/99/forward", &json!({ "to": ["a@x.test"] })).await.problem(404);
    let wrong = json!({ "queue": "None", "to": [], "priority": "high", "type": "T", "owner": "bob", "body": "" });
    let places: Vec<Value> = api.post(Role::Agent, "/tickets", &wrong).await.problem(422)["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mistake| mistake["pointer"].clone())
        .collect();
    assert_eq!(places, ["/queue", "/priority", "/type", "/owner", "/to", "/body", "/subject"]);
    let shown = api.get(Role::Reader, &format!("/tickets/{}", filed.number)).await.json();
    assert_eq!(shown["articles"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn notes_stay_inside_and_forwards_and_resent_mails_go_out() {
    let api = Api::start().await;
    api.send_from().await;
    let filed = api.file("Printer").await;
    let path = format!("/tickets/{}/articles", filed.number);
    let note = api
        .post(Role::Agent, &path, &json!({ "kind": "note", "body": "He is kind.", "state": "closed successful" }))
        .await
        .expect(201);
    assert_eq!((&note["outgoing_id"], &note["message_id"]), (&Value::Null, &Value::Null));
    api.get(Role::Reader, &format!("/articles/{}/raw", note["article_id"])).await.problem(404);
    let shown = api.get(Role::Reader, &format!("/tickets/{}", filed.number)).await.json();
    assert_eq!(
        (&shown["state"], &shown["articles"][1]["visible_for_customer"]),
        (&json!("closed successful"), &json!(false))
    );

    let forward = json!({ "to": ["expert@example.net"], "body": "What do you think?" });
    let receipt = api.post(Role::Agent, &format!("/articles/{}/forward", filed.article_id), &forward).await.expect(201);
    let raw = api.raw_article(&receipt).await;
    let mail = MessageParser::default().parse(&raw).unwrap();
    assert_eq!(mail.subject(), Some(format!("Fwd: [Ticket#{}] Printer", filed.number).as_str()));
    let text = mail.body_text(0).unwrap().into_owned();
    assert!(
        text.contains("What do you think?")
            && text.contains("---- Forwarded message from jane@example.com ----")
            && text.contains("Hello."),
        "{text}"
    );
    let whole = json!({ "to": ["expert@example.net"], "as": "message" });
    let receipt = api.post(Role::Agent, &format!("/articles/{}/forward", filed.article_id), &whole).await.expect(201);
    let raw = api.raw_article(&receipt).await;
    let mail = MessageParser::default().parse(&raw).unwrap();
    assert_eq!(mail.attachments().next().unwrap().message().unwrap().subject(), Some("Printer"));

    let receipt = api
        .post(Role::Agent, &format!("/articles/{}/bounce", filed.article_id), &json!({ "to": ["other@example.net"] }))
        .await
        .expect(201);
    let raw = String::from_utf8(api.raw_article(&receipt).await).unwrap();
    assert!(raw.starts_with("Resent-") && raw.ends_with(&super::seed::mail("Printer")), "{raw}");
    api.post(Role::Agent, &format!("/articles/{}/bounce", note["article_id"]), &json!({ "to": ["o@example.net"] }))
        .await
        .problem(409);
}

#[tokio::test]
async fn an_agent_opens_a_ticket_from_a_template() {
    let api = Api::start().await;
    api.send_from().await;
    api.post(
        Role::Agent,
        "/customer-users",
        &json!({ "login": "jane", "email": "Jane@Example.com", "customer_number": "ACME", "first_name": "Jane" }),
    )
    .await
    .expect(201);
    let template = json!({ "name": "Recall", "type": "create", "subject": "Recall for <OTOBO_TICKET_CustomerID>", "body": "Dear <OTOBO_CUSTOMER_DATA_UserFirstname>" });
    api.post(Role::Admin, "/templates", &template).await.expect(201);
    let receipt = api
        .post(Role::Agent, "/tickets", &json!({ "queue": "Raw", "to": ["jane@example.com"], "template": "Recall" }))
        .await
        .expect(201);
    let shown =
        api.get(Role::Reader, &format!("/tickets/{}", receipt["ticket_number"].as_str().unwrap())).await.expect(200);
    assert_eq!(
        (&shown["title"], &shown["state"], &shown["customer_user"], &shown["customer_number"]),
        (&json!("Recall for ACME"), &json!("open"), &json!("jane"), &json!("ACME"))
    );
    let raw = api.raw_article(&receipt).await;
    let mail = MessageParser::default().parse(&raw).unwrap();
    assert_eq!(
        mail.subject(),
        Some(format!("[Ticket#{}] Recall for ACME", receipt["ticket_number"].as_str().unwrap()).as_str())
    );
    assert!(mail.body_text(0).unwrap().contains("Dear Jane\r\n"));
}
