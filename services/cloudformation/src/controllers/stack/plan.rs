//! What comes next for a stack. Pure.

use super::Seen;
use crate::records::stack::OnFailure;
use crate::records::{Action, Live, OperationKind, Progress, Resource, Stack, Status};
use kiln_service_kit::{Plan, Report, Timestamp, Waiting};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Work out what a resource is to be, and begin to make or change it.
    Begin(String),
    /// Begin to lead a resource back to what it was.
    Restore(String),
    /// Begin to remove what no longer belongs.
    Remove(String),
    /// Make the call that was about to be made when the last run ended.
    Carry(String),
    /// Has it settled?
    Check(String),
    /// Stop waiting: another resource has failed.
    Cancel(String),
    Turn(Turn),
}

/// The stack comes to another state.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// The phase it leaves; in any other the turn is void.
    pub phase: String,
    pub to: Status,
    pub reason: Option<String>,
}

/// Decides.
pub fn plan(seen: &Seen, now: Timestamp) -> Plan<Step> {
    let stack = &*seen.stack;
    let mut board = Board { seen, phase: stack.phase(), now, steps: vec![], waiting: vec![], done: 0, all: 0 };
    match stack.status {
        Status::CreateInProgress | Status::UpdateInProgress => board.forward(),
        Status::UpdateRollbackInProgress => board.restore(),
        _ if seen.held.is_some() => {}
        Status::RollbackInProgress
        | Status::DeleteInProgress
        | Status::UpdateCleanup
        | Status::UpdateRollbackCleanup => board.remove(),
        _ => {}
    }
    board.finish()
}

/// The decision as it grows.
struct Board<'a> {
    seen: &'a Seen,
    phase: String,
    now: Timestamp,
    steps: Vec<Step>,
    /// What is waited for and when to look again.
    waiting: Vec<(String, Timestamp)>,
    done: usize,
    all: usize,
}

/// What a phase has come to when nothing is in hand any more.
enum Rest {
    Busy,
    Idle,
}

