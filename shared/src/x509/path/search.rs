//! Which paths among the genuine certificates hold: what depends on the whole path, not on one certificate.
//!
//! Path lengths, name constraints and loops (RFC 5280 section 6.1.4), from the target up.

use std::ops::ControlFlow;

use super::Exceeded;
use super::fault::Role;
use super::graph::{Genuine, Graph, Node, TARGET};
use crate::limits::X509Limits;
use crate::x509::name_constraints::{self, Comparisons};

/// Why a path of genuine certificates was not followed further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The issuer allows fewer intermediates below it.
    PathLength { issuer: usize },
    /// The issuer's name constraints do not allow a name of the subject.
    Name { issuer: usize, subject: usize },
    /// More intermediates than our ceiling.
    TooLong,
}

/// Whether conditions on whole paths count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Constraints {
    /// They do.
    Apply,
    /// They do not: to find what else is wrong.
    Ignore,
}

/// One search through what one walk of the graph found.
pub(super) struct Search<'g, 'a> {
    graph: &'g Graph<'a>,
    genuine: &'g Genuine,
    constraints: Constraints,
    limits: &'a X509Limits,
    steps: usize,
    comparisons: Comparisons,
    /// The first refusal met.
    pub(super) refusal: Option<Refusal>,
}

impl<'g, 'a> Search<'g, 'a> {
    pub(super) fn new(
        graph: &'g Graph<'a>,
        genuine: &'g Genuine,
        constraints: Constraints,
        limits: &'a X509Limits,
    ) -> Self {
        let comparisons = Comparisons::new(limits.name_comparisons);
        Self { graph, genuine, constraints, limits, steps: limits.search_steps, comparisons, refusal: None }
    }

    /// The first path that holds.
    pub(super) fn first(&mut self) -> Result<Option<Vec<usize>>, Exceeded> {
        let mut found = None;
        let _ = self.each(&mut |path| {
            found = Some(path.to_vec());
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    /// The path of least `cost`. When the ceiling is reached, the best until then, if there is one.
    pub(super) fn cheapest<C: Ord>(
        &mut self,
        cost: impl Fn(&[usize]) -> C,
    ) -> Result<Option<Vec<usize>>, Exceeded> {
        let mut best: Option<(C, Vec<usize>)> = None;
        let outcome = self.each(&mut |path| {
            let cost = cost(path);
            if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                best = Some((cost, path.to_vec()));
            }
            ControlFlow::Continue(())
        });
        match (best, outcome) {
            (None, Err(exceeded)) => Err(exceeded),
            (best, _) => Ok(best.map(|(_, path)| path)),
        }
    }

    fn each(
        &mut self,
        visit: &mut dyn FnMut(&[usize]) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Exceeded> {
        self.extend(&mut vec![TARGET], visit)
    }

    /// Visits every path that begins with `path`, the target first. Recursion is as deep as a path is long.
    fn extend(
        &mut self,
        path: &mut Vec<usize>,
        visit: &mut dyn FnMut(&[usize]) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Exceeded> {
        let genuine = self.genuine;
        let issuers = path.last().and_then(|last| genuine.issuers.get(*last));
        for issuer in issuers.into_iter().flatten().copied() {
            self.steps = self.steps.checked_sub(1).ok_or(Exceeded("steps of the path search"))?;
            let Some(node) = self.graph.node(issuer) else { continue };
            if self.loops(path, node) {
                continue;
            }
            let refusal = self.refusal(path, issuer, node)?;
            if let (Some(refusal), Constraints::Apply) | (Some(refusal @ Refusal::TooLong), _) =
                (refusal, self.constraints)
            {
                self.refusal.get_or_insert(refusal);
                continue;
            }
            path.push(issuer);
            let flow = if node.role == Role::Anchor { visit(path) } else { self.extend(path, visit)? };
            path.pop();
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The same name with the same key twice is going in circles (RFC 4158 section 2.4.1).
    fn loops(&self, path: &[usize], issuer: &Node) -> bool {
        path.iter().filter_map(|position| self.graph.node(*position)).any(|node| {
            node.certificate.spki_sha256() == issuer.certificate.spki_sha256()
                && node.certificate.subject_der() == issuer.certificate.subject_der()
        })
    }

    fn refusal(
        &mut self,
        path: &[usize],
        position: usize,
        issuer: &Node,
    ) -> Result<Option<Refusal>, Exceeded> {
        // Without the target and, here, the anchor. The issuer itself is one more if it is not the anchor.
        let between = path.len().saturating_sub(1) + usize::from(issuer.role != Role::Anchor);
        if between > self.limits.intermediates {
            return Ok(Some(Refusal::TooLong));
        }
        let extensions = issuer.certificate.extensions();
        let below = path.iter().filter_map(|position| self.graph.node(*position));
        // RFC 5280 section 4.2.1.9: intermediates that are not self-issued; the last certificate does not count.
        let counted = below
            .clone()
            .filter(|node| node.role != Role::EndEntity && !node.certificate.is_self_issued())
            .count();
        let allowed = extensions.basic_constraints.as_ref().and_then(|c| c.path_len_constraint);
        if allowed.is_some_and(|allowed| counted > usize::from(allowed)) {
            return Ok(Some(Refusal::PathLength { issuer: position }));
        }
        let Some(constraints) = &extensions.name_constraints else { return Ok(None) };
        for (subject, node) in path.iter().zip(below) {
            // RFC 5280 section 4.2.1.10: not on self-issued certificates, unless the last.
            if node.certificate.is_self_issued() && !node.role.is_target() {
                continue;
            }
            if !name_constraints::allow(constraints, &node.certificate, &mut self.comparisons)
                .ok_or(Exceeded("comparisons with name constraints"))?
            {
                return Ok(Some(Refusal::Name { issuer: position, subject: *subject }));
            }
        }
        Ok(None)
    }
}
