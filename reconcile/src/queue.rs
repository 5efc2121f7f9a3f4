//! Which names are being looked at, which must be looked at again, and which timers still count.

use crate::backoff::{LEAST_CALM, MOST_DIFFERENT};
use kiln_service_kit::Name;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashSet};
use std::hash::{Hash, Hasher};
use std::time::Duration;
use tokio::time::Instant;

/// A controller's index and the thing to look at.
pub type Task = (usize, Name);

#[derive(Default)]
struct Slot {
    /// A task of the runner has it in hand.
    running: bool,
    /// Woken since the pass in hand began, or while calming down.
    dirty: bool,
    /// After a failure: not looked at before.
    calm_until: Option<Instant>,
    failures: u32,
    /// Passes in a row that acted and did nothing new.
    acted: u32,
    /// Hashes of the steps taken since it last rested.
    done: HashSet<u64>,
    /// The newest timer; older ones are void.
    ticket: u64,
}

/// What is to be done about a wake.
#[derive(Debug, PartialEq, Eq)]
pub enum Woken {
    /// Start a task for it.
    Start,
    /// Set a timer for it.
    In(Duration),
    /// It is taken care of.
    InHand,
}

/// The runner's bookkeeping; holds no lock across a pass.
#[derive(Default)]
pub struct Queue {
    slots: BTreeMap<Task, Slot>,
    running: usize,
}

impl Queue {
    /// Notes a wake.
    pub fn wake(&mut self, task: &Task, now: Instant) -> Woken {
        let slot = self.slots.entry(task.clone()).or_default();
        if let Some(until) = slot.calm_until.filter(|until| !slot.running && *until > now) {
            let known = std::mem::replace(&mut slot.dirty, true);
            return if known { Woken::InHand } else { Woken::In(until - now) };
        }
        slot.ticket += 1;
        if slot.running {
            slot.dirty = true;
            return Woken::InHand;
        }
        slot.running = true;
        self.running += 1;
        Woken::Start
    }

    /// A pass begins: wakes from here on need another one.
    pub fn begin(&mut self, task: &Task) {
        if let Some(slot) = self.slots.get_mut(task) {
            slot.dirty = false;
            slot.calm_until = None;
        }
    }

    /// The task must calm down for `delay`; for how long it really does: a wake shortens it.
    pub fn calm(&mut self, task: &Task, delay: Duration, now: Instant) -> Duration {
        let Some(slot) = self.slots.get_mut(task) else { return delay };
        let least = delay.min(LEAST_CALM);
        slot.calm_until = Some(now + least);
        slot.running = false;
        self.running -= 1;
        if slot.dirty { least } else { delay }
    }

    /// The task wants to rest; true when it was woken meanwhile and must go on.
    pub fn rest(&mut self, task: &Task) -> bool {
        let Some(slot) = self.slots.get_mut(task) else { return false };
        if slot.dirty {
            return true;
        }
        slot.running = false;
        self.running -= 1;
        false
    }

    /// The thing is gone: forgets it, unless it was woken meanwhile (false).
    pub fn gone(&mut self, task: &Task) -> bool {
        if self.rest(task) {
            return false;
        }
        self.slots.remove(task);
        true
    }

    /// Counts a failure; how many in a row.
    pub fn failed(&mut self, task: &Task) -> u32 {
        self.slots.get_mut(task).map_or(1, |slot| {
            slot.failures += 1;
            slot.failures
        })
    }

    /// Counts a pass that acted; how many in a row took only steps that were taken before.
    pub fn acted(&mut self, task: &Task, steps: &[String]) -> u32 {
        self.slots.get_mut(task).map_or(1, |slot| {
            slot.failures = 0;
            let mut new = false;
            for step in steps.iter().map(hash) {
                new |= slot.done.len() < MOST_DIFFERENT && slot.done.insert(step);
            }
            slot.acted = if new { 0 } else { slot.acted + 1 };
            slot.acted
        })
    }

    /// A pass found nothing to do.
    pub fn forget_counts(&mut self, task: &Task) {
        if let Some(slot) = self.slots.get_mut(task) {
            slot.failures = 0;
            slot.acted = 0;
            slot.done.clear();
        }
    }

    /// A ticket for a timer; any later wake or ticket makes it void.
    pub fn ticket(&mut self, task: &Task) -> u64 {
        self.slots.get_mut(task).map_or(0, |slot| {
            slot.ticket += 1;
            slot.ticket
        })
    }

    pub fn is_current(&self, task: &Task, ticket: u64) -> bool {
        self.slots.get(task).is_some_and(|slot| slot.ticket == ticket)
    }

    /// The things of a controller that are not known to be gone.
    pub fn known(&self, controller: usize) -> impl Iterator<Item = Name> {
        self.slots.keys().filter(move |(of, _)| *of == controller).map(|(_, name)| name.clone())
    }

    pub fn is_idle(&self) -> bool {
        self.running == 0
    }
}

fn hash(step: &String) -> u64 {
    let mut hasher = DefaultHasher::new();
    step.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln_service_kit::Scope;

    #[test]
    fn only_passes_that_do_nothing_new_are_counted() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let task = (0, Name::new(&Scope::new("1", "r"), "stack-1"));
        queue.wake(&task, now);
        let step = |n: usize| vec![format!("make {n}")];
        assert!((0..MOST_DIFFERENT).all(|n| queue.acted(&task, &step(n)) == 0), "a long piece of work");
        assert_eq!((queue.acted(&task, &step(7)), queue.acted(&task, &step(8))), (1, 2), "the same again and again");
        assert_eq!(queue.acted(&task, &step(MOST_DIFFERENT)), 3, "there is an end to new ones too");
        queue.forget_counts(&task);
        assert_eq!(queue.acted(&task, &step(7)), 0);
    }

    #[test]
    fn a_wake_during_a_pass_asks_for_another_and_voids_old_timers() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let task = (0, Name::new(&Scope::new("1", "r"), "asg-1"));
        assert_eq!(queue.wake(&task, now), Woken::Start);
        queue.begin(&task);
        assert_eq!(queue.wake(&task, now), Woken::InHand);
        assert!(queue.rest(&task), "woken meanwhile: goes on");
        queue.begin(&task);
        assert!(!queue.rest(&task));
        assert!(queue.is_idle());
        let ticket = queue.ticket(&task);
        assert!(queue.is_current(&task, ticket));
        assert_eq!(queue.wake(&task, now), Woken::Start);
        assert!(!queue.is_current(&task, ticket));
    }
}
