//! Texts of any length in indexed columns. PostgreSQL refuses a row whose index entry has more than 2,704 bytes; what
//! strangers write into a header must not keep their mail from being filed.

use postigo_model::hexadecimal::hexadecimal;
use postigo_model::text::beginning;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// Texts of at most so many bytes are kept as they are. Of several in one index entry each fits.
const LONGEST: usize = 800;
/// Of a longer one so many bytes stay readable before its digest.
const READABLE: usize = 200;

/// The text as an indexed column has it: itself, or of a longer one its beginning and the digest of all of it. Equal
/// texts have equal forms, different ones different forms; what is written and what is looked up both go through this.
pub fn indexed(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{}… sha256:{}", beginning(text, READABLE), hexadecimal(&Sha256::digest(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_stay_and_long_ones_differ_by_their_ends() {
        assert_eq!(indexed("<a@b>"), "<a@b>");
        let long = "é".repeat(5000);
        let other = format!("{long}x");
        assert!(indexed(&long).len() <= LONGEST && indexed(&long).starts_with('é'));
        assert_eq!(indexed(&long), indexed(&long.clone()));
        assert_ne!(indexed(&long), indexed(&other));
    }
}
