//! What a version would change, for change sets and to refuse updates that change nothing.

use crate::errors;
use crate::records::{KeptJson, Live, Resource, Stack, Version, resource};
use crate::stack::request::Prepared;
use crate::stack::schemas::FACTS;
use crate::stack::secrets::hidden;
use crate::stack::world::{self, Subject, When, facts, pseudo};
use kiln_cloudformation_shapes::{Change, ResourceChange, ResourceChangeDetail, ResourceTargetDefinition};
use kiln_service_kit::{Cx, Error};
use kiln_template::changes::{self, Deployed, DeployedResource, Detail};
use kiln_template::{DeletionPolicy, Evaluator, Prefetched, ResolvedResource, Template};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What leading a stack to a prepared version changes.
pub struct Changes {
    pub resources: Vec<changes::ResourceChange>,
    /// Outputs differ, or may.
    pub outputs: bool,
    /// The resources there are, as `BeforeContext` tells them.
    pub before: BTreeMap<String, String>,
}

impl Changes {
    pub fn is_none(&self) -> bool {
        self.resources.is_empty() && !self.outputs
    }
}

/// The stack's template as deployed, with the conditions that held.
struct Before {
    template: Template,
    conditions: BTreeMap<String, bool>,
}

/// Works the changes out.
pub async fn of(cx: &Cx, stack: &Stack, prepared: &Prepared) -> Result<Changes, Error> {
    let before = match &stack.current {
        Some(version) => Some(before(cx, stack, version)?),
        None => None,
    };
    let records = resource::of_stack(cx.store(), cx.scope(), &stack.id)?;
    let deployed = all_deployed(&records);
    let empty = BTreeMap::new();
    let parameters = stack.current.as_ref().map(|version| version.parameters.values());
    let stack_tags = stack.current.as_ref().map_or(&empty, |version| &version.tags);
    let hidden = hidden(&prepared.version.parameters);
    let now = Deployed {
        hidden: hidden.as_ref(),
        template: before.as_ref().map(|before| (&before.template, &before.conditions)),
        parameters: parameters.as_ref(),
        resources: &deployed,
        stack_tags,
    };
    let pseudo = pseudo(cx, Subject::from(stack), &prepared.version.notification_arns);
    let values = prepared.version.parameters.values();
    let tags = &prepared.version.tags;
    let work = |lookup: &Prefetched| {
        let new = Evaluator::new(&prepared.template, &pseudo, &values, lookup)?;
        let resources = changes::plan(&now, &new, tags, lookup, &*FACTS)?;
        // While resources change their values are not known; then the outputs do not matter here.
        let outputs = if resources.is_empty() { new.outputs()? } else { vec![] };
        Ok((resources, outputs))
    };
    let ((resources, outputs), _) = world::settle(cx, When::Before, facts(&records), work).await?;
    let shown = |name: &str, value: &str, export: &Option<String>, description: &Option<String>| {
        (name.to_owned(), value.to_owned(), export.clone(), description.clone())
    };
    let was: Vec<_> = stack.outputs.iter().map(|o| shown(&o.name, &o.value, &o.export_name, &o.description)).collect();
    let will: Vec<_> = outputs.iter().map(|o| shown(&o.name, &o.value, &o.export_name, &o.description)).collect();
    let outputs = resources.is_empty() && was != will;
    let before =
        records.iter().filter_map(|(id, resource)| Some((id.clone(), context_before(resource.live.as_ref()?))));
    Ok(Changes { resources, outputs, before: before.collect() })
}

fn before(cx: &Cx, stack: &Stack, version: &Version) -> Result<Before, Error> {
    let template = version.template().map_err(errors::template)?;
    let (pseudo, values) = (pseudo(cx, stack.into(), &version.notification_arns), version.parameters.values());
    let world = Prefetched::default();
    let conditions =
        Evaluator::new(&template, &pseudo, &values, &world).map_err(errors::template)?.conditions().clone();
    Ok(Before { template, conditions })
}

fn all_deployed(records: &BTreeMap<String, Arc<Resource>>) -> BTreeMap<String, DeployedResource> {
    let live = records.iter().filter_map(|(id, resource)| Some((id, resource.live.as_ref()?)));
    live.map(|(id, live)| (id.clone(), deployed(live))).collect()
}

