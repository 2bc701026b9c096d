//! Subjects with the ticket's number, once, at their left (OTOBO: `TicketSubjectFormat` Left).

use crate::filing::{number, subject};
use postigo_model::configured::Settings;
use postigo_model::text::on_one_line;

/// So many characters of a subject go out.
const LONGEST: usize = 300;

/// What a mail is to the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The first of its matter, or an automatic answer: no prefix.
    New,
    /// `Re: `
    Reply,
    /// `Fwd: `
    Forward,
}

/// The subject without `Re: ` and the like, and without the ticket's number.
pub fn cleaned(text: &str, number: Option<&str>, settings: &Settings) -> String {
    let text = on_one_line(text);
    let without = match number.filter(|number| !number.is_empty()) {
        // `Re: [Ticket#1] Re: x`: what stands before the number goes, then the number, then what stood after it.
        Some(known) => number::without_number(&subject::clean(&text), known, settings),
        None => text,
    };
    subject::clean(&without)
}

/// The subject of a mail that goes out: `Re: [Ticket#2026112500001] Printer`.
pub fn numbered(text: &str, ticket_number: &str, relation: Relation, settings: &Settings) -> String {
    let text = match relation {
        Relation::New => number::without_number(&on_one_line(text), ticket_number, settings),
        Relation::Reply | Relation::Forward => cleaned(text, Some(ticket_number), settings),
    };
    let text: String = text.trim().chars().take(LONGEST).collect();
    let prefix = match relation {
        Relation::New => "",
        Relation::Reply => "Re: ",
        Relation::Forward => "Fwd: ",
    };
    let hook = &settings.ticket_hook;
    format!("{prefix}[{hook}{}{ticket_number}] {text}", settings.ticket_hook_divider).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_there_once() {
        let settings = Settings::default();
        let number = "20261125000017";
        for (text, relation, expected) in [
            ("Printer", Relation::Reply, "Re: [Ticket#20261125000017] Printer"),
            ("Re: AW: [Ticket#20261125000017] Re: Printer", Relation::Reply, "Re: [Ticket#20261125000017] Printer"),
            ("[Ticket#20261125000017] Printer", Relation::Forward, "Fwd: [Ticket#20261125000017] Printer"),
            ("We have your mail", Relation::New, "[Ticket#20261125000017] We have your mail"),
            ("Re: stays", Relation::New, "[Ticket#20261125000017] Re: stays"),
            ("", Relation::Reply, "Re: [Ticket#20261125000017]"),
            ("a\r\nBcc: b", Relation::Reply, "Re: [Ticket#20261125000017] a Bcc: b"),
        ] {
            assert_eq!(numbered(text, number, relation, &settings), expected, "{text}");
        }
        assert_eq!(numbered(&"x".repeat(5_000), number, Relation::New, &settings).len(), LONGEST + 24);
    }
}
