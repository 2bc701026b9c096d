//! The catalogue of components: what is there, what a name means, and what an admin lets act.
//!
//! Uploading is not activating. What was uploaded can be tried; filters that run are made of what ships with Postigo
//! and of what an admin activated. What a filter's `component` means is settled once, when the filter is made or its
//! `component` changes, and kept by digest ([`settle`]): nothing that is uploaded or activated later changes it.
//! [`crate::config`] moves filters from one version to another.

mod activate;
mod known;
mod settle;
mod upload;

pub use activate::{ActivateError, activate, delete};
pub use known::{Catalogue, KnownComponent, Unknown};
pub use settle::settle;
pub use upload::{Upload, UploadError, inspect, upload};
