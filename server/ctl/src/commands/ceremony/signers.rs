//! People's keys: those that may sign a part, and those that do not belong here.

use crate::{
    failure::{Failure, FailureKind},
    keys::{self, PersonKey},
    passphrase::Passphrases,
};
use mulberry_shared::{
    ceremony::{Ceremony, Live, rules, signing::may_sign, words::unmet},
    limits::Limits,
    operators::ProblemKind,
    proposal::signing::holder,
    trust::Key,
};
use std::path::{Path, PathBuf};

/// Opens the keys and makes sure that each may sign something that it has not signed.
///
/// # Errors
/// A key that cannot be opened, is given twice, may sign no part, or has signed.
pub(super) fn load(
    files: &[PathBuf],
    ceremony: &Ceremony,
    live: &Live<'_>,
    limits: &Limits,
    passphrases: &mut Passphrases,
) -> Result<Vec<PersonKey>, Failure> {
    let demands = ceremony.demands(live).map_err(super::trust)?;
    let signing = ceremony.signing(live, limits).map_err(super::trust)?;
    let mut signers: Vec<PersonKey> = Vec::new();
    for file in files {
        let signer = keys::open(file, passphrases)?;
        let public = signer.key().public();
        if signers.iter().any(|known| known.key().public() == public) {
            return Err(Failure::usage(
                FailureKind::KeyTwice,
                format!("{}: this key is given twice, and one key signs once.", file.display()),
            ));
        }
        if !may_sign(&demands, signer.key()) {
            return Err(foreign(file, signer.key(), ceremony, live, limits));
        }
        let done = demands.iter().zip(&signing).all(|(demand, demanded)| {
            let own = |key: &mulberry_shared::proposal::KeyHolder| {
                demand.authority.keys.get(&key.keyid).is_some_and(|key| key.public() == public)
            };
            !may_sign(std::slice::from_ref(demand), signer.key()) || demanded.signing.signed.iter().any(own)
        });
        if done {
            return Err(Failure::no(
                ProblemKind::AlreadySigned,
                format!("{}: this key has signed it already. Let another person sign.", file.display()),
            ));
        }
        signers.push(signer);
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
