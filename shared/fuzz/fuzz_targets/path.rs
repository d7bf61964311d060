//! Any PEM certificates, the first as end entity, the last as anchor, the rest embedded or in the pool: a path or a
//! reason, the same in any order of candidates.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mulberry_shared::limits::X509Limits;
use mulberry_shared::x509::{
    Anchors, Certificate, Distrust, EndEntityTime, PathBuilder, Pool, Purpose, SignatureMemo, Usage,
};

fuzz_target!(|bytes: &[u8]| {
    let limits = X509Limits::default();
    let Ok(certificates) = Certificate::read_file(bytes, Purpose::Pool, &limits) else { return };
    let [end_entity, others @ .., anchor] = certificates.as_slice() else { return };
    let anchors = Anchors::from_iter([anchor.clone()]);
    let (distrust, memo) = (Distrust::default(), SignatureMemo::new(64));
    let at = "2019-05-05T00:00:00Z".parse().expect("a time");
    let build = |pool: &[Certificate], embedded: &[Certificate]| {
        let pool = Pool::from_iter(pool.iter().cloned());
        let builder = PathBuilder {
            anchors: &anchors,
            pool: &pool,
            distrust: &distrust,
            memo: &memo,
            usage: Usage::CodeSigning,
            end_entity_time: EndEntityTime::Ignore,
            limits: &limits,
        };
        builder.build(end_entity, embedded, at).map_err(|error| error.kind)
    };
    let reversed: Vec<Certificate> = others.iter().rev().cloned().collect();
    assert_eq!(build(&[], others).is_ok(), build(&[], &reversed).is_ok());
    assert_eq!(build(others, &[]).is_ok(), build(&reversed, &[]).is_ok());
});
