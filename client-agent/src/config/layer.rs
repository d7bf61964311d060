//! What one source of settings says, and how sources lie over each other.

use std::path::{Path, PathBuf};

use super::origin;

/// Whether the user lets something happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Permission {
    /// It may happen.
    Allow,
    /// It may not.
    Refuse,
}

impl Permission {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Refuse => "refuse",
        }
    }
}

/// What is asked of the dates of a TLS certificate. Everything else about it is always verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum TlsDates {
    /// Nothing: TLS is there for privacy, and one expired certificate must not keep away the fix for another.
    #[default]
    AnyDate,
    /// They must hold now.
    Verify,
}

impl TlsDates {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AnyDate => "any-date",
            Self::Verify => "verify",
        }
    }
}

/// What one source of settings says; `None` (or empty) where it is silent.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Settings (each also as MULBERRY_AGENT_… and in agent.toml)")]
pub struct Layer {
    /// Where editions come from: an http or https address, or a folder with a static mirror (repeats)
    #[arg(long = "origin", value_name = "URL", env = "MULBERRY_AGENT_ORIGIN", hide_env_values = true)]
    pub origins: Vec<String>,
    /// What the TLS certificate of an https origin must be: any-date (default) forgives one that has expired, verify
    /// does not. What an origin sends is verified by its own signatures in either case
    #[arg(long, value_name = "CHOICE", env = "MULBERRY_AGENT_TLS", hide_env_values = true)]
    pub tls: Option<TlsDates>,
    /// File (PEM, DER or PKCS#7) with further roots for the TLS certificates of origins and proxies, beside the system's (repeats)
    #[arg(
        long = "extra-root",
        value_name = "FILE",
        env = "MULBERRY_AGENT_EXTRA_ROOT",
        hide_env_values = true
    )]
    pub extra_roots: Vec<PathBuf>,
    /// The folder of add-ons; it is only ever read
    #[arg(long, value_name = "DIR", env = "MULBERRY_AGENT_ADDONS", hide_env_values = true)]
    pub addons: Option<PathBuf>,
    /// A trust anchor of add-on signatures (repeats)
    #[arg(long = "anchor", value_name = "FILE", env = "MULBERRY_AGENT_ANCHOR", hide_env_values = true)]
    pub anchors: Vec<PathBuf>,
    /// Verification policy: firefox (default) or strict
    #[arg(long, value_name = "NAME", env = "MULBERRY_AGENT_POLICY", hide_env_values = true)]
    pub policy: Option<String>,
    /// Which signatures are needed, instead of what the policy says: pkcs7, pkcs7-cose-optional,
    /// cose-pkcs7-optional or cose
    #[arg(long, value_name = "MODE", env = "MULBERRY_AGENT_SIGNATURE", hide_env_values = true)]
    pub signature: Option<String>,
    /// Executable to run when something the host sees has changed; gets the event as JSON on standard input
    #[arg(long, value_name = "COMMAND", env = "MULBERRY_AGENT_HOOK", hide_env_values = true)]
    pub hook: Option<PathBuf>,
    /// Hours between two passes over all add-ons, 1 to 168 (default 24)
    #[arg(long, value_name = "N", env = "MULBERRY_AGENT_PASS_HOURS", hide_env_values = true)]
    pub pass_hours: Option<i64>,
    /// The daemon's longest wait between two polls in minutes, 1 to 1440 (default 15)
    #[arg(long, value_name = "N", env = "MULBERRY_AGENT_POLL_MINUTES", hide_env_values = true)]
    pub poll_minutes: Option<i64>,
    /// The product's version, like 66.0 or 60.6.2esr (default 0.0: older than any)
    #[arg(long, value_name = "VERSION", env = "MULBERRY_AGENT_VERSION", hide_env_values = true)]
    pub version: Option<String>,
    /// The product's channel, like release, beta or esr (default release)
    #[arg(long, value_name = "NAME", env = "MULBERRY_AGENT_CHANNEL", hide_env_values = true)]
    pub channel: Option<String>,
    /// Operating system (default: this one)
    #[arg(long, value_name = "NAME", env = "MULBERRY_AGENT_OS", hide_env_values = true)]
    pub os: Option<String>,
    /// Processor architecture (default: this one)
    #[arg(long, value_name = "NAME", env = "MULBERRY_AGENT_ARCH", hide_env_values = true)]
    pub arch: Option<String>,
    /// Language tag, like de-AT (default from LC_ALL, LC_MESSAGES or LANG, else en-US)
    #[arg(long, value_name = "TAG", env = "MULBERRY_AGENT_LOCALE", hide_env_values = true)]
    pub locale: Option<String>,
    /// Country, like DE (default unknown)
    #[arg(long, value_name = "CODE", env = "MULBERRY_AGENT_COUNTRY", hide_env_values = true)]
    pub country: Option<String>,
    /// Distribution of the product (default unknown)
    #[arg(long, value_name = "NAME", env = "MULBERRY_AGENT_DISTRIBUTION", hide_env_values = true)]
    pub distribution: Option<String>,
    /// Ring for staged delivery, like test (default none)
    #[arg(long, value_name = "NAME", env = "MULBERRY_AGENT_RING", hide_env_values = true)]
    pub ring: Option<String>,
    /// Hotfixes and security changes (default allow)
    #[arg(long, value_name = "CHOICE", env = "MULBERRY_AGENT_UPDATES", hide_env_values = true)]
    pub updates: Option<Permission>,
    /// Messages to the user (default allow)
    #[arg(long, value_name = "CHOICE", env = "MULBERRY_AGENT_MESSAGES", hide_env_values = true)]
    pub messages: Option<Permission>,
    /// Studies (default refuse)
    #[arg(long, value_name = "CHOICE", env = "MULBERRY_AGENT_STUDIES", hide_env_values = true)]
    pub studies: Option<Permission>,
}

impl Layer {
    /// This layer where it speaks, else the one below.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        Self {
            origins: if self.origins.is_empty() { below.origins } else { self.origins },
            tls: self.tls.or(below.tls),
            extra_roots: if self.extra_roots.is_empty() { below.extra_roots } else { self.extra_roots },
            addons: self.addons.or(below.addons),
            anchors: if self.anchors.is_empty() { below.anchors } else { self.anchors },
            policy: self.policy.or(below.policy),
            signature: self.signature.or(below.signature),
            hook: self.hook.or(below.hook),
            pass_hours: self.pass_hours.or(below.pass_hours),
            poll_minutes: self.poll_minutes.or(below.poll_minutes),
            version: self.version.or(below.version),
            channel: self.channel.or(below.channel),
            os: self.os.or(below.os),
            arch: self.arch.or(below.arch),
            locale: self.locale.or(below.locale),
            country: self.country.or(below.country),
            distribution: self.distribution.or(below.distribution),
            ring: self.ring.or(below.ring),
            updates: self.updates.or(below.updates),
            messages: self.messages.or(below.messages),
            studies: self.studies.or(below.studies),
        }
    }

    /// Resolves relative paths against `folder`.
    #[must_use]
    pub fn relative_to(mut self, folder: &Path) -> Self {
        let files = self.addons.iter_mut().chain(&mut self.anchors).chain(&mut self.hook);
        for path in files.chain(&mut self.extra_roots) {
            *path = folder.join(&*path);
        }
        for origin in &mut self.origins {
            *origin = origin::resolve(origin, folder);
        }
        self
    }
}
