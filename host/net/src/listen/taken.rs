//! Who has places, who of them waits, and who has to leave for one that comes.

use super::origin::Origin;
use super::pace::{ClientPace, Slow};
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// The places that are taken.
#[derive(Debug, Default)]
pub struct TakenPlaces {
    next: u64,
    /// By the place's number.
    clients: HashMap<u64, Client>,
    by_address: HashMap<IpAddr, usize>,
    /// Those that wait, by since when.
    waiting: BTreeSet<(Instant, u64)>,
    /// How many have to leave and have not yet gone; they are not among `clients` any more.
    pub leaving: usize,
}

/// A client that has a place.
#[derive(Debug)]
struct Client {
    origin: Origin,
    /// Since when it waits.
    since: Instant,
    /// How many times it is being served now.
    served: usize,
    /// Cancelled when it has to leave.
    leave: CancellationToken,
    pace: ClientPace,
}

impl TakenPlaces {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.clients.len()
    }

    /// Adds a client that waits from now on; gives its number.
    pub fn add(&mut self, origin: Origin, leave: CancellationToken, pace: ClientPace) -> u64 {
        let (id, since) = (self.next, Instant::now());
        self.next += 1;
        self.clients.insert(id, Client { origin, since, served: 0, leave, pace });
        self.waiting.insert((since, id));
        if let Origin::Address(address) = origin {
            *self.by_address.entry(address).or_default() += 1;
        }
        id
    }

    /// Whether a client waits and is not being served, or is gone.
    pub fn is_waiting(&self, id: u64) -> bool {
        self.clients.get(&id).is_none_or(|client| client.served == 0)
    }

    /// A client is being served, once more; false where it has to leave already.
    pub fn serve(&mut self, id: u64) -> bool {
        let Some(client) = self.clients.get_mut(&id) else { return false };
        client.served += 1;
        self.waiting.remove(&(client.since, id));
        true
    }

    /// A client has been served, once; it waits from now on if it is not being served besides.
    pub fn served(&mut self, id: u64) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        client.served -= 1;
        if client.served == 0 {
            client.since = Instant::now();
            client.pace.begin_anew();
            self.waiting.insert((client.since, id));
        }
    }

    /// How many an address has.
    pub fn at(&self, address: IpAddr) -> usize {
        self.by_address.get(&address).copied().unwrap_or_default()
    }

    /// Takes a client off the lists.
    fn take_off(&mut self, id: u64) -> Option<Client> {
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

    /// A client has gone.
    pub fn remove(&mut self, id: u64) {
        if self.take_off(id).is_none() {
            self.leaving = self.leaving.saturating_sub(1);
        }
    }

    /// Has the one leave that waited longest, of an address or of all; false where all are being served.
    pub fn displace(&mut self, address: Option<IpAddr>) -> bool {
        let is_of = |id: &u64| {
            address.is_none_or(|address| {
                self.clients.get(id).is_some_and(|client| client.origin == Origin::Address(address))
            })
        };
        let found = self.waiting.iter().map(|(_, id)| *id).find(is_of);
        found.is_some_and(|id| self.let_leave(id))
    }

    /// Has the slowest leave, of an address that has as many places as any other with slow messages, and no fewer than
    /// `coming` has once it is in.
    pub fn displace_slow(&mut self, coming: Origin, slow: Slow) -> bool {
        let own = match coming {
            Origin::Known => 0,
            Origin::Address(address) => self.at(address),
        };
        let place = |(id, client): (&u64, &Client)| {
            let Origin::Address(address) = client.origin else { return None };
            let held = self.at(address);
            let may_be_asked = held > own || client.origin == coming;
            let pace = client.pace.if_slow(slow).filter(|_| may_be_asked)?;
            Some((held, Reverse(pace), *id))
        };
        let found = self.clients.iter().filter_map(place).max();
        found.is_some_and(|(_, _, id)| self.let_leave(id))
    }

    fn let_leave(&mut self, id: u64) -> bool {
        let Some(client) = self.take_off(id) else { return false };
        client.leave.cancel();
        self.leaving += 1;
        true
    }
}
