//! Servers that refuse every sign-in and repeat what they were told, in several forms: in their refusal, and in the
//! greeting of the next connection.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::{BufRead, BufReader, Read as _, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// How a server repeats what it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Word for word.
    AsSent,
    /// What was in base64, decoded.
    Decoded,
    /// With backslashes, as a string of JSON or IMAP, and as a list of bytes.
    Escaped,
    /// In two pieces, over two lines where the protocol has them.
    Torn,
    /// In what is none of the protocol.
    Garbled,
    /// Each byte in hexadecimal digits, escaped and as a dump.
    Hexadecimal,
    /// As lists of numbers, octal and decimal.
    Numbers,
    /// Each byte as in an address, and each letter as in HTML.
    Percent,
    /// In base64, over what was in base64 before.
    Nested,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::AsSent,
        Self::Decoded,
        Self::Escaped,
        Self::Torn,
        Self::Garbled,
        Self::Hexadecimal,
        Self::Numbers,
        Self::Percent,
        Self::Nested,
    ];
}

/// What it speaks, and the one way of signing in that it offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// IMAP's LOGIN.
    ImapLogin,
    /// IMAP's AUTHENTICATE with this mechanism.
    Imap(&'static str),
    /// POP3's USER and PASS.
    Pop3User,
    /// POP3's AUTH with this mechanism.
    Pop3(&'static str),
    /// SMTP's AUTH with this mechanism.
    Smtp(&'static str),
    /// An OAuth2 provider's token address.
    Http,
}

/// A running server, until the process ends.
pub struct Parrot {
    /// On the loopback address.
    pub port: u16,
    said: Arc<Mutex<Vec<String>>>,
}

impl Parrot {
    /// Starts one.
    ///
    /// # Panics
    /// If there is no free port.
    pub fn start(way: Way, form: Form) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let said = Arc::<Mutex<Vec<String>>>::default();
        let shared = Arc::clone(&said);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // A client that goes away ends its own connection only.
                let _ = converse(way, form, stream, &shared);
            }
        });
        Self { port, said }
    }

    /// What it has said that repeats something.
    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A provider that gives everybody this access token, until the process ends; its port.
///
/// # Panics
/// If there is no free port.
pub fn generous_provider(token: &'static str) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            if request(&stream).is_ok() {
                let _ = answer(
                    &mut stream,
                    "200 OK",
                    &serde_json::json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600 })
                        .to_string(),
                );
            }
        }
    });
    port
}

fn converse(way: Way, form: Form, mut stream: TcpStream, said: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let earlier = said.lock().unwrap_or_else(PoisonError::into_inner).last().cloned().unwrap_or_default();
    let told = match way {
        Way::Http => request(&stream)?,
        _ => sign_in(way, &mut stream, &earlier)?,
    };
    let repeated = repeat(form, &told);
    said.lock().unwrap_or_else(PoisonError::into_inner).push(repeated.join(" "));
    match way {
        Way::ImapLogin | Way::Imap(_) => {
            let tag = told.first().and_then(|line| line.split(' ').next()).unwrap_or_default();
            match form {
                Form::Garbled => write!(stream, "* \u{1} {}\r\n", repeated.join(" "))?,
                _ => write!(stream, "{tag} NO [AUTHENTICATIONFAILED] you said {}\r\n", repeated.join("  "))?,
            }
        }
        Way::Pop3User | Way::Pop3(_) => match form {
            Form::Garbled => write!(stream, "what? {}\r\n", repeated.join(" "))?,
            _ => write!(stream, "-ERR you said {}\r\n", repeated.join("  "))?,
        },
        Way::Smtp(_) => match form {
            Form::Garbled => write!(stream, "535-you said {}\r\nnonsense\r\n", repeated.join("\r\n535-"))?,
            _ => write!(stream, "535-5.7.8 you said\r\n535-{}\r\n535 so\r\n", repeated.join("\r\n535-"))?,
        },
        Way::Http if form == Form::Garbled => {
            answer(&mut stream, "500 Oh", &format!("<html>{}</html>", repeated.join(" ")))?;
        }
        Way::Http => {
            let said = format!("you said {}", repeated.join("\r\n"));
            let document = serde_json::json!({ "error": "invalid_client", "error_description": said });
            answer(&mut stream, "401 No", &document.to_string())?;
        }
    }
    stream.flush()
}

