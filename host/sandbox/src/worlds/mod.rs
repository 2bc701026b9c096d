//! The worlds of this host: what the contract's packages are put together to, a file each.

pub(crate) mod filter;

use crate::world::Worlds;

/// All of them, the newest first.
pub(crate) const WORLDS: Worlds = &[&filter::Filter];
