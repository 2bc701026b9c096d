//! What a kind of configured things is called, and what may be done with its things.

use crate::role::Role;

/// What a kind says of itself, beside its keys.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// What several are called, and what for: `Automatic answers of queues`.
    pub heading: &'static str,
    /// What one is, a sentence.
    pub sentence: &'static str,
    /// The name of its schema in the OpenAPI document: `AutoResponse`.
    pub schema: &'static str,
    /// Where REST has them, below `/api/v1`: `/auto-responses`.
    pub path: &'static str,
    /// Its command: `response`.
    pub command: &'static str,
    /// Another name of the command.
    pub other_command: Option<&'static str>,
    /// Whether one can be deleted; else it is only made invalid.
    pub is_deletable: bool,
    /// Who may make, change and delete them; everybody may see them.
    pub editors: &'static [Role],
    /// What the command's list shows: headings and keys.
    pub columns: &'static [Column],
}

/// A column of a list: its heading and the key.
pub type Column = (&'static str, &'static str);
