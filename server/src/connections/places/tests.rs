use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(1);

fn bounds() -> Bounds {
    let peers = Peers { ipv4_bits: 32, ipv6_bits: 56, trusted: vec!["198.51.100.0/24".parse().unwrap()] };
    Bounds { places: 8, unknown: 6, each_peer: 4, idle: 40 * SECOND, life: 300 * SECOND, peers }
}

/// Places, and a clock that goes on a moment with each connection.
struct Lab {
    places: Rc<Places>,
    now: Instant,
}

impl Lab {
    fn new(bounds: Bounds) -> Self {
        Self { places: Places::new(bounds), now: Instant::now() }
    }

    /// A connection whose task has not run yet.
    fn arrive(&mut self, peer: &str) -> Place {
        self.now += MOMENT;
        self.places.admit(Some(peer.parse().unwrap()), self.now)
    }

    fn enter(&mut self, peer: &str) -> Place {
        let place = self.arrive(peer);
        place.seat().settle(Waker::noop());
        place
    }

    /// For whom it must make room.
    fn cut(&self, place: &Place) -> Option<Cut> {
        place.seat().connection().crowded.get()
    }

    /// What is counted, checked against the connections themselves.
    fn check(&self) {
        let held = self.places.held.borrow();
        let bounds = &self.places.bounds;
        let standing = |wanted| move |connection: &&Rc<Connection>| connection.standing.get() == wanted;
        assert_eq!(held.unknown, held.all.iter().filter(standing(Standing::Unknown)).count());
        for (at, connection) in held.all.iter().enumerate() {
            assert_eq!(connection.at.get(), Some(at));
        }
        let mut counted = HashMap::<IpNet, (usize, usize)>::new();
        for connection in &held.all {
            if let (Some(prefix), true) =
                (connection.prefix, connection.standing.get() != Standing::Authenticated)
            {
                let peer = counted.entry(prefix).or_default();
                peer.0 += 1;
                peer.1 += usize::from(connection.standing.get() == Standing::Streaming);
            }
        }
        let told = held.peers.iter().map(|(prefix, peer)| (*prefix, (peer.counted, peer.streams))).collect();
        assert_eq!(counted, told);
        assert!(
            counted
                .values()
                .all(|(all, streams)| { *all <= bounds.each_peer && *streams <= bounds.streams_of_a_peer() })
        );
    }
}

#[test]
fn only_what_it_was_sent_keeps_a_connection() {
    let mut lab = Lab::new(bounds());
    let place = lab.enter("192.0.2.1");
    let opened = lab.now;
    let deadline = || place.seat().deadline();
    assert_eq!(deadline(), (opened + 40 * SECOND, Cut::Idle));
    for answered in (30..300).step_by(30) {
        place.seat().connection().note_sent(opened + answered * SECOND);
        let idle = (answered + 40, Cut::Idle);
        let (seconds, why) = if answered + 40 < 300 { idle } else { (300, Cut::Life) };
        assert_eq!(deadline(), (opened + seconds * SECOND, why));
    }
}

#[test]
fn a_client_that_goes_on_asking_is_told_before_its_life_is_over() {
    let mut lab = Lab::new(bounds());
    let place = lab.enter("192.0.2.1");
    for (sent, old) in [(0, false), (149, false), (150, true), (299, true)] {
        place.seat().connection().note_sent(lab.now + sent * SECOND);
        assert_eq!(place.seat().should_close(), old, "{sent}");
    }
    let streaming = place.seat().stream().unwrap();
    assert!(!place.seat().should_close());
    drop(streaming);
    assert!(place.seat().should_close());
}

#[test]
fn a_live_stream_has_no_life_but_must_take_what_it_is_sent() {
    let mut lab = Lab::new(bounds());
    let place = lab.enter("192.0.2.1");
    let opened = lab.now;
    let streaming = place.seat().stream().unwrap();
    place.seat().connection().note_sent(opened + 100_000 * SECOND);
    assert_eq!(place.seat().deadline(), (opened + 100_045 * SECOND, Cut::Idle));
    drop(streaming);
    assert_eq!(place.seat().deadline(), (opened + 300 * SECOND, Cut::Life));
}

#[test]
fn a_refused_body_ends_its_connection_when_the_answer_has_had_time_to_arrive() {
    let mut lab = Lab::new(bounds());
    let place = lab.enter("192.0.2.1");
    place.seat().refuse_body(lab.now);
    place.seat().refuse_body(lab.now + SECOND);
    assert_eq!(place.seat().deadline(), (lab.now + FAREWELL, Cut::Body));
    place.seat().connection().note_sent(lab.now + SECOND);
    assert_eq!(place.seat().deadline(), (lab.now + FAREWELL, Cut::Body));
}

