//! The certificates of May 2019 themselves.

use mulberry_lab::real;
use mulberry_shared::limits::{Limits, X509Limits};
use mulberry_shared::x509::{Anchors, Certificate, Distrust, EndEntityTime, PathErrorKind, Pool};
use mulberry_shared::xpi::{Policy, inspect};

use crate::bench::{Setting, time};

fn certificate(folder: &std::path::Path, name: &str) -> Certificate {
    let pem = std::fs::read(folder.join("certs").join(format!("{name}.pem"))).unwrap();
    Certificate::parse_pem(&pem, &X509Limits::default()).unwrap().remove(0)
}

fn setting(anchor: Certificate) -> Setting {
    Setting {
        anchors: [anchor].into_iter().collect::<Anchors>(),
        pool: Pool::new(),
        distrust: Distrust::default(),
        end_entity_time: EndEntityTime::Ignore,
        limits: X509Limits::default(),
    }
}

#[test]
fn the_real_replacement_may_be_installed_and_the_real_expired_one_not() {
    let Some(folder) = real::folder_or_skip("the real certificates") else { return };
    let expired = certificate(&folder, "amo-prod-int-signingca1-EXPIRED-2019-05-04");
    let replacement = certificate(&folder, "amo-prod-int-signingca1-REPLACEMENT-2019");
    let to_2100 = certificate(&folder, "amo-prod-int-signingca1-2100");
    let to_2125 = certificate(&folder, "amo-prod-int-production-signing-ca-2125");
    assert_eq!(expired.spki_sha256(), replacement.spki_sha256());
    assert_eq!(expired.serial_hex(), "100004");
    let root_2015 = setting(certificate(&folder, "amo-prod-root-2015"));
    let root_2024 = setting(certificate(&folder, "amo-prod-root-2024-reissue"));
    let check = |setting: &Setting, certificate: &Certificate, at: &str| {
        setting.with(|b| b.chains_to_anchor(certificate, time(at)).map(drop).map_err(|e| e.kind))
    };
    let incident = "2019-05-05T00:00:00Z";
    assert_eq!(check(&root_2015, &replacement, incident), Ok(()));
    assert_eq!(check(&root_2015, &expired, incident), Err(PathErrorKind::IssuerExpired));
    assert_eq!(check(&root_2015, &expired, "2019-05-04T00:09:46Z"), Ok(()));
    assert_eq!(check(&root_2015, &replacement, "2025-03-20T00:00:00Z"), Err(PathErrorKind::IssuerExpired));
    assert_eq!(check(&root_2024, &to_2100, "2026-11-01T00:00:00Z"), Ok(()));
    assert_eq!(check(&root_2024, &to_2125, "2124-01-01T00:00:00Z"), Ok(()));
    assert_eq!(check(&root_2024, &to_2100, "2023-11-01T00:00:00Z"), Err(PathErrorKind::IssuerNotYetValid));
}

#[test]
fn a_real_add_on_of_group_a_breaks_with_the_intermediate_and_heals_with_the_replacement() {
    let Some(folder) = real::folder_or_skip("a real add-on of 2018") else { return };
    let file = folder.join("addons/1c90652f-2018-06-30-61a544d5-browsertime-0.12.0-an+fx.xpi");
    let bytes = std::fs::read(file).unwrap();
    let inspection = inspect(&bytes.as_slice(), &Policy::firefox(), &Limits::default()).unwrap();
    let end_entity = inspection.signers().next().unwrap().clone();
    let old = certificate(&folder, "amo-prod-int-signingca1-EXPIRED-2019-05-04");
    let new = certificate(&folder, "amo-prod-int-signingca1-REPLACEMENT-2019");
    let setting = setting(certificate(&folder, "amo-prod-root-2015"));
    let at = "2019-05-05T00:00:00Z";
    let alone = setting.build(&end_entity, std::slice::from_ref(&old), at).unwrap_err();
    assert_eq!(
        alone.sentence,
        "the intermediate \"signingca1.addons.mozilla.org\" (serial 100004) expired on 2019-05-04T00:09:46Z; \
         checked at 2019-05-05T00:00:00Z"
    );
    for embedded in [[old.clone(), new.clone()], [new, old]] {
        assert_eq!(setting.kind(&end_entity, &embedded, at), Ok(()));
    }
}
