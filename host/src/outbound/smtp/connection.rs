//! Commands and their answers over a stream (RFC 5321 section 4.2).
//!
//! lettre speaks SMTP too, but wants a mail's content as one iterator in memory, refuses answers that servers do give
//! (no UTF-8, codes that no standard names, a code alone), and waits for every answer equally long; its commands are
//! used, its connection is not.

use super::error::NegativeReply;
use super::response::{self, Response, said};
use postigo_model::configured::Tls;
use postigo_net::Stream;
use postigo_net::redaction::Redactor;
use postigo_net::tls::TlsError;
use std::fmt::Display;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// An answer of more bytes is none.
const LONGEST_ANSWER: usize = 64 << 10;
/// After the content a server may take so many times longer (RFC 5321 section 4.5.3.2: 10 minutes in place of 5): it
/// delivers, or scans.
const PATIENCE_AFTER_CONTENT: u32 = 2;
/// A server that ended the connection has given its reason before, if it has given one.
const PATIENCE_AFTER_BREAK: Duration = Duration::from_secs(5);

/// A stream to a server that speaks SMTP.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    /// An answer is there in this time.
    timeout: Duration,
}

impl Connection {
    /// Over a stream whose reads and writes end after `timeout`.
    pub fn new(stream: Stream, timeout: Duration) -> Self {
        Self { stream, timeout }
    }

    /// What takes the secrets out of the server's words.
    pub fn redactor(&self) -> &Redactor {
        self.stream.redactor()
    }

    /// Agrees on TLS; says with which version and cipher suite. Nothing was read ahead in clear.
    pub async fn secure(self, host: &str, tls: &Tls) -> Result<(Self, String), TlsError> {
        let (stream, agreed) = self.stream.secure(host, tls).await?;
        Ok((Self { stream, ..self }, agreed))
    }

    /// Reads ahead from now on: no TLS begins any more.
    pub fn read_ahead(self) -> Self {
        Self { stream: self.stream.read_ahead(), ..self }
    }

    /// Says a command (its CRLF is in it) and gives the answer, if it is positive.
    pub async fn command(&mut self, command: impl Display) -> Result<Response, NegativeReply> {
        self.write(command.to_string().as_bytes()).await?;
        self.answer().await
    }

    /// Writes bytes as they are.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), NegativeReply> {
        let written = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        written.await.map_err(|error| broken(&error))
    }

    /// The next answer, if it is positive.
    pub async fn answer(&mut self) -> Result<Response, NegativeReply> {
        self.answer_within(self.timeout).await
    }

    /// The answer to a mail's content.
    pub async fn answer_to_content(&mut self) -> Result<Response, NegativeReply> {
        self.answer_within(self.timeout.saturating_mul(PATIENCE_AFTER_CONTENT)).await
    }

    /// What the server said before it took no more bytes, if that is a refusal.
    pub async fn refusal(&mut self) -> Option<NegativeReply> {
        let answered = self.answer_within(self.timeout.min(PATIENCE_AFTER_BREAK)).await;
        answered.err().filter(|answer| !matches!(answer, NegativeReply::Broken(_)))
    }

    async fn answer_within(&mut self, timeout: Duration) -> Result<Response, NegativeReply> {
        // Reads end a little later than the whole answer must be there: one clock decides, and a server that drips does
        // not stretch it.
        self.stream.set_timeout(timeout.saturating_add(Duration::from_secs(1)));
        let bytes = tokio::time::timeout(timeout, read(&mut self.stream)).await;
        self.stream.set_timeout(self.timeout);
        match bytes {
            Ok(Ok(bytes)) => parse(&bytes, self.redactor()),
            Ok(Err(error)) => Err(broken(&error)),
            Err(_) => Err(NegativeReply::Broken(format!(
                "the connection broke: the server did not answer within {} s",
                timeout.as_secs_f32()
            ))),
        }
    }
}

