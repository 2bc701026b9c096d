//! An IMAP server of one message, whose answers a test chooses.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// An answer that the library's parser panics on: a value (RFC 5464) that is no UTF-8.
pub const BREAKS_THE_PARSER: &[u8] = b"* METADATA \"INBOX\" (/private/comment \"\xff\")\r\n";

/// The same, and that there is a second message.
pub const BREAKS_THE_PARSER_AND_TELLS: &[u8] = b"* METADATA \"INBOX\" (/private/comment \"\xff\")\r\n* 2 EXISTS\r\n";

/// What it answers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Answers {
    /// To the question which messages there are, before the rest of its answer.
    pub list: &'static [u8],
    /// To the first IDLE.
    pub idle: &'static [u8],
}

/// A server that runs until the test ends.
pub struct Server {
    pub port: u16,
    waits: Arc<AtomicU32>,
}

impl Server {
    pub async fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers = Arc::new(Mutex::new(answers));
        let waits = Arc::default();
        let counted = Arc::clone(&waits);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&answers), Arc::clone(&counted)));
            }
        });
        Self { port, waits }
    }

    /// How often it was waited on.
    pub fn waits(&self) -> u32 {
        self.waits.load(Ordering::Relaxed)
    }
}

async fn converse(stream: TcpStream, answers: Arc<Mutex<Answers>>, waits: Arc<AtomicU32>) -> std::io::Result<()> {
    let mail = "Message-ID: <1@x.test>\r\nSubject: one\r\n\r\nHello\r\n";
    let mut stream = BufReader::new(stream);
    stream.write_all(b"* OK ready\r\n").await?;
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let command = line.trim_end().to_owned();
        line.clear();
        let (tag, command) = command.split_once(' ').unwrap_or((command.as_str(), ""));
        let mut answer = String::new();
        match command.split(' ').next().unwrap_or_default() {
            "CAPABILITY" => answer.push_str("* CAPABILITY IMAP4rev1 UIDPLUS IDLE\r\n"),
            "SELECT" => answer.push_str("* 1 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n"),
            "UID" if command.contains("RFC822.SIZE") => {
                let (list, size) = (answers.lock().unwrap().list, mail.len());
                stream.write_all(list).await?;
                let date = "INTERNALDATE \" 1-Nov-2026 10:00:00 +0000\"";
                answer = format!("* 1 FETCH (UID 1 RFC822.SIZE {size} {date} FLAGS ())\r\n");
            }
            "UID" if command.contains("BODY.PEEK[]") => {
                answer = format!("* 1 FETCH (UID 1 BODY[] {{{}}}\r\n{mail})\r\n", mail.len());
            }
            "IDLE" => {
                waits.fetch_add(1, Ordering::Relaxed);
                let told = std::mem::take(&mut answers.lock().unwrap().idle);
                stream.write_all(&[b"+ idling\r\n", told].concat()).await?;
                // Until DONE.
                stream.read_line(&mut line).await?;
                line.clear();
            }
            _ => {}
        }
        stream.write_all(format!("{answer}{tag} OK done\r\n").as_bytes()).await?;
    }
    Ok(())
}
