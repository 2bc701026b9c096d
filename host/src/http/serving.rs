//! The REST listener: connections come in, each has a place, and every wait for a client has an end.

use super::paced::{ANSWERS, PaceState, PacedStream};
use super::problem::{self, Problem, ProblemKind};
use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, Response, StatusCode, header};
use axum::response::IntoResponse as _;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use postigo_net::listen::{Acceptance, ClientPlace, Origin, Places, ServedClient};
use postigo_supervision::{WorkKind, caught};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// A request's head has at most so many header lines, …
const MOST_HEADERS: usize = 100;
/// … and bytes.
const LARGEST_HEAD: usize = 32 << 10;
/// Bytes of a connection that are read or written ahead.
const BUFFER: usize = 64 << 10;
/// Requests under way at the listener's end have so long; then their clients are left, so that one which drips does not
/// keep the daemon.
const ENDS_WITHIN: Duration = Duration::from_secs(10);
/// A client that is turned away has so long to listen to why, …
const TURNED_AWAY_WITHIN: Duration = Duration::from_secs(2);
/// … and of more than so many at once nobody is told.
const TURNED_AWAY_AT_ONCE: usize = 16;
/// What a client is told for which there is no place.
const TURNED_AWAY: &str = "All connections that a client may have here are taken; try again.";

/// What the listener works with.
#[derive(Debug)]
pub struct Doors {
    /// Places for its clients.
    pub places: Arc<Places>,
    /// How accepting them goes.
    pub acceptance: Acceptance,
    /// A client that brings no whole head of a request within this time, the first or the next, is gone.
    pub head: Duration,
}

/// Serves the router until `stop`, then finishes the requests under way, as far as they do not last.
pub async fn serve(listener: TcpListener, router: Router, mut doors: Doors, stop: CancellationToken) {
    let turning_away = Arc::new(Semaphore::new(TURNED_AWAY_AT_ONCE));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        let (stream, peer) = match accepted {
            Ok(client) => client,
            Err(error) => {
                tokio::time::sleep(doors.acceptance.failed(&error)).await;
                continue;
            }
        };
        doors.acceptance.succeeded();
        // A client whose admission or connection panics loses it: those who are served know nothing of it.
        let Ok(admitted) = caught(WorkKind::Request, "", doors.places.admit(Origin::of(Some(peer.ip()), false))).await
        else {
            continue;
        };
        match admitted {
            Ok(place) => {
                let conversation = converse(stream, router.clone(), Arc::new(place), doors.head, stop.clone());
                connections.spawn(async move { drop(caught(WorkKind::Request, "", conversation).await) });
            }
            Err(_) => {
                if let Ok(permit) = Arc::clone(&turning_away).try_acquire_owned() {
                    connections.spawn(async move {
                        let _ = tokio::time::timeout(TURNED_AWAY_WITHIN, turn_away(stream)).await;
                        drop(permit);
                    });
                }
            }
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(ENDS_WITHIN, ended).await;
}

/// Hears the client first: an answer to nothing would be none, and one before all is read would be taken back by the
/// system.
async fn turn_away(mut stream: TcpStream) -> std::io::Result<()> {
    let _ = stream.read(&mut [0; 8 << 10]).await?;
    let body = serde_json::to_vec(&Problem::new(ProblemKind::Unavailable, TURNED_AWAY)).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: {}\r\nContent-Length: {}\r\nRetry-After: 5\r\nConnection: close\r\n\r\n",
        problem::MEDIA_TYPE,
        body.len()
    );
    stream.write_all(&[head.as_bytes(), &body].concat()).await?;
    stream.shutdown().await
}

async fn converse(stream: TcpStream, router: Router, place: Arc<ClientPlace>, head: Duration, stop: CancellationToken) {
    // Where that fails the client has gone.
    let _ = stream.set_nodelay(true);
    let state = Arc::new(PaceState::default());
    let stream = PacedStream::new(stream, ANSWERS, Arc::clone(&place), Arc::clone(&state));
    let (serving, told) = (Arc::clone(&place), Arc::clone(&state));
    let service = service_fn(move |request: Request<Incoming>| {
        answer(request, router.clone(), Arc::clone(&serving), Arc::clone(&told))
    });
    let connection = Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_headers(MOST_HEADERS)
        .max_header_size(LARGEST_HEAD)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        ended = &mut connection => return note(ended),
        () = place.displaced() => return,
        () = stop.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    // One that asked for nothing, or not for all of it yet, is not waited for.
    if !place.is_waiting() || state.is_stalled() {
        note(connection.await);
    }
}

/// What clients do wrong is theirs to know.
fn note(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a client's connection broke");
    }
}

async fn answer(
    request: Request<Incoming>,
    router: Router,
    place: Arc<ClientPlace>,
    state: Arc<PaceState>,
) -> Result<Response<Body>, Infallible> {
    let Some(served) = place.serve() else {
        // It had to leave before this came.
        let problem = Problem::new(ProblemKind::Unavailable, TURNED_AWAY);
        return Ok((StatusCode::SERVICE_UNAVAILABLE, [(header::CONNECTION, "close")], problem).into_response());
    };
    let has_body = !request.body().is_end_stream();
    let response = router.oneshot(request.map(Body::new)).await?;
    state.unread.store(has_body && !response.status().is_success(), Ordering::Relaxed);
    Ok(response.map(|body| Body::new(ServedBody { body, _served: served })))
}

/// An answer's body; its client is being served until all of it is on its way.
struct ServedBody {
    body: Body,
    _served: ServedClient,
}

impl HttpBody for ServedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
