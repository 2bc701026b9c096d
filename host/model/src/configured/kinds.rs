//! The one list of the kinds of configured things. Whoever does something for each of them walks it.

use super::form::{ConfiguredKind, LoadedKind};
use super::{Account, AutoResponse, CustomerUser, DynamicField, Filter, Queue, SystemAddress, Template, Transport};

/// Does something for each kind.
pub trait KindVisitor {
    /// For a kind that the configuration holds in memory.
    fn loaded<K: LoadedKind>(&mut self);

    /// For a kind that is looked up in the database: customer users.
    fn looked_up<K: ConfiguredKind>(&mut self);
}

/// Walks all kinds, in the order in which files and pages have them.
pub fn visit_kinds(visitor: &mut impl KindVisitor) {
    visitor.loaded::<Queue>();
    visitor.loaded::<SystemAddress>();
    visitor.loaded::<Account>();
    visitor.loaded::<DynamicField>();
    visitor.looked_up::<CustomerUser>();
    visitor.loaded::<AutoResponse>();
    visitor.loaded::<Template>();
    visitor.loaded::<Transport>();
    visitor.loaded::<Filter>();
}
