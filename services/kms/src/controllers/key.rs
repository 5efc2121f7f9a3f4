//! A key's future: rotated when its schedule says so, deleted when its time has come. Until then the key is there, all
//! of it, and its deletion can be taken back; afterwards nothing opens what it encrypted.

use crate::material;
use crate::records::{Alias, Grant, Key, RotatedBy, Rotation, State, grant_id, in_days};
use kiln_service_kit::{
    Change, Controller, Cx, Error, Name, Plan, Record, RecordKind, Report, Store, Timestamp, Waiting, async_trait,
};

pub struct Keys;

/// What of a key decides.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    state: State,
    rotation: Option<Rotation>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    Delete,
    /// Not once more for the same date.
    Rotate {
        due: Timestamp,
    },
}

#[async_trait]
impl Controller for Keys {
    const NAME: &'static str = "kms/key";
    const ABOUT: &'static str = "one key: rotated by its schedule, deleted once it has waited";
    const STEPS: &'static [&'static str] = &["Delete", "Rotate"];
    const ACTS_AS: &'static str = "kms.amazonaws.com";
    const WATCHES: &'static [RecordKind] = &[Key::KIND];
    const SLOTS: usize = 4;
    type Seen = Seen;
    type Step = Step;

    fn wakes(&self, _: &Store, change: &Change) -> Result<Vec<Name>, Error> {
        Ok(vec![Name::new(&change.scope, &*change.id)])
    }

    fn all(&self, store: &Store) -> Result<Vec<Name>, Error> {
        Ok(store.ids_everywhere::<Key>().into_iter().map(|(scope, id)| Name::new(&scope, id)).collect())
    }

    async fn observe(&self, cx: &Cx, name: &Name) -> Result<Option<Seen>, Error> {
        let key = cx.store().get::<Key>(&name.scope, &name.id)?;
        Ok(key.map(|key| Seen { state: key.state.clone(), rotation: key.rotation.clone() }))
    }

    fn plan(&self, seen: &Seen, now: Timestamp) -> Plan<Step> {
        let mut report = Report { sees: format!("a key that is {}", seen.state.name()), ..Report::default() };
        let (what, at, step) = match (&seen.state, &seen.rotation) {
            (State::PendingDeletion { at, .. }, _) => ("to delete it", *at, Step::Delete),
            (State::Enabled, Some(rotation)) => ("to rotate it", rotation.next, Step::Rotate { due: rotation.next }),
            (State::Enabled, None) | (State::Disabled, _) => {
                report.wants = "nothing more of it".to_owned();
                report.at_rest = true;
                return Plan::rest(report);
            }
        };
        report.wants = format!("{what} at {}", at.iso8601());
        if now >= at {
            return Plan::new(vec![step], report);
        }
        report.at_rest = true;
        report.waiting_for = Some(Waiting { what: format!("the time {what}"), until: Some(at) });
        Plan::rest(report)
    }

    async fn act(&self, cx: &Cx, name: &Name, step: &Step) -> Result<(), Error> {
        let (scope, id) = (&name.scope, &*name.id);
        let now = cx.now();
        match step {
            Step::Delete => {
                cx.store()
                    .write(|tx| {
                        // Taken back meanwhile.
                        let Some(key) = tx.get::<Key>(scope, id)? else { return Ok(()) };
                        if !matches!(key.state, State::PendingDeletion { at, .. } if at <= now) {
                            return Ok(());
                        }
                        for (alias, _) in tx.by_key::<Alias>(scope, "key", id)? {
                            tx.delete::<Alias>(scope, &alias);
                        }
                        for (grant, _) in tx.list_prefix::<Grant>(scope, &grant_id(id, ""))? {
                            tx.delete::<Grant>(scope, &grant);
                        }
                        tx.delete::<Key>(scope, id);
                        Ok(())
                    })
                    .await
            }
            Step::Rotate { due } => {
                let next = material::new(cx, scope, id, Some(RotatedBy::Schedule))?;
                cx.store()
                    .write(|tx| {
                        let Some(key) = tx.get::<Key>(scope, id)? else { return Ok(()) };
                        let Some(rotation) = key.rotation.clone().filter(|rotation| rotation.next == *due) else {
                            return Ok(());
                        };
                        let mut key = (*key).clone();
                        // By the schedule, from now on where it was missed by more than a period.
                        let mut after = rotation.next + in_days(rotation.days);
                        if after <= now {
                            after = now + in_days(rotation.days);
                        }
                        key.rotation = Some(Rotation { next: after, ..rotation });
                        key.materials.push(next);
                        tx.put(scope, id, key)?;
                        Ok(())
                    })
                    .await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_waits_for_its_time() {
        let at = Timestamp(1_000_000);
        let rotation = Some(Rotation { days: 90, next: at });
        let deleted = State::PendingDeletion { at, days: 7 };
        let cases = [
            (State::Enabled, None, vec![]),
            (State::Enabled, rotation.clone(), vec![Step::Rotate { due: at }]),
            // A disabled key is not rotated, one that is to be deleted neither.
            (State::Disabled, rotation.clone(), vec![]),
            (deleted.clone(), rotation, vec![Step::Delete]),
            (deleted, None, vec![Step::Delete]),
        ];
        for (state, rotation, steps) in cases {
            let seen = Seen { state, rotation };
            let waits = Keys.plan(&seen, Timestamp(999_999));
            assert!(waits.steps.is_empty() && waits.report.at_rest, "{seen:?}");
            assert_eq!(waits.report.waiting_for.is_some(), !steps.is_empty(), "{seen:?}");
            assert_eq!(Keys.plan(&seen, at).steps, steps, "{seen:?}");
        }
    }
}
