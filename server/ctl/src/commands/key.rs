//! `mulberryctl key new`: a person's own new keys, and the file of their public halves.

use crate::{
    arguments::{self, RoleName},
    context::CommandContext,
    failure::{Failure, FailureKind},
    files::{self, Readers},
    keys::{self, Algorithm, Protection, folder},
    output,
};
use clap::{Args, Subcommand};
use mulberry_shared::{ceremony::public::PublicKeys, exit::Exit, proposal::Role};
use std::{collections::BTreeMap, path::PathBuf};

/// `key …`
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a person's own new keys, and a file of their public halves to send to whoever proposes
    #[command(after_help = "The private halves stay in DIR. PERSON.public in it is no secret.\n\n\
                      Example:\n  mulberryctl key new dora --person dora\n  \
                      mulberryctl key new alice-new --person alice --role emergency\n  \
                      mulberryctl key new dora --person dora --role root \\\n    \
                      --from 'pkcs11:token=Root%20HSM;object=root?module-path=/usr/lib/softhsm/libsofthsm2.so'")]
    New(KeyNew),
}

/// `key new`
#[derive(Args, Debug)]
pub struct KeyNew {
    /// The folder to make; must be empty or absent
    pub dir: PathBuf,
    /// Whose they are, as it will stand in the metadata
    #[arg(long, value_name = "NAME")]
    pub person: String,
    /// A key for which role; repeats [default: one for each]
    #[arg(long, value_enum)]
    pub role: Vec<RoleName>,
    /// What kind of keys
    #[arg(long, value_enum, default_value = "ed25519", conflicts_with = "from")]
    pub algorithm: Algorithm,
    /// No new key, but one that is there: a PKCS#11 URI of a P-256 key on a token, or a file; with one --role
    #[arg(long, value_name = "KEY")]
    pub from: Option<PathBuf>,
    /// Leave the keys unencrypted: rehearsals only
    #[arg(long)]
    pub no_passphrase: bool,
}

impl KeyCommand {
    /// Runs it.
    ///
    /// # Errors
    /// As [`KeyNew::run`].
    pub fn run(&self, context: &CommandContext) -> Result<Exit, Failure> {
        match self {
            Self::New(command) => command.run(context),
        }
    }
}

impl KeyNew {
    /// Makes them.
    ///
    /// # Errors
    /// The folder is not empty, the name is none, no passphrase, or the disk refuses.
    pub fn run(&self, context: &CommandContext) -> Result<Exit, Failure> {
        let mut passphrases = context.passphrases()?;
        let Self { dir, person, role, algorithm, from, no_passphrase } = self;
        let person = &arguments::person(person)?;
        folder::refuse_non_empty(dir)?;
        let existing = match (from, role.as_slice()) {
            (None, _) => None,
            (Some(from), [_]) => Some(keys::open(from, &mut passphrases)?),
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
        folder::make(dir)?;
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
            Failure::usage(
                FailureKind::Unwritable,
                format!("{}: {why}. Name another folder.", file.display()),
            )
        };
        let bytes = public.write().map_err(|error| unwritable(error.to_string()))?;
        files::write_new(&file, &bytes, Readers::All).map_err(|error| unwritable(error.to_string()))?;
        let prints: BTreeMap<&str, String> = public
            .keys
            .iter()
            .filter_map(|(role, key)| Some((role.as_str(), key.public()?.fingerprint().to_string())))
            .collect();
        context.format.print(
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
}
