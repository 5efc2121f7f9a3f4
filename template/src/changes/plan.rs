//! A whole stack, before and after.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::cause::{Causes, Fate, Version};
use super::compare::{Comparison, compare};
use super::{
    Action, Attribute, ChangeSource, ChangeType, DeployedResource, Detail, Evaluation, PolicyAction, Replacement,
    ResourceChange,
};
use crate::error::{Result, TemplateError};
use crate::evaluate::{Evaluator, ResolvedResource};
use crate::graph::Graph;
use crate::lookup::{Answer, Lookup};
use crate::parameter::ParameterValues;
use crate::schema::{Recreation, ResourceSchema, Schemas};
use crate::template::{DeletionPolicy, Template};

/// The type whose things are stacks.
pub const NESTED_STACK: &str = "AWS::CloudFormation::Stack";

/// A stack as it was last brought about. All empty for a stack that is yet to be created.
#[derive(Clone, Copy)]
pub struct Deployed<'a> {
    /// Its template and the conditions that held.
    pub template: Option<(&'a Template, &'a BTreeMap<String, bool>)>,
    /// Its parameters.
    pub parameters: Option<&'a ParameterValues>,
    /// Its resources by logical id.
    pub resources: &'a BTreeMap<String, DeployedResource>,
    /// The tags of the stack, which every resource that can have tags gets.
    pub stack_tags: &'a BTreeMap<String, String>,
    /// The new parameters as callers may see them, if some are secret.
    pub hidden: Option<&'a ParameterValues>,
}

/// What an update to the new template does, by logical id.
///
/// `lookup` answers for the resources as they are now; those that will be new are answered here.
pub fn plan(
    deployed: &Deployed<'_>,
    new: &Evaluator<'_>,
    stack_tags: &BTreeMap<String, String>,
    lookup: &dyn Lookup,
    schemas: &dyn Schemas,
) -> Result<Vec<ResourceChange>> {
    let template = new.template();
    let graph = Graph::of(template, Some(new.conditions()))?;
    let order = graph.creation_order();
    same_types(&order, template, deployed.resources)?;
    let changed = changed_parameters(deployed.parameters, new.parameters());
    let mut world = After { now: lookup, fates: BTreeMap::new(), settled: BTreeMap::new(), schemas };
    let mut changes = Vec::new();
    for id in order {
        let Some(resource) = template.resources.get(&id) else { continue };
        let Some(before) = deployed.resources.get(&id) else {
            world.fates.insert(id.clone(), Fate::New);
            changes.push(ResourceChange {
                action: Action::Add,
                logical_id: id.clone(),
                physical_id: None,
                resource_type: resource.resource_type.clone(),
                replacement: None,
                policy_action: None,
                scope: Vec::new(),
                details: Vec::new(),
                after: seen(deployed.hidden, new, &world, &id),
            });
            continue;
        };
        let schema = schemas.resource(&resource.resource_type).ok_or_else(|| {
            TemplateError::plain(format!(
                "Template format error: Unrecognized resource types: [{}]",
                resource.resource_type
            ))
        })?;
        let after = new.with_lookup(&world).resource(&id)?;
        let causes = Causes {
            old: deployed.template.map(|(template, conditions)| Version { template, conditions }),
            new: Version { template, conditions: new.conditions() },
            changed: &changed,
            fates: &world.fates,
        };
        let found = compare(schema, before, &after).details;
        let mut details: Vec<Detail> = found.into_iter().flat_map(|detail| causes.explain(&id, detail)).collect();
        if schema.tags.is_some() {
            details.extend(stack_tag_changes(deployed.stack_tags, stack_tags));
        }
        if details.is_empty() && resource.resource_type == NESTED_STACK {
            details.push(automatic());
        }
        let Comparison { details, replacement } = Comparison::of(details);
        let fate = fate(&details, replacement);
        if fate == Fate::InPlace {
            world.settled.insert(id.clone(), (resource.resource_type.clone(), after.properties.clone()));
        }
        world.fates.insert(id.clone(), fate);
        if details.is_empty() {
            continue;
        }
        let mut scope: Vec<Attribute> = details.iter().map(|detail| detail.attribute).collect();
        scope.sort_unstable();
        scope.dedup();
        changes.push(ResourceChange {
            action: Action::Modify,
            logical_id: id.clone(),
            physical_id: before.physical_id.clone(),
            resource_type: resource.resource_type.clone(),
            replacement: Some(replacement),
            policy_action: match replacement {
                Replacement::False => None,
                Replacement::True | Replacement::Conditional => Some(match after.update_replace_policy {
                    None | Some(DeletionPolicy::Delete) => PolicyAction::ReplaceAndDelete,
                    Some(DeletionPolicy::Snapshot) => PolicyAction::ReplaceAndSnapshot,
                    Some(DeletionPolicy::Retain | DeletionPolicy::RetainExceptOnCreate) => {
                        PolicyAction::ReplaceAndRetain
                    }
                }),
            },
            scope,
            details,
            after: seen(deployed.hidden, new, &world, &id),
        });
    }
    changes.extend(removed(deployed, new));
    changes.sort_by(|a, b| a.logical_id.cmp(&b.logical_id));
    Ok(changes)
}

/// The resource as callers may see it. Where a function cannot work on a hidden value there is nothing to show.
fn seen(
    hidden: Option<&ParameterValues>,
    new: &Evaluator<'_>,
    world: &dyn Lookup,
    logical_id: &str,
) -> Option<ResolvedResource> {
    match hidden {
        Some(hidden) => new.with_parameters(hidden).with_lookup(world).resource(logical_id).ok(),
        None => new.with_lookup(world).resource(logical_id).ok(),
    }
}

