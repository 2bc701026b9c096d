//! What agents write: `POST /tickets`, `/tickets/{number}/articles`, `/articles/{id}/forward`, `/articles/{id}/bounce`.

use super::ApiState;
use super::auth::Caller;
use super::idempotent::IdempotentRequest;
use super::problem::{PlacedMistake, Problem};
use crate::answer::{AgentText, AttachedFile, ForwardAs, NewTicketFields, WritingKind};
use crate::filing::correspondence::{Receipt, RequestIdentity};
use crate::service::correspondence;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "tickets";

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(open)).routes(routes!(write)).routes(routes!(forward)).routes(routes!(bounce))
}

/// A file that goes along.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AttachmentInput {
    /// File name.
    name: String,
    /// Media type; left out: `application/octet-stream`.
    #[serde(default)]
    media_type: String,
    /// Base64 (RFC 4648 section 4).
    #[schema(content_encoding = "base64")]
    content: String,
}

/// What all mails of agents have.
// Written as well, since the defaults in the OpenAPI document are made so.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
struct Correspondence {
    /// The system address that it goes out from: the address of the ticket's queue, or another valid one that names
    /// this queue. Left out: the queue's own.
    #[schema(nullable = false)]
    from: Option<String>,
    /// Addresses: `jane@example.com`, `Jane Roe <jane@example.com>`. Left out in a reply: who wrote the mail that is
    /// answered.
    #[schema(nullable = false)]
    to: Option<Vec<String>>,
    /// Addresses.
    cc: Vec<String>,
    /// Addresses that no header names.
    bcc: Vec<String>,
    /// Left out: the template's, else that of what is answered or passed on. The ticket's number is put before it.
    #[schema(nullable = false)]
    subject: Option<String>,
    /// Text. Salutation and signature of the queue are put around it.
    body: String,
    /// The same as HTML; without `body` the text is made from it.
    #[schema(nullable = false)]
    html: Option<String>,
    /// Files.
    attachments: Vec<AttachmentInput>,
    /// The name of a template, whose text comes before the body.
    #[schema(nullable = false)]
    template: Option<String>,
    /// The login of the agent who writes, for tags.
    #[schema(nullable = false)]
    agent: Option<String>,
    /// The ticket's state from now on. Left out: it stays, but for a new ticket that is replied to, which becomes
    /// `open`.
    #[schema(nullable = false)]
    state: Option<String>,
    /// Whether the customer sees it; left out: a mail yes, a note no.
    #[schema(nullable = false)]
    visible_for_customer: Option<bool>,
}

/// What is written to a ticket.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
struct ArticleInput {
    /// What it is.
    kind: WritingKind,
    /// The article that is answered; left out in a reply: the customer's last mail.
    #[schema(nullable = false)]
    article_id: Option<i64>,
    /// Whether the text of what is answered is quoted below.
    quote: bool,
    /// The mail; read by itself, so that mistakes in it keep their places.
    #[serde(flatten)]
    #[schema(inline)]
    #[allow(dead_code, reason = "the shape is described here")]
    mail: Correspondence,
}

/// A ticket that is opened by a mail to somebody.
#[derive(Debug, Deserialize, ToSchema)]
struct TicketInput {
    /// The queue, which the mail is sent from.
    queue: String,
    /// Login or address; left out: the customer user with the first recipient's address, else that address.
    #[schema(nullable = false)]
    customer_user: Option<String>,
    /// The customer's number; left out: the customer user's.
    #[schema(nullable = false)]
    customer_number: Option<String>,
    /// Priority; left out: `3 normal`.
    #[schema(nullable = false)]
    priority: Option<String>,
    /// Type; left out: the first.
    #[schema(nullable = false)]
    r#type: Option<String>,
    /// The owner's login.
    #[schema(nullable = false)]
    owner: Option<String>,
    /// The mail; read by itself, so that mistakes in it keep their places.
    #[serde(flatten)]
    #[schema(inline)]
    #[allow(dead_code, reason = "the shape is described here")]
    mail: Correspondence,
}

/// How an article is passed on.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
struct ForwardInput {
    /// `text`: its text below what is written, its files beside it; `message`: the whole mail as a file.
    r#as: ForwardAs,
    /// The mail; read by itself, so that mistakes in it keep their places.
    #[serde(flatten)]
    #[schema(inline)]
    #[allow(dead_code, reason = "the shape is described here")]
    mail: Correspondence,
}

/// Whom a mail is sent on to, unchanged.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BounceInput {
    /// Addresses.
    to: Vec<String>,
}

/// The keys of [`Correspondence`].
const MAIL: &[&str] = &[
    "from",
    "to",
    "cc",
    "bcc",
    "subject",
    "body",
    "html",
    "attachments",
    "template",
    "agent",
    "state",
    "visible_for_customer",
];