#[test]
fn who_has_waited_longest_makes_room_and_is_woken_to_go() {
    struct Woken(AtomicUsize);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let mut lab = Lab::new(bounds());
    let peers: Vec<_> = (1..=6).map(|peer| format!("192.0.2.{peer}")).collect();
    let first: Vec<_> = peers.iter().map(|peer| lab.enter(peer)).collect();
    assert!(first.iter().all(|place| lab.cut(place).is_none()));
    let woken = Arc::new(Woken(AtomicUsize::new(0)));
    first[1].seat().settle(&woken.clone().into());
    // The oldest has just been answered.
    first[0].seat().connection().note_sent(lab.now);
    let newcomer = lab.enter("192.0.2.99");
    assert_eq!(lab.cut(&first[1]), Some(Cut::Crowded));
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    assert!([&first[0], &first[2], &newcomer].iter().all(|place| lab.cut(place).is_none()));
    lab.check();
}

#[test]
fn who_must_make_room_is_answered_first_and_who_shows_a_token_then_stays() {
    let mut lab = Lab::new(bounds());
    let crowd: Vec<_> = (0..8).map(|_| lab.enter("127.0.0.1")).collect();
    let (first, second) = (crowd[0].seat(), crowd[1].seat());
    let opened = first.connection().opened;
    assert_eq!(first.deadline(), (opened + GRACE, Cut::Crowded));
    // Its request comes, and the answer is its last.
    assert!(first.should_close() && !crowd[7].seat().should_close());
    first.connection().note_sent(opened + GRACE / 2);
    assert_eq!(first.deadline(), (opened + GRACE / 2 + GRACE, Cut::Crowded));
    second.authenticate();
    assert_eq!((lab.cut(&crowd[1]), second.deadline().1), (None, Cut::Idle));
    lab.check();
}

#[test]
fn one_prefix_makes_room_for_itself_alone_and_loopback_and_proxies_are_not_counted() {
    let mut lab = Lab::new(Bounds { places: 100, unknown: 100, ..bounds() });
    let others: Vec<_> = (1..=9).map(|peer| lab.enter(&format!("192.0.2.{peer}"))).collect();
    let crowd: Vec<_> = (0..10).map(|host| lab.enter(&format!("2001:db8:0:7{host:x}::1"))).collect();
    let cut: Vec<_> = crowd.iter().map(|place| lab.cut(place)).collect();
    assert_eq!(cut, [[Some(Cut::Peer); 6].as_slice(), &[None; 4]].concat());
    assert!(others.iter().all(|place| lab.cut(place).is_none()));
    for many in ["127.0.0.1", "::1", "198.51.100.7"] {
        let places: Vec<_> = (0..20).map(|_| lab.enter(many)).collect();
        assert!(places.iter().all(|place| lab.cut(place).is_none()), "{many}");
    }
    lab.check();
}

#[test]
fn live_streams_of_a_prefix_leave_places_for_its_polls() {
    let mut lab = Lab::new(bounds());
    let streams: Vec<_> = (0..3).map(|_| lab.enter("192.0.2.1")).collect();
    let held: Vec<_> = streams.iter().map(|place| place.seat().stream().unwrap()).collect();
    let poll = lab.enter("192.0.2.1");
    assert!(poll.seat().stream().is_none());
    let next = lab.enter("192.0.2.1");
    assert_eq!(lab.cut(&poll), Some(Cut::Peer));
    assert!(streams.iter().chain([&next]).all(|place| lab.cut(place).is_none()));
    drop(held);
    assert!(next.seat().stream().is_some());
    lab.check();
}

#[test]
fn those_with_a_token_keep_their_places_whoever_comes() {
    let mut lab = Lab::new(bounds());
    let people: Vec<_> = (0..5).map(|_| lab.enter("127.0.0.1")).collect();
    people.iter().for_each(|place| place.seat().authenticate());
    let crowd: Vec<_> = (0..50).map(|_| lab.enter("127.0.0.1")).collect();
    assert!(people.iter().all(|place| lab.cut(place).is_none()));
    assert_eq!(crowd.iter().filter(|place| lab.cut(place).is_none()).count(), 3);
    // One more comes, and is known before the next stranger.
    let late = lab.enter("127.0.0.1");
    late.seat().authenticate();
    late.seat().authenticate();
    drop(lab.enter("127.0.0.1"));
    assert_eq!(lab.cut(&late), None);
    lab.check();
    // Where all are known, one more is not: strangers make room for each other still.
    let more: Vec<_> = (0..3)
        .map(|_| {
            let place = lab.enter("127.0.0.1");
            place.seat().authenticate();
            place
        })
        .collect();
    assert!(more.iter().all(|place| lab.cut(place).is_none()));
    let stranger = lab.enter("127.0.0.1");
    assert_eq!((lab.cut(&more[0]), lab.cut(&more[2])), (None, Some(Cut::Crowded)));
    drop(lab.enter("127.0.0.1"));
    assert_eq!(lab.cut(&stranger), Some(Cut::Crowded));
    drop(people);
    lab.check();
}

