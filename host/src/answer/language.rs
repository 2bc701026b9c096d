//! Which of several texts a customer gets: the one in their language (RFC 4647 section 3.4, look-up).

/// The languages that a header names (`de-AT, en;q=0.5`), in their order; `*` and what is refused (`q=0`) are none.
pub fn read(header: &str) -> impl Iterator<Item = String> {
    header.split(',').filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let tag = parts.next()?;
        let refused = parts.any(|parameter| parameter.replace(' ', "").trim_end_matches(['0', '.']) == "q=");
        let known =
            !tag.is_empty() && tag.len() <= 35 && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (known && !refused).then(|| tag.to_ascii_lowercase())
    })
}

/// The first of the wanted languages that a text is in; else the first text without a language.
pub fn choose<'t, T>(
    texts: impl Iterator<Item = &'t T>,
    language: impl Fn(&T) -> &str,
    wanted: &[&str],
) -> Option<&'t T> {
    let texts: Vec<&T> = texts.collect();
    let in_language =
        |tag: &str| texts.iter().find(|text| !language(text).is_empty() && language(text).eq_ignore_ascii_case(tag));
    for wanted in wanted {
        // `de-CH-1996`, then `de-CH`, then `de`; then `de-AT`, which is better than another language.
        let mut tag = *wanted;
        loop {
            if let Some(found) = in_language(tag) {
                return Some(found);
            }
            match tag.rsplit_once('-') {
                Some((shorter, _)) => tag = shorter,
                None => break,
            }
        }
        let related = |text: &&&T| {
            language(text)
                .split('-')
                .next()
                .is_some_and(|primary| !primary.is_empty() && primary.eq_ignore_ascii_case(tag))
        };
        if let Some(found) = texts.iter().find(related) {
            return Some(found);
        }
    }
    texts.into_iter().find(|text| language(text).is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_name_languages() {
        let named: Vec<String> = read("de-AT, en;q=0.5, fr;q=0, *;q=0.1, bad tag").collect();
        assert_eq!(named, ["de-at", "en"]);
    }

    #[test]
    fn the_nearest_language_wins() {
        let texts = ["", "de", "pt-BR"].map(str::to_owned);
        let chosen = |wanted: &[&str]| choose(texts.iter(), |text| text, wanted).map(String::as_str);
        assert_eq!(chosen(&["de-CH-1996"]), Some("de"));
        assert_eq!(chosen(&["pt"]), Some("pt-BR"));
        assert_eq!(chosen(&["fr", "DE"]), Some("de"));
        assert_eq!(chosen(&["fr"]), Some(""));
        assert_eq!(chosen(&[]), Some(""));
        assert_eq!(choose(texts.iter().skip(1), |text| text, &["fr"]), None);
    }
}
