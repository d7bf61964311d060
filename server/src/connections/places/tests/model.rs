//! Whatever happens, the places and a plain model of their rules agree.

use proptest::prelude::*;

use super::*;

/// The same rules in the plainest way: a list that is searched.
struct Model {
    bounds: Bounds,
    rows: Vec<Row>,
    clock: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Arriving,
    Waiting,
    Streaming,
    Authenticated,
    Finishing,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    id: Id,
    prefix: Option<IpNet>,
    kind: Kind,
    since: u64,
    sent: Sent,
}

impl Model {
    fn count(&self, kinds: &[Kind]) -> usize {
        self.rows.iter().filter(|row| kinds.contains(&row.kind)).count()
    }

    fn of(&self, prefix: IpNet) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.prefix == Some(prefix) && row.kind != Kind::Authenticated)
    }

    fn unknown(&self) -> usize {
        self.count(&[Kind::Arriving, Kind::Waiting])
    }

    fn known(&self) -> usize {
        self.count(&[Kind::Streaming, Kind::Authenticated])
    }

    fn row(&mut self, id: Id) -> Option<&mut Row> {
        self.clock += 1;
        self.rows.iter_mut().find(|row| row.id == id)
    }

    fn remove(&mut self, id: Id, why: Cut) -> Departure {
        let at = self.rows.iter().position(|row| row.id == id).unwrap();
        let row = self.rows.swap_remove(at);
        let exit = if row.sent == Sent::Nothing { Exit::Reset } else { Exit::Close };
        Departure { id, why, exit }
    }

    fn make_room_in(&mut self, prefix: IpNet, departures: &mut Vec<Departure>) -> bool {
        if self.of(prefix).count() < self.bounds.each_peer {
            return true;
        }
        let first = self
            .of(prefix)
            .filter(|row| matches!(row.kind, Kind::Waiting | Kind::Finishing))
            .min_by_key(|row| (row.kind == Kind::Waiting, row.since))
            .map(|row| row.id);
        departures.extend(first.map(|id| self.remove(id, Cut::Peer)));
        first.is_some()
    }

    fn make_room(&mut self, departures: &mut Vec<Departure>) -> bool {
        if self.unknown() < self.bounds.unknown && self.unknown() + self.known() < self.bounds.places {
            return true;
        }
        let waiting = || self.rows.iter().filter(|row| row.kind == Kind::Waiting);
        let size = |row: &Row| {
            waiting().filter(|other| row.prefix.is_some() && other.prefix == row.prefix).count().max(1)
        };
        let first = waiting().max_by_key(|row| (size(row), Reverse(row.since))).copied();
        let Some(Row { id, sent, .. }) = first else { return false };
        if sent != Sent::Part || self.bounds.finishing == 0 {
            departures.push(self.remove(id, Cut::Crowded));
            return true;
        }
        if self.count(&[Kind::Finishing]) >= self.bounds.finishing {
            let finishing = self.rows.iter().filter(|row| row.kind == Kind::Finishing);
            let oldest = finishing.min_by_key(|row| row.since).unwrap().id;
            departures.push(self.remove(oldest, Cut::Crowded));
        }
        let clock = self.clock + 1;
        let row = self.row(id).unwrap();
        (row.kind, row.since) = (Kind::Finishing, clock);
        departures.push(Departure { id, why: Cut::Crowded, exit: Exit::Finish });
        true
    }

    fn admit(&mut self, prefix: Option<IpNet>) -> (Result<(), Cut>, Vec<Departure>) {
        let mut departures = Vec::new();
        let admitted = if !prefix.is_none_or(|prefix| self.make_room_in(prefix, &mut departures)) {
            Err(Cut::Peer)
        } else if !self.make_room(&mut departures) {
            Err(Cut::Crowded)
        } else {
            Ok(())
        };
        (admitted, departures)
    }

    /// What must hold whatever happened.
    fn check(&self, places: &Places) {
        let Bounds { places: most, unknown, each_peer, finishing, .. } = self.bounds;
        let (is_unknown, is_known) = (self.unknown(), self.known());
        assert!(is_unknown <= unknown && is_unknown + is_known <= most && is_known <= self.bounds.known());
        assert!(self.count(&[Kind::Finishing]) <= finishing);
        for prefix in self.rows.iter().filter_map(|row| row.prefix) {
            let streams = self.of(prefix).filter(|row| row.kind == Kind::Streaming).count();
            assert!(self.of(prefix).count() <= each_peer && streams <= self.bounds.streams_of_a_peer());
        }
        let counts =
            (places.held.len(), places.unknown, places.known, places.finishing.len(), places.arriving);
        let finishing = self.count(&[Kind::Finishing]);
        assert_eq!(counts, (self.rows.len(), is_unknown, is_known, finishing, self.count(&[Kind::Arriving])));
        // Nothing is kept of those who have left.
        assert!(places.shares.len() <= self.rows.len() && places.crowd.len() <= places.shares.len());
    }
}

#[derive(Clone, Debug)]
enum Happening {
    Enter(u32),
    Settle(usize),
    Leave(usize),
    Authenticate(usize),
    Stream(usize),
    EndStream(usize),
    Sent(usize),
    Stalled(usize),
}

