//! Values to be set: plain text with places for what the conditions captured.

/// What the conditions of a filter captured in a mail.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// The last capture group 1, or the address that `EMAILADDRESS:` matched.
    pub first: Option<String>,
    /// Named captures; of several of one name the last counts.
    pub named: Vec<(String, String)>,
}

/// A value to be set.
#[derive(Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    First,
    Named(String),
}

/// The place of the first capture.
const FIRST: &str = "[***]";

impl Template {
    /// Reads a value. Only the first `[***]` is a place, as in the peer; `[** \name **]` is one everywhere.
    pub fn parse(value: &str) -> Self {
        let mut pieces = Vec::new();
        let mut has_first = false;
        let mut text = String::new();
        let mut rest = value;
        while let Some(character) = rest.chars().next() {
            let (piece, after) = match rest.strip_prefix(FIRST) {
                Some(after) if !has_first => {
                    has_first = true;
                    (Some(Piece::First), after)
                }
                _ => match named(rest) {
                    Some((name, after)) => (Some(Piece::Named(name.to_owned())), after),
                    None => (None, rest.get(character.len_utf8()..).unwrap_or_default()),
                },
            };
            match piece {
                Some(piece) => {
                    if !text.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut text)));
                    }
                    pieces.push(piece);
                }
                None => text.push(character),
            }
            rest = after;
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        Self(pieces)
    }

    /// The names that it has places for.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Named(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Whether it has places at all.
    pub fn has_places(&self) -> bool {
        self.0.iter().any(|piece| !matches!(piece, Piece::Text(_)))
    }

    /// The value with its places filled; what was not captured is empty. What is filled in is never read as a place
    /// again.
    pub fn fill(&self, captured: &Captured) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::First => captured.first.as_deref().unwrap_or_default(),
            Piece::Named(wanted) => {
                let found = captured.named.iter().rev().find(|(name, _)| name == wanted);
                found.map(|(_, value)| value.as_str()).unwrap_or_default()
            }
        });
        pieces.collect()
    }
}

/// Reads `[** \name **]` at the start: the name and what follows. Blanks inside are optional.
fn named(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix("[**")?.trim_start_matches(' ').strip_prefix('\\')?;
    let end = inside
        .find(|character: char| !(character.is_alphanumeric() || "_.[]".contains(character)))
        .unwrap_or(inside.len());
    let (name, after) = inside.split_at_checked(end)?;
    let after = after.trim_start_matches(' ').strip_prefix("**]")?;
    if name.is_empty() { None } else { Some((name, after)) }
}
