//! Name constraints (RFC 5280 section 4.2.1.10).
//!
//! A constraint that is malformed, or of a form that cannot be compared, allows no name of its form: neither a permitted nor an
//! excluded subtree may be passed by being unreadable.

use std::net::{Ipv4Addr, Ipv6Addr};

use const_oid::db::rfc3280::EMAIL_ADDRESS;
use der::Decode;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::ext::pkix::NameConstraints;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::{Name, RelativeDistinguishedName};

use super::Certificate;
use super::structure::directory_string;

/// How much comparing may still be done. It is the product of names and subtrees, both chosen by others.
#[derive(Debug)]
pub(super) struct Comparisons(usize);

impl Comparisons {
    pub(super) fn new(budget: usize) -> Self {
        Self(budget)
    }

    fn spend(&mut self, count: usize) -> Option<()> {
        self.0 = self.0.checked_sub(count)?;
        Some(())
    }
}

/// Whether `constraints` allow every name of `subject`; `None` when the comparisons are used up.
pub(super) fn allow(
    constraints: &NameConstraints,
    subject: &Certificate,
    comparisons: &mut Comparisons,
) -> Option<bool> {
    let permitted = constraints.permitted_subtrees.as_deref().unwrap_or_default();
    let excluded = constraints.excluded_subtrees.as_deref().unwrap_or_default();
    // Distances other than 0 and none must not be used.
    if permitted.iter().chain(excluded).any(|subtree| subtree.minimum != 0 || subtree.maximum.is_some()) {
        return Some(false);
    }
    let alternative = &subject.extensions().alternative_names;
    let subtrees = permitted.len().saturating_add(excluded.len());
    // Most constraints are of host names, which subjects are none of: they count as compared, and need not be decoded.
    let compared = |base| matches!(base, &GeneralName::DirectoryName(_) | &GeneralName::Rfc822Name(_));
    let weights: Vec<usize> = permitted.iter().chain(excluded).map(|subtree| weight(&subtree.base)).collect();
    let own = if permitted.iter().chain(excluded).any(|subtree| compared(&subtree.base)) {
        own_names(subject, alternative.is_empty())
    } else {
        comparisons.spend(subtrees)?;
        Vec::new()
    };
    for name in alternative.iter().chain(&own) {
        let longest = weight(name);
        comparisons.spend(weights.iter().map(|weight| 1 + (*weight).min(longest) / 32).sum())?;
        for subtree in excluded {
            if same_form(&subtree.base, name) && matches(&subtree.base, name, Side::Excluded) != Some(false) {
                return Some(false);
            }
        }
        let mut of_this_form = permitted.iter().filter(|subtree| same_form(&subtree.base, name)).peekable();
        if of_this_form.peek().is_some()
            && !of_this_form.any(|subtree| matches(&subtree.base, name, Side::Permitted) == Some(true))
        {
            return Some(false);
        }
    }
    Some(true)
}

/// The subject as a directory name and, without alternative names, its mail addresses.
fn own_names(subject: &Certificate, mail: bool) -> Vec<GeneralName> {
    let Ok(name) = Name::from_der(subject.subject_der()) else { return Vec::new() };
    if name.is_empty() {
        return Vec::new();
    }
    let addresses = name.0.iter().flat_map(|rdn| rdn.0.iter()).filter(|a| mail && a.oid == EMAIL_ADDRESS);
    let mut names: Vec<_> = addresses
        .filter_map(|a| a.value.decode_as::<der::asn1::Ia5StringRef<'_>>().ok())
        .map(|address| GeneralName::Rfc822Name(address.into()))
        .collect();
    names.push(GeneralName::DirectoryName(name));
    names
}

/// Bytes that comparing a name looks at.
fn weight(name: &GeneralName) -> usize {
    /// An attribute's type, and what it costs to look at it.
    const ATTRIBUTE: usize = 16;
    match name {
        GeneralName::DirectoryName(name) => {
            let attributes = name.0.iter().flat_map(|part| part.0.iter());
            attributes.map(|attribute| ATTRIBUTE + attribute.value.value().len()).sum()
        }
        GeneralName::DnsName(text) | GeneralName::UniformResourceIdentifier(text) => text.as_str().len(),
        GeneralName::Rfc822Name(text) => text.as_str().len(),
        _ => 0,
    }
}

fn same_form(a: &GeneralName, b: &GeneralName) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Permitted,
    Excluded,
}

