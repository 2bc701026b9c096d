//! `/system-addresses`: the addresses of the helpdesk. One is never deleted, only made invalid.

#![allow(dead_code, reason = "the shape is described here; postigo_model::configured::form makes it")]

use super::ApiState;
use super::forms::ValidityForm;
use super::handlers::handlers;
use postigo_model::configured::SystemAddress;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

handlers!(SystemAddress, SystemAddressForm, tag = "system-addresses", all = "/system-addresses", one = "/system-addresses/{name}");

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show, replace, change))
}

/// An address of the helpdesk.
#[derive(ToSchema)]
#[schema(as = SystemAddress)]
#[serde(deny_unknown_fields)]
pub struct SystemAddressForm {
    /// Unique, case ignored.
    address: String,
    /// For the From header.
    display_name: String,
    /// The queue that mail to it is dispatched to.
    queue: String,
    /// In use?
    valid: ValidityForm,
    /// For admins.
    comment: String,
}
