//! The assets of a group's filters, as they lie on the host's side.

use super::contract::{Asset, GroupMember};

/// The assets of each filter of a group, in byte order of their names.
#[derive(Debug, Default)]
pub(super) struct GroupAssets(Vec<Vec<Asset>>);

impl GroupAssets {
    /// Those of these filters.
    pub(super) fn of(members: &[GroupMember]) -> Self {
        let sorted = members.iter().map(|member| {
            let mut assets = member.assets.clone();
            assets.sort_by(|one, other| one.name.cmp(&other.name));
            assets
        });
        Self(sorted.collect())
    }

    /// Those of the filter of this index; none where there is no such filter.
    pub(super) fn of_filter(&self, filter: u32) -> Option<&[Asset]> {
        self.0.get(filter as usize).map(Vec::as_slice)
    }

    /// The one of this name.
    pub(super) fn find(&self, filter: u32, name: &str) -> Option<&Asset> {
        self.of_filter(filter)?.iter().find(|asset| *asset.name == *name)
    }
}