fn happening() -> impl Strategy<Value = Happening> {
    let which = || 0..24_usize;
    prop_oneof![
        6 => (0..6_u32).prop_map(Happening::Enter),
        4 => which().prop_map(Happening::Settle),
        1 => which().prop_map(Happening::Leave),
        1 => which().prop_map(Happening::Authenticate),
        1 => which().prop_map(Happening::Stream),
        1 => which().prop_map(Happening::EndStream),
        2 => which().prop_map(Happening::Sent),
        2 => which().prop_map(Happening::Stalled),
    ]
}

fn some_bounds() -> impl Strategy<Value = Bounds> {
    (1..20_usize, 1..20_usize, 1..8_usize, 0..3_usize).prop_map(|(places, unknown, each_peer, finishing)| {
        bounds(places, unknown.min(places), each_peer, finishing)
    })
}

/// Does to both what happens, and has them agree.
fn happen(places: &mut Places, model: &mut Model, happening: &Happening, waits_for_the_door: bool) {
    let at = |at: &usize| model.rows.get(*at).copied();
    match happening {
        Happening::Enter(number) => {
            let prefix = number.checked_sub(1).and_then(prefix);
            let ready = places.is_ready();
            if waits_for_the_door && !ready {
                return;
            }
            let (expected, leave) = model.admit(prefix);
            let (admitted, departures) = places.admit(prefix);
            assert!(departures.len() <= 2);
            assert_eq!((admitted.map(|_| ()), departures), (expected, leave));
            assert!(!ready || admitted.is_ok(), "one was let in and found no place");
            model.clock += 1;
            let (kind, since, sent) = (Kind::Arriving, model.clock, Sent::Nothing);
            model.rows.extend(admitted.ok().map(|id| Row { id, prefix, kind, since, sent }));
        }
        Happening::Settle(which) => {
            let Some(Row { id, kind: Kind::Arriving, .. }) = at(which) else { return };
            places.settle(id);
            model.row(id).unwrap().kind = Kind::Waiting;
            touch(model, id);
        }
        Happening::Leave(which) => {
            let Some(Row { id, .. }) = at(which) else { return };
            places.leave(id);
            model.rows.retain(|row| row.id != id);
        }
        Happening::Authenticate(which) => {
            let Some(Row { id, kind: Kind::Arriving | Kind::Waiting, .. }) = at(which) else { return };
            places.authenticate(id);
            if model.known() < model.bounds.known() {
                model.row(id).unwrap().kind = Kind::Authenticated;
            }
        }
        Happening::Stream(which) => {
            let Some(Row { id, kind, prefix, .. }) = at(which) else { return };
            let streams = |prefix| model.of(prefix).filter(|row| row.kind == Kind::Streaming).count();
            let free = prefix.is_none_or(|prefix| streams(prefix) < model.bounds.streams_of_a_peer());
            let expected = match kind {
                Kind::Streaming | Kind::Authenticated => true,
                Kind::Finishing => false,
                Kind::Arriving | Kind::Waiting => free && model.known() < model.bounds.known(),
            };
            assert_eq!(places.stream(id), expected);
            if expected && kind != Kind::Authenticated {
                model.row(id).unwrap().kind = Kind::Streaming;
            }
        }
        Happening::EndStream(which) => {
            let Some(row @ Row { id, kind: Kind::Streaming, .. }) = at(which) else { return };
            model.rows.retain(|row| row.id != id);
            let mut expected = Vec::new();
            let stays = model.make_room(&mut expected);
            model.rows.push(Row { kind: Kind::Waiting, ..row });
            touch(model, id);
            if !stays {
                expected.push(model.remove(id, Cut::Crowded));
            }
            assert_eq!(places.end_stream(id), expected);
        }
        Happening::Sent(which) => {
            let Some(Row { id, kind, .. }) = at(which) else { return };
            places.note_sent(id);
            model.row(id).unwrap().sent = Sent::Whole;
            if kind == Kind::Waiting {
                touch(model, id);
            }
        }
        Happening::Stalled(which) => {
            let Some(Row { id, .. }) = at(which) else { return };
            places.note_stalled(id);
            model.row(id).unwrap().sent = Sent::Part;
        }
    }
}

fn touch(model: &mut Model, id: Id) {
    model.clock += 1;
    let clock = model.clock;
    model.row(id).unwrap().since = clock;
}

proptest! {
    #[test]
    fn whatever_happens_every_bound_holds_and_who_makes_room_is_who_the_rules_say(
        bounds in some_bounds(),
        happenings in proptest::collection::vec(happening(), 1..200),
        waits_for_the_door: bool,
    ) {
        let mut places = Places::new(bounds.clone());
        let mut model = Model { bounds, rows: Vec::new(), clock: 0 };
        for happening in happenings {
            happen(&mut places, &mut model, &happening, waits_for_the_door);
            model.check(&places);
        }
        for row in std::mem::take(&mut model.rows) {
            places.leave(row.id);
        }
        model.check(&places);
    }
}
