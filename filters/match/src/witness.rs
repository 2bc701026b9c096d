//! Texts that a pattern matches: searching them fills its cache with what a match needs.

use regex_syntax::hir::{Class, Hir, HirKind};

/// Longer texts are of no use, and repetitions of repetitions would make them endless.
const LONGEST: usize = 200;
/// What stands for a class that has it; classes of words, digits and anything have one of these.
const USUAL: [char; 4] = ['a', '1', ' ', '-'];

/// A text that the pattern matches, but for its positions (`\b`, `^`), or a part of it.
pub fn witness(hir: &Hir) -> String {
    let mut text = String::new();
    write(hir, &mut text);
    text
}

fn write(hir: &Hir, text: &mut String) {
    if text.len() > LONGEST {
        return;
    }
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(&String::from_utf8_lossy(&literal.0)),
        HirKind::Class(class) => text.extend(character(class)),
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(u32::MAX);
            for _ in 0..repetition.min.max(1).min(most).min(LONGEST as u32) {
                write(&repetition.sub, text);
            }
        }
        HirKind::Capture(capture) => write(&capture.sub, text),
        HirKind::Concat(parts) => parts.iter().for_each(|part| write(part, text)),
        HirKind::Alternation(branches) => branches.iter().take(1).for_each(|branch| write(branch, text)),
    }
}

fn character(class: &Class) -> Option<char> {
    match class {
        Class::Unicode(class) => {
            let has = |wanted: &char| class.iter().any(|range| (range.start()..=range.end()).contains(wanted));
            USUAL.into_iter().find(has).or_else(|| class.iter().next().map(regex_syntax::hir::ClassUnicodeRange::end))
        }
        Class::Bytes(class) => class.iter().next().map(|range| char::from(range.end())),
    }
}
