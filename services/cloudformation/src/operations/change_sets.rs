//! Change sets: what an update would do, looked at before it is done.

use super::describe::{parameters, tags};
use super::stacks::check_removals;
use super::{arn_of, existing, find_any, stack_of};
use crate::errors::{bad_token, no_change_set, validation};
use crate::records::family::NESTED;
use crate::records::stack::{OnFailure, find as find_stack};
use crate::records::{ChangeSet, OperationKind, Stack, Status, change_set, deleted};
use crate::stack::request::Wish;
use crate::stack::start::{self, Begin, check_name, current};
use crate::stack::{changes, role};
use kiln_cloudformation_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Target, Touched, operation, paginate, request_hash};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateChangeSet: create_change_set(CreateChangeSetRequest), on created),
    operation!(DescribeChangeSet: describe_change_set(DescribeChangeSetRequest), on described),
    operation!(ExecuteChangeSet: execute_change_set(ExecuteChangeSetRequest), on executed),
    operation!(DeleteChangeSet: delete_change_set(DeleteChangeSetRequest), on deleted),
    operation!(ListChangeSets: list_change_sets(ListChangeSetsRequest), on listed),
];

/// Change sets per page.
const PAGE: usize = 100;

/// What `aws cloudformation deploy` looks for.
const NO_CHANGES: &str =
    "The submitted information didn't contain changes. Submit different information to create a change set.";

fn created(cx: &Cx, request: &CreateChangeSetRequest) -> Touched {
    arn_of(cx, &request.stack_name)
}
fn described(cx: &Cx, request: &DescribeChangeSetRequest) -> Touched {
    stack_of_set(cx, &request.change_set_name, request.stack_name.as_deref())
}
fn executed(cx: &Cx, request: &ExecuteChangeSetRequest) -> Touched {
    stack_of_set(cx, &request.change_set_name, request.stack_name.as_deref())
}
fn deleted(cx: &Cx, request: &DeleteChangeSetRequest) -> Touched {
    stack_of_set(cx, &request.change_set_name, request.stack_name.as_deref())
}
fn listed(cx: &Cx, request: &ListChangeSetsRequest) -> Touched {
    arn_of(cx, &request.stack_name)
}

/// Rights on a change set are rights on its stack.
pub fn stack_of_set(cx: &Cx, set: &str, stack: Option<&str>) -> Touched {
    match (find(cx, set, stack), stack) {
        (Ok(set), _) => Ok(vec![Target::new(&set.stack_id)]),
        // Who cannot be judged is not; that there is none is said by the call itself.
        (Err(error), _) if error.status >= 500 => Err(error),
        (Err(_), Some(stack)) => arn_of(cx, stack),
        (Err(_), None) => Ok(vec![]),
    }
}

/// A change set by its ARN, or by its name and its stack.
pub fn find(cx: &Cx, set: &str, stack: Option<&str>) -> Result<Arc<ChangeSet>, Error> {
    if set.starts_with("arn:") {
        return deleted::change_set(cx, set)?.ok_or_else(|| no_change_set(set));
    }
    let Some(stack) = stack else {
        return Err(validation("StackName must be specified if ChangeSetName is not specified as an ARN."));
    };
    let stack = find_any(cx, stack)?.ok_or_else(|| validation(format!("Stack [{stack}] does not exist")))?;
    let all = cx.store().by_key::<ChangeSet>(cx.scope(), "stack", &stack.id)?.into_iter().map(|(_, found)| found);
    let own = all.filter(|found| found.name == set);
    // An executed one gives its name up; until another takes it, it still leads there.
    let found = match own.max_by_key(|found| (!found.was_executed(), found.created)) {
        Some(found) => Some(found),
        None => {
            // One of the stack's that does not read may be it: then it is not said that there is none.
            cx.store().whole().by_key::<ChangeSet>(cx.scope(), "stack", &stack.id)?;
            deleted::named_change_set(cx, &stack.id, set)?
        }
    };
    found.ok_or_else(|| no_change_set(set))
}

