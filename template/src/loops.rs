//! `Fn::ForEach` of `AWS::LanguageExtensions`: a part of the template written once and repeated for each value of a
//! collection. Worked out on the tree, before anything is understood: what comes after knows no loops.
//!
//! ```text
//! Fn::ForEach::Loop: [Name, [a, b], {Topic${Name}: {…: !Ref Name}}]  ──▶  Topica: {…: a}, Topicb: {…: b}
//! ```
//! `${Name}` stands for the value, `&{Name}` for its letters and digits, `Ref: Name` for the value as a whole.
//! Decided: a collection is a list written out, or a parameter that is a list; the values are then in the texts of
//! the parameters, which callers have before the template is understood.

use std::collections::{BTreeMap, HashSet};

use crate::error::{At, Result};
use crate::node::{Key, Node, NodeKind};
use crate::read::MAX_S3_BODY;

const PREFIX: &str = "Fn::ForEach::";
/// AWS's sentence for every wrong shape.
const LAYOUT: &str = "Template error: Fn::ForEach layout is incorrect";

/// The sections that loops may stand in.
const SECTIONS: [&str; 3] = ["Conditions", "Resources", "Outputs"];

/// The same tree without loops. `given` are the texts of parameters; where one is missing its default counts.
pub fn expand(root: &Node, given: &BTreeMap<String, String>) -> Result<Node> {
    let NodeKind::Map(sections) = &root.kind else { return Ok(root.clone()) };
    let mut loops = Loops { parameters: root.get("Parameters"), given, made: 0 };
    let at = At::root();
    let mut expanded = Vec::with_capacity(sections.len());
    for (key, section) in sections {
        let at = at.key(&key.name, section.mark);
        let section = match SECTIONS.contains(&key.name.as_str()) {
            true => loops.node(section, &at, &[])?,
            false => section.clone(),
        };
        expanded.push((key.clone(), section));
    }
    Ok(Node { kind: NodeKind::Map(expanded), mark: root.mark })
}

/// An identifier and the value it has in this round.
type Bound<'b> = (&'b str, &'b str);

struct Loops<'n> {
    parameters: Option<&'n Node>,
    given: &'n BTreeMap<String, String>,
    made: usize,
}

