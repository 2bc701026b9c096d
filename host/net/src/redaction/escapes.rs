//! Letters that stand for others where they stand: `\x68`, `\150`, `\u0068`, `%68`, `=68`, `&#104;`, `&amp;`.
//!
//! All kinds are undone at once, so that a text may mix them, and backslashes by themselves as well, since many logs
//! put them over whatever else there is. What a secret itself has of such letters is undone in it as well, by whoever
//! looks for it.

use super::layer::{Layer, LayerBuilder, LayerLetter};

/// The marks that HTML has names for.
const NAMED: [(&str, char); 32] = [
    ("amp", '&'),
    ("apos", '\''),
    ("ast", '*'),
    ("bsol", '\\'),
    ("colon", ':'),
    ("comma", ','),
    ("commat", '@'),
    ("dollar", '$'),
    ("equals", '='),
    ("excl", '!'),
    ("grave", '`'),
    ("gt", '>'),
    ("hat", '^'),
    ("lbrace", '{'),
    ("lbrack", '['),
    ("lowbar", '_'),
    ("lpar", '('),
    ("lt", '<'),
    ("nbsp", ' '),
    ("num", '#'),
    ("percnt", '%'),
    ("period", '.'),
    ("plus", '+'),
    ("quest", '?'),
    ("quot", '"'),
    ("rbrace", '}'),
    ("rbrack", ']'),
    ("rpar", ')'),
    ("semi", ';'),
    ("sol", '/'),
    ("tab", '\t'),
    ("vert", '|'),
];
/// The longest of those names.
const LONGEST_NAME: usize = 6;

/// What letters that were read stand for.
enum Meaning {
    Byte(u8),
    Letter(char),
    /// A line that goes on.
    Nothing,
}

/// The layer with its escapes undone, and with its backslashes undone alone; nothing where it has none.
pub fn decoded(layer: &Layer) -> impl Iterator<Item = Layer> {
    let (all, kinds) = undone(layer, |_| true);
    let backslashes = (kinds == Kinds { backslash: true, other: true }).then(|| undone(layer, |mark| mark == '\\').0);
    (kinds != Kinds::default()).then_some(all).into_iter().chain(backslashes)
}

/// Which kinds of escapes there are.
#[derive(Default, PartialEq, Eq)]
struct Kinds {
    backslash: bool,
    other: bool,
}

/// The layer without the escapes that begin with a mark of these, and which there were.
fn undone(layer: &Layer, is_meant: fn(char) -> bool) -> (Layer, Kinds) {
    let mut decoded = LayerBuilder::default();
    let (mut rest, mut kinds) = (layer.letters(), Kinds::default());
    while let [first, others @ ..] = rest {
        let Some((meaning, read)) = is_meant(first.letter).then(|| escape(rest)).flatten() else {
            decoded.letter(first.letter, first.place);
            rest = others;
            continue;
        };
        let (escape, behind) = rest.split_at(read.min(rest.len()));
        let place = escape.last().map_or(first.place, |last| first.place.to(last.place));
        match meaning {
            Meaning::Byte(byte) => decoded.byte(byte, place),
            Meaning::Letter(letter) => decoded.letter(letter, place),
            Meaning::Nothing => {}
        }
        rest = behind;
        *(if first.letter == '\\' { &mut kinds.backslash } else { &mut kinds.other }) = true;
    }
    (layer.unescaped(decoded), kinds)
}

/// What the first letters stand for, and how many they are.
fn escape(letters: &[LayerLetter]) -> Option<(Meaning, usize)> {
    match (at(letters, 0)?, at(letters, 1)?) {
        ('\\', _) => backslash(letters),
        ('%', 'u' | 'U') => unit(letters, 2),
        ('=', '\n') => Some((Meaning::Nothing, 2)),
        ('=', '\r') if at(letters, 2) == Some('\n') => Some((Meaning::Nothing, 3)),
        ('%' | '=', _) => byte(letters, 1),
        ('&', '#') => match at(letters, 2)? {
            'x' | 'X' => letter(letters, 3, 6, 16),
            _ => letter(letters, 2, 7, 10),
        },
        ('&', _) => named(letters),
        _ => None,
    }
}

fn at(letters: &[LayerLetter], place: usize) -> Option<char> {
    letters.get(place).map(|letter| letter.letter)
}

