//! `/accounts`: where mail comes from. An account is never deleted, only made invalid.

#![allow(dead_code, reason = "the shape is described here; crate::config::form makes it")]

use super::ApiState;
use super::configured::handlers;
use super::forms::{OAuth2Form, ValidityForm};
use crate::config::{Account, Protocol};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

handlers!(Account, AccountForm, tag = "accounts", all = "/accounts", one = "/accounts/{name}");

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show, replace, change))
}

/// Where mail comes from.
#[derive(ToSchema)]
#[schema(as = Account)]
#[serde(deny_unknown_fields)]
pub struct AccountForm {
    /// Unique.
    name: String,
    /// How it is reached.
    protocol: Protocol,
    /// Host, or the folder of a Maildir.
    host: String,
    /// Null: the protocol's own.
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
    /// IMAP folder.
    folder: String,
    /// Whether its mails' own `X-OTOBO-*` headers count.
    trusted: bool,
    /// `to`: by recipients; `queue:NAME`: to that queue.
    #[schema(pattern = "^(to|queue:.+)$")]
    dispatch: String,
    /// What is done on the server once a mail is durable here.
    #[schema(pattern = "^(delete|seen|move:.+|keep)$")]
    after_fetch: String,
    /// Where held mails go on the server; empty: nowhere.
    failed_folder: String,
    /// A duration: `10m`; null: the setting's.
    #[schema(required)]
    interval: Option<String>,
    /// A duration, of every read.
    timeout: String,
    /// IMAP IDLE where the server has it.
    idle: bool,
    /// TLS towards the server.
    tls: TlsForm,
    /// In use?
    valid: ValidityForm,
    /// For admins.
    comment: String,
}

/// TLS towards a server.
#[derive(ToSchema)]
#[schema(as = Tls)]
#[serde(deny_unknown_fields)]
pub struct TlsForm {
    /// A file of further certificate authorities, PEM; empty: the system's alone.
    ca: String,
    /// A file, PEM; empty: none.
    client_certificate: String,
    /// A file, PEM.
    client_key: String,
    /// Whether the server's certificate is checked.
    verify: bool,
}
