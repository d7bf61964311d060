//! Recipes for the laboratory: one that helps, one that harms.

use jiff::{SignedDuration, Timestamp};
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::recipe::{
    Action, ConsentKind, DistrustCertificates, DistrustEntry, InstallCertificates, OnEnd, Opens, Recipe,
    RecipePath, Rollout, SCHEMA_VERSION,
};
use mulberry_shared::sampling::BasisPoints;
use mulberry_shared::targeting::Targeting;
use mulberry_shared::x509::Certificate;

/// Installs these certificates on every client.
#[must_use]
pub fn install(path: &RecipePath, certificates: &[Certificate], now: Timestamp) -> Recipe {
    recipe(
        path,
        Action::InstallCertificates(InstallCertificates { certificates: certificates.to_vec() }),
        now,
    )
}

/// Distrusts the certificates of these keys on every client.
#[must_use]
pub fn distrust(path: &RecipePath, keys: &[Sha256Digest], now: Timestamp) -> Recipe {
    let by = keys.iter().copied().map(DistrustEntry::Spki).collect();
    recipe(path, Action::DistrustCertificates(DistrustCertificates { by }), now)
}

fn recipe(path: &RecipePath, action: Action, now: Timestamp) -> Recipe {
    Recipe {
        schema_version: SCHEMA_VERSION,
        slug: path.slug.clone(),
        revision: 1,
        name: format!("Laboratory: {}", action.kind().as_str()),
        lane: path.lane,
        consent: ConsentKind::Security,
        opens: Opens::Server,
        action,
        capabilities: Vec::new(),
        targeting: Targeting::default(),
        rollout: Rollout {
            namespace: path.slug.to_string(),
            max_percent: BasisPoints::EVERYONE,
            plan: Vec::new(),
        },
        starts: None,
        expires: now.saturating_add(SignedDuration::from_hours(60 * 24)).unwrap_or(now),
        on_end: OnEnd::Keep,
        comment: None,
    }
}
