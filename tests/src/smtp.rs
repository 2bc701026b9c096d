//! A client of SMTP and LMTP that expects to be obeyed.

use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpStream;

/// A connection after its greeting.
pub struct Client {
    stream: BufReader<TcpStream>,
    /// In LMTP each recipient is answered after the data.
    answers_each: bool,
}

impl Client {
    /// Speaks SMTP with the server on this port of 127.0.0.1.
    ///
    /// # Panics
    /// If nobody listens, or not kindly.
    pub fn smtp(port: u16) -> Self {
        Self::connect(port, "EHLO", false)
    }

    /// Speaks LMTP with the server on this port of 127.0.0.1.
    ///
    /// # Panics
    /// If nobody listens, or not kindly.
    pub fn lmtp(port: u16) -> Self {
        Self::connect(port, "LHLO", true)
    }

    fn connect(port: u16, hello: &str, answers_each: bool) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket");
        let mut client = Self { stream: BufReader::new(stream), answers_each };
        client.hear('2');
        client.say(format!("{hello} client.example.com\r\n").as_bytes(), '2');
        client
    }

    /// Hands a mail over; when this returns the server is responsible for it.
    ///
    /// # Panics
    /// If the server refuses it.
    pub fn send(&mut self, sender: &str, recipients: &[&str], mail: &[u8]) {
        let utf8 = if sender.is_ascii() && recipients.iter().all(|address| address.is_ascii()) { "" } else { " SMTPUTF8" };
        self.say(format!("MAIL FROM:<{sender}> BODY=8BITMIME{utf8}\r\n").as_bytes(), '2');
        for recipient in recipients {
            self.say(format!("RCPT TO:<{recipient}>\r\n").as_bytes(), '2');
        }
        self.say(b"DATA\r\n", '3');
        self.say(&stuffed(mail), '2');
        let further = if self.answers_each { recipients.len().saturating_sub(1) } else { 0 };
        (0..further).for_each(|_| self.hear('2'));
    }

    /// Ends the connection.
    ///
    /// # Panics
    /// If the server does not say farewell.
    pub fn quit(mut self) {
        self.say(b"QUIT\r\n", '2');
    }

    fn say(&mut self, bytes: &[u8], expected: char) {
        self.stream.get_mut().write_all(bytes).expect("the server reads");
        self.hear(expected);
    }

    fn hear(&mut self, expected: char) {
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).expect("the server answers");
            assert!(line.starts_with(expected), "the server answered: {line}");
            if line.as_bytes().get(3) != Some(&b'-') {
                return;
            }
        }
    }
}

/// A mail with CRLF and doubled leading dots, and the dot that ends it.
fn stuffed(mail: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(mail.len() + 64);
    for line in mail.strip_suffix(b"\n").unwrap_or(mail).split(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            bytes.push(b'.');
        }
        bytes.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b".\r\n");
    bytes
}
