//! Who is taken in at an endpoint, and for which account: the policy of the accounts that listen there.

use super::reply::Reply;
use postigo_model::configured::{Configuration, Endpoint, ListenerRecipients, Network};
use postigo_model::mailbox::Mailbox;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

/// What the valid accounts of one endpoint take, as it is configured at one moment.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    takers: Vec<Taker>,
    /// The valid system addresses.
    addresses: BTreeSet<Mailbox>,
    /// The domains of these, and of the accounts' own addresses.
    domains: BTreeSet<String>,
    /// Bytes of the largest message.
    pub greatest: u64,
    /// So many messages may wait in the spool; 0: no limit.
    pub most_waiting: u32,
    /// Each read of a message's bytes ends after that.
    pub patience: Duration,
}

#[derive(Debug, Clone)]
struct Taker {
    account: String,
    networks: Vec<Network>,
    takes: Takes,
}

#[derive(Debug, Clone)]
enum Takes {
    All,
    One(Mailbox),
    SystemAddresses,
}

impl Policy {
    /// The policy of an endpoint.
    pub fn of(configuration: &Configuration, endpoint: &Endpoint) -> Self {
        let accounts = configuration.accounts.values().filter(|account| account.valid.is_valid());
        let listening = accounts.filter_map(|account| Some((account, account.source().listener()?)));
        let accounts: Vec<_> = listening.filter(|(_, listener)| listener.endpoint == *endpoint).collect();
        let takers: Vec<Taker> = accounts
            .iter()
            .map(|(account, listener)| Taker {
                account: account.name.clone(),
                networks: listener.networks.iter().filter_map(|network| network.parse().ok()).collect(),
                takes: match listener.recipients {
                    ListenerRecipients::Everybody => Takes::All,
                    ListenerRecipients::SystemAddresses => Takes::SystemAddresses,
                    ListenerRecipients::One(address) => Takes::One(Mailbox::of(address)),
                },
            })
            .collect();
        let valid = configuration.system_addresses.values().filter(|address| address.valid.is_valid());
        let addresses: BTreeSet<Mailbox> = valid.map(|address| Mailbox::of(&address.address)).collect();
        let own =
            takers.iter().filter_map(|taker| if let Takes::One(address) = &taker.takes { Some(address) } else { None });
        let domains = addresses.iter().chain(own).filter_map(|address| Some(address.domain()?.to_owned())).collect();
        Self {
            takers,
            addresses,
            domains,
            greatest: configuration.settings.max_message_size,
            most_waiting: configuration.settings.spool_limit,
            patience: Duration::from_secs(accounts.iter().map(|(account, _)| account.timeout).max().unwrap_or(60)),
        }
    }

    /// Whether a client may deliver here at all; over a Unix socket the file's permissions have said so.
    pub fn admits(&self, peer: Option<IpAddr>) -> bool {
        self.takers.iter().any(|taker| taker.admits(peer))
    }

    /// Whether an account names this very address: a relay that the admin knows. A network of many addresses names none
    /// of them.
    pub fn names(&self, peer: Option<IpAddr>) -> bool {
        let is_it = |network: &Network, peer| network.is_one_address() && network.contains(peer);
        peer.is_some_and(|peer| {
            self.takers.iter().any(|taker| taker.networks.iter().any(|network| is_it(network, peer)))
        })
    }

    /// The first account, for connections that name no recipient.
    pub fn first_account(&self) -> &str {
        self.takers.first().map_or("", |taker| &taker.account)
    }

    /// The account that takes an address: one of its own, else one of the system addresses, else one of every address.
    /// A detail after a plus sign does not count, unless it stands in an account's own address. `postmaster` is
    /// taken too, as RFC 5321 section 4.5.1 demands, wherever anything of its domain is.
    pub fn find(&self, peer: Option<IpAddr>, address: &str) -> Result<&str, Reply> {
        let full = Mailbox::of(address);
        let short = full.without_detail();
        let is = |own: &Mailbox| *own == full || short.as_ref() == Some(own);
        let is_ours = full.domain().is_none_or(|domain| self.domains.contains(domain));
        let is_postmaster = full.local_part() == "postmaster" && is_ours;
        let is_system_address = self.addresses.iter().any(is) || is_postmaster;
        let rank = |taker: &&Taker| match &taker.takes {
            Takes::One(own) if *own == full => Some(0),
            Takes::One(own) => is(own).then_some(1),
            Takes::SystemAddresses => is_system_address.then_some(2),
            Takes::All => Some(3),
        };
        let admitting = self.takers.iter().filter(|taker| taker.admits(peer));
        let found = admitting.clone().filter_map(|taker| Some((rank(&taker)?, taker))).min_by_key(|(rank, _)| *rank);
        match found {
            Some((_, taker)) => Ok(&taker.account),
            None if is_postmaster => {
                admitting.map(|taker| taker.account.as_str()).next().ok_or_else(|| unknown(address, is_ours))
            }
            None => Err(unknown(address, is_ours)),
        }
    }
}

