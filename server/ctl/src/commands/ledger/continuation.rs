//! `ledger continue` and `ledger sign`: people say that a new ledger continues a lost one.

use crate::{
    commands::publish,
    config::Settings,
    failure::{Failure, FailureKind},
    files::{self, Existing},
    http::{Endpoint, Purpose},
    keys, origin,
    output::{self, Format},
    passphrase::Passphrases,
};
use jiff::{Timestamp, Unit};
use mulberry_shared::{
    bundle::{self, Bundle},
    exit::Exit,
    ledger::continuation::{Continuation, ROLE, Statement},
    limits::Limits,
    operators::ProblemKind,
    trust::{Fetch, Next, OnlineRole, Refresh, RefreshReport, Reply, TrustState, Waiver},
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
    settings: &Settings,
    now: Timestamp,
    format: Format,
    limits: &Limits,
) -> Result<Exit, Failure> {
    files::check_place(out, Existing::Refuse).map_err(|error| files::unwritable(out, &error))?;
    let pinned = origin::pinned(settings.root()?, limits)?;
    let (state, report, failure) = match from {
        Some(path) => {
            let (state, report) = read(path, pinned, now, limits)?;
            let name = path.display().to_string();
            (
                state,
                report,
                Failure::refused(FailureKind::EditionRefused, format!("The edition in {name} is refused")),
            )
        }
        None => {
            let endpoint = Endpoint::new(&settings.origin.value, Purpose::PublicDocuments)?;
            let (state, report) = origin::refresh(&endpoint, pinned, now, limits).await;
            if let Some(error) = bundle::fault(&report) {
                return Err(origin::failure(&endpoint, error));
            }
            (state, report, Failure::refused(FailureKind::EditionRefused, "The edition is refused"))
        }
    };
    if let Some(error) = bundle::fault(&report) {
        return Err(Failure {
            sentence: format!("{}: {error}. Check --root and --from.", failure.sentence),
            ..failure
        });
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
    files::write_whole(out, &continuation.write(), Existing::Refuse)
        .map_err(|error| files::unwritable(out, &error))?;
    told(&continuation, &state, out, format, limits)
}

/// Signs it.
///
/// # Errors
/// The file cannot be read, the key is none of targets', or nobody agrees.
pub(super) fn sign(
    file: &Path,
    key: &Path,
    yes: bool,
    settings: &Settings,
    passphrases: &mut Passphrases,
    format: Format,
    limits: &Limits,
) -> Result<Exit, Failure> {
    let unreadable = |why: String| {
        Failure::usage(FailureKind::ContinuationUnreadable, format!("{}: {why}.", file.display()))
    };
    let state = origin::pinned(settings.root()?, limits)?;
    let root = state.trusted().root();
    let refused =
        |error: mulberry_shared::trust::TrustError| Failure::refused(error.kind, format!("{error}."));
    let bytes = files::read_bounded(file, limits.ledger.continues_bytes as u64)
        .map_err(|error| unreadable(error.to_string()))?;
    let mut continuation =
        Continuation::read(&bytes, limits).map_err(|error| unreadable(error.to_string()))?;
    let signing = continuation.signing(root, limits).map_err(refused)?;
    publish::say(format, &format!("{}{}.", continuation.statement.describe(), first(&signing.describe())))?;
    let authority = root.authority(ROLE).map_err(refused)?;
    let signer = keys::open(key, passphrases)?;
    let public = signer.key().public();
    let own = |keyid: &mulberry_shared::trust::KeyId| {
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
            format!("{}: the key is none of targets'. Give people/NAME/targets.pem.", key.display()),
        ));
    }
    publish::agree(yes, "Sign it?", "signed")?;
    continuation.sign(authority, signer.as_ref()).map_err(refused)?;
    files::write_whole(file, &continuation.write(), Existing::Replace)
        .map_err(|error| files::unwritable(file, &error))?;
    told(&continuation, &state, file, format, limits)
}

fn told(
    continuation: &Continuation,
    state: &TrustState,
    file: &Path,
    format: Format,
    limits: &Limits,
) -> Result<Exit, Failure> {
    let signing = continuation
        .signing(state.trusted().root(), limits)
        .map_err(|error| Failure::refused(error.kind, format!("{error}.")))?;
    let shown = file.display();
    let next = match signing.missing() {
        0 => format!(
            "mulberry-server rebuild --from MIRROR --root root.json --continues {shown} --keys DIR --state NEW"
        ),
        _ => format!("mulberryctl ledger sign {shown} --key people/NAME/targets.pem"),
    };
    format.print(
        || format!("{}Written to {shown}: {}.\nNext: {next}", continuation.statement.describe(), signing.describe()),
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

/// The edition in a mirror's folder or in a bundle. What the server signed may have expired: it is lost.
fn read(
    path: &Path,
    pinned: TrustState,
    now: Timestamp,
    limits: &Limits,
) -> Result<(TrustState, RefreshReport), Failure> {
    let unreadable = |error: String| {
        Failure::usage(
            FailureKind::EditionUnreadable,
            format!("{}: {error}. Give a mirror's folder or a bundle.", path.display()),
        )
    };
    let bundle = match path.is_dir() {
        true => None,
        false => {
            let bytes = files::read_bounded(path, limits.bundle.bytes as u64)
                .map_err(|error| unreadable(error.to_string()))?;
            Some(Bundle::read(&bytes, &limits.bundle).map_err(|error| unreadable(error.to_string()))?)
        }
    };
    let get = |fetch: &Fetch| match &bundle {
        Some(bundle) => bundle.get(&fetch.path).map_or(Reply::Absent, |bytes| Reply::Bytes(bytes.to_vec())),
        None if fetch.path.split('/').any(|part| part.is_empty() || part.starts_with('.')) => Reply::Absent,
        None => match files::read_bounded(&path.join(&fetch.path), fetch.max_bytes) {
            Ok(bytes) => Reply::Bytes(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Reply::Absent,
            Err(error) => Reply::Failed(error.to_string()),
        },
    };
    let mut refresh = Refresh::start(pinned, now, limits).waiving(Waiver::of(OnlineRole::ALL));
    while let Next::Fetch(fetch) = refresh.next() {
        refresh.supply(get(&fetch));
    }
    Ok(refresh.finish())
}