impl<'a> Board<'a> {
    fn stack(&self) -> &'a Stack {
        &self.seen.stack
    }

    fn progress(&self, id: &str) -> Option<Progress> {
        Some(self.seen.resources.get(id)?.work_of(&self.phase)?.progress)
    }

    /// The step if its time has come, else a note that it is waited for.
    fn when_due(&mut self, id: &str, step: Step) {
        match self.seen.polls.get(id) {
            Some(poll) if poll.next > self.now => self.waiting.push((format!("{id}: {}", poll.why), poll.next)),
            _ => self.steps.push(step),
        }
    }

    fn turn(&mut self, to: Status, reason: Option<String>) {
        self.steps.push(Step::Turn(Turn { phase: self.phase.clone(), to, reason }));
    }

    fn rest(&self) -> Rest {
        if self.steps.is_empty() && self.waiting.is_empty() { Rest::Idle } else { Rest::Busy }
    }

    /// The resources that failed in this phase.
    fn failed(&self) -> Vec<&'a Resource> {
        let resources = self.seen.resources.values();
        resources
            .filter(|r| r.work_of(&self.phase).is_some_and(|work| work.progress == Progress::Failed))
            .map(|r| &**r)
            .collect()
    }

    /// Makes and changes what the target version wants.
    fn forward(&mut self) {
        let stack = self.stack();
        let Some(target) = &stack.target else { return };
        let failed = self.failed();
        let reason = self.why_stop(&failed);
        self.all = target.needs.len();
        for (id, needs) in &target.needs {
            match self.progress(id) {
                None if reason.is_some() => {}
                None if needs.iter().all(|need| self.progress(need) == Some(Progress::Done)) => {
                    self.steps.push(Step::Begin(id.clone()));
                }
                None | Some(Progress::Failed) => {}
                // The old thing has not made room, and now it need not.
                Some(Progress::Begun) if reason.is_some() && self.waits_for_room(id) => {
                    self.steps.push(Step::Cancel(id.clone()));
                }
                Some(Progress::Begun | Progress::Made) => self.when_due(id, Step::Carry(id.clone())),
                // With rollback off, what is under way may still succeed and stay.
                Some(Progress::Settling) if reason.is_some() && stack.on_failure != OnFailure::DoNothing => {
                    self.steps.push(Step::Cancel(id.clone()));
                }
                Some(Progress::Settling) => self.when_due(id, Step::Check(id.clone())),
                Some(Progress::Done) => self.done += 1,
            }
        }
        let Rest::Idle = self.rest() else {
            self.watch_timeout();
            return;
        };
        let creating = stack.status == Status::CreateInProgress;
        match (reason, creating) {
            (None, true) => self.turn(Status::CreateComplete, None),
            (None, false) => self.turn(Status::UpdateCleanup, None),
            (Some(reason), creating) => {
                let (to, asked) = match (creating, stack.on_failure) {
                    (true, OnFailure::DoNothing | OnFailure::Stop) => (Status::CreateFailed, ""),
                    (true, OnFailure::Rollback) => (Status::RollbackInProgress, " Rollback requested by user."),
                    (true, OnFailure::Delete) => (Status::DeleteInProgress, " Delete requested by user."),
                    (false, OnFailure::DoNothing) => (Status::UpdateFailed, ""),
                    (false, _) => (Status::UpdateRollbackInProgress, ""),
                };
                self.turn(to, Some(format!("{reason}{asked}")));
            }
        }
    }

    /// Whether a resource of which there cannot be two still waits for the old one to go.
    fn waits_for_room(&self, id: &str) -> bool {
        self.seen.resources.get(id).is_some_and(|resource| {
            let work = resource.work.as_ref().filter(|work| work.action == Action::DeleteThenCreate);
            let old = |work: &crate::records::Work| {
                resource.live.as_ref().is_some_and(|live| live.token != work.target.token)
            };
            work.is_some_and(old) && self.seen.polls.contains_key(id)
        })
    }

    /// Why the way forward ends, if it does.
    fn why_stop(&self, failed: &[&Resource]) -> Option<String> {
        let operation = self.stack().operation.as_ref()?;
        if let Some(reason) = &operation.failed {
            return Some(reason.clone());
        }
        if !failed.is_empty() {
            let of = |creates: bool| {
                let ids = failed.iter().filter(move |r| {
                    let made = r.work.as_ref().is_some_and(|work| work.action == Action::Create);
                    made == creates
                });
                ids.map(|r| r.logical_id.as_str()).collect::<Vec<&str>>().join(", ")
            };
            let (created, updated) = (of(true), of(false));
            let mut texts = vec![];
            if !created.is_empty() {
                texts.push(format!("The following resource(s) failed to create: [{created}]."));
            }
            if !updated.is_empty() {
                texts.push(format!("The following resource(s) failed to update: [{updated}]."));
            }
            return Some(texts.join(" "));
        }
        let late = self.deadline().is_some_and(|deadline| self.now >= deadline);
        late.then(|| "Stack creation time exceeded the specified timeout.".to_owned())
    }

    fn deadline(&self) -> Option<Timestamp> {
        let stack = self.stack();
        let operation = stack.operation.as_ref().filter(|operation| operation.kind == OperationKind::Create)?;
        let minutes = u64::try_from(stack.timeout_minutes?).ok()?;
        Some(operation.started + Duration::from_secs(minutes * 60))
    }

    fn watch_timeout(&mut self) {
        if let (true, Some(deadline)) = (self.steps.is_empty(), self.deadline().filter(|at| *at > self.now)) {
            self.waiting.push(("the end of TimeoutInMinutes".to_owned(), deadline));
        }
    }

    /// Leads what an update changed back to what it was.
    fn restore(&mut self) {
        let stack = self.stack();
        let Some(operation) = &stack.operation else { return };
        let to_restore = |resource: &&'a std::sync::Arc<Resource>| {
            let undo = resource.undo.as_ref().filter(|undo| undo.operation == operation.id);
            undo.and_then(|undo| undo.before.as_ref()).is_some() && !operation.skip.contains(&resource.logical_id)
        };
        let mine: Vec<&Resource> = self.seen.resources.values().filter(to_restore).map(|r| &**r).collect();
        let ids: BTreeSet<&str> = mine.iter().map(|r| r.logical_id.as_str()).collect();
        self.all = mine.len();
        for resource in &mine {
            let id = &resource.logical_id;
            let before = resource.undo.as_ref().and_then(|undo| undo.before.as_ref());
            let needs = before.map(|before| &before.needs);
            let ready = needs
                .into_iter()
                .flatten()
                .all(|need| !ids.contains(need.as_str()) || self.progress(need) == Some(Progress::Done));
            match self.progress(id) {
                None if ready => self.steps.push(Step::Restore(id.clone())),
                None | Some(Progress::Failed) => {}
                Some(Progress::Begun | Progress::Made) => self.when_due(id, Step::Carry(id.clone())),
                Some(Progress::Settling) => self.when_due(id, Step::Check(id.clone())),
                Some(Progress::Done) => self.done += 1,
            }
        }
        if let Rest::Busy = self.rest() {
            return;
        }
        let failed = self.failed();
        match failed.is_empty() {
            true => self.turn(Status::UpdateRollbackCleanup, None),
            false => {
                let reason = format!("The following resource(s) failed to update: [{}].", names(&failed));
                self.turn(Status::UpdateRollbackFailed, Some(reason));
            }
        }
    }

    /// Removes what does not belong: all of the stack, or what an update left behind.
    fn remove(&mut self) {
        let stack = self.stack();
        let left: Vec<(&Resource, Vec<&Arc<Live>>)> = self
            .seen
            .resources
            .values()
            .map(|r| (&**r, doomed(stack, r)))
            .filter(|(_, lives)| !lives.is_empty())
            .collect();
        self.all = left.len();
        let mut blocked: Vec<&str> = vec![];
        for (resource, lives) in &left {
            let id = &resource.logical_id;
            if resource.unsure().is_some() {
                self.when_due(id, Step::Carry(id.clone()));
                continue;
            }
            let work = resource.work_of(&self.phase).filter(|work| work.target.token == lives[0].token);
            match work.map(|work| work.progress) {
                None | Some(Progress::Begun | Progress::Made | Progress::Done) => {
                    let needed = left.iter().any(|(other, lives)| {
                        other.logical_id != *id && lives.iter().any(|life| life.needs.contains(id))
                    });
                    match needed {
                        true => blocked.push(id),
                        false => self.steps.push(Step::Remove(id.clone())),
                    }
                }
                Some(Progress::Settling) => self.when_due(id, Step::Check(id.clone())),
                Some(Progress::Failed) => {}
            }
        }
        if let Rest::Busy = self.rest() {
            return;
        }
        let failed = self.failed();
        if failed.is_empty() && !blocked.is_empty() {
            // Needs of different versions may go round in a circle; then no order is right.
            self.steps.extend(blocked.into_iter().map(|id| Step::Remove(id.to_owned())));
            return;
        }
        let cleans_up = matches!(stack.status, Status::UpdateCleanup | Status::UpdateRollbackCleanup);
        if cleans_up && !self.seen.cleaning.is_empty() {
            return;
        }
        let force = stack.operation.as_ref().is_some_and(|operation| operation.force);
        let reason = || Some(format!("The following resource(s) failed to delete: [{}].", names(&failed)));
        match (stack.status, failed.is_empty()) {
            (Status::RollbackInProgress, true) => self.turn(Status::RollbackComplete, None),
            (Status::RollbackInProgress, false) => self.turn(Status::RollbackFailed, reason()),
            (Status::DeleteInProgress, ok) if ok || force => self.turn(Status::DeleteComplete, None),
            (Status::DeleteInProgress, _) => self.turn(Status::DeleteFailed, reason()),
            // What cannot be removed after an update stays behind; the update has succeeded.
            (Status::UpdateRollbackCleanup, _) => self.turn(Status::UpdateRollbackComplete, None),
            _ => self.turn(Status::UpdateComplete, None),
        }
    }

    fn finish(self) -> Plan<Step> {
        let stack = self.stack();
        let sees = match self.all {
            0 => stack.status.to_string(),
            all => format!("{}: {} of {all} resources done", stack.status, self.done),
        };
        let until = self.waiting.iter().map(|(_, at)| *at).min();
        let mut what: Vec<String> = self.waiting.into_iter().map(|(what, _)| what).collect();
        what.extend(self.seen.held.clone());
        if !self.seen.cleaning.is_empty() {
            what.push(format!("the clean-up of {}", self.seen.cleaning.join(", ")));
        }
        let waiting_for = (!what.is_empty()).then(|| Waiting { what: what.join("; "), until });
        let wants = match stack.status.in_progress() {
            true => format!("to finish {}", stack.name),
            false => "nothing".to_owned(),
        };
        let at_rest = !stack.status.in_progress();
        Plan::concurrent(self.steps, Report { sees, wants, waiting_for, at_rest, ..Report::default() })
    }
}

