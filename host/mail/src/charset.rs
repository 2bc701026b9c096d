//! Bytes to text. Never an error: what a label says is tried, then what the bytes themselves tell.
//!
//! - A byte order mark decides, and is no part of the text.
//! - Without a label, with one that is not known and with one that says ASCII: UTF-8, where it is valid, or nearly;
//!   ISO-2022-JP and ISO-2022-KR by the escape sequences that nothing else has; else windows-1252. So is text of a
//!   charset whose bytes below 128 are ASCII, and that has no others.
//! - Text labelled UTF-8 that is not is read as UTF-8 where it can be, and each byte that cannot as windows-1252: mail
//!   servers add Latin-1 footers to UTF-8 texts, and programs write UTF-8 on all that they send.
//! - Text that does not fit its label of several bytes a character is read as UTF-8, if it is that without a mistake, and
//!   Japanese text by another of its charsets.
//! - Bytes of headers have no label: they are UTF-8, where they are that without a mistake, else of the charset of the
//!   mail's text. Pairs of bytes may be either, and are then what somebody is more likely to have written.

use super::charset_label::{Charset, is_utf_8};
use super::seven_bit;
use encoding_rs::{
    BIG5, EUC_JP, EUC_KR, Encoding, GB18030, GBK, ISO_2022_JP, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252,
};
use std::borrow::Cow;

const ESCAPE: u8 = 0x1B;

/// Decodes bytes of a charset. Bytes that are given away and are valid as they are become the text without being
/// copied: a body may be large.
pub fn decode<'b>(bytes: impl Into<Cow<'b, [u8]>>, label: Option<&str>) -> String {
    let bytes = bytes.into();
    if let Some((encoding, length)) = Encoding::for_bom(&bytes) {
        let content = bytes.get(length..).unwrap_or_default();
        return if encoding == UTF_8 {
            mostly_utf_8(without_beginning(bytes, length))
        } else {
            encoding.decode_without_bom_handling(content).0.into_owned()
        };
    }
    let charset = label.map_or(Charset::Unknown, Charset::by_label);
    if bytes.is_ascii() && !charset.is_stateful() {
        return unlabelled(bytes);
    }
    match charset {
        Charset::Unknown => unlabelled(bytes),
        Charset::Known(_) if is_utf_8(charset) => mostly_utf_8(bytes),
        Charset::Known(encoding) => by_encoding(&bytes, encoding),
        Charset::Utf16 => utf_16(bytes, label.unwrap_or_default()),
        Charset::CodePage(upper_half) => super::code_page::decode(&bytes, upper_half),
        Charset::SevenBit(_) if !bytes.is_ascii() => unlabelled(bytes),
        Charset::SevenBit(decode) => decode(&bytes),
    }
}

/// Decodes bytes of a header that are not encoded as they should be: UTF-8 (RFC 6532), where they are that without a
/// mistake and are not more likely text of the body's charset; else that one.
pub fn decode_unencoded(bytes: &[u8], fallback: Option<&str>) -> String {
    let label = match fallback.map_or(Charset::Unknown, Charset::by_label) {
        // Bytes of 16 bits make no header.
        Charset::Utf16 => None,
        charset if is_rather_utf_8(bytes, charset) => None,
        _ => fallback,
    };
    decode(bytes, label)
}

/// Whether bytes that are UTF-8 without a mistake, in more than ASCII, are more likely that than text of this charset.
///
/// Any bytes fit a charset of one byte a character, but hardly any text of one is UTF-8. What UTF-8 writes in three
/// bytes or more is text of a charset of pairs only where rare characters meet by chance. What it writes in two may be
/// text of one: `é` has the bytes of `茅` in GB 2312. It is not where a pair is none of the charset's everyday
/// characters, nor where the pairs are letters that make words.
fn is_rather_utf_8(bytes: &[u8], charset: Charset) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    if text.is_ascii() {
        return false;
    }
    let last_lead = match charset {
        Charset::CodePage(_) => return true,
        Charset::Known(encoding) if encoding.is_single_byte() => return true,
        Charset::Known(encoding) => last_everyday_lead(encoding),
        _ => None,
    };
    let Some(last_lead) = last_lead else { return false };
    let mut characters = text.chars().filter(|character| !character.is_ascii());
    let is_everyday = |character: char| {
        let mut buffer = [0; 4];
        matches!(character.encode_utf8(&mut buffer).as_bytes(), [lead, trail] if *lead <= last_lead && *trail >= 0xA1)
    };
    !characters.all(is_everyday) || makes_words(text)
}

