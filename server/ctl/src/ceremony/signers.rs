//! People's keys: those that may sign a part, and those that do not belong here.

use super::failures::trust;
use crate::{
    failure::{Failure, FailureKind},
    keys::{self, PersonKey},
    output,
    passphrase::Passphrases,
};
use mulberry_shared::{
    ceremony::{Ceremony, Live, rules, signing::may_sign, words::unmet},
    limits::Limits,
    operators::ProblemKind,
    proposal::signing::holder,
    tuf::Key,
};
use std::path::{Path, PathBuf};

/// Opens the keys and makes sure that each may sign something. One that has signed all it may is passed over, so that a person who
/// has signed a part goes on with the command that names all their keys.
///
/// # Errors
/// A key that cannot be opened, is given twice or may sign no part; all of them have signed.
pub(super) fn load(
    files: &[PathBuf],
    ceremony: &Ceremony,
    live: &Live<'_>,
    limits: &Limits,
    passphrases: &mut Passphrases,
) -> Result<Vec<PersonKey>, Failure> {
    let demands = ceremony.demands(live).map_err(trust)?;
    let signing = ceremony.signing(live, limits).map_err(trust)?;
    let (mut signers, mut done) = (Vec::new(), Vec::new());
    let mut given = Vec::new();
    for file in files {
        let signer = keys::open(file, passphrases)?;
        let public = signer.key().public().cloned();
        if given.contains(&public) {
            return Err(Failure::usage(
                FailureKind::KeyTwice,
                format!("{}: this key is given twice, and one key signs once.", file.display()),
            ));
        }
        if !may_sign(&demands, signer.key()) {
            return Err(foreign(file, signer.key(), ceremony, live, limits));
        }
        let has_signed = demands.iter().zip(&signing).all(|(demand, demanded)| {
            let own = |key: &mulberry_shared::proposal::KeyHolder| {
                demand.authority.keys.get(&key.keyid).is_some_and(|key| key.public() == public.as_ref())
            };
            !may_sign(std::slice::from_ref(demand), signer.key()) || demanded.signing.signed.iter().any(own)
        });
        given.push(public);
        if has_signed {
            done.push(file.display().to_string());
        } else {
            signers.push(signer);
        }
    }
    let names = done.join(", ");
    match (done.is_empty(), signers.is_empty()) {
        (true, _) => {}
        (false, false) => {
            output::warn(&format!("{names}: this key has signed it already, and is passed over."));
        }
        (false, true) => {
            return Err(Failure::no(
                ProblemKind::AlreadySigned,
                format!("{names}: this key has signed it already. Let another person sign."),
            ));
        }
    }
    Ok(signers)
}

/// A key of another role is the usual slip, and so is the one that is to be revoked.
fn foreign(file: &Path, key: &Key, ceremony: &Ceremony, live: &Live<'_>, limits: &Limits) -> Failure {
    let all = rules::authorities(live.root, live.targets).unwrap_or_default();
    let found = all.iter().find_map(|authority| {
        let held = authority.role_keys.keyids.iter().filter_map(|id| authority.keys.get(id));
        let own = held.into_iter().find(|own| own.public() == key.public())?;
        Some(format!("this is the {} key of {}", authority.role, holder(own)))
    });
    let needed = ceremony.signing(live, limits).map(|all| unmet(&all)).unwrap_or_default();
    let needed: Vec<String> = needed.iter().map(|role| format!("{role}.pem")).collect();
    Failure::usage(
        FailureKind::KeyOfAnotherRole,
        format!(
            "{}: {}, and may sign no part of this ceremony, which needs {}.",
            file.display(),
            found.unwrap_or_else(|| "this key belongs to no role of the trusted metadata".to_owned()),
            needed.join(" and ")
        ),
    )
}
