//! A whole corpus, judged as its table says.

use std::fs;

use jiff::SignedDuration;
use mulberry_lab::corpus::{self, CorpusSpec, Signed};
use mulberry_lab::pki::KeyKind;

use crate::bench::{case, expired_at};

#[test]
fn a_corpus_gets_the_verdicts_of_its_table() {
    let folder = tempfile::tempdir().unwrap();
    let spec = CorpusSpec {
        addons: 40,
        seed: 7,
        expired_at: expired_at(),
        keys: KeyKind::Rsa2048,
        signed: Signed::EveryWay,
    };
    let (incident, table) = corpus::write(folder.path(), &spec, &|_| ()).unwrap();
    let hour = SignedDuration::from_hours(1);
    let (before, after) = (expired_at().checked_sub(hour).unwrap(), expired_at().checked_add(hour).unwrap());
    for addon in &table.addons {
        let case = || case(fs::read(folder.path().join(&addon.file)).unwrap()).anchored_at(&incident.anchor);
        let kind = |kind: &str| kind.parse().unwrap();
        case().at(before).is(kind(&addon.verdicts.before));
        case().at(after).is(kind(&addon.verdicts.expired));
        case().at(after).knowing(&incident.replacement).is(kind(&addon.verdicts.replaced));
    }
}
