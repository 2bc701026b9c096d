//! The filter components that come with Postigo, embedded in the binary.

/// Name and bytes of each shipped component, a core module that carries its component type. Empty in a binary that was
/// built without `make guests`.
pub fn components() -> &'static [(&'static str, &'static [u8])] {
    include!(concat!(env!("OUT_DIR"), "/shipped.rs"))
}

/// The bytes of a shipped component.
pub fn bytes(name: &str) -> Option<&'static [u8]> {
    components().iter().find(|(shipped, _)| *shipped == name).map(|(_, bytes)| *bytes)
}
