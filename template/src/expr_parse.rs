//! Tree to [`Expr`]: which object is a function call, and is it well formed?
//!
//! An object with exactly one key that is `Ref` or begins with `Fn::` is a call. `Condition` is one only where a
//! condition is expected, because IAM policies have a key of that name.

mod sub;

use crate::error::{At, Result};
use crate::expr::{Expr, ExprKind};
use crate::node::{Node, NodeKind};

/// Where a value stands, which decides what may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Properties, outputs, policies.
    Value,
    /// The Conditions block.
    Condition,
    /// The Rules block.
    Rule,
}

pub(crate) const SUPPORTED: &str = "Fn::Base64, Fn::GetAtt, Fn::GetAZs, Fn::ImportValue, Fn::Join, Fn::Split, Fn::FindInMap, \
                         Fn::Select, Ref, Fn::Equals, Fn::If, Fn::Not, Condition, Fn::And, Fn::Or, Fn::Contains, \
                         Fn::EachMemberEquals, Fn::EachMemberIn, Fn::Sub, Fn::Cidr";

/// Understands a value.
pub fn parse(node: &Node, at: &At<'_>, context: Context) -> Result<Expr> {
    let kind = match &node.kind {
        NodeKind::Null => {
            return Err(at.error(format!("[/{}] 'null' values are not allowed in templates", at.path())));
        }
        NodeKind::Bool(value) => ExprKind::Bool(*value),
        NodeKind::Number(number) => ExprKind::Number(number.clone()),
        NodeKind::String(text) => ExprKind::String(text.clone()),
        NodeKind::List(items) => {
            let mut list = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                list.push(parse(item, &at.index(index, item.mark), context)?);
            }
            ExprKind::List(list)
        }
        NodeKind::Map(entries) => {
            let call = entries.iter().find(|(key, _)| is_call(&key.name, context));
            match call {
                Some((key, argument)) if entries.len() == 1 => {
                    let at = at.key(&key.name, key.mark);
                    Call { name: &key.name, at, context }.parse(argument)?
                }
                Some((key, _)) if key.name.starts_with("Fn::") => {
                    return Err(at
                        .key(&key.name, key.mark)
                        .error(format!("Template error: {} must be the only key of its object", key.name)));
                }
                _ => {
                    let mut map = Vec::with_capacity(entries.len());
                    for (key, value) in entries {
                        map.push((key.name.clone(), parse(value, &at.key(&key.name, value.mark), context)?));
                    }
                    ExprKind::Map(map)
                }
            }
        }
    };
    Ok(Expr { kind, mark: node.mark })
}

fn is_call(key: &str, context: Context) -> bool {
    key == "Ref" || key.starts_with("Fn::") || (key == "Condition" && context != Context::Value)
}

struct Call<'a> {
    name: &'a str,
    at: At<'a>,
    context: Context,
}