/// As DescribeChangeSet shows them, with the values that `IncludePropertyValues` adds.
pub fn shown(changes: &Changes) -> Vec<Change> {
    changes.resources.iter().map(|change| one(change, changes.before.get(&change.logical_id))).collect()
}

/// What a context holds: the resource's attributes that are given, as text.
fn context(parts: [(&str, Option<Json>); 6]) -> String {
    let given = parts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Json::Object(given.collect()).to_string()
}

fn context_before(live: &Live) -> String {
    context([
        ("Properties", Some(live.shown.as_ref().unwrap_or(&live.properties).value())),
        ("Metadata", live.metadata.as_ref().map(KeptJson::value)),
        ("CreationPolicy", live.creation_policy.as_ref().map(KeptJson::value)),
        ("UpdatePolicy", live.update_policy.as_ref().map(KeptJson::value)),
        ("DeletionPolicy", live.deletion_policy.clone().map(Json::from)),
        ("UpdateReplacePolicy", live.update_replace_policy.clone().map(Json::from)),
    ])
}

fn context_after(resource: &ResolvedResource) -> String {
    let word = |policy: Option<DeletionPolicy>| policy.map(|policy| Json::from(policy.as_str()));
    context([
        ("Properties", Some(resource.properties.clone())),
        ("Metadata", resource.metadata.clone()),
        ("CreationPolicy", resource.creation_policy.clone()),
        ("UpdatePolicy", resource.update_policy.clone()),
        ("DeletionPolicy", word(resource.deletion_policy)),
        ("UpdateReplacePolicy", word(resource.update_replace_policy)),
    ])
}

fn one(change: &changes::ResourceChange, before: Option<&String>) -> Change {
    let word = |word: &str| Some(word.to_owned());
    Change {
        r#type: word("Resource"),
        hook_invocation_count: None,
        resource_change: Some(ResourceChange {
            policy_action: change.policy_action.and_then(|action| word(action.as_str())),
            action: word(change.action.as_str()),
            logical_resource_id: word(&change.logical_id),
            physical_resource_id: change.physical_id.clone(),
            resource_type: word(&change.resource_type),
            replacement: change.replacement.and_then(|replacement| word(replacement.as_str())),
            scope: change.scope.iter().map(|attribute| attribute.as_str().to_owned()).collect(),
            details: change.details.iter().map(detail).collect(),
            before_context: before.cloned().filter(|_| change.action != changes::Action::Add),
            after_context: change.after.as_ref().map(context_after),
            ..Default::default()
        }),
    }
}

fn detail(detail: &Detail) -> ResourceChangeDetail {
    let word = |word: &str| Some(word.to_owned());
    ResourceChangeDetail {
        target: Some(ResourceTargetDefinition {
            attribute: word(detail.attribute.as_str()),
            name: detail.name.clone(),
            requires_recreation: word(detail.recreation.as_str()),
            path: word(&detail.path),
            before_value: detail.before.clone(),
            after_value: detail.after.clone(),
            attribute_change_type: word(detail.change_type.as_str()),
            ..Default::default()
        }),
        evaluation: word(detail.evaluation.as_str()),
        change_source: word(detail.source.as_str()),
        causing_entity: detail.causing_entity.clone(),
    }
}

/// Without the values, as AWS answers unless asked for them.
pub fn without_values(mut changes: Vec<Change>) -> Vec<Change> {
    for change in changes.iter_mut().filter_map(|change| change.resource_change.as_mut()) {
        change.before_context = None;
        change.after_context = None;
        for target in change.details.iter_mut().filter_map(|detail| detail.target.as_mut()) {
            target.path = None;
            target.before_value = None;
            target.after_value = None;
            target.attribute_change_type = None;
        }
    }
    changes
}

/// As the change engine takes it.
pub fn deployed(live: &Live) -> DeployedResource {
    let policy = |word: &Option<String>| word.as_deref().and_then(DeletionPolicy::from_name);
    DeployedResource {
        physical_id: live.physical_id.clone(),
        resource_type: live.resource_type.clone(),
        properties: live.properties.value(),
        metadata: live.metadata.as_ref().map(KeptJson::value),
        creation_policy: live.creation_policy.as_ref().map(KeptJson::value),
        update_policy: live.update_policy.as_ref().map(KeptJson::value),
        deletion_policy: policy(&live.deletion_policy),
        update_replace_policy: policy(&live.update_replace_policy),
    }
}
