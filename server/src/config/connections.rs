//! The options of `run` that bound connections.

use std::net::IpAddr;
use std::time::Duration;

use clap::Args;
use ipnet::IpNet;

/// How long connections may last, and how many one peer may have. The same for both listeners.
#[derive(Clone, Debug, Args)]
pub struct ConnectionArgs {
    /// How long a connection without a request is kept, in seconds
    #[arg(long, value_name = "N", default_value_t = 30, env = "MULBERRY_SERVER_IDLE_SECONDS",
        value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub idle_seconds: u32,
    /// How long any connection but a live stream may last, in seconds
    #[arg(long, value_name = "N", default_value_t = 300, env = "MULBERRY_SERVER_CONNECTION_SECONDS",
        value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub connection_seconds: u32,
    /// Most connections from one address prefix on the public listener; a quarter of --max-connections by default
    #[arg(long, value_name = "N", env = "MULBERRY_SERVER_PEER_CONNECTIONS",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub peer_connections: Option<u32>,
    /// Bits of an IPv4 address that tell peers apart
    #[arg(long, value_name = "BITS", default_value_t = 32, env = "MULBERRY_SERVER_IPV4_PREFIX",
        value_parser = clap::value_parser!(u8).range(1..=32))]
    pub ipv4_prefix: u8,
    /// Bits of an IPv6 address that tell peers apart
    #[arg(long, value_name = "BITS", default_value_t = 56, env = "MULBERRY_SERVER_IPV6_PREFIX",
        value_parser = clap::value_parser!(u8).range(1..=128))]
    pub ipv6_prefix: u8,
    /// Address or network of a proxy or CDN, whose connections are not counted by prefix (repeats, or with commas)
    #[arg(long, value_name = "NET", value_delimiter = ',', env = "MULBERRY_SERVER_TRUSTED_PROXY", value_parser = network)]
    pub trusted_proxy: Vec<IpNet>,
}

impl ConnectionArgs {
    /// How long a connection without a request is kept.
    #[must_use]
    pub fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_seconds.into())
    }

    /// How long a connection may last.
    #[must_use]
    pub fn life(&self) -> Duration {
        Duration::from_secs(self.connection_seconds.into())
    }
}

/// `192.0.2.0/24`, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(IpNet::from).ok();
    let network = text.parse().ok().or_else(address).map(|network: IpNet| network.trunc());
    network.ok_or_else(|| "expected an address or a network, such as 192.0.2.7 or 2001:db8::/32".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_an_address_or_a_prefix() {
        for (text, read) in [
            ("192.0.2.7", Ok("192.0.2.7/32")),
            ("192.0.2.7/24", Ok("192.0.2.0/24")),
            ("2001:db8::1", Ok("2001:db8::1/128")),
            ("2001:db8:ffff::/32", Ok("2001:db8::/32")),
            ("192.0.2.7/33", Err(())),
            ("proxy.example", Err(())),
            ("", Err(())),
        ] {
            let found = network(text).map(|network| network.to_string()).map_err(drop);
            assert_eq!(found.as_deref(), read.as_ref().copied(), "{text:?}");
        }
    }
}
