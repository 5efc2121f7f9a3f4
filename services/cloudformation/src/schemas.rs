//! What each resource type's properties are: the facts that come with the template crate, read once.

use kiln_service_kit::Platform;
use kiln_template::{DeletionPolicy, ResourceSchema, Template, TemplateError, facts};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// All facts.
pub static FACTS: LazyLock<BTreeMap<String, ResourceSchema>> = LazyLock::new(facts::all);

const NESTED: &str = "AWS::CloudFormation::Stack";

/// Refuses resource types that no service of this platform has, and what no type can do yet.
pub fn check(platform: &Platform, template: &Template) -> Result<(), kiln_service_kit::Error> {
    let refuse = |what: String| Err(kiln_service_kit::Error::not_built(what));
    if template.resources.values().any(|resource| resource.resource_type == NESTED) {
        return refuse(format!("{NESTED} (nested stacks: their TemplateURL needs s3)"));
    }
    let known = |name: &str| platform.resource_type(name).is_some() && FACTS.contains_key(name);
    template.check_types(known).map_err(crate::errors::template)?;
    template.check_attributes(&*FACTS).map_err(crate::errors::template)?;
    for (id, resource) in &template.resources {
        let snapshot = Some(DeletionPolicy::Snapshot);
        if resource.deletion_policy == snapshot || resource.update_replace_policy == snapshot {
            return refuse(format!("the Snapshot policy of resource {id}"));
        }
        if let Some(policy) = &resource.update_policy {
            not_built_policies(id, policy)?;
        }
    }
    Ok(())
}

/// Update policies change how a group is updated: what is not carried out must not be accepted.
fn not_built_policies(id: &str, policy: &kiln_template::Expr) -> Result<(), kiln_service_kit::Error> {
    let kiln_template::ExprKind::Map(entries) = &policy.kind else { return Ok(()) };
    // A scheduled action changes no size here, so there is nothing to ignore.
    match entries.iter().find(|(name, _)| name != "AutoScalingScheduledAction") {
        Some((name, _)) => Err(kiln_service_kit::Error::not_built(format!("UpdatePolicy.{name} of resource {id}"))),
        None => Ok(()),
    }
}

/// The facts of a type; an error where there are none.
pub fn of(type_name: &str) -> Result<&'static ResourceSchema, TemplateError> {
    FACTS.get(type_name).ok_or_else(|| {
        TemplateError::plain(format!("Template format error: Unrecognized resource types: [{type_name}]"))
    })
}
