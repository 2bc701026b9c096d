//! Where clients come from, and which addresses count as one.

use std::net::{IpAddr, Ipv6Addr};

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
