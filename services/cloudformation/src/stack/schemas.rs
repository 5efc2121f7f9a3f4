//! What each resource type's properties are: the facts that come with the template crate, read once.

use kiln_service_kit::{Error, Platform, ResourceType};
use kiln_template::{
    DeletionPolicy, ErrorKind, Evaluator, Graph, Place, ResolvedResource, ResourceSchema, Template, TemplateError,
    facts,
};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// All facts.
pub static FACTS: LazyLock<BTreeMap<String, ResourceSchema>> = LazyLock::new(facts::all);

fn is_built(platform: &Platform, name: &str) -> bool {
    platform.resource_type(name).is_some() && FACTS.contains_key(name)
}

/// Refuses what AWS refuses before anybody wants a stack: types and attributes that do not exist, circles.
pub fn validate(platform: &Platform, template: &Template) -> Result<(), TemplateError> {
    template.check_types(|name| is_built(platform, name) || not_built(name).is_some())?;
    template.check_attributes(&*FACTS)?;
    Graph::of(template, None).map(drop)
}

/// Refuses what no type can do yet: types that are not built, among the resources that conditions leave in, and
/// snapshots.
pub fn check_built(platform: &Platform, evaluator: &Evaluator<'_>) -> Result<(), TemplateError> {
    let active = || evaluator.template().resources.iter().filter(|(_, resource)| evaluator.is_active(resource));
    let missing: BTreeSet<String> = active()
        .map(|(_, resource)| resource.resource_type.as_str())
        .filter(|name| !is_built(platform, name))
        .filter_map(not_built)
        .collect();
    if !missing.is_empty() {
        let missing: Vec<String> = missing.into_iter().collect();
        return Err(refuse(missing.join(", ")));
    }
    for (id, _) in active() {
        let resource = evaluator.policies(id)?;
        if [resource.0, resource.1].contains(&Some(DeletionPolicy::Snapshot)) {
            return Err(refuse(format!("the Snapshot policy of resource {id}")));
        }
    }
    Ok(())
}

/// Refuses properties that the type does not carry out and that say more than what holds anyway.
pub fn check_served(platform: &Platform, id: &str, resource: &ResolvedResource) -> Result<(), TemplateError> {
    let Some(kind) = platform.resource_type(&resource.resource_type) else { return Ok(()) };
    let Some(name) = kind.not_served(&resource.properties) else { return Ok(()) };
    let place = Place { path: format!("Resources/{id}/Properties/{name}"), mark: Default::default() };
    Err(TemplateError { place, ..refuse(format!("the property {name} of {}", resource.resource_type)) })
}

fn refuse(what: String) -> TemplateError {
    TemplateError { kind: ErrorKind::NotBuilt, ..TemplateError::plain(Error::not_built(what).message) }
}

/// What to say of a type that AWS or its users have and this platform has not; none for a type nobody has.
pub fn not_built(name: &str) -> Option<String> {
    let why = match name {
        "AWS::CloudFormation::CustomResource" => " (custom resources: they need lambda or sns)",
        name if name.starts_with("Custom::") => " (custom resources: they need lambda or sns)",
        name if name.ends_with("::MODULE") => " (modules: they need the registry)",
        name if kiln_template::facts::is_aws_type(name) => "",
        _ => return None,
    };
    Some(format!("the resource type {name}{why}"))
}

/// The name that the template chose for a thing, where it chose one.
pub fn own_name<'p>(kind: &dyn ResourceType, properties: &'p Json) -> Option<&'p str> {
    properties.get(kind.name_property()?)?.as_str()
}

/// Why a resource cannot be replaced, if so: its new properties give it the name it has.
pub fn keeps_its_name(kind: &dyn ResourceType, before: &Json, after: &Json) -> Option<String> {
    let name = own_name(kind, after)?;
    (own_name(kind, before) == Some(name)).then(|| {
        format!(
            "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename {name} and \
             update the stack again."
        )
    })
}

/// The facts of a type; an error where there are none.
pub fn of(type_name: &str) -> Result<&'static ResourceSchema, TemplateError> {
    FACTS.get(type_name).ok_or_else(|| {
        TemplateError::plain(format!("Template format error: Unrecognized resource types: [{type_name}]"))
    })
}
