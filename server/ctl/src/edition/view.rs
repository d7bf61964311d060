//! What is live, as this machine verifies it from its own root.
//!
//! A ceremony is how what has expired comes back to life, so nothing is refused here for its age: the workflow runs as if at
//! the beginning of time, and whoever signs is told what has expired. Signatures, hashes and versions are checked as ever, and
//! a server takes a ceremony only on exactly what it publishes.

use crate::{
    context::CommandContext,
    edition,
    failure::{Failure, FailureKind},
    origin::{Mirror, Source},
    output,
};
use jiff::Timestamp;
use mulberry_shared::{
    ceremony::Live,
    edition::{TrustState, Waiver},
    recipe::Lane,
    tuf::Verified,
};
use std::{collections::BTreeMap, path::Path};

/// An edition that was verified, and the bundle of it.
pub struct View {
    /// What was verified.
    pub state: TrustState,
    /// Its bytes, as a bundle.
    pub bundle: Vec<u8>,
}

impl View {
    /// What the origin publishes.
    ///
    /// # Errors
    /// Unreachable, or refused.
    pub async fn of_origin(context: &CommandContext) -> Result<Self, Failure> {
        let view = Self::quietly(context).await?;
        view.warn(context.now);
        Ok(view)
    }

    /// The same without a word about what has expired.
    ///
    /// # Errors
    /// As [`Self::of_origin`].
    pub async fn quietly(context: &CommandContext) -> Result<Self, Failure> {
        let endpoint = context.origin()?;
        output::progress(&format!("Fetching and verifying what {} publishes", endpoint.base()));
        Self::of(Source::Origin(&endpoint), context).await
    }

    /// What a mirror's folder or a bundle holds.
    ///
    /// # Errors
    /// It cannot be read, or is refused.
    pub async fn of_mirror(path: &Path, context: &CommandContext) -> Result<Self, Failure> {
        let mirror = Mirror::open(path, &context.limits)?;
        let view = Self::of(mirror.source(), context).await?;
        view.warn(context.now);
        Ok(view)
    }

    async fn of(source: Source<'_>, context: &CommandContext) -> Result<Self, Failure> {
        let pinned = context.pinned()?;
        let (bundle, state) =
            edition::collect(source, &pinned, Timestamp::UNIX_EPOCH, &context.limits).await?;
        Ok(Self { state, bundle: bundle.write() })
    }

    /// What a file carries, or, where an origin is named, what that publishes.
    ///
    /// # Errors
    /// There is none, or it is refused.
    pub async fn of_file(base: Option<&[u8]>, context: &CommandContext) -> Result<Self, Failure> {
        let found = edition::carried(base, Timestamp::UNIX_EPOCH, &Waiver::NONE, context)?;
        let (Some((_, state)), Some(bytes)) = (found, base) else { return Self::of_origin(context).await };
        let consequence = "The server takes the ceremony only if none was published since.";
        edition::warn_of_age(&state, consequence, context);
        let view = Self { state, bundle: bytes.to_vec() };
        view.warn(context.now);
        Ok(view)
    }

    /// The parts that ceremonies change.
    ///
    /// # Errors
    /// One is missing.
    pub fn live(&self) -> Result<Live<'_>, Failure> {
        let trusted = self.state.trusted();
        let role = |role: &str| -> Result<&Verified<_>, Failure> {
            trusted.targets(role).ok_or_else(|| {
                let sentence =
                    format!("{role} could not be verified, see the warning above. Nothing was signed.");
                Failure::refused(FailureKind::EditionRefused, sentence)
            })
        };
        let mut lanes = BTreeMap::new();
        for lane in Lane::ALL {
            lanes.insert(lane, role(lane.as_str())?);
        }
        Ok(Live { root: trusted.root(), targets: role("targets")?, lanes })
    }

    fn warn(&self, now: Timestamp) {
        for held in self.state.expiries().into_iter().filter(|held| held.expires <= now) {
            output::warn(&format!(
                "{} version {} expired {}: agents refuse it, unless this is an old edition.",
                held.role,
                held.version,
                output::distance(held.expires, now)
            ));
        }
    }
}
