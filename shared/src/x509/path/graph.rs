//! Which candidates genuinely descend from an anchor.
//!
//! Embedded certificates are chosen by whoever holds the file, so nothing may be spent on them, or concluded from them, before
//! a genuine CA's signature is found on them. The graph is therefore walked from the anchors down: a candidate is looked at
//! only once a certificate of its issuer's name is genuine, and it costs one signature check for each genuine key of that
//! name. Junk never becomes an issuer, so it cannot multiply.
//!
//! Key identifiers decide nothing here. They are hints (RFC 4158 section 3.5.12), chosen by whoever made the certificate, and
//! without them the work is bounded already.

use std::collections::{BTreeSet, HashMap, VecDeque};

use jiff::Timestamp;

use super::fault::{DateFault, Fault, Role};
use super::{Exceeded, PathBuilder};
use crate::digest::Sha256Digest;
use crate::x509::signature::{self, Checked};
use crate::x509::{Certificate, SignatureMemo};

/// The position of the certificate the path is for.
pub(super) const TARGET: usize = 0;

/// A certificate that a path may lead through, with what is wrong with it alone.
pub(super) struct Node {
    pub(super) certificate: Certificate,
    pub(super) role: Role,
    pub(super) fault: Option<Fault>,
    pub(super) date: Option<DateFault>,
    pub(super) distrusted: bool,
}

/// Which certificates a walk admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admit {
    /// Nothing wrong with them.
    Sound,
    /// Distrusted ones too.
    Distrusted,
    /// Those out of date too.
    OutOfDate,
    /// Both.
    DistrustedOrOutOfDate,
    /// Whatever is wrong with them.
    Anything,
}

impl Admit {
    fn admits(self, node: &Node) -> bool {
        let fault = node.fault.is_some();
        let date = node.date.is_some();
        // The target is judged by the caller: what is wrong with it would hide what is wrong with its issuers.
        node.role.is_target()
            || match self {
                Self::Sound => !fault && !date && !node.distrusted,
                Self::Distrusted => !fault && !date,
                Self::OutOfDate => !fault && !node.distrusted,
                Self::DistrustedOrOutOfDate => !fault,
                Self::Anything => true,
            }
    }
}

/// What one walk found: for each node, who genuinely signed it.
pub(super) struct Genuine {
    pub(super) issuers: Vec<Vec<usize>>,
}

/// The candidates that a chain of names leads to from the target.
pub(super) struct Graph<'a> {
    pub(super) nodes: Vec<Node>,
    /// Non-anchors by the name of their issuer.
    children: HashMap<Vec<u8>, Vec<usize>>,
    checked: HashMap<(usize, Sha256Digest), Checked>,
    memo: &'a SignatureMemo,
    /// Signature checks that may still be made.
    budget: usize,
}

impl<'a> Graph<'a> {
    /// Collects the target and, name by name, whoever could be its issuer, their issuers and so on. The order, and so everything
    /// that follows, does not depend on the order of `embedded`.
    pub(super) fn gather(
        builder: &PathBuilder<'a>,
        target: &Certificate,
        role: Role,
        embedded: &[Certificate],
        at: Timestamp,
    ) -> Self {
        let mut graph = Self {
            nodes: Vec::new(),
            children: HashMap::new(),
            checked: HashMap::new(),
            memo: builder.memo,
            budget: builder.limits.signature_checks,
        };
        let embedded: BTreeSet<&Certificate> = embedded.iter().collect();
        let mut by_subject: HashMap<&[u8], Vec<&Certificate>> = HashMap::new();
        for certificate in embedded {
            by_subject.entry(certificate.subject_der()).or_default().push(certificate);
        }
        let mut known = BTreeSet::from([target.sha256()]);
        let mut names = VecDeque::from([target.issuer_der().to_vec()]);
        let mut asked = BTreeSet::new();
        graph.add(builder, target, role, at);
        while let Some(name) = names.pop_front() {
            let anchors = builder.anchors.by_subject(&name).iter().map(|c| (c, Role::Anchor));
            let pool = builder.pool.by_subject(&name).iter();
            let local = anchors.chain(pool.map(|c| (c, Role::Intermediate)));
            let unsigned = by_subject.get(name.as_slice()).into_iter().flatten();
            let unsigned = unsigned.map(|c| (*c, Role::Intermediate));
            for (certificate, role) in local.chain(unsigned) {
                if !known.insert(certificate.sha256()) {
                    continue;
                }
                graph.add(builder, certificate, role, at);
                let issuer = certificate.issuer_der();
                if role == Role::Intermediate && issuer != name && !asked.contains(issuer) {
                    names.push_back(issuer.to_vec());
                    asked.insert(issuer.to_vec());
                }
            }
            asked.insert(name);
        }
        graph
    }

