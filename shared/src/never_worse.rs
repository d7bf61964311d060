//! The check before any commit: nothing that works may break.
//!
//! Before and after must be judged at one instant, else the passing of time would look like the change's doing.

use std::collections::BTreeMap;

use crate::xpi::{Verdict, VerdictKind};

/// What a change means to break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Breakage {
    /// Nothing.
    Nothing,
    /// Add-ons whose verdict becomes `distrusted`; or `limit-exceeded`, which an honest add-on does not reach by losing
    /// an issuer. A thief of two keys can make one that does when the second is refused, and must not stop that for all.
    Distrusted,
}

/// An add-on that would stop working.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worsened<K> {
    /// The add-on.
    pub addon: K,
    /// Its verdict after the change; `None`: it was not judged at all, which proves nothing and so counts as worse.
    pub after: Option<Verdict>,
}

/// Compares verdicts per add-on before and after a change.
///
/// # Errors
/// Every add-on that is `ok` before and neither `ok` nor `declared` to break after, sorted.
pub fn check<K: Ord + Clone>(
    before: &[(K, Verdict)],
    after: &[(K, Verdict)],
    declared: Breakage,
) -> Result<(), Vec<Worsened<K>>> {
    let after: BTreeMap<&K, &Verdict> = after.iter().map(|(addon, verdict)| (addon, verdict)).collect();
    let working: BTreeMap<&K, &Verdict> = before
        .iter()
        .filter(|(_, verdict)| verdict.kind == VerdictKind::Ok)
        .map(|(addon, verdict)| (addon, verdict))
        .collect();
    let worsened: Vec<_> = working
        .into_keys()
        .filter_map(|addon| match after.get(addon) {
            Some(verdict) if acceptable(verdict.kind, declared) => None,
            other => Some(Worsened { addon: addon.clone(), after: other.map(|v| (*v).clone()) }),
        })
        .collect();
    if worsened.is_empty() { Ok(()) } else { Err(worsened) }
}

fn acceptable(kind: VerdictKind, declared: Breakage) -> bool {
    match kind {
        VerdictKind::Ok => true,
        VerdictKind::Distrusted | VerdictKind::LimitExceeded => declared == Breakage::Distrusted,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn verdict(kind: VerdictKind) -> Verdict {
        Verdict { kind, detail: String::new() }
    }

    #[test]
    fn worse_is_ok_before_and_not_ok_after() {
        for old in VerdictKind::ALL {
            for new in VerdictKind::ALL {
                for declared in [Breakage::Nothing, Breakage::Distrusted] {
                    let meant = [VerdictKind::Distrusted, VerdictKind::LimitExceeded].contains(&new)
                        && declared == Breakage::Distrusted;
                    let worse = old == VerdictKind::Ok && new != VerdictKind::Ok && !meant;
                    let result = check(&[("a", verdict(old))], &[("a", verdict(new))], declared);
                    assert_eq!(result.is_err(), worse, "{old:?} {new:?} {declared:?}");
                }
            }
        }
    }

    #[test]
    fn an_add_on_that_was_not_judged_again_is_worse_and_a_new_one_is_not() {
        let ok = verdict(VerdictKind::Ok);
        let lost = check(&[("a", ok.clone())], &[], Breakage::Distrusted).unwrap_err();
        assert_eq!(lost, [Worsened { addon: "a", after: None }]);
        assert_eq!(check(&[], &[("b", verdict(VerdictKind::Unsigned))], Breakage::Nothing), Ok(()));
    }

    fn verdicts() -> impl Strategy<Value = Vec<(u8, Verdict)>> {
        proptest::collection::btree_map(0..12_u8, proptest::sample::select(&VerdictKind::ALL[..]), 0..12)
            .prop_map(|map| map.into_iter().map(|(addon, kind)| (addon, verdict(kind))).collect())
    }

    proptest! {
        /// No change is never worse; and whatever passes leaves every working add-on working, save declared distrust.
        #[test]
        fn what_passes_keeps_all_that_works(before in verdicts(), after in verdicts(), distrust: bool) {
            let declared = if distrust { Breakage::Distrusted } else { Breakage::Nothing };
            prop_assert_eq!(check(&before, &before, declared), Ok(()));
            let kind = |list: &[(u8, Verdict)], addon| list.iter().find(|(a, _)| *a == addon).map(|(_, v)| v.kind);
            let broken: Vec<u8> = before.iter().filter(|(_, v)| v.kind == VerdictKind::Ok).map(|(a, _)| *a)
                .filter(|a| match kind(&after, *a) {
                    Some(VerdictKind::Ok) => false,
                    Some(VerdictKind::Distrusted | VerdictKind::LimitExceeded) => !distrust,
                    _ => true,
                }).collect();
            let found: Vec<u8> = check(&before, &after, declared).err().unwrap_or_default()
                .into_iter().map(|w| w.addon).collect();
            prop_assert_eq!(found, broken);
        }
    }
}