/// Whether `name` lies in the subtree `base` of the same form; `None` if that cannot be said.
fn matches(base: &GeneralName, name: &GeneralName, side: Side) -> Option<bool> {
    match (base, name) {
        (GeneralName::DnsName(base), GeneralName::DnsName(name)) => dns(base.as_str(), name.as_str(), side),
        (GeneralName::Rfc822Name(base), GeneralName::Rfc822Name(name)) => mail(base.as_str(), name.as_str()),
        (GeneralName::UniformResourceIdentifier(base), GeneralName::UniformResourceIdentifier(name)) => {
            host_in(base.as_str(), uri_host(name.as_str())?)
        }
        (GeneralName::IpAddress(base), GeneralName::IpAddress(name)) => ip(base.as_bytes(), name.as_bytes()),
        (GeneralName::DirectoryName(base), GeneralName::DirectoryName(name)) => Some(directory(base, name)),
        _ => None,
    }
}

/// `example.com` is itself and everything below, `.example.com` (not in the RFC, but in real add-on intermediates) only
/// what is below, the empty name everything.
fn dns(base: &str, name: &str, side: Side) -> Option<bool> {
    let (wild, name) = match name.strip_prefix("*.") {
        Some(rest) => (true, rest),
        None => (false, name),
    };
    if base.is_empty() {
        return Some(true);
    }
    let bare = base.strip_prefix('.').unwrap_or(base);
    if !is_host(bare) || !is_host(name) {
        return None;
    }
    if below(bare, name) || (wild || !base.starts_with('.')) && bare.eq_ignore_ascii_case(name) {
        return Some(true);
    }
    // `*.example.com` includes the excluded `a.example.com`.
    Some(wild && side == Side::Excluded && below(name, bare))
}

/// A mailbox is itself, a host all mailboxes on it, `.example.com` all mailboxes on hosts below it. Nothing is a wildcard.
fn mail(base: &str, name: &str) -> Option<bool> {
    let (local, host) = name.rsplit_once('@')?;
    if local.is_empty() || local.contains('@') || !is_host(host) {
        return None;
    }
    match base.rsplit_once('@') {
        Some((base_local, base_host)) => {
            is_host(base_host).then(|| base_local == local && base_host.eq_ignore_ascii_case(host))
        }
        None if base.is_empty() => Some(true),
        None => host_in(base, host),
    }
}

fn host_in(base: &str, host: &str) -> Option<bool> {
    let bare = base.strip_prefix('.').unwrap_or(base);
    if !is_host(bare) || !is_host(host) {
        return None;
    }
    Some(if base.starts_with('.') { below(bare, host) } else { bare.eq_ignore_ascii_case(host) })
}

/// The host of a URI; `None` where it has none or an address, which constraints do not cover.
fn uri_host(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = host.split(':').next()?;
    (host.parse::<Ipv4Addr>().is_err()).then_some(host)
}

fn below(base: &str, name: &str) -> bool {
    let Some(cut) = name.len().checked_sub(base.len()) else { return false };
    match (name.get(..cut), name.get(cut..)) {
        (Some(front), Some(back)) => front.ends_with('.') && back.eq_ignore_ascii_case(base),
        _ => false,
    }
}

/// Letters, digits, hyphens and underscores in labels; no empty label and no wildcard.
fn is_host(name: &str) -> bool {
    name.len() <= 253
        && name.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        })
}

/// Address and mask, both of the family's length; the mask is a prefix.
fn ip(base: &[u8], name: &[u8]) -> Option<bool> {
    if !matches!(name.len(), 4 | 16) {
        return None;
    }
    let (address, mask) = base.split_at_checked(base.len() / 2)?;
    let ones = match (<[u8; 4]>::try_from(mask), <[u8; 16]>::try_from(mask)) {
        (Ok(mask), _) => u128::from(u32::from(Ipv4Addr::from(mask))) << 96,
        (_, Ok(mask)) => u128::from(Ipv6Addr::from(mask)),
        _ => return None,
    };
    if ones.leading_ones() != ones.count_ones() || address.len() != mask.len() {
        return None;
    }
    Some(
        address.len() == name.len()
            && address
                .iter()
                .zip(mask)
                .zip(name)
                .all(|((address, mask), name)| address & mask == name & mask),
    )
}

