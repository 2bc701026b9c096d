//! What is new in a mail: its text without quotes, older mails, signatures and disclaimers.
//!
//! A line is looked at once, together with the two behind it, and no more text is gathered than is wanted. Of a body of
//! any length the beginning alone is looked at: what is skipped costs time, too.

use super::phrases::{ATTRIBUTIONS, CLOSINGS, DISCLAIMERS, OLDER_HEADER, OLDER_MAIL, PROGRAM_LINES, SUBJECT_PREFIXES};

/// Of a line at most so many bytes are compared with phrases.
const LOOKED_AT: usize = 400;
/// Of a body at most so many bytes are looked at: nobody writes new text behind so much that is quoted.
const LONGEST_BODY: usize = 64 << 10;

/// The subject without `Re:`, `AW:` and their like at its beginning, however many.
pub fn bare_subject(subject: &str) -> &str {
    let mut bare = subject.trim_start();
    while let Some((prefix, rest)) = bare.split_once(':')
        && prefix.len() <= 12
        && SUBJECT_PREFIXES.contains(&prefix.trim_end().to_lowercase().as_str())
    {
        bare = rest.trim_start();
    }
    bare
}

/// The new text of a body, at least its first `characters` where it has so many. Where nothing would be left (a mail
/// that is passed on without a word), it is the body as it stands.
pub fn new_text(body: &str, characters: usize) -> String {
    let body = &body[..body.floor_char_boundary(LONGEST_BODY)];
    let mut kept = Kept::new(characters);
    let mut lines = Lines { left: body };
    while kept.left > 0
        && let Some(line) = lines.next()
    {
        match what_it_is(line, lines, kept.has_text) {
            Line::New => kept.push(line),
            Line::Skipped => {}
            Line::Attribution(lines_of_it) => {
                for _ in 1..lines_of_it {
                    lines.next();
                }
                // Quoted lines are skipped one by one, and an answer below them is read. Without marks everything from
                // here on is the older mail.
                if !lines.first_with_text().starts_with('>') {
                    break;
                }
            }
            Line::End => break,
        }
    }
    if !kept.has_text {
        kept = Kept::new(characters);
        kept.push(body);
    }
    kept.text
}

/// What a line says of itself and of what follows.
enum Line {
    New,
    Skipped,
    /// It and the lines behind it, so many in all, say who wrote what is quoted below.
    Attribution(usize),
    /// From here on nothing is new.
    End,
}

fn what_it_is(line: &str, behind: Lines, something_before: bool) -> Line {
    let trimmed = line.trim();
    if trimmed.starts_with('>') {
        return Line::Skipped;
    }
    if matches!(trimmed, "--" | "—") && something_before {
        return Line::End;
    }
    let lower = beginning(trimmed).to_lowercase();
    if lower.is_empty() {
        return Line::New;
    }
    let mut behind = behind;
    let next = beginning(behind.next().unwrap_or_default().trim()).to_lowercase();
    if something_before && CLOSINGS.contains(&lower.trim_end_matches([',', '.', '!'])) {
        return Line::End;
    }
    if OLDER_MAIL.contains(&lower.trim_matches(|edge: char| matches!(edge, '-' | '_' | ':') || edge.is_whitespace()))
        && lower.starts_with(['-', '_'])
        || OLDER_HEADER.iter().any(|(first, second)| {
            bare_field(&lower).starts_with(first) && second.iter().any(|second| bare_field(&next).starts_with(second))
        })
        || DISCLAIMERS.iter().any(|(first, words)| {
            lower.starts_with(first) && words.iter().any(|word| lower.contains(word) || next.contains(word))
        })
    {
        return Line::End;
    }
    if PROGRAM_LINES.iter().any(|program| lower.starts_with(program)) {
        return Line::Skipped;
    }
    if ATTRIBUTIONS.iter().any(|(first, _)| lower.strip_prefix(first).is_some_and(|rest| rest.starts_with(' '))) {
        let third = beginning(behind.next().unwrap_or_default().trim()).to_lowercase();
        let mut joined = lower;
        for (lines_of_it, more) in ["", &next, &third].into_iter().enumerate() {
            joined = joined + " " + more;
            let ends = joined.trim_end().ends_with(':');
            if ends && ATTRIBUTIONS.iter().any(|(first, verb)| joined.starts_with(first) && joined.contains(verb)) {
                return Line::Attribution(lines_of_it + 1);
            }
            if ends {
                break;
            }
        }
    }
    Line::New
}

/// The beginning of a line, which is enough to know it by.
fn beginning(line: &str) -> &str {
    &line[..line.floor_char_boundary(LOOKED_AT)]
}

/// A line of a header without the stars that some programs make of bold type.
fn bare_field(line: &str) -> &str {
    line.trim_start_matches('*')
}

/// The lines of a text that are still to be read; looking ahead is reading a copy.
#[derive(Clone, Copy)]
struct Lines<'t> {
    left: &'t str,
}

impl<'t> Lines<'t> {
    fn next(&mut self) -> Option<&'t str> {
        if self.left.is_empty() {
            return None;
        }
        let (line, left) = self.left.split_once('\n').unwrap_or((self.left, ""));
        self.left = left;
        Some(line)
    }

    /// The first line that is not blank, without the space before it.
    fn first_with_text(&self) -> &'t str {
        self.left.trim_start()
    }
}

