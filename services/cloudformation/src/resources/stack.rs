//! `AWS::CloudFormation::Stack`: a stack within a stack.
//!
//! It is a stack like any other, led by the same controller; this type writes its wishes down and tells
//! the parent what became of them. What a call asks for depends on what the parent is doing: an update of
//! the child while the parent goes forward, the way back while the parent goes back.

use crate::errors::validation;
use crate::records::family::{children, depth};
use crate::records::stack::{OnFailure, Parent};
use crate::records::{OperationKind, Stack, Status};
use crate::stack::changes;
use crate::stack::request::{Prepared, Wish};
use crate::stack::secrets::HIDDEN;
use crate::stack::start::{self, Begin, Deletion, begin_delete, check_name, current, go_back};
use async_trait::async_trait;
use kiln_cloudformation_shapes::{DescribeStacksRequest, Parameter, Tag};
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, Tx};
use serde_json::{Map, Value as Json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The longest name of a stack.
const LONGEST_NAME: usize = 128;
/// How many stacks may be within each other. AWS names no number; a template that contains itself must
/// come to an end.
const DEEPEST: usize = 20;

pub struct NestedStackType;

#[async_trait]
impl ResourceType for NestedStackType {
    fn type_name(&self) -> &'static str {
        "AWS::CloudFormation::Stack"
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let parent = parent(cx, request)?;
        let made = |stack: &Stack| stack.parent.as_ref().is_some_and(|parent| parent.token == request.token);
        if let Some(found) = children(cx.store(), cx.scope(), &parent.id)?.iter().find(|stack| made(stack)) {
            return Ok(found.id.clone());
        }
        if depth(cx.store(), cx.scope(), &parent)? + 1 >= DEEPEST {
            return Err(validation(format!("Stacks can be nested {DEEPEST} deep at most.")));
        }
        let name = name(request);
        check_name(&name)?;
        cx.authorize("cloudformation:CreateStack", &[cx.arn("cloudformation", &format!("stack/{name}/*"))], &[])?;
        let mut stack = start::blank(cx, &name);
        stack.parent = Some(Parent {
            stack_id: parent.id.clone(),
            root_id: parent.root_id().to_owned(),
            token: request.token.clone(),
        });
        stack.timeout_minutes = timeout(request)?;
        stack.retain_except_on_create = parent.retain_except_on_create;
        let prepared = wish(request, &parent)?.prepare(cx, (&stack).into(), None).await?;
        let begin = begin(cx, &parent, prepared, OperationKind::Create, OnFailure::Stop);
        cx.store().write(|tx| start::begin(tx, cx, &mut stack, begin)).await?;
        Ok(stack.id)
    }

    async fn stability(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<Stability, Error> {
        let (parent, child) = (parent(cx, request)?, child(cx, id)?);
        Ok(judge(&parent, &child))
    }

    async fn update(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        let (parent, child) = (parent(cx, request)?, child(cx, id)?);
        cx.authorize("cloudformation:UpdateStack", std::slice::from_ref(&child.id), &[])?;
        match parent.status {
            Status::UpdateRollbackInProgress => back(cx, &parent, &child).await,
            _ => forward(cx, &parent, &child, request).await,
        }
    }

    async fn delete(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<Stability, Error> {
        let Some(child) = cx.store().get::<Stack>(cx.scope(), id)? else { return Ok(Stability::Ready) };
        let parent = parent(cx, request)?;
        let asked = child.asked() == Some(&*parent.phase());
        match child.status {
            Status::DeleteComplete => Ok(Stability::Ready),
            Status::DeleteInProgress => Ok(Stability::Pending(format!("{} to be gone", child.name))),
            Status::DeleteFailed if asked => Ok(Stability::Failed(format!(
                "Embedded stack {id} was not successfully deleted: {}",
                child.reason.as_deref().unwrap_or("")
            ))),
            // What is under way comes to its end first.
            status if status.in_progress() && status != Status::CreateInProgress => {
                Ok(Stability::Pending(format!("{} to leave {status}", child.name)))
            }
            _ => {
                cx.authorize("cloudformation:DeleteStack", std::slice::from_ref(&child.id), &[])?;
                delete(cx, &parent, &child).await?;
                Ok(Stability::Pending(format!("{} to be gone", child.name)))
            }
        }
    }

    async fn read(&self, cx: &Cx, id: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let asked = DescribeStacksRequest { stack_name: Some(id.to_owned()), next_token: None };
        let stack = match cx.call(asked).await {
            Err(error) if error.message.ends_with("does not exist") => None,
            other => other?.stacks.into_iter().next(),
        };
        let Some(stack) = stack.filter(|stack| stack.stack_status.as_deref() != Some("DELETE_COMPLETE")) else {
            return Ok(None);
        };
        // What nobody is told is not read either.
        let told =
            stack.parameters.into_iter().filter(|parameter| parameter.parameter_value.as_deref() != Some(HIDDEN));
        let parameters: Map<String, Json> = told
            .filter_map(|parameter| Some((parameter.parameter_key?, Json::from(parameter.parameter_value?))))
            .collect();
        let read = Properties::default()
            .with("StackId", id)
            .with("TimeoutInMinutes", stack.timeout_in_minutes)
            .with_list("NotificationARNs", stack.notification_arns)
            .with_tags(stack.tags.into_iter().map(|tag| (Some(tag.key), Some(tag.value))));
        Ok(Some(if parameters.is_empty() { read } else { read.with("Parameters", parameters) }))
    }

    async fn attributes(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        let outputs = child(cx, id)?.outputs.clone();
        Ok(outputs.into_iter().map(|output| (format!("Outputs.{}", output.name), Json::from(output.value))).collect())
    }
}

/// The stack that the resource belongs to.
fn parent(cx: &Cx, request: &ResourceRequest) -> Result<Arc<Stack>, Error> {
    let found = cx.store().get::<Stack>(cx.scope(), &request.stack_id)?;
    found.ok_or_else(|| Error::internal(format!("a resource of {}, which is not there", request.stack_id)))
}

fn child(cx: &Cx, id: &str) -> Result<Arc<Stack>, Error> {
    let found = cx.store().get::<Stack>(cx.scope(), id)?.filter(|stack| stack.status != Status::DeleteComplete);
    found.ok_or_else(|| validation(format!("Stack [{id}] does not exist")))
}

/// `PARENT-LOGICALID-RANDOM`.
fn name(request: &ResourceRequest) -> String {
    let random = request.physical_name.rsplit('-').next().unwrap_or(&request.physical_name);
    let stem = format!("{}-{}", request.stack_name, request.logical_id);
    let stem: String = stem.chars().take(LONGEST_NAME - 1 - random.len()).collect();
    format!("{stem}-{random}")
}

/// What the properties ask for, with what the parent hands down: its tags and capabilities.
fn wish(request: &ResourceRequest, parent: &Stack) -> Result<Wish, Error> {
    let given = request.properties.get("Parameters").and_then(Json::as_object);
    let parameter = |(name, value): (&String, &Json)| {
        let text = match value {
            Json::String(text) => text.clone(),
            Json::Number(_) | Json::Bool(_) => value.to_string(),
            _ => {
                let text = "Value of property Parameters must be an object with String (or simple type) properties";
                return Err(validation(text));
            }
        };
        Ok(Parameter { parameter_key: Some(name.clone()), parameter_value: Some(text), ..Default::default() })
    };
    let own = |key: &str| !key.starts_with("aws:cloudformation:");
    let tags = request.all_tags().into_iter().filter(|(key, _)| own(key));
    Ok(Wish {
        template_url: request.text("TemplateURL"),
        parameters: given.into_iter().flatten().map(parameter).collect::<Result<_, _>>()?,
        capabilities: parent.target.as_ref().map_or_else(Vec::new, |version| version.capabilities.clone()),
        tags: tags.map(|(key, value)| Tag { key, value }).collect(),
        notification_arns: request.texts("NotificationARNs"),
        ..Default::default()
    })
}

/// An operation of the child that is part of its parent's. `else_do` is what a failure brings, unless the
/// parent leaves everything as it is.
fn begin(cx: &Cx, parent: &Stack, prepared: Prepared, kind: OperationKind, else_do: OnFailure) -> Begin {
    Begin {
        version: Arc::new(prepared.version),
        imports: prepared.imports,
        role_arn: parent.role_arn.clone(),
        on_failure: match parent.on_failure {
            OnFailure::DoNothing => OnFailure::DoNothing,
            _ => else_do,
        },
        operation: start::asked_by(parent, start::operation(cx, kind, None)),
    }
}

/// The property `TimeoutInMinutes`.
fn timeout(request: &ResourceRequest) -> Result<Option<i32>, Error> {
    let too_long = |minutes| validation(format!("Invalid value {minutes} for property TimeoutInMinutes"));
    let minutes = request.integer("TimeoutInMinutes");
    minutes.map(|minutes| i32::try_from(minutes).map_err(|_| too_long(minutes))).transpose()
}

/// What the parent is told of the child.
fn judge(parent: &Stack, child: &Stack) -> Stability {
    use Status::*;
    let asked = child.asked() == Some(&*parent.phase());
    let pending = || Stability::Pending(format!("{} to leave {}", child.name, child.status));
    let why = child.operation.as_ref().and_then(|operation| operation.failed.clone());
    let reason = || why.clone().or_else(|| child.reason.clone()).unwrap_or_default();
    let not_updated = || {
        let status = match child.status {
            UpdateRollbackCleanup | UpdateRollbackComplete if asked => UpdateRollbackInProgress,
            status => status,
        };
        let id = &child.id;
        Stability::Failed(format!(
            "Embedded stack {id} was not successfully updated. Currently in {status} with reason: {}",
            reason()
        ))
    };
    match (parent.status, child.status) {
        (_, CreateComplete | UpdateComplete) => Stability::Ready,
        (_, CreateInProgress) => pending(),
        // On the way back.
        (UpdateRollbackInProgress, UpdateRollbackCleanup | UpdateRollbackComplete) => Stability::Ready,
        (UpdateRollbackInProgress, UpdateInProgress | UpdateCleanup | UpdateRollbackInProgress) => pending(),
        (UpdateRollbackInProgress, _) => not_updated(),
        // Forward.
        (_, UpdateInProgress) => pending(),
        (_, UpdateCleanup) => Stability::Ready,
        // There was nothing to do: an earlier update has failed.
        (_, UpdateRollbackComplete) if !asked => Stability::Ready,
        (_, UpdateFailed | UpdateRollbackInProgress | UpdateRollbackFailed) => not_updated(),
        (_, UpdateRollbackCleanup | UpdateRollbackComplete) => not_updated(),
        (_, CreateFailed | RollbackInProgress | RollbackComplete | RollbackFailed | ReviewInProgress) => {
            Stability::Failed(format!("Embedded stack {} was not successfully created: {}", child.id, reason()))
        }
        (_, DeleteInProgress | DeleteComplete | DeleteFailed) => {
            Stability::Failed(format!("Embedded stack {} is in {} state", child.id, child.status))
        }
    }
}

/// Whether the operation in hand is part of the one that the parent is about.
fn is_part(parent: &Stack, child: &Stack) -> bool {
    let of = parent.operation.as_ref().map(|operation| format!("{}/", operation.id));
    of.is_some_and(|of| child.asked().is_some_and(|asked| asked.starts_with(&of)))
}

/// Leads the child to what the properties and the template at their URL are now. Nothing happens if it is
/// that already.
async fn forward(cx: &Cx, parent: &Stack, child: &Stack, request: &ResourceRequest) -> Result<(), Error> {
    if child.asked() == Some(&*parent.phase()) {
        return Ok(());
    }
    // In another try of the same update a child may have done its part.
    let held = |stack: &Stack| stack.status == Status::UpdateCleanup && is_part(parent, stack);
    if !held(child) {
        start::check_updatable(child)?;
    }
    let prepared = wish(request, parent)?.prepare(cx, child.into(), None).await?;
    let changes = changes::of(cx, child, &prepared).await?;
    let same_tags = child.current.as_ref().is_some_and(|version| version.tags == prepared.version.tags);
    if changes.is_none() && child.target.is_none() && same_tags {
        return Ok(());
    }
    let begin = begin(cx, parent, prepared, OperationKind::Update, OnFailure::Rollback);
    cx.store()
        .write::<_, Error>(|tx| {
            let mut stack = current(tx.get(cx.scope(), &child.id)?, &child.id)?;
            match held(&stack) {
                true => stack.take_back(),
                false => start::check_updatable(&stack)?,
            }
            start::begin(tx, cx, &mut stack, begin)
        })
        .await
}

/// Leads the child back to what it was when the parent's operation began.
async fn back(cx: &Cx, parent: &Stack, child: &Stack) -> Result<(), Error> {
    cx.store()
        .write::<_, Error>(|tx| {
            let mut stack = current(tx.get(cx.scope(), &child.id)?, &child.id)?;
            if !is_part(parent, &stack) {
                return Ok(());
            }
            match stack.status {
                Status::UpdateInProgress => return cancel(tx, cx, stack),
                Status::UpdateCleanup => stack.take_back(),
                Status::UpdateFailed | Status::UpdateRollbackFailed => {}
                _ => return Ok(()),
            }
            go_back(cx, &mut stack, parent.operation.as_ref().and_then(|operation| operation.token.clone()), None);
            if let Some(operation) = &mut stack.operation {
                operation.skip = skipped(parent, &stack.name);
            }
            stack.status = Status::UpdateRollbackInProgress;
            start::put(tx, cx, &stack)
        })
        .await
}

/// Its update is no longer wanted.
fn cancel(tx: &mut Tx<'_>, cx: &Cx, mut stack: Stack) -> Result<(), Error> {
    if let Some(operation) = stack.operation.as_mut().filter(|operation| operation.failed.is_none()) {
        operation.failed = Some("Resource update cancelled".to_owned());
    }
    stack.on_failure = OnFailure::Rollback;
    Ok(tx.put(cx.scope(), &stack.id.clone(), stack)?)
}

/// `CHILD.RESOURCE` in what the parent was told to skip.
fn skipped(parent: &Stack, name: &str) -> BTreeSet<String> {
    let skip = parent.operation.iter().flat_map(|operation| &operation.skip);
    let own = skip.filter_map(|path| path.split_once('.').filter(|(stack, _)| *stack == name));
    own.map(|(_, resource)| resource.to_owned()).collect()
}

async fn delete(cx: &Cx, parent: &Stack, child: &Stack) -> Result<(), Error> {
    let force = parent.operation.as_ref().is_some_and(|operation| operation.force);
    let mut operation = start::asked_by(parent, start::operation(cx, OperationKind::Delete, None));
    operation.force = force;
    cx.store()
        .write(|tx| {
            let stack = current(tx.get(cx.scope(), &child.id)?, &child.id)?;
            begin_delete(tx, cx, stack, Deletion { operation, role_arn: parent.role_arn.clone() })
        })
        .await
}
