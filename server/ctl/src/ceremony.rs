//! Ceremonies: changes of keys, made, shown, signed and handed on.
//!
//! Before and after is computed here, from the bytes to be signed, against what this machine verified from its own root.
//!
//! | module | what |
//! |---|---|
//! | `failures` | what is told when one cannot be planned, read, signed or published |
//! | `signers` | people's keys that may sign a part |
//! | `steps` | what several commands take, and the steps that it comes to |

mod failures;
mod signers;
pub mod steps;

use crate::{
    context::CommandContext,
    edition::view::View,
    failure::{Failure, FailureKind},
    files::{self, Existing},
    keys::PersonKey,
    operators::Operators,
    output,
    passphrase::Passphrases,
    signable::check_unaltered,
};
use mulberry_shared::{
    answer::plain,
    ceremony::{
        Ceremony, Demanded, Live, Lone, Step, Unfit,
        plan::{self, Kept},
        words::{heading, unmet},
    },
    exit::Exit,
    operators::{CeremonyRequest, CeremonyResponse, CeremonyStatus, ProposalOutcome},
    proposal::{self, Role},
    tuf::Person,
};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use failures::{not_planned, trust, unfit, unreadable, unwritable};
use steps::{Accept, Held};

/// Makes the ceremony, shows it, asks, signs it where keys are given, and hands it on.
///
/// # Errors
/// Whatever stands in the way, before anything has changed; or the server's refusal.
pub async fn propose(
    steps: &[Step],
    held: &Held,
    context: &CommandContext,
    passphrases: &mut Passphrases,
) -> Result<Exit, Failure> {
    let limits = &context.limits;
    // Found out now rather than after people have typed passphrases.
    let server = match &held.out {
        None => Some(context.server()?),
        Some(out) => {
            files::check_place(out, Existing::Refuse).map_err(|error| unwritable(out, &error.to_string()))?;
            None
        }
    };
    let view = match &held.from {
        None => View::of_origin(context).await?,
        Some(path) => View::of_mirror(path, context).await?,
    };
    let live = view.live()?;
    let lone = if held.accept == Some(Accept::OnePersonAlone) { Lone::OnePersonAlone } else { Lone::Refuse };
    let mut ceremony = plan::make(&live, steps, lone, context.now, limits).map_err(not_planned)?;
    show(&ceremony, &live, context)?;
    warn_of_kept(&plan::kept(&live, steps).map_err(trust)?);
    let keys = signers::load(&held.key, &ceremony, &live, limits, passphrases)?;
    let question = if keys.is_empty() { "Propose this?" } else { "Propose this, and sign it?" };
    output::agree(held.yes, question, "proposed")?;
    sign_with(&mut ceremony, &live, &keys)?;
    match (&held.out, server) {
        (Some(out), _) => {
            let ceremony = ceremony.on(view.bundle.clone());
            write(out, &ceremony, Existing::Refuse)?;
            if let Some(tokens) = of_tokens(&leaving(&ceremony, &live)?).strip_prefix('\n') {
                output::warn(tokens);
            }
            in_file(&ceremony, out, &live, context)
        }
        (None, Some(server)) => hand_in(&server, &ceremony, &leaving(&ceremony, &live)?, context).await,
        (None, None) => Err(Failure::usage(FailureKind::Internal, "Give --server URL or --out FILE.")),
    }
}

/// Whoever was robbed or leaves mostly loses every key, and a command without `--role` takes few.
fn warn_of_kept(kept: &[Kept]) {
    for Kept { person, lost, kept } in kept {
        let names: Vec<&str> = kept.iter().map(|role| role.as_str()).collect();
        let options: String = lost.union(kept).map(|role| format!(" --role {role}")).collect();
        output::warn(&format!(
            "{person} keeps the keys of {}. If they were lost or stolen too, or {person} leaves, take them all in one step:{options}",
            names.join(", ")
        ));
    }
}

