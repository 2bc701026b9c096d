//! Places for the clients of a listener: how many there may be, in all and from one address, and who has to leave when others come.
//!
//! A client that is being served keeps its place. When all are taken, the one that has waited longest without being served leaves for
//! the one that comes: connections that say nothing, or drip, cost a listener its oldest silent ones and nobody else anything.
//!
//! Messages are what a client could be served with for hours. So where nobody waits, one leaves whose message has been on its way for long
//! and comes far slower than mail servers send: the slowest of the address that has the most places, so that whoever takes all of them
//! gives them up first. Those who are known never leave for this.

use super::descriptors::{Counted, Descriptors};
use super::figures::{Figures, Refusal};
use super::seldom::Seldom;
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

/// So many that have to leave may still be there; before the next comes in, some must have gone.
const LEAVING: usize = 16;
/// So long they are waited for.
const LEFT_WITHIN: Duration = Duration::from_secs(1);

/// From when on a message keeps nobody else out.
#[derive(Debug, Clone, Copy)]
struct Slow {
    /// It has been on its way for so long, …
    after: Duration,
    /// … and came with fewer bytes a second: a thousand times as many are usual, and the least that a message must come with is a sixteenth.
    bytes_a_second: u64,
}

const SLOW: Slow = Slow { after: Duration::from_mins(1), bytes_a_second: 16 << 10 };

/// How many connections a listener may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Most {
    /// In all; fewer where there are few descriptors.
    pub connections: usize,
    /// From one address, of those that are not known.
    pub per_address: usize,
}

impl Default for Most {
    fn default() -> Self {
        Self { connections: 1_024, per_address: 64 }
    }
}

/// Where a client comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// This machine, a Unix socket, or a relay that an admin named by its address: no limit of its own.
    Known,
    /// An address, of IPv6 its network of 64 bits, which one machine may have all of.
    Address(IpAddr),
}

impl Origin {
    /// Of a client with this address, or of a Unix socket; `is_named` where an admin named it.
    pub fn of(peer: Option<IpAddr>, is_named: bool) -> Self {
        match peer.map(|peer| peer.to_canonical()) {
            Some(peer) if !peer.is_loopback() && !is_named => Self::Address(network(peer)),
            _ => Self::Known,
        }
    }
}

/// The addresses that count as one client: IPv4 addresses one by one, of IPv6 a network of 64 bits.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

/// The places of one listener.
#[derive(Debug)]
pub struct Places {
    listener: String,
    most: Most,
    slow: Slow,
    descriptors: Arc<Descriptors>,
    figures: Figures,
    taken: Mutex<Taken>,
    left: Notify,
    said: Seldom,
    _part: Counted,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    clients: HashMap<u64, Client>,
    by_address: HashMap<IpAddr, usize>,
    /// Those that wait, by since when.
    waiting: BTreeSet<(Instant, u64)>,
    /// How many have to leave and have not yet gone; they are not among `clients` any more.
    leaving: usize,
}

#[derive(Debug)]
struct Client {
    origin: Origin,
    since: Instant,
    served: usize,
    leave: CancellationToken,
    brought: Arc<Mutex<Brought>>,
}

/// What a client has brought since it last waited. What it is served with besides, the host's own work, is not its time.
#[derive(Debug, Default)]
struct Brought {
    bytes: u64,
    within: Duration,
    /// The message that it is bringing: since when, and how many bytes so far.
    now: Option<(Instant, u64)>,
}

impl Brought {
    /// Bytes a second, where a message is on its way that is slow.
    fn is_slow(&self, slow: Slow) -> Option<u64> {
        let (since, bytes) = self.now?;
        let within = self.within + since.elapsed();
        let pace = u64::try_from(u128::from(self.bytes + bytes) * 1_000 / within.as_millis().max(1)).unwrap_or(u64::MAX);
        (within >= slow.after && pace < slow.bytes_a_second).then_some(pace)
    }

    fn ended(&mut self) {
        if let Some((since, bytes)) = self.now.take() {
            self.bytes += bytes;
            self.within += since.elapsed();
        }
    }
}

impl Taken {
    fn at(&self, address: IpAddr) -> usize {
        self.by_address.get(&address).copied().unwrap_or_default()
    }

