//! One task that moves dead letters: some at a time, as fast as it may, until nothing waits or it is cancelled.
//!
//! Messages and the task's record are in two files. What was moved is moved once, in one transaction of its own; that it
//! was is counted after. So a kiln that is killed in between counts too few, which the count is called approximate for.

use crate::errors::not_found;
use crate::messages::{Messages, Moved, QueueNumber};
use crate::place::{arn, of_arn};
use crate::records::{MoveTask, Queue, TaskStatus};
use kiln_service_kit::{
    Change, Controller, Cx, Error, Name, Plan, Record, RecordKind, Report, Store, Timestamp, Waiting, async_trait,
};
use std::collections::HashMap;
use std::time::Duration;

/// Messages that are moved at once: others wait meanwhile.
const SOME: usize = 100;
/// How long a second is, for those that may move so many in each.
const SECOND: Duration = Duration::from_secs(1);

pub struct MoveTasks;

#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    Move { most: usize },
    Cancel,
}

#[async_trait]
impl Controller for MoveTasks {
    const NAME: &'static str = "sqs/move-task";
    const ABOUT: &'static str = "one task that moves dead letters: back to where they came from, or elsewhere";
    const STEPS: &'static [&'static str] = &["Move", "Cancel"];
    const ACTS_AS: &'static str = "sqs.amazonaws.com";
    const WATCHES: &'static [RecordKind] = &[MoveTask::KIND];
    const SLOTS: usize = 4;
    type Seen = MoveTask;
    type Step = Step;

    fn wakes(&self, _: &Store, change: &Change) -> Result<Vec<Name>, Error> {
        Ok(vec![Name::new(&change.scope, &*change.id)])
    }

    fn all(&self, store: &Store) -> Result<Vec<Name>, Error> {
        let mut names = vec![];
        for status in [TaskStatus::Running, TaskStatus::Cancelling] {
            let found = store.by_key_everywhere::<MoveTask>(MoveTask::BY_STATUS, status.name())?;
            names.extend(found.into_iter().map(|(scope, id, _)| Name::new(&scope, id)));
        }
        Ok(names)
    }

    async fn observe(&self, cx: &Cx, name: &Name) -> Result<Option<MoveTask>, Error> {
        let task = cx.store().get::<MoveTask>(cx.scope(), &name.id)?.filter(|task| task.status.goes_on());
        // A task goes with its queue: there is no look at that.
        Ok(task.map(|task| (*task).clone()))
    }

    fn plan(&self, task: &MoveTask, now: Timestamp) -> Plan<Step> {
        let report = Report {
            sees: format!("{} of about {} messages moved out of {}", task.moved, task.to_move, task.source),
            wants: match &task.destination {
                Some(destination) => format!("to move the rest to {destination}"),
                None => "to move the rest back to where they came from".to_owned(),
            },
            ..Report::default()
        };
        if task.status == TaskStatus::Cancelling {
            return Plan::new(vec![Step::Cancel], report);
        }
        let Some(rate) = task.per_second else { return Plan::new(vec![Step::Move { most: SOME }], report) };
        let rate = usize::try_from(rate).unwrap_or(1).max(1);
        match task.moved_at.map(|last| last + SECOND).filter(|next| now < *next) {
            Some(next) => {
                let waiting = Waiting { what: "the next second".to_owned(), until: Some(next) };
                Plan::rest(Report { waiting_for: Some(waiting), ..report })
            }
            None => Plan::new(vec![Step::Move { most: rate }], report),
        }
    }

    async fn act(&self, cx: &Cx, name: &Name, step: &Step) -> Result<(), Error> {
        match step {
            Step::Move { most } => move_some(cx, name, *most).await,
            Step::Cancel => put(cx, name, |task| task.status = TaskStatus::Cancelled).await,
        }
    }
}

