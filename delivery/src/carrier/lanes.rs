//! Which notes are tried now. Pure: told of notes, of time and of what became of attempts, it says what to begin.
//!
//! A lane is what waits for one target. How many attempts it may have at a time grows with what it took and is one while
//! it fails. Lanes share places by what is known of them, so that those that hang take nobody's but each other's:
//!
//! ```text
//! Inside    parts of kiln                              64 places
//! Proven    the last attempt was taken                256
//! New       nothing is known yet                      128
//! Failing   the last attempt was not taken            128
//! ```

use kiln_service_kit::{Scope, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A note, by where it is kept.
pub type NoteId = (Scope, Arc<str>);
/// An account and the target's name in it.
pub type LaneId = (Arc<str>, Arc<str>);

/// Most attempts of one lane at a time.
const MOST: usize = 8;
/// Places by [`Standing`].
const PLACES: [usize; 4] = [64, 256, 128, 128];

/// What is known of a lane's target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Inside,
    Proven,
    New,
    Failing,
}

#[derive(Debug)]
struct Lane {
    /// Those that wait, and when each is due.
    waiting: BTreeSet<(Timestamp, NoteId)>,
    /// Attempts in hand, each with whose place it has.
    running: BTreeMap<NoteId, Standing>,
    standing: Standing,
    allowed: usize,
    /// Not before this time, where a policy bounds attempts in a second.
    not_before: Timestamp,
    pace: Option<Duration>,
}

/// All lanes.
#[derive(Debug, Default)]
pub struct Lanes {
    lanes: BTreeMap<LaneId, Lane>,
    /// Lanes that may begin something, by standing and time.
    heads: [BTreeSet<(Timestamp, LaneId)>; 4],
    taken: [usize; 4],
    /// Which lane a note is in, waiting or in hand.
    notes: BTreeMap<NoteId, LaneId>,
}

impl Lanes {
    /// A note waits until `due`. One that is known already is left as it is. `pace` is how long after an attempt of the
    /// lane the next may begin at the earliest, as the newest note says.
    pub fn add(&mut self, lane: &LaneId, inside: bool, note: NoteId, due: Timestamp, pace: Option<Duration>) {
        if self.notes.contains_key(&note) {
            return;
        }
        self.notes.insert(note.clone(), lane.clone());
        self.unlist(lane);
        let standing = if inside { Standing::Inside } else { Standing::New };
        let at = self.lanes.entry(lane.clone()).or_insert_with(|| Lane {
            waiting: BTreeSet::new(),
            running: BTreeMap::new(),
            standing,
            allowed: if inside { MOST } else { 1 },
            not_before: Timestamp::from_millis(0),
            pace: None,
        });
        at.pace = pace;
        at.waiting.insert((due, note));
        self.list(lane);
    }

    /// What to begin now: each is in hand from here on, until [`Lanes::done`].
    pub fn begin(&mut self, now: Timestamp) -> Vec<NoteId> {
        let mut begun = vec![];
        for (standing, places) in PLACES.into_iter().enumerate() {
            while self.taken[standing] < places {
                let Some((due, id)) = self.heads[standing].first().cloned() else { break };
                if due > now {
                    break;
                }
                self.unlist(&id);
                let Some(lane) = self.lanes.get_mut(&id) else { continue };
                if let Some((_, note)) = lane.waiting.pop_first() {
                    self.taken[standing] += 1;
                    lane.running.insert(note.clone(), lane.standing);
                    if let Some(pace) = lane.pace {
                        lane.not_before = now + pace;
                    }
                    begun.push(note);
                }
                self.list(&id);
            }
        }
        begun
    }

    /// When there is something to begin, as far as is known: places may be given back before.
    pub fn next(&self) -> Option<Timestamp> {
        let free = (0..self.heads.len()).filter(|standing| self.taken[*standing] < PLACES[*standing]);
        free.filter_map(|standing| self.heads[standing].first().map(|(due, _)| *due)).min()
    }

    /// An attempt ended: `taken` says whether the target took it (none: nothing was learned of it), `again` when the
    /// note is due next, if it goes on waiting.
    pub fn done(&mut self, note: &NoteId, taken: Option<bool>, again: Option<Timestamp>) {
        let Some(id) = self.notes.get(note).cloned() else { return };
        self.unlist(&id);
        if let Some(lane) = self.lanes.get_mut(&id)
            && let Some(place) = lane.running.remove(note)
        {
            self.taken[place as usize] -= 1;
            match taken {
                Some(true) => {
                    lane.allowed = (lane.allowed * 2).min(MOST);
                    lane.standing = if lane.standing == Standing::Inside { Standing::Inside } else { Standing::Proven };
                }
                Some(false) => {
                    lane.allowed = 1;
                    lane.standing =
                        if lane.standing == Standing::Inside { Standing::Inside } else { Standing::Failing };
                }
                None => {}
            }
            match again {
                Some(due) => {
                    lane.waiting.insert((due, note.clone()));
                }
                None => {
                    self.notes.remove(note);
                }
            }
            // What was learned of a target is kept while something waits for it.
            if lane.waiting.is_empty() && lane.running.is_empty() {
                self.lanes.remove(&id);
            }
        }
        self.list(&id);
    }

