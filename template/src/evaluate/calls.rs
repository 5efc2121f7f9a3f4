//! Functions worked out, each from its arguments. The boolean ones are in `rules`.

use super::Evaluator;
use super::references::answer;
use crate::error::{At, Result};
use crate::expr::{Expr, ExprKind, SubPart};
use crate::functions::{self, scalar_text};
use crate::lookup::{UNKNOWN, is_unknown, unknown};
use base64::Engine;
use serde_json::Value;

impl Evaluator<'_> {
    /// A function's value.
    pub(super) fn call(&self, expr: &Expr, at: &At<'_>) -> Result<Value> {
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
