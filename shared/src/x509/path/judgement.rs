//! From the walks and searches to a path or the most useful reason.

use jiff::Timestamp;

use super::fault::{DateFault, Role};
use super::graph::{Admit, Graph, Node, TARGET};
use super::search::{Constraints, Refusal, Search};
use super::{EndEntityTime, Exceeded, Path, PathBuilder};
use crate::x509::{Certificate, PathError, PathErrorKind};

/// One target being judged at one time.
///
/// Each question is asked of the genuine certificates only, the widest last:
///
/// | a path holds among | then |
/// |---|---|
/// | sound certificates | it is the answer, unless the target itself is at fault |
/// | those and distrusted ones | distrusted |
/// | those and ones out of date | the issuer's date (or the end entity's, if that counts and is bad too) |
/// | sound, distrusted or out of date | distrusted: only distrusted paths are left, whatever the time |
/// | anything genuine | the fault that is in the way |
/// | nothing | unknown issuer, or an algorithm that is not accepted |
///
/// What a thief of a distrusted key signs is genuine, but hangs below a distrusted certificate, so it is not even looked at for
/// the first answer; and for the second no more work is done than before the distrust.
pub(super) struct Judgement<'b, 'a> {
    builder: &'b PathBuilder<'a>,
    graph: Graph<'a>,
    at: Timestamp,
}

impl<'b, 'a> Judgement<'b, 'a> {
    pub(super) fn new(
        builder: &'b PathBuilder<'a>,
        target: &Certificate,
        role: Role,
        embedded: &[Certificate],
        at: Timestamp,
    ) -> Result<Self, PathError> {
        if embedded.len() > builder.limits.embedded {
            return Err(PathError {
                kind: PathErrorKind::LimitExceeded,
                certificate: None,
                sentence: format!(
                    "{} certificates are embedded, more than {}",
                    embedded.len(),
                    builder.limits.embedded
                ),
            });
        }
        let graph = Graph::gather(builder, target, role, embedded, at);
        Ok(Self { builder, graph, at })
    }

    pub(super) fn judge(mut self) -> Result<Path, PathError> {
        match self.find() {
            Ok(Ok(path)) => Ok(path),
            Ok(Err(reason)) => Err(reason),
            Err(Exceeded(what)) => Err(self.error(
                PathErrorKind::LimitExceeded,
                TARGET,
                format_args!("needs more {what} than are allowed for one path"),
            )),
        }
    }

    fn find(&mut self) -> Result<Result<Path, PathError>, Exceeded> {
        // A distrusted target is refused before any candidate is looked at.
        if self.node(TARGET).is_some_and(|node| node.distrusted) {
            return Ok(Err(self.distrusted(&[TARGET])));
        }
        if let Some(path) = self.path(Admit::Sound)?.0 {
            return Ok(match self.target_fault().or_else(|| self.target_date()) {
                Some(reason) => Err(reason),
                None => Ok(self.certificates(&path)),
            });
        }
        if let Some(path) = self.path(Admit::Distrusted)?.0 {
            return Ok(Err(self.distrusted(&path)));
        }
        if let Some(path) = self.path(Admit::OutOfDate)?.0 {
            return Ok(Err(self.target_date().unwrap_or_else(|| self.out_of_date(&path))));
        }
        let (path, refusal) = self.path(Admit::DistrustedOrOutOfDate)?;
        if let Some(path) = path {
            return Ok(Err(self.distrusted(&path)));
        }
        if let Some(reason) = self.target_date() {
            return Ok(Err(reason));
        }
        if let Some(reason) = self.in_the_way(refusal)? {
            return Ok(Err(reason));
        }
        if let Some((position, fault)) = self.graph.with_small_key()? {
            return Ok(Err(self.error(fault.kind(), position, fault)));
        }
        if let Some(position) = self.graph.unsupported()? {
            return Ok(Err(self.error(
                PathErrorKind::UnsupportedAlgorithm,
                position,
                "is signed with an algorithm that is not accepted (SHA-256 or better, with ECDSA, Ed25519 or RSA, is)",
            )));
        }
        Ok(Err(self.unknown_issuer()))
    }

    /// A path among the admitted certificates, the one least out of date, and why another was not followed.
    fn path(&mut self, admit: Admit) -> Result<(Option<Vec<usize>>, Option<Refusal>), Exceeded> {
        let genuine = self.graph.walk(admit)?;
        let constraints = if admit == Admit::Anything { Constraints::Ignore } else { Constraints::Apply };
        let mut search = Search::new(&self.graph, &genuine, constraints, self.builder.limits);
        let path = match admit {
            Admit::OutOfDate | Admit::DistrustedOrOutOfDate => {
                search.cheapest(|path| self.staleness(path))?
            }
            _ => search.first()?,
        };
        Ok((path, search.refusal))
    }