/// The last byte with which everyday characters of a charset of pairs begin, of which the second byte is above 0xA0: of
/// the first level of GB 2312, Big5 and JIS X 0208, and of the Hangul of KS X 1001. In Shift_JIS such bytes are half
/// width Katakana.
fn last_everyday_lead(encoding: &'static Encoding) -> Option<u8> {
    const LAST: [(&Encoding, u8); 6] =
        [(GBK, 0xD7), (GB18030, 0xD7), (BIG5, 0xC6), (EUC_KR, 0xC8), (EUC_JP, 0xCF), (SHIFT_JIS, 0xDF)];
    LAST.iter().find(|(known, _)| *known == encoding).map(|(_, last)| *last)
}

/// Whether the characters beyond ASCII are letters of one alphabet as they stand in words: Latin ones with some of ASCII
/// in a word, three or more of another. Signs may stand beside them.
fn makes_words(text: &str) -> bool {
    const LATIN: &str = "Latin";
    let alphabet = |character: char| match character {
        'a'..='z' | 'A'..='Z' | 'À'..='Ö' | 'Ø'..='ö' | 'ø'..='\u{24F}' => Some(LATIN),
        '\u{370}'..='\u{3FF}' => Some("Greek"),
        '\u{400}'..='\u{52F}' => Some("Cyrillic"),
        '\u{531}'..='\u{58F}' => Some("Armenian"),
        '\u{590}'..='\u{5FF}' => Some("Hebrew"),
        '\u{600}'..='\u{77F}' => Some("Arabic"),
        _ => None,
    };
    let is_sign = |character: char| matches!(character, '\u{A0}'..='¿' | '×' | '÷');
    let letters: Vec<Option<&str>> =
        text.chars().filter(|letter| !letter.is_ascii() && !is_sign(*letter)).map(alphabet).collect();
    let Some(Some(first)) = letters.first() else { return false };
    if letters.iter().any(|letter| *letter != Some(*first)) {
        return false;
    }
    if *first != LATIN {
        return letters.len() >= 3;
    }
    let mut words = text.split(|character| alphabet(character) != Some(LATIN));
    words.any(|word| !word.is_ascii() && word.contains(|letter: char| letter.is_ascii()))
}

/// Whether there is no label, or none that says which charset it is.
pub fn is_left_open(label: Option<&str>) -> bool {
    matches!(label.map_or(Charset::Unknown, Charset::by_label), Charset::Unknown)
}

/// Whether bytes are text of the charset of this label without a mistake.
pub fn fits(bytes: &[u8], label: Option<&str>) -> bool {
    match label.map_or(Charset::Unknown, Charset::by_label) {
        Charset::Known(encoding) => strictly(bytes, encoding).is_some(),
        _ => std::str::from_utf8(bytes).is_ok(),
    }
}

/// By what the bytes tell.
fn unlabelled(bytes: Cow<'_, [u8]>) -> String {
    if bytes.is_ascii() && has_escapes(&bytes) {
        if memchr::memmem::find(&bytes, b"\x1b$)C").is_some() {
            return seven_bit::iso_2022_kr(&bytes);
        }
        if let Some(japanese) = strictly(&bytes, ISO_2022_JP) {
            return japanese;
        }
    }
    let bytes = match String::from_utf8(bytes.into_owned()) {
        Ok(text) => return text,
        Err(error) => error.into_bytes(),
    };
    let (good, bad) = in_utf_8(&bytes);
    if good > bad {
        mostly_utf_8(bytes.into())
    } else {
        WINDOWS_1252.decode_without_bom_handling(&bytes).0.into_owned()
    }
}

