//! Working a template out: parameters, conditions, mappings and the world (through [`Lookup`]) in, plain JSON out.
//!
//! Where the world says "not known yet", the text [`UNKNOWN`] stands in, as AWS shows it in change sets. A function
//! that cannot work on an unknown value gives an unknown value.

mod rules;

use std::cell::Cell;
use std::collections::BTreeMap;

use base64::Engine;
use serde_json::{Map, Value};

use crate::conditions;
use crate::dynamic_reference;
use crate::error::{At, Mark, Result, TemplateError};
use crate::expr::{Expr, ExprKind, SubPart};
use crate::functions::{self, scalar_text};
use crate::lookup::{Answer, Lookup, UNKNOWN};
use crate::parameter::ParameterValues;
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
    /// `Properties`, always an object; may hold [`UNKNOWN`].
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

    fn call(&self, expr: &Expr, at: &At<'_>) -> Result<Value> {
        match &expr.kind {
            ExprKind::GetAtt { resource, attribute } => {
                let attribute = self.text(
                    attribute,
                    at,
                    "every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute",
                )?;
                self.attribute(resource, &attribute, at)
            }
            ExprKind::Sub { parts, variables } => self.sub(parts, variables, at),
            ExprKind::Join { delimiter, values } => {
                let sentence = "Template error: every Fn::Join object requires two parameters, (1) a string delimiter \
                                and (2) a list of strings to be joined or a function that returns a list of strings \
                                (such as Fn::GetAZs) to be joined.";
                let items = match self.value(values, at)? {
                    Some(Value::Array(items)) => items,
                    Some(value) if is_unknown(&value) => return Ok(unknown()),
                    _ => return Err(at.error(sentence)),
                };
                let texts: Option<Vec<String>> = items.iter().map(scalar_text).collect();
                match texts {
                    Some(texts) => Ok(Value::String(texts.join(delimiter))),
                    None => Err(at.error(sentence)),
                }
            }
            ExprKind::Select { index, list } => {
                let index = self.text(index, at, "Fn::Select requires an integer index")?;
                let items = match self.value(list, at)? {
                    Some(Value::Array(items)) => items,
                    Some(value) if is_unknown(&value) => return Ok(unknown()),
                    _ => {
                        return Err(at.error(
                            "Template error: Fn::Select requires a list argument with two elements: an integer index \
                             and a list",
                        ));
                    }
                };
                let position: Option<usize> = index.trim().parse().ok();
                position.and_then(|position| items.into_iter().nth(position)).ok_or_else(|| {
                    at.error(format!("Template error: Fn::Select cannot select nonexistent value at index {index}"))
                })
            }
            ExprKind::Split { delimiter, source } => {
                let sentence = "every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string \
                                to be split or a function that returns a string to be split.";
                let text = self.text(source, at, sentence)?;
                if text.contains(UNKNOWN) {
                    return Ok(unknown());
                }
                Ok(Value::Array(text.split(delimiter.as_str()).map(|part| Value::String(part.to_owned())).collect()))
            }
            ExprKind::Base64(source) => {
                let text = self.text(source, at, "every Fn::Base64 object must have a String-typed value.")?;
                if text.contains(UNKNOWN) {
                    return Ok(unknown());
                }
                Ok(Value::String(base64::engine::general_purpose::STANDARD.encode(text)))
            }
            ExprKind::FindInMap { map, first, second, default } => {
                let sentence = "every Fn::FindInMap object requires three parameters, the map name, map key and the \
                                attribute for return value";
                let map = self.text(map, at, sentence)?;
                let first = self.text(first, at, sentence)?;
                let second = self.text(second, at, sentence)?;
                let found = self.template.mappings.get(&map).and_then(|firsts| firsts.get(&first)?.get(&second));
                match (found, default) {
                    (Some(value), _) => Ok(value.clone()),
                    (None, Some(default)) => {
                        let given = self.value(default, at)?;
                        given.ok_or_else(|| {
                            at.error("Template error: Fn::FindInMap DefaultValue cannot be AWS::NoValue")
                        })
                    }
                    (None, None) => {
                        Err(at.error(format!("Template error: Unable to get mapping for {map}::{first}::{second}")))
                    }
                }
            }
            ExprKind::Cidr { block, count, host_bits } => self.cidr(block, count, host_bits, at),
            ExprKind::GetAzs(region) => {
                let region = self.text(region, at, "every Fn::GetAZs object must have a String-typed value.")?;
                let region = if region.is_empty() { self.pseudo.region.clone() } else { region };
                answer(self.lookup.availability_zones(&region), at)
            }
            ExprKind::ImportValue(name) => {
                let name = self.text(name, at, "every Fn::ImportValue object must have a String-typed value.")?;
                if name.contains(UNKNOWN) {
                    return Ok(unknown());
                }
                answer(self.lookup.export(&name), at)
            }
            ExprKind::Length(list) => match self.value(list, at)? {
                Some(Value::Array(items)) => Ok(Value::from(items.len())),
                Some(value) if is_unknown(&value) => Ok(unknown()),
                _ => Err(at.error("Template error: Fn::Length expects its argument to be a list")),
            },
            ExprKind::ToJsonString(value) => match self.value(value, at)? {
                Some(value) => Ok(Value::String(value.to_string())),
                None => Err(at.error("Template error: Fn::ToJsonString cannot work on AWS::NoValue")),
            },
            _ => Err(at.error("Template error: not a function")),
        }
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

    fn reference(&self, name: &str, at: &At<'_>) -> Result<Option<Value>> {
        if let Some(value) = self.parameters.values.get(name) {
            return Ok(Some(value.clone()));
        }
        let text = match name {
            "AWS::NoValue" => return Ok(None),
            "AWS::NotificationARNs" => {
                let list = self.pseudo.notification_arns.iter().cloned().map(Value::String).collect();
                return Ok(Some(Value::Array(list)));
            }
            "AWS::AccountId" => &self.pseudo.account_id,
            "AWS::Region" => &self.pseudo.region,
            "AWS::Partition" => &self.pseudo.partition,
            "AWS::URLSuffix" => &self.pseudo.url_suffix,
            "AWS::StackName" => &self.pseudo.stack_name,
            "AWS::StackId" => &self.pseudo.stack_id,
            _ => {
                self.must_be_active(name, at)?;
                return answer(self.lookup.reference(name), at).map(Some);
            }
        };
        Ok(Some(Value::String(text.clone())))
    }

    fn attribute(&self, resource: &str, attribute: &str, at: &At<'_>) -> Result<Value> {
        self.must_be_active(resource, at)?;
        answer(self.lookup.attribute(resource, attribute), at)
    }

    fn must_be_active(&self, name: &str, at: &At<'_>) -> Result<()> {
        match self.template.resources.get(name) {
            Some(resource) if self.is_active(resource) => Ok(()),
            _ => {
                let path = at.path();
                let block = path.split('/').next().unwrap_or("Resources");
                Err(at.error(format!(
                    "Template format error: Unresolved resource dependencies [{name}] in the {block} block of the template"
                )))
            }
        }
    }

    fn sub(&self, parts: &[SubPart], variables: &[(String, Expr)], at: &At<'_>) -> Result<Value> {
        let mut text = String::new();
        for part in parts {
            let (name, value) = match part {
                SubPart::Text(literal) => {
                    text.push_str(literal);
                    continue;
                }
                SubPart::Variable(name) => {
                    let value = match variables.iter().find(|(known, _)| known == name) {
                        Some((_, expr)) => self.value(expr, at)?,
                        None => None,
                    };
                    (name.clone(), value)
                }
                SubPart::Ref(name) => (name.clone(), self.reference(name, at)?),
                SubPart::GetAtt(name, attribute) => {
                    (format!("{name}.{attribute}"), Some(self.attribute(name, attribute, at)?))
                }
            };
            match value.as_ref().and_then(scalar_text) {
                Some(value) => {
                    self.count_made(value.len(), at)?;
                    text.push_str(&value);
                }
                None => {
                    return Err(at.error(format!(
                        "Template error: variable {name} in Fn::Sub expression does not resolve to a string"
                    )));
                }
            }
        }
        Ok(Value::String(text))
    }

    fn cidr(&self, block: &Expr, count: &Expr, host_bits: &Expr, at: &At<'_>) -> Result<Value> {
        let sentence = "every Fn::Cidr object requires an IP block, a count and a number of host bits";
        let block = self.text(block, at, sentence)?;
        let count = self.text(count, at, sentence)?;
        let host_bits = self.text(host_bits, at, sentence)?;
        if [&block, &count, &host_bits].iter().any(|text| text.contains(UNKNOWN)) {
            return Ok(unknown());
        }
        let (Ok(count), Ok(host_bits)) = (count.trim().parse(), host_bits.trim().parse()) else {
            return Err(at.error(format!("Template error: {sentence}")));
        };
        let blocks = functions::cidr(&block, count, host_bits).map_err(|message| at.error(message))?;
        Ok(Value::Array(blocks.into_iter().map(Value::String).collect()))
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

fn unknown() -> Value {
    Value::String(UNKNOWN.to_owned())
}

/// Is any part of this value not known yet?
pub fn is_unknown(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(UNKNOWN),
        Value::Array(items) => items.iter().any(is_unknown),
        Value::Object(map) => map.values().any(is_unknown),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

pub(crate) fn answer(answer: Result<Answer, String>, at: &At<'_>) -> Result<Value, TemplateError> {
    match answer {
        Ok(Answer::Known(value)) => Ok(value),
        Ok(Answer::NotYet) => Ok(unknown()),
        Err(message) => Err(at.error(message)),
    }
}
