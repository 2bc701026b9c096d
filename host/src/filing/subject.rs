//! Subjects without what answering and forwarding put before them.

/// What mail programs put before a subject, in lower case, without the colon: answers and forwards in the languages in
/// use.
const PREFIXES: [&str; 18] = [
    "re", "aw", "fwd", "fw", "wg", "sv", "vs", "antw", "odp", "ref", "rif", "rv", "tr", "enc", "vb", "bls", "atb",
    "res",
];

/// The subject without its leading `Re: `, `Fwd: `, `AW: `, `Re[2]: ` and so on.
pub fn clean(subject: &str) -> String {
    let mut rest = subject.trim();
    while let Some(after) = without_prefix(rest) {
        rest = after.trim_start();
    }
    rest.to_owned()
}

fn without_prefix(subject: &str) -> Option<&str> {
    let (before, after) = subject.split_once(':')?;
    let word = before.split_once('[').map_or(before, |(word, count)| match count.strip_suffix(']') {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => word,
        _ => before,
    });
    PREFIXES.iter().any(|prefix| word.trim().eq_ignore_ascii_case(prefix)).then_some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_answers_and_forwards_go() {
        for (subject, cleaned) in [
            ("Re: Old matter", "Old matter"),
            ("AW: Re[2]: FWD:Old: matter", "Old: matter"),
            ("IT: printer", "IT: printer"),
            ("Re", "Re"),
            ("Regards: all", "Regards: all"),
            (" re : ", ""),
        ] {
            assert_eq!(clean(subject), cleaned, "{subject}");
        }
    }
}
