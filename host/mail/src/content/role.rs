//! Parts of the text told from parts that are files: what each part of a message is to its body.

use crate::html;
use crate::part_text::decode_as;
use crate::structure::{Disposition, Multipart, MultipartKind, Part, Structure};

/// Whether a text says anything is looked for in so many bytes of it first.
pub const BEGINNING: usize = 16 << 10;

/// Whether a part is text, of whatever kind.
pub fn is_text(part: &Part) -> bool {
    part.media_type.starts_with("text/")
}

/// Whether a part is meant to be a file of its own.
pub fn is_file(part: &Part) -> bool {
    match part.disposition {
        Some(Disposition::Attachment) => true,
        Some(Disposition::Inline) => !part.file_name.is_empty(),
        None => false,
    }
}

/// Whether a part is of a kind that people write mails in.
pub fn is_written(part: &Part) -> bool {
    matches!(part.media_type.as_str(), "text/plain" | "text/html" | "text/markdown")
}

/// Whether among alternatives a part is but another form of the text, for certain programs or of old.
fn is_special_form(part: &Part) -> bool {
    matches!(part.media_type.as_str(), "text/x-amp-html" | "text/watch-html" | "text/enriched" | "text/richtext")
}

/// What a part is to the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It belongs to the body.
    Body,
    /// What it says the body says in another form, or it says nothing.
    OtherForm,
    /// A text that stands beside the body, and says something.
    Left,
    /// It is no text of the mail.
    File,
}

/// The role of each part.
pub struct Roles(Vec<Role>);

impl Roles {
    /// The body is every text of the mail, as people write them, that says something and is no file: of alternatives the
    /// first that does, of what belongs together (multipart/related) the first, which the others belong to. Where there
    /// is none, it is the first other text: one with a name, or a table. A lone text is the body, whatever it is.
    pub fn of(raw: &[u8], structure: &Structure) -> Self {
        let Structure { parts, multiparts, .. } = structure;
        let mut roles = Self(vec![Role::File; parts.len()]);
        if let [part] = parts.as_slice()
            && part.place.is_none()
        {
            roles.0.fill(if is_text(part) { Role::Body } else { Role::File });
            return roles;
        }
        let texts = |written: bool| {
            parts.iter().enumerate().filter(move |(_, part)| {
                is_text(part)
                    && !is_file(part)
                    && !matches!(part.media_type.as_str(), "text/x-amp-html" | "text/watch-html")
                    && (is_written(part) && part.file_name.is_empty()) == written
            })
        };
        let is_only = texts(true).count() + texts(false).count() == 1;
        let mut chosen = ChosenParts::new(multiparts);
        for (index, part) in parts.iter().enumerate() {
            let is_alternative = || chosen.around(part).any(|(_, kind, _)| kind == MultipartKind::Alternative);
            if is_special_form(part) && !is_file(part) && is_alternative() {
                roles.set(index, Role::OtherForm);
            }
        }
        for (index, part) in texts(true) {
            let excluded = chosen.excludes(part);
            roles.set(
                index,
                match excluded {
                    Some(MultipartKind::Alternative) => Role::OtherForm,
                    _ if !is_only && !says_anything(raw, part) => Role::OtherForm,
                    Some(_) => Role::Left,
                    None => {
                        chosen.choose(part);
                        Role::Body
                    }
                },
            );
        }
        if !roles.0.contains(&Role::Body) {
            let named = texts(false).find(|(_, part)| is_only || says_anything(raw, part));
            if let Some((index, _)) = named.or_else(|| texts(true).next()).or_else(|| texts(false).next()) {
                roles.set(index, Role::Body);
            }
        }
        roles
    }

    fn set(&mut self, index: usize, role: Role) {
        if let Some(known) = self.0.get_mut(index) {
            *known = role;
        }
    }

    /// Whether it is that of the part with this index.
    pub fn is(&self, index: usize, role: Role) -> bool {
        self.0.get(index) == Some(&role)
    }
}

/// Which part of each multipart is meant where only one is.
struct ChosenParts<'s> {
    multiparts: &'s [Multipart],
    chosen: Vec<Option<usize>>,
}

impl<'s> ChosenParts<'s> {
    fn new(multiparts: &'s [Multipart]) -> Self {
        Self { multiparts, chosen: vec![None; multiparts.len()] }
    }

    /// The multiparts around a part, from the inner to the outer, each with its place, its kind and which of its parts
    /// it is.
    fn around(&self, part: &Part) -> impl Iterator<Item = (usize, MultipartKind, usize)> {
        let multiparts = self.multiparts;
        let mut place = part.place;
        std::iter::from_fn(move || {
            let inner = place?;
            let multipart = multiparts.get(inner.multipart)?;
            place = multipart.place;
            Some((inner.multipart, multipart.kind, inner.part))
        })
        .filter(|(_, kind, _)| *kind != MultipartKind::Mixed)
    }

    /// The multipart, by its kind, of which another part is meant than the one that this leaf is in.
    fn excludes(&self, part: &Part) -> Option<MultipartKind> {
        let other = |place: &usize, part: &usize| {
            self.chosen.get(*place).copied().flatten().is_some_and(|chosen| chosen != *part)
        };
        let mut others = self.around(part).filter(|(place, _, part)| other(place, part)).map(|(_, kind, _)| kind);
        let first = others.next()?;
        Some(if others.any(|kind| kind == MultipartKind::Alternative) { MultipartKind::Alternative } else { first })
    }

    /// This leaf is in the body: of each multipart around it the part with it is meant.
    fn choose(&mut self, part: &Part) {
        let around: Vec<(usize, usize)> = self.around(part).map(|(place, _, part)| (place, part)).collect();
        for (place, part) in around {
            if let Some(chosen) = self.chosen.get_mut(place) {
                chosen.get_or_insert(part);
            }
        }
    }
}

/// Whether a text has anything that a reader sees.
fn says_anything(raw: &[u8], part: &Part) -> bool {
    let encoded = raw.get(part.range.clone()).unwrap_or_default();
    let text_of = |encoded: &[u8]| {
        let text = decode_as(part.encoding.decode(encoded), part);
        if part.media_type == "text/html" { html::to_text(&text) } else { text }
    };
    // Where the beginning was cut, a character may have been.
    let beginning = encoded.get(..BEGINNING).filter(|beginning| beginning.len() < encoded.len());
    beginning.is_some_and(|beginning| {
        text_of(beginning).contains(|character| is_visible(character) && character != char::REPLACEMENT_CHARACTER)
    }) || text_of(encoded).contains(is_visible)
}

/// Whether a reader sees a character: no blank (U+00A0 is one), none without width, none that stands for nothing.
fn is_visible(character: char) -> bool {
    !(character.is_whitespace()
        || character.is_control()
        || matches!(
            character,
            '\u{AD}'
                | '\u{34F}'
                | '\u{61C}'
                | '\u{115F}'
                | '\u{1160}'
                | '\u{17B4}'
                | '\u{17B5}'
                | '\u{180B}'..='\u{180E}'
                | '\u{200B}'..='\u{200F}'
                | '\u{202A}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{FE00}'..='\u{FE0F}'
                | '\u{FEFF}'
                | '\u{FFA0}'
                | '\u{FFFC}'
        ))
}