async fn move_some(cx: &Cx, name: &Name, most: usize) -> Result<(), Error> {
    let task = cx.store().get::<MoveTask>(cx.scope(), &name.id)?.filter(|task| task.status == TaskStatus::Running);
    let Some(task) = task else { return Ok(()) };
    let messages: Messages = cx.part()?;
    let number = |target: &str| -> Result<Option<QueueNumber>, Error> {
        let Some((scope, of)) = of_arn(cx, target) else { return Ok(None) };
        Ok(cx.store().get::<Queue>(&scope, of)?.map(|queue| queue.number))
    };
    // Where each goes: to the one queue, or to any that has this one for its dead letters or had it.
    let fixed = task.destination.as_deref().map(number).transpose()?;
    let mut known: HashMap<String, QueueNumber> = HashMap::new();
    if fixed.is_none() {
        let source = arn(cx, cx.scope(), &task.source);
        for (of, queue) in cx.store().by_key::<Queue>(cx.scope(), Queue::BY_DEAD_LETTERS, &source)? {
            known.insert(arn(cx, cx.scope(), &of), queue.number);
        }
    }
    let mut moved = 0;
    let (from, now) = (task.number, cx.now());
    let outcome = loop {
        let ids: Vec<String> = (0..most).map(|_| cx.ids().uuid()).collect();
        let (known_now, fixed_now, left) = (known.clone(), fixed, most - moved);
        let done: Moved = messages
            .run(move |table| {
                let mut ids = ids.into_iter();
                let to = |source: Option<&str>| match fixed_now {
                    Some(fixed) => fixed,
                    None => source.and_then(|source| known_now.get(source)).copied(),
                };
                table.move_back(from, now.millis(), left, to, || ids.next().unwrap_or_default())
            })
            .await?;
        moved += usize::try_from(done.moved).unwrap_or(0);
        match done.stuck {
            // A queue that has another for its dead letters by now.
            Some(Some(source)) if fixed.is_none() && !known.contains_key(&source) => match number(&source)? {
                Some(found) => known.insert(source, found),
                None => break Some(TaskStatus::Failed),
            },
            Some(_) => break Some(TaskStatus::Failed),
            None => break done.empty.then_some(TaskStatus::Completed),
        };
    };
    if outcome == Some(TaskStatus::Failed) {
        fail(cx, name, "CouldNotDetermineMessageSource").await?;
    }
    put(cx, name, |task| {
        task.moved += i64::try_from(moved).unwrap_or(0);
        task.moved_at = Some(now);
        if outcome == Some(TaskStatus::Completed) && task.status == TaskStatus::Running {
            task.status = TaskStatus::Completed;
        }
    })
    .await
}

/// A task that can go no further; AWS names the reason in a word.
async fn fail(cx: &Cx, name: &Name, reason: &str) -> Result<(), Error> {
    put(cx, name, |task| {
        task.status = TaskStatus::Failed;
        task.failure = Some(reason.to_owned());
    })
    .await
}

async fn put(cx: &Cx, name: &Name, change: impl FnOnce(&mut MoveTask)) -> Result<(), Error> {
    let put = cx.store().write(|tx| {
        let task = tx.get::<MoveTask>(cx.scope(), &name.id)?.ok_or_else(|| not_found("Task does not exist."))?;
        let mut task = (*task).clone();
        change(&mut task);
        tx.put_if_changed(cx.scope(), &name.id, task)?;
        Ok(())
    });
    match put.await {
        // Forgotten with its queue meanwhile.
        Err(error) if Error::is(&error, "ResourceNotFoundException") => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(status: TaskStatus) -> MoveTask {
        MoveTask {
            source: "dead".into(),
            number: 1,
            destination: None,
            per_second: None,
            status,
            started: Timestamp(0),
            moved: 0,
            to_move: 5,
            moved_at: None,
            failure: None,
        }
    }

    fn steps(task: MoveTask, now: Timestamp) -> Vec<Step> {
        MoveTasks.plan(&task, now).steps
    }

    #[test]
    fn a_task_moves_as_fast_as_it_may_until_it_is_cancelled() {
        let now = Timestamp(10_000);
        assert_eq!(steps(task(TaskStatus::Running), now), [Step::Move { most: SOME }]);
        assert_eq!(steps(task(TaskStatus::Cancelling), now), [Step::Cancel]);
        let slow = MoveTask { per_second: Some(3), ..task(TaskStatus::Running) };
        assert_eq!(steps(slow.clone(), now), [Step::Move { most: 3 }]);
        let just = MoveTask { moved_at: Some(now), ..slow };
        assert_eq!(steps(just.clone(), now), []);
        assert_eq!(steps(just, now + SECOND), [Step::Move { most: 3 }]);
    }
}
