//! What the names and descriptions of labels say: with few examples, it is most of what is known.

use super::trainer::LabelToLearn;
use crate::model::Packed;
use crate::reading::{CHARACTERS, Features, Words};

/// Words of names that say what a label is and not what it is about, in four languages. Numbers and single letters say as little.
const EMPTY_WORDS: &[&str] = &[
    "abteilung",
    "bandeja",
    "category",
    "categoría",
    "catégorie",
    "clase",
    "class",
    "classe",
    "cola",
    "default",
    "department",
    "departamento",
    "département",
    "divers",
    "equipo",
    "file",
    "first",
    "general",
    "group",
    "groupe",
    "grupo",
    "gruppe",
    "inbox",
    "intent",
    "kategorie",
    "klasse",
    "label",
    "level",
    "level1",
    "level2",
    "level3",
    "misc",
    "miscellaneous",
    "other",
    "otros",
    "postmaster",
    "queue",
    "raw",
    "second",
    "service",
    "sonstiges",
    "support",
    "team",
    "third",
    "tier",
    "équipe",
    "autres",
    "warteschlange",
];

/// The features of each text that says what belongs to a label: its name, if it says anything, then description and keywords.
pub fn documents(label: &LabelToLearn) -> Vec<Box<[Packed]>> {
    let mut documents = Vec::new();
    if says_something(&label.name) {
        documents.extend(features(&[&label.name]));
    }
    let mut about = vec![label.description.as_str()];
    about.extend(label.keywords.iter().map(String::as_str));
    documents.extend(features(&about));
    documents
}

/// The features of texts that belong together; none where they have no words.
fn features(texts: &[&str]) -> Option<Box<[Packed]>> {
    let mut words = Words::default();
    let mut room = CHARACTERS;
    for text in texts {
        room = words.add(text, room);
        words.end_of_part();
    }
    (words.len() > 0).then(|| Packed::all_of(&Features::of(&words)).into())
}

/// Whether a name says what belongs under it: `Team 2` does not.
fn says_something(name: &str) -> bool {
    let mut words = Words::default();
    words.add(name, CHARACTERS);
    (0..words.len()).any(|word| {
        let lower: String = words.lower(word).iter().collect();
        lower.chars().filter(|letter| letter.is_alphabetic()).count() > 1 && !EMPTY_WORDS.contains(&lower.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents_of(name: &str, description: &str, keywords: &[&str]) -> usize {
        let keywords = keywords.iter().map(|keyword| (*keyword).to_owned()).collect();
        documents(&LabelToLearn { name: name.to_owned(), description: description.to_owned(), keywords }).len()
    }

    #[test]
    fn names_that_say_nothing_are_no_documents() {
        for name in ["Team 2", "Queue_17", "Raw", "L3", "4711", "", "Gruppe B"] {
            assert_eq!(documents_of(name, "", &[]), 0, "{name}");
        }
        for name in ["card_arrival", "Team Billing", "Hardware", "IT"] {
            assert_eq!(documents_of(name, "", &[]), 1, "{name}");
        }
    }

    #[test]
    fn description_and_keywords_are_a_document() {
        assert_eq!(documents_of("Team 2", "Invoices and payments", &[]), 1);
        assert_eq!(documents_of("Team 2", "", &["invoice", "refund"]), 1);
        assert_eq!(documents_of("Billing", "Invoices", &["refund"]), 2);
    }
}