/// Lets a client sign in; gives the lines that it said for that.
fn sign_in(way: Way, stream: &mut TcpStream, earlier: &str) -> std::io::Result<Vec<String>> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let mut next = || lines.next().unwrap_or_else(|| Err(std::io::ErrorKind::UnexpectedEof.into()));
    let earlier = earlier.replace(['\r', '\n'], " ");
    match way {
        Way::ImapLogin | Way::Imap(_) => {
            write!(stream, "* OK ready, last time: {earlier}\r\n")?;
            loop {
                let line = next()?;
                let (tag, command) = line.split_once(' ').unwrap_or_default();
                match command.split(' ').next().unwrap_or_default() {
                    "LOGIN" => return Ok(vec![line]),
                    "AUTHENTICATE" => {
                        let mut told = vec![line];
                        for _ in 0..steps(way) {
                            stream.write_all(b"+ \r\n")?;
                            told.push(next()?);
                        }
                        return Ok(told);
                    }
                    _ => {
                        let offer = if let Way::Imap(mechanism) = way {
                            format!("LOGINDISABLED AUTH={mechanism}")
                        } else {
                            String::new()
                        };
                        write!(stream, "* CAPABILITY IMAP4rev1 {offer}\r\n{tag} OK done\r\n")?;
                    }
                }
            }
        }
        Way::Pop3User | Way::Pop3(_) => {
            write!(stream, "+OK ready, last time: {earlier}\r\n")?;
            let mut told = Vec::new();
            loop {
                let line = next()?;
                match line.split(' ').next().unwrap_or_default() {
                    "USER" => {
                        told.push(line);
                        stream.write_all(b"+OK\r\n")?;
                    }
                    "PASS" => {
                        told.push(line);
                        return Ok(told);
                    }
                    "AUTH" => {
                        told.push(line);
                        for _ in 0..steps(way) {
                            stream.write_all(b"+ \r\n")?;
                            told.push(next()?);
                        }
                        return Ok(told);
                    }
                    _ => {
                        let offer = if let Way::Pop3(mechanism) = way {
                            format!("SASL {mechanism}")
                        } else {
                            "USER".to_owned()
                        };
                        write!(stream, "+OK\r\n{offer}\r\n.\r\n")?;
                    }
                }
            }
        }
        Way::Smtp(mechanism) => {
            write!(stream, "220 test ESMTP, last time: {earlier}\r\n")?;
            loop {
                let line = next()?;
                if !line.starts_with("AUTH") {
                    write!(stream, "250-test\r\n250 AUTH {mechanism}\r\n")?;
                    continue;
                }
                let mut told = vec![line];
                let asked = if mechanism == "LOGIN" { 2 } else { 0 };
                for _ in 0..asked {
                    stream.write_all(b"334 VXNlcm5hbWU6\r\n")?;
                    told.push(next()?);
                }
                return Ok(told);
            }
        }
        Way::Http => Ok(Vec::new()),
    }
}

/// How many answers a mechanism has.
fn steps(way: Way) -> usize {
    if matches!(way, Way::Imap("LOGIN") | Way::Pop3("LOGIN")) { 2 } else { 1 }
}

/// The head's credentials and the body of a request.
fn request(stream: &TcpStream) -> std::io::Result<Vec<String>> {
    let mut reader = BufReader::new(stream);
    let (mut told, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap_or(0),
            "authorization" => told.push(value.to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    told.push(String::from_utf8_lossy(&body).into_owned());
    Ok(told)
}

fn answer(stream: &mut TcpStream, status: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// What was told, in pieces that go on lines of their own where the protocol has several.
fn repeat(form: Form, told: &[String]) -> Vec<String> {
    let words = || told.iter().flat_map(|line| line.split([' ', '&', '=']));
    let decoded: Vec<String> = words()
        .filter_map(|word| STANDARD.decode(format!("{word}{}", "=".repeat((4 - word.len() % 4) % 4))).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).replace(char::is_control, " "))
        .collect();
    let all = told.join(" ");
    let longest = |between: &[char]| all.split(between).max_by_key(|word| word.len()).unwrap_or_default().to_owned();
    // What is repeated in a form of the server's own is the end of the secret's word, in which the secret stands: of
    // more, a sentence would be cut before it came to that.
    let named = all.split('&').find(|word| word.starts_with("client_secret=")).map(str::to_owned);
    let word = named.unwrap_or_else(|| longest(&[' ', '&']));
    let word = word.get(word.len().saturating_sub(56)..).unwrap_or(&word).to_owned();
    match form {
        Form::AsSent | Form::Garbled => vec![all],
        Form::Decoded => vec![format!("{} {all}", decoded.join(" "))],
        Form::Escaped => vec![format!("{all:?} {} {:?}", serde_json::json!(decoded), all.as_bytes())],
        Form::Torn => {
            let longest = longest(&[' ']);
            let place = all.find(&longest).unwrap_or_default() + longest.floor_char_boundary(longest.len() / 2);
            vec![all[..place].to_owned(), all[place..].to_owned()]
        }
        Form::Hexadecimal => {
            vec![bytes(&word, "", |byte| format!("\\x{byte:02x}")), bytes(&word, ":", |byte| format!("{byte:02X}"))]
        }
        Form::Numbers => {
            vec![bytes(&word, " ", |byte| format!("{byte:o}")), bytes(&word, ", ", |byte| byte.to_string())]
        }
        Form::Percent => {
            vec![bytes(&word, "", |byte| format!("%{byte:02x}")), bytes(&word, "", |byte| format!("&#{byte};"))]
        }
        Form::Nested => vec![STANDARD.encode(word)],
    }
}

/// Each byte of a text in a format, with something between them.
fn bytes(text: &str, between: &str, format: fn(u8) -> String) -> String {
    text.bytes().map(format).collect::<Vec<_>>().join(between)
}
