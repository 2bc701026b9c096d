//! A component as filters use it, and where it is found.

use postigo_model::configured::Filter;
use postigo_sandbox::{Asset, ComponentDescription};
use std::sync::Arc;

/// A component as filters use it.
#[derive(Debug, Clone)]
pub struct FilterComponent {
    /// What it says of itself.
    pub description: Arc<ComponentDescription>,
    /// The component's bytes.
    pub bytes: Arc<[u8]>,
    /// Whether it ships with Postigo: then filters that state no grants have what it asks for.
    pub shipped: bool,
}

impl FilterComponent {
    /// Whether it answers questions, from which the host decides what follows.
    pub fn is_classifier(&self) -> bool {
        self.description.classifier().is_some()
    }
}

/// The components that filters run.
pub trait Components: Sync {
    /// The one that a filter was settled on.
    fn find(&self, filter: &Filter) -> Option<FilterComponent>;

    /// What a filter reads besides its settings while it is configured: its model in force.
    fn assets(&self, _filter: &Filter) -> Vec<Asset> {
        Vec::new()
    }

    /// Why that one is not found although it is stored, a clause: its row cannot be read.
    fn unreadable(&self, _filter: &Filter) -> Option<&str> {
        None
    }
}
