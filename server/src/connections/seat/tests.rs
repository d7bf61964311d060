use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::*;
use crate::connections::peer::Peers;
use crate::metrics::Metrics;

const SECOND: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(1);

/// Places, and a clock that goes on a moment with each connection.
struct Lab {
    seats: Rc<Seats>,
    now: Instant,
}

impl Lab {
    fn new(places: usize) -> Self {
        let peers = Peers::new(32, 56, &[]);
        let (idle, life) = (40 * SECOND, 300 * SECOND);
        let bounds = Bounds { places, unknown: places, each_peer: 4, finishing: 1, idle, life, peers };
        let counts = Metrics::default().connections("public");
        Self { seats: Seats::new(bounds, counts), now: Instant::now() }
    }

    fn enter(&mut self, peer: &str) -> Place {
        self.now += MOMENT;
        let place = self.seats.admit(Some(peer.parse().unwrap()), self.now).unwrap();
        place.seat().wait(Waker::noop());
        place.seat().settle();
        place
    }

    /// How many are not on their way out.
    fn held(&self) -> usize {
        self.seats.connections.borrow().len()
    }
}

struct Woken(AtomicUsize);

impl Woken {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(0)))
    }

    fn times(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn only_what_it_was_sent_keeps_a_connection() {
    let mut lab = Lab::new(8);
    let place = lab.enter("192.0.2.1");
    let opened = lab.now;
    let deadline = || place.seat().deadline();
    assert_eq!(deadline(), (opened + 40 * SECOND, Cut::Idle));
    for answered in (30..300).step_by(30) {
        place.seat().note_sent(opened + answered * SECOND);
        let idle = (answered + 40, Cut::Idle);
        let (seconds, why) = if answered + 40 < 300 { idle } else { (300, Cut::Life) };
        assert_eq!(deadline(), (opened + seconds * SECOND, why));
    }
}

#[test]
fn a_client_that_goes_on_asking_is_told_before_its_life_is_over() {
    let mut lab = Lab::new(8);
    let place = lab.enter("192.0.2.1");
    for (sent, old) in [(0, false), (149, false), (150, true), (299, true)] {
        place.seat().note_sent(lab.now + sent * SECOND);
        assert_eq!(place.seat().should_close(), old, "{sent}");
    }
    let streaming = place.seat().stream().unwrap();
    assert!(!place.seat().should_close());
    drop(streaming);
    assert!(place.seat().should_close());
}

#[test]
fn a_live_stream_has_no_life_but_must_take_what_it_is_sent() {
    let mut lab = Lab::new(8);
    let place = lab.enter("192.0.2.1");
    let opened = lab.now;
    let streaming = place.seat().stream().unwrap();
    place.seat().note_sent(opened + 100_000 * SECOND);
    assert_eq!(place.seat().deadline(), (opened + 100_045 * SECOND, Cut::Idle));
    drop(streaming);
    assert_eq!(place.seat().deadline(), (opened + 300 * SECOND, Cut::Life));
}

#[test]
fn a_refused_body_ends_its_connection_when_the_answer_has_had_time_to_arrive() {
    let mut lab = Lab::new(8);
    let place = lab.enter("192.0.2.1");
    place.seat().refuse_body(lab.now);
    place.seat().refuse_body(lab.now + SECOND);
    assert_eq!(place.seat().deadline(), (lab.now + FAREWELL, Cut::Body));
    place.seat().note_sent(lab.now + SECOND);
    assert_eq!(place.seat().deadline(), (lab.now + FAREWELL, Cut::Body));
}

#[test]
fn who_makes_room_without_an_answer_is_woken_to_go_at_once_and_is_counted_no_more() {
    let mut lab = Lab::new(2);
    let [silent, answered] = ["127.0.0.1"; 2].map(|peer| lab.enter(peer));
    let woken = Woken::new();
    for place in [&silent, &answered] {
        place.seat().wait(&woken.clone().into());
    }
    answered.seat().note_sent(lab.now);
    let _newcomer = lab.enter("127.0.0.1");
    assert_eq!((silent.seat().ends_at_once(), silent.seat().is_reset()), (Some(Cut::Crowded), true));
    assert_eq!((answered.seat().ends_at_once(), woken.times(), lab.held()), (None, 1, 2));
    let _another = lab.enter("127.0.0.1");
    assert_eq!((answered.seat().ends_at_once(), answered.seat().is_reset()), (Some(Cut::Crowded), false));
    drop(silent);
    assert_eq!((woken.times(), lab.held()), (2, 2));
}

#[test]
fn who_makes_room_in_an_answer_has_a_moment_that_nothing_moves() {
    let mut lab = Lab::new(1);
    let slow = lab.enter("127.0.0.1");
    slow.seat().note_sent(lab.now);
    slow.seat().note_stalled();
    assert!(!slow.seat().should_close());
    let newcomer = lab.enter("127.0.0.1");
    let told = (lab.now + GRACE, Cut::Crowded);
    assert_eq!((slow.seat().deadline(), slow.seat().ends_at_once()), (told, None));
    assert!(slow.seat().should_close() && !slow.seat().is_reset());
    for taken in 1..10 {
        slow.seat().note_sent(lab.now + taken * MOMENT);
        assert_eq!(slow.seat().deadline(), told);
    }
    // Until another needs that as well.
    newcomer.seat().note_sent(lab.now);
    newcomer.seat().note_stalled();
    let _another = lab.enter("127.0.0.1");
    assert_eq!((slow.seat().ends_at_once(), slow.seat().is_reset()), (Some(Cut::Crowded), false));
    assert_eq!((newcomer.seat().deadline(), lab.held()), ((lab.now + GRACE, Cut::Crowded), 2));
}

#[test]
fn one_prefix_makes_room_for_itself_alone_and_loopback_is_not_counted() {
    let mut lab = Lab::new(100);
    let others: Vec<_> = (1..=9).map(|peer| lab.enter(&format!("192.0.2.{peer}"))).collect();
    let crowd: Vec<_> = (0..10).map(|host| lab.enter(&format!("2001:db8:0:7{host:x}::1"))).collect();
    let many: Vec<_> = (0..20).map(|_| lab.enter("127.0.0.1")).collect();
    let cut: Vec<_> = crowd.iter().map(|place| place.seat().ends_at_once()).collect();
    assert_eq!(cut, [[Some(Cut::Peer); 6].as_slice(), &[None; 4]].concat());
    assert!(others.iter().chain(&many).all(|place| place.seat().ends_at_once().is_none()));
}

#[test]
fn the_door_opens_when_those_who_came_have_been_served_or_have_left() {
    let lab = Lab::new(8);
    let woken = Woken::new();
    let (waker, now) = (Waker::from(woken.clone()), lab.now);
    let task = Context::from_waker(&waker);
    for leaves in [false, true] {
        assert!(lab.seats.poll_ready(&task).is_ready());
        let place = lab.seats.admit(None, now).unwrap();
        assert!(lab.seats.poll_ready(&task).is_pending());
        if leaves { drop(place) } else { place.seat().settle() }
    }
    assert!(lab.seats.poll_ready(&task).is_ready());
    assert_eq!((woken.times(), lab.held()), (2, 0));
}
