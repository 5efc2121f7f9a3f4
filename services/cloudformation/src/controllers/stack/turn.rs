//! A stack comes to another state: the phase's work is done, or must be undone.

use super::Act;
use super::plan::Turn;
use crate::records::{Output, Progress, Resource, Stack, Status, change_set, deleted, log, resource};
use crate::stack::request::is_refusal;
use crate::stack::world::{When, evaluate, facts};
use kiln_service_kit::{Error, Tx};
use kiln_template::{Fact, UNKNOWN};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Act<'_> {
    pub(super) async fn turn(&self, turn: &Turn) -> Result<(), Error> {
        let Some(stack) = self.stack()? else { return Ok(()) };
        if stack.phase() != turn.phase {
            return Ok(());
        }
        let found = match turn.to {
            Status::CreateComplete | Status::UpdateCleanup => match self.outputs(&stack).await {
                Ok(found) => Some(found),
                Err(error) if is_refusal(&error) => return self.cannot_finish(turn, error.message).await,
                Err(error) => return Err(error),
            },
            _ => None,
        };
        let refused = self.write_turn(turn, found).await?;
        match refused {
            Some(reason) => self.cannot_finish(turn, reason).await,
            None => Ok(()),
        }
    }

    /// The outputs, and the exports of others that the stack uses.
    async fn outputs(&self, stack: &Stack) -> Result<(Vec<Output>, BTreeSet<String>), Error> {
        let Some(version) = &stack.target else { return Err(Error::internal("a stack without a target is complete")) };
        let template = self.template(version)?;
        let known = facts(&resource::of_stack(self.cx.store(), &self.name.scope, &stack.id)?);
        let ids: Vec<&String> = version.needs.keys().collect();
        let work = |evaluator: &kiln_template::Evaluator<'_>| {
            // Worked out again for the exports that they name.
            for id in &ids {
                evaluator.resource(id)?;
            }
            evaluator.outputs()
        };
        let owner = self.as_owner(stack);
        let (outputs, facts) = evaluate(&owner, When::Now, stack.into(), &template, version, known, work).await?;
        let unknown: Vec<&str> =
            outputs.iter().filter(|output| output.value.contains(UNKNOWN)).map(|output| output.name.as_str()).collect();
        if !unknown.is_empty() {
            return Err(crate::errors::validation(format!(
                "The outputs [{}] refer to attributes that their resources do not have.",
                unknown.join(", ")
            )));
        }
        let imports = facts.keys().filter_map(|fact| match fact {
            Fact::Export(name) => Some(name.clone()),
            _ => None,
        });
        let outputs = outputs.into_iter().map(|output| Output {
            name: output.name,
            value: output.value,
            description: output.description,
            export_name: output.export_name,
        });
        Ok((outputs.collect(), imports.collect()))
    }

    /// All resources are there, but the stack as a whole cannot be: the way back begins.
    async fn cannot_finish(&self, turn: &Turn, reason: String) -> Result<(), Error> {
        self.change(turn, |_, stack| {
            if let Some(operation) = &mut stack.operation {
                operation.failed = Some(reason);
            }
            Ok(false)
        })
        .await
    }

    /// Changes the stack if it is still in the phase; whether there is an event is the answer.
    async fn change(
        &self,
        turn: &Turn,
        change: impl FnOnce(&mut Tx<'_>, &mut Stack) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let scope = &self.name.scope;
        self.cx
            .store()
            .write(|tx: &mut Tx<'_>| {
                let Some(found) = tx.get::<Stack>(scope, &self.name.id)? else { return Ok(()) };
                let mut stack = (*found).clone();
                if stack.phase() != turn.phase {
                    return Ok(());
                }
                if change(tx, &mut stack)? {
                    log::stack(tx, self.cx, &stack)?;
                }
                match stack.status {
                    Status::DeleteComplete => deleted::keep(tx, self.cx, scope, stack),
                    _ => Ok(tx.put(scope, &self.name.id, stack)?),
                }
            })
            .await
    }

    /// `Some`: why the stack cannot come to that state.
    async fn write_turn(
        &self,
        turn: &Turn,
        found: Option<(Vec<Output>, BTreeSet<String>)>,
    ) -> Result<Option<String>, Error> {
        let scope = &self.name.scope;
        let mut refused = None;
        self.change(turn, |tx, stack| {
            if let Some((outputs, imports)) = found {
                // Cancelled in the last moment: what is decided next is the way back.
                if stack.operation.as_ref().is_some_and(|operation| operation.failed.is_some()) {
                    return Ok(false);
                }
                refused = crate::stack::exports::conflict(tx, scope, stack, &outputs)?;
                if refused.is_some() {
                    return Ok(false);
                }
                stack.keep_earlier();
                stack.outputs = outputs;
                stack.current = stack.target.take();
                if let Some(version) = &mut stack.current {
                    Arc::make_mut(version).imports = Some(imports.clone());
                }
                stack.imports = imports;
            }
            stack.status = turn.to;
            stack.reason = turn.reason.clone();
            if !turn.to.in_progress() {
                stack.earlier = None;
                change_set::executed(tx, scope, stack)?;
            }
            if let (Status::UpdateRollbackInProgress, Some(operation)) = (turn.to, &mut stack.operation) {
                operation.failed.clone_from(&turn.reason);
            }
            match turn.to {
                Status::UpdateRollbackCleanup => stack.target = None,
                Status::DeleteComplete => {
                    stack.deleted = Some(tx.now());
                    stack.imports.clear();
                }
                Status::CreateComplete => come_to_rest(tx, self, stack)?,
                Status::RollbackComplete => stack.imports.clear(),
                Status::UpdateComplete | Status::UpdateRollbackComplete => {
                    // What only the failed update used is used no longer.
                    if let Some(imports) = stack.current.as_ref().and_then(|version| version.imports.clone()) {
                        stack.imports = imports;
                    }
                    come_to_rest(tx, self, stack)?;
                }
                _ => {}
            }
            Ok(true)
        })
        .await?;
        Ok(refused)
    }
}

