//! `mozilla.rsa` and its companions.

use mulberry_lab::pki::certificate::Presence;
use mulberry_lab::pki::{CertificateSpec, KeyKind, SignatureKind, key};
use mulberry_lab::xpi_signer::{
    AddonSigner, AlgorithmStyle, CmsDigest, Fault, ManifestDigests, Pkcs7Options, SignedAttributes, SignerId,
    SigningOptions,
};
use mulberry_shared::xpi::{Policy, VerdictKind};

use crate::bench::{
    addon, bench, days, end_entity_dates, intermediate, of_2018, signed, signed_by, with_fault, with_pkcs7,
};

#[test]
fn every_way_of_writing_pkcs7_in_real_files_holds() {
    for digest in [CmsDigest::Sha1, CmsDigest::Sha256] {
        for attributes in [SignedAttributes::Present, SignedAttributes::Absent] {
            for algorithms in [AlgorithmStyle::RsaEncryption, AlgorithmStyle::DigestWithRsa] {
                let signer_id = SignerId::IssuerAndSerial;
                let mut options = of_2018();
                options.pkcs7 = Some(Pkcs7Options { digest, attributes, signer_id, algorithms });
                let verdict = signed(options.clone()).verdict();
                assert!(verdict.is_ok(), "{:?}: {verdict}", options.pkcs7);
            }
        }
    }
}

/// Firefox looks certificates up by issuer and serial number alone.
#[test]
fn a_signer_named_by_its_key_identifier_is_not_found() {
    let options = with_pkcs7(of_2018(), |pkcs7| pkcs7.signer_id = SignerId::SubjectKeyId);
    signed(options).is_naming(VerdictKind::MalformedSignature, "certificate of its signer");
}

/// One signer for verifiers of each age: the one by SHA-256 counts, and its digest rules the manifests.
#[test]
fn of_two_signers_the_one_by_sha256_is_used() {
    with_fault(of_2018(), Fault::TwoSignerInfos).is(VerdictKind::Ok);
    with_fault(of_2018(), Fault::SignerOfOtherDigest).is(VerdictKind::Ok);
    with_fault(of_2018(), Fault::SignerOfOtherDigest).policy(Policy::strict()).is(VerdictKind::Ok);
    let mut sha1_manifests = of_2018();
    sha1_manifests.digests = ManifestDigests::Sha1;
    signed(sha1_manifests.clone()).is(VerdictKind::Ok);
    with_fault(sha1_manifests, Fault::SignerOfOtherDigest).is(VerdictKind::MalformedManifest);
}

/// An RSA key that is too small is called that, wherever it stands.
#[test]
fn a_key_that_is_too_small_is_named_with_its_bits() {
    let small = |options: &mut SigningOptions| {
        options.key_kind = KeyKind::Rsa1024;
        options.pkcs7 = options.pkcs7.map(|pkcs7| Pkcs7Options { digest: CmsDigest::Sha256, ..pkcs7 });
    };
    let mut options = of_2018();
    small(&mut options);
    signed(options).is_naming(VerdictKind::KeyTooSmall, "1024 bits");
    let issuer = intermediate("too small", KeyKind::Rsa1024, |_| ());
    signed_by(&issuer, SigningOptions { certificate_signature: Some(SignatureKind::Sha256Rsa), ..of_2018() })
        .is_naming(VerdictKind::KeyTooSmall, "1024 bits");
}

#[test]
fn a_changed_signature_file_or_signature_is_a_bad_signature() {
    for fault in [
        Fault::SignatureFileAltered,
        Fault::SignatureBitFlipped,
        Fault::WrongSigningKey,
        Fault::WrongMessageDigest,
    ] {
        let verdict = with_fault(of_2018(), fault).verdict();
        assert_eq!(verdict.kind, VerdictKind::BadSignature, "{fault:?}: {verdict}");
    }
}

#[test]
fn a_changed_signature_without_attributes_is_a_bad_signature() {
    let bare = with_pkcs7(of_2018(), |pkcs7| pkcs7.attributes = SignedAttributes::Absent);
    with_fault(bare.clone(), Fault::SignatureBitFlipped).is(VerdictKind::BadSignature);
    with_fault(bare, Fault::SignatureFileAltered).is(VerdictKind::BadSignature);
}

#[test]
fn a_damaged_signature_structure_is_malformed() {
    for fault in [
        Fault::SignatureTruncated,
        Fault::SignatureNotAsn1,
        Fault::MissingMessageDigest,
        Fault::NoSignerInfo,
        Fault::EndEntityNotEmbedded,
        Fault::SecondSignaturePair,
        Fault::SignatureFileMissing,
        Fault::ManifestMissing,
    ] {
        let verdict = with_fault(of_2018(), fault).verdict();
        assert_eq!(verdict.kind, VerdictKind::MalformedSignature, "{fault:?}: {verdict}");
    }
}

