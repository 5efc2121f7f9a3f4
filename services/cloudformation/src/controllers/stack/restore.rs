//! The way back of an update: every resource that it touched becomes what it was.
//!
//! | what the update did | the way back |
//! |---|---|
//! | nothing real | the record is as before |
//! | changed in place, or tried to | change it back |
//! | replaced | the old thing takes its place again; the new one goes in the clean-up |
//! | removed the old one first | remove the new one, make the old one anew |

use super::{Act, verb};
use crate::records::family::NESTED;
use crate::records::{Action, KeptJson, Live, Progress, Stack, Status, Undo, Work};
use kiln_service_kit::Error;
use std::sync::Arc;

enum Way {
    AsBefore,
    Back,
    Reinstate,
    Anew,
}

impl Act<'_> {
    /// Begins to lead a resource back.
    pub(super) async fn restore(&self, id: &str) -> Result<(), Error> {
        let (Some(stack), Some(resource)) = (self.stack()?, self.resource(id)?) else { return Ok(()) };
        if stack.status != Status::UpdateRollbackInProgress {
            return Ok(());
        }
        let Some(undo) = &resource.undo else { return Ok(()) };
        let Some(before) = undo.before.clone() else { return Ok(()) };
        let tags_tried = stack.target.as_ref().is_some_and(|target| KeptJson::from(&target.tags) != before.stack_tags);
        let failed = resource.work.as_ref().filter(|work| work.progress == Progress::Failed);
        // What an earlier try to make it anew left half made is not what was there before.
        let whole =
            resource.live.as_ref().is_some_and(|live| failed.is_none_or(|work| work.target.token != live.token));
        let way = way(undo, &before, resource.live.as_deref(), tags_tried, whole);
        let silent = matches!(way, Way::AsBefore);
        let anew = (self.cx.ids().uuid(), stack.phase());
        self.write(id, !silent, |now: &Stack, resource| {
            let phase = anew.1;
            if now.phase() != phase || resource.work_of(&phase).is_some() {
                return false;
            }
            let mut work =
                Work { phase, action: Action::Update, progress: Progress::Begun, since: self.cx.now(), target: before };
            match way {
                Way::Back => {}
                Way::AsBefore => {
                    work.action = Action::Keep;
                    work.progress = Progress::Done;
                    resource.live = Some(work.target.clone());
                }
                Way::Reinstate => {
                    work.progress = Progress::Done;
                    let new = resource.live.replace(work.target.clone());
                    let new = new.filter(|new| new.physical_id != work.target.physical_id);
                    resource.old.retain(|life| life.token != work.target.token);
                    // What the failed update made goes, whatever its policy.
                    resource.old.extend(new.map(|mut new| {
                        Arc::make_mut(&mut new).update_replace_policy = None;
                        new
                    }));
                }
                Way::Anew => {
                    // The new thing, if it came to that, makes room again.
                    work.action = Action::DeleteThenCreate;
                    let target = Arc::make_mut(&mut work.target);
                    target.physical_id = None;
                    target.token = anew.0;
                    target.attributes = KeptJson::default();
                }
            }
            if !silent {
                let state = if work.progress == Progress::Done { "COMPLETE" } else { "IN_PROGRESS" };
                resource.status = format!("{}_{state}", verb(now, &work));
                resource.reason = None;
            }
            resource.signals.clear();
            resource.work = Some(work);
            true
        })
        .await?;
        self.carry(id).await
    }
}

fn way(undo: &Undo, before: &Live, live: Option<&Live>, tags_tried: bool, whole: bool) -> Way {
    match live {
        // One that came back anew in an earlier try is as good as the one before.
        Some(live)
            if undo.before_gone && whole && live.properties == before.properties && live.physical_id.is_some() =>
        {
            Way::AsBefore
        }
        _ if undo.before_gone => Way::Anew,
        Some(live) if live.token == before.token => {
            let tried = undo.tried.as_ref().is_some_and(|tried| tags_tried || *tried != before.properties);
            // The template that a nested stack's properties point at may have changed alone.
            let tried = tried || (undo.tried.is_some() && before.resource_type == NESTED);
            match tried || live.properties != before.properties || live.stack_tags != before.stack_tags {
                true => Way::Back,
                false => Way::AsBefore,
            }
        }
        Some(_) => Way::Reinstate,
        None => Way::Reinstate,
    }
}
