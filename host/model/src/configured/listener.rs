//! Where a listener's account waits for mail, and from where it takes some.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// What is listened on; accounts with the same share one listener.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// An address and port of this machine.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl Endpoint {
    /// The longest path of a Unix socket (`sun_path`), its end not counted.
    pub const LONGEST_PATH: usize = 107;
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(formatter, "{address}"),
            Self::Unix(path) => write!(formatter, "{}", path.display()),
        }
    }
}

/// A network of addresses: `10.1.0.0/16`, `2001:db8::/32`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    length: u32,
}

impl Network {
    /// Whether an address is in it. An IPv4 address that came over IPv6 (`::ffff:10.1.2.3`) is the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let ((own, most), (other, others)) = (bits(self.address), bits(address.to_canonical()));
        let prefix = |value: u128| value.checked_shr(most - self.length).unwrap_or(0);
        most == others && prefix(own) == prefix(other)
    }

    /// Whether it is one address.
    pub fn is_one_address(&self) -> bool {
        self.length == bits(self.address).1
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("\"{text}\" is no address or network, such as \"10.1.2.3\" or \"10.1.0.0/16\".");
        let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let address: IpAddr = address.parse().map_err(|_| expected())?;
        let (value, most) = bits(address);
        let length: u32 = length.map_or(Ok(most), str::parse).map_err(|_| expected())?;
        if length > most {
            return Err(expected());
        }
        if value.checked_shl(128 - most + length).unwrap_or(0) != 0 {
            return Err(format!(
                "\"{text}\" names one address of a network; write the network's first address, or leave out \"/{length}\"."
            ));
        }
        Ok(Self { address, length })
    }
}

/// An address as a number, and how many bits it has.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u32::from(address).into(), 32),
        IpAddr::V6(address) => (address.into(), 128),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_what_they_should() {
        for (network, address, inside) in [
            ("127.0.0.0/8", "127.1.2.3", true),
            ("127.0.0.0/8", "128.0.0.1", false),
            ("127.0.0.0/8", "::ffff:127.0.0.1", true),
            ("127.0.0.0/8", "::1", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("192.168.1.128/25", "192.168.1.127", false),
        ] {
            let parsed: Network = network.parse().unwrap();
            assert_eq!(parsed.contains(address.parse().unwrap()), inside, "{network} {address}");
            assert_eq!(parsed.is_one_address(), !network.contains('/'), "{network}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in
            ["", "10.1", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "example.org", "10.1.2.3/8", "::1/64"]
        {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