async fn create_change_set(cx: &Cx, request: CreateChangeSetRequest) -> Result<CreateChangeSetResponse, Error> {
    if !request.resources_to_import.is_empty() {
        return Err(Error::not_built("import of existing resources"));
    }
    if request.deployment_mode.is_some() {
        return Err(Error::not_built("DeploymentMode (drift detection)"));
    }
    let hash = request_hash(&request);
    let found = find_stack(cx.store(), cx.scope(), &request.stack_name)?;
    let kind = request.change_set_type.as_deref().unwrap_or("UPDATE");
    let stack = match (kind, found) {
        ("IMPORT", _) => return Err(Error::not_built("change sets of type IMPORT")),
        ("CREATE", Some(stack)) if stack.status != Status::ReviewInProgress => {
            let message = format!(
                "Stack [{}] already exists and cannot be created again with the changeSet [{}].",
                stack.name, request.change_set_name
            );
            return Err(validation(message));
        }
        ("CREATE", Some(stack)) => (*stack).clone(),
        ("CREATE", None) => {
            check_name(&request.stack_name)?;
            start::blank(cx, &request.stack_name)
        }
        (_, None) => return Err(validation(format!("Stack [{}] does not exist", request.stack_name))),
        (_, Some(stack)) => {
            start::check_updatable(&stack)?;
            (*stack).clone()
        }
    };
    role::check(cx, request.role_arn.as_deref(), stack.role_arn.as_deref(), &stack.id).await?;
    let wish = Wish {
        template_body: request.template_body.clone(),
        template_url: request.template_url.clone(),
        use_previous_template: request.use_previous_template.unwrap_or(false),
        parameters: request.parameters.clone(),
        capabilities: request.capabilities.clone(),
        tags: request.tags.clone(),
        resource_types: request.resource_types.clone(),
        notification_arns: request.notification_arns.clone(),
        rollback_configuration: request.rollback_configuration.clone(),
        reviewed: true,
    };
    let before = stack.current.as_deref().or(stack.target.as_deref());
    let tags_before = before.map(|version| (version.tags.clone(), version.notification_arns.clone()));
    let prepared = wish.prepare(cx, (&stack).into(), before).await?;
    if request.include_nested_stacks == Some(true) && prepared.template.resource_types().contains(&NESTED) {
        return Err(Error::not_built("IncludeNestedStacks: a change set shows that a nested stack is looked at"));
    }
    let found = changes::of(cx, &stack, &prepared).await?;
    if request.import_existing_resources == Some(true) {
        existing::refuse_import(cx, &found).await?;
    }
    let same_tags = tags_before
        .is_none_or(|(tags, topics)| tags == prepared.version.tags && topics == prepared.version.notification_arns);
    let nothing = kind == "UPDATE" && found.is_none() && same_tags && stack.target.is_none();
    let set = ChangeSet {
        id: cx.arn("cloudformation", &format!("changeSet/{}/{}", request.change_set_name, cx.ids().uuid())),
        name: request.change_set_name.clone(),
        stack_id: stack.id.clone(),
        stack_name: stack.name.clone(),
        description: request.description.clone(),
        created: cx.now(),
        version: Arc::new(prepared.version),
        role_arn: request.role_arn.clone(),
        on_failure: request.on_stack_failure.as_deref().map(|word| OnFailure::of(Some(word), None)),
        status: if nothing { "FAILED" } else { "CREATE_COMPLETE" }.to_owned(),
        reason: nothing.then(|| NO_CHANGES.to_owned()),
        execution: if nothing { "UNAVAILABLE" } else { "AVAILABLE" }.to_owned(),
        changes: changes::shown(&found),
        imports: prepared.imports,
        include_nested_stacks: request.include_nested_stacks.unwrap_or(false),
    };
    let token = request.client_token.as_deref();
    let (id, stack_id) = cx
        .store()
        .write::<_, Error>(|tx| {
            if let Some(earlier) = start::earlier(tx, cx, "CreateChangeSet", token, &hash)?
                && let Some(set) = tx.get::<ChangeSet>(cx.scope(), &earlier)?
            {
                return Ok((earlier, set.stack_id.clone()));
            }
            let all = tx.by_key::<ChangeSet>(cx.scope(), "stack", &set.stack_id)?;
            if all.iter().any(|(_, other)| other.name == set.name && !other.was_executed()) {
                let message = format!("ChangeSet {} already exists for stack {}", set.name, set.stack_id);
                return Err(Error::sender("AlreadyExistsException", message));
            }
            // A stack that is only being looked at shows what it is looked at by.
            let reviewed = Stack { change_set_id: Some(set.id.clone()), ..stack.clone() };
            let there = tx.get::<Stack>(cx.scope(), &stack.id)?;
            if there.as_ref().is_some_and(|stack| stack.status == Status::ReviewInProgress) {
                tx.put(cx.scope(), &stack.id, reviewed)?;
            } else if there.is_none() {
                if find_stack_in(tx, cx, &stack.name)? {
                    return Err(Error::sender(
                        "AlreadyExistsException",
                        format!("Stack [{}] already exists", stack.name),
                    ));
                }
                start::put(tx, cx, &reviewed)?;
            }
            let answer = (set.id.clone(), set.stack_id.clone());
            start::remember(tx, cx, "CreateChangeSet", token, &hash, &set.id)?;
            tx.put(cx.scope(), &answer.0, set)?;
            Ok(answer)
        })
        .await?;
    Ok(CreateChangeSetResponse { id: Some(id), stack_id: Some(stack_id) })
}

