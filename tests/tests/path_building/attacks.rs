//! Embedded certificates are not signed: whoever holds a file may add any. None of that may change a verdict.

use mulberry_lab::pki::{KeyKind, LabCertificate, LabKey, common_name, key};
use mulberry_shared::x509::{Certificate, PathErrorKind};
use std::sync::Arc;

use crate::bench::{AFTER, Bench, Setting, ca_spec, end_entity, read};

fn p256(name: &str) -> Arc<LabKey> {
    key(KeyKind::P256, name).unwrap()
}

/// What someone without any CA's key can make: certificates with the names of the real ones, some with the real (public) key
/// and a worthless signature, some with keys of their own that sign the others in all directions.
fn junk(bench: &Bench, count: u64) -> Vec<Certificate> {
    let own = p256("attacker");
    let anchor = bench.lab.anchor.subject();
    let signing = bench.lab.expiring.subject();
    (0..count)
        .map(|i| {
            let (subject, issuer) = match i % 3 {
                0 => (signing, anchor),
                1 => (signing, signing),
                _ => (anchor, signing),
            };
            let mut spec = ca_spec("", 0x20_0000 + i);
            spec.subject = subject.clone();
            let keys = if i % 2 == 0 { bench.lab.expiring.key() } else { &own };
            read(&spec.sign(keys, issuer, &own).unwrap())
        })
        .collect()
}

fn settings(bench: &Bench) -> Vec<(&'static str, Setting)> {
    vec![
        ("nothing distrusted", bench.setting()),
        ("pooled", bench.setting().pooled(&[&bench.replacement])),
        ("key distrusted", bench.setting().distrusting_key_of(&bench.expiring)),
        ("replacement distrusted", bench.setting().distrusting(&bench.replacement)),
    ]
}

#[test]
fn two_hundred_worthless_certificates_change_no_verdict_and_cost_one_check_each() {
    let bench = Bench::new();
    let junk = junk(&bench, 200);
    for (what, mut setting) in settings(&bench) {
        for genuine in [
            vec![],
            vec![bench.expiring.clone()],
            vec![bench.replacement.clone()],
            vec![bench.expiring.clone(), bench.replacement.clone()],
        ] {
            setting.limits.signature_checks = 2_048;
            let clean = setting.kind(&bench.end_entity, &genuine, AFTER);
            // The signing CA and the anchor have one genuine key each: a check for each certificate that claims one of them as
            // issuer, and a few for the genuine ones.
            setting.limits.signature_checks = 210;
            let dirty: Vec<_> = junk.iter().chain(&genuine).cloned().collect();
            assert_eq!(setting.kind(&bench.end_entity, &dirty, AFTER), clean, "{what}");
        }
    }
}

#[test]
fn a_file_with_too_many_certificates_is_refused_before_anything_else() {
    let bench = Bench::new();
    let many = vec![bench.replacement.clone(); 257];
    let setting = bench.setting().pooled(&[&bench.replacement]);
    assert_eq!(setting.kind(&bench.end_entity, &many[1..], AFTER), Ok(()));
    assert_eq!(setting.kind(&bench.end_entity, &many, AFTER), Err(PathErrorKind::LimitExceeded));
}

/// Whoever stole an intermediate's key can make genuine CA certificates without end.
fn thiefs_mesh(bench: &Bench) -> Vec<LabCertificate> {
    let stolen = &bench.lab.stolen;
    let mut mesh = Vec::new();
    for layer in 0..5 {
        for i in 0..5 {
            let subject = format!("layer {layer}");
            let spec = ca_spec(&subject, 100 + i);
            let keys = p256(&format!("mesh {i}"));
            if layer == 0 {
                mesh.push(spec.issued_by(stolen, &keys).unwrap());
                continue;
            }
            let issuer = common_name(&format!("layer {}", layer - 1)).unwrap();
            for other in 0..5 {
                mesh.push(spec.sign(&keys, &issuer, &p256(&format!("mesh {other}"))).unwrap());
            }
        }
    }
    mesh
}

#[test]
fn a_stolen_key_once_distrusted_cannot_buy_any_work_or_another_verdict() {
    let bench = Bench::new();
    let mesh = thiefs_mesh(&bench);
    let mut embedded: Vec<_> = mesh.iter().map(read).collect();
    embedded.push(read(&bench.lab.stolen));
    let loot = end_entity(mesh.last().unwrap(), 14);
    let mut setting = bench.setting();
    assert_eq!(setting.kind(&loot, &embedded, AFTER), Ok(()));
    setting = setting.distrusting_key_of(&read(&bench.lab.stolen));
    assert_eq!(setting.kind(&loot, &embedded, AFTER), Err(PathErrorKind::Distrusted));
    // An honest add-on with all of that embedded is not even slowed down: no name leads there.
    setting = setting.pooled(&[&bench.replacement]);
    setting.limits.signature_checks = 2;
    assert_eq!(setting.kind(&bench.end_entity, &embedded, AFTER), Ok(()));
}

#[test]
fn ceilings_end_the_search_with_their_own_reason() {
    let bench = Bench::new();
    let mesh = thiefs_mesh(&bench);
    let mut embedded: Vec<_> = mesh.iter().map(read).collect();
    embedded.push(read(&bench.lab.stolen));
    let loot = end_entity(mesh.last().unwrap(), 14);
    for change in
        [(|s: &mut Setting| s.limits.signature_checks = 3) as fn(&mut Setting), |s| s.limits.search_steps = 3]
    {
        let mut setting = bench.setting();
        change(&mut setting);
        assert_eq!(setting.kind(&loot, &embedded, AFTER), Err(PathErrorKind::LimitExceeded));
    }
    let mut setting = bench.setting().pooled(&[&bench.replacement]);
    setting.limits.name_comparisons = 1;
    assert_eq!(setting.kind(&bench.end_entity, &[], AFTER), Err(PathErrorKind::LimitExceeded));
}
