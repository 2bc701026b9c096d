//! `/transports`: ways out for mail.

#![allow(dead_code, reason = "the shape is described here; postigo_model::configured::form makes it")]

use super::ApiState;
use super::forms::{OAuth2Form, ValidityForm};
use super::handlers::{delete_handler, handlers};
use super::probed::Probed;
use super::problem::Problem;
use crate::oauth2::SignInState;
use crate::outbound;
use crate::store::configuration;
use axum::extract::{Path, State};
use postigo_model::configured::{Transport, TransportKind};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

handlers!(Transport, TransportForm, tag = "transports", all = "/transports", one = "/transports/{name}");
delete_handler!(Transport, tag = "transports", one = "/transports/{name}");

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show, replace, change, delete)).routes(routes!(test))
}

/// What came of connecting to a transport's server.
#[derive(Serialize, ToSchema)]
struct TransportTest {
    /// The transport.
    transport: String,
    /// What came of it.
    #[serde(flatten)]
    probed: Probed,
}

/// Connects to the transport's server and signs in; nothing is sent.
#[utoipa::path(post, path = "/transports/{name}/test", tag = "transports", params(("name" = String, Path)), responses((status = 200, body = TransportTest)))]
async fn test(State(state): State<ApiState>, Path(name): Path<String>) -> Result<axum::Json<TransportTest>, Problem> {
    let configuration = configuration::load(&state.store, &state.key).await?;
    let transport = configuration.transports.get(&name).ok_or_else(|| Problem::not_found("transport", &name))?;
    let probed = outbound::probe(transport, &state.tokens, &state.machine).await.into();
    Ok(axum::Json(TransportTest { transport: name, probed }))
}

/// A way out for mail.
#[derive(ToSchema)]
#[schema(as = Transport)]
#[serde(deny_unknown_fields)]
pub struct TransportForm {
    /// Unique.
    name: String,
    /// How it passes mail on.
    kind: TransportKind,
    /// Host; of `sendmail` the command (empty: `/usr/sbin/sendmail`), of `file` the folder: one that `serve` was given, by name or path.
    host: String,
    /// Null: the kind's own.
    #[schema(required, minimum = 1, maximum = 65535)]
    port: Option<u16>,
    /// Login.
    user: String,
    /// Password. Left out: it stays what it is.
    #[schema(write_only, required, nullable = false)]
    password: Option<String>,
    /// Sign-in by OAuth2.
    #[schema(nullable = false)]
    oauth2: Option<OAuth2Form>,
    /// How that stands; only there with `oauth2`. Passed over in bodies.
    #[schema(read_only, nullable = false)]
    sign_in: Option<SignInState>,
    /// Whether the password may go over a connection without TLS to another machine.
    allow_insecure_auth: bool,
    /// Sender addresses or queues that it serves; empty: all that no other names.
    r#for: Vec<String>,
    /// TLS towards the server.
    tls: TransportTlsForm,
    /// What the client calls itself (EHLO); empty: this machine's name.
    hello: String,
    /// A duration, of every read and write; of `sendmail`, of the command.
    timeout: String,
    /// So many mails are sent at once, at most.
    #[schema(minimum = 1)]
    connections: u32,
    /// In use?
    valid: ValidityForm,
    /// For admins.
    comment: String,
}

/// TLS of a transport.
#[derive(ToSchema)]
#[schema(as = TransportTls)]
#[serde(deny_unknown_fields)]
pub struct TransportTlsForm {
    /// A file of further certificate authorities, PEM; empty: the system's alone.
    ca: String,
    /// A file, PEM; empty: none.
    client_certificate: String,
    /// A file, PEM; empty: in the certificate's file.
    client_key: String,
    /// Whether the server's certificate is checked.
    verify: bool,
}
