//! The options of `run`, and what they say together.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::{ConnectionArgs, StateArgs};
use crate::capacity::LEAST_CONNECTIONS;

/// `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The state folder
    #[command(flatten)]
    pub state: StateArgs,
    /// Address of the public listener; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", env = "MULBERRY_SERVER_LISTEN")]
    pub listen: SocketAddr,
    /// Address of the operators' listener; anything but loopback needs a certificate
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "127.0.0.1:8081",
        env = "MULBERRY_SERVER_OPERATORS_LISTEN"
    )]
    pub operators_listen: SocketAddr,
    /// PEM file with the operators' listener's certificate chain
    #[arg(
        long,
        value_name = "FILE",
        requires = "operators_tls_key",
        env = "MULBERRY_SERVER_OPERATORS_TLS_CERTIFICATE"
    )]
    pub operators_tls_certificate: Option<PathBuf>,
    /// PEM file with its key (mode 0600)
    #[arg(
        long,
        value_name = "FILE",
        requires = "operators_tls_certificate",
        env = "MULBERRY_SERVER_OPERATORS_TLS_KEY"
    )]
    pub operators_tls_key: Option<PathBuf>,
    /// Most connections at once on the public listener; fewer where the process may not open files enough
    #[arg(long, value_name = "N", default_value_t = 800, env = "MULBERRY_SERVER_MAX_CONNECTIONS",
        value_parser = clap::value_parser!(u32).range(i64::from(LEAST_CONNECTIONS)..=1_000_000))]
    pub max_connections: u32,
    /// How long connections may last, and how many one peer may have
    #[command(flatten)]
    pub connections: ConnectionArgs,
}

/// How the operators' listener is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperatorsTransport {
    /// Plain HTTP, which never leaves this machine.
    Loopback,
    /// TLS with this certificate chain and key.
    Tls {
        /// PEM file of the chain.
        certificate: PathBuf,
        /// PEM file of the key.
        key: PathBuf,
    },
}

/// The operators' listener would carry tokens in the clear.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "--operators-listen {0} is not a loopback address, and tokens would cross the network in the clear; give \
     --operators-tls-certificate and --operators-tls-key, or listen on 127.0.0.1 and use a tunnel"
)]
pub struct InTheClear(SocketAddr);

impl RunArgs {
    /// How the operators' listener is protected.
    ///
    /// # Errors
    /// [`InTheClear`].
    pub fn operators_transport(&self) -> Result<OperatorsTransport, InTheClear> {
        match (&self.operators_tls_certificate, &self.operators_tls_key) {
            (Some(certificate), Some(key)) => {
                Ok(OperatorsTransport::Tls { certificate: certificate.clone(), key: key.clone() })
            }
            _ if self.operators_listen.ip().to_canonical().is_loopback() => Ok(OperatorsTransport::Loopback),
            _ => Err(InTheClear(self.operators_listen)),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::{Cli, Command};

    fn run(args: &[&str]) -> RunArgs {
        let line = ["mulberry-server", "run"].iter().chain(args);
        match Cli::try_parse_from(line).unwrap().command {
            Command::Run(run) => run,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn operators_are_never_served_in_the_clear_beyond_this_machine() {
        assert_eq!(run(&[]).operators_transport(), Ok(OperatorsTransport::Loopback));
        for loopback in ["[::1]:0", "127.9.9.9:1", "[::ffff:127.0.0.1]:1"] {
            assert!(run(&["--operators-listen", loopback]).operators_transport().is_ok(), "{loopback}");
        }
        for open in ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "[::ffff:192.0.2.1]:1"] {
            assert!(run(&["--operators-listen", open]).operators_transport().is_err(), "{open}");
            let tls = ["--operators-tls-certificate", "c", "--operators-tls-key", "k"];
            assert!(matches!(
                run(&[["--operators-listen", open].as_slice(), &tls].concat()).operators_transport(),
                Ok(OperatorsTransport::Tls { .. })
            ));
        }
    }
}
