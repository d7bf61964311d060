//! `ledger continue` and `ledger sign`: people say that a new ledger continues a lost one.

use crate::{
    context::CommandContext,
    failure::{Failure, FailureKind},
    files::{self, Existing},
    keys,
    origin::{Mirror, Source},
    output,
    signable::check_unaltered,
};
use jiff::Unit;
use mulberry_shared::{
    bundle,
    edition::{OnlineRole, Waiver},
    exit::Exit,
    ledger::continuation::{Continuation, ContinuationFile, ROLE, Statement},
    operators::{Base64, ProblemKind},
    tuf::{Root, TrustError},
};
use serde_json::json;
use std::path::Path;

/// Writes what people sign.
///
/// # Errors
/// The mirror cannot be read or is refused, or its timestamp names no link.
pub(super) async fn make(
    from: Option<&Path>,
    reason: &str,
    out: &Path,
    context: &CommandContext,
) -> Result<Exit, Failure> {
    let (now, limits) = (context.now, &context.limits);
    files::check_place(out, Existing::Refuse).map_err(|error| files::unwritable(out, &error))?;
    let pinned = context.pinned()?;
    let mirror = from.map(|path| Mirror::open(path, limits)).transpose()?;
    let endpoint = context.origin()?;
    // What a lost server signed may have expired.
    let (source, waiver) = match &mirror {
        Some(mirror) => (mirror.source(), Waiver::of(OnlineRole::ALL)),
        None => (Source::Origin(&endpoint), Waiver::NONE),
    };
    let (state, report) = source.refresh(pinned, now, waiver, limits).await;
    if let Some(error) = bundle::fault(&report) {
        return Err(source.failure(error));
    }
    let timestamp = state.trusted().timestamp();
    if let Some(expired) = timestamp.filter(|timestamp| timestamp.expires <= now) {
        let (at, away) = (output::instant(expired.expires), output::distance(expired.expires, now));
        output::warn(&format!(
            "this mirror's timestamp expired at {at} ({away}); use a newer mirror if there is one."
        ));
    }
    let head = timestamp.and_then(|timestamp| timestamp.ledger).and_then(|ledger| ledger.witness()).ok_or_else(|| {
        Failure::no(FailureKind::NoLink, "Its timestamp names no link of a ledger, so no agent watches it and nothing needs to be continued.")
    })?;
    let at = now.round(Unit::Second).unwrap_or(now);
    let statement = Statement { previous: head, reason: reason.to_owned(), at };
    let continuation = Continuation::new(statement, limits)
        .map_err(|error| Failure::usage(FailureKind::ContinuationUnreadable, format!("{error}.")))?;
    let root = state.trusted().root();
    // The first root is everybody's own: nothing but the pinning vouches for it.
    let mut roots = source.roots_before(root.version, limits).await?.split_off(&2);
    if root.version > 1 {
        roots.insert(root.version, root.bytes().to_vec());
    }
    let roots = roots.into_iter().map(|(version, bytes)| (version, Base64(bytes))).collect();
    let file = ContinuationFile { continuation, roots };
    files::write_whole(out, &file.write(), Existing::Refuse)
        .map_err(|error| files::unwritable(out, &error))?;
    context.format.say(&file.continuation.statement.describe())?;
    told(&file.continuation, root, out, context)
}

/// Signs it.
///
/// # Errors
/// The file cannot be read, the key is none of targets', or nobody agrees.
pub(super) fn sign(file: &Path, key: &Path, yes: bool, context: &CommandContext) -> Result<Exit, Failure> {
    let (limits, mut passphrases) = (&context.limits, context.passphrases()?);
    let unreadable = |why: String| {
        Failure::usage(FailureKind::ContinuationUnreadable, format!("{}: {why}.", file.display()))
    };
    let pinned = context.pinned()?;
    let refused = |error: TrustError| Failure::refused(error.kind, format!("{}: {error}.", file.display()));
    let bytes = files::read_bounded(file, limits.ledger.continuation_file_bytes as u64)
        .map_err(|error| unreadable(error.to_string()))?;
    let mut passed = ContinuationFile::read(&bytes, limits).map_err(|error| unreadable(error.to_string()))?;
    let root = passed.newest_root(pinned.trusted().root(), limits).map_err(refused)?;
    let continuation = &mut passed.continuation;
    check_unaltered(continuation.broken(&root, limits))?;
    let signing = continuation.signing(&root, limits).map_err(refused)?;
    context.format.say(&format!("{}{}.", continuation.statement.describe(), first(&signing.describe())))?;
    let authority = root.authority(ROLE).map_err(refused)?;
    let signer = keys::open(key, &mut passphrases)?;
    let public = signer.key().public();
    let own = |keyid: &mulberry_shared::tuf::KeyId| {
        authority.keys.get(keyid).is_some_and(|key| key.public() == public)
    };
    if signing.signed.iter().any(|signed| own(&signed.keyid)) {
        return Err(Failure::no(
            ProblemKind::AlreadySigned,
            "This key has signed it already, and one person signs once.",
        ));
    }
    if !authority.role_keys.keyids.iter().any(own) {
        return Err(Failure::usage(
            FailureKind::KeyOfAnotherRole,
            format!(
                "{}: the key is none of targets' in version {} of the root. Give people/NAME/targets.pem.",
                key.display(),
                root.version
            ),
        ));
    }
    output::agree(yes, "Sign it?", "signed")?;
    continuation.sign(authority, signer.as_ref()).map_err(refused)?;
    files::write_whole(file, &passed.write(), Existing::Replace)
        .map_err(|error| files::unwritable(file, &error))?;
    told(&passed.continuation, &root, file, context)
}

fn told(
    continuation: &Continuation,
    root: &Root,
    file: &Path,
    context: &CommandContext,
) -> Result<Exit, Failure> {
    let signing = continuation
        .signing(root, &context.limits)
        .map_err(|error| Failure::refused(error.kind, format!("{error}.")))?;
    let shown = file.display();
    let next = match signing.missing() {
        0 => format!(
            "mulberry-server rebuild --from MIRROR --root root.json --continues {shown} --keys DIR --state NEW"
        ),
        _ => format!("mulberryctl ledger sign {shown} --key people/NAME/targets.pem"),
    };
    context.format.print(
        || format!("Written to {shown}: {}.\nNext: {next}", signing.describe()),
        || {
            let signed: Vec<&str> = signing.signed.iter().map(|key| key.holder.as_str()).collect();
            json!({"file": shown.to_string(), "id": continuation.statement.id(), "continues": continuation.statement.previous,
                "reason": continuation.statement.reason, "signed": signed, "missing": signing.missing(), "next": next})
        },
    )?;
    Ok(Exit::Yes)
}

fn first(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |letter| letter.to_uppercase().chain(rest).collect())
}
