//! Waits for clients at an endpoint, and gives each a session of its own.

use super::Dialect;
use super::bind::Bound;
use super::reply::Reply;
use super::session::{Client, Limits, Next, Session};
use super::sink::Sink;
use super::wire::{Bytes, Wire};
use crate::commlog::Priority;
use crate::config::Tls;
use crate::supervision::{Work, caught};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// A client that is turned away, or that begins TLS, has so long.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// After a failure to accept (too many open files) there is a pause.
const PAUSE: Duration = Duration::from_millis(100);

/// How many connections there may be.
#[derive(Debug, Clone)]
pub struct Most {
    /// At a listener.
    pub connections: usize,
    /// From one address.
    pub per_address: usize,
}

impl Default for Most {
    fn default() -> Self {
        Self { connections: 200, per_address: 50 }
    }
}

/// A listener that waits for clients.
pub struct Listener<S> {
    /// LMTP or SMTP.
    pub dialect: Dialect,
    /// Its certificate, if it offers STARTTLS.
    pub tls: Tls,
    /// Where mail goes.
    pub sink: Arc<S>,
    /// Connections.
    pub most: Most,
    /// What each client may do.
    pub limits: Limits,
}

/// How many connections an address has now.
#[derive(Default)]
struct Guests(Mutex<HashMap<Option<IpAddr>, usize>>);

impl Guests {
    /// Lets another in, or not.
    fn admit(&self, peer: Option<IpAddr>, most: &Most) -> bool {
        let mut guests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = guests.values().sum();
        let own = guests.get(&peer).copied().unwrap_or_default();
        let admitted = all < most.connections && (peer.is_none() || own < most.per_address);
        if admitted {
            guests.insert(peer, own + 1);
        }
        admitted
    }

    fn leave(&self, peer: Option<IpAddr>) {
        let mut guests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = guests.get_mut(&peer) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                guests.remove(&peer);
            }
        }
    }
}

impl<S: Sink> Listener<S> {
    /// Serves clients until `stop`; then idle ones are told goodbye, and messages on their way are taken to their end.
    pub async fn serve(self: Arc<Self>, bound: Bound, stop: CancellationToken) {
        let guests = Arc::new(Guests::default());
        let mut sessions = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = bound.accept() => accepted,
                Some(_) = sessions.join_next(), if !sessions.is_empty() => continue,
            };
            match accepted {
                Ok((stream, peer)) => drop(sessions.spawn(Arc::clone(&self).receive(stream, peer, Arc::clone(&guests), stop.clone()))),
                Err(error) => {
                    tracing::warn!(%error, "a client could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        // Others may listen there from now on.
        drop(bound);
        while sessions.join_next().await.is_some() {}
    }

    /// Receives a client. One whose session panics loses its connection, and nobody else anything.
    async fn receive(self: Arc<Self>, stream: Box<dyn Bytes>, peer: Option<IpAddr>, guests: Arc<Guests>, stop: CancellationToken) {
        // It has told so.
        let _ = caught(Work::Session, "", self.admit(stream, peer, guests, stop)).await;
    }

    async fn admit(self: Arc<Self>, stream: Box<dyn Bytes>, peer: Option<IpAddr>, guests: Arc<Guests>, stop: CancellationToken) {
        let wire = Wire::new(stream);
        if !self.sink.policy().admits(peer) {
            let text = "Not from your address: it is in no network of an account that listens here";
            return turn_away(wire, &Reply::new(554, "5.7.1", text)).await;
        }
        if !guests.admit(peer, &self.most) {
            return turn_away(wire, &Reply::new(421, "4.7.0", "Too many connections; try again later")).await;
        }
        self.converse(wire, peer, stop).await;
        guests.leave(peer);
    }

    async fn converse(&self, wire: Wire, peer: Option<IpAddr>, stop: CancellationToken) {
        let client = Client { dialect: self.dialect, peer, tls: self.tls.clone() };
        let account = self.sink.policy().first_account().to_owned();
        let mut session = Session::new(Arc::clone(&self.sink), client, self.limits.clone(), stop);
        if let Err(panic) = caught(Work::Session, &account, talk(&mut session, wire)).await {
            session.journal.failed(format!("The session panicked: {panic}. What was not answered was not taken."));
        }
        session.end().await;
    }
}

async fn talk<S: Sink>(session: &mut Session<S>, mut wire: Wire) {
    let mut next = session.run(&mut wire).await;
    if next == Next::StartTls {
        match secure(wire, session.take_acceptor()).await {
            Ok((secured, agreed)) => {
                wire = secured;
                session.secured(agreed);
                next = session.run(&mut wire).await;
            }
            Err(why) => {
                return session.journal.entry(Priority::Warning, "transport.tls", format!("TLS was not agreed on: {why}"));
            }
        }
    }
    debug_assert_ne!(next, Next::StartTls, "it is not offered twice");
    wire.close().await;
}

async fn secure(mut wire: Wire, acceptor: Option<TlsAcceptor>) -> Result<(Wire, String), String> {
    let acceptor = acceptor.ok_or("there is no certificate")?;
    wire.flush().await.map_err(|error| error.to_string())?;
    let agreed = tokio::time::timeout(HANDSHAKE, acceptor.accept(wire.into_stream())).await;
    let stream = agreed.map_err(|_| "the client was silent".to_owned())?.map_err(|error| error.to_string())?;
    let sentence = crate::transport::tls::agreed(stream.get_ref().1);
    Ok((Wire::new(Box::new(stream)), sentence))
}

async fn turn_away(mut wire: Wire, reply: &Reply) {
    wire.answer(reply);
    // Whoever does not even listen is not waited for.
    let _ = tokio::time::timeout(HANDSHAKE, wire.close()).await;
}
