//! The words of a text in lower case, with the places where they stand.

/// The words of a mail, part by part (subject, then text): letters in lower case, and the spelling that stands in the mail.
#[derive(Debug, Default)]
pub struct Words {
    /// The characters of all words, one after the other, in lower case; of a run of digits each is a zero.
    letters: Vec<char>,
    /// The words as they stand in the mail, one after the other.
    spelled: String,
    places: Vec<Place>,
    /// How many words there are at the end of each part.
    ends: Vec<usize>,
}

/// Where a word ends in the letters, and in the spelled text; it begins where the one before ends.
#[derive(Debug, Clone, Copy)]
struct Place {
    letters: usize,
    spelled: usize,
}

impl Words {
    /// Adds the words of the first `limit` characters of a text; gives how many characters more there could have been.
    ///
    /// A word is a run of letters and digits, with apostrophes inside. Two digits or more in a row become zeros: that
    /// there is a long number says something, which one it is does not.
    pub fn add(&mut self, text: &str, limit: usize) -> usize {
        let mut left = limit;
        let mut characters = text.chars().peekable();
        let mut begun = self.letters.len();
        while left > 0
            && let Some(character) = characters.next()
        {
            left -= 1;
            let inside = self.letters.len() > begun;
            if character.is_alphanumeric() {
                self.spelled.push(character);
                self.letters.extend(character.to_lowercase());
            } else if inside
                && matches!(character, '\'' | '’')
                && characters.peek().is_some_and(|next| next.is_alphanumeric())
            {
                self.spelled.push(character);
                self.letters.push('\'');
            } else if inside {
                self.end_of_word(begun);
                begun = self.letters.len();
            }
        }
        if self.letters.len() > begun {
            self.end_of_word(begun);
        }
        left
    }

    fn end_of_word(&mut self, begun: usize) {
        let mut run = 0;
        for index in begun..=self.letters.len() {
            if self.letters.get(index).is_some_and(|letter| letter.is_numeric()) {
                run += 1;
            } else {
                if run > 1 {
                    self.letters[index - run..index].fill('0');
                }
                run = 0;
            }
        }
        self.places.push(Place { letters: self.letters.len(), spelled: self.spelled.len() });
    }

    /// Says that what is added from now on belongs to another part: no pair of words reaches over the end of one.
    pub fn end_of_part(&mut self) {
        self.ends.push(self.places.len());
    }

    /// The numbers of the words of each part.
    pub fn parts(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let mut begun = 0;
        self.ends.iter().map(move |end| std::mem::replace(&mut begun, *end)..*end)
    }

    /// How many words there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// How many characters its words have.
    pub fn characters(&self) -> usize {
        self.letters.len()
    }

    /// A word in lower case; empty where there is none of this number.
    pub fn lower(&self, word: usize) -> &[char] {
        let begun = word.checked_sub(1).and_then(|before| self.places.get(before)).map_or(0, |place| place.letters);
        self.places.get(word).and_then(|place| self.letters.get(begun..place.letters)).unwrap_or_default()
    }

    /// A word as it stands in the mail; empty where there is none of this number.
    pub fn spelled(&self, word: usize) -> &str {
        let begun = word.checked_sub(1).and_then(|before| self.places.get(before)).map_or(0, |place| place.spelled);
        self.places.get(word).and_then(|place| self.spelled.get(begun..place.spelled)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lower(text: &str) -> Vec<String> {
        let mut words = Words::default();
        words.add(text, 100);
        (0..words.len()).map(|word| words.lower(word).iter().collect()).collect()
    }

    #[test]
    fn words_are_letters_and_digits_with_apostrophes_inside() {
        assert_eq!(lower("Don't 'quote' l’ÉTÉ, card_arrival!"), ["don't", "quote", "l'été", "card", "arrival"]);
    }

    #[test]
    fn long_numbers_are_alike_and_single_digits_are_not() {
        assert_eq!(lower("Order 4711 and 0815, v2 or A1234b"), ["order", "0000", "and", "0000", "v2", "or", "a0000b"]);
    }

    #[test]
    fn what_lies_beyond_the_limit_is_not_read() {
        let mut words = Words::default();
        assert_eq!(words.add("one two three", 6), 0);
        assert_eq!((words.len(), words.spelled(1)), (2, "tw"));
        assert_eq!(words.add("four", 10), 6);
    }

    #[test]
    fn a_word_is_shown_as_it_stands_in_the_mail() {
        let mut words = Words::default();
        words.add("Ihre RECHNUNG 4711", 100);
        assert_eq!((words.spelled(1), words.spelled(2), words.spelled(3)), ("RECHNUNG", "4711", ""));
    }
}
