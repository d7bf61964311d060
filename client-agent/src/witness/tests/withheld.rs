//! Heads that were shown without the pages for them.

use super::*;
use crate::state::State;

#[tokio::test]
async fn no_signed_head_is_forgotten_because_the_pages_for_it_were_withheld() {
    // The fork is shown, then the true history, both without pages; then that with pages.
    let mut stage = Stage::new();
    stage.show(&history(3, NEVER), true);
    stage.run().await;
    for withheld in [history(5, 4), history(6, NEVER), history(7, NEVER)] {
        stage.show(&withheld, false);
        stage.run().await;
        assert_eq!(stage.witness().checked.sequence, 3);
    }
    stage.show(&history(8, NEVER), true);
    stage.run().await;
    let found = stage.witness().rewritten.clone().unwrap();
    let fork = history(5, 4).head().unwrap();
    assert!(found.detail.contains(&format!("event 5 was seen with the link {}", fork.link)), "{found:?}");
    assert_eq!(found.shown.sequence, 8);
}

#[tokio::test]
async fn another_ledger_that_was_shown_meanwhile_is_not_forgotten() {
    let mut stage = Stage::new();
    stage.show(&history(3, NEVER), true);
    stage.run().await;
    stage.show(&history(9, 1), false);
    stage.run().await;
    stage.show(&history(10, NEVER), true);
    stage.pages.say(&stage.server.continuation(&[], stage.now));
    stage.run().await;
    let detail = &stage.witness().rewritten.as_ref().unwrap().detail;
    assert!(detail.contains("another ledger") && detail.contains("no continuation"), "{detail}");
}

#[tokio::test]
async fn a_word_of_people_covers_no_fork_of_the_new_ledger() {
    let (old, new) = (history(3, NEVER), history(9, 1));
    // The first event is the same, so it is the same ledger.
    let fork = telling(10, |n| if n >= 9 { format!("told {n}") } else { format!("other {n}") });
    for (then, rewritten) in [(history(9, 1), false), (history(10, 1), false), (fork, true)] {
        let mut stage = Stage::new();
        stage.show(&old, true);
        stage.run().await;
        stage.show(&new, false);
        stage.run().await;
        stage.now += AGAIN;
        stage.show(&then, true);
        stage.pages.say(&stage.server.continuation(&[old.head().unwrap()], stage.now));
        stage.run().await;
        assert_eq!(stage.witness().rewritten.is_some(), rewritten, "{:?}", stage.witness());
        assert_eq!(stage.witness().continued.is_some(), !rewritten);
    }
}

#[tokio::test]
async fn each_ledger_that_was_seen_needs_a_word_of_its_own() {
    let (first, second) = (history(3, NEVER), history(9, 1));
    let third = telling(2, |n| format!("third {n}"));
    let (one, two) = (first.head().unwrap(), second.head().unwrap());
    for words in [vec![one, two], vec![two, one], vec![one], vec![two], vec![]] {
        let mut stage = Stage::new();
        stage.show(&first, true);
        stage.run().await;
        stage.show(&second, false);
        stage.run().await;
        stage.show(&third, true);
        stage.pages.say(&stage.server.continuation(&words, stage.now));
        stage.run().await;
        let continued = stage.witness().continued.as_ref().map(|continued| (continued.seen, continued.ended));
        match words.len() {
            2 => assert_eq!(continued, Some((two, two))),
            _ => assert!(stage.witness().rewritten.is_some(), "{words:?}"),
        }
        assert!(stage.waiting.is_empty());
    }
    // From different origins, too; a word without the links is half of what is needed.
    let mut stage = Stage::new();
    stage.show(&first, true);
    stage.run().await;
    stage.show(&second, false);
    stage.run().await;
    stage.show(&telling(1, |n| format!("third {n}")), false);
    stage.run().await;
    assert_eq!(stage.waiting.heads().len(), 2);
    stage.show(&third, false);
    stage.pages.say(&stage.server.continuation(&[one], stage.now));
    let other = Pages::default();
    other.say(&stage.server.continuation(&[two], stage.now));
    stage.other = Some(other);
    stage.run().await;
    assert!(stage.why_unchecked().contains("0.json"), "{}", stage.why_unchecked());
    stage.now += AGAIN;
    stage.other.as_ref().unwrap().serve(&third);
    stage.other.as_ref().unwrap().say(&stage.server.continuation(&[two], stage.now));
    stage.run().await;
    assert_eq!((stage.witness().checked, stage.witness().continued.is_some()), (third.head().unwrap(), true));
}

#[tokio::test]
async fn heads_that_could_not_be_compared_are_bounded_and_settled_together() {
    let mut stage = Stage::new();
    stage.limits.ledger.waiting_heads = 4;
    stage.show(&history(3, NEVER), true);
    stage.run().await;
    for events in 4..=20 {
        stage.show(&history(events, NEVER), false);
        stage.run().await;
        assert!(stage.waiting.heads().len() <= 4);
    }
    let kept: Vec<u64> = stage.waiting.heads().iter().map(|head| head.sequence).collect();
    assert_eq!((kept.len(), kept[0], kept[3]), (4, 4, 20));
    let last = history(21, NEVER);
    stage.show(&last, true);
    stage.run().await;
    assert_eq!(*stage.witness(), Witness::first(last.head().unwrap()));
    assert!(stage.waiting.is_empty());
}

/// Such a state is written and read by agents of both times.
#[tokio::test]
async fn the_one_head_that_agents_of_earlier_times_kept_is_compared_and_they_can_read_what_is_written() {
    let mut stage = Stage::new();
    stage.show(&history(3, NEVER), true);
    stage.run().await;
    stage.show(&history(5, 4), false);
    stage.run().await;
    let mut state = State::new("a".into(), None);
    state.witness = stage.witness.clone();
    state.waiting_heads = stage.waiting.clone();
    let mut written = serde_json::to_value(&state).unwrap();
    let known: Vec<&str> =
        written["witness"]["unchecked"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(known, ["head", "since", "tried", "why"], "whose keys are strict");
    assert_eq!(serde_json::from_value::<State>(written.clone()).unwrap(), state);
    written.as_object_mut().unwrap().remove("waiting_heads").unwrap();
    let earlier: State = serde_json::from_value(written).unwrap();
    (stage.witness, stage.waiting) = (earlier.witness, earlier.waiting_heads);
    for (then, served) in [(history(6, NEVER), false), (history(7, NEVER), true)] {
        stage.show(&then, served);
        stage.run().await;
    }
    let detail = &stage.witness().rewritten.as_ref().unwrap().detail;
    assert!(detail.contains("event 5 was seen"), "{detail}");
    // What such an agent settled is not taken up again.
    stage.waiting = state.waiting_heads;
    stage.witness = Some(Witness::first(history(7, NEVER).head().unwrap()));
    stage.show(&history(8, NEVER), true);
    stage.run().await;
    assert_eq!((stage.witness().checked.sequence, stage.waiting.is_empty()), (8, true));
}
