//! `kill -9` in the middle of publishes, applies and undos: a few of the many that `mulberry-lab kills` makes.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::unwrap_used)]

use mulberry_lab::kills::{agent, restart, server};

#[test]
fn a_killed_server_has_every_acknowledged_publish_and_an_intact_chain() {
    let figures = server::run(6, &|_| ()).unwrap();
    println!("{figures:?}");
    assert_eq!(figures.problems, Vec::<String>::new());
    assert_eq!((figures.kills, figures.before_answer + figures.after_answer), (6, 6));
    assert!(figures.acknowledged >= 15, "undisturbed ones at least");
    let recorded = figures.acknowledged + figures.recorded_unanswered + 1;
    assert_eq!(figures.events, recorded as u64, "with the first event");
}

#[test]
fn a_killed_agent_is_old_or_new_and_its_next_run_converges() {
    let figures = agent::run(6, &|_| ()).unwrap();
    println!("{figures:?}");
    assert_eq!(figures.problems, Vec::<String>::new());
    for kind in [figures.apply, figures.undo] {
        assert_eq!((kind.kills, kind.converged), (3, 3));
        assert_eq!(kind.before_commit + kind.after_commit + kind.too_late, 3);
    }
}

#[test]
fn a_server_comes_back_on_a_ledger_that_was_filled_behind_its_back() {
    let figures = restart::run(40, &|_| ()).unwrap();
    assert_eq!((figures.events, figures.publishes), (40, 8));
}
