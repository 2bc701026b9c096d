//! Who changes something: noted beside every change, in its row.

use crate::text::{beginning, is_obeyed};
use std::fmt;

/// A name has so many bytes at most where it is noted, enough for any token's; what follows is left out.
const LONGEST_NAME: usize = 800;

/// Who changes something, and by which way. Written as `token 3 (monitoring)` or `command line (anna)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Whoever holds a token of the REST API.
    Token {
        /// Row id of the token.
        id: i64,
        /// What the token is for, in its owner's words.
        name: String,
    },
    /// Whoever runs a command.
    CommandLine {
        /// The user of the machine: `anna`, `root, by sudo of anna`.
        user: String,
    },
    /// Whoever applies a configuration file.
    File {
        /// The user of the machine.
        user: String,
    },
    /// The daemon by itself.
    Daemon,
}

impl Actor {
    /// By which way the change came, as it is noted: `rest`, `command-line`, `file` or `daemon`.
    pub fn way(&self) -> &'static str {
        match self {
            Self::Token { .. } => "rest",
            Self::CommandLine { .. } => "command-line",
            Self::File { .. } => "file",
            Self::Daemon => "daemon",
        }
    }

    /// The same one, applying a configuration file.
    #[must_use]
    pub fn by_file(self) -> Self {
        match self {
            Self::CommandLine { user } => Self::File { user },
            other => other,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token { id, name } => write!(formatter, "token {id} ({})", noted(name)),
            Self::CommandLine { user } | Self::File { user } => write!(formatter, "command line ({})", noted(user)),
            Self::Daemon => formatter.write_str("daemon"),
        }
    }
}

/// A name as it is noted: in one line, bounded, and with nothing that turns the line around.
fn noted(name: &str) -> String {
    beginning(name, LONGEST_NAME).replace(is_obeyed, "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_noted_in_one_line_that_is_bounded() {
        let actor = Actor::Token { id: 3, name: format!("a\nb\u{1b}\u{202e}{}", "x".repeat(5_000)) };
        let noted = actor.to_string();
        assert!(noted.starts_with("token 3 (a?b??xxx") && noted.len() < 830, "{noted}");
        let anna = Actor::CommandLine { user: "anna".into() };
        assert_eq!((anna.to_string().as_str(), anna.way()), ("command line (anna)", "command-line"));
        let file = anna.by_file();
        assert_eq!((file.to_string().as_str(), file.way()), ("command line (anna)", "file"));
    }
}