/// `sign`, of a ceremony on the server (`file` is `None`) or in a file.
///
/// # Errors
/// Whatever is not as it should be, before anything is signed; or the server's refusal.
pub async fn sign(
    ceremony: Ceremony,
    file: Option<&Path>,
    keys: &[PathBuf],
    yes: bool,
    context: &CommandContext,
    passphrases: &mut Passphrases,
) -> Result<Exit, Failure> {
    let view = match file {
        None => View::of_origin(context).await?,
        Some(_) => View::of_file(ceremony.base(), context).await?,
    };
    let live = view.live()?;
    ceremony.check(&live, &context.limits).map_err(unfit)?;
    ceremony.check_unexpired(context.now).map_err(|error| unfit(Unfit::Metadata(error)))?;
    check_unaltered(ceremony.broken(&live, &context.limits))?;
    // Signatures of keys that do not count are left out here, whoever put them there.
    let base = ceremony.base().map(<[u8]>::to_vec);
    let mut ceremony = ceremony.merged(&ceremony, &live, &context.limits).map_err(unreadable)?;
    show(&ceremony, &live, context)?;
    let id = proposal::shown(&ceremony.id());
    let progress = ceremony.progress(&live, &context.limits).map_err(trust)?;
    context.format.say(&format!("Ceremony {id}\n{progress}"))?;
    let keys = signers::load(keys, &ceremony, &live, &context.limits, passphrases)?;
    output::agree(yes, &format!("Sign ceremony {id}?"), "signed")?;
    sign_with(&mut ceremony, &live, &keys)?;
    let Some(file) = file else {
        let leaving = leaving(&ceremony, &live)?;
        return hand_in(&context.server()?, &ceremony, &leaving, context).await;
    };
    let ceremony = match base {
        Some(base) => ceremony.on(base),
        None => ceremony,
    };
    write(file, &ceremony, Existing::Replace)?;
    in_file(&ceremony, file, &live, context)
}

/// `submit`, of a ceremony in a file or on the server.
///
/// # Errors
/// The server refuses.
pub async fn submit(ceremony: Ceremony, context: &CommandContext) -> Result<Exit, Failure> {
    // Who proposed it and who signed it last were told whose tokens it is about.
    hand_in(&context.server()?, &ceremony.without_base(), &BTreeSet::new(), context).await
}

fn show(ceremony: &Ceremony, live: &Live<'_>, context: &CommandContext) -> Result<(), Failure> {
    context.format.say(&ceremony.describe(live, context.now).map_err(trust)?)
}

fn sign_with(ceremony: &mut Ceremony, live: &Live<'_>, keys: &[PersonKey]) -> Result<(), Failure> {
    keys.iter().try_for_each(|key| ceremony.sign(live, key.as_ref()).map(drop).map_err(trust))
}

fn write(path: &Path, ceremony: &Ceremony, existing: Existing) -> Result<(), Failure> {
    let bytes = ceremony.write().map_err(|error| unwritable(path, &error.to_string()))?;
    files::write_whole(path, &bytes, existing).map_err(|error| unwritable(path, &error.to_string()))
}

fn leaving(ceremony: &Ceremony, live: &Live<'_>) -> Result<BTreeSet<Person>, Failure> {
    ceremony.leaving(live).map_err(trust)
}

/// What a ceremony does not take from those who lose a key.
fn of_tokens(leaving: &BTreeSet<Person>) -> String {
    if leaving.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = leaving.iter().map(Person::as_str).collect();
    format!(
        "\nTokens are no keys: those of {} still work, and nobody has to sign to end them. On the server: \
         mulberry-server token list --state STATE, then for each of theirs mulberry-server token revoke NAME --state STATE",
        names.join(", ")
    )
}

async fn hand_in(
    server: &Operators,
    ceremony: &Ceremony,
    leaving: &BTreeSet<Person>,
    context: &CommandContext,
) -> Result<Exit, Failure> {
    let request = CeremonyRequest { ceremony: ceremony.clone().without_base().document() };
    let response = server.submit_ceremony(&request).await?;
    context.format.print(
        || words(&response, ceremony) + &of_tokens(leaving),
        || {
            let mut json = serde_json::json!(response);
            if let (Some(object), Some(status)) = (json.as_object_mut(), &response.ceremony) {
                object.insert("next".to_owned(), next(status).into());
            }
            if let Some(object) = json.as_object_mut() {
                object.insert("tokens_to_revoke_of".to_owned(), serde_json::json!(leaving));
            }
            json
        },
    )?;
    Ok(Exit::Yes)
}

