//! Components as the command line and REST show them.

use super::{CatalogueComponent, ComponentDetails, ShippedComponent};
use crate::store::components::DescriptionSummary;
use postigo_model::guest::Grant;
use postigo_model::timestamp::rfc3339;
use postigo_sandbox::{ComponentDescription, FilterDescription};
use serde::Serialize;
use utoipa::ToSchema;

/// A component, without its settings schema.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Component)]
pub struct ComponentDocument {
    /// SHA-256 of the uploaded bytes, hexadecimal.
    pub digest: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One sentence.
    pub summary: String,
    /// The grants it wants.
    pub grants: Vec<Grant>,
    /// The headers it may set; a trailing `*` stands for any ending.
    pub headers: Vec<String>,
    /// Whether it exports `screening`.
    pub screens: bool,
    /// Why what is stored of it cannot be read, so that nothing is told above of what it says of itself, and filters
    /// of it fail; null where it can. Uploading the same file again mends it.
    #[schema(required)]
    pub unreadable: Option<String>,
    /// Whether it ships with Postigo; a shipped one is what its name means.
    pub shipped: bool,
    /// How a filter names it: a shipped one's name, `name@version`, or `sha256:` and its digest where another has the
    /// same version.
    pub reference: String,
    /// Whether valid filters may be made of it: it ships with Postigo, or an admin activated it.
    pub activated: bool,
    /// RFC 3339, UTC; null where it is not activated, and for a shipped one.
    #[schema(format = DateTime, required)]
    pub activated_at: Option<String>,
    /// Who activated it; null where nobody did.
    #[schema(required)]
    pub activated_by: Option<String>,
    /// RFC 3339, UTC; null for a shipped one.
    #[schema(format = DateTime, required)]
    pub uploaded_at: Option<String>,
    /// Who uploaded it; null for a shipped one, and where it was not noted.
    #[schema(required)]
    pub uploaded_by: Option<String>,
    /// The filters that are made of it, valid or not.
    pub used_by: Vec<String>,
}

impl From<ShippedComponent> for ComponentDocument {
    fn from(ShippedComponent { name, description, used_by }: ShippedComponent) -> Self {
        let FilterDescription { headers, screens } = description.filter();
        let ComponentDescription { digest, version, summary, grants, .. } = description.as_ref().clone();
        Self {
            digest,
            name: name.to_owned(),
            version,
            summary,
            grants,
            headers,
            screens,
            unreadable: None,
            shipped: true,
            reference: name.to_owned(),
            activated: true,
            activated_at: None,
            activated_by: None,
            uploaded_at: None,
            uploaded_by: None,
            used_by,
        }
    }
}

impl From<ComponentDetails<DescriptionSummary>> for ComponentDocument {
    fn from(ComponentDetails { row, said, used_by }: ComponentDetails<DescriptionSummary>) -> Self {
        let (said, unreadable) =
            said.map_or_else(|why| (DescriptionSummary::default(), Some(why)), |said| (said, None));
        let DescriptionSummary { summary, grants, headers, screens } = said;
        Self {
            summary,
            grants,
            headers,
            screens,
            unreadable,
            shipped: false,
            reference: row.shown(),
            activated: row.activated_at.is_some(),
            activated_at: row.activated_at.map(rfc3339),
            activated_by: row.activated_by.filter(|by| !by.is_empty()),
            uploaded_at: Some(rfc3339(row.uploaded_at)),
            uploaded_by: Some(row.uploaded_by).filter(|by| !by.is_empty()),
            digest: row.digest,
            name: row.name,
            version: row.version,
            used_by,
        }
    }
}

impl From<ComponentDetails<ComponentDescription>> for ComponentDocument {
    fn from(ComponentDetails { row, said, used_by }: ComponentDetails<ComponentDescription>) -> Self {
        let said = said.map(|said| {
            let FilterDescription { headers, screens } = said.filter();
            DescriptionSummary { summary: said.summary, grants: said.grants, headers, screens }
        });
        ComponentDetails { row, said, used_by }.into()
    }
}

impl From<CatalogueComponent> for ComponentDocument {
    fn from(component: CatalogueComponent) -> Self {
        match component {
            CatalogueComponent::Shipped(shipped) => shipped.into(),
            CatalogueComponent::Uploaded(uploaded) => (*uploaded).into(),
        }
    }
}