#[test]
fn a_connection_is_not_cut_for_others_before_it_was_served_once() {
    let mut lab = Lab::new(bounds());
    let burst: Vec<_> = (0..20).map(|_| lab.arrive("127.0.0.1")).collect();
    assert!(burst.iter().all(|place| lab.cut(place).is_none()));
    // The request of one was there already; the others are too many as soon as they are found waiting, nobody else need come.
    burst[3].seat().authenticate();
    burst.iter().for_each(|place| place.seat().settle(Waker::noop()));
    let left: Vec<_> = (0..20).filter(|at| lab.cut(&burst[*at]).is_none()).collect();
    assert_eq!(left, [3, 14, 15, 16, 17, 18, 19]);
    lab.check();
}

#[test]
fn making_room_looks_at_a_bounded_number_of_thousands_and_at_all_in_turn() {
    let mut lab = Lab::new(Bounds { places: 3 * LOOKED_AT, unknown: 3 * LOOKED_AT, ..bounds() });
    let places: Vec<_> = (0..3 * LOOKED_AT).map(|_| lab.enter("127.0.0.1")).collect();
    // Each third makes room in its turn, and so does the first again.
    for at in [0, LOOKED_AT, 2 * LOOKED_AT, 1] {
        let newcomer = lab.enter("127.0.0.1");
        assert_eq!(lab.cut(&places[at]), Some(Cut::Crowded), "{at}");
        // It stays, as newest of its third.
        std::mem::forget(newcomer);
    }
    assert_eq!(places.iter().filter(|place| lab.cut(place).is_some()).count(), 4);
    lab.check();
}

#[derive(Clone, Debug)]
enum Happening {
    Enter(u8),
    Leave(usize),
    Authenticate(usize),
    Stream(usize),
    EndStream(usize),
    Sent(usize),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (0..6_u8).prop_map(Happening::Enter),
        1 => (0..16_usize).prop_map(Happening::Leave),
        1 => (0..16_usize).prop_map(Happening::Authenticate),
        1 => (0..16_usize).prop_map(Happening::Stream),
        1 => (0..16_usize).prop_map(Happening::EndStream),
        2 => (0..16_usize).prop_map(Happening::Sent),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_counts_are_right_and_only_the_unknown_are_cut_for_others(
        happenings in proptest::collection::vec(happening(), 1..200)
    ) {
        let mut lab = Lab::new(bounds());
        let mut inside: Vec<(Place, Option<Streaming>)> = Vec::new();
        for happening in happenings {
            match happening {
                Happening::Enter(peer) => {
                    let peer = if peer == 0 { "127.0.0.1".to_owned() } else { format!("192.0.2.{peer}") };
                    let before: Vec<_> = inside.iter().map(|(place, _)| lab.cut(place)).collect();
                    let entered = lab.enter(&peer);
                    for ((place, _), before) in inside.iter().zip(before) {
                        let standing = place.seat().connection().standing.get();
                        let cut = lab.cut(place);
                        let newly = before.is_none() && matches!(cut, Some(Cut::Peer | Cut::Crowded));
                        prop_assert!(!newly || standing == Standing::Unknown);
                    }
                    inside.push((entered, None));
                    let held = lab.places.held.borrow();
                    let known = held.all.len() - held.unknown;
                    prop_assert!(held.unknown <= lab.places.bounds.unknown);
                    prop_assert!(held.all.len() <= lab.places.bounds.places.max(known + 1));
                }
                Happening::Leave(at) if at < inside.len() => drop(inside.swap_remove(at)),
                Happening::Authenticate(at) if at < inside.len() => inside[at].0.seat().authenticate(),
                Happening::Stream(at) if at < inside.len() && inside[at].1.is_none() => {
                    inside[at].1 = inside[at].0.seat().stream();
                }
                Happening::EndStream(at) if at < inside.len() => inside[at].1 = None,
                Happening::Sent(at) if at < inside.len() => {
                    inside[at].0.seat().connection().note_sent(lab.now);
                }
                _ => {}
            }
            lab.check();
        }
        drop(inside);
        lab.check();
        prop_assert!(lab.places.held.borrow().all.is_empty());
    }
}
