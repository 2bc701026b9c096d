//! `/transports`: ways out for mail. Sending is not part of this version; what is configured is kept.

#![allow(dead_code, reason = "the shape is described here; crate::config::form makes it")]

use super::ApiState;
use super::forms::OAuth2Form;
use super::handlers::{delete_handler, handlers};
use crate::config::Transport;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

handlers!(Transport, TransportForm, tag = "transports", all = "/transports", one = "/transports/{name}");
delete_handler!(Transport, tag = "transports", one = "/transports/{name}");

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show, replace, change, delete))
}

/// A way out for mail.
#[derive(ToSchema)]
#[schema(as = Transport)]
#[serde(deny_unknown_fields)]
pub struct TransportForm {
    /// Unique.
    name: String,
    /// `smtp`, `smtps`, `smtp+starttls`, `sendmail`, `file`.
    #[schema(pattern = "^(smtp|smtps|smtp\\+starttls|sendmail|file)$")]
    kind: String,
    /// Host, or path.
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
    /// Sender addresses or queues that it serves.
    r#for: Vec<String>,
}
