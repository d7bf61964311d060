use std::collections::HashSet;
use std::time::Duration;

use super::*;
use crate::connections::peer::Peers;

mod model;

fn bounds(places: usize, unknown: usize, each_peer: usize, finishing: usize) -> Bounds {
    let peers = Peers::new(32, 56, &[]);
    let (idle, life) = (Duration::from_secs(40), Duration::from_secs(300));
    Bounds { places, unknown, each_peer, finishing, idle, life, peers }
}

fn prefix(number: u32) -> Option<IpNet> {
    Some(format!("192.0.{}.{}/32", number / 256, number % 256).parse().unwrap())
}

/// Lets one in and serves it.
fn enter(places: &mut Places, prefix: Option<IpNet>) -> (Id, Vec<Departure>) {
    let (admitted, departures) = places.admit(prefix);
    let id = admitted.unwrap();
    places.settle(id);
    (id, departures)
}

fn departure(id: Id, why: Cut, exit: Exit) -> Vec<Departure> {
    vec![Departure { id, why, exit }]
}

#[test]
fn a_prefix_has_its_share_and_no_more_however_many_connections_there_are() {
    let mut places = Places::new(bounds(7_000, 7_000, 100, 0));
    for number in 0..6_900 {
        assert_eq!(enter(&mut places, prefix(number)).1, []);
    }
    let (greedy, mut held) = (prefix(10_000), Vec::new());
    for _ in 0..2_000 {
        let (id, departures) = enter(&mut places, greedy);
        held.push(id);
        let surplus = held.len().checked_sub(101).map(|first| held[first]);
        let expected = surplus.map_or(vec![], |id| departure(id, Cut::Peer, Exit::Reset));
        assert_eq!(departures, expected);
    }
}

#[test]
fn who_was_sent_nothing_is_reset_and_who_takes_an_answer_may_finish_it() {
    let mut places = Places::new(bounds(3, 3, 3, 1));
    let [silent, answered, first] = [(); 3].map(|()| enter(&mut places, None).0);
    places.note_sent(answered);
    places.note_sent(first);
    places.note_stalled(first);
    let (second, departures) = enter(&mut places, None);
    assert_eq!(departures, departure(silent, Cut::Crowded, Exit::Reset));
    places.note_stalled(second);
    assert_eq!(enter(&mut places, None).1, departure(answered, Cut::Crowded, Exit::Close));
    assert_eq!(enter(&mut places, None).1, departure(first, Cut::Crowded, Exit::Finish));
    // What it takes now does not help it: it has no place to keep.
    places.note_sent(first);
    // One may finish at a time.
    let makes_room = Departure { id: second, why: Cut::Crowded, exit: Exit::Finish };
    let (_, departures) = enter(&mut places, None);
    assert_eq!(departures, [departure(first, Cut::Crowded, Exit::Close), vec![makes_room]].concat());
}

#[test]
fn the_surplus_of_a_prefix_goes_at_once_even_in_an_answer() {
    let mut places = Places::new(bounds(9, 9, 2, 4));
    let [first, second] = [(); 2].map(|()| enter(&mut places, prefix(1)).0);
    places.note_sent(first);
    places.note_stalled(first);
    assert_eq!(enter(&mut places, prefix(1)).1, departure(second, Cut::Peer, Exit::Reset));
    assert_eq!(enter(&mut places, prefix(1)).1, departure(first, Cut::Peer, Exit::Close));
}

#[test]
fn who_comes_with_one_connection_keeps_it_while_others_come_with_many() {
    let mut places = Places::new(bounds(8, 8, 4, 1));
    let (only, _) = enter(&mut places, prefix(1));
    let (proxied, _) = enter(&mut places, None);
    for round in 0..100 {
        let (_, departures) = enter(&mut places, prefix(2 + round % 3));
        assert!(departures.iter().all(|departure| ![only, proxied].contains(&departure.id)));
    }
    // Where each has one only, who has waited longest goes.
    let mut places = Places::new(bounds(2, 2, 2, 1));
    let [first, _] = [1, 2].map(|number| enter(&mut places, prefix(number)).0);
    assert_eq!(enter(&mut places, prefix(3)).1, departure(first, Cut::Crowded, Exit::Reset));
}

#[test]
fn nobody_goes_before_being_served_once() {
    let mut places = Places::new(bounds(64, 64, 16, 0));
    let mut burst = Vec::new();
    while places.is_ready() {
        let (admitted, departures) = places.admit(prefix(1));
        assert_eq!(departures, []);
        burst.push(admitted.unwrap());
    }
    assert_eq!(burst.len(), 4);
    burst.iter().for_each(|id| places.settle(*id));
    assert!(places.is_ready());
}

#[test]
fn live_streams_of_a_prefix_leave_places_for_its_polls() {
    let mut places = Places::new(bounds(16, 16, 4, 0));
    let streams = [(); 3].map(|()| enter(&mut places, prefix(1)).0);
    assert!(streams.iter().all(|id| places.stream(*id)));
    let (poll, _) = enter(&mut places, prefix(1));
    assert!(!places.stream(poll));
    let (next, departures) = enter(&mut places, prefix(1));
    assert_eq!(departures, departure(poll, Cut::Peer, Exit::Reset));
    assert_eq!(places.end_stream(streams[0]), []);
    assert!(places.stream(next));
}

#[test]
fn reserved_places_are_never_taken_by_those_without_a_token() {
    let mut places = Places::new(bounds(16, 6, 4, 0));
    let people: Vec<_> = (0..20)
        .map(|_| {
            let (id, _) = enter(&mut places, None);
            places.authenticate(id);
            id
        })
        .collect();
    // All places but those that newcomers need.
    let known = people
        .iter()
        .filter(|id| places.held.get(id).is_some_and(|held| held.standing == Standing::Authenticated));
    assert_eq!(known.count(), 15);
    people[..5].iter().for_each(|id| places.leave(*id));
    let mut inside = HashSet::new();
    for number in 0..100 {
        let (id, departures) = enter(&mut places, prefix(number));
        inside.insert(id);
        for departure in departures {
            assert!(!people[..15].contains(&departure.id));
            inside.remove(&departure.id);
        }
    }
    assert_eq!(inside.len(), 6);
}
