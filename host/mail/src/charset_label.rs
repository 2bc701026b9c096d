//! Names of charsets, as mails write them: those of the register, those of browsers, and those that mail programs made
//! up, of which many are the number of a code page in some coat: `cp-850`, `ibm850`, `x-windows-949`, `MS932`.

use super::bounds::LABEL_BYTES;
use super::code_page;
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// What a label stands for.
#[derive(Debug, Clone, Copy)]
pub enum Charset {
    /// Nothing that is known, or ASCII: the bytes have to tell.
    Unknown,
    /// One of those that browsers know.
    Known(&'static Encoding),
    /// UTF-16, of either byte order.
    Utf16,
    /// A code page with this upper half.
    CodePage(&'static str),
    /// In bytes below 128, by this decoder.
    SevenBit(Decoder),
}

/// Makes text of bytes.
pub type Decoder = fn(&[u8]) -> String;

impl Charset {
    /// By its name, in any case of letters.
    pub fn by_label(label: &str) -> Self {
        // Headers that were encoded as if they were a body: `charset=3D"utf-8"`.
        let label = label.strip_prefix("3D").filter(|rest| rest.starts_with('"')).unwrap_or(label);
        let label = label.trim_matches(|character: char| {
            character.is_whitespace() || matches!(character, '"' | '\'' | '<' | '>' | ';' | ',' | '.')
        });
        if label.is_empty() || label.len() > LABEL_BYTES {
            return Self::Unknown;
        }
        let key = key(label);
        // What browsers take these for is not what mails mean.
        match key.as_str() {
            "usascii" | "ascii" | "646" | "iso646us" | "ansix341968" | "ansix341986" | "userdefined"
            | "xuserdefined" | "replacement" | "unknown8bit" | "default" | "none" => return Self::Unknown,
            "utf16" | "utf16le" | "utf16be" | "unicode" | "ucs2" | "unicodefeff" | "unicodefffe" | "iso10646ucs2"
            | "csunicode" | "csutf16" => return Self::Utf16,
            _ => {}
        }
        if let Some(encoding) = Encoding::for_label_no_replacement(label.as_bytes()) {
            return if encoding == UTF_16LE || encoding == UTF_16BE { Self::Utf16 } else { Self::Known(encoding) };
        }
        by_number(&key).or_else(|| by_name(&key)).unwrap_or(Self::Unknown)
    }

    /// Whether bytes below 128 may mean something else than ASCII in it.
    pub fn is_stateful(self) -> bool {
        match self {
            Self::Known(encoding) => !encoding.is_ascii_compatible(),
            Self::Utf16 | Self::SevenBit(_) => true,
            Self::Unknown | Self::CodePage(_) => false,
        }
    }
}

/// Letters and digits alone, in small letters. Of `_iso-2022-jp$ESC` what stands behind the dollar sign says how half
/// width letters are shifted, which is read in either way.
fn key(label: &str) -> String {
    let plain = label.split('$').next().unwrap_or_default();
    let key: String =
        plain.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
    match key.strip_prefix('x') {
        Some(rest) => rest.to_owned(),
        None => key,
    }
}

/// By the number of a code page, with what is written before it.
fn by_number(key: &str) -> Option<Charset> {
    const BEFORE: [&str; 17] = [
        "",
        "cp",
        "ibm",
        "dos",
        "oem",
        "pc",
        "ms",
        "msdos",
        "mscp",
        "win",
        "windows",
        "windowscp",
        "codepage",
        "csibm",
        "cspc",
        "cspcp",
        "ccsid",
    ];
    let name = key.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let digits = name.trim_start_matches(|letter: char| letter.is_ascii_alphabetic());
    let before = name.strip_suffix(digits)?;
    if !BEFORE.contains(&before) || digits.len() < 3 {
        return None;
    }
    let number = digits.trim_start_matches('0').parse().ok()?;
    if let Some(upper_half) = code_page::upper_half(number) {
        return Some(Charset::CodePage(upper_half));
    }
    // What comes with the web's names has them; and what comes with numbers alone.
    let label = match number {
        866 => "ibm866",
        874 | 1162 => "windows-874",
        932 | 942 | 943 => "shift_jis",
        936 | 1381 | 1383 | 1386 | 20936 | 51936 => "gbk",
        949 | 970 | 1363 | 20949 | 51949 => "euc-kr",
        950 | 951 | 1370 => "big5",
        1250..=1258 => return known(&format!("windows-{number}")),
        10000 => "macintosh",
        10007 | 10017 => "x-mac-cyrillic",
        1200 | 1201 => return Some(Charset::Utf16),
        65000 => return Some(Charset::SevenBit(super::seven_bit::utf_7)),
        65001 | 1208 => "utf-8",
        819 | 28591 => "iso-8859-1",
        912 => "iso-8859-2",
        915 => "iso-8859-5",
        920 => "iso-8859-9",
        923 => "iso-8859-15",
        28592..=28599 | 28603 | 28605 => return known(&format!("iso-8859-{}", number - 28590)),
        38598 => "iso-8859-8-i",
        878 | 20866 => "koi8-r",
        1168 | 21866 => "koi8-u",
        20932 | 51932 | 954 | 33722 => "euc-jp",
        50220..=50222 => "iso-2022-jp",
        50225 => return Some(Charset::SevenBit(super::seven_bit::iso_2022_kr)),
        50227 => return Some(Charset::SevenBit(super::seven_bit::iso_2022_cn)),
        52936 => return Some(Charset::SevenBit(super::seven_bit::hz)),
        54936 => "gb18030",
        _ => return None,
    };
    known(label)
}

/// By what the name begins with: years, platforms and dialects follow.
fn by_name(key: &str) -> Option<Charset> {
    const SEVEN_BIT: [(&str, Decoder); 8] = [
        ("iso2022kr", super::seven_bit::iso_2022_kr),
        ("csiso2022kr", super::seven_bit::iso_2022_kr),
        ("iso2022cn", super::seven_bit::iso_2022_cn),
        ("hzgb2312", super::seven_bit::hz),
        ("hz", super::seven_bit::hz),
        ("utf7", super::seven_bit::utf_7),
        ("unicode11utf7", super::seven_bit::utf_7),
        ("csutf7", super::seven_bit::utf_7),
    ];
    const BEGINNINGS: [(&str, &str); 45] = [
        ("utf8", "utf-8"),
        ("unicode20utf8", "utf-8"),
        ("csutf8", "utf-8"),
        ("iso2022jp", "iso-2022-jp"),
        ("csiso2022jp", "iso-2022-jp"),
        ("jis7", "iso-2022-jp"),
        ("jisencoding", "iso-2022-jp"),
        ("shiftjis", "shift_jis"),
        ("sjis", "shift_jis"),
        ("mskanji", "shift_jis"),
        ("windows31j", "shift_jis"),
        ("cswindows31j", "shift_jis"),
        ("eucjp", "euc-jp"),
        ("ujis", "euc-jp"),
        ("euckr", "euc-kr"),
        ("ksc5601", "euc-kr"),
        ("ksx1001", "euc-kr"),
        ("uhc", "euc-kr"),
        ("gb18030", "gb18030"),
        ("gb2312", "gbk"),
        ("gbk", "gbk"),
        ("euccn", "gbk"),
        ("big5", "big5"),
        ("koi8u", "koi8-u"),
        ("koi8", "koi8-r"),
        ("tis620", "windows-874"),
        ("thai", "windows-874"),
        ("latin10", "iso-8859-16"),
        ("latin1", "iso-8859-1"),
        ("latin2", "iso-8859-2"),
        ("latin3", "iso-8859-3"),
        ("latin4", "iso-8859-4"),
        ("latin5", "iso-8859-9"),
        ("latin6", "iso-8859-10"),
        ("latin7", "iso-8859-13"),
        ("latin8", "iso-8859-14"),
        ("latin9", "iso-8859-15"),
        ("latin0", "iso-8859-15"),
        ("isolatin1", "iso-8859-1"),
        ("ansi", "windows-1252"),
        ("msansi", "windows-1252"),
        ("windowslatin1", "windows-1252"),
        ("maccyrillic", "x-mac-cyrillic"),
        ("macukrain", "x-mac-cyrillic"),
        ("macroman", "macintosh"),
    ];
    const MACINTOSH: [(&str, u32); 4] =
        [("macgreek", 10006), ("macce", 10029), ("maclatin2", 10029), ("macturkish", 10081)];
    if let Some((_, decode)) = SEVEN_BIT.iter().find(|(beginning, _)| key.starts_with(beginning)) {
        return Some(Charset::SevenBit(*decode));
    }
    if let Some((_, number)) = MACINTOSH.iter().find(|(beginning, _)| key.starts_with(beginning)) {
        return code_page::upper_half(*number).map(Charset::CodePage);
    }
    // iso8859-1, ISO 8859-15, 8859_2, csISO885915, ISO-8859-1-Windows-3.1-Latin-1
    if let Some((_, part)) =
        key.split_once("8859").filter(|(before, _)| matches!(*before, "" | "iso" | "csiso" | "cp" | "iec"))
    {
        let digits: String = part.chars().take(2).take_while(char::is_ascii_digit).collect();
        let found = known(&format!("iso-8859-{digits}"));
        return found.or_else(|| known(&format!("iso-8859-{}", digits.get(..1).unwrap_or_default())));
    }
    BEGINNINGS.iter().find(|(beginning, _)| key.starts_with(beginning)).and_then(|(_, label)| known(label))
}

fn known(label: &str) -> Option<Charset> {
    Encoding::for_label_no_replacement(label.as_bytes()).map(Charset::Known)
}

/// Whether a charset is UTF-8.
pub fn is_utf_8(charset: Charset) -> bool {
    matches!(charset, Charset::Known(encoding) if encoding == UTF_8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(label: &str) -> String {
        match Charset::by_label(label) {
            Charset::Known(encoding) => encoding.name().to_owned(),
            Charset::Unknown => "unknown".to_owned(),
            Charset::Utf16 => "UTF-16".to_owned(),
            Charset::CodePage(upper_half) => upper_half.chars().take(3).collect(),
            Charset::SevenBit(_) => "seven bits".to_owned(),
        }
    }

    #[test]
    fn labels_are_known_in_every_coat() {
        for (meant, labels) in [
            (
                "Shift_JIS",
                &[
                    "cp932",
                    "CP-932",
                    "ms932",
                    "windows-932",
                    "x-sjis",
                    "shift-jis",
                    "SJIS-win",
                    "sjis-open",
                    "ibm-943",
                    "MS_Kanji",
                    "csWindows31J",
                    "x-ms-cp932",
                ][..],
            ),
            (
                "ISO-2022-JP",
                &[
                    "_iso-2022-jp$ESC",
                    "_iso-2022-jp$SIO",
                    "iso-2022-jp-2",
                    "ISO-2022-JP-MS",
                    "cp50220",
                    "CP50221",
                    "cp50222",
                    "x-iso-2022-jp",
                    "jis7",
                    "csISO2022JP2",
                ],
            ),
            ("EUC-JP", &["eucjp", "x-eucjp", "eucJP-ms", "eucJP-win", "cp51932", "ujis"]),
            (
                "EUC-KR",
                &[
                    "cp949",
                    "ms949",
                    "x-windows-949",
                    "windows-949",
                    "uhc",
                    "ks_c_5601",
                    "KSC5601-1987",
                    "ks_x_1001:1992",
                    "x-euc-kr",
                    "cp51949",
                ],
            ),
            ("Big5", &["cp950", "ms950", "x-windows-950", "cp-950", "big5-eten", "BIG5_HKSCS", "x-big5", "cp951"]),
            ("GBK", &["cp936", "ms936", "gb2312", "x-gbk", "euc-cn", "windows-936", "cp1386", "gb2312-80"]),
            ("gb18030", &["gb18030", "GB-18030", "gb18030-2005", "cp54936"]),
            (
                "Çüé",
                &[
                    "cp850",
                    "cp-850",
                    "cp437",
                    "ibm437",
                    "IBM-850",
                    "dos-850",
                    "850",
                    "437",
                    "cp 850",
                    "cspc850multilingual",
                    "oem-437",
                    "CP00858",
                    "cp858",
                    "IBM00858",
                    "ibm857",
                    "cp860",
                    "csIBM865",
                ],
            ),
            ("Çüé", &["cp852", "ibm852", "852", "csPCp852", "cspcp852"]),
            ("IBM866", &["cp866", "ibm866", "dos-866", "cp-866", "866"]),
            (
                "windows-1252",
                &[
                    "cp1252",
                    "win-1252",
                    "windows1252",
                    "x-cp1252",
                    "ms-ansi",
                    "ansi",
                    "iso-8859-1",
                    "ISO 8859-1",
                    "iso8859_1",
                    "8859-1",
                    "latin-1",
                    "ISO-8859-1-Windows-3.1-Latin-1",
                    "'iso-8859-1'",
                    "iso-8859-1;",
                ],
            ),
            ("windows-1250", &["cp-1250", "win1250", "windows_1250", "x-windows-1250", "ms1250"]),
            ("windows-1251", &["cp1251", "win1251", "windows-cp1251"]),
            ("windows-874", &["tis-620", "tis620.2533", "cp874", "iso-8859-11", "x-windows-874", "windows874"]),
            ("ISO-8859-2", &["iso8859-2", "iso_8859_2", "latin-2", "cp912", "cp28592", "iso-8859-2:1987"]),
            ("ISO-8859-15", &["iso8859-15", "latin-9", "ISO-8859-15@euro", "iso_8859_15"]),
            ("KOI8-R", &["koi8-r", "koi8r", "cp20866", "cskoi8r", "koi-8-r"]),
            (
                "UTF-8",
                &[
                    "utf8",
                    "UTF_8",
                    "utf-8mb4",
                    "x-utf-8",
                    "cp65001",
                    "\"utf-8\"",
                    "utf 8",
                    "unicode-1-1-utf-8",
                    "3D\"utf-8\"",
                    "“utf-8”",
                ],
            ),
            ("UTF-16", &["utf-16", "utf-16le", "UTF-16BE", "ucs-2", "cp1200", "unicode"]),
            (
                "seven bits",
                &[
                    "utf-7",
                    "unicode-1-1-utf-7",
                    "x-utf-7",
                    "iso-2022-kr",
                    "csISO2022KR",
                    "iso-2022-cn-ext",
                    "hz-gb-2312",
                    "cp65000",
                    "cp50225",
                ],
            ),
            ("ÄĀā", &["x-mac-ce", "mac-ce", "maclatin2", "cp10029"]),
            ("macintosh", &["x-mac-roman", "macroman", "macintosh", "cp10000"]),
            (
                "unknown",
                &[
                    "",
                    "us-ascii",
                    "ASCII",
                    "ansi_x3.4-1968",
                    "x-user-defined",
                    "x-unknown",
                    "unknown-8bit",
                    "8bit",
                    "binary",
                    "x-klingon-9",
                    "_autodetect_all",
                    "cp99999",
                    "iso-8859-",
                    "replacement",
                ],
            ),
        ] {
            for label in labels {
                assert_eq!(name(label), meant, "{label}");
            }
        }
        assert_eq!(name(&"x".repeat(LABEL_BYTES + 1)), "unknown");
    }
}
