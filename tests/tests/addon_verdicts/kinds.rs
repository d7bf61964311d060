//! Every verdict kind has a fixture.

use std::collections::BTreeSet;

use mulberry_lab::xpi_signer::{Fault, ZipFault};
use mulberry_shared::xpi::{Policy, VerdictKind};

use crate::bench::{
    Case, bench, days, intermediate, of_2018, of_2023, signed, signed_by, with_fault, with_zip_fault,
};

#[test]
fn every_verdict_kind_has_a_fixture() {
    let incident = &bench().incident;
    let later = intermediate("later", mulberry_lab::pki::KeyKind::Rsa2048, |spec| spec.not_before = days(30));
    let mut unsigned = of_2018();
    unsigned.pkcs7 = None;
    let mut other_id = of_2018();
    other_id.common_name = Some("other@lab.example.org".to_owned());
    let table: Vec<(VerdictKind, Case)> = vec![
        (VerdictKind::Ok, signed(of_2018())),
        (VerdictKind::Unsigned, signed(unsigned)),
        (VerdictKind::FileModified, with_fault(of_2018(), Fault::ModifiedFile)),
        (VerdictKind::FileNotCovered, with_fault(of_2018(), Fault::AddedFile)),
        (VerdictKind::FileMissing, with_fault(of_2018(), Fault::RemovedFile)),
        (VerdictKind::MalformedArchive, with_zip_fault(ZipFault::UnknownMethod(1))),
        (VerdictKind::MalformedManifest, with_fault(of_2018(), Fault::ManifestWithoutVersion)),
        (VerdictKind::MalformedSignature, with_fault(of_2018(), Fault::SignatureTruncated)),
        (VerdictKind::BadSignature, with_fault(of_2018(), Fault::SignatureBitFlipped)),
        (VerdictKind::UnsupportedAlgorithm, signed(of_2018()).policy(Policy::strict())),
        (
            VerdictKind::KeyTooSmall,
            signed_by(&intermediate("small", mulberry_lab::pki::KeyKind::Rsa1024, |_| ()), of_2018()),
        ),
        (VerdictKind::UnknownIssuer, signed_by(&incident.other, of_2018())),
        (VerdictKind::IssuerExpired, signed_by(&incident.expiring, of_2018())),
        (VerdictKind::IssuerNotYetValid, signed_by(&later, of_2018())),
        (VerdictKind::EndEntityExpired, signed(of_2023()).policy(Policy::strict()).at(days(100))),
        (VerdictKind::EndEntityNotYetValid, signed(of_2023()).policy(Policy::strict()).at(days(-400))),
        (VerdictKind::Distrusted, signed(of_2018()).distrusting_key_of(&incident.control)),
        (VerdictKind::IdMismatch, signed(other_id)),
        (VerdictKind::LimitExceeded, signed(of_2018()).limits(|limits| limits.xpi.entries = 1)),
    ];
    for (kind, case) in &table {
        case.is(*kind);
    }
    let shown: BTreeSet<VerdictKind> = table.iter().map(|(kind, _)| *kind).collect();
    let missing: Vec<VerdictKind> =
        VerdictKind::ALL.into_iter().filter(|kind| !shown.contains(kind)).collect();
    // Blocking is a recipe's doing: verification itself never says so.
    assert_eq!(missing, [VerdictKind::Blocked]);
}
