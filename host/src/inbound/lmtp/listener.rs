//! Waits for clients at an endpoint, and gives each a session of its own.

use super::bind::BoundSocket;
use super::reply::Reply;
use super::session::{LmtpClient, NextStep, Session, SessionLimits};
use super::sink::Sink;
use super::wire::Wire;
use postigo_model::communication::Priority;
use postigo_model::configured::Dialect;
use postigo_model::configured::Tls;
use postigo_net::listen::{Acceptance, ClientPlace, Origin, Places};
use postigo_supervision::{WorkKind, caught};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// A client that begins TLS has so long.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// One that is turned away has so long to listen to why, …
const TURNED_AWAY_WITHIN: Duration = Duration::from_secs(2);
/// … and of more than so many at once nobody is told.
const TURNED_AWAY_AT_ONCE: usize = 16;

/// A listener that waits for clients.
pub struct Listener<S> {
    /// LMTP or SMTP.
    pub dialect: Dialect,
    /// Its certificate, if it offers STARTTLS.
    pub tls: Tls,
    /// Where mail goes.
    pub sink: Arc<S>,
    /// Places for its clients.
    pub places: Arc<Places>,
    /// How accepting them goes.
    pub acceptance: Acceptance,
    /// What each client may do.
    pub limits: SessionLimits,
}

impl<S: Sink> Listener<S> {
    /// Serves clients until `stop`; then idle ones are told goodbye, and messages on their way are taken to their end.
    pub async fn serve(mut self, bound: BoundSocket, stop: CancellationToken) {
        let turning_away = Arc::new(Semaphore::new(TURNED_AWAY_AT_ONCE));
        let mut sessions = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = bound.accept() => accepted,
                Some(_) = sessions.join_next(), if !sessions.is_empty() => continue,
            };
            let (stream, peer) = match accepted {
                Ok(client) => client,
                Err(error) => {
                    tokio::time::sleep(self.acceptance.failed(&error)).await;
                    continue;
                }
            };
            self.acceptance.succeeded();
            let wire = Wire::new(stream);
            // A client whose admission panics is dropped: those who are served know nothing of it.
            let Ok(admitted) = caught(WorkKind::Session, "", self.admit(peer)).await else { continue };
            match admitted {
                Ok(place) => {
                    let client =
                        LmtpClient { dialect: self.dialect, peer, tls: self.tls.clone(), place: Arc::new(place) };
                    let session = converse(Arc::clone(&self.sink), wire, client, self.limits.clone(), stop.clone());
                    // What panics besides the conversation has told so.
                    sessions.spawn(async move { drop(caught(WorkKind::Session, "", session).await) });
                }
                Err(reply) => {
                    if let Ok(permit) = Arc::clone(&turning_away).try_acquire_owned() {
                        sessions.spawn(async move {
                            turn_away(wire, &reply).await;
                            drop(permit);
                        });
                    }
                }
            }
        }
        // Others may listen there from now on.
        drop(bound);
        while sessions.join_next().await.is_some() {}
    }

    async fn admit(&self, peer: Option<IpAddr>) -> Result<ClientPlace, Reply> {
        let policy = self.sink.policy();
        if !policy.admits(peer) {
            let text = "Not from your address: it is in no network of an account that listens here";
            return Err(Reply::new(554, "5.7.1", text));
        }
        let place = self.places.admit(Origin::of(peer, policy.names(peer))).await;
        place.map_err(|_| Reply::new(421, "4.7.0", "Too many connections; try again later"))
    }
}

/// One whose session panics loses its connection and its place, and nobody else anything.
async fn converse<S: Sink>(
    sink: Arc<S>,
    wire: Wire,
    client: LmtpClient,
    limits: SessionLimits,
    stop: CancellationToken,
) {
    let place = Arc::clone(&client.place);
    let account = sink.policy().first_account().to_owned();
    let mut session = Session::new(sink, client, limits, stop);
    if let Err(panic) = caught(WorkKind::Session, &account, talk(&mut session, wire, &place)).await {
        session.journal.failed(format!("The session panicked: {panic}. What was not answered was not taken."));
    }
    session.end().await;
}

async fn talk<S: Sink>(session: &mut Session<S>, mut wire: Wire, place: &ClientPlace) {
    let mut next = session.run(&mut wire).await;
    if next == NextStep::StartTls {
        let secured = tokio::select! {
            secured = secure(wire, session.take_acceptor()) => secured,
            () = place.displaced() => Err("it took long, and others came".to_owned()),
        };
        match secured {
            Ok((secured, agreed)) => {
                wire = secured;
                session.secured(agreed);
                next = session.run(&mut wire).await;
            }
            Err(why) => {
                return session.journal.entry(
                    Priority::Warning,
                    "transport.tls",
                    format!("TLS was not agreed on: {why}"),
                );
            }
        }
    }
    debug_assert_ne!(next, NextStep::StartTls, "it is not offered twice");
    if place.is_displaced() {
        // Others wait for its place.
        let _ = tokio::time::timeout(TURNED_AWAY_WITHIN, wire.close()).await;
    } else {
        wire.close().await;
    }
}

async fn secure(mut wire: Wire, acceptor: Option<TlsAcceptor>) -> Result<(Wire, String), String> {
    let acceptor = acceptor.ok_or("there is no certificate")?;
    wire.flush().await.map_err(|error| error.to_string())?;
    let agreed = tokio::time::timeout(HANDSHAKE, acceptor.accept(wire.into_stream())).await;
    let stream = agreed.map_err(|_| "the client was silent".to_owned())?.map_err(|error| error.to_string())?;
    let sentence = postigo_net::tls::agreed(stream.get_ref().1);
    Ok((Wire::new(Box::new(stream)), sentence))
}

async fn turn_away(mut wire: Wire, reply: &Reply) {
    wire.answer(reply);
    // Whoever does not even listen is not waited for.
    let _ = tokio::time::timeout(TURNED_AWAY_WITHIN, wire.close()).await;
}
