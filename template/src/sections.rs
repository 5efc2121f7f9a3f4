//! Tree to [`Template`]: the sections one by one, with AWS's sentence for each wrong shape.

use std::collections::BTreeMap;

use crate::error::{At, Result};
use crate::expr::{Expr, ExprKind};
use crate::expr_parse::{self, Context};
use crate::fields::{entries, text};
use crate::node::{Key, Node, NodeKind};
use crate::parameter;
use crate::template::{
    DeletionPolicy, MAX_MAPPINGS, MAX_OUTPUTS, MAX_PARAMETERS, MAX_RESOURCES, Mappings, Output, Resource, Rule,
    Template,
};

const SECTIONS: [&str; 11] = [
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Hooks",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
];

/// The transform whose functions are built.
pub const LANGUAGE_EXTENSIONS: &str = "AWS::LanguageExtensions";

const RESOURCE_ATTRIBUTES: [&str; 10] = [
    "Condition",
    "CreationPolicy",
    "DeletionPolicy",
    "DependsOn",
    "Description",
    "Metadata",
    "Properties",
    "Type",
    "UpdatePolicy",
    "UpdateReplacePolicy",
];

/// The whole template.
pub fn template(node: &Node) -> Result<Template> {
    let root = At::root();
    let sections = entries(node, &root, "Template format error: unsupported structure.")?;
    let unknown: Vec<&str> =
        sections.iter().map(|(key, _)| key.name.as_str()).filter(|name| !SECTIONS.contains(name)).collect();
    if let Some((key, _)) = sections.iter().find(|(key, _)| unknown.first() == Some(&key.name.as_str())) {
        return Err(root
            .key(&key.name, key.mark)
            .error(format!("Invalid template property or properties [{}]", unknown.join(", "))));
    }
    let mut template = Template { language_extensions: language_extensions(node)?, ..Template::default() };
    // What the whole template is built on comes first: a version or a macro makes the rest pointless.
    for (key, value) in sections {
        let at = root.key(&key.name, value.mark);
        match key.name.as_str() {
            "AWSTemplateFormatVersion" if value.scalar_text().as_deref() != Some("2010-09-09") => {
                return Err(at.error("Template format error: unsupported value for AWSTemplateFormatVersion."));
            }
            "Hooks" => {
                return Err(at.not_built("The Hooks section (blue/green through CodeDeploy) is not built in Kiln"));
            }
            _ => {}
        }
    }
    for (key, value) in sections.iter().filter(|(key, _)| key.name != "Metadata") {
        no_transforms(value, &root.key(&key.name, value.mark))?;
    }
    for (key, value) in sections {
        let at = root.key(&key.name, value.mark);
        match key.name.as_str() {
            "Description" => template.description = Some(description(value, &at)?),
            "Metadata" => template.metadata = Some(value.to_json()),
            "Parameters" => {
                for (name, body) in block(value, &at, "Parameters", MAX_PARAMETERS)? {
                    let at = at.key(&name.name, name.mark);
                    name_fits(name, &at, "Parameter")?;
                    template.parameters.insert(name.name.clone(), parameter::parse(body, &at)?);
                }
            }
            "Mappings" => template.mappings = mappings(value, &at)?,
            "Conditions" => {
                for (name, body) in block(value, &at, "Conditions", usize::MAX)? {
                    let at = at.key(&name.name, name.mark);
                    template.conditions.insert(name.name.clone(), condition(body, &at)?);
                }
            }
            "Rules" => {
                for (name, body) in block(value, &at, "Rules", usize::MAX)? {
                    template.rules.insert(name.name.clone(), rule(body, &at.key(&name.name, name.mark))?);
                }
            }
            "Resources" => {
                for (name, body) in block(value, &at, "Resources", MAX_RESOURCES)? {
                    let at = at.key(&name.name, name.mark);
                    name_fits(name, &at, "Resource")?;
                    template.resources.insert(name.name.clone(), resource(body, name, &at)?);
                }
            }
            "Outputs" => {
                for (name, body) in block(value, &at, "Outputs", MAX_OUTPUTS)? {
                    let at = at.key(&name.name, name.mark);
                    name_fits(name, &at, "Output")?;
                    template.outputs.insert(name.name.clone(), output(body, name, &at)?);
                }
            }
            _ => {}
        }
    }
    if template.resources.is_empty() {
        return Err(root.error("Template format error: At least one Resources member must be defined."));
    }
    Ok(template)
}

