//! Another ledger is shown than the one that was seen.

use super::*;

/// A stage where the ledger that was seen, of 3 events, gave way to another one, whose links the origin has.
async fn lost() -> (Stage, Links, Links) {
    let mut stage = Stage::new();
    let (old, new) = (history(3, NEVER), history(9, 1));
    stage.show(&old, true);
    stage.run().await;
    stage.show(&new, true);
    (stage, old, new)
}

#[tokio::test]
async fn an_answer_that_is_no_list_proves_nothing_and_the_word_is_taken_once_it_comes() {
    let page = b"<!doctype html><title>Not found</title>".to_vec();
    for answer in [
        Fetched::Bytes(page.clone()),
        Fetched::Bytes(br#"{"continues":[],"format":2}"#.to_vec()),
        Fetched::TooLong,
        Fetched::NotModified,
        Fetched::Failed("timed out".into()),
    ] {
        let (mut stage, old, new) = lost().await;
        stage.pages.answer(continuation::PATH, answer.clone());
        assert_eq!(stage.run().await, [continuation::PATH]);
        assert!(stage.why_unchecked().contains("another ledger is shown"), "{answer:?}");
        assert!(stage.witness().to_string().contains("Ledger not checked since"));
        assert_eq!(stage.run().await, Vec::<String>::new(), "not at every poll");
        // Another origin has it.
        let list = stage.server.continuation(&[old.head().unwrap()], stage.now);
        let other = Pages::default();
        other.say(&list);
        stage.other = Some(other);
        stage.now += AGAIN;
        stage.run().await;
        assert_eq!(stage.witness().checked, new.head().unwrap(), "{answer:?}");
    }
    // It keeps no other origin from telling that there is none.
    let (mut stage, _, new) = lost().await;
    stage.pages.answer(continuation::PATH, Fetched::Bytes(page));
    let other = Pages::default();
    other.serve(&new);
    other.say(&stage.server.continuation(&[], stage.now));
    stage.other = Some(other);
    stage.run().await;
    assert!(stage.witness().rewritten.as_ref().unwrap().detail.contains("no continuation"));
}

/// An honest rebuild, and a mirror that copied everything but the word of people.
#[tokio::test]
async fn a_mirror_without_the_list_proves_nothing_though_it_has_the_links() {
    let (mut stage, old, new) = lost().await;
    assert_eq!(stage.run().await, [continuation::PATH]);
    assert!(stage.why_unchecked().contains("it has none"), "{}", stage.why_unchecked());
    let witness = stage.witness();
    assert!(witness.rewritten.is_none() && witness.asks_for_people());
    assert_eq!(witness.checked, old.head().unwrap());
    // The mirror is completed.
    stage.pages.say(&stage.server.continuation(&[old.head().unwrap()], stage.now));
    stage.now += AGAIN;
    stage.run().await;
    assert_eq!((stage.witness().checked, &stage.witness().unchecked), (new.head().unwrap(), &None));
}

#[tokio::test]
async fn an_old_list_says_no_more_than_none() {
    let (mut stage, _, new) = lost().await;
    let elsewhere = WitnessHead { ledger: Sha256Digest([7; 32]), ..new.head().unwrap() };
    stage.pages.clear();
    stage.pages.say(&stage.server.continuation(&[elsewhere], stage.now));
    assert_eq!(stage.run().await.len(), 2);
    assert!(stage.why_unchecked().contains("nothing of it"));
    // An origin that has the links of the new one speaks for it.
    stage.pages.serve(&new);
    stage.pages.say(&stage.server.continuation(&[elsewhere], stage.now));
    stage.now += AGAIN;
    stage.run().await;
    assert!(stage.witness().rewritten.as_ref().unwrap().detail.contains("no continuation"));
}

#[tokio::test]
async fn people_who_signed_another_end_than_was_seen_are_evidence_by_themselves() {
    let (mut stage, _, _) = lost().await;
    // The first event is the same, so it is the same ledger.
    let told = history(3, 3).head().unwrap();
    stage.pages.clear();
    stage.pages.say(&stage.server.continuation(&[told], stage.now));
    stage.run().await;
    let detail = &stage.witness().rewritten.as_ref().unwrap().detail;
    assert!(detail.contains("another link after event 3"), "{detail}");
}

#[tokio::test]
async fn a_word_of_former_holders_is_not_taken_and_no_alarm_either() {
    let (mut stage, old, new) = lost().await;
    let former = stage.server.continuation(&[old.head().unwrap()], stage.now);
    stage.server.rotate_targets(stage.now);
    stage.show(&new, true);
    stage.pages.say(&former);
    stage.run().await;
    let why = stage.why_unchecked();
    assert!(why.contains("who hold keys of targets now") && why.contains("0 of the 1"), "{why}");
    let checked = old.head().unwrap();
    assert_eq!((stage.witness().checked, &stage.witness().continued), (checked, &None));
    let head = new.head().unwrap();
    assert!(stage.witness().asks_for_people());
    assert!(stage.witness().to_string().contains(&format!("mulberry-agent acknowledge {head}")));
    // It does not keep another origin, or the same one without it, from telling.
    let told = stage.witness.clone();
    let other = Pages::default();
    other.serve(&new);
    other.say(&stage.server.continuation(&[], stage.now));
    stage.other = Some(other);
    stage.now += AGAIN;
    stage.run().await;
    assert!(stage.witness().rewritten.is_some());
    // A person takes it, or those who hold the keys now sign.
    stage.other = None;
    let mut acknowledged = told.clone().unwrap();
    assert!(acknowledged.acknowledge(checked.sequence, checked.link).is_err());
    acknowledged.acknowledge(head.sequence, head.link).unwrap();
    assert_eq!(acknowledged, Witness::first(head));
    stage.witness = told;
    stage.pages.say(&stage.server.continuation(&[checked], stage.now));
    stage.now += AGAIN;
    stage.run().await;
    assert_eq!((stage.witness().checked, &stage.witness().unchecked), (head, &None));
    assert_eq!(stage.witness().continued.as_ref().unwrap().ended, checked);
}
