//! The intermediates of a corpus: which there are, and how many add-ons hang on each.
//!
//! Whoever holds an add-on's file chooses what is embedded in it, so a certificate counts only where an anchor vouches for
//! it, at whatever time; else anybody could plant "the certificate it replaces" with one add-on.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::finding::add_ons;
use super::{Finding, FindingKind, Looked, Question};
use crate::x509::{
    Anchors, Certificate, Distrust, EndEntityTime, PathBuilder, PathErrorKind, Pool, SignatureMemo, Usage,
};
use crate::xpi::Inspection;

/// What all add-ons came with.
#[derive(Debug, Default)]
pub(super) struct Corpus {
    /// The intermediates, each with the number of add-ons that came with it.
    pub(super) intermediates: BTreeMap<Certificate, usize>,
    /// For each certificate to be installed, the number of add-ons that it signed.
    signed: BTreeMap<usize, usize>,
}

impl Corpus {
    pub(super) fn of(looked: &[Looked]) -> Self {
        let mut corpus = Self::default();
        for one in looked {
            for certificate in &one.intermediates {
                *corpus.intermediates.entry(certificate.clone()).or_default() += 1;
            }
            for index in &one.signed_by {
                *corpus.signed.entry(*index).or_default() += 1;
            }
        }
        corpus
    }

    /// How many add-ons have an end entity that the certificate of this index signed.
    pub(super) fn signed_by(&self, index: usize) -> usize {
        self.signed.get(&index).copied().unwrap_or(0)
    }

    /// The intermediate most add-ons came with, of those that `is` holds for.
    pub(super) fn most_used(&self, is: impl Fn(&Certificate) -> bool) -> Option<(&Certificate, usize)> {
        let of_kind = self.intermediates.iter().filter(|(certificate, _)| is(certificate));
        of_kind.max_by_key(|(_, users)| **users).map(|(certificate, users)| (certificate, *users))
    }

    /// Which certificate runs out first after the latest time of the question.
    pub(super) fn next_to_run_out(&self, question: &Question<'_>) -> Option<Finding> {
        let latest = question.times.iter().max()?;
        let installed = question.recipe.action.does().installs();
        let all =
            self.intermediates.keys().chain(question.anchors.iter()).chain(question.known).chain(installed);
        let next = all.filter(|c| c.not_after() > *latest).min_by_key(|c| c.not_after())?;
        let users = match self.intermediates.get(next) {
            Some(users) => format!("{} came with it", add_ons(*users)),
            None if question.anchors.contains(next) => "an anchor: every chain to it ends then".to_owned(),
            None => "no add-on came with it".to_owned(),
        };
        let sentence = format!(
            "the next certificate to run out is {}, at {} ({users})",
            next.described(),
            next.not_after()
        );
        Some(Finding::note(FindingKind::RunsOutNext, sentence))
    }
}

/// The embedded certificates of one add-on that stand between its end entities and an anchor, by name and by signature,
/// whatever their dates. Costs as many signature checks as there are candidates, on each level of the chain.
pub(super) fn intermediates(
    inspection: &Inspection,
    question: &Question<'_>,
    memo: &SignatureMemo,
) -> Vec<Certificate> {
    let mut all = BTreeSet::new();
    for (end_entity, embedded) in inspection.chains() {
        let mut candidates = above(end_entity, embedded);
        let mut genuine = Pool::new();
        for _ in 0..question.limits.x509.intermediates {
            let paths = PathBuilder {
                anchors: question.anchors,
                pool: &genuine,
                distrust: &Distrust::default(),
                memo,
                usage: Usage::CodeSigning,
                end_entity_time: EndEntityTime::Enforce,
                limits: &question.limits.x509,
            };
            let (found, rest): (Vec<_>, Vec<_>) =
                candidates.into_iter().partition(|candidate| vouched_for(&paths, candidate));
            candidates = rest;
            if found.is_empty() {
                break;
            }
            genuine.extend(found);
        }
        all.extend(genuine.iter().cloned());
    }
    all.into_iter().collect()
}

/// Which of the certificates, each given as if it were an anchor, signed an end entity of this add-on.
pub(super) fn signed_by(
    inspection: &Inspection,
    certificates: &[Anchors],
    question: &Question<'_>,
    memo: &SignatureMemo,
) -> Vec<usize> {
    let (pool, distrust) = (Pool::new(), Distrust::default());
    let signed = |anchors: &Anchors| {
        let paths = PathBuilder {
            anchors,
            pool: &pool,
            distrust: &distrust,
            memo,
            usage: Usage::CodeSigning,
            end_entity_time: EndEntityTime::Ignore,
            limits: &question.limits.x509,
        };
        let first_second = anchors.iter().map(Certificate::not_before).next().unwrap_or(Timestamp::MIN);
        inspection.signers().any(|end_entity| paths.build(end_entity, &[], first_second).is_ok())
    };
    certificates.iter().enumerate().filter(|(_, anchors)| signed(anchors)).map(|(index, _)| index).collect()
}

/// The embedded CAs that are, by name, issuers of the end entity, of its issuers, and so on.
fn above(end_entity: &Certificate, embedded: &[Certificate]) -> Vec<Certificate> {
    let mut by_subject: BTreeMap<&[u8], Vec<&Certificate>> = BTreeMap::new();
    for candidate in embedded.iter().filter(|c| c.is_ca() && !c.is_self_issued()) {
        by_subject.entry(candidate.subject_der()).or_default().push(candidate);
    }
    let mut names = vec![end_entity.issuer_der()];
    let mut reached = Vec::new();
    while let Some(name) = names.pop() {
        for issuer in by_subject.remove(name).into_iter().flatten() {
            names.push(issuer.issuer_der());
            reached.push(issuer.clone());
        }
    }
    reached
}

/// Whether an anchor vouches for it, dates aside.
fn vouched_for(paths: &PathBuilder<'_>, candidate: &Certificate) -> bool {
    match paths.chains_to_anchor(candidate, candidate.not_after()) {
        Ok(_) => true,
        Err(error) => {
            matches!(error.kind, PathErrorKind::IssuerExpired | PathErrorKind::IssuerNotYetValid)
        }
    }
}