fn words(response: &CeremonyResponse, ceremony: &Ceremony) -> String {
    match (response.outcome, &response.ceremony) {
        (ProposalOutcome::Waiting, Some(status)) => format!(
            "\nWAITING: ceremony {}\n{}\nNothing has changed yet. Next, one of them: {}",
            proposal::shown(&status.id),
            so_far(status).join("\n"),
            next(status)
        ),
        _ => {
            let parts: Vec<String> = ceremony
                .parts()
                .iter()
                .map(|(role, part)| format!("{role} version {}", part.version()))
                .collect();
            let mut text = format!(
                "\nPublished: {}; edition {}, ledger {}. Agents follow with their next refresh; nobody reinstalls anything.",
                parts.join(", "),
                response.edition,
                response.ledger.sequence
            );
            for closed in &response.closed {
                text.push_str(&format!("\nCLOSED: {}", plain(closed)));
            }
            text
        }
    }
}

/// Who has signed which part, as the server says it.
pub fn so_far(status: &CeremonyStatus) -> Vec<String> {
    let line = |part: &mulberry_shared::operators::CeremonyPart| {
        let twice = status.parts.iter().filter(|other| other.role == part.role).count() > 1;
        let whose = match (twice, part.by_present_keys) {
            (true, true) => ", by its present keys",
            (true, false) => ", by its next keys",
            (false, _) => "",
        };
        let signed = if part.signed.is_empty() { "nobody".to_owned() } else { part.signed.join(", ") };
        let missing = match part.missing {
            0 => ": enough".to_owned(),
            missing => format!("; missing {missing} of {}", part.may_sign.join(", ")),
        };
        format!("  {}{whose}: signed by {signed}{missing}", part.role)
    };
    status.parts.iter().map(line).collect()
}

/// The command that comes next.
pub fn next(status: &CeremonyStatus) -> String {
    let unmet: BTreeSet<Role> =
        status.parts.iter().filter(|part| part.missing > 0).map(|part| part.role).collect();
    let id = proposal::shown(&status.id);
    if unmet.is_empty() {
        // Another ceremony lowered a threshold since the last of them signed.
        return format!("mulberryctl submit {id}");
    }
    format!("mulberryctl sign {id}{}", key_options(&unmet))
}

fn key_options(roles: &BTreeSet<Role>) -> String {
    roles.iter().map(|role| format!(" --key people/NAME/{role}.pem")).collect()
}

fn in_file(
    ceremony: &Ceremony,
    path: &Path,
    live: &Live<'_>,
    context: &CommandContext,
) -> Result<Exit, Failure> {
    let signing = ceremony.signing(live, &context.limits).map_err(trust)?;
    let unmet = unmet(&signing);
    let next = if unmet.is_empty() {
        format!("mulberryctl submit {}", path.display())
    } else {
        format!("mulberryctl sign {}{}", path.display(), key_options(&unmet))
    };
    let id = ceremony.id();
    context.format.print(
        || {
            let lines: Vec<String> = signing.iter().map(|demanded| line(demanded, &signing)).collect();
            let (file, id) = (path.display(), proposal::shown(&id));
            format!("\n{file}: ceremony {id}\n{}\nNext: {next}", lines.join("\n"))
        },
        || {
            serde_json::json!({
                "outcome": "in-file", "id": id, "file": path.display().to_string(), "next": next,
                "unmet": unmet.iter().map(|role| role.as_str()).collect::<Vec<_>>(),
            })
        },
    )?;
    Ok(Exit::Yes)
}

fn line(demanded: &Demanded, all: &[Demanded]) -> String {
    format!("  {}: {}", heading(demanded.role, demanded.whose, all), demanded.signing.describe())
}
