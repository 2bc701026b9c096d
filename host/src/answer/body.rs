//! The text of a mail that a person writes: salutation and signature of the queue around what was written, as text and
//! as HTML.

use super::facts::TemplateFacts;
use super::fitting::escape;
use super::render::{RenderTarget, render};
use super::writing::AgentText;
use postigo_mail::html_to_text;
use postigo_model::configured::{Queue, Template};

/// A mail's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyText {
    /// As text, with LF line ends.
    pub plain: String,
    /// As HTML, if it was written so.
    pub html: Option<String>,
}

/// What stands in a mail besides what was written.
#[derive(Debug, Clone, Copy)]
pub struct BodyFrame<'a> {
    /// Its salutation and signature.
    pub queue: &'a Queue,
    /// For their tags.
    pub facts: &'a TemplateFacts<'a>,
    /// The template's text comes before what was written.
    pub template: Option<&'a Template>,
}

impl BodyFrame<'_> {
    /// Puts the text together; `below` comes after what was written.
    pub fn text(&self, writing: &AgentText, below: Option<&str>) -> BodyText {
        let rendered = |template: &str| render(template, self.facts, RenderTarget::Text).trim_end().to_owned();
        let salutation = rendered(&self.queue.salutation);
        let template = self.template.map(|template| rendered(&template.body)).unwrap_or_default();
        let signature = rendered(&self.queue.signature);
        let below = below.unwrap_or_default();
        let written = match &writing.html {
            Some(html) if writing.body.trim().is_empty() => html_to_text(html),
            _ => writing.body.replace("\r\n", "\n").replace('\r', "\n").trim_end().to_owned(),
        };
        let pieces = [&salutation, &template, &written, &below.to_owned(), &signature];
        let plain =
            pieces.into_iter().filter(|piece| !piece.is_empty()).cloned().collect::<Vec<_>>().join("\n\n") + "\n";
        let html = writing.html.as_ref().map(|html| {
            let before = [&salutation, &template].map(|text| paragraph(text)).concat();
            around(html, &before, &[paragraph(below), paragraph(&signature)].concat())
        });
        BodyText { plain, html }
    }
}

/// Whether there is anything to send.
pub fn is_empty(writing: &AgentText) -> bool {
    writing.body.trim().is_empty()
        && writing.template.is_none()
        && writing.html.as_ref().is_none_or(|html| html_to_text(html).trim().is_empty())
}

fn paragraph(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("<div>{}</div>\n<br>\n", escape(text)) }
}

/// Puts HTML into the body of a document, or makes a document of a fragment.
fn around(html: &str, before: &str, after: &str) -> String {
    let lower = html.to_ascii_lowercase();
    let opening = lower.find("<body").and_then(|start| Some(start + lower.get(start..)?.find('>')? + 1));
    match opening {
        None => format!(
            "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"></head><body>\n{before}{html}\n{}</body></html>\n",
            separated(after)
        ),
        Some(start) => {
            let end = lower.rfind("</body").filter(|end| *end >= start).unwrap_or(html.len());
            let (head, body, tail) = (html.get(..start), html.get(start..end), html.get(end..));
            let [head, body, tail] = [head, body, tail].map(Option::unwrap_or_default);
            format!("{head}\n{before}{body}\n{}{tail}", separated(after))
        }
    }
}

fn separated(after: &str) -> String {
    if after.is_empty() { String::new() } else { format!("<br>\n{after}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_model::configured::Configuration;
    use postigo_model::ticket::NewArticle;

    #[test]
    fn salutation_and_signature_stand_around_what_was_written() {
        let configuration = Configuration::default();
        let queue = Queue {
            salutation: "Dear <OTOBO_CUSTOMER_REALNAME>,".into(),
            signature: "-- \nDesk & Co".into(),
            ..Queue::default()
        };
        let mail = NewArticle { from: "\"<b>Jane</b>\" <jane@x.test>".into(), ..NewArticle::default() };
        let facts = TemplateFacts { mail: Some(&mail), ..TemplateFacts::new(&configuration) };
        let around = BodyFrame { queue: &queue, facts: &facts, template: None };
        let plain = around
            .text(&AgentText { body: "Done <OTOBO_TICKET_Title>.\r\n".into(), ..AgentText::default() }, Some("> old"));
        assert_eq!(plain.plain, "Dear <b>Jane</b>,\n\nDone <OTOBO_TICKET_Title>.\n\n> old\n\n-- \nDesk & Co\n");
        assert_eq!(plain.html, None);
        let html = "<html><BODY class=a><p>Done &amp; gone</p></BODY></html>".to_owned();
        let text = around.text(&AgentText { html: Some(html), ..AgentText::default() }, None);
        assert!(text.plain.contains("\n\nDone & gone\n\n-- \n"), "{}", text.plain);
        let html = text.html.unwrap();
        assert!(html.starts_with("<html><BODY class=a>\n<div>Dear &lt;b&gt;Jane&lt;/b&gt;,</div>"), "{html}");
        assert!(html.ends_with("Desk &amp; Co</div>\n<br>\n</BODY></html>"), "{html}");
    }
}