impl Call<'_> {
    fn refuse<T>(&self, message: impl Into<String>) -> Result<T> {
        Err(self.at.error(message))
    }

    fn expr(&self, node: &Node) -> Result<Box<Expr>> {
        parse(node, &self.at, self.context).map(Box::new)
    }

    fn item(&self, items: &[Node], index: usize) -> Result<Box<Expr>> {
        let node = &items[index];
        parse(node, &self.at.index(index, node.mark), self.context).map(Box::new)
    }

    fn all(&self, items: &[Node]) -> Result<Vec<Expr>> {
        (0..items.len()).map(|index| self.item(items, index).map(|expr| *expr)).collect()
    }

    /// The argument as a list of so many items, or AWS's sentence for this function.
    fn list<'n>(&self, node: &'n Node, sizes: std::ops::RangeInclusive<usize>, sentence: &str) -> Result<&'n [Node]> {
        match &node.kind {
            NodeKind::List(items) if sizes.contains(&items.len()) => Ok(items),
            _ => self.refuse(format!("Template error: {sentence}")),
        }
    }

    fn parse(&self, argument: &Node) -> Result<ExprKind> {
        let boolean = matches!(
            self.name,
            "Fn::Equals"
                | "Fn::And"
                | "Fn::Or"
                | "Fn::Not"
                | "Fn::Contains"
                | "Fn::EachMemberEquals"
                | "Fn::EachMemberIn"
        );
        if boolean && self.context == Context::Value {
            return self.refuse(format!(
                "Template error: {} is only allowed in the Conditions and Rules blocks of the template",
                self.name
            ));
        }
        match self.name {
            "Ref" => match &argument.kind {
                NodeKind::String(name) if !name.is_empty() => Ok(ExprKind::Ref(name.clone())),
                _ => self.refuse("Template format error: every Ref object must have a single String value."),
            },
            "Condition" => match &argument.kind {
                NodeKind::String(name) => Ok(ExprKind::Condition(name.clone())),
                _ => self.refuse("Template error: every Condition object must have a single String value."),
            },
            "Fn::GetAtt" => self.get_att(argument),
            "Fn::Sub" => self.sub(argument),
            "Fn::Join" => {
                let sentence = "every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list \
                                of strings to be joined or a function that returns a list of strings (such as \
                                Fn::GetAZs) to be joined.";
                let items = self.list(argument, 2..=2, sentence)?;
                let Some(delimiter) = items[0].scalar_text() else {
                    return self.refuse(format!("Template error: {sentence}"));
                };
                let values = self.item(items, 1)?;
                self.list_like(&values, sentence)?;
                Ok(ExprKind::Join { delimiter, values })
            }
            "Fn::Select" => {
                let sentence = "Fn::Select requires a list argument with two elements: an integer index and a list";
                let items = self.list(argument, 2..=2, sentence)?;
                let list = self.item(items, 1)?;
                self.list_like(&list, sentence)?;
                Ok(ExprKind::Select { index: self.item(items, 0)?, list })
            }
            "Fn::Split" => {
                let sentence = "every Fn::Split object requires two parameters, (1) a string delimiter and (2) a \
                                string to be split or a function that returns a string to be split.";
                let items = self.list(argument, 2..=2, sentence)?;
                let delimiter = items[0].scalar_text().filter(|text| !text.is_empty());
                let Some(delimiter) = delimiter else {
                    return self.refuse(format!("Template error: {sentence}"));
                };
                Ok(ExprKind::Split { delimiter, source: self.item(items, 1)? })
            }
            "Fn::If" => {
                let sentence = "Fn::If requires a list argument with three elements: the name of a condition, the \
                                value if it is true and the value if it is false";
                let items = self.list(argument, 3..=3, sentence)?;
                let NodeKind::String(condition) = &items[0].kind else {
                    return self.refuse(format!("Template error: {sentence}"));
                };
                Ok(ExprKind::If {
                    condition: condition.clone(),
                    then: self.item(items, 1)?,
                    otherwise: self.item(items, 2)?,
                })
            }
            "Fn::FindInMap" => self.find_in_map(argument),
            "Fn::Base64" => match argument.kind {
                NodeKind::List(_) | NodeKind::Null => {
                    self.refuse("Template error: every Fn::Base64 object must have a String-typed value.")
                }
                _ => Ok(ExprKind::Base64(self.expr(argument)?)),
            },
            "Fn::Cidr" => {
                let sentence = "every Fn::Cidr object requires three parameters, (1) an IP block, (2) the count of \
                                CIDRs to generate and (3) the number of host bits of each";
                let items = self.list(argument, 3..=3, sentence)?;
                Ok(ExprKind::Cidr {
                    block: self.item(items, 0)?,
                    count: self.item(items, 1)?,
                    host_bits: self.item(items, 2)?,
                })
            }
            "Fn::GetAZs" => match argument.kind {
                NodeKind::String(_) | NodeKind::Map(_) => Ok(ExprKind::GetAzs(self.expr(argument)?)),
                _ => self.refuse("Template error: every Fn::GetAZs object must have a String-typed value."),
            },
            "Fn::ImportValue" => self.import_value(argument),
            "Fn::Equals" => {
                let items =
                    self.list(argument, 2..=2, "every Fn::Equals object requires a list of 2 string parameters.")?;
                Ok(ExprKind::Equals(self.item(items, 0)?, self.item(items, 1)?))
            }
            "Fn::And" | "Fn::Or" => {
                let sentence = format!(
                    "every {} object requires a list of at least 2 and at most 10 boolean parameters.",
                    self.name
                );
                let items = self.all(self.list(argument, 2..=10, &sentence)?)?;
                items.iter().try_for_each(|item| self.boolean(item, &sentence))?;
                Ok(if self.name == "Fn::And" { ExprKind::And(items) } else { ExprKind::Or(items) })
            }
            "Fn::Not" => {
                let sentence = "every Fn::Not object requires one boolean parameter.";
                let item = self.item(self.list(argument, 1..=1, sentence)?, 0)?;
                self.boolean(&item, sentence)?;
                Ok(ExprKind::Not(item))
            }
            "Fn::Contains" | "Fn::EachMemberEquals" | "Fn::EachMemberIn" => {
                if self.context != Context::Rule {
                    return self.refuse(format!(
                        "Template error: {} is only allowed in the Rules block of the template",
                        self.name
                    ));
                }
                let items =
                    self.list(argument, 2..=2, &format!("every {} object requires two parameters.", self.name))?;
                let (a, b) = (self.item(items, 0)?, self.item(items, 1)?);
                Ok(match self.name {
                    "Fn::Contains" => ExprKind::Contains(a, b),
                    "Fn::EachMemberEquals" => ExprKind::EachMemberEquals(a, b),
                    _ => ExprKind::EachMemberIn(a, b),
                })
            }
            "Fn::Transform" => Err(self.at.not_built(format!(
                "Fn::Transform{} is not built in Kiln: macros, AWS::Include and SAM templates cannot be processed",
                argument.get("Name").and_then(Node::scalar_text).map(|name| format!(" ({name})")).unwrap_or_default()
            ))),
            "Fn::Length" => {
                let list = self.expr(argument)?;
                self.list_like(&list, "Fn::Length expects its argument to be a list")?;
                Ok(ExprKind::Length(list))
            }
            "Fn::ToJsonString" => match argument.kind {
                NodeKind::List(_) | NodeKind::Map(_) => Ok(ExprKind::ToJsonString(self.expr(argument)?)),
                _ => self.refuse("Template error: Fn::ToJsonString expects its argument to be a list or an object"),
            },
            "Fn::GetStackOutput" | "Fn::RefAll" | "Fn::ValueOf" | "Fn::ValueOfAll" => {
                Err(self.at.not_built(format!("{} is not built in Kiln", self.name)))
            }
            name => self.refuse(format!(
                "Template error: Encountered unsupported function: {name} Supported functions are: [{SUPPORTED}]"
            )),
        }
    }

    fn list_like(&self, expr: &Expr, sentence: &str) -> Result<()> {
        match expr.kind {
            ExprKind::String(_) | ExprKind::Number(_) | ExprKind::Bool(_) | ExprKind::Map(_) => {
                self.refuse(format!("Template error: {sentence}"))
            }
            _ => Ok(()),
        }
    }

    fn boolean(&self, expr: &Expr, sentence: &str) -> Result<()> {
        match expr.kind {
            ExprKind::Condition(_)
            | ExprKind::Equals(..)
            | ExprKind::And(_)
            | ExprKind::Or(_)
            | ExprKind::Not(_)
            | ExprKind::Contains(..)
            | ExprKind::EachMemberEquals(..)
            | ExprKind::EachMemberIn(..) => Ok(()),
            _ => self.refuse(format!("Template error: {sentence}")),
        }
    }

    fn get_att(&self, argument: &Node) -> Result<ExprKind> {
        let sentence = "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name \
                        and the resource attribute";
        let (resource, attribute) = match &argument.kind {
            NodeKind::String(text) => match text.split_once('.') {
                Some((resource, attribute)) => {
                    (resource.to_owned(), Expr { kind: ExprKind::String(attribute.to_owned()), mark: argument.mark })
                }
                None => return self.refuse(sentence),
            },
            NodeKind::List(items) if items.len() >= 2 => {
                let NodeKind::String(resource) = &items[0].kind else {
                    return self.refuse(sentence);
                };
                if items.len() == 2 {
                    (resource.clone(), *self.item(items, 1)?)
                } else {
                    // [Nested, Outputs, Url] is the same as Nested.Outputs.Url
                    let rest: Option<Vec<String>> = items[1..].iter().map(Node::scalar_text).collect();
                    let Some(rest) = rest else {
                        return self.refuse(sentence);
                    };
                    (resource.clone(), Expr { kind: ExprKind::String(rest.join(".")), mark: items[1].mark })
                }
            }
            _ => return self.refuse(sentence),
        };
        let attribute_fits = match &attribute.kind {
            ExprKind::String(text) => !text.is_empty(),
            ExprKind::Ref(_) | ExprKind::Sub { .. } => true,
            _ => false,
        };
        if resource.is_empty() || !attribute_fits {
            return self.refuse(sentence);
        }
        Ok(ExprKind::GetAtt { resource, attribute: Box::new(attribute) })
    }

    fn find_in_map(&self, argument: &Node) -> Result<ExprKind> {
        let sentence = "every Fn::FindInMap object requires three parameters, the map name, map key and the attribute \
                        for return value";
        let items = self.list(argument, 3..=4, sentence)?;
        for item in &items[..3] {
            if item.scalar_text().is_none() && !matches!(item.kind, NodeKind::Map(_)) {
                return self.refuse(format!("Template error: {sentence}"));
            }
        }
        let default = match items.get(3) {
            None => None,
            Some(node) => match &node.kind {
                NodeKind::Map(entries) if entries.len() == 1 && entries[0].0.name == "DefaultValue" => {
                    Some(Box::new(parse(&entries[0].1, &self.at.key("DefaultValue", node.mark), self.context)?))
                }
                _ => return self.refuse(format!("Template error: {sentence}")),
            },
        };
        Ok(ExprKind::FindInMap {
            map: self.item(items, 0)?,
            first: self.item(items, 1)?,
            second: self.item(items, 2)?,
            default,
        })
    }

    fn import_value(&self, argument: &Node) -> Result<ExprKind> {
        if !matches!(argument.kind, NodeKind::String(_) | NodeKind::Map(_)) {
            return self.refuse("Template error: every Fn::ImportValue object must have a String-typed value.");
        }
        let name = self.expr(argument)?;
        let mut depends = false;
        name.walk(&mut |expr| {
            depends |= matches!(expr.kind, ExprKind::GetAtt { .. } | ExprKind::ImportValue(_) | ExprKind::GetAzs(_));
        });
        if depends {
            return self.refuse(
                "Template error: the attribute in Fn::ImportValue must not depend on any resources, imported values, \
                 or Fn::GetAZs",
            );
        }
        Ok(ExprKind::ImportValue(name))
    }
}