/// As C, Rust, JSON, IMAP and their kin have it.
fn backslash(letters: &[LayerLetter]) -> Option<(Meaning, usize)> {
    let escaped = at(letters, 1)?;
    let known = match escaped {
        'x' | 'X' | 'u' | 'U' if at(letters, 2) == Some('{') => letter(letters, 3, 8, 16),
        'x' | 'X' => byte(letters, 2),
        'u' => unit(letters, 2),
        'U' => letter(letters, 2, 8, 16),
        '0'..='7' => {
            // Three digits may be more than a byte.
            let octal =
                |most| number(letters, 1, most, 8).and_then(|(value, read)| Some((u8::try_from(value).ok()?, read)));
            octal(3).or_else(|| octal(2)).map(|(byte, read)| (Meaning::Byte(byte), 1 + read))
        }
        'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' => Some((Meaning::Letter(' '), 2)),
        _ => None,
    };
    Some(known.unwrap_or((Meaning::Letter(escaped), 2)))
}

/// Two hexadecimal digits from `from` on.
fn byte(letters: &[LayerLetter], from: usize) -> Option<(Meaning, usize)> {
    let (value, read) = number(letters, from, 2, 16).filter(|(_, read)| *read == 2)?;
    Some((Meaning::Byte(u8::try_from(value).ok()?), from + read))
}

/// Four hexadecimal digits from `from` on, or two escapes like this one for one letter (UTF-16).
fn unit(letters: &[LayerLetter], from: usize) -> Option<(Meaning, usize)> {
    let unit = |from: usize| {
        number(letters, from, 4, 16).filter(|(_, read)| *read == 4).and_then(|(unit, _)| u16::try_from(unit).ok())
    };
    let first = unit(from)?;
    let second =
        unit(from + 4 + from).filter(|_| (0..from).all(|place| at(letters, place) == at(letters, from + 4 + place)));
    match (char::decode_utf16([first]).next()?, second) {
        (Ok(letter), _) => Some((Meaning::Letter(letter), from + 4)),
        (Err(_), Some(second)) => {
            Some((Meaning::Letter(char::decode_utf16([first, second]).next()?.ok()?), (from + 4) * 2))
        }
        _ => None,
    }
}

/// A letter's number from `from` on, and the mark that ends it.
fn letter(letters: &[LayerLetter], from: usize, most: usize, radix: u32) -> Option<(Meaning, usize)> {
    let (value, read) = number(letters, from, most, radix)?;
    let end = from + read;
    Some((Meaning::Letter(char::from_u32(value)?), end + usize::from(matches!(at(letters, end), Some(';' | '}')))))
}

fn named(letters: &[LayerLetter]) -> Option<(Meaning, usize)> {
    let name: String = letters
        .iter()
        .skip(1)
        .take(LONGEST_NAME)
        .map_while(|letter| letter.letter.is_ascii_alphabetic().then_some(letter.letter))
        .collect();
    let (_, letter) = NAMED.iter().find(|(known, _)| name.eq_ignore_ascii_case(known))?;
    let end = 1 + name.len();
    (at(letters, end) == Some(';')).then_some((Meaning::Letter(*letter), end + 1))
}

/// A number of at least one digit, from `from` on, and how many digits it has.
fn number(letters: &[LayerLetter], from: usize, most: usize, radix: u32) -> Option<(u32, usize)> {
    let digits = letters.get(from..)?.iter().take(most).map_while(|letter| letter.letter.to_digit(radix));
    let (value, read) =
        digits.fold((0_u32, 0), |(value, read), digit| (value.wrapping_mul(radix).wrapping_add(digit), read + 1));
    (read > 0).then_some((value, read))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_escape_is_undone_where_it_stands() {
        for (text, plain) in [
            (r"\x68\150\u0068\u{68}\x{68}\U00000068", "hhhhhh"),
            (r"\ud83d\ude00 \ud83d!", "\u{1f600} ud83d!"),
            ("%68%u0068=68%zz=z", "hhh%zz=z"),
            ("&#104;&#x68;&amp;&QUOT;&nothing; & &", "hh&\"&nothing; & &"),
            ("%c3%a4 %e4 \\303\\244", "\u{e4} \u{e4} \u{e4}"),
            ("a=\r\nb=\nc\\\"\\\\", "abc\"\\"),
            (r"\777", "?7"),
            ("\\", "\\"),
        ] {
            let layer = Layer::of(text);
            let read: String =
                decoded(&layer).next().unwrap_or(Layer::of(text)).letters().iter().map(LayerLetter::read).collect();
            assert_eq!(read, plain, "{text}");
        }
    }

    #[test]
    fn each_letter_knows_what_it_comes_from() {
        let layer = decoded(&Layer::of("ä%68&#104;x")).next().unwrap();
        assert_eq!(layer.place(1..2), Some(2..5));
        assert_eq!(layer.place(1..3), Some(2..11));
        assert_eq!(layer.place(3..4), Some(11..12));
        assert_eq!(layer.place(3..5), None);
    }
}