impl Taker {
    fn admits(&self, peer: Option<IpAddr>) -> bool {
        peer.is_none_or(|peer| self.networks.iter().any(|network| network.contains(peer)))
    }
}

fn unknown(address: &str, is_ours: bool) -> Reply {
    if is_ours {
        Reply::new(550, "5.1.1", format!("<{address}>: there is no such address here"))
    } else {
        Reply::new(550, "5.7.1", format!("<{address}>: not an address of this helpdesk, and nothing is relayed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_model::configured::{Account, Protocol, SystemAddress, Validity};

    fn policy(users: &[(&str, &str)]) -> Policy {
        let mut configuration = Configuration::default();
        for (name, user) in users {
            let account =
                Account { name: (*name).into(), protocol: Protocol::Lmtp, user: (*user).into(), ..Account::default() };
            configuration.accounts.insert((*name).to_owned(), account);
        }
        for (address, valid) in
            [("Support@Desk.test", true), ("old@desk.test", false), ("hilfe@b\u{fc}cher.test", true)]
        {
            let valid = if valid { Validity::Valid } else { Validity::Invalid };
            let address =
                SystemAddress { address: address.into(), queue: "Raw".into(), valid, ..SystemAddress::default() };
            configuration.system_addresses.insert(Mailbox::of(&address.address).into(), address);
        }
        Policy::of(&configuration, &Endpoint::Tcp("127.0.0.1:24".parse().unwrap()))
    }

    fn found<'p>(policy: &'p Policy, address: &str) -> Result<&'p str, u16> {
        policy.find(Some("127.0.0.1".parse().unwrap()), address).map_err(|reply| reply.code)
    }

    #[test]
    fn valid_system_addresses_are_taken_in_every_spelling() {
        let policy = policy(&[("main", "")]);
        for address in [
            "support@desk.test",
            "SUPPORT@DESK.TEST",
            "support+ticket17@desk.test",
            "\"support\"@desk.test",
            "\"s\\upport+17\"@desk.test.",
            "hilfe@xn--bcher-kva.test",
            "Hilfe@B\u{dc}CHER.test",
            "postmaster@desk.test",
            "Postmaster",
        ] {
            assert_eq!(found(&policy, address), Ok("main"), "{address}");
        }
        for address in [
            "old@desk.test",
            "nobody@desk.test",
            "support@other.test",
            "postmaster@other.test",
            "+@desk.test",
            "support",
        ] {
            assert_eq!(found(&policy, address), Err(550), "{address}");
        }
    }

    #[test]
    fn an_account_of_its_own_goes_before_all_and_one_of_every_address_last() {
        let policy = policy(&[("a", "*"), ("b", ""), ("c", "sales@desk.test"), ("d", "SUPPORT@desk.test")]);
        assert_eq!(found(&policy, "sales+x@desk.test"), Ok("c"));
        assert_eq!(found(&policy, "support@desk.test"), Ok("d"));
        assert_eq!(found(&policy, "hilfe@b\u{fc}cher.test"), Ok("b"));
        assert_eq!(found(&policy, "anything@else.test"), Ok("a"));
    }

    #[test]
    fn an_account_of_the_address_with_its_detail_goes_before_the_one_without() {
        let policy = policy(&[("a", "support@desk.test"), ("b", "support+vip@desk.test"), ("c", "")]);
        assert_eq!(found(&policy, "Support+VIP@desk.test"), Ok("b"));
        assert_eq!(found(&policy, "support+other@desk.test"), Ok("a"));
        assert_eq!(found(&policy, "support@desk.test"), Ok("a"));
    }

    #[test]
    fn only_the_named_networks_may_deliver() {
        let policy = policy(&[("main", "*")]);
        assert!(policy.admits(Some("127.9.9.9".parse().unwrap())) && policy.admits(None));
        assert!(!policy.admits(Some("10.0.0.1".parse().unwrap())));
        assert!(policy.find(Some("10.0.0.1".parse().unwrap()), "support@desk.test").is_err());
    }

    #[test]
    fn a_relay_is_named_by_its_address_and_not_by_a_network() {
        let networks = ["10.1.0.0/16", "192.0.2.7", "2001:db8::7"].map(str::to_owned).into();
        let account = Account { name: "main".into(), protocol: Protocol::Lmtp, networks, ..Account::default() };
        let configuration =
            Configuration { accounts: [("main".to_owned(), account)].into(), ..Configuration::default() };
        let policy = Policy::of(&configuration, &Endpoint::Tcp("127.0.0.1:24".parse().unwrap()));
        for (peer, is_named) in [
            ("192.0.2.7", true),
            ("::ffff:192.0.2.7", true),
            ("2001:db8::7", true),
            ("10.1.2.3", false),
            ("192.0.2.8", false),
        ] {
            assert_eq!(policy.names(Some(peer.parse().unwrap())), is_named, "{peer}");
        }
        assert!(!policy.names(None));
    }
}
