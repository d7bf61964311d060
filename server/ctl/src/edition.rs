//! The current edition, verified from this machine's own root.
//!
//! | module | what |
//! |---|---|
//! | `view` | what a ceremony is compared with, whatever has expired |

pub mod view;

use crate::{
    config,
    context::CommandContext,
    failure::{Failure, FailureKind},
    origin::{self, Source},
    output,
};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use mulberry_shared::{
    bundle::{self, Bundle},
    edition::{Refresh, TrustState, Waiver},
    limits::Limits,
    tuf::{Next, Reply, location},
};
use std::collections::BTreeMap;

/// Everything that a client with any root needs, as the origin served it, and what it comes to.
///
/// # Errors
/// The source cannot be read, or what it serves is refused.
pub async fn collect(
    source: impl Into<Source<'_>>,
    pinned: &TrustState,
    now: Timestamp,
    limits: &Limits,
) -> Result<(Bundle, TrustState), Failure> {
    let source = source.into();
    let bar = progress_bar();
    let mut entries = BTreeMap::new();
    let mut refresh = Refresh::start(pinned.clone(), now, limits);
    while let Next::Fetch(wanted) = refresh.next() {
        bar.set_message(wanted.path.clone());
        let reply = source.fetch(&wanted).await;
        if let Reply::Bytes(bytes) = &reply {
            entries.insert(wanted.path, bytes.clone());
            bar.inc(1);
        }
        refresh.supply(reply);
    }
    let (state, report) = refresh.finish();
    if let Some(error) = bundle::fault(&report) {
        bar.finish_and_clear();
        return Err(source.failure(error));
    }
    older_roots(source, pinned, &mut entries, limits).await?;
    bar.finish_and_clear();
    origin::warn_of_withheld(&report);
    // One lane's own affair: the edition is published like that, and agents take the rest of it.
    for error in report.errors() {
        output::warn(&error.to_string());
    }
    let bundle = Bundle::new(entries, &limits.bundle)
        .map_err(|error| Failure::no(FailureKind::NoBundle, format!("{error}.")))?;
    Ok((bundle, state))
}

/// The pinned root and all before it, as far back as the origin goes.
async fn older_roots(
    source: Source<'_>,
    pinned: &TrustState,
    entries: &mut BTreeMap<String, Vec<u8>>,
    limits: &Limits,
) -> Result<(), Failure> {
    let path = |version| location::metadata("root", Some(version));
    let root = pinned.trusted().root();
    entries.insert(path(root.version), root.bytes().to_vec());
    let mut oldest = root.version;
    for (version, bytes) in source.roots_before(root.version, limits).await? {
        oldest = oldest.min(version);
        entries.insert(path(version), bytes);
    }
    if let Some(missing) = oldest.checked_sub(1).filter(|version| *version > 0) {
        output::warn(&format!(
            "{source} has no {}: clients that know only an older root cannot import this bundle.",
            path(missing)
        ));
    }
    Ok(())
}

/// The edition that a file carries, and what it comes to; `None` where an origin named on the command line counts instead.
///
/// # Errors
/// There is none in it, or it is refused.
pub fn carried(
    base: Option<&[u8]>,
    now: Timestamp,
    waiver: &Waiver,
    context: &CommandContext,
) -> Result<Option<(Bundle, TrustState)>, Failure> {
    if context.settings()?.origin.source == config::Source::Flag {
        return Ok(None);
    }
    let Some(bytes) = base else {
        return Err(Failure::usage(
            FailureKind::NoEdition,
            "The file carries no edition to compare with. Name an origin with --origin URL, or have it made with --out.",
        ));
    };
    let pinned = context.pinned()?;
    let refused = |what: String| {
        Failure::refused(
            FailureKind::EditionRefused,
            format!(
                "The edition in the file is refused: {what}. Nothing was signed. Check --root, or use --origin URL."
            ),
        )
    };
    let bundle = Bundle::read(bytes, &context.limits.bundle).map_err(|error| refused(error.to_string()))?;
    let (state, _) =
        bundle.take(&pinned, now, waiver, &context.limits).map_err(|unfit| refused(unfit.to_string()))?;
    Ok(Some((bundle, state)))
}

/// Says how old the edition in a file is, and what that comes to.
pub fn warn_of_age(state: &TrustState, consequence: &str, context: &CommandContext) {
    let signed = state.edition(&context.limits).and_then(|edition| edition.signed_at);
    let age = signed.map_or_else(
        || "at an unknown time".to_owned(),
        |at| format!("{} ({})", output::instant(at), output::distance(at, context.now)),
    );
    output::warn(&format!(
        "without a network this is compared with the edition in the file, which the server signed {age}. {consequence}"
    ));
}

/// Shown on a terminal only (standard error). How many files there will be is known only near the end.
fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {pos} files, {elapsed}: {msg}");
    ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}
