//! What there is to say about the certificates of a recipe, in words that a tired person understands.

use jiff::Timestamp;

use super::corpus::Corpus;
use super::finding::add_ons;
use super::{Finding, FindingKind, Preflight};
use crate::recipe::DistrustEntry;
use crate::x509::{Certificate, Distrust, PathError, PathErrorKind, Usage};

pub(super) fn findings(preflight: &Preflight<'_>, corpus: &Corpus) -> Vec<Finding> {
    let mut findings = Vec::new();
    let action = preflight.question.recipe.action.does();
    for (index, certificate) in action.installs().iter().enumerate() {
        match misfit(certificate, preflight) {
            Some(misfit) => findings.push(misfit),
            None => {
                findings.extend(chain(certificate, preflight));
                findings.extend(replaced(certificate, corpus.signed_by(index), corpus));
            }
        }
    }
    if !action.distrusts().is_empty() {
        findings.extend(distrusted(preflight, action.distrusts(), corpus));
    }
    findings
}

/// What no date and no other certificate heals.
fn misfit(certificate: &Certificate, preflight: &Preflight<'_>) -> Option<Finding> {
    let name = certificate.described();
    let is_anchor = preflight.question.anchors.contains(certificate);
    if certificate.is_self_issued() {
        let which = if is_anchor {
            "the root itself"
        } else {
            "a root, issued by itself, and none that was given as anchor"
        };
        let sentence = format!(
            "{name} is {which}: clients pin their anchor and take no other from a recipe. Give the new intermediate that the \
             root issued"
        );
        return Some(Finding::failure(FindingKind::TheRootItself, sentence));
    }
    if is_anchor {
        let issuer = shortened(&certificate.issuer());
        let sentence = format!(
            "{name} was given as anchor, and is none: {issuer:?} issued it, so it is an intermediate, and judged by itself it \
             shows nothing. Check --anchor: give the root that clients pin"
        );
        return Some(Finding::failure(FindingKind::AnchorNotARoot, sentence));
    }
    if !certificate.is_ca() {
        let sentence = format!(
            "{name} is a leaf certificate: it may sign one add-on, and vouches for no other certificate. Give the \
             intermediate, the certificate of the CA that issues the add-ons' certificates"
        );
        return Some(Finding::failure(FindingKind::LeafCertificate, sentence));
    }
    let code_signing = Usage::CodeSigning.oid();
    if certificate.extended_key_usages().is_some_and(|usages| !usages.contains(&code_signing)) {
        let sentence = format!(
            "{name} was not made for signing add-ons: codeSigning is missing among its extended key usages. Have it \
             issued again with codeSigning"
        );
        return Some(Finding::failure(FindingKind::NoCodeSigning, sentence));
    }
    None
}

/// Whether agents would install it at each time, as they ask it.
fn chain(certificate: &Certificate, preflight: &Preflight<'_>) -> Vec<Finding> {
    let name = certificate.described();
    let admission = preflight.admission();
    let mut findings = Vec::new();
    let mut held = None;
    for moment in &preflight.moments {
        match admission.certificate(certificate, &moment.taken, moment.at) {
            Ok(path) => held = held.or(path.certificates().last().cloned()),
            Err(error) => findings.push(refused(certificate, &error, moment.at).at(moment.at)),
        }
    }
    if let Some(anchor) = held {
        let sentence = format!("{name} chains to the anchor {}", anchor.described());
        findings.push(Finding::note(FindingKind::ChainsToAnchor, sentence));
        if certificate.not_after() > anchor.not_after() {
            let sentence = format!(
                "{name} outlives its anchor {}: it is valid until {}, but of no use after {}, when the anchor expires",
                anchor.described(),
                certificate.not_after(),
                anchor.not_after()
            );
            findings.push(Finding::warning(FindingKind::OutlivesAnchor, sentence));
        }
    }
    findings
}

/// Why agents would not install it at this time.
fn refused(certificate: &Certificate, error: &PathError, at: Timestamp) -> Finding {
    let name = certificate.described();
    let itself = error.certificate.as_ref() == Some(certificate);
    let which = match &error.certificate {
        Some(other) if !itself => format!("{}, which vouches for {name},", other.described()),
        _ => name.clone(),
    };
    let decided = error.certificate.as_ref().unwrap_or(certificate);
    match error.kind {
        PathErrorKind::IssuerExpired => {
            let remedy = if itself {
                "Give one that is valid longer"
            } else {
                "No certificate below it helps then: clients need another anchor or intermediate first"
            };
            let sentence = format!(
                "{which} expired at {}: at {at} agents do not install {}. {remedy}",
                decided.not_after(),
                if itself { "it" } else { "what it vouches for" }
            );
            Finding::failure(FindingKind::Expired, sentence)
        }
        PathErrorKind::IssuerNotYetValid => {
            let sentence = format!(
                "{which} is not yet valid: it begins at {}, and at {at} agents do not install it. Have it issued with an \
                 earlier begin: clocks of clients are often behind, too",
                decided.not_before()
            );
            Finding::failure(FindingKind::NotYetValid, sentence)
        }
        PathErrorKind::UnknownIssuer => {
            let issuer: String = certificate.issuer().chars().take(200).collect();
            let sentence = format!(
                "{name} does not chain to the anchor: its issuer is {issuer:?}, and no signature leads from there to an \
                 anchor that clients pin. Have it issued by the root that clients pin, or check --anchor"
            );
            Finding::failure(FindingKind::NotChaining, sentence)
        }
        _ => {
            let sentence = format!("agents do not install {name}: {}", error.sentence);
            Finding::failure(FindingKind::NotAcceptable, sentence)
        }
    }
}

