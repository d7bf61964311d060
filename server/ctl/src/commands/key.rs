//! `mulberryctl key new`: a person's own new keys, and the file of their public halves.

use super::{ceremony, init};
use crate::{
    cli::KeyNew,
    failure::{Failure, FailureKind},
    files::{self, Readers},
    keys::{self, Protection},
    output::{self, Format},
    passphrase::Passphrases,
};
use mulberry_shared::{ceremony::public::PublicKeys, exit::Exit, proposal::Role};
use std::collections::BTreeMap;

/// Makes them.
///
/// # Errors
/// The folder is not empty, the name is none, no passphrase, or the disk refuses.
pub fn new(command: &KeyNew, passphrases: &mut Passphrases, format: Format) -> Result<Exit, Failure> {
    let KeyNew { dir, person, role, algorithm, from, no_passphrase } = command;
    let person = &ceremony::person(person)?;
    init::refuse_non_empty(dir)?;
    let existing = match (from, role.as_slice()) {
        (None, _) => None,
        (Some(from), [_]) => Some(keys::open(from, passphrases)?),
        (Some(_), _) => {
            return Err(Failure::usage(
                FailureKind::OneKeyOneRole,
                "--from names one key, and one key is for one role: give exactly one --role.",
            ));
        }
    };
    let protection = if existing.is_some() || *no_passphrase {
        Protection::FilePermissionsOnly
    } else {
        Protection::Passphrase(passphrases.for_new_keys(0, 1, person.as_str())?)
    };
    if *no_passphrase {
        output::warn("the keys are written unencrypted (--no-passphrase): for rehearsals only.");
    }
    init::make_folder(dir)?;
    let roles: Vec<Role> = if role.is_empty() {
        Role::PEOPLE.to_vec()
    } else {
        role.iter().map(|role| (*role).into()).collect()
    };
    let mut public = PublicKeys { person: Some(person.clone()), keys: BTreeMap::new() };
    for role in roles {
        if public.keys.contains_key(role.as_str()) {
            continue;
        }
        let key = match &existing {
            Some(key) => key.key().clone(),
            None => keys::make(*algorithm, &dir.join(format!("{role}.pem")), &protection)?.key().clone(),
        };
        public.keys.insert(role.to_string(), key.held_by(person));
    }
    let file = dir.join(format!("{person}.public"));
    let unwritable = |why: String| {
        Failure::usage(FailureKind::Unwritable, format!("{}: {why}. Name another folder.", file.display()))
    };
    let bytes = public.write().map_err(|error| unwritable(error.to_string()))?;
    files::write_new(&file, &bytes, Readers::All).map_err(|error| unwritable(error.to_string()))?;
    let prints: BTreeMap<&str, String> = public
        .keys
        .iter()
        .filter_map(|(role, key)| Some((role.as_str(), key.public()?.fingerprint().to_string())))
        .collect();
    format.print(
        || {
            let rows = prints.iter().map(|(role, print)| [(*role).to_owned(), format!("{print:.16}")]);
            let done = match &existing {
                Some(_) => format!("The key of {person} stays where it is; it signs for nobody yet."),
                None => format!("Made the keys of {person} in {}; they sign for nobody yet.", dir.display()),
            };
            format!(
                "{done}\n\n{}\n\nSend {} to whoever proposes to let them in, and \
                 read these digits to everybody who signs that. Next, there:\n  mulberryctl root add-key {} --role ROLE …",
                output::table(["ROLE", "FINGERPRINT"], rows),
                file.display(),
                file.file_name().unwrap_or_default().to_string_lossy()
            )
        },
        || {
            serde_json::json!({
                "person": person, "folder": dir, "public": file, "fingerprints": prints,
            })
        },
    )?;
    Ok(Exit::Yes)
}