    /// Takes a client off the lists.
    fn remove(&mut self, id: u64) -> Option<Client> {
        let client = self.clients.remove(&id)?;
        self.waiting.remove(&(client.since, id));
        if let Origin::Address(address) = client.origin
            && let Some(count) = self.by_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&address);
            }
        }
        Some(client)
    }

    /// Has the one leave that waited longest, of an address or of all; false where all are being served.
    fn displace(&mut self, address: Option<IpAddr>) -> bool {
        let is_of =
            |id: &u64| address.is_none_or(|address| self.clients.get(id).is_some_and(|client| client.origin == Origin::Address(address)));
        let found = self.waiting.iter().map(|(_, id)| *id).find(is_of);
        found.is_some_and(|id| self.let_leave(id))
    }

    /// Has the slowest leave, of an address that has as many places as any other with slow messages, and no fewer than `coming` has once it is in.
    fn displace_slow(&mut self, coming: Origin, slow: Slow) -> bool {
        let own = match coming {
            Origin::Known => 0,
            Origin::Address(address) => self.at(address),
        };
        let place = |(id, client): (&u64, &Client)| {
            let Origin::Address(address) = client.origin else { return None };
            let held = self.at(address);
            let may_be_asked = held > own || client.origin == coming;
            let pace = locked(&client.brought).is_slow(slow).filter(|_| may_be_asked)?;
            Some((held, Reverse(pace), *id))
        };
        let found = self.clients.iter().filter_map(place).max();
        found.is_some_and(|(_, _, id)| self.let_leave(id))
    }

    fn let_leave(&mut self, id: u64) -> bool {
        let Some(client) = self.remove(id) else { return false };
        client.leave.cancel();
        self.leaving += 1;
        true
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Places {
    /// Of a listener that has none yet.
    pub fn of(listener: impl Into<String>, most: Most, descriptors: &Arc<Descriptors>, figures: Figures) -> Arc<Self> {
        Arc::new(Self {
            listener: listener.into(),
            most,
            slow: SLOW,
            descriptors: Arc::clone(descriptors),
            figures,
            taken: Mutex::default(),
            left: Notify::new(),
            said: Seldom::default(),
            _part: descriptors.listener(),
        })
    }

    /// Gives a client that comes a place, if need be that of another that waits.
    pub async fn admit(self: &Arc<Self>, origin: Origin) -> Result<Place, Refusal> {
        // So that descriptors are not outrun by those that have to leave and are slow to.
        let left = async {
            loop {
                let left = self.left.notified();
                if self.taken().leaving < LEAVING {
                    break;
                }
                left.await;
            }
        };
        let _ = tokio::time::timeout(LEFT_WITHIN, left).await;
        let place = self.place(origin);
        if let Err(reason) = &place {
            self.figures.refuse(&self.listener, *reason);
            self.say(*reason);
        }
        place
    }

    fn place(self: &Arc<Self>, origin: Origin) -> Result<Place, Refusal> {
        let most = self.most();
        let mut taken = self.taken();
        if let Origin::Address(address) = origin
            && taken.at(address) >= self.most.per_address
        {
            let displaced = taken.displace(Some(address)).then_some(Refusal::Displaced);
            self.let_leave(displaced, Refusal::Address)?;
        }
        if taken.clients.len() >= most || self.descriptors.are_taken() {
            let displaced = taken.displace(None).then_some(Refusal::Displaced);
            self.let_leave(displaced.or_else(|| taken.displace_slow(origin, self.slow).then_some(Refusal::Slow)), Refusal::Full)?;
        }
        let (id, since, leave) = (taken.next, Instant::now(), CancellationToken::new());
        taken.next += 1;
        let brought = Arc::default();
        taken.clients.insert(id, Client { origin, since, served: 0, leave: leave.clone(), brought: Arc::clone(&brought) });
        taken.waiting.insert((since, id));
        if let Origin::Address(address) = origin {
            *taken.by_address.entry(address).or_default() += 1;
        }
        drop(taken);
        self.figures.connections(&self.listener, 1);
        Ok(Place { places: Arc::clone(self), id, leave, brought, _open: self.descriptors.connection() })
    }

    /// Counts the client that has to leave, and why; there is none where nobody can be asked to.
    fn let_leave(&self, displaced: Option<Refusal>, otherwise: Refusal) -> Result<(), Refusal> {
        let why = displaced.ok_or(otherwise)?;
        self.figures.refuse(&self.listener, why);
        self.say(why);
        Ok(())
    }

    /// How many there may be now.
    fn most(&self) -> usize {
        self.descriptors.part(self.most.connections)
    }

    /// Whether more than three quarters of the places are taken: time to be less patient with those that are slow.
    pub fn are_few(&self) -> bool {
        self.taken().clients.len() * 4 > self.most() * 3
    }

    fn say(&self, reason: Refusal) {
        if let Some(times) = self.said.happened() {
            let (listener, connections, per_address) = (&self.listener, self.most(), self.most.per_address);
            let what = match reason {
                Refusal::Address => "clients were turned away: their address has all the connections that one may have",
                Refusal::Displaced => "clients that said nothing for long had to leave for others: all connections were taken",
                Refusal::Slow => "clients whose messages came slowly had to leave for others: all connections were taken",
                Refusal::Full | Refusal::Failed => "clients were turned away: all connections are taken",
            };
            tracing::warn!(listener, connections, per_address, times, "{what}");
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        locked(&self.taken)
    }
}

/// A client's place, until it is dropped. Its client waits, unless it is being served.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    id: u64,
    leave: CancellationToken,
    brought: Arc<Mutex<Brought>>,
    _open: Counted,
}

impl Place {
    /// Its client is being served for as long as what is given is kept; nothing where it has to leave already.
    pub fn serve(self: &Arc<Self>) -> Option<Served> {
        let mut taken = self.places.taken();
        let client = taken.clients.get_mut(&self.id)?;
        client.served += 1;
        let since = client.since;
        taken.waiting.remove(&(since, self.id));
        Some(Served { place: Arc::clone(self) })
    }

    /// Its client begins to bring a message, which is on its way for as long as what is given is kept. One at a time.
    pub fn bring(&self) -> Bringing {
        locked(&self.brought).now = Some((Instant::now(), 0));
        Bringing { brought: Arc::clone(&self.brought) }
    }

    /// Done when its client has to leave.
    pub fn displaced(&self) -> WaitForCancellationFuture<'_> {
        self.leave.cancelled()
    }

    /// Whether its client has to leave.
    pub fn is_displaced(&self) -> bool {
        self.leave.is_cancelled()
    }

    /// Whether its client waits and is not being served.
    pub fn is_waiting(&self) -> bool {
        self.places.taken().clients.get(&self.id).is_none_or(|client| client.served == 0)
    }

    /// As [`Places::are_few`].
    pub fn is_one_of_few(&self) -> bool {
        self.places.are_few()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        if taken.remove(self.id).is_none() {
            taken.leaving = taken.leaving.saturating_sub(1);
        }
        drop(taken);
        self.places.left.notify_waiters();
        self.places.figures.connections(&self.places.listener, -1);
    }
}

