//! Patterns as admins write them: Perl's, as far as they can be matched in linear time, and a plain word where they
//! cannot.
//!
//! A pattern is one program and a forward automaton that is built lazily while texts are searched. That alone tells
//! whether a text matches, in a few bytes of memory; what the groups captured is asked only when it does.

use regex_automata::hybrid::dfa::{self, DFA};
use regex_automata::nfa::thompson::backtrack::BoundedBacktracker;
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{Compiler, Config, NFA};
use regex_automata::util::captures::{Captures, GroupInfo};
use regex_automata::{Input, MatchKind};
use regex_syntax::ast::ErrorKind;
use regex_syntax::hir::{Hir, Look};
use regex_syntax::{Error, ParserBuilder};

/// What a search remembers of the automaton that it builds.
pub type Cache = dfa::Cache;

/// Bytes that the program of one pattern may take. `\w{60}` alone does not fit: a group of hundreds of filters must fit
/// its memory.
const PROGRAM_LIMIT: usize = 1 << 20;
/// Bytes that the lazily built automaton of one pattern may take.
const CACHE_LIMIT: usize = 32 << 10;
/// Parentheses inside parentheses.
const NEST_LIMIT: u32 = 100;

/// Whether capital and small letters are the same to a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// They are, by Unicode's simple case folding.
    Ignored,
    /// They are not, unless the pattern says `(?i)`.
    Kept,
}

/// A pattern that was read: its syntax tree, which is larger than the compiled pattern and of no use afterwards.
#[derive(Debug)]
pub struct Parsed<'a> {
    text: &'a str,
    /// The syntax tree.
    pub tree: Hir,
}

impl<'a> Parsed<'a> {
    /// Reads a pattern that may match anywhere in a value.
    ///
    /// # Errors
    /// A sentence that says what the pattern must change.
    pub fn anywhere(text: &'a str, case: Case) -> Result<Self, String> {
        Ok(Self { text, tree: parse(text, case)? })
    }

    /// Reads a pattern that must match a whole value.
    ///
    /// # Errors
    /// A sentence that says what the pattern must change.
    pub fn whole(text: &'a str, case: Case) -> Result<Self, String> {
        // The tree is enclosed, not the text: `a|b` is two whole addresses, and a `#` of `(?x)` comments out nothing of
        // ours.
        let tree = Hir::concat(vec![Hir::look(Look::Start), parse(text, case)?, Hir::look(Look::End)]);
        Ok(Self { text, tree })
    }

    /// Compiles it.
    ///
    /// # Errors
    /// A sentence, when it is too large.
    pub fn compile(&self) -> Result<Pattern, String> {
        let pattern = self.text;
        let config = Config::new().nfa_size_limit(Some(PROGRAM_LIMIT));
        let program = Compiler::new().configure(config).build_from_hir(&self.tree);
        let program = program.map_err(|error| match error.size_limit() {
            Some(_) => format!(
                "The pattern `{pattern}` is too large: repeat less ({{n}} of a class as \\w is what grows most)."
            ),
            None => format!("The pattern `{pattern}` does not compile: {error}."),
        })?;
        // Where Unicode's word borders meet other than ASCII, or the cache is of no use, the automaton gives up and the
        // program is run.
        let config = dfa::Config::new()
            .match_kind(MatchKind::LeftmostFirst)
            .unicode_word_boundary(true)
            .cache_capacity(CACHE_LIMIT)
            .skip_cache_capacity_check(true)
            .minimum_cache_clear_count(Some(3))
            .minimum_bytes_per_state(Some(10));
        let automaton = dfa::Builder::new().configure(config).build_from_nfa(program.clone());
        let automaton = automaton.map_err(|error| format!("The pattern `{pattern}` does not compile: {error}."))?;
        Ok(Pattern { program, automaton })
    }
}

/// A compiled pattern.
#[derive(Debug)]
pub struct Pattern {
    program: NFA,
    automaton: DFA,
}

impl Pattern {
    /// The names and numbers of its groups.
    pub fn groups(&self) -> &GroupInfo {
        self.program.group_info()
    }

    /// A new cache for [`Self::is_in`].
    pub fn cache(&self) -> Cache {
        self.automaton.create_cache()
    }

    /// Whether it matches anywhere in a text.
    pub fn is_in(&self, text: &str, cache: &mut Cache) -> bool {
        let input = Input::new(text).earliest(true);
        match self.automaton.try_search_fwd(cache, &input) {
            Ok(found) => found.is_some(),
            Err(_) => self.run(text, &mut Captures::empty(self.groups().clone()), true),
        }
    }

    /// What its groups captured in a text that it matches.
    pub fn captured(&self, text: &str) -> Captures {
        let mut captures = Captures::all(self.groups().clone());
        self.run(text, &mut captures, false);
        captures
    }

    /// Runs the program: by bounded backtracking, which is quick on short texts, else in lockstep.
    fn run(&self, text: &str, captures: &mut Captures, earliest: bool) -> bool {
        let input = Input::new(text).earliest(earliest);
        if let Ok(backtracker) = BoundedBacktracker::new_from_nfa(self.program.clone()) {
            let mut cache = backtracker.create_cache();
            if backtracker.try_captures(&mut cache, input.clone(), captures).is_ok() {
                return captures.is_match();
            }
        }
        if let Ok(lockstep) = PikeVM::new_from_nfa(self.program.clone()) {
            lockstep.captures(&mut lockstep.create_cache(), input, captures);
        }
        captures.is_match()
    }
}

fn parse(pattern: &str, case: Case) -> Result<Hir, String> {
    let mut parser = ParserBuilder::new().case_insensitive(case == Case::Ignored).nest_limit(NEST_LIMIT).build();
    parser.parse(&from_perl(pattern)).map_err(|error| explain(pattern, &error))
}

/// Perl's spellings that mean something else, or nothing, to our parser: `\<` and `\>` are the plain characters, `\Z`
/// is the end.
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
            "look-around ((?=…), (?!…), (?<=…), (?<!…)) cannot be matched in linear time; make what must \
             or must not be there a condition of its own"
        }
        ErrorKind::UnsupportedBackreference => {
            "back-references (\\1) cannot be matched in linear time; write out what may be repeated"
        }
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
