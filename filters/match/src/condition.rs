//! A condition on a header.

use crate::fold::fold_into;
use crate::literals::{Literals, needed};
use crate::settings::{When, check_matched};
use crate::template::Captured;
use crate::witness::witness;
use memchr::memmem;
use postigo_filter::pattern::{Cache, Case, Parsed, Pattern};
use postigo_filter::{Mail, Problem};
use std::cell::RefCell;

/// What a condition looks at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// The value of a header; its name in lower case.
    Header(String),
    /// Each address of a header; its name in lower case.
    Addresses(String),
    /// The body as text.
    Body,
}

/// A condition with its compiled pattern.
#[derive(Debug)]
pub struct Condition {
    /// What it looks at.
    pub source: Source,
    /// Its pattern.
    pub pattern: Pattern,
    /// Folded literals of which a value that the pattern matches has at least one, where such could be told.
    pub literals: Option<Literals>,
    /// Whether the pattern might match the empty value.
    pub matches_empty: bool,
    /// A text that the pattern matches, as far as could be told.
    witness: String,
    /// Whether it holds where the pattern does not match.
    pub negate: bool,
    /// Whether what it captures is wanted.
    captures: bool,
    /// What is told before the value and after it: the header, and the expression in quotes, as they were written. Made
    /// once, since each mail that a filter looks at is told of.
    told: (String, String),
}

/// More literals than this are looked for by the screen alone.
const FEW_LITERALS: usize = 8;
/// Values longer than this, in bytes, are not folded for each condition.
const SHORT_VALUE: usize = 1 << 10;

/// So many characters of a value, or of an expression, are told.
const TOLD: usize = 100;

/// What introduces a pattern for addresses.
const ADDRESS_PREFIX: &str = "EMAILADDRESS:";
/// So many addresses of a header are told.
const FEW_ADDRESSES: usize = 3;
/// The name of the address that such a pattern matched.
const ADDRESS_NAME: &str = "email";

impl Condition {
    /// Reads the entry at index `at` of `when`.
    ///
    /// # Errors
    /// What is wrong, with its place.
    pub fn new(at: usize, when: &When) -> Result<Self, Problem> {
        if let Some(reason) = check_matched(&when.header) {
            return Err(Problem::new(format!("/when/{at}/header"), reason));
        }
        let is_body = when.header.eq_ignore_ascii_case("Body");
        let name = when.header.to_ascii_lowercase();
        let (source, parsed) = match when.matches.strip_prefix(ADDRESS_PREFIX) {
            Some(_) if is_body => {
                (Source::Body, Err("EMAILADDRESS: matches addresses of a header; the body has none.".to_owned()))
            }
            Some(pattern) => (Source::Addresses(name), Parsed::whole(pattern, Case::Ignored)),
            None if is_body => (Source::Body, Parsed::anywhere(&when.matches, Case::Ignored)),
            None => (Source::Header(name), Parsed::anywhere(&when.matches, Case::Ignored)),
        };
        let compiled = parsed.and_then(|parsed| Ok((parsed.compile()?, parsed.tree)));
        let (pattern, tree) = compiled.map_err(|reason| Problem::new(format!("/when/{at}/matches"), reason))?;
        Ok(Self {
            source,
            pattern,
            literals: needed(&tree),
            // No length is known of what cannot match at all.
            matches_empty: tree.properties().minimum_len() == Some(0),
            witness: witness(&tree),
            negate: when.negate,
            captures: false,
            told: (format!("{} ", when.header), {
                let mut expression = String::new();
                push_quoted(&when.matches, &mut expression);
                expression + ": "
            }),
        })
    }

