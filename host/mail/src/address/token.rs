//! A list of addresses, cut into tokens.

/// A piece of a list of addresses.
pub enum Token<'a> {
    /// A word, or a piece of one.
    Atom(&'a [u8]),
    /// What stands in quotes.
    Quoted(&'a [u8]),
    /// What stands in round brackets.
    Comment(&'a [u8]),
    /// What stands in angle brackets.
    Angle(&'a [u8]),
    /// What ends an entry: a comma or semicolon, or a colon behind a group's name.
    Separator(u8),
    /// White space, or a bracket too many.
    Blank,
}

/// Cuts a value into tokens. What is opened and never closed is an ordinary character.
#[allow(clippy::struct_excessive_bools, reason = "each is about a character of its own")]
pub struct AddressTokens<'a> {
    value: &'a [u8],
    position: usize,
    quotes_close: bool,
    comments_close: bool,
    angles_close: bool,
    /// Whether an escape sequence to ASCII may still follow.
    escapes_close: bool,
    /// Whether the value's end is its own: else nobody knows what is never closed.
    whole: bool,
}

impl<'a> AddressTokens<'a> {
    /// Those of a value; `whole` says whether its end is its own.
    pub fn new(value: &'a [u8], whole: bool) -> Self {
        Self {
            value,
            position: 0,
            quotes_close: true,
            comments_close: true,
            angles_close: true,
            escapes_close: true,
            whole,
        }
    }

    /// The length of what is enclosed by the opening character at the current position, up to the closing one.
    fn enclosed(&mut self) -> Option<usize> {
        let rest = self.value.get(self.position..)?;
        let (length, closes) = match rest.first()? {
            b'"' if self.quotes_close => (quoted_length(rest, &mut self.escapes_close), &mut self.quotes_close),
            b'(' if self.comments_close => (comment_length(rest), &mut self.comments_close),
            b'<' if self.angles_close => (memchr::memchr(b'>', rest), &mut self.angles_close),
            _ => return None,
        };
        *closes = length.is_some();
        if length.is_none() && !self.whole {
            self.position = self.value.len();
        }
        length
    }
}

impl<'a> AddressTokens<'a> {
    /// Where another bracket opens before the one at the current position closes: either this one was forgotten to be
    /// closed before a comma, and what stands up to there is an address, or it is one too many, and begins nothing.
    fn before_another_angle(&mut self) -> Option<Token<'a>> {
        let rest = self.value.get(self.position + 1..)?;
        let length = memchr::memchr2(b'<', b'>', rest).filter(|length| rest.get(*length) == Some(&b'<'))?;
        let mut quoted = false;
        let end = rest.get(..length)?.iter().position(|byte| {
            quoted ^= *byte == b'"';
            !quoted && matches!(byte, b',' | b';')
        });
        self.position += 1;
        let Some(forgotten) = end.and_then(|end| rest.get(..end)).filter(|inner| inner.contains(&b'@')) else {
            return Some(Token::Blank);
        };
        self.position += forgotten.len();
        Some(Token::Angle(forgotten))
    }
}

impl<'a> Iterator for AddressTokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let start = self.position;
        let first = *self.value.get(start)?;
        if first == b'<'
            && self.angles_close
            && let Some(token) = self.before_another_angle()
        {
            return Some(token);
        }
        if let Some(length) = self.enclosed() {
            self.position = start + length + 1;
            let inner = self.value.get(start + 1..start + length).unwrap_or_default();
            return Some(match first {
                b'"' => Token::Quoted(inner),
                b'(' => Token::Comment(inner),
                _ => Token::Angle(inner),
            });
        }
        if self.position > start {
            return None; // what is open where the value was cut
        }
        self.position += 1;
        match first {
            b',' | b';' | b':' => Some(Token::Separator(first)),
            b' ' | b'\t' | b'\r' | b'\n' | b'>' => Some(Token::Blank),
            b'<' => {
                // Never closed: the address goes on to the next separator.
                let rest = self.value.get(self.position..).unwrap_or_default();
                let length = rest.iter().position(|byte| matches!(byte, b',' | b';')).unwrap_or(rest.len());
                self.position += length;
                Some(Token::Angle(rest.get(..length).unwrap_or_default()))
            }
            _ => {
                let mut literal = first == b'['; // in [IPv6:::1] a colon ends no group
                self.position -= 1;
                while let Some(byte) = self.value.get(self.position) {
                    let escaped =
                        escaped_length(self.value.get(self.position..).unwrap_or_default(), &mut self.escapes_close);
                    if escaped > 0 {
                        self.position += escaped;
                        continue;
                    }
                    let ends = match byte {
                        _ if self.position == start => false,
                        b',' | b';' | b' ' | b'\t' | b'\r' | b'\n' | b'<' => true,
                        b':' => !literal,
                        b'"' => self.quotes_close,
                        b'(' => self.comments_close,
                        _ => false,
                    };
                    if ends {
                        break;
                    }
                    literal = literal || *byte == b'[';
                    self.position += 1;
                }
                self.value.get(start..self.position).map(Token::Atom)
            }
        }
    }
}

fn quoted_length(rest: &[u8], escapes_close: &mut bool) -> Option<usize> {
    let mut position = 1;
    loop {
        match rest.get(position)? {
            b'"' => return Some(position),
            b'\\' => position += 2,
            0x1B => position += escaped_length(rest.get(position..)?, escapes_close).max(1),
            _ => position += 1,
        }
    }
}

/// How long what `rest` begins with is up to ASCII, where it is Japanese as it is (ISO-2022-JP): any byte may be half of
/// a character there, a comma or a quote, too.
fn escaped_length(rest: &[u8], escapes_close: &mut bool) -> usize {
    if !*escapes_close || !rest.starts_with(b"\x1b$") {
        return 0;
    }
    let end = memchr::memmem::find(rest, b"\x1b(");
    *escapes_close = end.is_some();
    end.map_or(0, |end| (end + 3).min(rest.len()))
}

fn comment_length(rest: &[u8]) -> Option<usize> {
    let mut depth = 0_u32;
    let mut position = 0;
    loop {
        match rest.get(position)? {
            b'(' => depth += 1,
            b')' if depth == 1 => return Some(position),
            b')' => depth -= 1,
            b'\\' => position += 1,
            _ => {}
        }
        position += 1;
    }
}
