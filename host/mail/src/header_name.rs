//! What the names of `X-OTOBO-*` headers are made of.

/// What every header of the vocabulary begins with.
pub const PREFIX: &str = "X-OTOBO-";
/// Znuny's spelling of the same, an alias on trusted accounts.
pub const ALIAS: &str = "X-OTRS-";

/// The free fields of old: header, dynamic field, how many of them.
pub const FREE_FIELDS: [(&str, &str, u32); 5] = [
    ("TicketKey", "TicketFreeKey", 16),
    ("TicketValue", "TicketFreeText", 16),
    ("TicketTime", "TicketFreeTime", 6),
    ("ArticleKey", "ArticleFreeKey", 3),
    ("ArticleValue", "ArticleFreeText", 3),
];

/// The dynamic field that a header's suffix (what follows `X-OTOBO-` or `X-OTOBO-FollowUp-`) stands for, and whether it
/// is the article's.
pub fn dynamic_field_of(suffix: &str) -> Option<(String, bool)> {
    if let Some(name) = suffix.strip_prefix("DynamicField-") {
        return Some((name.to_owned(), false));
    }
    FREE_FIELDS.into_iter().find_map(|(header, field, count)| {
        let digits = suffix.strip_prefix(header)?;
        let number = digits
            .parse::<u32>()
            .ok()
            .filter(|number| (1..=count).contains(number) && *digits == number.to_string())?;
        Some((format!("{field}{number}"), header.starts_with("Article")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_fields_are_dynamic_fields() {
        assert_eq!(dynamic_field_of("TicketKey3"), Some(("TicketFreeKey3".into(), false)));
        assert_eq!(dynamic_field_of("TicketTime6"), Some(("TicketFreeTime6".into(), false)));
        assert_eq!(dynamic_field_of("ArticleValue2"), Some(("ArticleFreeText2".into(), true)));
        assert_eq!(dynamic_field_of("DynamicField-Contract"), Some(("Contract".into(), false)));
        for suffix in ["TicketKey0", "TicketKey17", "TicketKey03", "TicketKey", "Queue"] {
            assert_eq!(dynamic_field_of(suffix), None, "{suffix}");
        }
    }
}
