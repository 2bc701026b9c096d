//! Templates with values in the place of their tags.
//!
//! A template is read once, from left to right: what a value brings in is never read as a tag again.

use super::facts::TemplateFacts;
use super::tags::read;
use postigo_model::text::on_one_line;

/// What stands for a tag that has no value, as in OTOBO.
const NOTHING: &str = "-";

/// Where a rendered template stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenderTarget {
    /// In a header: line breaks and other control characters become blanks.
    Line,
    /// In a text.
    Text,
}

/// Puts the values in the place of the tags.
pub fn render(template: &str, facts: &TemplateFacts<'_>, form: RenderTarget) -> String {
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
    if form == RenderTarget::Line { on_one_line(&rendered) } else { rendered }
}

#[cfg(test)]
mod tests {
    use super::super::fitting::escape;
    use super::*;
    use postigo_model::configured::Configuration;
    use postigo_model::ticket::{NewArticle, Ticket};
    use proptest::prelude::*;

    fn rendered(template: &str, form: RenderTarget, subject: &str) -> String {
        let configuration = Configuration::default();
        let ticket = Ticket { number: "20261125000017".into(), title: "Printer <on> fire".into(), ..Ticket::default() };
        let mail = NewArticle { subject: subject.into(), ..NewArticle::default() };
        render(
            template,
            &TemplateFacts { ticket: Some(&ticket), mail: Some(&mail), ..TemplateFacts::new(&configuration) },
            form,
        )
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
            assert_eq!(rendered(template, RenderTarget::Text, "Hello world"), expected, "{template}");
        }
    }

    #[test]
    fn a_value_brings_in_neither_tags_nor_lines_nor_markup() {
        let hostile = "<OTOBO_TICKET_TicketNumber>\r\nBcc: x@evil.test\u{2028}<script>";
        assert_eq!(
            rendered("Re: <OTOBO_CUSTOMER_SUBJECT>", RenderTarget::Line, hostile),
            "Re: <OTOBO_TICKET_TicketNumber> Bcc: x@evil.test <script>"
        );
        assert_eq!(escape("<script>\"x\" & y\r\n"), "&lt;script&gt;&quot;x&quot; &amp; y<br>\n");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn any_template_and_any_value_are_taken(template in "(<OTOBO_|&lt;|[a-zA-Z_<>&;\\[\\]0-9é\r\n ]){0,40}", subject in any::<String>()) {
            for form in [RenderTarget::Line, RenderTarget::Text] {
                let text = rendered(&template, form, &subject);
                prop_assert!(form != RenderTarget::Line || !text.contains(['\r', '\n', '\0']));
            }
        }
    }
}
