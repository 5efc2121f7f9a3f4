//! Resource attributes that say how a resource is made and changed (`CreationPolicy`, `UpdatePolicy`): what is not
//! carried out, or makes no sense, must not be accepted.

use super::signals::MOST_SIGNALS;
use kiln_service_kit::{Platform, duration, whole};
use kiln_template::{ErrorKind, Place, ResolvedResource, TemplateError, is_unknown};
use serde_json::{Map, Value as Json};

const WAIT_CONDITION: &str = "AWS::CloudFormation::WaitCondition";

/// Refuses the first policy that is wrong or not built.
pub fn check(platform: &Platform, id: &str, resource: &ResolvedResource) -> Result<(), TemplateError> {
    if let Some(policy) = &resource.creation_policy {
        creation_policy(id, policy)?;
    }
    if let Some(policy) = &resource.update_policy {
        update_policy(platform, id, resource, policy)?;
    }
    if resource.resource_type == WAIT_CONDITION {
        wait_condition(id, resource)?;
    }
    Ok(())
}

/// A wait condition waits either for a handle's signals or for those of its creation policy.
fn wait_condition(id: &str, resource: &ResolvedResource) -> Result<(), TemplateError> {
    let signalled = resource.creation_policy.as_ref().is_some_and(|policy| policy.get("ResourceSignal").is_some());
    let given = |name: &str| resource.properties.get(name).is_some();
    let wrong = |what: String| Err(refuse(id, "Properties", ErrorKind::Validation, what));
    let timeout = resource.properties.get("Timeout").and_then(whole);
    if timeout.is_some_and(|seconds| seconds > LONGEST.as_secs()) {
        return wrong(format!("{id}: Timeout of a WaitCondition is at most {} seconds", LONGEST.as_secs()));
    }
    match (signalled, given("Handle")) {
        (true, false) if given("Count") || given("Timeout") => wrong(format!(
            "{id}: Count and Timeout of a WaitCondition belong to a Handle; a CreationPolicy has its own"
        )),
        (true, false) => Ok(()),
        (false, true) if given("Timeout") => Ok(()),
        (false, true) => {
            wrong(format!("Property validation failure: [Encountered missing required properties in {id}: Timeout]"))
        }
        (true, true) => wrong(format!("{id}: a WaitCondition has either a Handle or a CreationPolicy, not both")),
        (false, false) => {
            wrong(format!("{id}: a WaitCondition needs a Handle, or a ResourceSignal in its CreationPolicy"))
        }
    }
}

fn refuse(id: &str, path: &str, kind: ErrorKind, message: String) -> TemplateError {
    let place = Place { path: format!("Resources/{id}/{path}"), mark: Default::default() };
    TemplateError { kind, place, ..TemplateError::plain(message) }
}

fn object<'p>(id: &str, path: &str, value: &'p Json) -> Result<&'p Map<String, Json>, TemplateError> {
    let name = path.rsplit('/').next().unwrap_or(path);
    value.as_object().ok_or_else(|| {
        let message = format!("Template format error: {name} must be an object.");
        refuse(id, path, ErrorKind::Validation, message)
    })
}

fn creation_policy(id: &str, policy: &Json) -> Result<(), TemplateError> {
    let wrong = |path: &str, message: String| {
        Err(refuse(id, &format!("CreationPolicy/{path}"), ErrorKind::Validation, message))
    };
    for (name, value) in object(id, "CreationPolicy", policy)? {
        let members = object(id, &format!("CreationPolicy/{name}"), value)?;
        for (member, value) in members {
            let path = format!("{name}/{member}");
            let fits = match path.as_str() {
                "ResourceSignal/Count" => whole(value).is_some_and(|n| n <= MOST_SIGNALS),
                "ResourceSignal/Timeout" => value.as_str().and_then(duration).is_some_and(|time| time <= LONGEST),
                "AutoScalingCreationPolicy/MinSuccessfulInstancesPercent" => whole(value).is_some_and(|n| n <= 100),
                _ => return wrong(&path, format!("Encountered unsupported CreationPolicy property {member}")),
            };
            if !fits {
                return wrong(&path, format!("Invalid CreationPolicy: {member} cannot be {value}"));
            }
        }
        if !matches!(name.as_str(), "ResourceSignal" | "AutoScalingCreationPolicy") {
            return wrong(name, format!("Encountered unsupported CreationPolicy property {name}"));
        }
    }
    Ok(())
}

/// Signals are waited for at most 12 hours.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(12 * 3600);

/// Update policies are carried out by types that follow them; those of other types are not built.
fn update_policy(
    platform: &Platform,
    id: &str,
    resource: &ResolvedResource,
    policy: &Json,
) -> Result<(), TemplateError> {
    let names = object(id, "UpdatePolicy", policy)?.keys();
    let kind = platform.resource_type(&resource.resource_type);
    let Some(roll) = kind.as_ref().and_then(|kind| kind.roll()) else {
        let Some(name) = names.into_iter().next() else { return Ok(()) };
        let what = format!("UpdatePolicy.{name} of resource {id} is not built in Kiln");
        return Err(refuse(id, &format!("UpdatePolicy/{name}"), ErrorKind::NotBuilt, what));
    };
    // What refers to other resources is known when it is their turn.
    if is_unknown(policy) {
        return Ok(());
    }
    match roll.check(policy) {
        Ok(()) => Ok(()),
        Err(wrong) => Err(refuse(id, &format!("UpdatePolicy/{}", wrong.path), ErrorKind::Validation, wrong.what)),
    }
}
