//! Working a template out: parameters, conditions, mappings and the world (through [`Lookup`]) in, plain JSON out.
//!
//! Where the world says "not known yet", the text [`UNKNOWN`](crate::UNKNOWN) stands in, as AWS shows it in change sets. A function
//! that cannot work on an unknown value gives an unknown value.

mod calls;
mod references;
mod rules;

use std::cell::Cell;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::conditions;
use crate::dynamic_reference;
use crate::error::{At, Mark, Result};
use crate::expr::{Expr, ExprKind};
use crate::functions::scalar_text;
use crate::lookup::Lookup;
use crate::parameter::ParameterValues;
use crate::secret_reference;
use crate::sections;
use crate::template::{DeletionPolicy, Resource, Template};

/// How much one resource (or all outputs) may become: a small text that names a large value many times would
/// otherwise fill the memory.
pub const MAX_RESOLVED: usize = 16_000_000;

/// The values of the pseudo parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pseudo {
    /// `AWS::AccountId`.
    pub account_id: String,
    /// `AWS::Region`.
    pub region: String,
    /// `AWS::Partition`, normally `aws`.
    pub partition: String,
    /// `AWS::URLSuffix`, normally `amazonaws.com`.
    pub url_suffix: String,
    /// `AWS::StackName`.
    pub stack_name: String,
    /// `AWS::StackId`.
    pub stack_id: String,
    /// `AWS::NotificationARNs`.
    pub notification_arns: Vec<String>,
}

/// A resource with everything worked out.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedResource {
    /// `Type`.
    pub resource_type: String,
    /// `Properties`, always an object; may hold [`UNKNOWN`](crate::UNKNOWN).
    pub properties: Value,
    /// `Metadata`.
    pub metadata: Option<Value>,
    /// `CreationPolicy`.
    pub creation_policy: Option<Value>,
    /// `UpdatePolicy`.
    pub update_policy: Option<Value>,
    /// `DeletionPolicy`.
    pub deletion_policy: Option<DeletionPolicy>,
    /// `UpdateReplacePolicy`.
    pub update_replace_policy: Option<DeletionPolicy>,
}

/// An output with everything worked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedOutput {
    /// Its name.
    pub name: String,
    /// Its value as text.
    pub value: String,
    /// `Description`.
    pub description: Option<String>,
    /// `Export.Name`.
    pub export_name: Option<String>,
}

/// Works out the values of one template.
pub struct Evaluator<'t> {
    template: &'t Template,
    pseudo: &'t Pseudo,
    parameters: &'t ParameterValues,
    lookup: &'t dyn Lookup,
    conditions: BTreeMap<String, bool>,
    /// What the functions have made since the last start, in bytes.
    made: Cell<usize>,
}

impl<'t> Evaluator<'t> {
    /// Works out the conditions and checks the rules.
    pub fn new(
        template: &'t Template,
        pseudo: &'t Pseudo,
        parameters: &'t ParameterValues,
        lookup: &'t dyn Lookup,
    ) -> Result<Self> {
        let mut evaluator =
            Self { template, pseudo, parameters, lookup, conditions: BTreeMap::new(), made: Cell::new(0) };
        let root = At::root();
        let at = root.key("Conditions", Mark::default());
        for name in conditions::order(template)? {
            let Some(condition) = template.conditions.get(&name) else {
                continue;
            };
            let holds = evaluator.holds(condition, &at.key(&name, condition.mark))?;
            evaluator.conditions.insert(name, holds);
        }
        evaluator.rules()?;
        Ok(evaluator)
    }

