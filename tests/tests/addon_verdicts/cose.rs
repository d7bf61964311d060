//! `cose.manifest` and `cose.sig`, in Firefox's four modes.

use mulberry_lab::xpi_signer::{AddonSigner, ContainerStyle, CoseAlgorithm, Fault, SigningOptions, zip};
use mulberry_shared::xpi::{Policy, SignatureMode, VerdictKind};

use crate::bench::{addon, bench, case, of_2018, of_2023, signed, signed_by, with_fault};

fn mode(signature: SignatureMode) -> Policy {
    Policy { signature, ..Policy::firefox() }
}

fn cose_alone() -> SigningOptions {
    SigningOptions { pkcs7: None, ..of_2023() }
}

#[test]
fn es256_es384_and_es512_hold_alone_and_together() {
    for algorithms in [
        vec![CoseAlgorithm::Es256],
        vec![CoseAlgorithm::Es384],
        vec![CoseAlgorithm::Es512],
        vec![CoseAlgorithm::Es256, CoseAlgorithm::Es384],
    ] {
        for signature in [SignatureMode::Pkcs7CoseOptional, SignatureMode::CosePkcs7Optional] {
            let options = SigningOptions { cose: algorithms.clone(), ..of_2023() };
            let verdict = signed(options).policy(mode(signature)).verdict();
            assert!(verdict.is_ok(), "{algorithms:?} {signature}: {verdict}");
        }
        let options = SigningOptions { cose: algorithms.clone(), ..cose_alone() };
        for signature in [SignatureMode::CosePkcs7Optional, SignatureMode::Cose] {
            let verdict = signed(options.clone()).policy(mode(signature)).verdict();
            assert!(verdict.is_ok(), "{algorithms:?} {signature}: {verdict}");
        }
    }
}

#[test]
fn ps256_is_refused_wherever_cose_is_looked_at() {
    for signature in SignatureMode::ALL {
        let both = if signature == SignatureMode::Cose { cose_alone() } else { of_2023() };
        let options = SigningOptions { cose: vec![CoseAlgorithm::Ps256], ..both };
        let verdict = signed(options).policy(mode(signature)).verdict();
        let expected = if signature == SignatureMode::Pkcs7 {
            VerdictKind::Ok
        } else {
            VerdictKind::UnsupportedAlgorithm
        };
        assert_eq!(verdict.kind, expected, "{signature}: {verdict}");
    }
}

#[test]
fn cose_that_is_required_and_missing_leaves_the_addon_unsigned() {
    for signature in [SignatureMode::CosePkcs7Optional, SignatureMode::Cose] {
        signed(of_2018()).policy(mode(signature)).is(VerdictKind::Unsigned);
    }
    for signature in [SignatureMode::Pkcs7, SignatureMode::Pkcs7CoseOptional] {
        signed(of_2018()).policy(mode(signature)).is(VerdictKind::Ok);
    }
}

#[test]
fn pkcs7_that_is_required_and_missing_leaves_the_addon_unsigned() {
    for signature in [SignatureMode::Pkcs7, SignatureMode::Pkcs7CoseOptional] {
        signed(cose_alone()).policy(mode(signature)).is(VerdictKind::Unsigned);
    }
}

#[test]
fn external_aad_is_null_as_in_real_files_and_nothing_else() {
    with_fault(of_2023(), Fault::CoseEmptyAad).is(VerdictKind::BadSignature);
}

#[test]
fn a_wrong_cose_signature_is_refused_although_the_pkcs7_one_holds() {
    with_fault(of_2023(), Fault::CoseBitFlipped).is(VerdictKind::BadSignature);
    with_fault(of_2023(), Fault::CoseBitFlipped).policy(mode(SignatureMode::Pkcs7)).is(VerdictKind::Ok);
}

#[test]
fn a_damaged_cose_structure_is_malformed_and_nesting_is_bounded() {
    for (fault, kind) in [
        (Fault::CoseTruncated, VerdictKind::MalformedSignature),
        (Fault::CoseUntagged, VerdictKind::MalformedSignature),
        (Fault::CoseSignatureMissing, VerdictKind::Unsigned),
        // Firefox reads one item and looks no further.
        (Fault::CoseTrailingData, VerdictKind::Ok),
    ] {
        let verdict = with_fault(cose_alone(), fault).policy(mode(SignatureMode::Cose)).verdict();
        assert_eq!(verdict.kind, kind, "{fault:?}: {verdict}");
    }
    let verdict =
        with_fault(cose_alone(), Fault::CoseDeepNesting).policy(mode(SignatureMode::Cose)).verdict();
    assert!(
        matches!(verdict.kind, VerdictKind::MalformedSignature | VerdictKind::LimitExceeded),
        "{verdict}"
    );
}

#[test]
fn a_changed_cose_manifest_is_a_bad_signature_even_where_pkcs7_covers_it() {
    with_fault(cose_alone(), Fault::CoseManifestAltered)
        .policy(mode(SignatureMode::Cose))
        .is(VerdictKind::BadSignature);
    with_fault(of_2023(), Fault::CoseManifestAltered).is(VerdictKind::BadSignature);
}

/// `manifest.mf` lists COSE's files, so they are files like others to PKCS#7.
#[test]
fn a_cose_file_changed_after_the_pkcs7_signature_is_a_modified_file() {
    let signer = AddonSigner { issuer: &bench().incident.control, options: of_2023() };
    let mut entries = signer.entries(&addon()).unwrap();
    let file = entries.iter_mut().find(|entry| entry.name == b"META-INF/cose.sig").unwrap();
    file.data.push(0);
    let bytes = zip::write(&entries, ContainerStyle::DataDescriptor, &[]).unwrap();
    case(bytes).policy(mode(SignatureMode::Pkcs7)).is_naming(VerdictKind::FileModified, "META-INF/cose.sig");
}

#[test]
fn the_cose_chain_expires_and_is_replaced_like_the_other() {
    let incident = &bench().incident;
    let group_a = || signed_by(&incident.expiring, cose_alone()).policy(mode(SignatureMode::Cose));
    group_a().is(VerdictKind::IssuerExpired);
    group_a().knowing(&incident.replacement).is(VerdictKind::Ok);
    let both = || signed_by(&incident.expiring, of_2023());
    both().is(VerdictKind::IssuerExpired);
    both().knowing(&incident.replacement).is(VerdictKind::Ok);
}

/// PKCS#7's own files are covered by nothing when COSE alone counts: an add-on with both signatures is refused then.
#[test]
fn files_of_the_other_signature_are_not_covered_under_cose_alone() {
    signed(of_2023())
        .policy(mode(SignatureMode::Cose))
        .is_naming(VerdictKind::FileNotCovered, "META-INF/manifest.mf");
    signed(cose_alone()).policy(mode(SignatureMode::Cose)).is(VerdictKind::Ok);
    with_fault(cose_alone(), Fault::AddedFile)
        .policy(mode(SignatureMode::Cose))
        .is_naming(VerdictKind::FileNotCovered, "added.js");
}
