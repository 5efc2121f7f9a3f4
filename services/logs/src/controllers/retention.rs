//! A group whose events are kept for a time: those that are older go, in whole blocks.
//!
//! A block is of a day at most, so the last of it goes a day after it is expired; until then readers do not show it. AWS
//! takes up to three ("PutRetentionPolicy").

use crate::events::{Disk, Events};
use crate::names;
use crate::records::LogGroup;
use kiln_service_kit::{
    Change, Controller, Cx, Error, Name, Plan, Record, RecordKind, Report, Store, Timestamp, async_trait,
};

pub struct Retention;

/// What of a group decides.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    days: Option<i32>,
    /// Streams that have events that are to go.
    old: Vec<String>,
    before: i64,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    Remove { stream: String, before: i64 },
}

/// Streams that one pass looks after; the next one looks after more.
const MOST: usize = 100;

#[async_trait]
impl Controller for Retention {
    const NAME: &'static str = "logs/retention";
    const ABOUT: &'static str = "one log group: events that are older than they are kept are removed";
    const STEPS: &'static [&'static str] = &["Remove"];
    const ACTS_AS: &'static str = "logs.amazonaws.com";
    const WATCHES: &'static [RecordKind] = &[LogGroup::KIND];
    const SLOTS: usize = 2;
    type Seen = Seen;
    type Step = Step;

    fn wakes(&self, _: &Store, change: &Change) -> Result<Vec<Name>, Error> {
        Ok(vec![Name::new(&change.scope, &*change.id)])
    }

    fn all(&self, store: &Store) -> Result<Vec<Name>, Error> {
        Ok(store.ids_everywhere::<LogGroup>().into_iter().map(|(scope, id)| Name::new(&scope, id)).collect())
    }

    async fn observe(&self, cx: &Cx, name: &Name) -> Result<Option<Seen>, Error> {
        let Some(group) = cx.store().get::<LogGroup>(&name.scope, &name.id)? else { return Ok(None) };
        let Some(before) = group.oldest(cx.now()) else {
            return Ok(Some(Seen { days: None, old: vec![], before: 0 }));
        };
        let streams = names::streams(cx, &group.name, "")?;
        let names: Vec<String> = streams.iter().map(|stream| stream.stream.clone()).collect();
        let old = Disk::without_keys(cx, &name.scope)
            .off(move |disk| {
                let mut old = vec![];
                for stream in names {
                    if disk.has_before(&stream, before)? {
                        old.push(stream);
                    }
                    if old.len() == MOST {
                        break;
                    }
                }
                Ok(old)
            })
            .await?;
        Ok(Some(Seen { days: group.retention, old, before }))
    }

    fn plan(&self, seen: &Seen, _: Timestamp) -> Plan<Step> {
        let wants = match seen.days {
            Some(days) => format!("events of {days} days"),
            None => "all events".to_owned(),
        };
        let sees = format!("{} streams with older ones", seen.old.len());
        let report = Report { sees, wants, at_rest: seen.old.is_empty(), ..Report::default() };
        let step = |stream: &String| Step::Remove { stream: stream.clone(), before: seen.before };
        match seen.old.is_empty() {
            true => Plan::rest(report),
            false => Plan::new(seen.old.iter().map(step).collect(), report),
        }
    }

    async fn act(&self, cx: &Cx, name: &Name, step: &Step) -> Result<(), Error> {
        let Step::Remove { stream, before } = step;
        let (events, stream, before) = (cx.part::<Events>()?, stream.clone(), *before);
        Disk::without_keys(cx, &name.scope).off(move |disk| events.remove(disk, &stream, Some(before))).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_goes_and_else_it_rests() {
        let seen = |old: &[&str]| Seen { days: Some(1), old: old.iter().map(ToString::to_string).collect(), before: 5 };
        assert!(Retention.plan(&seen(&[]), Timestamp(0)).report.at_rest);
        let plan = Retention.plan(&seen(&["a"]), Timestamp(0));
        assert_eq!(plan.steps, [Step::Remove { stream: "a".to_owned(), before: 5 }]);
    }
}
