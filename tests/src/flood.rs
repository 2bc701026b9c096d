//! Clients that hold connections to a listener and bring nothing: some say nothing at all, some drip. Whoever is sent
//! away comes again.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// A byte comes so often.
const DRIPS_EVERY: Duration = Duration::from_millis(500);
/// Whoever was sent away comes again after that.
const COMES_AGAIN: Duration = Duration::from_secs(2);

/// What they speak, up to where they drip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// The head of a request.
    Http,
    /// A message.
    Lmtp,
    /// A message.
    Smtp,
}

impl Speech {
    fn begin(self) -> String {
        let mail = "MAIL FROM:<jane@example.com>\r\nRCPT TO:<support@example.org>\r\nDATA\r\nSubject: ";
        match self {
            Self::Http => "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Drip: ".to_owned(),
            Self::Lmtp => format!("LHLO flood.example\r\n{mail}"),
            Self::Smtp => format!("EHLO flood.example\r\n{mail}"),
        }
    }
}

#[derive(Debug, Default)]
struct Counts {
    came: AtomicUsize,
    open: AtomicUsize,
}

/// The clients; gone when it is dropped.
#[derive(Debug)]
pub struct Flood {
    counts: Arc<Counts>,
    runtime: Option<Runtime>,
}

impl Flood {
    /// So many that say nothing, and so many that drip, at a port of this machine.
    ///
    /// # Panics
    /// If there can be no threads.
    pub fn start(port: u16, speech: Speech, idle: usize, dripping: usize) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a thread");
        let counts = Arc::new(Counts::default());
        for number in 0..idle + dripping {
            let counts = Arc::clone(&counts);
            runtime.spawn(async move {
                loop {
                    if let Ok(stream) = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await {
                        counts.came.fetch_add(1, Ordering::Relaxed);
                        counts.open.fetch_add(1, Ordering::Relaxed);
                        hold(stream, (number >= idle).then(|| speech.begin())).await;
                        counts.open.fetch_sub(1, Ordering::Relaxed);
                    }
                    tokio::time::sleep(COMES_AGAIN).await;
                }
            });
        }
        Self { counts, runtime: Some(runtime) }
    }

    /// How often one of them has connected.
    pub fn came(&self) -> usize {
        self.counts.came.load(Ordering::Relaxed)
    }

    /// How many hold a connection now.
    pub fn open(&self) -> usize {
        self.counts.open.load(Ordering::Relaxed)
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Until the other end closes.
async fn hold(mut stream: TcpStream, begin: Option<String>) {
    let (mut reading, mut writing) = stream.split();
    let heard = async {
        let mut bytes = [0; 1_000];
        while !matches!(reading.read(&mut bytes).await, Ok(0) | Err(_)) {}
    };
    let dripping = async {
        let Some(begin) = begin else { return std::future::pending().await };
        if writing.write_all(begin.as_bytes()).await.is_err() {
            return;
        }
        while writing.write_all(b"a").await.is_ok() {
            tokio::time::sleep(DRIPS_EVERY).await;
        }
    };
    tokio::select! {
        () = heard => {}
        () = dripping => {}
    }
}