    /// The same template seen against another world.
    pub fn with_lookup<'n>(&self, lookup: &'n dyn Lookup) -> Evaluator<'n>
    where
        't: 'n,
    {
        Evaluator {
            template: self.template,
            pseudo: self.pseudo,
            parameters: self.parameters,
            lookup,
            conditions: self.conditions.clone(),
            made: Cell::new(0),
        }
    }

    /// The same with other values for the parameters (secrets hidden, say); the conditions stay as they were.
    pub fn with_parameters<'n>(&self, parameters: &'n ParameterValues) -> Evaluator<'n>
    where
        't: 'n,
    {
        Evaluator {
            template: self.template,
            pseudo: self.pseudo,
            parameters,
            lookup: self.lookup,
            conditions: self.conditions.clone(),
            made: Cell::new(0),
        }
    }

    /// The template.
    pub fn template(&self) -> &'t Template {
        self.template
    }

    /// What the parameters are.
    pub fn parameters(&self) -> &'t ParameterValues {
        self.parameters
    }

    /// The conditions by name.
    pub fn conditions(&self) -> &BTreeMap<String, bool> {
        &self.conditions
    }

    /// Do the conditions leave this resource in?
    pub fn is_active(&self, resource: &Resource) -> bool {
        self.allows(resource.condition.as_deref())
    }

    fn allows(&self, condition: Option<&str>) -> bool {
        condition.is_none_or(|name| self.conditions.get(name).copied().unwrap_or(true))
    }

    /// A resource worked out.
    pub fn resource(&self, logical_id: &str) -> Result<ResolvedResource> {
        self.made.set(0);
        let root = At::root();
        let at = root.key("Resources", Mark::default());
        let Some(resource) = self.template.resources.get(logical_id) else {
            return Err(at.error(format!("Resource {logical_id} is not in the template")));
        };
        let at = at.key(logical_id, resource.mark);
        let mut properties = match self.value(&resource.properties, &at.key("Properties", resource.properties.mark))? {
            Some(value) => value,
            None => Value::Object(Map::new()),
        };
        dynamic_reference::resolve(&mut properties, &at.key("Properties", resource.properties.mark), self.lookup)?;
        let refused = secret_reference::not_secure_here(&resource.resource_type, &properties);
        if !refused.is_empty() {
            let places: Vec<String> =
                refused.iter().map(|path| format!("{}/Properties/{path}", resource.resource_type)).collect();
            return Err(at.error(format!("SSM Secure reference is not supported in: [{}]", places.join(","))));
        }
        let part = |name: &str, expr: &Option<Expr>| match expr {
            Some(expr) => self.value(expr, &at.key(name, expr.mark)),
            None => Ok(None),
        };
        Ok(ResolvedResource {
            resource_type: resource.resource_type.clone(),
            properties,
            metadata: part("Metadata", &resource.metadata)?,
            creation_policy: part("CreationPolicy", &resource.creation_policy)?,
            update_policy: part("UpdatePolicy", &resource.update_policy)?,
            deletion_policy: self.policy("DeletionPolicy", &resource.deletion_policy, &at)?,
            update_replace_policy: self.policy("UpdateReplacePolicy", &resource.update_replace_policy, &at)?,
        })
    }

    /// What becomes of the real thing when its resource goes away, and when it is replaced.
    pub fn policies(&self, logical_id: &str) -> Result<(Option<DeletionPolicy>, Option<DeletionPolicy>)> {
        let Some(resource) = self.template.resources.get(logical_id) else { return Ok((None, None)) };
        let root = At::root();
        let at = root.key("Resources", Mark::default());
        let at = at.key(logical_id, resource.mark);
        let delete = self.policy("DeletionPolicy", &resource.deletion_policy, &at)?;
        Ok((delete, self.policy("UpdateReplacePolicy", &resource.update_replace_policy, &at)?))
    }

    fn policy(&self, attribute: &str, expr: &Option<Expr>, at: &At<'_>) -> Result<Option<DeletionPolicy>> {
        let Some(expr) = expr else { return Ok(None) };
        let at = at.key(attribute, expr.mark);
        match self.value(expr, &at)? {
            None => Ok(None),
            Some(Value::String(word)) => sections::policy_word(&word, attribute, &at).map(Some),
            Some(_) => Err(at.error(format!("Template format error: Every {attribute} member must be a string."))),
        }
    }

    /// The outputs whose conditions hold.
    pub fn outputs(&self) -> Result<Vec<ResolvedOutput>> {
        self.made.set(0);
        let root = At::root();
        let at = root.key("Outputs", Mark::default());
        let mut all = Vec::new();
        for (name, output) in &self.template.outputs {
            if !self.allows(output.condition.as_deref()) {
                continue;
            }
            let at = at.key(name, output.mark);
            let value_at = at.key("Value", output.value.mark);
            let sentence = "Template format error: Output {} is malformed. The Value field of every Outputs member must \
                            evaluate to a String.";
            let value = self.value(&output.value, &value_at)?;
            let Some(value) = value.as_ref().and_then(scalar_text) else {
                return Err(value_at.error(sentence.replace("{}", name)));
            };
            let export_name = match &output.export_name {
                None => None,
                Some(expr) => {
                    Some(self.text(expr, &at.key("Export", expr.mark), "Output Export Name must be a String.")?)
                }
            };
            all.push(ResolvedOutput {
                name: name.clone(),
                value,
                description: output.description.clone(),
                export_name,
            });
        }
        Ok(all)
    }

    /// Any value worked out; `None` is `AWS::NoValue`: whatever holds it drops it.
    pub fn value(&self, expr: &Expr, at: &At<'_>) -> Result<Option<Value>> {
        let value = match &expr.kind {
            ExprKind::Bool(value) => Value::Bool(*value),
            ExprKind::Number(number) => Value::Number(number.clone()),
            ExprKind::String(text) => Value::String(text.clone()),
            ExprKind::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    list.extend(self.value(item, &at.index(index, item.mark))?);
                }
                Value::Array(list)
            }
            ExprKind::Map(entries) => {
                let mut map = Map::new();
                for (key, item) in entries {
                    if let Some(value) = self.value(item, &at.key(key, item.mark))? {
                        map.insert(key.clone(), value);
                    }
                }
                Value::Object(map)
            }
            ExprKind::If { condition, then, otherwise } => {
                let at = at.key("Fn::If", expr.mark);
                let holds = self.conditions.get(condition).copied().ok_or_else(|| {
                    at.error(format!("Template error: unresolved condition dependency {condition} in Fn::If"))
                })?;
                let taken = if holds { then } else { otherwise };
                return self.value(taken, &at.index(if holds { 1 } else { 2 }, taken.mark));
            }
            ExprKind::Ref(name) => {
                let at = at.key("Ref", expr.mark);
                let value = self.reference(name, &at)?;
                self.count_made(value.as_ref().map_or(0, weight), &at)?;
                return Ok(value);
            }
            ExprKind::Condition(_)
            | ExprKind::Equals(..)
            | ExprKind::And(_)
            | ExprKind::Or(_)
            | ExprKind::Not(_)
            | ExprKind::Contains(..)
            | ExprKind::EachMemberEquals(..)
            | ExprKind::EachMemberIn(..) => Value::Bool(self.holds(expr, at)?),
            _ => {
                let name = expr.call_name().unwrap_or("Fn");
                let at = at.key(name, expr.mark);
                let value = self.call(expr, &at)?;
                self.count_made(weight(&value), &at)?;
                value
            }
        };
        Ok(Some(value))
    }

    /// Counts what a function made; refuses when it is too much.
    fn count_made(&self, bytes: usize, at: &At<'_>) -> Result<()> {
        let made = self.made.get().saturating_add(bytes);
        self.made.set(made);
        if made > MAX_RESOLVED {
            return Err(at.error(format!("Template error: the values become larger than {MAX_RESOLVED} bytes")));
        }
        Ok(())
    }

    /// A value that must be a scalar, as text.
    fn text(&self, expr: &Expr, at: &At<'_>, sentence: &str) -> Result<String> {
        let value = self.value(expr, at)?;
        value.as_ref().and_then(scalar_text).ok_or_else(|| at.error(format!("Template error: {sentence}")))
    }

    fn list(&self, expr: &Expr, at: &At<'_>) -> Result<Vec<Value>> {
        match self.value(expr, at)? {
            Some(Value::Array(items)) => Ok(items),
            Some(value) => Ok(vec![value]),
            None => Ok(Vec::new()),
        }
    }
}

/// About how many bytes a value takes.
fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 16,
        Value::String(text) => 16 + text.len(),
        Value::Array(items) => 16 + items.iter().map(weight).sum::<usize>(),
        Value::Object(map) => 16 + map.iter().map(|(key, item)| key.len() + weight(item)).sum::<usize>(),
    }
}
