//! What came of connecting to the server of an account or transport.

use crate::service::probing;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What came of it.
#[derive(Serialize, ToSchema)]
#[schema(as = Probed)]
pub struct ProbeDocument {
    /// Whether Postigo could connect and sign in; of a transport without a server, whether its command or folder can
    /// be used.
    works: bool,
    /// What the server said of itself.
    facts: BTreeMap<&'static str, String>,
    /// Why it does not work, a sentence; null where it does.
    #[schema(required)]
    error: Option<String>,
}

impl From<probing::ProbeResult> for ProbeDocument {
    fn from(probing::ProbeResult { facts, error }: probing::ProbeResult) -> Self {
        Self { works: error.is_none(), facts: facts.into_iter().collect(), error }
    }
}
