//! Whose connection it is, as far as counting goes: the address prefix that one customer of a network has.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Where a proxy or a tunnel on the same machine speaks for many.
const LOOPBACK: [IpNet; 2] = [
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
];

/// How addresses are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peers {
    /// Bits of an IPv4 address that count: at most 32.
    pub ipv4_bits: u8,
    /// Bits of an IPv6 address that count: at most 128.
    pub ipv6_bits: u8,
    /// Networks that are not counted: proxies, CDNs and loopback, each of whose addresses stands for many clients.
    pub uncounted: Vec<IpNet>,
}

impl Peers {
    /// Tells them apart by so many bits, and counts neither loopback nor `trusted` proxies.
    #[must_use]
    pub fn new(ipv4_bits: u8, ipv6_bits: u8, trusted: &[IpNet]) -> Self {
        Self { ipv4_bits, ipv6_bits, uncounted: [&LOOPBACK, trusted].concat() }
    }

    /// The prefix that a peer is counted under; `None` for one that is not counted.
    #[must_use]
    pub fn prefix(&self, peer: IpAddr) -> Option<IpNet> {
        // An IPv4 client of a socket that listens on IPv6 is an IPv4 client.
        let peer = peer.to_canonical();
        if self.uncounted.iter().any(|network| network.contains(&peer)) {
            return None;
        }
        let bits = if peer.is_ipv4() { self.ipv4_bits } else { self.ipv6_bits };
        IpNet::new(peer, bits).ok().map(|network| network.trunc())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(peer: &str) -> Option<String> {
        let trusted = ["198.51.100.0/24".parse().unwrap(), "2001:db8:cd::/48".parse().unwrap()];
        let peers = Peers::new(32, 56, &trusted);
        peers.prefix(peer.parse().unwrap()).map(|prefix| prefix.to_string())
    }

    #[test]
    fn a_customer_is_one_peer_and_proxies_are_none() {
        for (peer, counted) in [
            ("192.0.2.7", Some("192.0.2.7/32")),
            ("::ffff:192.0.2.7", Some("192.0.2.7/32")),
            ("2001:db8:1:2ff::1", Some("2001:db8:1:200::/56")),
            ("2001:db8:1:200:ffff::", Some("2001:db8:1:200::/56")),
            ("2001:db8:1:300::1", Some("2001:db8:1:300::/56")),
            ("127.0.0.1", None),
            ("127.255.0.9", None),
            ("::ffff:127.0.0.1", None),
            ("::1", None),
            ("198.51.100.200", None),
            ("::ffff:198.51.100.1", None),
            ("2001:db8:cd:9::1", None),
        ] {
            assert_eq!(prefix(peer).as_deref(), counted, "{peer}");
        }
    }
}
