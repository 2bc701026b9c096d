//! An earlier mail as it stands in a new one: its text, quoted below an answer, or passed on.

use postigo_model::text::on_one_line;
use postigo_model::ticket::NewArticle;
use postigo_model::timestamp::rfc3339;
use std::borrow::Cow;

/// The last line of a text of which the article has the beginning alone.
const CUT: &str = "[The text is cut here; the original mail has the rest.]";

/// The text of an article, with a line that says so where it is cut.
pub fn text_of(article: &NewArticle) -> Cow<'_, str> {
    let text = article.body.trim_end();
    if article.body_truncated { Cow::Owned(format!("{text}\n{CUT}")) } else { Cow::Borrowed(text) }
}

/// A mail as it is quoted below an answer.
pub fn quoted(article: &NewArticle) -> String {
    let when = article.date.map(|date| format!("{}, ", rfc3339(date))).unwrap_or_default();
    let text = text_of(article);
    let lines = text.lines().map(|line| if line.is_empty() { ">".to_owned() } else { format!("> {line}") });
    let text = lines.collect::<Vec<_>>().join("\n");
    format!("{when}{} wrote:\n{text}", on_one_line(&article.from))
}

/// A mail as it stands in one that passes it on, with all its text.
pub fn forwarded(article: &NewArticle, text: &str) -> String {
    let mut head = String::new();
    let date = article.date.map(rfc3339).unwrap_or_default();
    for (name, value) in [
        ("From", &article.from),
        ("To", &article.to),
        ("Cc", &article.cc),
        ("Date", &date),
        ("Subject", &article.subject),
    ] {
        if !value.is_empty() {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(&on_one_line(value));
            head.push('\n');
        }
    }
    format!(
        "---- Forwarded message from {} ----\n\n{head}\n{}\n\n---- End forwarded message ----",
        on_one_line(&article.from),
        text.trim_end()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_says_where_a_text_is_cut() {
        let mut article = NewArticle { from: "jane@x.test".into(), body: "one\ntwo\n".into(), ..NewArticle::default() };
        assert_eq!(quoted(&article), "jane@x.test wrote:\n> one\n> two");
        article.body_truncated = true;
        assert_eq!(quoted(&article), format!("jane@x.test wrote:\n> one\n> two\n> {CUT}"));
    }
}