fn names(resources: &[&Resource]) -> String {
    resources.iter().map(|r| r.logical_id.as_str()).collect::<Vec<&str>>().join(", ")
}

/// What of a resource must go in this phase; what may be half made stands for itself.
pub fn doomed<'r>(stack: &Stack, resource: &'r Resource) -> Vec<&'r Arc<Live>> {
    let id = &resource.logical_id;
    let operation = stack.operation.as_ref();
    let kept = operation.is_some_and(|operation| operation.skip.contains(id));
    let made_by_update = || {
        let undo = resource.undo.as_ref().filter(|undo| operation.is_some_and(|op| op.id == undo.operation));
        undo.is_some_and(|undo| undo.before.is_none())
    };
    let everything = match stack.status {
        Status::DeleteInProgress if kept => return vec![],
        Status::DeleteInProgress | Status::RollbackInProgress => true,
        Status::UpdateCleanup => stack.current.as_ref().is_some_and(|current| !current.needs.contains_key(id)),
        Status::UpdateRollbackCleanup => made_by_update(),
        _ => return vec![],
    };
    let mut lives: Vec<&Arc<Live>> = resource.old.iter().collect();
    if everything {
        match resource.unsure() {
            Some(work) => lives.push(&work.target),
            None => lives.extend(&resource.live),
        }
    }
    lives
}