/// One whole answer and not a byte more: what follows it, in clear, is not to be trusted once TLS begins.
async fn read(stream: &mut Stream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut line = 0;
    loop {
        let byte = stream.read_u8().await?;
        bytes.push(byte);
        if byte == b'\n' {
            let said = bytes.get(line..).unwrap_or_default();
            // Within an answer some servers break their lines as they like.
            let goes_on = line > 0 && !response::has_code(said);
            if !goes_on && said.get(3) != Some(&b'-') {
                return Ok(bytes);
            }
            line = bytes.len();
        }
        if bytes.len() > LONGEST_ANSWER {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the server's answer does not end"));
        }
    }
}

fn parse(bytes: &[u8], redactor: &Redactor) -> Result<Response, NegativeReply> {
    let Some(response) = Response::read(bytes, redactor) else {
        let text = String::from_utf8_lossy(bytes);
        // Of the lines that are in order the words alone: codes would stand within a secret that goes over several
        // lines.
        let words = text
            .lines()
            .map(|line| line.split_once('-').filter(|(code, _)| code.len() == 3).map_or(line, |(_, words)| words));
        return Err(NegativeReply::Broken(format!(
            "{:?} is no answer of SMTP",
            said(&words.collect::<Vec<_>>().join(" "), redactor)
        )));
    };
    if response.is_positive() { Ok(response) } else { Err(NegativeReply::negative(&response)) }
}

fn broken(error: &io::Error) -> NegativeReply {
    let why = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the server closed it".to_owned(),
        _ => error.to_string(),
    };
    NegativeReply::Broken(format!("the connection broke: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_is_its_code_whatever_its_words_are() {
        for (answer, expected) in [
            (&b"250 2.0.0 Nachricht \xfcbernommen\r\n"[..], Ok("250 2.0.0 Nachricht \u{fffd}bernommen")),
            (b"250-a\r\n250 b\r\n", Ok("250 a b")),
            (b"250 bare line end\n", Ok("250 bare line end")),
            (b"450 4.2.0 gro\xdf\r\n", Err(NegativeReply::Later { code: 450, words: "450 4.2.0 gro\u{fffd}".into() })),
            (b"550 no\r\n", Err(NegativeReply::Refused("550 no".into()))),
            (b"571 no\r\n", Err(NegativeReply::Refused("571 no".into()))),
            (b"250\r\n", Ok("250")),
            (b"220-wel\x01come\r\n to us\r\n\r\n-\r\n220 mx\xff\r\n", Ok("220 wel come to us - mx\u{fffd}")),
            (b"550-5.1.1\r\nno such user\r\n550\r\n", Err(NegativeReply::Refused("550 5.1.1 no such user".into()))),
        ] {
            let mut connection =
                Connection::new(Stream::over(io::Cursor::new(answer.to_vec())), Duration::from_secs(5));
            assert_eq!(connection.answer().await.map(|response| response.words()), expected.map(str::to_owned));
        }
    }

    #[tokio::test]
    async fn what_is_no_answer_breaks_the_connection() {
        let endless = vec![b'x'; LONGEST_ANSWER + 2];
        for (said, why) in [
            (&b"HTTP/1.1 400 Bad Request\r\n"[..], "is no answer of SMTP"),
            (b"250 x", "closed it"),
            (&endless, "does not end"),
        ] {
            let mut connection = Connection::new(Stream::over(io::Cursor::new(said.to_vec())), Duration::from_secs(5));
            let answer = connection.answer().await.unwrap_err();
            assert!(matches!(&answer, NegativeReply::Broken(words) if words.contains(why)), "{answer:?}");
        }
    }

    #[tokio::test]
    async fn a_server_that_drips_has_no_more_time_than_one_that_is_silent() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let dripping = tokio::spawn(async move {
            while theirs.write_all(b"2").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        let mut connection = Connection::new(Stream::over(ours), Duration::from_millis(150));
        let began = std::time::Instant::now();
        let answer = connection.answer_to_content().await.unwrap_err();
        assert!(matches!(&answer, NegativeReply::Broken(words) if words.contains("within 0.3 s")), "{answer:?}");
        assert!(began.elapsed() >= Duration::from_millis(300), "after the content it waits longer");
        dripping.abort();
    }
}