    fn unlist(&mut self, id: &LaneId) {
        if let Some(lane) = self.lanes.get(id)
            && let Some(head) = lane.head()
        {
            self.heads[lane.standing as usize].remove(&(head, id.clone()));
        }
    }

    fn list(&mut self, id: &LaneId) {
        if let Some(lane) = self.lanes.get(id)
            && let Some(head) = lane.head()
        {
            self.heads[lane.standing as usize].insert((head, id.clone()));
        }
    }
}

impl Lane {
    /// When it may begin its next; none while it has as many in hand as it may, or nothing waits.
    fn head(&self) -> Option<Timestamp> {
        let first = self.waiting.first().filter(|_| self.running.len() < self.allowed)?;
        Some(first.0.max(self.not_before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    fn note(number: usize) -> NoteId {
        (Scope::new("1", "r"), format!("{number:06}").into())
    }

    fn lane(name: &str) -> LaneId {
        ("1".into(), name.into())
    }

    #[test]
    fn a_target_that_hangs_takes_one_place_and_one_that_takes_gets_more() {
        let mut lanes = Lanes::default();
        for number in 0..100 {
            lanes.add(&lane("hangs"), false, note(number), at(0), None);
            lanes.add(&lane("takes"), false, note(100 + number), at(0), None);
        }
        let first = lanes.begin(at(1));
        assert_eq!(first, [note(0), note(100)], "of what is not known one each");
        assert_eq!(lanes.next(), None, "nothing more until one of them is done");
        let mut taken = 1;
        let mut running = vec![note(100)];
        while taken < 50 {
            for id in std::mem::take(&mut running) {
                lanes.done(&id, Some(true), None);
                taken += 1;
            }
            running = lanes.begin(at(1));
            assert!(running.len() <= MOST && running.iter().all(|id| *id >= note(100)));
        }
        assert_eq!(running.len(), MOST);
        lanes.done(&note(0), Some(false), Some(at(20)));
        assert_eq!(lanes.begin(at(2)), [note(1)], "the others of the target are tried one at a time");
    }

    #[test]
    fn a_thousand_that_hang_leave_room_for_the_others() {
        let mut lanes = Lanes::default();
        for number in 0..1_000 {
            lanes.add(&lane(&format!("hangs {number}")), false, note(number), at(0), None);
        }
        let begun = lanes.begin(at(0));
        assert_eq!(begun.len(), PLACES[Standing::New as usize]);
        lanes.add(&lane("queue"), true, note(5_000), at(0), None);
        assert_eq!(lanes.begin(at(0)), [note(5_000)]);
        // Those that failed wait for the failing ones' places, and the newcomers get theirs.
        for note in &begun {
            lanes.done(note, Some(false), Some(at(0)));
        }
        assert_eq!(lanes.begin(at(0)).len(), 256);
    }

    #[test]
    fn nothing_is_begun_twice_or_before_its_time_and_what_is_done_is_forgotten() {
        let mut lanes = Lanes::default();
        lanes.add(&lane("a"), true, note(1), at(5), None);
        lanes.add(&lane("a"), true, note(1), at(0), None);
        assert_eq!((lanes.begin(at(4)), lanes.next()), (vec![], Some(at(5))));
        assert_eq!(lanes.begin(at(5)), [note(1)]);
        lanes.add(&lane("a"), true, note(1), at(5), None);
        assert_eq!(lanes.begin(at(6)), []);
        lanes.done(&note(1), None, Some(at(9)));
        assert_eq!(lanes.next(), Some(at(9)));
        assert_eq!(lanes.begin(at(9)), [note(1)]);
        lanes.done(&note(1), Some(true), None);
        assert_eq!((lanes.notes.len(), lanes.lanes.len(), lanes.taken), (0, 0, [0; 4]));
        assert!(lanes.heads.iter().all(BTreeSet::is_empty));
    }

    #[test]
    fn a_pace_is_kept() {
        let mut lanes = Lanes::default();
        for number in 0..3 {
            lanes.add(&lane("a"), true, note(number), at(0), None);
            lanes.add(&lane("b"), true, note(10 + number), at(0), Some(Duration::from_secs(2)));
        }
        assert_eq!(lanes.begin(at(0)), [note(0), note(1), note(2), note(10)]);
        lanes.done(&note(10), Some(true), None);
        assert_eq!((lanes.begin(at(1)), lanes.next()), (vec![], Some(at(2))));
        assert_eq!(lanes.begin(at(2)), [note(11)]);
    }
}
