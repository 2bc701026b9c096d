//! A message of which a server says `INTERNALDATE NIL`. No message is without a date (RFC 3501 section 7.4.2), and the
//! library's parser panics on it, which would end the fetch of all the others each time. So in the answer to a listing,
//! which holds no text of messages, NIL is read as a text that is no date.

/// What is not to reach the parser, …
const MISSING: &[u8] = b"INTERNALDATE NIL";
/// … and what does instead.
const UNREADABLE: &[u8] = b"INTERNALDATE \"-\"";
/// From here on they differ.
const DIFFERS: usize = 13;

/// How much of it has come: an answer arrives in pieces that end anywhere.
#[derive(Debug, Default)]
pub struct MissingDates {
    come: usize,
}

impl MissingDates {
    /// Replaces what is missing in the next bytes of an answer.
    pub fn replace(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            let goes_on = MISSING.get(self.come).is_some_and(|expected| expected.eq_ignore_ascii_case(byte));
            if let Some(instead) = UNREADABLE.get(self.come).filter(|_| goes_on && self.come >= DIFFERS) {
                // A date begins with a quotation mark or a bracket: an N can only be that of NIL.
                *byte = *instead;
            }
            self.come = if goes_on { self.come + 1 } else { usize::from(byte.eq_ignore_ascii_case(&b'I')) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_date_is_replaced_wherever_the_answer_is_cut() {
        let answer = "* 1 FETCH (UID 1 INTERNALDATE NIL FLAGS ())\r\n* 2 FETCH (internaldate nil UID 2)\r\n* 3 FETCH (INTERNALDATE \" 1-Nov-2026\")\r\n";
        let expected = answer.replace("NIL", "\"-\"").replace("nil", "\"-\"");
        for size in 1..answer.len() {
            let mut bytes = answer.as_bytes().to_vec();
            let mut dates = MissingDates::default();
            bytes.chunks_mut(size).for_each(|piece| dates.replace(piece));
            assert_eq!(String::from_utf8(bytes).unwrap(), expected, "{size}");
        }
        let mut other = b"IINTERNALDATE NIL INTERINTERNALDATE NIL NIL".to_vec();
        MissingDates::default().replace(&mut other);
        assert_eq!(other, b"IINTERNALDATE \"-\" INTERINTERNALDATE \"-\" NIL");
    }
}
