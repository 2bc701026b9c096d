//! Message-IDs in a header's value.

/// The ids in angle brackets, brackets kept, of a value of Message-ID, In-Reply-To or References.
pub fn message_ids(value: &str) -> impl DoubleEndedIterator<Item = &str> {
    value.split_inclusive('>').filter_map(|piece| {
        let id = piece.get(piece.rfind('<')?..)?;
        (id.ends_with('>') && id.len() > 2 && !id.contains(char::is_whitespace)).then_some(id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_their_brackets_and_what_is_between_them_is_passed_over() {
        let ids: Vec<_> = message_ids("<a@b> junk <c d> <<e@f>> <> g>").collect();
        assert_eq!(ids, ["<a@b>", "<e@f>"]);
    }
}