/// The base is the beginning of the name.
fn directory(base: &Name, name: &Name) -> bool {
    base.0.len() <= name.0.len() && base.0.iter().zip(&name.0).all(|(a, b)| same_rdn(a, b))
}

fn same_rdn(a: &RelativeDistinguishedName, b: &RelativeDistinguishedName) -> bool {
    a.0.len() == b.0.len()
        && a.0.iter().all(|attribute| b.0.iter().any(|other| same_attribute(attribute, other)))
}

/// Strings are compared without regard to their type, case and repeated spaces (RFC 5280 section 7.1), so that an excluded name
/// is not passed by another spelling.
fn same_attribute(a: &AttributeTypeAndValue, b: &AttributeTypeAndValue) -> bool {
    if a.oid != b.oid {
        return false;
    }
    match (directory_string((&a.value).into()), directory_string((&b.value).into())) {
        (Some(a), Some(b)) => {
            let folded = |s: &str| s.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
            folded(&a) == folded(&b)
        }
        _ => a.value == b.value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_subtrees() {
        use Side::{Excluded, Permitted};
        for (base, name, side, expected) in [
            ("example.com", "example.com", Permitted, Some(true)),
            ("example.com", "A.Example.COM", Permitted, Some(true)),
            ("example.com", "badexample.com", Permitted, Some(false)),
            (".example.com", "example.com", Excluded, Some(false)),
            (".example.com", "a.example.com", Excluded, Some(true)),
            ("", "anything", Permitted, Some(true)),
            ("a.example.com", "*.example.com", Permitted, Some(false)),
            ("a.example.com", "*.example.com", Excluded, Some(true)),
            ("example.com", "*.example.com", Permitted, Some(true)),
            ("*.example.com", "a.example.com", Excluded, None),
            ("example.com", "a..example.com", Excluded, None),
            ("example.com", "é.example.com", Excluded, None),
        ] {
            assert_eq!(dns(base, name, side), expected, "{base} {name}");
        }
    }

    #[test]
    fn mail_subtrees_have_no_wildcards() {
        for (base, name, expected) in [
            ("a@example.com", "a@EXAMPLE.com", Some(true)),
            ("a@example.com", "A@example.com", Some(false)),
            ("example.com", "a@example.com", Some(true)),
            ("example.com", "a@b.example.com", Some(false)),
            (".example.com", "a@b.example.com", Some(true)),
            ("*@example.com", "a@example.com", Some(false)),
            ("example.com", "nobody", None),
            ("example.com", "a@b@example.com", None),
        ] {
            assert_eq!(mail(base, name), expected, "{base} {name}");
        }
    }

    #[test]
    fn address_ranges_need_prefix_masks() {
        assert_eq!(ip(&[192, 0, 2, 0, 255, 255, 255, 0], &[192, 0, 2, 9]), Some(true));
        assert_eq!(ip(&[192, 0, 2, 0, 255, 255, 255, 0], &[192, 0, 3, 9]), Some(false));
        assert_eq!(ip(&[192, 0, 2, 0, 255, 0, 255, 0], &[192, 0, 2, 9]), None);
        assert_eq!(ip(&[192, 0, 2, 0, 255], &[192, 0, 2, 9]), None);
        assert_eq!(ip(&[0; 8], &[0; 16]), Some(false));
        assert_eq!(ip(&[0; 32], &[0; 16]), Some(true));
        assert_eq!(ip(&[], &[1, 2, 3]), None);
    }

    #[test]
    fn hosts_of_uris() {
        assert_eq!(uri_host("https://u@host.example:8/p?q"), Some("host.example"));
        assert_eq!(uri_host("https://192.0.2.1/"), None);
        assert_eq!(uri_host("urn:x"), None);
        assert_eq!(host_in("host.example", "HOST.example"), Some(true));
        assert_eq!(host_in(".example", "host.example"), Some(true));
    }
}
