//! What came of connecting to the server of an account or transport.

use crate::service::probing;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What came of it.
#[derive(Serialize, ToSchema)]
pub struct Probed {
    /// Whether Postigo could connect and sign in; of a transport without a server, whether its command or folder can
    /// be used.
    works: bool,
    /// What the server said of itself.
    facts: BTreeMap<&'static str, String>,
    /// Why it does not work, a sentence; null where it does.
    #[schema(required)]
    error: Option<String>,
}

impl From<probing::Probed> for Probed {
    fn from(probing::Probed { facts, error }: probing::Probed) -> Self {
        Self { works: error.is_none(), facts: facts.into_iter().collect(), error }
    }
}
