//! Does everything a template points at exist? Checked once, when the template is parsed.

use std::collections::BTreeSet;

use crate::conditions;
use crate::error::{At, Result};
use crate::expr::{Expr, ExprKind, Reference};
use crate::expr_parse::SUPPORTED;
use crate::schema::Schemas;
use crate::template::Template;

/// The pseudo parameters.
pub const PSEUDO: [&str; 8] = [
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

/// Every reference of the template leads somewhere.
pub fn references(template: &Template) -> Result<()> {
    let root = At::root();
    let at = root.key("Conditions", Default::default());
    for (name, condition) in &template.conditions {
        Checker { template, block: Block::Conditions }.expr(condition, &at.key(name, condition.mark))?;
    }
    conditions::order(template)?;
    let at = root.key("Rules", Default::default());
    for (name, rule) in &template.rules {
        let checker = Checker { template, block: Block::Rules };
        for expr in rule.condition.iter().chain(rule.assertions.iter().map(|(assert, _)| assert)) {
            checker.expr(expr, &at.key(name, expr.mark))?;
        }
    }
    resources(template, &root)?;
    outputs(template, &root)
}

fn resources(template: &Template, root: &At<'_>) -> Result<()> {
    let at = root.key("Resources", Default::default());
    let checker = Checker { template, block: Block::Resources };
    let mut unresolved = BTreeSet::new();
    let mut first = None;
    for (id, resource) in &template.resources {
        let at = at.key(id, resource.mark);
        let policies =
            [("DeletionPolicy", &resource.deletion_policy), ("UpdateReplacePolicy", &resource.update_replace_policy)];
        for (name, expr) in policies.into_iter().filter_map(|(name, expr)| Some((name, expr.as_ref()?))) {
            let at = at.key(name, expr.mark);
            if !template.language_extensions && !matches!(expr.kind, ExprKind::String(_)) {
                return Err(at.error(format!("Template format error: Every {name} member must be a string.")));
            }
            Checker { template, block: Block::Policies }.expr(expr, &at)?;
        }
        if let Some(condition) = resource.condition.as_ref().filter(|name| !template.conditions.contains_key(*name)) {
            return Err(at.key("Condition", resource.mark).error(format!(
                "Template format error: Unresolved condition dependency {condition} in the Resources block of the template"
            )));
        }
        for name in &resource.depends_on {
            if !template.resources.contains_key(name) && unresolved.insert(name.clone()) {
                first.get_or_insert_with(|| at.key("DependsOn", resource.mark).place());
            }
        }
        let parts = [
            ("Properties", Some(&resource.properties)),
            ("CreationPolicy", resource.creation_policy.as_ref()),
            ("UpdatePolicy", resource.update_policy.as_ref()),
            ("Metadata", resource.metadata.as_ref()),
        ];
        for (name, expr) in parts {
            let Some(expr) = expr else { continue };
            let at = at.key(name, expr.mark);
            checker.expr(expr, &at)?;
            expr.walk_at(&at, &mut |expr, at| {
                for name in checker.unresolved(expr) {
                    if unresolved.insert(name) {
                        first.get_or_insert_with(|| at.place());
                    }
                }
                Ok::<(), crate::error::TemplateError>(())
            })?;
        }
    }
    finish(unresolved, first, "Resources", root)
}

fn outputs(template: &Template, root: &At<'_>) -> Result<()> {
    let at = root.key("Outputs", Default::default());
    let checker = Checker { template, block: Block::Outputs };
    let mut unresolved = BTreeSet::new();
    let mut first = None;
    for (name, output) in &template.outputs {
        let at = at.key(name, output.mark);
        if let Some(condition) = output.condition.as_ref().filter(|name| !template.conditions.contains_key(*name)) {
            return Err(at.key("Condition", output.mark).error(format!(
                "Template format error: Unresolved condition dependency {condition} in the Outputs block of the template"
            )));
        }
        for (member, expr) in [("Value", Some(&output.value)), ("Export", output.export_name.as_ref())] {
            let Some(expr) = expr else { continue };
            let at = at.key(member, expr.mark);
            checker.expr(expr, &at)?;
            expr.walk_at(&at, &mut |expr, at| {
                for name in checker.unresolved(expr) {
                    if unresolved.insert(name) {
                        first.get_or_insert_with(|| at.place());
                    }
                }
                Ok::<(), crate::error::TemplateError>(())
            })?;
        }
    }
    finish(unresolved, first, "Outputs", root)
}

/// Every attribute asked for with `Fn::GetAtt` or `Fn::Sub` exists.
pub fn attributes(template: &Template, schemas: &dyn Schemas) -> Result<()> {
    let known = |expr: &Expr, at: &At<'_>| -> Result<()> {
        for reference in expr.own_references() {
            let Reference::GetAtt(name, Some(attribute)) = reference else { continue };
            let Some(resource) = template.resources.get(&name) else { continue };
            let lacks =
                schemas.resource(&resource.resource_type).is_some_and(|schema| !schema.has_attribute(&attribute));
            if lacks {
                let function = expr.call_name().unwrap_or("Fn::GetAtt");
                return Err(at.error(format!(
                    "Template error: resource {name} does not support attribute type {attribute} in {function}"
                )));
            }
        }
        Ok(())
    };
    let root = At::root();
    let at = root.key("Resources", Default::default());
    for (id, resource) in &template.resources {
        let at = at.key(id, resource.mark);
        resource
            .properties
            .walk_at(&at.key("Properties", resource.properties.mark), &mut |expr, at| known(expr, at))?;
        if let Some(metadata) = &resource.metadata {
            metadata.walk_at(&at.key("Metadata", metadata.mark), &mut |expr, at| known(expr, at))?;
        }
    }
    let at = root.key("Outputs", Default::default());
    for (name, output) in &template.outputs {
        let at = at.key(name, output.mark);
        output.value.walk_at(&at.key("Value", output.value.mark), &mut |expr, at| known(expr, at))?;
    }
    Ok(())
}