/// The stack is at rest: resources that an update took out are no longer listed, and of the others it is forgotten
/// how they came about and what they were before. Those two are most of a record, and there is no way back.
fn come_to_rest(tx: &mut Tx<'_>, at: &Act<'_>, stack: &Stack) -> Result<(), Error> {
    for (id, resource) in resource::of_stack(tx, &at.name.scope, &stack.id)? {
        let key = Resource::key(&stack.id, &id);
        let wanted = stack.current.as_ref().is_some_and(|current| current.needs.contains_key(&id));
        if !wanted && resource.live.is_none() && resource.old.is_empty() {
            tx.delete::<Resource>(&at.name.scope, &key);
            continue;
        }
        let work = resource.work.clone().filter(|work| work.progress != Progress::Done);
        tx.put_if_changed(&at.name.scope, &key, Resource { undo: None, work, ..(*resource).clone() })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::controllers::stack::{StackController, Step, plan::Turn};
    use crate::records::{Stack, Status};
    use crate::tests::given::*;
    use kiln_cloudformation_shapes::CancelUpdateStackRequest;
    use kiln_service_kit::{Controller, Name};

    #[tokio::test(start_paused = true)]
    async fn an_update_that_is_cancelled_in_the_last_moment_does_not_end_well() {
        let mut given = given();
        let body = |cidr: &str| format!("Resources: {{V: {{Type: AWS::EC2::VPC, Properties: {{CidrBlock: {cidr}}}}}}}");
        given.create("s", &body("10.0.0.0/16")).await.unwrap();
        given.world.slow.lock().insert("V".into(), 1_000);
        given.cx.call(update("s", &body("10.1.0.0/16"))).await.unwrap();
        given.until("s", "V UPDATE_IN_PROGRESS (Resource creation Initiated)").await;
        // The step was decided before, and is carried out after the cancellation.
        given.runner = None;
        given.cx.call(CancelUpdateStackRequest { stack_name: "s".into(), ..Default::default() }).await.unwrap();
        let name = Name::new(given.cx.scope(), given.stack("s").await.stack_id.unwrap());
        let phase = given.cx.store().get::<Stack>(&name.scope, &name.id).unwrap().unwrap().phase();
        let step = Step::Turn(Turn { phase, to: Status::UpdateCleanup, reason: None });
        StackController::default().act(&given.cx, &name, &step).await.unwrap();
        given.restart();
        assert_eq!(given.settled("s").await, "UPDATE_ROLLBACK_COMPLETE");
        assert_eq!(given.world.ids(), ["V-1"]);
    }
}