/// Which certificate of the corpus it replaces, by subject and key.
fn replaced(certificate: &Certificate, signed: usize, corpus: &Corpus) -> Option<Finding> {
    let name = certificate.described();
    let same_subject = |other: &Certificate| other.subject_der() == certificate.subject_der();
    let same_key = |other: &Certificate| other.spki_sha256() == certificate.spki_sha256();
    let other = |is: &dyn Fn(&Certificate) -> bool| corpus.most_used(|c| c != certificate && is(c));
    if let Some((old, users)) = other(&|c| same_subject(c) && same_key(c)) {
        let sentence = format!(
            "{name} has the subject and the key of {}, valid until {}, which {} came with",
            old.described(),
            old.not_after(),
            add_ons(users)
        );
        return Some(Finding::note(FindingKind::Replaces, sentence));
    }
    // It may be new, and add-ons may wait for it: then it signed one.
    if signed > 0 {
        return None;
    }
    if let Some((old, users)) = other(&same_subject) {
        let sentence = format!(
            "{name} has the wrong key: its name is that of {}, which {} came with, but what that one's key signed does \
             not verify with this certificate. Have it issued for the old key, whose SHA-256 is {}",
            old.described(),
            add_ons(users),
            old.spki_sha256()
        );
        return Some(Finding::failure(FindingKind::WrongKey, sentence));
    }
    let same_text = |other: &Certificate| other.subject() == certificate.subject();
    if let Some((old, users)) = other(&same_text) {
        let key = if same_key(old) {
            String::new()
        } else {
            format!(", and it is for another key than the old one, whose SHA-256 is {}", old.spki_sha256())
        };
        let sentence = format!(
            "{name} has the wrong subject: the same text as {}, which {} came with, but in another encoding, and add-ons look \
             for their issuer by the bytes of its name{key}. Issue it from the old certificate's raw subject, copied and not \
             typed",
            old.described(),
            add_ons(users)
        );
        return Some(Finding::failure(FindingKind::WrongSubject, sentence));
    }
    if let Some((old, users)) = other(&same_key) {
        let sentence = format!(
            "{name} has the wrong subject: its key is that of {}, which {} came with, but add-ons look for their issuer by \
             its name, {:?}, and this one is called {:?}. Have it issued with the old name, to the letter",
            old.described(),
            add_ons(users),
            shortened(&old.subject()),
            shortened(&certificate.subject())
        );
        return Some(Finding::failure(FindingKind::WrongSubject, sentence));
    }
    let sentence = match corpus.intermediates.get(certificate) {
        Some(users) => format!("{name} replaces nothing here; {} came with it already", add_ons(*users)),
        None => format!("{name} has neither the name nor the key of any intermediate in this corpus"),
    };
    Some(Finding::warning(FindingKind::SignsNothing, sentence))
}

/// What the entries mean among the corpus' certificates: which are refused, and which siblings are not.
fn distrusted(preflight: &Preflight<'_>, by: &[DistrustEntry], corpus: &Corpus) -> Vec<Finding> {
    let mut findings = Vec::new();
    for moment in &preflight.moments {
        if let Some(anchor) = preflight.admission().refused_anchor(&moment.taken) {
            let sentence = format!(
                "it would distrust {}, an anchor that clients pin, and agents refuse that. Anchors are changed in their \
                 settings",
                anchor.described()
            );
            findings.push(Finding::failure(FindingKind::DistrustsAnchor, sentence));
            break;
        }
    }
    let nothing = Distrust::default();
    let distrust = preflight.moments.first().map_or(&nothing, |moment| &moment.taken.distrust);
    let known = preflight.question.known.iter().map(|certificate| (certificate, 0));
    let mut all: Vec<_> = corpus.intermediates.iter().map(|(c, users)| (c, *users)).chain(known).collect();
    all.sort();
    all.dedup_by(|later, first| later.0 == first.0);
    let (refused, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|(c, _)| distrust.refuses(c).is_some());
    for (index, (certificate, users)) in refused.iter().enumerate() {
        let sibling = refused.iter().take(index).find(|(c, _)| c.spki_sha256() == certificate.spki_sha256());
        let shares = match sibling {
            Some((first, _)) => format!(" and shares its key with {}", first.described()),
            None => String::new(),
        };
        let sentence =
            format!("{} is distrusted{shares}; {} came with it", certificate.described(), add_ons(*users));
        findings.push(Finding::note(FindingKind::Distrusts, sentence));
    }
    for (certificate, users) in &rest {
        if let Some((first, _)) = refused.iter().find(|(c, _)| c.spki_sha256() == certificate.spki_sha256()) {
            let sentence = format!(
                "{} stays trusted, although it has the key of {}; {} came with it. If the key was stolen, distrust by \
                 key: by = \"key\"",
                certificate.described(),
                first.described(),
                add_ons(*users)
            );
            findings.push(Finding::warning(FindingKind::SiblingStaysTrusted, sentence));
        }
    }
    if refused.is_empty() {
        let entries = if by.len() == 1 {
            "the entry means".to_owned()
        } else {
            format!("the {} entries mean", by.len())
        };
        let sentence = format!("{entries} no intermediate that an add-on of this corpus came with");
        findings.push(Finding::warning(FindingKind::DistrustsNothing, sentence));
    }
    findings
}

fn shortened(name: &str) -> String {
    name.chars().take(200).collect()
}
