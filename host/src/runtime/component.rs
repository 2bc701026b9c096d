//! From uploaded bytes to a component that may be run: what it is, what it imports, what it exports.

/// The version of the contract that this host speaks.
pub const HOST_VERSION: &str = "1.0.0";