fn find_stack_in(tx: &kiln_service_kit::Tx<'_>, cx: &Cx, name: &str) -> Result<bool, Error> {
    Ok(find_stack(tx, cx.scope(), name)?.is_some())
}

async fn describe_change_set(cx: &Cx, request: DescribeChangeSetRequest) -> Result<DescribeChangeSetResponse, Error> {
    let set = find(cx, &request.change_set_name, request.stack_name.as_deref())?;
    let values = request.include_property_values.unwrap_or(false);
    let changes = if values { set.changes.clone() } else { changes::without_values(set.changes.clone()) };
    Ok(DescribeChangeSetResponse {
        change_set_name: Some(set.name.clone()),
        change_set_id: Some(set.id.clone()),
        stack_id: Some(set.stack_id.clone()),
        stack_name: Some(set.stack_name.clone()),
        description: set.description.clone(),
        parameters: parameters(&set.version),
        creation_time: Some(set.created),
        execution_status: Some(set.execution.clone()),
        status: Some(set.status.clone()),
        status_reason: set.reason.clone(),
        rollback_configuration: Some(RollbackConfiguration::default()),
        capabilities: set.version.capabilities.clone(),
        tags: tags(&set.version),
        changes,
        include_nested_stacks: Some(set.include_nested_stacks),
        on_stack_failure: set.on_failure.map(|wanted| {
            match wanted {
                OnFailure::DoNothing => "DO_NOTHING",
                OnFailure::Rollback | OnFailure::Stop => "ROLLBACK",
                OnFailure::Delete => "DELETE",
            }
            .to_owned()
        }),
        ..Default::default()
    })
}