    /// The names that it captures; a negated one captures nothing.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let groups = self.pattern.groups().all_names().filter_map(|(_, _, name)| name);
        let address = matches!(self.source, Source::Addresses(_)).then_some(ADDRESS_NAME);
        groups.chain(address).filter(|_| !self.negate)
    }

    /// Makes it keep what it captures.
    pub fn capture(&mut self) {
        self.captures = !self.negate;
    }

    /// Whether it holds for a mail; what it captured is added, and to `told`, where that is wanted, whether it held and
    /// the value that was compared.
    ///
    /// # Errors
    /// A sentence, when it looks at the body and that was not granted.
    pub fn holds(
        &self,
        mail: &Mail<'_>,
        cache: &RefCell<Cache>,
        captured: &mut Captured,
        told: Option<&mut String>,
    ) -> Result<bool, String> {
        let cache = &mut *cache.borrow_mut();
        let matched = match &self.source {
            Source::Header(name) => {
                let value = mail.header(name);
                let matched = self.search(value.as_deref().unwrap_or_default(), cache, captured);
                self.tell(matched, told, |told| match &value {
                    Some(value) => push_quoted(value, told),
                    None => told.push_str("is missing, and \"\""),
                });
                matched
            }
            Source::Addresses(name) => {
                let addresses = mail.addresses(name);
                let matched = addresses.iter().any(|one| self.search(&one.address, cache, captured));
                self.tell(matched, told, |told| {
                    for (at, one) in addresses.iter().take(FEW_ADDRESSES).enumerate() {
                        told.push_str(if at == 0 { "" } else { ", " });
                        push_quoted(&one.address, told);
                    }
                    told.push_str(match addresses.len() {
                        0 => "has no address, which",
                        1..=FEW_ADDRESSES => "",
                        _ => ", …",
                    });
                });
                matched
            }
            Source::Body => {
                let text = mail.text().map_err(|refusal| format!("A condition reads the Body. {refusal}"))?;
                let matched = self.search(&text, cache, captured);
                self.tell(matched, told, |told| told.push_str("text"));
                matched
            }
        };
        Ok(matched != self.negate)
    }

    /// Adds, where that is wanted, whether it held, with the value that `compared` writes.
    fn tell(&self, matched: bool, told: Option<&mut String>, compared: impl FnOnce(&mut String)) {
        let Some(told) = told else { return };
        let (header, expression) = &self.told;
        told.push_str(if told.is_empty() { "" } else { "; " });
        told.push_str(header);
        compared(told);
        told.push_str(if matched { " matches " } else { " does not match " });
        told.push_str(expression);
        told.push_str(match (matched, self.negate) {
            (true, false) => "holds",
            (false, true) => "holds, since it is negated",
            (true, true) => "fails, since it is negated",
            (false, false) => "fails",
        });
    }

    fn search(&self, value: &str, cache: &mut Cache, captured: &mut Captured) -> bool {
        let found = self.has_literals(value) && self.pattern.is_in(value, cache);
        if found && self.captures {
            self.keep(value, captured);
        }
        found
    }

    /// Whether a value has one of the literals; nearly all that do not match end here, before anything is written to
    /// memory.
    fn has_literals(&self, value: &str) -> bool {
        let Some(literals) =
            self.literals.as_ref().filter(|literals| literals.len() <= FEW_LITERALS && value.len() <= SHORT_VALUE)
        else {
            return true;
        };
        let mut folded = Vec::with_capacity(value.len());
        fold_into(value, &mut folded);
        literals.iter().any(|literal| memmem::find(&folded, literal).is_some())
    }

    fn keep(&self, value: &str, captured: &mut Captured) {
        let groups = self.pattern.captured(value);
        let text_of = |index| groups.get_group(index).and_then(|span| value.get(span.range())).map(str::to_owned);
        if let Some(first) = text_of(1) {
            captured.first = Some(first);
        }
        for (_, index, name) in groups.group_info().all_names() {
            if let Some((name, text)) = name.zip(text_of(index)) {
                captured.named.push((name.to_owned(), text));
            }
        }
        if matches!(self.source, Source::Addresses(_)) {
            captured.first = Some(value.to_owned());
            captured.named.push((ADDRESS_NAME.to_owned(), value.to_owned()));
        }
    }

    /// A cache that is filled with what usual values and matches need, so that it lies in the memory that every mail
    /// starts from.
    pub fn warm_cache(&self) -> Cache {
        const USUAL: &str =
            "Re: [Ticket#2026112400001] Invoice 42, order & delivery - \"Miller\" <jane.roe@example.com>";
        let mut cache = self.pattern.cache();
        let matching = &self.witness;
        let in_capitals = matching.to_uppercase();
        let within = format!("Re: {}, {}; ", matching.to_lowercase(), matching);
        for value in [USUAL, "", matching, &in_capitals, &within] {
            self.pattern.is_in(value, &mut cache);
        }
        cache
    }
}

/// Adds a text as it is told: in quotes, on one line, and its beginning where it is long.
fn push_quoted(text: &str, told: &mut String) {
    told.push('"');
    // 0xC2 begins the control characters that are not of ASCII, and some others.
    let is_plain = |byte: u8| byte >= b' ' && byte != 0x7f && byte != 0xc2;
    if text.len() <= TOLD && text.bytes().all(is_plain) {
        told.push_str(text);
    } else {
        told.extend(text.chars().take(TOLD).map(|letter| if letter.is_control() { ' ' } else { letter }));
        if text.chars().nth(TOLD).is_some() {
            told.push('…');
        }
    }
    told.push('"');
}
