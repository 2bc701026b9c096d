//! The worlds of this host: what the contract's packages are put together to, a file each.

pub(crate) mod classifier;
pub(crate) mod filter;
mod filter_1_0;
#[cfg(test)]
mod growth;
mod trainable;

use crate::world::Worlds;

/// All of them, the newest first.
pub(crate) const WORLDS: Worlds = &[&filter::FilterWorld, &classifier::ClassifierWorld, &filter_1_0::FilterWorld1_0];