async fn execute_change_set(cx: &Cx, request: ExecuteChangeSetRequest) -> Result<ExecuteChangeSetResponse, Error> {
    let set = find(cx, &request.change_set_name, request.stack_name.as_deref())?;
    if set.on_failure.is_some() && request.disable_rollback.is_some() {
        return Err(validation("DisableRollback cannot be given for a change set that has OnStackFailure."));
    }
    let stack = stack_of(cx, &set.stack_id)?;
    // It was passed when the change set was made.
    role::check(cx, None, set.role_arn.as_deref().or(stack.role_arn.as_deref()), &stack.id).await?;
    let hash = request_hash(&request);
    let token = request.client_request_token.clone();
    cx.store()
        .write::<_, Error>(|tx| {
            if start::earlier(tx, cx, "ExecuteChangeSet", token.as_deref(), &hash)?.is_some() {
                return Ok(());
            }
            let mut stack = current(tx.get(cx.scope(), &stack.id)?, &stack.id)?;
            let found = tx.get::<ChangeSet>(cx.scope(), &set.id)?.ok_or_else(|| no_change_set(&set.name))?;
            if found.execution != "AVAILABLE" {
                let message = format!(
                    "ChangeSet [{}] cannot be executed in its current status of [{}]",
                    set.id,
                    if found.execution == "UNAVAILABLE" { &found.status } else { &found.execution }
                );
                return Err(Error::sender("InvalidChangeSetStatus", message));
            }
            let creates = stack.status == Status::ReviewInProgress;
            if !creates {
                start::check_updatable(&stack)?;
            }
            let kind = if creates { OperationKind::Create } else { OperationKind::Update };
            let operation = start::operation(cx, kind, token.clone());
            let removed = changes::Changes { resources: removals(&found), outputs: false, before: Default::default() };
            check_removals(&stack, &operation, &removed)?;
            let mut set = (*found).clone();
            set.execution = change_set::EXECUTING.to_owned();
            change_set::supersede(tx, cx.scope(), &set)?;
            stack.change_set_id = Some(set.id.clone());
            stack.retain_except_on_create = request.retain_except_on_create.unwrap_or(false);
            let begin = Begin {
                version: set.version.clone(),
                imports: set.imports.clone(),
                role_arn: set.role_arn.clone(),
                on_failure: set.on_failure.unwrap_or(OnFailure::of(None, request.disable_rollback)),
                operation,
            };
            start::begin(tx, cx, &mut stack, begin)?;
            start::remember(tx, cx, "ExecuteChangeSet", token.as_deref(), &hash, &set.id)?;
            Ok(tx.put(cx.scope(), &set.id.clone(), set)?)
        })
        .await?;
    Ok(ExecuteChangeSetResponse {})
}

/// The removals among a change set's changes, as far as a stack policy looks at them.
fn removals(set: &ChangeSet) -> Vec<kiln_template::changes::ResourceChange> {
    let all = set.changes.iter().filter_map(|change| change.resource_change.as_ref());
    let removed = all.filter(|change| change.action.as_deref() == Some("Remove"));
    removed
        .filter_map(|change| {
            Some(kiln_template::changes::ResourceChange {
                action: kiln_template::changes::Action::Remove,
                logical_id: change.logical_resource_id.clone()?,
                physical_id: None,
                resource_type: change.resource_type.clone()?,
                replacement: None,
                policy_action: None,
                scope: vec![],
                details: vec![],
                after: None,
            })
        })
        .collect()
}

async fn delete_change_set(cx: &Cx, request: DeleteChangeSetRequest) -> Result<DeleteChangeSetResponse, Error> {
    let set = match find(cx, &request.change_set_name, request.stack_name.as_deref()) {
        Ok(set) => set,
        // Deleting what is not there succeeds.
        Err(error) if error.is("ChangeSetNotFound") => return Ok(DeleteChangeSetResponse {}),
        Err(error) => return Err(error),
    };
    if set.execution == change_set::EXECUTING {
        let message = format!("ChangeSet [{}] cannot be deleted in its current status of [{}]", set.id, set.execution);
        return Err(Error::sender("InvalidChangeSetStatus", message));
    }
    cx.store().write::<_, Error>(|tx| Ok(tx.delete::<ChangeSet>(cx.scope(), &set.id))).await?;
    Ok(DeleteChangeSetResponse {})
}

async fn list_change_sets(cx: &Cx, request: ListChangeSetsRequest) -> Result<ListChangeSetsResponse, Error> {
    let stack = stack_of(cx, &request.stack_name)?;
    let all = cx.store().by_key::<ChangeSet>(cx.scope(), "stack", &stack.id)?;
    let own = all.into_iter().filter(|(_, set)| !set.was_executed()).collect();
    let page = paginate(own, |(id, _)| id, request.next_token.as_deref(), PAGE, bad_token)?;
    let summaries = page
        .items
        .iter()
        .map(|(_, set)| ChangeSetSummary {
            stack_id: Some(set.stack_id.clone()),
            stack_name: Some(set.stack_name.clone()),
            change_set_id: Some(set.id.clone()),
            change_set_name: Some(set.name.clone()),
            execution_status: Some(set.execution.clone()),
            status: Some(set.status.clone()),
            status_reason: set.reason.clone(),
            creation_time: Some(set.created),
            description: set.description.clone(),
            include_nested_stacks: Some(set.include_nested_stacks),
            ..Default::default()
        })
        .collect();
    Ok(ListChangeSetsResponse { summaries, next_token: page.next_token })
}
