//! A signed-in POP3 connection (RFC 1939): commands go out, alone or several at once where the server has PIPELINING
//! (RFC 2449), and every answer is read within bounds.

use super::answer::{self, ErrAnswer, ListingLine, StatusLine};
use super::error::Pop3Error;
use super::listing_lines::ListingLines;
use super::text::DotText;
use postigo_net::Stream;
use postigo_net::redaction::Redactor;
use postigo_net::waiting::waits_for;
use std::collections::BTreeMap;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

/// One read brings at most so many bytes.
const READ_AHEAD: usize = 64 << 10;
/// RFC 1939 allows 512 bytes; a challenge (RFC 5034 section 4) 12 KiB.
const LONGEST_STATUS: usize = 12 << 10;
/// A line of a listing or of CAPA.
const LONGEST_LINE: usize = 12 << 10;
/// The lines of CAPA.
const MOST_CAPABILITIES: usize = 1_000;
/// A listing that goes on after so many lines is not read: it would take some hundred MB.
const MOST_LINES: usize = 1_000_000;
/// After the greatest size so many bytes more are read and thrown away, so that the connection can go on.
const SLACK: u64 = 64 << 20;
/// Deletions that are under way at once.
const PIPELINE: usize = 256;

/// A connection, signed in after [`Self::open`].
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<Stream>,
    capabilities: BTreeMap<String, String>,
    /// What the server said that is no POP3 and that nobody needs, as sentences.
    pub(super) odd: Vec<String>,
    /// What the log tells of how the connection came about: key and value.
    pub facts: Vec<(&'static str, String)>,
}

/// What a message is asked for with; errors of it may be the message's own.
pub const GIVE: &str = "give a message";

/// How many bytes may be kept.
#[derive(Debug, Clone, Copy)]
pub struct KeptLimit {
    /// Of one message.
    pub message: u64,
    /// Of all that are asked for at once.
    pub together: u64,
}

/// What RETR or TOP brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetrieveAnswer {
    /// The bytes, as they were before they got their dots.
    Bytes(Vec<u8>),
    /// More bytes than may be; so many.
    TooLarge(u64),
    /// The server's words.
    Refused(String),
}

