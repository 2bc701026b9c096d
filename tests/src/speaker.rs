//! A client that speaks LMTP or SMTP line by line and hears every answer, as a person by telnet.

use super::gate::PATIENCE;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// A connected client.
pub struct Speaker(BufReader<TcpStream>);

impl Speaker {
    /// Connects and hears the greeting.
    ///
    /// # Panics
    /// If nobody listens, or nothing is said.
    pub fn connect(port: u16) -> (Self, String) {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out above 0");
        // What is said goes out at once, as mail servers send it, and not when the other side's kernel has acknowledged
        // the words before.
        stream.set_nodelay(true).expect("a TCP stream");
        let mut speaker = Self(BufReader::new(stream));
        let greeting = speaker.hear();
        (speaker, greeting)
    }

    /// Says something and hears the answer.
    ///
    /// # Panics
    /// If there is none.
    pub fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes());
        self.hear()
    }

    /// Sends bytes and hears nothing.
    ///
    /// # Panics
    /// If the connection is closed.
    pub fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).expect("the server reads");
    }

    /// Hears one answer, all its lines.
    ///
    /// # Panics
    /// If none comes.
    pub fn hear(&mut self) -> String {
        let mut answer = String::new();
        loop {
            let start = answer.len();
            self.0.read_line(&mut answer).expect("an answer");
            if answer.as_bytes().get(start + 3) != Some(&b'-') {
                return answer;
            }
        }
    }

    /// All that is said until the server closes the connection.
    ///
    /// # Panics
    /// If it does not.
    pub fn hear_out(mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).expect("the server closes the connection");
        rest
    }
}
