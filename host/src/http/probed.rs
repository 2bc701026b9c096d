//! What came of connecting to the server of an account or transport.

use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What came of it.
#[derive(Serialize, ToSchema)]
pub struct Probed {
    /// Whether Postigo could connect and sign in; of a transport without a server, whether its command or folder can be used.
    works: bool,
    /// What the server said of itself.
    facts: BTreeMap<&'static str, String>,
    /// Why it does not work, a sentence; null where it does.
    #[schema(required)]
    error: Option<String>,
}

impl<E: std::error::Error> From<Result<Vec<(&'static str, String)>, E>> for Probed {
    fn from(probed: Result<Vec<(&'static str, String)>, E>) -> Self {
        let error = probed.as_ref().err().map(ToString::to_string);
        Self { works: error.is_none(), facts: probed.unwrap_or_default().into_iter().collect(), error }
    }
}