impl Loops<'_> {
    fn node(&mut self, node: &Node, at: &At<'_>, bound: &[Bound<'_>]) -> Result<Node> {
        self.count(1, at)?;
        let kind = match &node.kind {
            NodeKind::String(text) => NodeKind::String(self.text(text, at, bound)?),
            NodeKind::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    list.push(self.node(item, &at.index(index, item.mark), bound)?);
                }
                NodeKind::List(list)
            }
            NodeKind::Map(entries) => match identifier(entries, bound) {
                Some(value) => NodeKind::String(value.to_owned()),
                None => NodeKind::Map(self.entries(entries, at, bound)?),
            },
            other => other.clone(),
        };
        Ok(Node { kind, mark: node.mark })
    }

    /// A template may not exceed its size by loops either.
    fn count(&mut self, bytes: usize, at: &At<'_>) -> Result<()> {
        self.made += bytes;
        match self.made > MAX_S3_BODY {
            true => Err(at.error(format!("Template may not exceed {MAX_S3_BODY} bytes in size."))),
            false => Ok(()),
        }
    }

    fn text(&mut self, text: &str, at: &At<'_>, bound: &[Bound<'_>]) -> Result<String> {
        let text = replaced(text, bound);
        self.count(text.len(), at)?;
        Ok(text)
    }

    fn entries(&mut self, entries: &[(Key, Node)], at: &At<'_>, bound: &[Bound<'_>]) -> Result<Vec<(Key, Node)>> {
        let mut all: Vec<(Key, Node)> = Vec::with_capacity(entries.len());
        let mut seen = HashSet::new();
        for (key, value) in entries {
            let at = at.key(&key.name, key.mark);
            let more = match key.name.starts_with(PREFIX) {
                true => self.rounds(value, &at, bound)?,
                false => {
                    let key = Key { name: self.text(&key.name, &at, bound)?, mark: key.mark };
                    vec![(key, self.node(value, &at, bound)?)]
                }
            };
            for (key, value) in more {
                if !seen.insert(key.name.clone()) {
                    return Err(at.error(format!("Template error: Fn::ForEach makes {} more than once", key.name)));
                }
                all.push((key, value));
            }
        }
        Ok(all)
    }

    /// What one loop makes.
    fn rounds(&mut self, argument: &Node, at: &At<'_>, bound: &[Bound<'_>]) -> Result<Vec<(Key, Node)>> {
        let NodeKind::List(items) = &argument.kind else { return Err(at.error(LAYOUT)) };
        let [name, collection, body] = items.as_slice() else { return Err(at.error(LAYOUT)) };
        let (NodeKind::String(name), NodeKind::Map(body)) = (&name.kind, &body.kind) else {
            return Err(at.error(LAYOUT));
        };
        if name.is_empty() || bound.iter().any(|(known, _)| known == name) {
            return Err(at.error(LAYOUT));
        }
        let mut all = Vec::new();
        // A round that makes nothing counts too.
        for value in self.collection(collection, &at.index(1, collection.mark), bound)? {
            self.count(1, at)?;
            let mut bound = bound.to_vec();
            bound.push((name, &value));
            all.extend(self.entries(body, at, &bound)?);
        }
        Ok(all)
    }

    fn collection(&self, node: &Node, at: &At<'_>, bound: &[Bound<'_>]) -> Result<Vec<String>> {
        match &node.kind {
            NodeKind::List(items) => {
                let mut values = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    match item.get("Ref").and_then(Node::scalar_text) {
                        Some(name) => values.extend(self.parameter(&name, at)?),
                        None => {
                            let text = item.scalar_text().ok_or_else(|| at.index(index, item.mark).error(LAYOUT))?;
                            values.push(replaced(&text, bound));
                        }
                    }
                }
                Ok(values)
            }
            NodeKind::Map(entries) if entries.len() == 1 && entries[0].0.name == "Ref" => {
                let name = entries[0].1.scalar_text().ok_or_else(|| at.error(LAYOUT))?;
                self.parameter(&replaced(&name, bound), at)
            }
            NodeKind::Map(_) => {
                Err(at.not_built("Fn::ForEach over a function other than Ref of a parameter is not built in Kiln"))
            }
            _ => Err(at.error(LAYOUT)),
        }
    }

    /// The items of a list that is a parameter.
    fn parameter(&self, name: &str, at: &At<'_>) -> Result<Vec<String>> {
        let declared = self.parameters.and_then(|parameters| parameters.get(name));
        let declared = declared.ok_or_else(|| {
            at.error(format!("Template error: Fn::ForEach can only go over lists and parameters, not over {name}"))
        })?;
        let default = || declared.get("Default").and_then(Node::scalar_text);
        let text = self.given.get(name).cloned().or_else(default);
        let text = text.ok_or_else(|| at.error(format!("Parameters: [{name}] must have values")))?;
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        Ok(items.map(str::to_owned).collect())
    }
}

/// The value of `Ref: Name` where `Name` is an identifier.
fn identifier<'b>(entries: &[(Key, Node)], bound: &[Bound<'b>]) -> Option<&'b str> {
    let [(key, Node { kind: NodeKind::String(name), .. })] = entries else { return None };
    let found = bound.iter().find(|(known, _)| key.name == "Ref" && known == name);
    found.map(|(_, value)| *value)
}

/// The text with identifiers replaced, in one pass: values are not looked into. It stops growing at the size that a
/// whole template may have, which is refused when it is counted.
fn replaced(text: &str, bound: &[Bound<'_>]) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(['$', '&']).filter(|_| !bound.is_empty() && out.len() <= MAX_S3_BODY) {
        let name = rest[start + 1..].strip_prefix('{').and_then(|after| after.split_once('}'));
        let found = name.and_then(|(name, after)| Some((bound.iter().find(|(known, _)| *known == name)?.1, after)));
        let Some((value, after)) = found else {
            out.push_str(&rest[..=start]);
            rest = &rest[start + 1..];
            continue;
        };
        out.push_str(&rest[..start]);
        match rest.as_bytes()[start] {
            b'&' => out.extend(value.chars().filter(char::is_ascii_alphanumeric)),
            _ => out.push_str(value),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}