/// A client that is being served, until it is dropped.
#[derive(Debug)]
pub struct Served {
    place: Arc<Place>,
}

impl Drop for Served {
    fn drop(&mut self) {
        let id = self.place.id;
        let mut taken = self.place.places.taken();
        let Some(client) = taken.clients.get_mut(&id) else { return };
        client.served -= 1;
        if client.served == 0 {
            client.since = Instant::now();
            *locked(&client.brought) = Brought::default();
            let since = client.since;
            taken.waiting.insert((since, id));
        }
    }
}

/// A message that a client brings, until it is dropped.
#[derive(Debug)]
pub struct Bringing {
    brought: Arc<Mutex<Brought>>,
}

impl Bringing {
    /// So many bytes of it have come, in all.
    pub fn came(&self, bytes: u64) {
        if let Some((_, brought)) = &mut locked(&self.brought).now {
            *brought = bytes;
        }
    }
}

impl Drop for Bringing {
    fn drop(&mut self) {
        locked(&self.brought).ended();
    }
}

impl Places {
    /// The same places, where every message is slow at once that comes with fewer bytes a second; others than these keep their measure.
    #[must_use]
    pub fn where_slow_is(mut self: Arc<Self>, bytes_a_second: u64) -> Arc<Self> {
        if let Some(places) = Arc::get_mut(&mut self) {
            places.slow = Slow { after: Duration::ZERO, bytes_a_second };
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(connections: usize, per_address: usize) -> (Arc<Places>, Figures) {
        let (figures, descriptors) = (Figures::default(), Arc::new(Descriptors::of(20_000)));
        (Places::of("here", Most { connections, per_address }, &descriptors, figures.clone()), figures)
    }

    fn address(text: &str) -> Origin {
        Origin::of(Some(text.parse().unwrap()), false)
    }

    #[tokio::test]
    async fn who_waited_longest_leaves_and_who_is_served_stays() {
        let (places, figures) = places(3, 9);
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(Arc::new(places.admit(Origin::Known).await.unwrap()));
        }
        let served = clients[0].serve().unwrap();
        let fourth = Arc::new(places.admit(Origin::Known).await.unwrap());
        assert_eq!(clients.iter().map(|place| place.is_displaced()).collect::<Vec<_>>(), [false, true, false]);
        assert!(clients[1].serve().is_none(), "it has to leave, whatever comes from it now");
        let others = [clients[2].serve().unwrap(), fourth.serve().unwrap()];
        assert_eq!(places.admit(Origin::Known).await.unwrap_err(), Refusal::Full);
        drop(others);
        drop(served);
        let _fifth = places.admit(Origin::Known).await.unwrap();
        assert!(clients[2].is_displaced() && !clients[0].is_displaced(), "who was served a moment ago has waited least");
        assert_eq!((figures.refused("here", Refusal::Displaced), figures.refused("here", Refusal::Full)), (2, 1));
    }

    #[tokio::test]
    async fn an_address_has_its_own_limit_and_those_known_have_none() {
        let (places, figures) = places(100, 2);
        let one = [places.admit(address("10.0.0.1")).await.unwrap(), places.admit(address("10.0.0.1")).await.unwrap()].map(Arc::new);
        let served: Vec<Served> = one.iter().filter_map(Place::serve).collect();
        assert_eq!(places.admit(address("::ffff:10.0.0.1")).await.unwrap_err(), Refusal::Address);
        let _other = places.admit(address("10.0.0.2")).await.unwrap();
        drop(served);
        let _third = places.admit(address("10.0.0.1")).await.unwrap();
        assert!(one[0].is_displaced() && !one[1].is_displaced(), "its own oldest leaves, no other's");
        assert_eq!(figures.refused("here", Refusal::Address), 1);

        let near = [places.admit(address("2001:db8::1")).await.unwrap(), places.admit(address("2001:db8::ffff:2")).await.unwrap()];
        let near = near.map(Arc::new);
        let _served: Vec<Served> = near.iter().filter_map(Place::serve).collect();
        assert_eq!(places.admit(address("2001:db8:0:0:7::")).await.unwrap_err(), Refusal::Address, "a network of 64 bits is one");
        assert!(places.admit(address("2001:db8:0:1::1")).await.is_ok());

        let mut known = Vec::new();
        for _ in 0..10 {
            known.push(places.admit(Origin::of(Some("127.0.0.1".parse().unwrap()), false)).await.unwrap());
            known.push(places.admit(Origin::of(Some("10.0.0.1".parse().unwrap()), true)).await.unwrap());
            known.push(places.admit(Origin::of(None, false)).await.unwrap());
        }
    }

    #[tokio::test]
    async fn a_panic_gives_its_place_back() {
        let (places, _) = places(1, 9);
        let place = Arc::new(places.admit(Origin::Known).await.unwrap());
        let session = tokio::spawn(async move {
            let _served = place.serve();
            panic!("on purpose");
        });
        assert!(session.await.unwrap_err().is_panic());
        let place = Arc::new(places.admit(Origin::Known).await.unwrap());
        assert!(place.serve().is_some());
    }

    #[tokio::test]
    async fn nobody_comes_in_while_many_that_have_to_leave_are_there() {
        let (places, _) = places(LEAVING, 9);
        let mut first = Vec::new();
        for _ in 0..LEAVING {
            first.push(places.admit(Origin::Known).await.unwrap());
        }
        let mut others = Vec::new();
        for _ in 0..LEAVING {
            others.push(places.admit(Origin::Known).await.unwrap());
        }
        let coming = places.admit(Origin::Known);
        tokio::pin!(coming);
        assert!(futures_util::poll!(&mut coming).is_pending());
        first.pop();
        assert!(coming.await.is_ok());
    }

    #[tokio::test]
    async fn all_listeners_together_leave_the_descriptors_that_are_kept_back() {
        let descriptors = Arc::new(Descriptors::of(8));
        let most = Most::default();
        let first = Places::of("first", most, &descriptors, Figures::default());
        let mut taken = Vec::new();
        for _ in 0..4 {
            taken.push(Arc::new(first.admit(Origin::Known).await.unwrap()));
        }
        let served: Vec<Served> = taken.iter().filter_map(Place::serve).collect();
        let second = Places::of("second", most, &descriptors, Figures::default());
        assert_eq!(second.admit(Origin::Known).await.unwrap_err(), Refusal::Full);
        taken.truncate(1);
        // Those that are served keep their place themselves.
        drop(served);
        assert!(second.admit(Origin::Known).await.is_ok());
    }

    /// A client that is being served and brings a message.
    struct Delivering {
        place: Arc<Place>,
        bringing: Bringing,
        _served: Served,
    }

    impl Delivering {
        /// So many bytes came within so long.
        fn came(&self, bytes: u64, within: Duration) {
            self.bringing.came(bytes);
            locked(&self.place.brought).within = within;
        }
    }

    async fn delivering(places: &Arc<Places>, from: Origin) -> Delivering {
        let place = Arc::new(places.admit(from).await.unwrap());
        let (served, bringing) = (place.serve().unwrap(), place.bring());
        Delivering { place, bringing, _served: served }
    }

    fn displaced(clients: &[Delivering]) -> Vec<bool> {
        clients.iter().map(|client| client.place.is_displaced()).collect()
    }

    const LONG: Duration = Duration::from_mins(10);

    #[tokio::test]
    async fn where_all_bring_messages_the_slowest_of_the_address_with_most_places_leaves() {
        let (places, figures) = places(5, 9);
        let mut clients = Vec::new();
        for from in ["10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.3"] {
            clients.push(delivering(&places, address(from)).await);
        }
        let full = || async { places.admit(address("10.0.0.9")).await.unwrap_err() };
        assert_eq!(full().await, Refusal::Full, "all have just begun");
        for (client, bytes) in clients.iter().zip([2 << 20, 1 << 20, 64 << 20, 1, 1]) {
            client.came(bytes, LONG);
        }
        clients[2].came(0, SLOW.after / 2);
        let _coming = places.admit(address("10.0.0.9")).await.unwrap();
        assert_eq!(displaced(&clients), [false, true, false, false, false], "not the slowest of all, nor one that has just begun");
        assert_eq!((figures.refused("here", Refusal::Slow), figures.refused("here", Refusal::Displaced)), (1, 0));
    }

    #[tokio::test]
    async fn who_has_more_places_than_others_gets_none_of_theirs() {
        let (places, _) = places(3, 9);
        let mut clients = Vec::new();
        for from in ["10.0.0.1", "10.0.0.1", "10.0.0.2"] {
            clients.push(delivering(&places, address(from)).await);
        }
        clients[2].came(1, LONG);
        assert_eq!(places.admit(address("10.0.0.1")).await.unwrap_err(), Refusal::Full);
        clients[0].came(1, LONG);
        let _own = places.admit(address("10.0.0.1")).await.unwrap();
        assert_eq!(displaced(&clients), [true, false, false], "its own slow one leaves for it");
    }

    #[tokio::test]
    async fn those_who_are_known_and_those_who_bring_enough_leave_for_nobody() {
        let (places, _) = places(3, 9);
        let clients = [delivering(&places, Origin::Known).await, delivering(&places, address("10.0.0.1")).await];
        clients[0].came(1, LONG);
        clients[1].came(SLOW.bytes_a_second * LONG.as_secs() + (1 << 20), LONG);
        let storing = delivering(&places, address("10.0.0.1")).await;
        storing.came(1, LONG);
        let Delivering { place, bringing, _served } = storing;
        drop(bringing);
        for coming in [Origin::Known, address("10.0.0.9")] {
            assert_eq!(places.admit(coming).await.unwrap_err(), Refusal::Full, "one whose message is being stored is not slow either");
        }
        let _next = place.bring();
        assert!(places.admit(Origin::Known).await.is_ok(), "small messages one after the other are one long one");
        assert!(place.is_displaced() && displaced(&clients) == [false, false]);
    }

    #[tokio::test]
    async fn who_waits_between_messages_begins_anew() {
        let (places, _) = places(1, 9);
        let slow = delivering(&places, address("10.0.0.1")).await;
        slow.came(1, LONG);
        let place = Arc::clone(&slow.place);
        drop(slow);
        let (_served, _bringing) = (place.serve(), place.bring());
        assert_eq!(places.admit(Origin::Known).await.unwrap_err(), Refusal::Full);
    }
}