fn removed(deployed: &Deployed<'_>, new: &Evaluator<'_>) -> Vec<ResourceChange> {
    let stays = |id: &String| new.template().resources.get(id).is_some_and(|resource| new.is_active(resource));
    let gone = deployed.resources.iter().filter(|(id, _)| !stays(id));
    gone.map(|(id, before)| ResourceChange {
        action: Action::Remove,
        logical_id: id.clone(),
        physical_id: before.physical_id.clone(),
        resource_type: before.resource_type.clone(),
        replacement: None,
        policy_action: Some(match before.deletion_policy {
            None | Some(DeletionPolicy::Delete) => PolicyAction::Delete,
            Some(DeletionPolicy::Snapshot) => PolicyAction::Snapshot,
            Some(DeletionPolicy::Retain | DeletionPolicy::RetainExceptOnCreate) => PolicyAction::Retain,
        }),
        scope: Vec::new(),
        details: Vec::new(),
        after: None,
    })
    .collect()
}

fn same_types(order: &[String], template: &Template, deployed: &BTreeMap<String, DeployedResource>) -> Result<()> {
    let other: Vec<&str> = order
        .iter()
        .filter(|id| match (template.resources.get(*id), deployed.get(*id)) {
            (Some(new), Some(old)) => new.resource_type != old.resource_type,
            _ => false,
        })
        .map(String::as_str)
        .collect();
    if other.is_empty() {
        return Ok(());
    }
    Err(TemplateError::plain(format!(
        "Update of resource type is not permitted. The new template modifies resource type of the following \
         resources: [{}]",
        other.join(", ")
    )))
}

fn changed_parameters(before: Option<&ParameterValues>, after: &ParameterValues) -> BTreeSet<String> {
    let Some(before) = before else { return BTreeSet::new() };
    let names = after.values.iter().filter(|(name, value)| before.values.get(*name) != Some(*value));
    names.map(|(name, _)| name.clone()).collect()
}

fn fate(details: &[Detail], replacement: Replacement) -> Fate {
    // New tags or metadata change no attribute that others could refer to.
    let touches = details.iter().any(|detail| detail.attribute == Attribute::Properties);
    match replacement {
        Replacement::True => Fate::New,
        Replacement::Conditional => Fate::Perhaps,
        Replacement::False if touches => Fate::InPlace,
        Replacement::False => Fate::Unchanged,
    }
}

fn stack_tag_changes(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<Detail> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differ = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    differ
        .map(|name| Detail {
            attribute: Attribute::Tags,
            name: Some(name.clone()),
            path: "/Properties/Tags".to_owned(),
            recreation: Recreation::Never,
            change_type: match (before.contains_key(name), after.contains_key(name)) {
                (false, _) => ChangeType::Add,
                (true, false) => ChangeType::Remove,
                (true, true) => ChangeType::Modify,
            },
            before: before.get(name).cloned(),
            after: after.get(name).cloned(),
            evaluation: Evaluation::Static,
            source: ChangeSource::DirectModification,
            causing_entity: None,
        })
        .collect()
}

fn automatic() -> Detail {
    Detail {
        attribute: Attribute::Properties,
        name: None,
        path: "/Properties".to_owned(),
        recreation: Recreation::Never,
        change_type: ChangeType::Modify,
        before: None,
        after: None,
        evaluation: Evaluation::Dynamic,
        source: ChangeSource::Automatic,
        causing_entity: None,
    }
}

/// The world as it will be: what becomes new is not known yet.
struct After<'a> {
    now: &'a dyn Lookup,
    fates: BTreeMap<String, Fate>,
    /// Type and new properties of those that change in place.
    settled: BTreeMap<String, (String, Value)>,
    schemas: &'a dyn Schemas,
}

impl Lookup for After<'_> {
    fn reference(&self, logical_id: &str) -> Result<Answer, String> {
        match self.fates.get(logical_id) {
            Some(Fate::New | Fate::Perhaps) => Ok(Answer::NotYet),
            Some(Fate::Unchanged | Fate::InPlace) | None => self.now.reference(logical_id),
        }
    }

    fn attribute(&self, logical_id: &str, attribute: &str) -> Result<Answer, String> {
        match self.fates.get(logical_id) {
            Some(Fate::New | Fate::Perhaps) => Ok(Answer::NotYet),
            Some(Fate::Unchanged) | None => self.now.attribute(logical_id, attribute),
            Some(Fate::InPlace) => {
                let Some((type_name, properties)) = self.settled.get(logical_id) else { return Ok(Answer::NotYet) };
                let schema: Option<&ResourceSchema> = self.schemas.resource(type_name);
                let identifies =
                    schema.is_some_and(|schema| schema.primary_identifier.iter().any(|name| name == attribute));
                if identifies {
                    return self.now.attribute(logical_id, attribute);
                }
                match properties.get(attribute) {
                    Some(value) => Ok(Answer::Known(value.clone())),
                    None => Ok(Answer::NotYet),
                }
            }
        }
    }

    fn export(&self, name: &str) -> Result<Answer, String> {
        self.now.export(name)
    }

    fn availability_zones(&self, region: &str) -> Result<Answer, String> {
        self.now.availability_zones(region)
    }

    fn ssm_parameter(&self, name: &str, version: Option<u64>) -> Result<Answer, String> {
        self.now.ssm_parameter(name, version)
    }
}