impl Connection {
    /// Over a stream of which nothing that was said counts yet.
    pub(super) fn new(stream: Stream, facts: Vec<(&'static str, String)>) -> Self {
        Self {
            stream: BufReader::with_capacity(READ_AHEAD, stream),
            capabilities: BTreeMap::new(),
            odd: Vec::new(),
            facts,
        }
    }

    /// The stream, and the facts so far; none where the server has said more already than it was asked.
    pub(super) fn into_stream(self) -> Option<(Stream, Vec<(&'static str, String)>)> {
        self.stream.buffer().is_empty().then(|| (self.stream.into_inner(), self.facts))
    }

    /// Asks the server for its capabilities (CAPA, RFC 2449); they take the place of those before.
    pub(super) async fn ask_capabilities(&mut self) -> Result<(), Pop3Error> {
        let doing = "tell its capabilities";
        self.capabilities.clear();
        // A server without CAPA (RFC 1939 alone) says no.
        if self.command(doing, "CAPA").await?.is_ok() {
            let mut found = BTreeMap::new();
            self.lines(doing, MOST_CAPABILITIES, |line| {
                let line = String::from_utf8_lossy(line);
                let (name, value) = line.split_once(' ').unwrap_or((&line, ""));
                found.insert(name.to_ascii_uppercase(), value.to_owned());
            })
            .await?;
            self.capabilities = found;
        }
        Ok(())
    }

    /// What takes the secrets out of the server's words.
    pub(super) fn redactor(&self) -> &Redactor {
        self.stream.get_ref().redactor()
    }

    /// Whether the server has a capability, named in capitals.
    pub fn has(&self, capability: &str) -> bool {
        self.capabilities.contains_key(capability)
    }

    /// What stands behind a capability.
    pub fn capability(&self, capability: &str) -> Option<&str> {
        self.capabilities.get(capability).map(String::as_str)
    }

    /// All of them on one line.
    pub(super) fn capabilities(&self) -> String {
        let capabilities =
            self.capabilities.iter().map(|(name, value)| format!("{name} {value}").trim_end().to_owned());
        capabilities.collect::<Vec<_>>().join(", ")
    }

    /// How many messages there are.
    pub async fn count(&mut self) -> Result<u32, Pop3Error> {
        let doing = "count the messages";
        let words = self.command(doing, "STAT").await?.map_err(|refusal| Pop3Error::refused(doing, refusal))?;
        let odd =
            || Pop3Error::lost(doing, format!("it answered: {}", answer::said(words.as_bytes(), self.redactor())));
        let (count, _) = answer::two_numbers(words.trim().as_bytes()).ok_or_else(odd)?;
        Ok(count)
    }

    /// The size of each of `count` messages in bytes, by its number; 0 where none is told: it is seen when the message
    /// comes.
    pub async fn sizes(&mut self, count: u32) -> Result<BTreeMap<u32, u64>, Pop3Error> {
        let doing = "list the messages";
        self.command(doing, "LIST").await?.map_err(|refusal| Pop3Error::refused(doing, refusal))?;
        let listed = self.listing(doing, count, answer::number_and_size).await?;
        Ok(listed.into_iter().map(|(number, size)| (number, size.unwrap_or(0))).collect())
    }

    /// Whether the server tells the unique-id of the first message.
    pub async fn has_uidls(&mut self) -> Result<bool, Pop3Error> {
        Ok(self.command("tell a unique-id", "UIDL 1").await?.is_ok())
    }

    /// The unique-id of each of `count` messages, by its number; nothing where the server has no UIDL.
    pub async fn uidls(&mut self, count: u32) -> Result<Option<BTreeMap<u32, Option<String>>>, Pop3Error> {
        let doing = "list the unique-ids";
        if self.command(doing, "UIDL").await?.is_err() {
            return Ok(None);
        }
        Ok(Some(self.listing(doing, count, answer::number_and_uidl).await?))
    }

    /// Lines that nobody needs are left out and told: where all messages are listed, the others say nothing of one.
    async fn listing<T: PartialEq>(
        &mut self,
        doing: &'static str,
        count: u32,
        read: impl Fn(&[u8]) -> Option<ListingLine<T>>,
    ) -> Result<BTreeMap<u32, Option<T>>, Pop3Error> {
        let (mut lines, redactor) = (ListingLines::new(count), self.redactor().clone());
        self.lines(doing, MOST_LINES, |line| lines.take(read(line), || answer::said(line, &redactor))).await?;
        let (listed, odd) = lines.put_together();
        let Some(line) = odd else { return Ok(listed) };
        if listed.len() < count as usize {
            return Err(Pop3Error::lost(doing, format!("it listed: {line}")));
        }
        self.odd.push(format!("The server was to {doing} and said what belongs to none; it was left out: {line}"));
        Ok(listed)
    }

    /// Fetches messages by number, several at once where the server can. `each` has those that came, in their order,
    /// even if the connection is lost then. Of a message with more bytes than may be kept only the length is told.
    pub async fn retrieve(
        &mut self,
        numbers: &[u32],
        most: KeptLimit,
        mut each: impl FnMut(RetrieveAnswer),
    ) -> Result<(), Pop3Error> {
        let mut left = most.together;
        for group in numbers.chunks(self.ahead(numbers.len())) {
            let commands: String = group.iter().map(|number| format!("RETR {number}\r\n")).collect();
            self.send(GIVE, &commands).await?;
            for _ in group {
                let retrieved = self.text(GIVE, most.message.min(left)).await?;
                if let RetrieveAnswer::Bytes(bytes) = &retrieved {
                    left = left.saturating_sub(bytes.len() as u64);
                }
                each(retrieved);
            }
        }
        Ok(())
    }

    /// The header of a message (TOP, which servers may lack).
    pub async fn header(&mut self, number: u32) -> Result<RetrieveAnswer, Pop3Error> {
        let doing = "give a message's header";
        self.send(doing, &format!("TOP {number} 0\r\n")).await?;
        self.text(doing, 1 << 20).await
    }

    /// Marks messages as deleted; QUIT deletes them. Which the server refused, by their numbers.
    pub async fn delete(&mut self, numbers: &[u32]) -> Result<Vec<(u32, ErrAnswer)>, Pop3Error> {
        let doing = "delete messages";
        let mut refused = Vec::new();
        for group in numbers.chunks(self.ahead(PIPELINE)) {
            let commands: String = group.iter().map(|number| format!("DELE {number}\r\n")).collect();
            self.send(doing, &commands).await?;
            for number in group {
                if let Err(refusal) = self.answer(doing).await? {
                    refused.push((*number, refusal));
                }
            }
        }
        Ok(refused)
    }

    /// Ends the session: only now what was marked is deleted (RFC 1939 section 6).
    pub async fn quit(&mut self) -> Result<(), Pop3Error> {
        let doing = "end the session";
        self.command(doing, "QUIT").await?.map_err(|refusal| Pop3Error::refused(doing, refusal))?;
        // The answer counts; how the connection ends does not.
        let _ = self.stream.shutdown().await;
        Ok(())
    }

    /// How many commands may be under way.
    fn ahead(&self, wish: usize) -> usize {
        if self.has("PIPELINING") { wish.max(1) } else { 1 }
    }

    /// Sends a command and reads its status line.
    pub(super) async fn command(
        &mut self,
        doing: &'static str,
        text: &str,
    ) -> Result<Result<String, ErrAnswer>, Pop3Error> {
        self.send(doing, &format!("{text}\r\n")).await?;
        self.answer(doing).await
    }

    pub(super) async fn send(&mut self, doing: &'static str, bytes: &str) -> Result<(), Pop3Error> {
        tracing::trace!(doing, "commanded");
        waits_for(|| format!("the server to {doing}"));
        let sent = async {
            self.stream.write_all(bytes.as_bytes()).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|error| Pop3Error::lost(doing, error))
    }

    /// A status line, whichever it is.
    pub(super) async fn status(&mut self, doing: &'static str) -> Result<StatusLine, Pop3Error> {
        let mut line = Vec::new();
        self.line(doing, LONGEST_STATUS, &mut line).await?;
        let redactor = self.redactor();
        answer::status(&line, redactor).ok_or_else(|| {
            Pop3Error::lost(doing, format!("what it says is no POP3: {}", answer::said(&line, redactor)))
        })
    }

    async fn answer(&mut self, doing: &'static str) -> Result<Result<String, ErrAnswer>, Pop3Error> {
        match self.status(doing).await? {
            StatusLine::Ok(words) => Ok(Ok(words)),
            StatusLine::Refused(refusal) => Ok(Err(refusal)),
            StatusLine::Challenge(_) => Err(Pop3Error::lost(doing, "it asked for something that nobody had begun")),
        }
    }

    /// The words of an answer that is to be OK.
    pub(super) async fn expect(&mut self, doing: &'static str) -> Result<String, Pop3Error> {
        self.answer(doing).await?.map_err(|refusal| Pop3Error::refused(doing, refusal))
    }

    /// Reads a line without its line break.
    async fn line(&mut self, doing: &'static str, most: usize, line: &mut Vec<u8>) -> Result<(), Pop3Error> {
        line.clear();
        loop {
            let bytes = self.stream.fill_buf().await.map_err(|error| Pop3Error::lost(doing, error))?;
            if bytes.is_empty() {
                return Err(Pop3Error::lost(doing, "it closed the connection"));
            }
            let end = memchr::memchr(b'\n', bytes);
            let part = end.and_then(|end| bytes.get(..end)).unwrap_or(bytes);
            if line.len() + part.len() > most {
                return Err(Pop3Error::lost(doing, format!("it sent a line of more than {most} bytes")));
            }
            line.extend_from_slice(part);
            let used = part.len() + usize::from(end.is_some());
            self.stream.consume(used);
            if end.is_some() {
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(());
            }
        }
    }

    /// Reads lines up to a lone dot.
    async fn lines(&mut self, doing: &'static str, most: usize, mut each: impl FnMut(&[u8])) -> Result<(), Pop3Error> {
        let mut line = Vec::new();
        for _ in 0..=most {
            self.line(doing, LONGEST_LINE, &mut line).await?;
            match line.strip_prefix(b".") {
                Some([]) => return Ok(()),
                Some(stuffed) => each(stuffed),
                None => each(&line),
            }
        }
        Err(Pop3Error::lost(doing, format!("it sent more than {most} lines")))
    }

    /// Reads a status line and the text that follows an OK.
    async fn text(&mut self, doing: &'static str, most: u64) -> Result<RetrieveAnswer, Pop3Error> {
        if let Err(refusal) = self.answer(doing).await? {
            return Ok(RetrieveAnswer::Refused(refusal.text));
        }
        let mut text = DotText::new(most);
        while !text.is_ended() {
            let bytes = self.stream.fill_buf().await.map_err(|error| Pop3Error::lost(doing, error))?;
            if bytes.is_empty() {
                return Err(Pop3Error::lost(doing, "it closed the connection"));
            }
            let used = text.feed(bytes);
            self.stream.consume(used);
            if text.len() > most.saturating_add(SLACK) {
                return Err(Pop3Error::lost(doing, format!("it sent a message of more than {} bytes", text.len())));
            }
        }
        Ok(text.into_bytes().map_or_else(RetrieveAnswer::TooLarge, RetrieveAnswer::Bytes))
    }
}