/// `Fn::Transform` may stand in any section, where nothing else of its form may (a mapping, a resource's attribute): it
/// is told by its name everywhere.
fn no_transforms(node: &Node, at: &At<'_>) -> Result<()> {
    match &node.kind {
        NodeKind::Map(entries) => {
            for (key, value) in entries {
                let at = at.key(&key.name, key.mark);
                if key.name == "Fn::Transform" {
                    let name = value.get("Name").and_then(Node::scalar_text).or_else(|| value.scalar_text());
                    return Err(at.not_built(format!(
                        "Fn::Transform{} is not built in Kiln: macros, AWS::Include and SAM templates cannot be processed",
                        name.map(|name| format!(" ({name})")).unwrap_or_default()
                    )));
                }
                no_transforms(value, &at)?;
            }
            Ok(())
        }
        NodeKind::List(items) => {
            items.iter().enumerate().try_for_each(|(index, item)| no_transforms(item, &at.index(index, item.mark)))
        }
        _ => Ok(()),
    }
}

fn block<'n>(node: &'n Node, at: &At<'_>, name: &str, most: usize) -> Result<&'n [(Key, Node)]> {
    let entries = entries(node, at, &format!("Template format error: {name} must be an object."))?;
    if entries.len() > most {
        return Err(at.error(format!(
            "Template format error: Number of {}, {}, is greater than maximum allowed, {most}",
            name.to_lowercase(),
            entries.len()
        )));
    }
    if let Some((key, _)) = entries.iter().find(|(key, _)| key.name.starts_with("Fn::")) {
        return Err(at.key(&key.name, key.mark).error(format!(
            "Template error: {} needs the transform {LANGUAGE_EXTENSIONS}, and has its place in Conditions, Resources and \
             Outputs",
            key.name
        )));
    }
    Ok(entries)
}

fn name_fits(key: &Key, at: &At<'_>, what: &str) -> Result<()> {
    let fits = !key.name.is_empty() && key.name.len() <= 255 && key.name.bytes().all(|b| b.is_ascii_alphanumeric());
    if fits {
        Ok(())
    } else {
        Err(at.error(format!("Template format error: {what} name {} is non alphanumeric.", key.name)))
    }
}

/// Is `AWS::LanguageExtensions` declared? It is the one transform that is built.
pub fn language_extensions(root: &Node) -> Result<bool> {
    let Some(node) = root.get("Transform") else { return Ok(false) };
    let names: Vec<String> = match &node.kind {
        NodeKind::List(items) => items.iter().map(transform_name).collect(),
        _ => vec![transform_name(node)],
    };
    let others: Vec<&str> = names.iter().map(String::as_str).filter(|name| *name != LANGUAGE_EXTENSIONS).collect();
    if others.is_empty() {
        return Ok(!names.is_empty());
    }
    let at = At::root();
    Err(at.key("Transform", node.mark).not_built(format!(
        "Transform [{}] is not built in Kiln: macros and AWS SAM templates must be expanded before they are sent",
        others.join(", ")
    )))
}

fn transform_name(node: &Node) -> String {
    node.scalar_text().or_else(|| node.get("Name").and_then(Node::scalar_text)).unwrap_or_else(|| "?".to_owned())
}

fn description(node: &Node, at: &At<'_>) -> Result<String> {
    match node.scalar_text() {
        Some(text) if text.len() <= 1024 => Ok(text),
        Some(_) => Err(at.error("Template format error: 'Description' length is greater than 1024.")),
        None => Err(at.error("Template format error: Description must be a String.")),
    }
}

