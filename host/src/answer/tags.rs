//! The tags of templates, as OTOBO writes them: `<OTOBO_TICKET_Title>`, `<OTOBO_CUSTOMER_SUBJECT[20]>`.
//!
//! A template is read once, from left to right: what a value brings in is never read as a tag again.

use super::facts::Facts;

/// What stands for a tag that has no value, as in OTOBO.
pub const NOTHING: &str = "-";
/// Names that begin a tag, case ignored; OTRS is OTOBO's own alias for old templates.
const BEGINNINGS: [&str; 2] = ["OTOBO_", "OTRS_"];
/// A longer tag is text.
const LONGEST_TAG: usize = 200;

/// Where a rendered template stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// In a header: line breaks and other control characters become blanks.
    Line,
    /// In a text.
    Text,
}

/// A tag: what stands between `<OTOBO_` and `>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag<'t> {
    /// `TICKET_Title`.
    pub name: &'t str,
    /// The number in brackets: `20` of `SUBJECT[20]`.
    pub length: Option<usize>,
}

/// Puts the values in the place of the tags.
pub fn render(template: &str, facts: &Facts<'_>, form: Form) -> String {
    let mut rendered = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(start) = rest.find('<') {
        let (before, from) = rest.split_at(start);
        rendered.push_str(before);
        let (tag, after) = match read(from) {
            Some((tag, length)) => (Some(tag), from.get(length..)),
            None => (None, from.get(1..)),
        };
        match tag {
            Some(tag) => {
                let value = facts.value(&tag).filter(|value| !value.is_empty()).unwrap_or_else(|| NOTHING.to_owned());
                rendered.push_str(&value);
            }
            None => rendered.push_str(from.get(..1).unwrap_or_default()),
        }
        rest = after.unwrap_or_default();
    }
    rendered.push_str(rest);
    if form == Form::Line { on_one_line(&rendered) } else { rendered }
}

/// The tag that a text begins with, and its length.
fn read(text: &str) -> Option<(Tag<'_>, usize)> {
    let inner = text.strip_prefix('<')?;
    let end = inner.bytes().take(LONGEST_TAG).position(|byte| !(byte.is_ascii_alphanumeric() || b"_-.:[]".contains(&byte)))?;
    let (content, after) = inner.split_at_checked(end)?;
    if !after.starts_with('>') {
        return None;
    }
    let beginning =
        BEGINNINGS.iter().find(|beginning| content.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning)))?;
    let content = content.get(beginning.len()..)?;
    let (name, length) = match content.split_once('[') {
        Some((name, argument)) => (name, Some(argument.strip_suffix(']')?.parse().ok()?)),
        None => (content, None),
    };
    Some((Tag { name, length }, end + 2))
}

/// A text as it stands in HTML.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("<br>\n"),
            '\r' | '\0' => {}
            other => escaped.push(other),
        }
    }
    escaped
}

/// A text that can stand in a header: every run of control characters and blanks is one blank.
pub fn on_one_line(text: &str) -> String {
    let blanks = |character: char| character.is_control() || matches!(character, '\u{2028}' | '\u{2029}');
    text.split(blanks).map(str::trim).filter(|piece| !piece.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_model::configured::Configuration;
    use postigo_model::ticket::{NewArticle, Ticket};
    use proptest::prelude::*;

    fn rendered(template: &str, form: Form, subject: &str) -> String {
        let configuration = Configuration::default();
        let ticket = Ticket { number: "20261125000017".into(), title: "Printer <on> fire".into(), ..Ticket::default() };
        let mail = NewArticle { subject: subject.into(), ..NewArticle::default() };
        render(template, &Facts { ticket: Some(&ticket), mail: Some(&mail), ..Facts::new(&configuration) }, form)
    }

    #[test]
    fn tags_become_values_in_any_case_and_under_the_old_name() {
        for (template, expected) in [
            ("<OTOBO_TICKET_Title>!", "Printer <on> fire!"),
            ("a<otobo_ticket_title>b<OTRS_TICKET_TicketNumber>", "aPrinter <on> fireb20261125000017"),
            ("<OTOBO_TICKET_Nonsense> <OTOBO_NONSENSE>", "- -"),
            ("<OTOBO_CONFIG_Ticket::Hook> <OTOBO_CONFIG_TicketHook> <OTOBO_CONFIG_DatabasePw>", "Ticket# Ticket# -"),
            ("<OTOBO_CUSTOMER_SUBJECT[5]>", "Hello [...]"),
            ("<OTOBO_TICKET_Title", "<OTOBO_TICKET_Title"),
            ("<OTOBO_ TICKET> <b> a < b & c", "<OTOBO_ TICKET> <b> a < b & c"),
            ("<OTOBO_TICKET_Title[x]>", "<OTOBO_TICKET_Title[x]>"),
            ("&lt;OTOBO_TICKET_Title&gt;", "&lt;OTOBO_TICKET_Title&gt;"),
        ] {
            assert_eq!(rendered(template, Form::Text, "Hello world"), expected, "{template}");
        }
    }

    #[test]
    fn a_value_brings_in_neither_tags_nor_lines_nor_markup() {
        let hostile = "<OTOBO_TICKET_TicketNumber>\r\nBcc: x@evil.test\u{2028}<script>";
        assert_eq!(
            rendered("Re: <OTOBO_CUSTOMER_SUBJECT>", Form::Line, hostile),
            "Re: <OTOBO_TICKET_TicketNumber> Bcc: x@evil.test <script>"
        );
        assert_eq!(escape("<script>\"x\" & y\r\n"), "&lt;script&gt;&quot;x&quot; &amp; y<br>\n");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn any_template_and_any_value_are_taken(template in "(<OTOBO_|&lt;|[a-zA-Z_<>&;\\[\\]0-9é\r\n ]){0,40}", subject in any::<String>()) {
            for form in [Form::Line, Form::Text] {
                let text = rendered(&template, form, &subject);
                prop_assert!(form != Form::Line || !text.contains(['\r', '\n', '\0']));
            }
        }
    }
}