impl Correspondence {
    fn writing(self, once: Option<RequestIdentity>) -> Result<AgentText, Problem> {
        let mut mistakes = Vec::new();
        let mut files = Vec::with_capacity(self.attachments.len());
        for (place, attachment) in self.attachments.into_iter().enumerate() {
            match STANDARD.decode(attachment.content.as_bytes()) {
                Ok(content) => {
                    files.push(AttachedFile { name: attachment.name, media_type: attachment.media_type, content });
                }
                Err(error) => {
                    mistakes.push(PlacedMistake::at(
                        format!("/attachments/{place}/content"),
                        format!("It must be base64 with padding: {error}."),
                    ));
                }
            }
        }
        if !mistakes.is_empty() {
            return Err(Problem::invalid(mistakes));
        }
        Ok(AgentText {
            from: self.from,
            to: self.to,
            cc: self.cc,
            bcc: self.bcc,
            subject: self.subject,
            body: self.body,
            html: self.html,
            files,
            template: self.template,
            state: self.state,
            agent: self.agent,
            visible_for_customer: self.visible_for_customer,
            once,
            ..AgentText::default()
        })
    }
}

type WrittenAnswer = Result<(StatusCode, axum::Json<Receipt>), Problem>;

fn created(receipt: Receipt) -> (StatusCode, axum::Json<Receipt>) {
    (StatusCode::CREATED, axum::Json(receipt))
}

/// Writes a reply, another mail or a note. The mail lies in the outgoing queue, durable, as soon as there is an answer.
/// It goes out from the address of the ticket's queue, or the one of its addresses that `from` names, never another. With the header `Idempotency-Key` the request is
/// carried out once, however often it is sent.
#[utoipa::path(post, path = "/tickets/{number}/articles", tag = TAG,
    params(("number" = String, Path), ("Idempotency-Key" = Option<String>, Header, description = "Names the request")),
    request_body = ArticleInput, responses((status = 201, body = Receipt)))]
async fn write(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
    asked: IdempotentRequest,
) -> WrittenAnswer {
    let (input, mail, once): (ArticleInput, Correspondence, _) = asked.read(&["kind", "article_id", "quote"], MAIL)?;
    let writing = AgentText { article_id: input.article_id, quote: input.quote, ..mail.writing(once)? };
    Ok(created(correspondence::write(&state.spool, &state.key, &number, input.kind, writing, &caller.actor()).await?))
}

/// Opens a ticket by a mail to somebody; `Idempotency-Key` as for articles.
#[utoipa::path(post, path = "/tickets", tag = TAG,
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the request")),
    request_body = TicketInput, responses((status = 201, body = Receipt)))]
async fn open(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    asked: IdempotentRequest,
) -> WrittenAnswer {
    let own: &[&str] = &["queue", "customer_user", "customer_number", "priority", "type", "owner"];
    let (input, mail, once): (TicketInput, Correspondence, _) = asked.read(own, MAIL)?;
    let TicketInput { queue, customer_user, customer_number, priority, r#type, owner, .. } = input;
    let opening = NewTicketFields { queue, customer_user, customer_number, priority, r#type, owner };
    Ok(created(correspondence::open(&state.spool, &state.key, opening, mail.writing(once)?, &caller.actor()).await?))
}

/// Passes an article on to somebody else; `Idempotency-Key` as for articles.
#[utoipa::path(post, path = "/articles/{id}/forward", tag = TAG,
    params(("id" = i64, Path), ("Idempotency-Key" = Option<String>, Header, description = "Names the request")),
    request_body = ForwardInput, responses((status = 201, body = Receipt)))]
async fn forward(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<i64>,
    asked: IdempotentRequest,
) -> WrittenAnswer {
    let (input, mail, once): (ForwardInput, Correspondence, _) = asked.read(&["as"], MAIL)?;
    Ok(created(
        correspondence::forward(&state.spool, &state.key, id, input.r#as, mail.writing(once)?, &caller.actor()).await?,
    ))
}

/// Sends an article's mail on to somebody else, unchanged but for `Resent-*` headers before it (RFC 5322 section
/// 3.6.6).
#[utoipa::path(post, path = "/articles/{id}/bounce", tag = TAG,
    params(("id" = i64, Path), ("Idempotency-Key" = Option<String>, Header, description = "Names the request")),
    request_body = BounceInput, responses((status = 201, body = Receipt)))]
async fn bounce(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<i64>,
    asked: IdempotentRequest,
) -> WrittenAnswer {
    let (input, _, once): (BounceInput, Correspondence, _) = asked.read(&["to"], &[])?;
    let writing = AgentText { to: Some(input.to), once, ..AgentText::default() };
    Ok(created(correspondence::bounce(&state.spool, &state.key, id, writing, &caller.actor()).await?))
}
