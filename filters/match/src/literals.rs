//! Which literals a text must have for a pattern to match it.
//!
//! The pattern's tree is folded first, character by character, as the text will be. If a text matches the pattern, the
//! folded text matches the folded tree: every step of the match goes from a character to its fold. So a literal that
//! every match of the folded tree contains is one that every matching text, folded, contains.

use crate::fold::fold;
use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Capture, Class, Dot, Hir, HirKind, Repetition};

/// Folded literals of which a matching text contains at least one. None of them is empty.
pub type Literals = Vec<Vec<u8>>;

/// More literals than this for one pattern are not worth it.
const MOST_LITERALS: usize = 250;
/// Classes with more characters than this are taken for any character.
const LARGEST_CLASS: usize = 64;
/// How many beginnings of a sequence are tried.
const MOST_BEGINNINGS: usize = 32;

/// The literals that a pattern needs; none where it needs none that could be told.
pub fn needed(hir: &Hir) -> Option<Literals> {
    best_of(&folded(hir))
}

/// The length of the shortest literal: the longer, the fewer texts have it by chance.
pub fn strength(literals: &Literals) -> usize {
    literals.iter().map(Vec::len).min().unwrap_or(0)
}

fn best_of(hir: &Hir) -> Option<Literals> {
    let whole = beginnings(hir);
    let parts = match hir.kind() {
        HirKind::Concat(parts) => {
            // Any run of parts must be there: so must what that run begins with.
            let runs = (1..parts.len().min(MOST_BEGINNINGS)).filter_map(|start| {
                let run = parts.get(start..)?.to_vec();
                beginnings(&Hir::concat(run))
            });
            let alone = parts.iter().take(MOST_BEGINNINGS).filter_map(nested);
            runs.chain(alone).reduce(stronger)
        }
        _ => nested(hir),
    };
    whole.into_iter().chain(parts).reduce(stronger)
}

/// What repetitions and alternatives need by what is inside them.
fn nested(hir: &Hir) -> Option<Literals> {
    match hir.kind() {
        HirKind::Repetition(repetition) if repetition.min > 0 => best_of(&repetition.sub),
        HirKind::Alternation(branches) => {
            let mut all = Vec::new();
            for branch in branches {
                all.extend(best_of(branch)?);
            }
            (all.len() <= MOST_LITERALS).then_some(all)
        }
        _ => None,
    }
}

fn stronger(one: Literals, other: Literals) -> Literals {
    let rank = |literals: &Literals| (strength(literals), std::cmp::Reverse(literals.len()));
    if rank(&other) > rank(&one) { other } else { one }
}

/// The literals that every match begins with one of.
fn beginnings(hir: &Hir) -> Option<Literals> {
    let sequence = Extractor::new().extract(hir);
    let literals: Literals = sequence.literals()?.iter().map(|literal| literal.as_bytes().to_vec()).collect();
    let usable =
        !literals.is_empty() && literals.len() <= MOST_LITERALS && literals.iter().all(|literal| !literal.is_empty());
    usable.then_some(literals)
}

/// The tree with every character folded; captures are dropped, and positions (`^`, `\b`) are taken to hold.
fn folded(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Hir::empty(),
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) => Hir::literal(text.chars().map(fold).collect::<String>().into_bytes()),
            Err(_) => any_text(),
        },
        HirKind::Class(class) => folded_class(class),
        HirKind::Repetition(repetition) => {
            Hir::repetition(Repetition { sub: Box::new(folded(&repetition.sub)), ..repetition.clone() })
        }
        HirKind::Capture(Capture { sub, .. }) => folded(sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(folded).collect()),
        HirKind::Alternation(branches) => Hir::alternation(branches.iter().map(folded).collect()),
    }
}

fn folded_class(class: &Class) -> Hir {
    let ranges: Vec<(char, char)> = match class {
        Class::Unicode(class) => class.iter().map(|range| (range.start(), range.end())).collect(),
        Class::Bytes(class) if class.is_ascii() => {
            class.iter().map(|range| (char::from(range.start()), char::from(range.end()))).collect()
        }
        Class::Bytes(_) => return any_text(),
    };
    let size: usize = ranges.iter().map(|(start, end)| *end as usize - *start as usize + 1).sum();
    if size > LARGEST_CLASS {
        return Hir::dot(Dot::AnyChar);
    }
    let characters = ranges.into_iter().flat_map(|(start, end)| start..=end).map(fold);
    let class = characters.map(|one| regex_syntax::hir::ClassUnicodeRange::new(one, one));
    Hir::class(Class::Unicode(regex_syntax::hir::ClassUnicode::new(class)))
}

/// Any text at all: what is taken for a part that cannot be folded.
fn any_text() -> Hir {
    Hir::repetition(Repetition { min: 0, max: None, greedy: true, sub: Box::new(Hir::dot(Dot::AnyChar)) })
}