fn mappings(node: &Node, at: &At<'_>) -> Result<Mappings> {
    let sentence = "Template format error: Every Mappings attribute must be a String or a List.";
    let object = "Template format error: Every Mappings member must be an object of objects.";
    let mut all = Mappings::new();
    for (name, first) in block(node, at, "Mappings", MAX_MAPPINGS)? {
        let at = at.key(&name.name, name.mark);
        let mut firsts = BTreeMap::new();
        for (key, second) in entries(first, &at, object)? {
            let at = at.key(&key.name, key.mark);
            let mut seconds = BTreeMap::new();
            for (key, value) in entries(second, &at, object)? {
                let at = at.key(&key.name, key.mark);
                let fits = match &value.kind {
                    NodeKind::List(items) => items.iter().all(|item| item.scalar_text().is_some()),
                    _ => value.scalar_text().is_some(),
                };
                if !fits {
                    return Err(at.error(sentence));
                }
                seconds.insert(key.name.clone(), value.to_json());
            }
            firsts.insert(key.name.clone(), seconds);
        }
        all.insert(name.name.clone(), firsts);
    }
    Ok(all)
}

fn condition(node: &Node, at: &At<'_>) -> Result<Expr> {
    let expr = expr_parse::parse(node, at, Context::Condition)?;
    match expr.kind {
        ExprKind::Condition(_) | ExprKind::Equals(..) | ExprKind::And(_) | ExprKind::Or(_) | ExprKind::Not(_) => {
            Ok(expr)
        }
        _ => Err(at.error(
            "Template format error: Conditions can only be boolean operations on parameters and other conditions",
        )),
    }
}

fn rule(node: &Node, at: &At<'_>) -> Result<Rule> {
    let mut rule = Rule { condition: None, assertions: Vec::new() };
    for (key, value) in entries(node, at, "Template format error: Every Rules member must be an object.")? {
        let at = at.key(&key.name, value.mark);
        match key.name.as_str() {
            "RuleCondition" => rule.condition = Some(expr_parse::parse(value, &at, Context::Rule)?),
            "Assertions" => {
                let NodeKind::List(items) = &value.kind else {
                    return Err(at.error("Template format error: Assertions must be a list."));
                };
                for (index, item) in items.iter().enumerate() {
                    let at = at.index(index, item.mark);
                    let Some(assert) = item.get("Assert") else {
                        return Err(at.error("Template format error: every Assertions member must have an Assert."));
                    };
                    let assert = expr_parse::parse(assert, &at, Context::Rule)?;
                    let description = item.get("AssertDescription").and_then(Node::scalar_text);
                    rule.assertions.push((assert, description));
                }
            }
            other => return Err(at.error(format!("Invalid template rule property '{other}'"))),
        }
    }
    if rule.assertions.is_empty() {
        return Err(at.error("Template format error: every Rules member must have at least one Assertions member."));
    }
    Ok(rule)
}