/// The signature file is what must have been signed, whatever the signature carries itself; and one structure is read, whatever follows.
#[test]
fn content_of_its_own_and_bytes_behind_a_signature_mean_nothing() {
    for fault in [Fault::AttachedContent, Fault::SignatureTrailingData] {
        let verdict = with_fault(of_2018(), fault).verdict();
        assert!(verdict.is_ok(), "{fault:?}: {verdict}");
    }
}

#[test]
fn manifests_without_the_signature_over_them_are_unsigned() {
    with_fault(of_2018(), Fault::SignatureMissing).is(VerdictKind::Unsigned);
}

/// The certificates in a signature file are signed by nobody: whoever holds the file may add to them.
#[test]
fn junk_certificates_that_pose_as_the_issuer_change_nothing() {
    let incident = &bench().incident;
    let junk_key = key(KeyKind::P256, "junk").unwrap();
    let mut options = of_2018();
    options.issuer_embedded = Presence::Absent;
    // Each as large as real ones are.
    options.extra_certificates = (0..200)
        .map(|serial| {
            let mut spec =
                CertificateSpec::ca(incident.expiring.subject().clone(), serial + 1, days(-900), days(900));
            spec.subject_key_id = Presence::Absent;
            spec.authority_key_id = Presence::Absent;
            spec.excluded_dns =
                (0..16).map(|n| format!("{n}.content-signature.laboratory.example.org")).collect();
            // Says that the anchor issued it; the signature is by the junk key itself.
            spec.signature = Some(SignatureKind::EcdsaSha256);
            spec.sign(&junk_key, incident.anchor.subject(), &junk_key).unwrap().der().to_vec()
        })
        .collect();
    let case = || signed_by(&incident.expiring, options.clone());
    case().is(VerdictKind::UnknownIssuer);
    case().knowing(&incident.expiring).is(VerdictKind::IssuerExpired);
    case().knowing(&incident.expiring).knowing(&incident.replacement).is(VerdictKind::Ok);
    case()
        .knowing(&incident.replacement)
        .distrusting_key_of(&incident.replacement)
        .is(VerdictKind::Distrusted);
}

/// So many that the signature file as a whole is refused, before any work and whatever is known.
#[test]
fn more_junk_than_any_honest_file_carries_is_refused_as_a_whole() {
    let incident = &bench().incident;
    let mut options = of_2018();
    options.extra_certificates = (0..600)
        .map(|serial| {
            CertificateSpec::ca(incident.control.subject().clone(), serial + 1, days(-900), days(900))
                .self_signed(&key(KeyKind::P256, "junk").unwrap())
                .unwrap()
                .der()
                .to_vec()
        })
        .collect();
    signed(options.clone()).is(VerdictKind::LimitExceeded);
    signed(options).distrusting_key_of(&incident.control).is(VerdictKind::LimitExceeded);
}

/// Of two certificates with one issuer and serial number the first counts, as in Firefox: one that is put before the real one makes
/// the add-on fail, and never hold.
#[test]
fn a_certificate_that_poses_as_the_end_entity_never_helps() {
    let issuer = &bench().incident.control;
    let signer = AddonSigner { issuer, options: of_2018() };
    let real = signer.end_entity(&addon(), KeyKind::Rsa2048).unwrap();
    let (begin, end) = end_entity_dates();
    let junk = key(KeyKind::Rsa2048, "junk").unwrap();
    let impostor = CertificateSpec::end_entity(real.subject().clone(), real.serial(), begin, end)
        .sign(&junk, issuer.subject(), &junk)
        .unwrap();
    let mut options = of_2018();
    options.extra_certificates = vec![impostor.der().to_vec()];
    let first_is_real = real.der() < impostor.der();
    signed(options.clone()).is(if first_is_real { VerdictKind::Ok } else { VerdictKind::BadSignature });
    // Distrust of the signer is distrust, whoever stands beside it.
    if first_is_real {
        signed(options)
            .distrusting_key_of(&real)
            .is_naming(VerdictKind::Distrusted, "fixture@lab.example.org");
    }
}

#[test]
fn a_distrusted_end_entity_is_refused_by_serial_and_by_key() {
    let issuer = &bench().incident.control;
    let real = AddonSigner { issuer, options: of_2018() }.end_entity(&addon(), KeyKind::Rsa2048).unwrap();
    signed(of_2018()).distrusting_serial_of(&real).is(VerdictKind::Distrusted);
    signed(of_2018()).distrusting_key_of(&real).is(VerdictKind::Distrusted);
}
