//! How widely a recipe may be opened, and in which steps.

use jiff::SignedDuration;

use crate::sampling::BasisPoints;

/// How widely a recipe may be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// What sampling mixes with the client id; the slug, unless the recipe says otherwise.
    pub namespace: String,
    /// The widest share that people signed; a gate only narrows it.
    pub max_percent: BasisPoints,
    /// The steps that one person may take without a second one's key, each wider than the one before; none: every opening
    /// takes a second key.
    pub plan: Vec<Step>,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How far the gate is opened.
    pub percent: BasisPoints,
    /// How long it stays so before one person alone may take the next step; whole seconds, 0 or more.
    pub bake: SignedDuration,
    /// What the people who watch go by. Nothing counts reports by itself.
    pub health: Option<Health>,
}

/// When a step is to be stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The share of failures above which it is.
    pub max_failure_percent: BasisPoints,
    /// How many reports there must be before that share means anything; at least 1.
    pub min_reports: u64,
}

impl Rollout {
    /// The first step that is wider than what was reached, and the one before it.
    #[must_use]
    pub fn next(&self, reached: BasisPoints) -> Option<(&Step, Option<&Step>)> {
        let index = self.plan.iter().position(|step| step.percent > reached)?;
        let before = index.checked_sub(1).and_then(|before| self.plan.get(before));
        Some((self.plan.get(index)?, before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(points: u16) -> BasisPoints {
        BasisPoints::new(points).unwrap()
    }

    #[test]
    fn the_next_step_is_the_first_that_is_wider() {
        let step = |points| Step { percent: share(points), bake: SignedDuration::ZERO, health: None };
        let rollout = Rollout {
            namespace: "x".into(),
            max_percent: BasisPoints::EVERYONE,
            plan: [500, 2_500, 10_000].map(step).to_vec(),
        };
        let next = |reached| {
            let (step, before) = rollout.next(share(reached))?;
            Some((step.percent.get(), before.map(|before| before.percent.get())))
        };
        assert_eq!(next(0), Some((500, None)));
        assert_eq!(next(499), Some((500, None)));
        assert_eq!(next(500), Some((2_500, Some(500))));
        assert_eq!(next(2_600), Some((10_000, Some(2_500))));
        assert_eq!(next(10_000), None);
        let none = Rollout { plan: Vec::new(), ..rollout.clone() };
        assert_eq!(none.next(share(0)), None);
    }
}
