//! An SMTP server that answers as a test wants it.

use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What the server does instead of what is usual.
#[derive(Debug, Clone)]
pub enum Act {
    /// Answers this.
    Say(&'static str),
    /// Closes the connection without an answer.
    Cut,
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
}

impl Server {
    /// Acts on the commands that begin with a key (`.` is the end of the content, `GREETING` the beginning), as usual on all others.
    pub async fn start(acts: &[(&'static str, Act)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, seen) = (listener.local_addr().unwrap().port(), Arc::new(Mutex::new(Seen::default())));
        let (acts, shared) = (acts.to_vec(), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.lock().unwrap().connections += 1;
                tokio::spawn(converse(stream, acts.clone(), Arc::clone(&shared)));
            }
        });
        Self { port, seen }
    }

    /// The commands that begin with this.
    pub fn commands(&self, beginning: &str) -> Vec<String> {
        self.seen.lock().unwrap().commands.iter().filter(|command| command.starts_with(beginning)).cloned().collect()
    }

    /// What was taken.
    pub fn contents(&self) -> Vec<String> {
        self.seen.lock().unwrap().contents.clone()
    }
}

async fn converse(stream: TcpStream, acts: Vec<(&'static str, Act)>, seen: Arc<Mutex<Seen>>) -> Option<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read);
    let mut answer = async |command: &str, usual: &str| {
        let act = acts.iter().find(|(beginning, _)| command.starts_with(beginning)).map(|(_, act)| act.clone());
        match act {
            Some(Act::Cut) => None,
            Some(Act::Say(text)) => write.write_all(format!("{text}\r\n").as_bytes()).await.ok().map(|()| text.starts_with(['2', '3'])),
            None => write.write_all(format!("{usual}\r\n").as_bytes()).await.ok().map(|()| true),
        }
    };
    answer("GREETING", "220 test ESMTP").await?;
    loop {
        let mut command = String::new();
        if lines.read_line(&mut command).await.ok()? == 0 {
            return None;
        }
        let command = command.trim_end().to_owned();
        seen.lock().unwrap().commands.push(command.clone());
        let usual = match command.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => "250-test\r\n250-8BITMIME\r\n250-SIZE 100000\r\n250 AUTH PLAIN LOGIN",
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            _ => "250 2.0.0 fine",
        };
        if answer(&command, usual).await? && command == "DATA" {
            let mut content = String::new();
            while !content.ends_with("\r\n.\r\n") {
                if lines.read_line(&mut content).await.ok()? == 0 {
                    return None;
                }
            }
            seen.lock().unwrap().commands.push(".".to_owned());
            if answer(".", "250 2.0.0 taken as 1").await? {
                seen.lock().unwrap().contents.push(content);
            }
        }
    }
}