/// How many characters of several bytes there are, read as UTF-8, and how many bytes that are of none.
fn in_utf_8(bytes: &[u8]) -> (usize, usize) {
    bytes.utf8_chunks().fold((0, 0), |(good, bad), chunk| {
        (good + chunk.valid().bytes().filter(|byte| *byte >= 0xC0).count(), bad + chunk.invalid().len())
    })
}

/// Whether there are escape sequences that call other characters than ASCII: nothing else has them.
fn has_escapes(bytes: &[u8]) -> bool {
    memchr::memchr_iter(ESCAPE, bytes).any(|escape| {
        matches!(bytes.get(escape + 1..escape + 3), Some([b'$', b'@' | b'B' | b'(' | b')'] | [b'(', b'I' | b'J']))
    })
}

/// As UTF-8, and each byte that is none as windows-1252. A character that was cut in a text that is UTF-8 otherwise is
/// U+FFFD.
fn mostly_utf_8(bytes: Cow<'_, [u8]>) -> String {
    let bytes = match String::from_utf8(bytes.into_owned()) {
        Ok(text) => return text,
        Err(error) => error.into_bytes(),
    };
    let (good, bad) = in_utf_8(&bytes);
    if good == 0 {
        return WINDOWS_1252.decode_without_bom_handling(&bytes).0.into_owned();
    }
    let mut text = String::with_capacity(bytes.len() + 2 * bad);
    let mut chunks = bytes.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        text.push_str(chunk.valid());
        match chunk.invalid() {
            [] => {}
            cut if good > bad && (cut.len() > 1 || chunks.peek().is_none()) => text.push(char::REPLACEMENT_CHARACTER),
            others => text.extend(others.iter().map(|byte| windows_1252(*byte))),
        }
    }
    text
}

/// A character of windows-1252. One byte of a text costs less so than a decoder that is called for it.
fn windows_1252(byte: u8) -> char {
    const OTHER_THAN_LATIN_1: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž', '\u{8F}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}', 'ž', 'Ÿ',
    ];
    let place = usize::from(byte).wrapping_sub(0x80);
    OTHER_THAN_LATIN_1.get(place).copied().unwrap_or(char::from(byte))
}

/// By an encoding that is not UTF-8; by another where the text does not fit it and fits that.
fn by_encoding(bytes: &[u8], encoding: &'static Encoding) -> String {
    if let Some(text) = strictly(bytes, encoding) {
        return text;
    }
    let others: &[&'static Encoding] = match encoding {
        encoding if encoding.is_single_byte() || bytes.is_ascii() => &[],
        encoding if encoding == ISO_2022_JP => &[UTF_8, SHIFT_JIS, EUC_JP],
        encoding if encoding == SHIFT_JIS => &[UTF_8, EUC_JP],
        encoding if encoding == EUC_JP => &[UTF_8, SHIFT_JIS],
        _ => &[UTF_8],
    };
    if let Some(text) = others.iter().find_map(|other| strictly(bytes, other)) {
        return text;
    }
    let bytes = if encoding == ISO_2022_JP { with_plain_escapes(bytes) } else { Cow::Borrowed(bytes) };
    encoding.decode_without_bom_handling(&bytes).0.into_owned()
}

/// The text, if the bytes are that without a mistake.
fn strictly(bytes: &[u8], encoding: &'static Encoding) -> Option<String> {
    let bytes = if encoding == ISO_2022_JP { with_plain_escapes(bytes) } else { Cow::Borrowed(bytes) };
    encoding.decode_without_bom_handling_and_without_replacement(&bytes).map(Cow::into_owned)
}

