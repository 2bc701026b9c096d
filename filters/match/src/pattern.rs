//! Patterns: Perl's, as far as they can be matched in linear time, and a plain word where they cannot.

use regex_automata::meta::{Builder, Config, Regex};
use regex_syntax::ast::ErrorKind;
use regex_syntax::hir::{Hir, Look};
use regex_syntax::{Error, ParserBuilder};

/// Bytes that the program of one pattern may take. `\w{200}` alone does not fit: a group of hundreds of filters must fit its memory.
const PROGRAM_LIMIT: usize = 1 << 20;
/// Bytes that the lazily built automaton of one pattern may take. Small, since a message's writes should stay in few pages.
const CACHE_LIMIT: usize = 16 << 10;
/// Parentheses inside parentheses.
const NEST_LIMIT: u32 = 100;

/// A compiled pattern.
#[derive(Debug)]
pub struct Pattern {
    /// The program.
    pub regex: Regex,
    /// The syntax tree it was compiled from.
    pub hir: Hir,
}

impl Pattern {
    /// Compiles a pattern that may match anywhere in a value.
    ///
    /// # Errors
    /// A sentence that says what the pattern must change.
    pub fn anywhere(pattern: &str) -> Result<Self, String> {
        Self::compile(pattern, parse(pattern)?)
    }

    /// Compiles a pattern that must match a whole value: an address.
    ///
    /// # Errors
    /// A sentence that says what the pattern must change.
    pub fn whole(pattern: &str) -> Result<Self, String> {
        // The tree is enclosed, not the text: `a|b` is two whole addresses, and a `#` of `(?x)` comments out nothing of ours.
        let whole = Hir::concat(vec![Hir::look(Look::Start), parse(pattern)?, Hir::look(Look::End)]);
        Self::compile(pattern, whole)
    }

    fn compile(pattern: &str, hir: Hir) -> Result<Self, String> {
        let config =
            Config::new().nfa_size_limit(Some(PROGRAM_LIMIT)).onepass_size_limit(Some(CACHE_LIMIT)).hybrid_cache_capacity(CACHE_LIMIT);
        let regex = Builder::new().configure(config).build_from_hir(&hir);
        let regex = regex.map_err(|error| match error.size_limit() {
            Some(_) => format!("The pattern `{pattern}` is too large: repeat less ({{n}} of a class as \\w is what grows most)."),
            None => format!("The pattern `{pattern}` does not compile: {error}."),
        })?;
        Ok(Self { regex, hir })
    }
}

fn parse(pattern: &str) -> Result<Hir, String> {
    let mut parser = ParserBuilder::new().case_insensitive(true).nest_limit(NEST_LIMIT).build();
    parser.parse(&from_perl(pattern)).map_err(|error| explain(pattern, &error))
}

/// Perl's spellings that mean something else, or nothing, to our parser: `\<` and `\>` are the plain characters, `\Z` is the end.
fn from_perl(pattern: &str) -> String {
    let mut ours = String::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            ours.push(character);
            continue;
        }
        match characters.next() {
            Some(plain @ ('<' | '>')) => ours.push(plain),
            Some('Z') => ours.push_str("\\z"),
            Some(escaped) => ours.extend(['\\', escaped]),
            None => ours.push('\\'),
        }
    }
    ours
}

/// What is wrong with a pattern and what to do, in a sentence.
fn explain(pattern: &str, error: &Error) -> String {
    let Error::Parse(error) = error else {
        return format!("The pattern `{pattern}` does not compile: {}.", last_line(error));
    };
    let advice = match error.kind() {
        ErrorKind::UnsupportedLookAround => {
            "look-around ((?=…), (?!…), (?<=…), (?<!…)) cannot be matched in linear time; write a second entry with negate = true \
             for what must not be there"
        }
        ErrorKind::UnsupportedBackreference => "back-references (\\1) cannot be matched in linear time; write out what may be repeated",
        ErrorKind::FlagUnrecognized | ErrorKind::GroupNameUnexpectedEof => {
            "this kind of group is not known; atomic groups (?>…), conditions (?(…)…), branch reset (?|…), recursion (?R) and \
             comments (?#…) of Perl must be written as plain groups (?:…)"
        }
        ErrorKind::EscapeUnrecognized => {
            "this escape is not known; \\h is written [ \\t], \\R is \\r?\\n, \\Q…\\E is escaped by hand, \\K, \\G and \\X have no \
             counterpart, and back-references by name (\\k, \\g) cannot be matched in linear time"
        }
        ErrorKind::RepetitionMissing | ErrorKind::RepetitionCountUnclosed | ErrorKind::RepetitionCountDecimalEmpty => {
            "a quantifier stands where it repeats nothing or is incomplete; a plain *, +, ? or { is written with a backslash"
        }
        ErrorKind::ClassUnclosed => "a class is not closed; a plain [ is written \\[, inside of a class too",
        ErrorKind::GroupUnclosed => "a group is not closed; a plain ( is written \\(",
        ErrorKind::GroupUnopened => "a group is closed that was not opened; a plain ) is written \\)",
        _ => return format!("The pattern `{pattern}` does not compile: {}.", last_line(error)),
    };
    let before = pattern.get(..error.span().start.offset).unwrap_or(pattern);
    format!("The pattern `{pattern}` does not compile at character {}: {advice}.", before.chars().count() + 1)
}

/// The parser draws the pattern and points at the place; its last line says what is wrong.
fn last_line(error: &dyn std::fmt::Display) -> String {
    let drawn = error.to_string();
    let line = drawn.lines().next_back().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}