fn resource(node: &Node, key: &Key, at: &At<'_>) -> Result<Resource> {
    let attributes = entries(node, at, "Template format error: Any Resources member must be an object.")?;
    let mut resource = Resource {
        resource_type: String::new(),
        properties: Expr { kind: ExprKind::Map(Vec::new()), mark: node.mark },
        depends_on: Vec::new(),
        condition: None,
        deletion_policy: None,
        update_replace_policy: None,
        creation_policy: None,
        update_policy: None,
        metadata: None,
        mark: key.mark,
    };
    for (key, value) in attributes {
        let name = key.name.as_str();
        let at = at.key(name, value.mark);
        if !RESOURCE_ATTRIBUTES.contains(&name) {
            return Err(at.error(format!("Invalid template resource property '{name}'")));
        }
        match name {
            "Type" => {
                resource.resource_type = text(
                    value,
                    &at,
                    "Template format error: Every Resources object must contain a Type member of type String.",
                )?;
            }
            "Properties" => {
                entries(value, &at, "Template format error: Properties must be an object.")?;
                resource.properties = expr_parse::parse(value, &at, Context::Value)?;
            }
            "DependsOn" => resource.depends_on = names(value, &at)?,
            "Condition" => {
                resource.condition =
                    Some(text(value, &at, "Template format error: Every Condition member must be a string.")?);
            }
            "DeletionPolicy" => resource.deletion_policy = Some(policy(value, &at)?),
            "UpdateReplacePolicy" => resource.update_replace_policy = Some(policy(value, &at)?),
            "CreationPolicy" | "UpdatePolicy" | "Metadata" => {
                entries(value, &at, &format!("Template format error: {name} must be an object."))?;
                let expr = Some(expr_parse::parse(value, &at, Context::Value)?);
                match name {
                    "CreationPolicy" => resource.creation_policy = expr,
                    "UpdatePolicy" => resource.update_policy = expr,
                    _ => resource.metadata = expr,
                }
            }
            _ => {}
        }
    }
    if resource.resource_type.is_empty() {
        return Err(at.error(format!(
            "Template format error: [/{}] Every Resources object must contain a Type member.",
            at.path()
        )));
    }
    Ok(resource)
}

fn names(node: &Node, at: &At<'_>) -> Result<Vec<String>> {
    let sentence = "Template format error: DependsOn must be a string or list of strings.";
    match &node.kind {
        NodeKind::String(name) => Ok(vec![name.clone()]),
        NodeKind::List(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| match &item.kind {
                NodeKind::String(name) => Ok(name.clone()),
                _ => Err(at.index(index, item.mark).error(sentence)),
            })
            .collect(),
        _ => Err(at.error(sentence)),
    }
}

fn policy(node: &Node, at: &At<'_>) -> Result<Expr> {
    let attribute = at.path().rsplit('/').next().map(str::to_owned).unwrap_or_default();
    match &node.kind {
        NodeKind::String(name) => {
            policy_word(name, &attribute, at)?;
            expr_parse::parse(node, at, Context::Value)
        }
        // A function: whether the template may have one is checked when all of it is understood.
        NodeKind::Map(_) => expr_parse::parse(node, at, Context::Value),
        _ => Err(at.error(format!("Template format error: Every {attribute} member must be a string."))),
    }
}

/// A policy by AWS's word.
pub(crate) fn policy_word(name: &str, attribute: &str, at: &At<'_>) -> Result<DeletionPolicy> {
    DeletionPolicy::from_name(name)
        .ok_or_else(|| at.error(format!("Template format error: Unrecognized {attribute} {name} for resource.")))
}

fn output(node: &Node, key: &Key, at: &At<'_>) -> Result<Output> {
    let members = entries(node, at, "Template format error: Every Outputs member must be an object.")?;
    let mut output =
        Output { value: Expr::text(""), description: None, condition: None, export_name: None, mark: key.mark };
    let mut has_value = false;
    for (key, value) in members {
        let at = at.key(&key.name, value.mark);
        match key.name.as_str() {
            "Value" => {
                has_value = true;
                output.value = expr_parse::parse(value, &at, Context::Value)?;
            }
            "Description" => output.description = Some(description(value, &at)?),
            "Condition" => {
                output.condition =
                    Some(text(value, &at, "Template format error: Every Condition member must be a string.")?);
            }
            "Export" => {
                let Some(name) = value.get("Name") else {
                    return Err(at.error("Template format error: Output Export must have a Name."));
                };
                output.export_name = Some(expr_parse::parse(name, &at.key("Name", name.mark), Context::Value)?);
            }
            other => return Err(at.error(format!("Invalid template output property '{other}'"))),
        }
    }
    if !has_value {
        return Err(at.error("Template format error: Every Outputs member must contain a Value object"));
    }
    Ok(output)
}
