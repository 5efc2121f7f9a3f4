//! Change sets: two templates in, what DescribeChangeSet would show out.

use std::collections::BTreeMap;

use kiln_template::changes::{Deployed, DeployedResource, ResourceChange, plan};
use kiln_template::*;

use crate::table;
use crate::world::pseudo;

/// The world in which every deployed resource has the id `id-NAME` and the attribute values `att-NAME-ATTRIBUTE`.
struct Ids;

impl Lookup for Ids {
    fn reference(&self, logical_id: &str) -> Result<Answer, String> {
        Ok(Answer::text(format!("id-{logical_id}")))
    }
    fn attribute(&self, logical_id: &str, attribute: &str) -> Result<Answer, String> {
        Ok(Answer::text(format!("att-{logical_id}-{attribute}")))
    }
    fn export(&self, name: &str) -> Result<Answer, String> {
        Err(format!("No export named {name} found"))
    }
    fn availability_zones(&self, _: &str) -> Result<Answer, String> {
        Ok(Answer::Known(serde_json::json!(["a", "b"])))
    }
    fn ssm_parameter(&self, name: &str, _: Option<u64>) -> Result<Answer, String> {
        Ok(Answer::text(format!("ssm-{name}")))
    }
}

/// Input: the old template, a line `>>>`, the new one; a template may begin with `given: Name=value …`.
fn run(input: &str) -> String {
    let (old, new) = input.split_once("\n>>>\n").expect("two templates");
    match tell(old, new) {
        Ok(text) => text,
        Err(error) => error.to_string(),
    }
}

/// Given values that begin with `tag:` are tags of the stack.
fn read(text: &str) -> Result<(Template, ParameterValues, BTreeMap<String, String>)> {
    let (given, body) = match text.strip_prefix("given: ").and_then(|rest| rest.split_once('\n')) {
        Some((given, body)) => (given, body),
        None => ("", text),
    };
    let given: BTreeMap<String, String> =
        given.split_whitespace().filter_map(|pair| pair.split_once('=')).map(|(a, b)| (a.into(), b.into())).collect();
    let (tags, given): (BTreeMap<_, _>, BTreeMap<_, _>) =
        given.into_iter().partition(|(name, _): &(String, String)| name.starts_with("tag:"));
    let template = Template::parse(body, Origin::Direct)?;
    let parameters = resolve_parameters(&template.parameters, &given, &Ids)?;
    Ok((template, parameters, tags))
}

fn tell(old: &str, new: &str) -> Result<String> {
    let pseudo = pseudo();
    let (old, old_parameters, old_tags) = read(old)?;
    let before = Evaluator::new(&old, &pseudo, &old_parameters, &Ids)?;
    let mut resources = BTreeMap::new();
    for (id, resource) in old.resources.iter().filter(|(_, resource)| before.is_active(resource)) {
        let resolved = before.resource(id)?;
        resources.insert(
            id.clone(),
            DeployedResource {
                physical_id: Some(format!("id-{id}")),
                resource_type: resource.resource_type.clone(),
                properties: resolved.properties,
                metadata: resolved.metadata,
                creation_policy: resolved.creation_policy,
                update_policy: resolved.update_policy,
                deletion_policy: resolved.deletion_policy,
                update_replace_policy: resolved.update_replace_policy,
            },
        );
    }
    let deployed = Deployed {
        hidden: None,
        template: Some((&old, before.conditions())),
        parameters: Some(&old_parameters),
        resources: &resources,
        stack_tags: &old_tags,
    };
    let (new, new_parameters, new_tags) = read(new)?;
    let after = Evaluator::new(&new, &pseudo, &new_parameters, &Ids)?;
    let changes = plan(&deployed, &after, &new_tags, &Ids, &facts::all())?;
    if changes.is_empty() {
        return Ok("no changes".to_owned());
    }
    Ok(changes.iter().map(shown).collect())
}

fn shown(change: &ResourceChange) -> String {
    let mut text = format!("{} {} {}", change.action.as_str(), change.logical_id, change.resource_type);
    if let Some(replacement) = change.replacement {
        text.push_str(&format!(" Replacement={}", replacement.as_str()));
    }
    if let Some(policy) = change.policy_action {
        text.push_str(&format!(" PolicyAction={}", policy.as_str()));
    }
    let scope: Vec<&str> = change.scope.iter().map(|attribute| attribute.as_str()).collect();
    if !scope.is_empty() {
        text.push_str(&format!(" Scope={}", scope.join(",")));
    }
    text.push('\n');
    for detail in &change.details {
        text.push_str(&format!(
            "  {} {} {}: {} -> {} Recreation={} {} {}{}\n",
            detail.change_type.as_str(),
            detail.attribute.as_str(),
            detail.path,
            detail.before.as_deref().unwrap_or("-"),
            detail.after.as_deref().unwrap_or("-"),
            detail.recreation.as_str(),
            detail.evaluation.as_str(),
            detail.source.as_str(),
            detail.causing_entity.as_deref().map(|entity| format!(" {entity}")).unwrap_or_default(),
        ));
    }
    text
}

#[test]
fn updates_do_what_the_table_says() {
    table::check("changes", run);
}