    fn add(&mut self, builder: &PathBuilder<'_>, certificate: &Certificate, role: Role, at: Timestamp) {
        if role != Role::Anchor {
            let position = self.nodes.len();
            self.children.entry(certificate.issuer_der().to_vec()).or_default().push(position);
        }
        self.nodes.push(Node {
            certificate: certificate.clone(),
            role,
            fault: Fault::of(certificate, role, builder.usage),
            date: DateFault::of(certificate, at),
            distrusted: builder.distrust.refuses(certificate).is_some(),
        });
    }

    /// The node at `position`; positions come from this graph, so there is one.
    pub(super) fn node(&self, position: usize) -> Option<&Node> {
        self.nodes.get(position)
    }

    /// Walks from the anchors down. Checks made by an earlier walk are not made again.
    pub(super) fn walk(&mut self, admit: Admit) -> Result<Genuine, Exceeded> {
        let mut genuine = Genuine { issuers: vec![Vec::new(); self.nodes.len()] };
        let mut queue: VecDeque<usize> = (0..self.nodes.len())
            .filter(|i| self.node(*i).is_some_and(|n| n.role == Role::Anchor && admit.admits(n)))
            .collect();
        while let Some(issuer) = queue.pop_front() {
            let Some(node) = self.node(issuer) else { continue };
            let children = self.children.get(node.certificate.subject_der()).cloned().unwrap_or_default();
            for child in children {
                let admitted = self.node(child).is_some_and(|node| admit.admits(node));
                if child == issuer || !admitted || self.check(child, issuer)? != Checked::Holds {
                    continue;
                }
                let Some(issuers) = genuine.issuers.get_mut(child) else { continue };
                if issuers.is_empty() && child != TARGET {
                    queue.push_back(child);
                }
                issuers.push(issuer);
            }
        }
        Ok(genuine)
    }

    /// A genuine certificate whose key is too small for anybody to look at what it signed.
    pub(super) fn with_small_key(&mut self) -> Result<Option<(usize, Fault)>, Exceeded> {
        let genuine = self.walk(Admit::Anything)?;
        let mut nodes = self.nodes.iter().zip(&genuine.issuers).enumerate();
        Ok(nodes.find_map(|(position, (node, issuers))| {
            let fault = node.fault.filter(|fault| matches!(fault, Fault::KeyTooSmall(_)))?;
            (node.role == Role::Anchor || !issuers.is_empty()).then_some((position, fault))
        }))
    }

    /// A certificate with a candidate of its issuer's name, signed in a form that is not accepted, where that may be why
    /// nothing chains: the target, or a certificate whose key made the target's signature. Where the names do not
    /// even lead to an anchor, no algorithm would help.
    pub(super) fn unsupported(&mut self) -> Result<Option<usize>, Exceeded> {
        if !self.nodes.iter().any(|node| node.role == Role::Anchor) {
            return Ok(None);
        }
        let candidates = self.nodes.iter().filter(|candidate| !candidate.role.is_target());
        let names: BTreeSet<&[u8]> =
            candidates.map(|candidate| candidate.certificate.subject_der()).collect();
        let is_suspect = |node: &Node| {
            node.role != Role::Anchor
                && names.contains(node.certificate.issuer_der())
                && !signature::is_accepted(&node.certificate)
        };
        let suspects: Vec<usize> =
            self.nodes.iter().enumerate().filter(|(_, node)| is_suspect(node)).map(|(at, _)| at).collect();
        for position in suspects {
            if position == TARGET || self.check(TARGET, position)? == Checked::Holds {
                return Ok(Some(position));
            }
        }
        Ok(None)
    }

    fn check(&mut self, child: usize, issuer: usize) -> Result<Checked, Exceeded> {
        let (Some(signed), Some(signer)) = (self.node(child), self.node(issuer)) else {
            return Ok(Checked::Fails);
        };
        let key = (child, signer.certificate.spki_sha256());
        if let Some(result) = self.checked.get(&key) {
            return Ok(*result);
        }
        let budget = self.budget.checked_sub(1).ok_or(Exceeded("signature checks"))?;
        let result = signature::check(&signed.certificate, &signer.certificate, self.memo);
        self.budget = budget;
        self.checked.insert(key, result);
        Ok(result)
    }
}
