//! The public list of continuations, and what it explains to a witness. Described in `shared/docs/formats.md`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{BadContinuation, Continuation, FORMAT};
use crate::json::{self, JsonError};
use crate::ledger::links::WitnessHead;
use crate::limits::{JsonLimits, Limits};
use crate::tuf::{Root, TrustError};

/// Why no continuation explains another ledger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unexplained {
    /// None speaks of the ledger that was seen. The list is signed by nobody, so this says something of who gave it only.
    #[error("no continuation of the ledger that was seen is published")]
    Absent,
    /// One does, and not enough people of this root have signed it. So it is nobody's word.
    #[error("its continuation is refused: {0}")]
    Refused(TrustError),
    /// Enough people of this root have signed that the ledger had another link than was seen. That is evidence, whoever gave it.
    #[error("its continuation names another link after event {sequence}")]
    Contradicts {
        /// The event.
        sequence: u64,
    },
}

/// All continuations of a ledger that was lost more than once, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Continuations(pub Vec<Continuation>);

impl Continuations {
    /// Reads the public list.
    ///
    /// # Errors
    /// [`BadContinuation`].
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<Self, BadContinuation> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct List {
            format: u64,
            continues: Vec<Value>,
        }
        let bounds = JsonLimits { bytes: limits.ledger.continues_bytes, ..limits.json.clone() };
        let value = json::parse(bytes, &bounds)?;
        if let Some(newer) = value.get("format").and_then(Value::as_u64).filter(|format| *format > FORMAT) {
            return Err(BadContinuation::NewerFormat(newer));
        }
        let shape = |error: serde_json::Error| JsonError::Shape { detail: error.to_string() };
        let List { format, continues } = serde_json::from_value(value).map_err(shape)?;
        if format != FORMAT {
            return Err(BadContinuation::Impossible("it is no list of continuations"));
        }
        Ok(Self(
            continues
                .into_iter()
                .map(|one| Continuation::from_value(one, limits))
                .collect::<Result<_, _>>()?,
        ))
    }

    /// Its one form.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let continues: Vec<Value> = self.0.iter().map(Continuation::value).collect();
        json::canonical(&json!({"format": FORMAT, "continues": continues}))
    }

    /// The continuation that explains to a witness of `known`, heads of one ledger, why another ledger is shown: signed by enough
    /// people of this root, and not at odds with what was seen.
    ///
    /// # Errors
    /// [`Unexplained`]: of all that speak of that ledger, what weighs most.
    pub fn explains(
        &self,
        known: &[WitnessHead],
        root: &Root,
        limits: &Limits,
    ) -> Result<&Continuation, Unexplained> {
        let mut why = Unexplained::Absent;
        for one in &self.0 {
            let previous = one.statement.previous;
            if known.iter().any(|head| head.ledger != previous.ledger) {
                continue;
            }
            let odd =
                known.iter().find(|head| head.sequence == previous.sequence && head.link != previous.link);
            match (one.check(root, limits), odd) {
                (Ok(_), None) => return Ok(one),
                (Ok(_), Some(head)) => why = Unexplained::Contradicts { sequence: head.sequence },
                (Err(error), _) if why == Unexplained::Absent => why = Unexplained::Refused(error),
                (Err(_), _) => {}
            }
        }
        Err(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edition::test_repository::{Repository, signer};
    use crate::ledger::continuation::tests::{continuation, head};
    use crate::ledger::continuation::{ROLE, Statement};
    use crate::tuf::Signer;
    use crate::tuf::error::TrustErrorKind;

    #[test]
    fn a_witness_takes_it_when_enough_people_signed_and_it_fits_what_was_seen() {
        let (repository, limits) = (Repository::new(), Limits::default());
        let root = &repository.root;
        let authority = root.authority(ROLE).unwrap();
        let seen = head(1, 7, 7);
        let mut one = continuation(seen);
        let keys: Vec<u8> = (0..=255)
            .filter(|n| {
                let public = signer(*n).key().public().cloned();
                public.is_some_and(|public| authority.distinct_keys().contains(&public))
            })
            .collect();
        let needed = authority.role_keys.threshold as usize;
        assert!(needed >= 2 && keys.len() >= needed, "{keys:?}");
        for (n, key) in keys[..needed].iter().enumerate() {
            assert_eq!(one.check(root, &limits).unwrap_err().kind, TrustErrorKind::Threshold, "{n}");
            let list = Continuations(vec![one.clone()]);
            assert!(list.explains(&[seen], root, &limits).unwrap_err().to_string().contains("refused"));
            one.sign(authority, &signer(*key)).unwrap();
            one.sign(authority, &signer(*key)).unwrap();
        }
        assert_eq!(one.signing(root, &limits).unwrap().missing(), 0);
        let list = Continuations(vec![continuation(head(9, 1, 1)), one.clone()]);
        for fits in [seen, head(1, 6, 9), head(1, 8, 9)] {
            assert_eq!(list.explains(&[fits], root, &limits), Ok(&one));
        }
        for (other, why) in
            [(head(2, 7, 7), "no continuation"), (head(1, 7, 8), "another link after event 7")]
        {
            assert!(list.explains(&[other], root, &limits).unwrap_err().to_string().contains(why));
        }
        // Another statement under the same signatures.
        let moved = Statement { previous: head(2, 7, 7), ..one.statement.clone() };
        assert_eq!(one.broken(root, &limits), Ok(Vec::new()));
        let forged = Continuation { statement: moved, ..one };
        assert_eq!(forged.broken(root, &limits).unwrap().len(), needed);
        let forged = Continuations(vec![forged]);
        assert!(forged.explains(&[head(2, 7, 7)], root, &limits).is_err());
    }
}