fn finish(unresolved: BTreeSet<String>, first: Option<crate::error::Place>, block: &str, root: &At<'_>) -> Result<()> {
    if unresolved.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = unresolved.into_iter().collect();
    let mut error = root.error(format!(
        "Template format error: Unresolved resource dependencies [{}] in the {block} block of the template",
        names.join(", ")
    ));
    if let Some(place) = first {
        error.place = place;
    }
    Err(error)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Conditions,
    Rules,
    Policies,
    Resources,
    Outputs,
}

struct Checker<'t> {
    template: &'t Template,
    block: Block,
}

impl Checker<'_> {
    fn is_value(&self, name: &str) -> bool {
        self.template.parameters.contains_key(name) || PSEUDO.contains(&name)
    }

    fn is_known(&self, name: &str) -> bool {
        self.is_value(name) || self.template.resources.contains_key(name)
    }

    /// `Ref`s that lead nowhere; they are reported together.
    fn unresolved(&self, expr: &Expr) -> Vec<String> {
        expr.own_references()
            .into_iter()
            .filter_map(|reference| match reference {
                Reference::Ref(name) if !self.is_known(&name) => Some(name),
                _ => None,
            })
            .collect()
    }

    /// What only `AWS::LanguageExtensions` brings needs it: a template that runs here must run on AWS.
    fn extension(&self, expr: &Expr, at: &At<'_>) -> Result<()> {
        if self.template.language_extensions {
            return Ok(());
        }
        match &expr.kind {
            ExprKind::Length(_) | ExprKind::ToJsonString(_) => Err(at.error(format!(
                "Template error: Encountered unsupported function: {} Supported functions are: [{SUPPORTED}]",
                expr.call_name().unwrap_or("Fn")
            ))),
            ExprKind::FindInMap { default: Some(_), .. } => Err(at.error(
                "Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the \
                 attribute for return value",
            )),
            _ => Ok(()),
        }
    }

    fn expr(&self, expr: &Expr, at: &At<'_>) -> Result<()> {
        expr.walk_at(at, &mut |expr, at| self.one(expr, at))
    }

    fn one(&self, expr: &Expr, at: &At<'_>) -> Result<()> {
        let before_resources = matches!(self.block, Block::Conditions | Block::Rules | Block::Policies);
        let block = match self.block {
            Block::Rules => "Rules",
            Block::Policies => "DeletionPolicy and UpdateReplacePolicy",
            _ => "Conditions",
        };
        for reference in expr.own_references() {
            match reference {
                Reference::Ref(name) if before_resources && !self.is_value(&name) => {
                    return Err(at.error(format!(
                        "Template format error: Unresolved dependencies [{name}]. Cannot reference resources in the \
                         {block} block of the template"
                    )));
                }
                Reference::GetAtt(name, _) if before_resources => {
                    return Err(at.error(format!(
                        "Template format error: Unresolved dependencies [{name}]. Cannot reference resources in the \
                         {block} block of the template"
                    )));
                }
                Reference::GetAtt(name, attribute) if !self.template.resources.contains_key(&name) => {
                    return Err(at.error(match (&expr.kind, attribute) {
                        (ExprKind::Sub { .. }, Some(attribute)) => format!(
                            "Template error: instance of Fn::Sub references invalid resource attribute {name}.{attribute}"
                        ),
                        _ => format!("Template error: instance of Fn::GetAtt references undefined resource {name}"),
                    }));
                }
                Reference::Condition(name) if !self.template.conditions.contains_key(&name) => {
                    return Err(at.error(match expr.kind {
                        ExprKind::If { .. } => {
                            format!("Template error: unresolved condition dependency {name} in Fn::If")
                        }
                        _ => format!(
                            "Template format error: Unresolved condition dependency {name} in the {block} block of \
                             the template"
                        ),
                    }));
                }
                _ => {}
            }
        }
        self.extension(expr, at)?;
        match &expr.kind {
            ExprKind::ImportValue(_) | ExprKind::GetAzs(_) if self.block == Block::Conditions => Err(at.error(
                "Template format error: Conditions can only be boolean operations on parameters and other conditions",
            )),
            ExprKind::ImportValue(name) => {
                let on_resource = name.references().into_iter().any(
                    |reference| matches!(reference, Reference::Ref(name) if self.template.resources.contains_key(&name)),
                );
                if on_resource {
                    return Err(at.error(
                        "Template error: the attribute in Fn::ImportValue must not depend on any resources, imported \
                         values, or Fn::GetAZs",
                    ));
                }
                Ok(())
            }
            ExprKind::FindInMap { map, default: None, .. } => match map.as_text() {
                Some(name) if !self.template.mappings.contains_key(name) => Err(at.error(format!(
                    "Template error: Mapping named '{name}' is not present in the 'Mappings' section of template."
                ))),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }
}
