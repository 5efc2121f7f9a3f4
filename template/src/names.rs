//! Functions inside `Ref` and `Fn::GetAtt`, which `AWS::LanguageExtensions` brings: which resource is meant is worked
//! out on the tree, from parameters, mappings and conditions, before anything is understood. What comes after knows
//! names only, so the graph and its order need nothing new.
//!
//! ```text
//! Ref: {Fn::Sub: 'Web${Colour}'}  ──▶  Ref: WebBlue
//! Fn::GetAtt: [{Fn::FindInMap: […]}, {Fn::Join: […]}]  ──▶  Fn::GetAtt: [WebBlue, Arn]
//! ```

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::{At, Mark, Result};
use crate::evaluate::{Evaluator, Pseudo};
use crate::expr_parse::{self, Context};
use crate::lookup::{Prefetched, UNKNOWN};
use crate::node::{Key, Node, NodeKind};
use crate::parameter;
use crate::sections;
use crate::template::Template;

/// The sections that such references may stand in, and those that they are worked out from, in order.
const STEPS: [(&[&str], &[&str]); 2] = [
    (&["Conditions"], &["Parameters", "Mappings"]),
    (&["Resources", "Outputs"], &["Parameters", "Mappings", "Conditions"]),
];

/// The same tree with names in place of the functions. `given` are the texts of parameters and of pseudo parameters.
pub fn resolve(root: Node, given: &BTreeMap<String, String>) -> Result<Node> {
    STEPS.iter().try_fold(root, |root, (within, from)| resolve_in(root, within, from, given))
}

fn resolve_in(root: Node, within: &[&str], from: &[&str], given: &BTreeMap<String, String>) -> Result<Node> {
    let NodeKind::Map(sections) = &root.kind else { return Ok(root) };
    if !sections.iter().any(|(key, node)| within.contains(&key.name.as_str()) && wants(node)) {
        return Ok(root);
    }
    let (template, pseudo) = (known(sections, from)?, pseudo(given));
    let own = given.iter().filter(|(name, _)| !name.starts_with("AWS::"));
    let own = own.map(|(name, text)| (name.clone(), text.clone())).collect();
    let world = Prefetched::default();
    let parameters = parameter::resolve(&template.parameters, &own, &world)?;
    let evaluator = Evaluator::new(&template, &pseudo, &parameters, &world)?;
    let at = At::root();
    let resolved = sections.iter().map(|(key, section)| {
        let at = at.key(&key.name, section.mark);
        let section = match within.contains(&key.name.as_str()) {
            true => node(section, &at, &evaluator)?,
            false => section.clone(),
        };
        Ok((key.clone(), section))
    });
    let kind = NodeKind::Map(resolved.collect::<Result<_>>()?);
    Ok(Node { kind, mark: root.mark })
}

/// Is there a reference by function at all?
fn wants(node: &Node) -> bool {
    match &node.kind {
        NodeKind::List(items) => items.iter().any(wants),
        NodeKind::Map(entries) => inner(entries).is_some() || entries.iter().any(|(_, node)| wants(node)),
        _ => false,
    }
}

/// The functions in a reference's argument.
fn inner(entries: &[(Key, Node)]) -> Option<&Node> {
    let [(key, argument)] = entries else { return None };
    let found = match (key.name.as_str(), &argument.kind) {
        ("Ref", NodeKind::Map(_)) => true,
        ("Fn::GetAtt", NodeKind::List(items)) => items.iter().any(|item| matches!(item.kind, NodeKind::Map(_))),
        _ => false,
    };
    found.then_some(argument)
}

/// What is known before the resources are.
fn known(sections: &[(Key, Node)], from: &[&str]) -> Result<Template> {
    let mark = Mark::default();
    let text = |text: &str| Node { kind: NodeKind::String(text.to_owned()), mark };
    let map = |key: &str, node: Node| {
        let key = Key { name: key.to_owned(), mark };
        Node { kind: NodeKind::Map(vec![(key, node)]), mark }
    };
    let mut head: Vec<(Key, Node)> =
        sections.iter().filter(|(key, _)| from.contains(&key.name.as_str())).cloned().collect();
    // A template has at least one resource.
    let resource = map("Any", map("Type", text("AWS::CloudFormation::WaitConditionHandle")));
    head.push((Key { name: "Resources".to_owned(), mark }, resource));
    sections::template(&Node { kind: NodeKind::Map(head), mark })
}

fn pseudo(given: &BTreeMap<String, String>) -> Pseudo {
    let of = |name: &str| given.get(&format!("AWS::{name}")).cloned().unwrap_or_else(|| UNKNOWN.to_owned());
    Pseudo {
        account_id: of("AccountId"),
        region: of("Region"),
        partition: of("Partition"),
        url_suffix: of("URLSuffix"),
        stack_name: of("StackName"),
        stack_id: of("StackId"),
        notification_arns: vec![],
    }
}

fn node(here: &Node, at: &At<'_>, evaluator: &Evaluator<'_>) -> Result<Node> {
    let kind = match &here.kind {
        NodeKind::List(items) => {
            let items =
                items.iter().enumerate().map(|(index, item)| node(item, &at.index(index, item.mark), evaluator));
            NodeKind::List(items.collect::<Result<_>>()?)
        }
        NodeKind::Map(entries) => {
            let reference = inner(entries).is_some();
            let entries = entries.iter().map(|(key, value)| {
                let at = at.key(&key.name, value.mark);
                let value = match (&value.kind, reference) {
                    (NodeKind::Map(_), true) => name(value, &at, evaluator)?,
                    (NodeKind::List(items), true) => {
                        let items = items.iter().enumerate().map(|(index, item)| match &item.kind {
                            NodeKind::Map(_) => name(item, &at.index(index, item.mark), evaluator),
                            _ => Ok(item.clone()),
                        });
                        Node { kind: NodeKind::List(items.collect::<Result<_>>()?), mark: value.mark }
                    }
                    _ => node(value, &at, evaluator)?,
                };
                Ok((key.clone(), value))
            });
            NodeKind::Map(entries.collect::<Result<_>>()?)
        }
        other => other.clone(),
    };
    Ok(Node { kind, mark: here.mark })
}

/// The text that a function gives.
fn name(function: &Node, at: &At<'_>, evaluator: &Evaluator<'_>) -> Result<Node> {
    // A reference in it may itself be by function.
    let expr = expr_parse::parse(&node(function, at, evaluator)?, at, Context::Value)?;
    let value = evaluator.value(&expr, at)?;
    match value {
        Some(Value::String(text)) if text.contains(UNKNOWN) => Err(at.not_built(
            "A reference whose name depends on what is not known before the stack is made is not built in Kiln",
        )),
        Some(Value::String(text)) if !text.is_empty() => Ok(Node { kind: NodeKind::String(text), mark: function.mark }),
        _ => Err(at.error("Template format error: every Ref object must have a single String value.")),
    }
}
