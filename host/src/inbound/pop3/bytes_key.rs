//! What messages without a unique-id are known by: their bytes, and which copy of them each is. No server can give such
//! an id: it has spaces.

/// How such a key begins.
const BYTES: &str = "bytes ";

/// The key of a message by the digest of its bytes; copies are counted from 1.
pub fn standing_for_bytes(digest: &str, copy: u32) -> String {
    format!("{BYTES}{digest} {copy}")
}

/// Whether a key is none of the server's own.
pub fn stands_for_bytes(uidl: &str) -> bool {
    uidl.starts_with(BYTES)
}