/// The text that is gathered, and how many characters there is room for.
struct Kept {
    text: String,
    left: usize,
    /// Whether there is more than blanks among it.
    has_text: bool,
}

impl Kept {
    fn new(characters: usize) -> Self {
        Self { text: String::new(), left: characters, has_text: false }
    }

    fn push(&mut self, line: &str) {
        let end = line.char_indices().nth(self.left).map_or(line.len(), |(end, _)| end);
        self.text.push_str(&line[..end]);
        self.text.push('\n');
        self.has_text |= !line[..end].trim().is_empty();
        self.left = self.left.saturating_sub(line[..end].chars().count() + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(body: &str) -> String {
        new_text(body, 2_000).trim().to_owned()
    }

    #[test]
    fn what_is_skipped_bounds_the_text_that_is_looked_at() {
        let late = format!("Hello.\n{}The end.", "> an older line\n".repeat(LONGEST_BODY / 8));
        assert_eq!(new(&late), "Hello.");
        let early = format!("{}\n{}The end.", " ".repeat(1_990), ">\n".repeat(1_000));
        assert_eq!(new(&early), "The end.");
    }

    #[test]
    fn quotes_are_cut_in_four_languages() {
        for attribution in [
            "On Tue, 3 Nov 2026 at 10:02, Jane Doe <jane@example.org> wrote:",
            "Am 03.11.26 um 10:02 schrieb Jane Doe:",
            "Am Di., 3. Nov. 2026 um 10:02 Uhr schrieb Jane Doe <\njane@example.org>:",
            "Le mar. 3 nov. 2026 à 10:02, Jane Doe <jane@example.org> a écrit :",
            "El mar, 3 nov 2026 a las 10:02, Jane Doe (<jane@example.org>)\nescribió:",
        ] {
            let body = format!("The printer is broken.\r\n\r\n{attribution}\r\n> An invoice\r\n> was sent.\r\n");
            assert_eq!(new(&body), "The printer is broken.", "{attribution}");
            let below = format!("{attribution}\n\n> An invoice was sent.\n\nThe printer is broken.");
            assert_eq!(new(&below), "The printer is broken.", "an answer below {attribution}");
            let unmarked = format!("The printer is broken.\n\n{attribution}\n\nAn invoice was sent.\n");
            assert_eq!(new(&unmarked), "The printer is broken.", "without marks, {attribution}");
        }
    }

    #[test]
    fn older_mails_below_are_cut_in_four_languages() {
        for above in [
            "-----Original Message-----",
            "-----Ursprüngliche Nachricht-----",
            "________________________________\nVon: Jane Doe <jane@example.org>\nGesendet: Dienstag",
            "From: Jane Doe\nSent: Tuesday",
            "*Von:* Jane Doe\n*Gesendet:* Dienstag",
            "De: Jane Doe\nEnviado el: martes",
            "De : Jane Doe\nEnvoyé : mardi",
            "-------- Message transféré --------",
            "---------- Mensaje reenviado ---------",
        ] {
            let body = format!("Der Drucker ist defekt.\n\n{above}\nAn: help@example.org\n\nDie Rechnung fehlt.");
            assert_eq!(new(&body).trim_end_matches(['_', '\n']), "Der Drucker ist defekt.", "{above}");
        }
    }

    #[test]
    fn signatures_and_disclaimers_are_cut_in_four_languages() {
        for below in [
            "-- \nJane Doe, ACME",
            "Mit freundlichen Grüßen\nJane Doe",
            "Kind regards,\nJane Doe",
            "Un cordial saludo,\nJane",
            "Bien cordialement\nJane",
            "This e-mail is confidential and may be privileged.",
            "Diese E-Mail enthält vertrauliche Informationen.",
            "Este mensaje es confidencial.",
            "Ce message est confidentiel.",
            "Gesendet von meinem iPhone",
            "Envoyé de mon iPhone",
        ] {
            assert_eq!(new(&format!("My card is lost.\n\n{below}\n")), "My card is lost.", "{below}");
        }
    }

    #[test]
    fn what_only_looks_like_the_end_is_read() {
        for body in [
            "On Monday the printer broke: it smokes.",
            "This message appears when I log in:\nError 5",
            "From: here on nothing works",
            "Am Montag ging es noch.\nHeute nicht.",
            "Original message was lost, please send it again.",
        ] {
            assert_eq!(new(body), body);
        }
    }

    #[test]
    fn a_mail_that_is_passed_on_without_a_word_is_read_as_it_stands() {
        let body = "-----Original Message-----\nFrom: Jane\n\nThe printer is broken.";
        assert_eq!(new(body), body);
    }

    #[test]
    fn no_more_than_what_is_wanted_is_gathered() {
        assert!(new_text(&"ä".repeat(9_000), 50).chars().count() <= 51);
        assert!(new_text(&"word\n".repeat(9_000), 50).len() <= 60);
        assert!(new_text(&"> old\n".repeat(90_000), 50).len() <= 60);
    }

    #[test]
    fn a_subject_loses_what_answering_added() {
        assert_eq!(bare_subject("AW: Re: WG:Rechnung: 42"), "Rechnung: 42");
        assert_eq!(bare_subject("Error: no paper"), "Error: no paper");
    }
}
