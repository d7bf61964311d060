//! The cases of x509-limbo on which Mulberry is known not to agree. Each must disagree, or the suite fails.

use std::collections::BTreeMap;

use crate::suite::Known::{self, Diverged, Excluded};

/// Features that Mulberry does not have. The list is closed: a case that needs another is a fault of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Comparing the certificate with the name of a TLS peer: an add-on's id is compared elsewhere.
    PeerName,
    /// Revocation lists: Mulberry revokes by distrust recipes.
    RevocationLists,
    /// Processing of certificate policies: they are understood and not evaluated, as in Firefox.
    CertificatePolicies,
    /// The CA/Browser Forum's rules on how web server certificates are composed.
    WebProfile,
}

const KEY_IDS: &str =
    "key identifiers are hints; signatures decide, and a private anchor or intermediate need not have them";
const REAL_CONSTRAINTS: &str =
    "the add-on intermediates in use are made like this, and a constraint is applied whether critical or not";
const REAL_ROOTS: &str = "the add-on roots in use are made like this";
const CA_AS_LEAF: &str =
    "a CA is not accepted as an end entity, as in rustls-webpki and the suite's own webpki cases";
const NAMES_UNREAD: &str = "alternative names are read only where a name constraint applies to them";
const UNREAD: &str = "an extension that path building does not need, and that is not critical, is not parsed";
const UNDERSTOOD: &str = "an extension that Firefox understands may be critical, as it may be there";
const ZERO_SERIAL: &str = "harmless, and private roots with serial 0 exist";
const CEILING: &str = "our ceiling counts every intermediate, self-issued or not, because it bounds work";

const EXCLUDED: &[(Missing, &[&str])] = &[
    (
        Missing::PeerName,
        &[
            "webpki::cn::ipv4-hex-mismatch",
            "webpki::cn::ipv4-leading-zeros-mismatch",
            "webpki::cn::ipv6-uppercase-mismatch",
            "webpki::cn::ipv6-uncompressed-mismatch",
            "webpki::cn::ipv6-non-rfc5952-mismatch",
            "webpki::cn::punycode-not-in-san",
            "webpki::cn::utf8-vs-punycode-mismatch",
            "webpki::cn::not-in-san",
            "webpki::cn::case-mismatch",
            "webpki::san::mismatch-domain-san",
            "webpki::san::mismatch-subdomain-san",
            "webpki::san::mismatch-subdomain-apex-san",
            "webpki::san::mismatch-apex-subdomain-san",
            "webpki::san::public-suffix-wildcard-san",
            "webpki::san::public-suffix-multi-label-wildcard-san",
            "webpki::san::public-suffix-private-namespace-wildcard-san",
            "webpki::san::wildcard-embedded-leftmost-san",
            "webpki::san::wildcard-not-in-leftmost-san",
            "webpki::san::wildcard-match-across-labels-san",
            "webpki::san::wildcard-embedded-ulabel-san",
            "webpki::san::no-san",
            "webpki::san::san-wildcard-only",
            "webpki::san::san-wildcard-only-tld",
        ],
    ),
    (
        Missing::RevocationLists,
        &[
            "crl::revoked-certificate-with-crl",
            "crl::crlnumber-missing",
            "crl::crlnumber-critical",
            "crl::issuer-missing-crlsign",
        ],
    ),
    (Missing::CertificatePolicies, &["rfc5280::pc::ica-noncritical-pc"]),
    (
        Missing::WebProfile,
        &[
            "webpki::aki::root-with-aki-missing-keyidentifier",
            "webpki::aki::root-with-aki-authoritycertissuer",
            "webpki::aki::root-with-aki-authoritycertserialnumber",
            "webpki::aki::root-with-aki-all-fields",
            "webpki::aki::root-with-aki-ski-mismatch",
            "webpki::eku::ee-anyeku",
            "webpki::eku::ee-critical-eku",
            "webpki::eku::ee-without-eku",
            "webpki::san::san-critical-with-nonempty-subject",
            "webpki::forbidden-p192-leaf",
            "webpki::forbidden-dsa-leaf",
            "webpki::forbidden-rsa-not-divisible-by-8-in-root",
            "webpki::forbidden-rsa-key-not-divisible-by-8-in-leaf",
        ],
    ),
];

const DIVERGED: &[(&str, &[&str])] = &[
    (
        KEY_IDS,
        &[
            "rfc5280::aki::leaf-missing-aki",
            "rfc5280::aki::intermediate-missing-aki",
            "rfc5280::aki::cross-signed-root-missing-aki",
            "rfc5280::ski::root-missing-ski",
            "rfc5280::ski::intermediate-missing-ski",
        ],
    ),
    (
        REAL_CONSTRAINTS,
        &["rfc5280::nc::permitted-dns-match-noncritical", "rfc5280::nc::invalid-dnsname-leading-period"],
    ),
    (REAL_ROOTS, &["rfc5280::root-non-critical-basic-constraints", "webpki::eku::root-has-eku"]),
    (UNDERSTOOD, &["rfc5280::ee-critical-aia-invalid"]),
    (CA_AS_LEAF, &["rfc5280::ca-as-leaf", "pathlen::validation-ignores-pathlen-in-leaf"]),
    (
        NAMES_UNREAD,
        &[
            "rfc5280::san::noncritical-with-empty-subject",
            "rfc5280::san::underscore-dns",
            "rfc5280::san::ip-in-dns",
        ],
    ),
    (UNREAD, &["webpki::malformed-aia"]),
    (ZERO_SERIAL, &["rfc5280::serial::zero"]),
    (CEILING, &["pathlen::max-chain-depth-1-self-issued"]),
];

/// Case by case, why it does not agree.
pub(crate) fn known() -> BTreeMap<&'static str, Known<Missing>> {
    let excluded = EXCLUDED.iter().flat_map(|(missing, ids)| ids.iter().map(|id| (*id, Excluded(*missing))));
    let diverged = DIVERGED.iter().flat_map(|(reason, ids)| ids.iter().map(|id| (*id, Diverged(reason))));
    let known: BTreeMap<_, _> = excluded.chain(diverged).collect();
    let listed = EXCLUDED.iter().map(|(_, ids)| ids.len()).sum::<usize>()
        + DIVERGED.iter().map(|(_, ids)| ids.len()).sum::<usize>();
    assert_eq!(known.len(), listed, "a case stands in the tables twice");
    known
}
