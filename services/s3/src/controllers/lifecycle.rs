//! The lifecycle of one bucket: once a day, after midnight UTC, what its rules say is due goes. Some keys at a time, each lot
//! in a transaction with what is told of it and with how far it got: a kiln that is killed in between goes on there.

use crate::files::ObjectFiles;
use crate::lifecycle::{Do, Lifecycle, Mark, aborted, decide, midnight_after, midnight_before};
use crate::notifications::{Event, Thing, tell};
use crate::records::{Bucket, Kept, LifecycleRun, Object, Piece, Upload, all_buckets, within};
use crate::uploads;
use crate::versions::{self, Changed};
use kiln_service_kit::{
    Change, Controller, Cx, Error, Name, Plan, Record, RecordKind, Report, Store, Timestamp, Tx, Waiting, async_trait,
};
use std::ops::Bound;
use std::sync::Arc;

/// About how many keys are looked at in a step, and most uploads that are given up in one.
const SOME: usize = 500;

pub struct Lifecycles;

/// A bucket's rules, and how far they were carried out.
#[derive(Debug, PartialEq)]
pub struct Seen {
    lifecycle: Lifecycle,
    run: Option<LifecycleRun>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// What is due by then of the keys after this one.
    Expire { midnight: Timestamp, after: Option<String> },
    /// Uploads that nobody completed until then.
    Abort { midnight: Timestamp },
}

#[async_trait]
impl Controller for Lifecycles {
    const NAME: &'static str = "s3/lifecycle";
    const ABOUT: &'static str = "one bucket's lifecycle: what its rules say is due goes, after each midnight";
    const STEPS: &'static [&'static str] = &["Expire", "Abort"];
    const ACTS_AS: &'static str = "s3.amazonaws.com";
    const WATCHES: &'static [RecordKind] = &[Bucket::KIND];
    const SLOTS: usize = 2;
    type Seen = Seen;
    type Step = Step;

    fn wakes(&self, _: &Store, change: &Change) -> Result<Vec<Name>, Error> {
        Ok(vec![Name::new(&change.scope, &*change.id)])
    }

    fn all(&self, store: &Store) -> Result<Vec<Name>, Error> {
        let found = store.by_key_everywhere::<Bucket>(Bucket::BY_LIFECYCLE, Mark::TEXT)?;
        Ok(found.into_iter().map(|(scope, id, _)| Name::new(&scope, id)).collect())
    }

    async fn observe(&self, cx: &Cx, name: &Name) -> Result<Option<Seen>, Error> {
        let bucket = cx.store().get::<Bucket>(&all_buckets(), &name.id)?;
        let Some(lifecycle) = bucket.and_then(|bucket| bucket.lifecycle.clone()) else { return Ok(None) };
        let run = cx.store().get::<LifecycleRun>(&within(&name.id), LifecycleRun::ID)?;
        Ok(Some(Seen { lifecycle, run: run.map(|run| (*run).clone()) }))
    }

    fn plan(&self, seen: &Seen, now: Timestamp) -> Plan<Step> {
        let rules = seen.lifecycle.rules.iter().filter(|rule| rule.enabled).count();
        let mut report = Report {
            sees: format!("{rules} rules that are enabled"),
            wants: "what they say is due to go after each midnight, UTC".to_owned(),
            ..Report::default()
        };
        let step = match &seen.run {
            Some(LifecycleRun { midnight, after, keys_done: false, .. }) => {
                Some(Step::Expire { midnight: *midnight, after: after.clone() })
            }
            Some(LifecycleRun { midnight, done: false, .. }) => Some(Step::Abort { midnight: *midnight }),
            Some(_) | None => None,
        };
        if let Some(step) = step {
            return Plan::new(vec![step], report);
        }
        // Of several that were missed the last one has it all.
        let last = seen.run.as_ref().map_or(seen.lifecycle.set, |run| run.midnight.max(seen.lifecycle.set));
        let next = midnight_after(last);
        if now >= next {
            return Plan::new(vec![Step::Expire { midnight: midnight_before(now), after: None }], report);
        }
        report.at_rest = true;
        report.waiting_for = Some(Waiting { what: "midnight".to_owned(), until: Some(next) });
        Plan::rest(report)
    }

    async fn act(&self, cx: &Cx, name: &Name, step: &Step) -> Result<(), Error> {
        let unused = match step {
            Step::Expire { midnight, after } => expire(cx, &name.id, *midnight, after.as_deref()).await?,
            Step::Abort { midnight } => abort(cx, &name.id, *midnight).await?,
        };
        if !unused.is_empty() {
            cx.part::<ObjectFiles>()?.remove(&unused).await;
        }
        Ok(())
    }
}

/// The bucket as it is in a transaction, with its rules; none: they are gone.
fn ruled(tx: &Tx<'_>, bucket: &str) -> Result<Option<(Arc<Bucket>, Lifecycle)>, Error> {
    let Some(bucket) = tx.get::<Bucket>(&all_buckets(), bucket)? else { return Ok(None) };
    let lifecycle = bucket.lifecycle.clone();
    Ok(lifecycle.map(|lifecycle| (bucket, lifecycle)))
}

