//! The incident: an intermediate expires, a replacement with the same subject and key is installed.

use mulberry_shared::x509::{EndEntityTime, PathErrorKind};

use crate::bench::{AFTER, Bench, EXPIRY, end_entity, read, time};

#[test]
fn the_intermediate_holds_to_its_last_second_and_not_one_longer() {
    let bench = Bench::new();
    let setting = bench.setting();
    let embedded = [bench.expiring.clone()];
    assert_eq!(setting.kind(&bench.end_entity, &embedded, EXPIRY), Ok(()));
    assert_eq!(
        setting.kind(&bench.end_entity, &embedded, "2019-05-04T00:09:47Z"),
        Err(PathErrorKind::IssuerExpired)
    );
}

#[test]
fn the_sentence_names_the_certificate_and_the_date() {
    let bench = Bench::new();
    let error =
        bench.setting().build(&bench.end_entity, std::slice::from_ref(&bench.expiring), AFTER).unwrap_err();
    assert_eq!(
        error.sentence,
        "the intermediate \"signingca1.addons.example.org\" (serial 100004) expired on 2019-05-04T00:09:46Z; \
         checked at 2019-05-05T00:00:00Z"
    );
    assert_eq!(error.certificate.as_ref(), Some(&bench.expiring));
}

#[test]
fn the_replacement_is_found_wherever_it_is_and_in_any_order() {
    let bench = Bench::new();
    let (old, new) = (&bench.expiring, &bench.replacement);
    let wrong = read(&bench.lab.wrong_key);
    for embedded in [
        vec![new.clone()],
        vec![old.clone(), new.clone()],
        vec![new.clone(), old.clone()],
        vec![wrong.clone(), old.clone(), new.clone(), old.clone()],
    ] {
        let path = bench.setting().build(&bench.end_entity, &embedded, AFTER).unwrap();
        assert_eq!(path.certificates(), [bench.end_entity.clone(), new.clone(), bench.anchor.clone()]);
    }
    let pooled = bench.setting().pooled(&[old, new, &wrong]);
    assert_eq!(pooled.kind(&bench.end_entity, &[], AFTER), Ok(()));
    assert_eq!(pooled.kind(&bench.end_entity, std::slice::from_ref(old), AFTER), Ok(()));
    let alone = bench.setting().pooled(&[&wrong]);
    assert_eq!(alone.kind(&bench.end_entity, &[], AFTER), Err(PathErrorKind::UnknownIssuer));
}

#[test]
fn a_replacement_that_outlives_its_anchor_ends_with_it() {
    let bench = Bench::new();
    let setting = bench.setting().pooled(&[&bench.replacement]);
    let last = bench.anchor.not_after();
    let after = last.checked_add(jiff::SignedDuration::from_secs(1)).unwrap();
    assert!(after < bench.replacement.not_after());
    assert_eq!(setting.kind(&bench.end_entity, &[], &last.to_string()), Ok(()));
    let error = setting.build(&bench.end_entity, &[], &after.to_string()).unwrap_err();
    assert_eq!((error.kind, error.certificate), (PathErrorKind::IssuerExpired, Some(bench.anchor.clone())));
    assert!(error.sentence.starts_with("the anchor \"root-ca-laboratory\" (serial 01) expired on "));
}

#[test]
fn the_end_entitys_dates_count_only_when_enforced_and_the_issuers_always() {
    let bench = Bench::new();
    let ignoring = bench.setting().pooled(&[&bench.replacement]);
    let enforcing = ignoring.clone().enforcing();
    for (at, expected) in [
        ("2018-12-31T23:59:59Z", Err(PathErrorKind::EndEntityNotYetValid)),
        ("2019-01-01T00:00:00Z", Ok(())),
        ("2020-01-01T00:00:00.999Z", Ok(())),
        ("2020-01-01T00:00:01Z", Err(PathErrorKind::EndEntityExpired)),
    ] {
        assert_eq!(ignoring.kind(&bench.end_entity, &[], at), Ok(()), "{at}");
        assert_eq!(enforcing.kind(&bench.end_entity, &[], at), expected, "{at}");
    }
    // Valid neither at the end entity's time nor now would be the fault of borrowing one time for the other.
    let before = "2014-01-01T00:00:00Z";
    assert_eq!(ignoring.kind(&bench.end_entity, &[], before), Err(PathErrorKind::IssuerNotYetValid));
}

#[test]
fn an_end_entity_out_of_date_is_named_before_its_unknown_or_expired_issuer() {
    let bench = Bench::new();
    let stranger = end_entity(&bench.lab.other, 9);
    let late = "2021-01-01T00:00:00Z";
    let enforcing = bench.setting().enforcing();
    assert_eq!(enforcing.kind(&stranger, &[], late), Err(PathErrorKind::EndEntityExpired));
    assert_eq!(
        enforcing.kind(&bench.end_entity, std::slice::from_ref(&bench.expiring), late),
        Err(PathErrorKind::EndEntityExpired)
    );
    assert_eq!(bench.setting().end_entity_time, EndEntityTime::Ignore);
    assert_eq!(bench.setting().kind(&stranger, &[], late), Err(PathErrorKind::UnknownIssuer));
}

#[test]
fn what_may_be_installed_is_a_ca_that_chains_to_an_anchor_now() {
    let bench = Bench::new();
    let setting = bench.setting();
    let check = |certificate: &_| {
        setting
            .with(|builder| builder.chains_to_anchor(certificate, time(AFTER)).map(drop).map_err(|e| e.kind))
    };
    assert_eq!(check(&bench.replacement), Ok(()));
    assert_eq!(check(&bench.expiring), Err(PathErrorKind::IssuerExpired));
    assert_eq!(check(&bench.anchor), Err(PathErrorKind::BadCertificate));
    assert_eq!(check(&bench.end_entity), Err(PathErrorKind::UnknownIssuer));
    assert_eq!(check(&read(&bench.lab.other)), Err(PathErrorKind::UnknownIssuer));
    let under_anchor = end_entity(&bench.lab.anchor, 11);
    assert_eq!(check(&under_anchor), Err(PathErrorKind::BadCertificate));
    let distrusting = bench.setting().distrusting_key_of(&bench.expiring);
    let kind = distrusting.with(|b| b.chains_to_anchor(&bench.replacement, time(AFTER)).unwrap_err().kind);
    assert_eq!(kind, PathErrorKind::Distrusted);
}
