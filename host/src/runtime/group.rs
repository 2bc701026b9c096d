//! A group: filters of one component, configured together, ready to be called.

use super::contract::{Cost, Failure, GroupSpec};
use super::session::Session;
use std::sync::Arc;

/// Filters of one component with the same grants and limits, ready to be called.
pub struct Group {
    screens: bool,
}

impl Group {
    pub(super) fn new(_spec: &GroupSpec) -> Self {
        Self { screens: false }
    }

    /// Opens a session for one message. Nothing is instantiated before the first call.
    pub fn open(group: &Arc<Self>) -> Result<Session, Failure> {
        Ok(Session::new(Arc::clone(group)))
    }

    /// Whether the component screens.
    pub fn screens(&self) -> bool {
        self.screens
    }

    /// What a message pays for it.
    pub fn cost(&self) -> Cost {
        Cost { memory: 0, snapshot: true, pooled: true, because: String::new() }
    }
}