async fn expire(cx: &Cx, bucket: &str, midnight: Timestamp, after: Option<&str>) -> Result<Vec<Piece>, Error> {
    let Some(found) = cx.store().get::<Bucket>(&all_buckets(), bucket)? else { return Ok(vec![]) };
    let Some(lifecycle) = found.lifecycle.clone() else { return Ok(vec![]) };
    let scope = within(bucket);
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let span = versions::from(cx.store(), &scope, from, SOME)?;
    let mut due: Vec<(Arc<str>, Vec<Do>)> = vec![];
    for of_key in span.rows.chunk_by(|(a, _), (b, _)| a == b) {
        let kept: Vec<&Kept> = of_key.iter().map(|(_, (kept, _))| kept).collect();
        let key = &of_key[0].0;
        due.push((key.clone(), decide(&lifecycle, key, &kept, midnight)));
    }
    let cx = &cx.in_region(&found.region);
    cx.store()
        .write(|tx| {
            let Some((bucket, _)) = ruled(tx, bucket)? else { return Ok(vec![]) };
            let mut unused = vec![];
            for (key, all) in &due {
                for each in all {
                    unused.extend(carry_out(tx, cx, &bucket, key, each, midnight)?);
                }
            }
            let upto = span.upto.as_ref().map(|upto| upto.to_string());
            let run = LifecycleRun { midnight, keys_done: upto.is_none(), after: upto, done: false };
            tx.put_if_changed(&scope, LifecycleRun::ID, run)?;
            Ok(unused)
        })
        .await
}

/// Does it to a key, unless it was changed meanwhile; files that no record names any more.
fn carry_out(
    tx: &mut Tx<'_>,
    cx: &Cx,
    bucket: &Bucket,
    key: &str,
    what: &Do,
    midnight: Timestamp,
) -> Result<Vec<Piece>, Error> {
    let (changed, told) = match what {
        Do::Expire(version) => {
            let latest = tx.get::<Object>(&within(&bucket.name), key)?;
            if latest.is_none_or(|latest| latest.place.version != *version) {
                return Ok(vec![]);
            }
            let changed = versions::delete(tx, bucket, key, midnight, cx.ids())?;
            let event = if changed.marker { Event::ExpiredBehindMarker } else { Event::Expired };
            (changed, Some(event))
        }
        Do::Remove(version) => {
            let changed: Changed = versions::delete_version(tx, bucket, key, version)?;
            let is_object = changed.removed && !changed.marker;
            (changed, is_object.then_some(Event::Expired))
        }
    };
    if let Some(event) = told {
        let thing = Thing { key, version: changed.version.as_deref(), ..Default::default() };
        tell(tx, cx, bucket, event, &thing)?;
    }
    Ok(changed.unused)
}

async fn abort(cx: &Cx, bucket: &str, midnight: Timestamp) -> Result<Vec<Piece>, Error> {
    let scope = within(bucket);
    cx.store()
        .write(|tx| {
            let Some((_, lifecycle)) = ruled(tx, bucket)? else { return Ok(vec![]) };
            let all = tx.list::<Upload>(&scope)?;
            let mut due = all.into_iter().filter(|(_, upload)| aborted(&lifecycle, upload, midnight));
            let mut unused = vec![];
            for (id, _) in due.by_ref().take(SOME) {
                unused.extend(uploads::remove(tx, &scope, &id)?);
            }
            let run = LifecycleRun { midnight, keys_done: true, after: None, done: due.next().is_none() };
            tx.put_if_changed(&scope, LifecycleRun::ID, run)?;
            Ok(unused)
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3_600 * 1_000;

    fn seen(run: Option<LifecycleRun>) -> Seen {
        // Put at noon of the first day.
        Seen {
            lifecycle: Lifecycle { mark: Mark::Has, rules: vec![], set: Timestamp(DAY / 2), smallest_moved: None },
            run,
        }
    }

    fn run(midnight: i64, after: Option<&str>, keys_done: bool, done: bool) -> Option<LifecycleRun> {
        Some(LifecycleRun { midnight: Timestamp(midnight), after: after.map(str::to_owned), keys_done, done })
    }

    #[test]
    fn rules_are_carried_out_after_each_midnight_once() {
        let steps = |run, now| Lifecycles.plan(&seen(run), Timestamp(now)).steps;
        let expire = |midnight, after: Option<&str>| {
            vec![Step::Expire { midnight: Timestamp(midnight), after: after.map(str::to_owned) }]
        };
        assert_eq!(steps(None, DAY - 1), []);
        assert_eq!(steps(None, DAY), expire(DAY, None));
        // Days that were missed are one.
        assert_eq!(steps(None, 5 * DAY + 7), expire(5 * DAY, None));
        assert_eq!(steps(run(DAY, Some("k"), false, false), 2 * DAY), expire(DAY, Some("k")));
        assert_eq!(steps(run(DAY, None, true, false), DAY), [Step::Abort { midnight: Timestamp(DAY) }]);
        assert_eq!(steps(run(DAY, None, true, true), 2 * DAY - 1), []);
        assert_eq!(steps(run(DAY, None, true, true), 2 * DAY), expire(2 * DAY, None));
        let rest = Lifecycles.plan(&seen(run(DAY, None, true, true)), Timestamp(DAY + 1)).report;
        assert_eq!(rest.waiting_for.and_then(|waiting| waiting.until), Some(Timestamp(2 * DAY)));
    }
}