/// ISO-2022-JP as browsers want it: half width letters between shift out and shift in begin and end with escape
/// sequences, and no escape sequence follows another, as it does where encoded words were joined.
fn with_plain_escapes(bytes: &[u8]) -> Cow<'_, [u8]> {
    let follows = |place: usize| bytes.get(place + 3) == Some(&ESCAPE);
    if !bytes.contains(&0x0E) && !memchr::memchr_iter(ESCAPE, bytes).any(follows) {
        return Cow::Borrowed(bytes);
    }
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            0x0E => plain.extend_from_slice(b"\x1b(I"),
            0x0F => plain.extend_from_slice(b"\x1b(B"),
            &ESCAPE if after.get(2) == Some(&ESCAPE) => rest = after.get(2..).unwrap_or_default(),
            byte => plain.push(*byte),
        }
    }
    Cow::Owned(plain)
}

/// UTF-16 without a byte order mark: in the order of its label, but where zeros (of Latin letters, blanks and line ends)
/// tell the other one. Text that has none is something else under this label, if it can be.
fn utf_16(bytes: Cow<'_, [u8]>, label: &str) -> String {
    let (pairs, _) = bytes.as_chunks::<2>();
    let zeros = |place: usize| pairs.iter().filter(|pair| pair.get(place) == Some(&0)).count();
    let (high_first, low_first) = (zeros(0), zeros(1));
    if high_first + low_first == 0 && std::str::from_utf8(&bytes).is_ok() {
        return unlabelled(bytes);
    }
    let says_big = label.to_ascii_lowercase().contains("be") || label.contains("1201");
    let is_big = if high_first == low_first { says_big } else { high_first > low_first };
    let encoding = if is_big { UTF_16BE } else { UTF_16LE };
    encoding.decode_without_bom_handling(&bytes).0.into_owned()
}

