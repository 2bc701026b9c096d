//! Where versions of things are, and what a restoration may be asked for: known to the routes and to the document.

use postigo_model::configured::form::ConfiguredKind;
use serde::Deserialize;

/// How a version is restored.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RestoreQuery {
    /// Whether it is only tried: everything is checked and shown, nothing is saved.
    #[serde(default)]
    pub check: bool,
}

/// Where the versions of a kind's things are, below `/api/v1`; the last one restores.
pub fn paths<K: ConfiguredKind>(parameter: &str) -> [String; 3] {
    let all = format!("{}/{{{parameter}}}/versions", K::ABOUT.path);
    let one = format!("{all}/{{number}}");
    let restore = format!("{one}/restore");
    [all, one, restore]
}
