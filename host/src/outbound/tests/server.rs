//! An SMTP server that answers as a test wants it.

use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// What the server does instead of what is usual.
#[derive(Debug, Clone)]
pub enum Act {
    /// Answers this.
    Say(&'static str),
    /// Answers this, which need not be UTF-8.
    SayBytes(&'static [u8]),
    /// Closes the connection without an answer.
    Cut,
    /// Closes it without an answer if the connection has carried so many mails.
    CutAfter(u32),
    /// Answers nothing more if the connection has carried so many mails, and keeps it open.
    HangAfter(u32),
    /// Takes so many recipients in a transaction, and answers this to the next ones.
    AtMost(usize, &'static str),
    /// Takes so many recipients in a connection, and answers this to the next ones.
    AtMostInAll(usize, &'static str),
    /// Answers this and closes, if the connection has carried so many mails.
    SayAfter(u32, &'static str),
}

/// What reached the server.
#[derive(Debug, Default)]
pub struct Seen {
    pub connections: usize,
    pub commands: Vec<String>,
    /// Contents that were taken, as they were on the wire.
    pub contents: Vec<String>,
}

/// A running server.
pub struct Server {
    pub port: u16,
    pub seen: Arc<Mutex<Seen>>,
    /// Told of each command.
    told: Arc<Notify>,
}

impl Server {
    /// Acts on the commands that begin with a key (`GREETING` is the beginning, `CONTENT` the first line of the
    /// content, after which the connection ends, `.` the end of the content), as usual on all others.
    pub async fn start(acts: &[(&'static str, Act)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, seen) = (listener.local_addr().unwrap().port(), Arc::new(Mutex::new(Seen::default())));
        let told = Arc::<Notify>::default();
        let (acts, shared, tells) = (acts.to_vec(), Arc::clone(&seen), Arc::clone(&told));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.lock().unwrap().connections += 1;
                tokio::spawn(converse(stream, acts.clone(), Arc::clone(&shared), Arc::clone(&tells)));
            }
        });
        Self { port, seen, told }
    }

    /// The commands that begin with this.
    pub fn commands(&self, beginning: &str) -> Vec<String> {
        self.seen.lock().unwrap().commands.iter().filter(|command| command.starts_with(beginning)).cloned().collect()
    }

    /// Waits until it has heard so many commands that begin with this.
    pub async fn hears(&self, beginning: &str, times: usize) {
        loop {
            let told = self.told.notified();
            if self.commands(beginning).len() >= times {
                return;
            }
            told.await;
        }
    }

    /// What was taken.
    pub fn contents(&self) -> Vec<String> {
        self.seen.lock().unwrap().contents.clone()
    }
}

async fn converse(
    stream: TcpStream,
    acts: Vec<(&'static str, Act)>,
    seen: Arc<Mutex<Seen>>,
    told: Arc<Notify>,
) -> Option<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read);
    let mut carried = 0;
    let (mut named, mut named_in_all) = (0, 0);
    let mut answer = async |command: &str, usual: &str, carried: u32| {
        match command.split(' ').next() {
            Some("MAIL") => named = 0,
            Some("RCPT") => (named, named_in_all) = (named + 1, named_in_all + 1),
            _ => {}
        }
        let act = acts.iter().find(|(beginning, _)| command.starts_with(beginning)).map(|(_, act)| act.clone());
        let said = match act {
            Some(Act::Cut) => return None,
            Some(Act::CutAfter(mails)) if mails == carried => return None,
            Some(Act::HangAfter(mails)) if mails == carried => std::future::pending().await,
            Some(Act::SayAfter(mails, text)) if mails == carried => {
                write.write_all(format!("{text}\r\n").as_bytes()).await.ok()?;
                return None;
            }
            Some(Act::Say(text)) => text.as_bytes(),
            Some(Act::SayBytes(bytes)) => bytes,
            Some(Act::AtMost(most, text)) if named > most => text.as_bytes(),
            Some(Act::AtMostInAll(most, text)) if named_in_all > most => text.as_bytes(),
            Some(Act::AtMost(..) | Act::AtMostInAll(..) | Act::CutAfter(_) | Act::HangAfter(_) | Act::SayAfter(..))
            | None => usual.as_bytes(),
        };
        write.write_all(&[said, b"\r\n"].concat()).await.ok().map(|()| said.starts_with(b"2") || said.starts_with(b"3"))
    };
    answer("GREETING", "220 test ESMTP", carried).await?;
    loop {
        let mut command = String::new();
        if lines.read_line(&mut command).await.ok()? == 0 {
            return None;
        }
        let command = command.trim_end().to_owned();
        seen.lock().unwrap().commands.push(command.clone());
        told.notify_waiters();
        let usual = match command.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => "250-test\r\n250-8BITMIME\r\n250-SIZE 5000000\r\n250 AUTH PLAIN LOGIN",
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            _ => "250 2.0.0 fine",
        };
        if answer(&command, usual, carried).await? && command == "DATA" {
            let mut content = Vec::new();
            if acts.iter().any(|(beginning, _)| *beginning == "CONTENT") {
                lines.read_until(b'\n', &mut content).await.ok()?;
                answer("CONTENT", "", carried).await?;
                return None;
            }
            while !content.ends_with(b"\r\n.\r\n") {
                if lines.read_until(b'\n', &mut content).await.ok()? == 0 {
                    return None;
                }
            }
            seen.lock().unwrap().commands.push(".".to_owned());
            if answer(".", "250 2.0.0 taken as 1", carried).await? {
                carried += 1;
                seen.lock().unwrap().contents.push(String::from_utf8_lossy(&content).into_owned());
            }
        }
    }
}