fn without_beginning(bytes: Cow<'_, [u8]>, length: usize) -> Cow<'_, [u8]> {
    match bytes {
        Cow::Borrowed(bytes) => Cow::Borrowed(bytes.get(length..).unwrap_or_default()),
        Cow::Owned(mut bytes) => {
            bytes.drain(..length.min(bytes.len()));
            Cow::Owned(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn charsets_are_decoded() {
        for (bytes, charset, text) in [
            (&b"Gr\xfc\xdfe"[..], "iso-8859-1", "Grüße"),
            (b"\xf7\xcf\xd0\xd2\xcf\xd3", "KOI8-R", "Вопрос"),
            (b"\x1b$B@A5a=q\x1b(B", "iso-2022-jp", "請求書"),
            (b"\x1b$B@A5a=q\x1b(B", "_iso-2022-jp$ESC", "請求書"),
            (b"\x1b$B@A5a\x1b(B\x1b$B=q\x1b(B\x1b(B.", "iso-2022-jp", "請求書."),
            (b"\x1b$B@A5a\x1b(B \x0e16\x0f.", "_iso-2022-jp$SIO", "請求 ｱｶ."),
            ("ä".as_bytes(), "utf8", "ä"),
            (b"\x80", "\"windows-1252\"", "€"),
            (b"+AOQ-", "utf-7", "ä"),
            (b"\x84", "cp850", "ä"),
            (b"\x93\xfa\x96{\x8c\xea", "cp932", "日本語"),
            (b"\xc7\xd1\xb1\xb9\xbe\xee", "cp949", "한국어"),
            (b"\xc7\xd1\xb1\xb9\xbe\xee", "x-windows-949", "한국어"),
            (b"\xa4\xa4\xa4\xe5", "cp950", "中文"),
            (b"\xd6\xd0\xce\xc4", "gb2312", "中文"),
            (b"\x1b$)C\x0eGQ19>n\x0f", "iso-2022-kr", "한국어"),
            (b"~{VPND~}", "hz-gb-2312", "中文"),
            (b"\0G\0r\0\xfc", "utf-16be", "Grü"),
            (b"G\0r\0\xfc\0", "utf-16", "Grü"),
            (b"\0G\0r\0\xfc", "utf-16", "Grü"),
            (b"Nothing of that kind", "utf-16", "Nothing of that kind"),
        ] {
            assert_eq!(decode(bytes, Some(charset)), text, "{charset}");
        }
    }

    #[test]
    fn what_is_not_known_is_guessed() {
        for charset in [None, Some(""), Some("us-ascii"), Some("x-klingon-9"), Some("iso-2022-kr"), Some("x-unknown")] {
            assert_eq!(decode("schön".as_bytes(), charset), "schön", "{charset:?}");
            assert_eq!(decode(b"sch\xf6n", charset), "schön", "{charset:?}");
        }
    }

    #[test]
    fn utf_8_in_a_header_is_read_whatever_the_charset_of_the_text() {
        for label in [
            "shift_jis",
            "cp932",
            "euc-jp",
            "iso-2022-jp",
            "gb2312",
            "gb18030",
            "hz-gb-2312",
            "big5",
            "euc-kr",
            "iso-2022-kr",
            "utf-16",
            "utf-7",
            "windows-1252",
            "koi8-r",
            "cp850",
            "us-ascii",
            "utf-8",
            "x-klingon",
        ] {
            for text in [
                "請求書を送ります。",
                "ご注文 no. 7",
                "关于订单 4711 的问题",
                "關於訂單的問題",
                "주문에 관한 문의",
                "สอบถามเรื่องใบสั่งซื้อ",
                "Hỏi về đơn hàng",
                "Preis: 5 €",
                "Re: 🎉 Party",
                "Rückfrage zu Ihrem Angebot",
                "Müller",
                "Jörg Müller, 25 °C",
                "Größe",
                "Ä",
                "Café",
                "Città è chiusa",
                "René Ménétrier",
                "Zażółć gęślą jaźń",
                "Şikâyet hakkında",
                "Dotaz k objednávce č. 7",
                "Вопрос по заказу",
                "мама",
                "Питання щодо замовлення",
                "Ερώτηση για παραγγελία",
                "שאלה על הזמנה",
                "سؤال حول الطلب",
            ] {
                assert_eq!(decode_unencoded(text.as_bytes(), Some(label)), text, "{label}");
            }
        }
    }

    #[test]
    fn a_header_in_the_charset_of_the_text_is_read_also_where_it_could_be_utf_8() {
        for (label, texts) in [
            ("shift_jis", &["請求書を送ります。", "ﾃｽﾄ", "ﾃｶﾃｼ", "槇の", "ご注文 no. 7"][..]),
            ("euc-jp", &["請求書を送ります。", "槇の", "ご注文 no. 7"]),
            ("gb2312", &["关于订单的问题", "猫毛", "茅", "毛梅", "25 茅", "联通", "王毅"]),
            ("gb18030", &["关于订单的问题", "猫毛", "茅", "没", "㐀"]),
            ("big5", &["關於訂單的問題", "台北 no. 7"]),
            ("euc-kr", &["주문에 관한 문의", "챕", "한국어"]),
            ("windows-1252", &["Grüße", "René"]),
            ("koi8-r", &["Вопрос по заказу"]),
        ] {
            let encoding = Encoding::for_label(label.as_bytes()).unwrap();
            for text in texts {
                let (bytes, _, failed) = encoding.encode(text);
                assert!(!failed, "{text}");
                assert_eq!(decode_unencoded(&bytes, Some(label)), *text, "{label}");
            }
        }
    }

    #[test]
    fn each_byte_of_windows_1252_is_what_the_decoder_says() {
        for byte in 0x80..=0xFF_u8 {
            let bytes = [byte];
            let text = WINDOWS_1252.decode_without_bom_handling(&bytes).0;
            assert_eq!(text.chars().next(), Some(windows_1252(byte)), "{byte:x}");
        }
    }

    #[test]
    fn what_is_not_labelled_is_one_charset_or_another() {
        // Thai, in which some pairs of bytes would be UTF-8.
        assert_eq!(decode(b"\xca\xd3\xcb\xc3\xd1\xba\xa4\xd8\xb3!".as_slice(), None), "ÊÓËÃÑº¤Ø³!");
        assert_eq!(decode("Größe, Maße\nGesch\u{e4}ft".as_bytes(), None), "Größe, Maße\nGeschäft");
        let with_footer = [" Größe, Maße, Höhe\nGesch".as_bytes(), b"\xe4ft"].concat();
        assert_eq!(decode(with_footer, None), " Größe, Maße, Höhe\nGeschäft");
    }

    #[test]
    fn unlabelled_japanese_and_korean_are_known_by_their_escapes() {
        for label in [None, Some("us-ascii"), Some("iso-8859-1"), Some("utf-8"), Some("shift_jis")] {
            assert_eq!(decode(b"\x1b$B@A5a=q\x1b(B no. 7".as_slice(), label), "請求書 no. 7", "{label:?}");
            assert_eq!(decode(b"\x1b$)C\x0eGQ19\x0f".as_slice(), label), "한국", "{label:?}");
            assert_eq!(decode(b"\x1b[31mred\x1b[0m".as_slice(), label), "\x1b[31mred\x1b[0m", "{label:?}");
            assert_eq!(decode(b"price \x1b$B".as_slice(), label), "price ", "{label:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_decides_and_is_no_text() {
        for label in [None, Some("utf-8"), Some("iso-8859-1"), Some("windows-1252"), Some("us-ascii"), Some("utf-16")] {
            assert_eq!(decode(b"\xef\xbb\xbfGr\xc3\xbc\xc3\x9fe".as_slice(), label), "Grüße", "{label:?}");
            assert_eq!(decode(b"\xff\xfeG\0r\0\xfc\0".as_slice(), label), "Grü", "{label:?}");
            assert_eq!(decode(b"\xfe\xff\0G\0r\0\xfc".as_slice(), label), "Grü", "{label:?}");
            assert_eq!(decode(b"\xef\xbb\xbf".as_slice(), label), "", "{label:?}");
        }
        assert_eq!(decode(b"\xef\xbb\xbfGr\xc3\xbc\xc3\x9fe".to_vec(), None), "Grüße");
    }

    #[test]
    fn text_that_is_not_what_its_label_says_is_read_as_well_as_possible() {
        for (bytes, charset, text) in [
            // UTF-8 that is none, or not all through.
            (&b"Gr\xfc\xdfe, 5 \x80"[..], "utf-8", "Grüße, 5 €"),
            (b"Gr\xc3\xbc\xc3\x9fe\n-- \nGesch\xe4ftsf\xfchrer", "utf-8", "Grüße\n-- \nGeschäftsführer"),
            (b"caf\xe9\x92s", "utf-8", "café’s"),
            ("日本語日本".as_bytes().split_at(13).0, "utf-8", "日本語日\u{FFFD}"),
            // Charsets of several bytes a character.
            ("請求書".as_bytes(), "iso-2022-jp", "請求書"),
            ("請求書を送ります。".as_bytes(), "shift_jis", "請求書を送ります。"),
            ("한국어".as_bytes(), "euc-kr", "한국어"),
            (b"\x93\xfa\x96{\x8c\xea", "iso-2022-jp", "日本語"),
            (b"\xc6\xfc\xcb\xdc\xb8\xec", "iso-2022-jp", "日本語"),
            (b"\xd6\xd0\xff", "gb2312", "中\u{FFFD}"),
            // A charset of one byte is believed.
            ("ä".as_bytes(), "iso-8859-1", "Ã¤"),
        ] {
            assert_eq!(decode(bytes, Some(charset)), text, "{charset}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn any_bytes_are_taken_under_any_label(
            bytes in proptest::collection::vec(any::<u8>(), 0..60),
            label in "utf-(7|8|16(be)?)|iso-2022-(jp|kr|cn)|hz|(cp|ms|x-windows-)[0-9]{3,5}|big5|euc-(jp|kr)|gb2312|[a-z0-9_$-]{0,10}",
        ) {
            decode(bytes.as_slice(), Some(&label));
            prop_assert_eq!(decode(bytes.as_slice(), None), decode(bytes.as_slice(), Some("x-nobody-knows")));
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let is_marked = Encoding::for_bom(text.as_bytes()).is_some();
            prop_assert!(is_marked || has_escapes(text.as_bytes()) || decode(text.as_bytes(), Some("utf-8")) == text);
        }
    }
}
