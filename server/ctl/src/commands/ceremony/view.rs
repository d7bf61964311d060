//! What is live, as this machine verifies it from its own root.
//!
//! A ceremony is how what has expired comes back to life, so nothing is refused here for its age: the workflow runs as if at
//! the beginning of time, and whoever signs is told what has expired. Signatures, hashes and versions are checked as ever, and
//! a server takes a ceremony only on exactly what it publishes.

use super::Around;
use crate::{
    commands::bundle,
    config,
    failure::{Failure, FailureKind},
    http::{Endpoint, Purpose},
    origin::{self, Mirror, Source},
    output,
};
use jiff::Timestamp;
use mulberry_shared::{
    bundle::Bundle,
    ceremony::Live,
    edition::{TrustState, Waiver},
    recipe::Lane,
    tuf::Verified,
};
use std::{collections::BTreeMap, path::Path};

/// An edition that was verified, and the bundle of it.
pub(in crate::commands) struct View {
    pub(in crate::commands) state: TrustState,
    pub(in crate::commands) bundle: Vec<u8>,
}

impl View {
    /// What the origin publishes.
    ///
    /// # Errors
    /// Unreachable, or refused.
    pub(in crate::commands) async fn of_origin(around: &Around<'_>) -> Result<Self, Failure> {
        let view = Self::quietly(around).await?;
        view.warn(around.now);
        Ok(view)
    }

    /// The same without a word about what has expired.
    ///
    /// # Errors
    /// As [`Self::of_origin`].
    pub(in crate::commands) async fn quietly(around: &Around<'_>) -> Result<Self, Failure> {
        let endpoint = Endpoint::new(&around.settings.origin.value, Purpose::PublicDocuments)?;
        output::progress(&format!("Fetching and verifying what {} publishes", endpoint.base()));
        Self::of(Source::Origin(&endpoint), around).await
    }

    /// What a mirror's folder or a bundle holds.
    ///
    /// # Errors
    /// It cannot be read, or is refused.
    pub(in crate::commands) async fn of_mirror(path: &Path, around: &Around<'_>) -> Result<Self, Failure> {
        let mirror = Mirror::open(path, around.limits)?;
        let view = Self::of(mirror.source(), around).await?;
        view.warn(around.now);
        Ok(view)
    }

    async fn of(source: Source<'_>, around: &Around<'_>) -> Result<Self, Failure> {
        let pinned = origin::pinned(around.settings.root()?, around.limits)?;
        let (bundle, state) = bundle::collect(source, &pinned, Timestamp::UNIX_EPOCH, around.limits).await?;
        Ok(Self { state, bundle: bundle.write() })
    }

    /// What a file carries, or, where an origin is named, what that publishes.
    ///
    /// # Errors
    /// There is none, or it is refused.
    pub(in crate::commands) async fn of_file(
        base: Option<&[u8]>,
        around: &Around<'_>,
    ) -> Result<Self, Failure> {
        if around.settings.origin.source == config::Source::Flag {
            return Self::of_origin(around).await;
        }
        let Some(bytes) = base else {
            return Err(Failure::usage(
                FailureKind::NoEdition,
                "The file carries no edition to compare with. Name an origin with --origin URL, or have it made with --out.",
            ));
        };
        let pinned = origin::pinned(around.settings.root()?, around.limits)?;
        let refused = |what: String| {
            Failure::refused(
                FailureKind::EditionRefused,
                format!(
                    "The edition in the file is refused: {what}. Nothing was signed. Check --root, or use --origin URL."
                ),
            )
        };
        let bundle =
            Bundle::read(bytes, &around.limits.bundle).map_err(|error| refused(error.to_string()))?;
        let (state, _) = bundle
            .take(&pinned, Timestamp::UNIX_EPOCH, &Waiver::NONE, around.limits)
            .map_err(|unfit| refused(unfit.to_string()))?;
        let signed = state.edition(around.limits).and_then(|edition| edition.signed_at);
        let age = signed.map_or_else(
            || "at an unknown time".to_owned(),
            |at| format!("{} ({})", output::instant(at), output::distance(at, around.now)),
        );
        output::warn(&format!(
            "without a network this is compared with the edition in the file, which the server signed {age}. The server takes the \
             ceremony only if none was published since."
        ));
        let view = Self { state, bundle: bytes.to_vec() };
        view.warn(around.now);
        Ok(view)
    }

    /// The parts that ceremonies change.
    ///
    /// # Errors
    /// One is missing.
    pub(in crate::commands) fn live(&self) -> Result<Live<'_>, Failure> {
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
