//! The tags of templates, as OTOBO writes them: `<OTOBO_TICKET_Title>`, `<OTOBO_CUSTOMER_SUBJECT[20]>`.

/// Names that begin a tag, case ignored; OTRS is OTOBO's own alias for old templates.
const BEGINNINGS: [&str; 2] = ["OTOBO_", "OTRS_"];
/// A longer tag is text.
const LONGEST_TAG: usize = 200;

/// A tag: what stands between `<OTOBO_` and `>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag<'t> {
    /// `TICKET_Title`.
    pub name: &'t str,
    /// The number in brackets: `20` of `SUBJECT[20]`.
    pub length: Option<usize>,
}

/// The tag that a text begins with, and its length.
pub fn read(text: &str) -> Option<(Tag<'_>, usize)> {
    let inner = text.strip_prefix('<')?;
    let end = inner
        .bytes()
        .take(LONGEST_TAG)
        .position(|byte| !(byte.is_ascii_alphanumeric() || b"_-.:[]".contains(&byte)))?;
    let (content, after) = inner.split_at_checked(end)?;
    if !after.starts_with('>') {
        return None;
    }
    let beginning = BEGINNINGS
        .iter()
        .find(|beginning| content.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning)))?;
    let content = content.get(beginning.len()..)?;
    let (name, length) = match content.split_once('[') {
        Some((name, argument)) => (name, Some(argument.strip_suffix(']')?.parse().ok()?)),
        None => (content, None),
    };
    Some((Tag { name, length }, end + 2))
}