    /// How far a path is from holding: how many issuers are out of date, then the seconds by which the worst is.
    fn staleness(&self, path: &[usize]) -> (usize, u64) {
        let issuers = path.iter().skip(1).filter_map(|position| self.node(*position)?.date);
        (issuers.clone().count(), issuers.map(|date| date.distance(self.at)).max().unwrap_or(0))
    }

    fn target_fault(&self) -> Option<PathError> {
        let fault = self.node(TARGET)?.fault?;
        Some(self.error(fault.kind(), TARGET, fault))
    }

    fn target_date(&self) -> Option<PathError> {
        let node = self.node(TARGET)?;
        let ignored = node.role == Role::EndEntity && self.builder.end_entity_time == EndEntityTime::Ignore;
        if ignored { None } else { self.date_error(TARGET) }
    }

    fn out_of_date(&self, path: &[usize]) -> PathError {
        path.iter()
            .skip(1)
            .find_map(|position| self.date_error(*position))
            .unwrap_or_else(|| self.unknown_issuer())
    }

    fn date_error(&self, position: usize) -> Option<PathError> {
        let node = self.node(position)?;
        let date = node.date?;
        let kind = match (node.role, date) {
            (Role::EndEntity, DateFault::Expired(_)) => PathErrorKind::EndEntityExpired,
            (Role::EndEntity, DateFault::NotYetValid(_)) => PathErrorKind::EndEntityNotYetValid,
            (_, DateFault::Expired(_)) => PathErrorKind::IssuerExpired,
            (_, DateFault::NotYetValid(_)) => PathErrorKind::IssuerNotYetValid,
        };
        Some(self.error(kind, position, format_args!("{date}; checked at {}", self.at)))
    }

    fn distrusted(&self, path: &[usize]) -> PathError {
        let which =
            path.iter().copied().find(|position| self.node(*position).is_some_and(|node| node.distrusted));
        self.error(PathErrorKind::Distrusted, which.unwrap_or(TARGET), "is distrusted")
    }

    /// The fault that keeps an otherwise genuine chain from being a path.
    fn in_the_way(&mut self, refusal: Option<Refusal>) -> Result<Option<PathError>, Exceeded> {
        let (path, too_long) = self.path(Admit::Anything)?;
        let faulty = path.iter().flatten().skip(1).find_map(|p| Some((*p, self.node(*p)?.fault?)));
        if let Some((position, fault)) = faulty {
            return Ok(Some(self.error(fault.kind(), position, fault)));
        }
        Ok(refusal.or(too_long).map(|refusal| match refusal {
            Refusal::PathLength { issuer } => self.error(
                PathErrorKind::BadCertificate,
                issuer,
                "allows fewer intermediates below it than this path has",
            ),
            Refusal::Name { issuer, subject } => {
                let subject = self.node(subject).map(|node| node.certificate.described()).unwrap_or_default();
                let what = format_args!("has name constraints that do not allow {subject}").to_string();
                self.error(PathErrorKind::BadCertificate, issuer, what)
            }
            Refusal::TooLong => self.error(
                PathErrorKind::LimitExceeded,
                TARGET,
                format_args!(
                    "is more than {} intermediates from an anchor",
                    self.builder.limits.intermediates
                ),
            ),
        }))
    }

    fn unknown_issuer(&self) -> PathError {
        let known = self.graph.nodes.len() > 1;
        let what = if known {
            "has an issuer whose name is known, but no chain of signatures leads from it to an anchor"
        } else {
            "has an issuer that is not among the anchors, the pool or the embedded certificates"
        };
        let issuer = self.node(TARGET).map(|node| node.certificate.issuer()).unwrap_or_default();
        let issuer: String = issuer.chars().take(200).collect();
        self.error(PathErrorKind::UnknownIssuer, TARGET, format_args!("{what}: {issuer:?}").to_string())
    }

    fn error(&self, kind: PathErrorKind, position: usize, what: impl std::fmt::Display) -> PathError {
        let (role, certificate) = match self.node(position) {
            Some(node) => (node.role.as_str(), Some(node.certificate.clone())),
            None => ("certificate", None),
        };
        let described = certificate.as_ref().map(Certificate::described).unwrap_or_default();
        PathError { kind, certificate, sentence: format!("the {role} {described} {what}") }
    }

    fn certificates(&self, path: &[usize]) -> Path {
        let certificates = path.iter().filter_map(|p| self.node(*p)).map(|n| n.certificate.clone()).collect();
        Path { certificates }
    }

    fn node(&self, position: usize) -> Option<&Node> {
        self.graph.node(position)
    }
}
