//! YAML with CloudFormation's short-form tags, line and column for every value.
//!
//! Built on the event parser of `saphyr-parser` (it keeps tags and marks). Events are folded with a stack of our
//! own, so depth is counted, not recursed. `!Ref x` becomes `{"Ref": "x"}` here and nothing later knows tags.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::{Aliases, MAX_DEPTH, MAX_NODES, malformed, scalar};
use crate::error::{At, Mark, Result, TemplateError};
use crate::node::{Key, Node, NodeKind};

/// Reads the one document of a YAML text.
pub fn read(text: &str, aliases: Aliases) -> Result<Node> {
    let mut builder = Builder { aliases, frames: Vec::new(), anchors: HashMap::new(), root: None, nodes: 0 };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let marker = error.marker();
            let mark = Mark { line: marker.line() as u32, column: marker.col() as u32 + 1 };
            builder.malformed(mark, error.info())
        })?;
        builder.event(event, mark_of(&span))?;
    }
    match builder.root {
        Some(node) => Ok(node),
        None => Err(At::root().error("Template format error: unsupported structure.")),
    }
}

fn mark_of(span: &Span) -> Mark {
    Mark { line: span.start.line() as u32, column: span.start.col() as u32 + 1 }
}

/// A list or object still being read.
struct Frame {
    anchor: usize,
    tag: Option<String>,
    mark: Mark,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<(Key, Node)>, seen: HashSet<String>, pending: Option<Key>, merges: Vec<Node> },
}

struct Builder {
    aliases: Aliases,
    frames: Vec<Frame>,
    anchors: HashMap<usize, (Node, usize)>,
    root: Option<Node>,
    nodes: usize,
}

impl Builder {
    fn malformed(&self, mark: Mark, reason: &str) -> TemplateError {
        let mut error = malformed("YAML", &At::root(), mark, reason);
        error.place.path = self.path();
        error
    }

    fn path(&self) -> String {
        let steps: Vec<String> = self
            .frames
            .iter()
            .filter_map(|frame| match &frame.content {
                Content::List(items) => Some(items.len().to_string()),
                Content::Map { pending, .. } => pending.as_ref().map(|key| key.name.clone()),
            })
            .collect();
        steps.join("/")
    }

    fn event(&mut self, event: Event<'_>, mark: Mark) -> Result<()> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.root.is_some() => Err(self.malformed(mark, "more than one document")),
            Event::DocumentStart(_) => Ok(()),
            Event::Alias(anchor) => self.alias(anchor, mark),
            Event::Scalar(text, style, anchor, tag) => {
                if self.key_expected() {
                    return self.key(&text, tag.is_some(), mark);
                }
                let tag = self.tag(tag.as_deref(), mark)?;
                let kind = match (&tag, style) {
                    (Some(tag), _) if tag.is_some_function() || tag.is_string() => NodeKind::String(text.into_owned()),
                    (Some(_), _) | (None, ScalarStyle::Plain) => scalar::resolve(&text),
                    (None, _) => NodeKind::String(text.into_owned()),
                };
                self.finish(kind, tag.and_then(YamlTag::function), anchor, mark, 1)
            }
            Event::SequenceStart(anchor, tag) => self.open(anchor, tag.as_deref(), mark, Content::List(Vec::new())),
            Event::MappingStart(anchor, tag) => {
                let content =
                    Content::Map { entries: Vec::new(), seen: HashSet::new(), pending: None, merges: Vec::new() };
                self.open(anchor, tag.as_deref(), mark, content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
        }
    }

    fn key_expected(&self) -> bool {
        matches!(self.frames.last(), Some(Frame { content: Content::Map { pending: None, .. }, .. }))
    }

    fn key(&mut self, text: &str, tagged: bool, mark: Mark) -> Result<()> {
        if tagged {
            return Err(self.malformed(mark, "a key cannot be a function"));
        }
        let aliases = self.aliases;
        let Some(Frame { content: Content::Map { seen, pending, .. }, .. }) = self.frames.last_mut() else {
            return Err(self.malformed(mark, "a key outside of an object"));
        };
        let merge = text == "<<" && aliases == Aliases::Expand;
        *pending = Some(Key { name: text.to_owned(), mark });
        if !merge && !seen.insert(text.to_owned()) {
            return Err(self.malformed(mark, &format!("duplicate key '{text}'")));
        }
        Ok(())
    }

    fn tag(&self, tag: Option<&Tag>, mark: Mark) -> Result<Option<YamlTag>> {
        let Some(tag) = tag else { return Ok(None) };
        if tag.is_yaml_core_schema() {
            return match tag.suffix.as_str() {
                "str" => Ok(Some(YamlTag::String)),
                "int" | "float" | "bool" | "null" | "seq" | "map" => Ok(Some(YamlTag::Plain)),
                other => Err(self.malformed(mark, &format!("the tag !!{other} is not supported"))),
            };
        }
        let function = match tag.suffix.as_str() {
            "Ref" => "Ref",
            "Condition" => "Condition",
            "And" => "Fn::And",
            "Base64" => "Fn::Base64",
            "Cidr" => "Fn::Cidr",
            "Contains" => "Fn::Contains",
            "EachMemberEquals" => "Fn::EachMemberEquals",
            "EachMemberIn" => "Fn::EachMemberIn",
            "Equals" => "Fn::Equals",
            "FindInMap" => "Fn::FindInMap",
            "GetAZs" => "Fn::GetAZs",
            "GetAtt" => "Fn::GetAtt",
            "If" => "Fn::If",
            "ImportValue" => "Fn::ImportValue",
            "Join" => "Fn::Join",
            "Length" => "Fn::Length",
            "Not" => "Fn::Not",
            "Or" => "Fn::Or",
            "RefAll" => "Fn::RefAll",
            "Select" => "Fn::Select",
            "Split" => "Fn::Split",
            "Sub" => "Fn::Sub",
            "ToJsonString" => "Fn::ToJsonString",
            "Transform" => "Fn::Transform",
            "ValueOf" => "Fn::ValueOf",
            "ValueOfAll" => "Fn::ValueOfAll",
            other => {
                return Err(self.malformed(mark, &format!("the tag !{other} is not a CloudFormation function")));
            }
        };
        Ok(Some(YamlTag::Function(function)))
    }

    fn open(&mut self, anchor: usize, tag: Option<&Tag>, mark: Mark, content: Content) -> Result<()> {
        if self.key_expected() {
            return Err(self.malformed(mark, "a key must be a word, not a list or an object"));
        }
        if self.frames.len() >= MAX_DEPTH {
            return Err(self.malformed(mark, &format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let tag = self.tag(tag, mark)?.and_then(YamlTag::function).map(str::to_owned);
        self.frames.push(Frame { anchor, tag, mark, content });
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        let Some(frame) = self.frames.pop() else {
            return Err(self.malformed(Mark::default(), "a list or object ends that never began"));
        };
        let kind = match frame.content {
            Content::List(items) => NodeKind::List(items),
            Content::Map { entries, merges, .. } => NodeKind::Map(self.merge(entries, merges)?),
        };
        let depth = depth_of(&kind);
        self.finish(kind, frame.tag.as_deref(), frame.anchor, frame.mark, depth)
    }

    /// Adds what `<<` names; keys written in the object itself win, then earlier merges.
    fn merge(&self, mut entries: Vec<(Key, Node)>, merges: Vec<Node>) -> Result<Vec<(Key, Node)>> {
        for source in merges {
            let mark = source.mark;
            let sources = match source.kind {
                NodeKind::List(items) => items,
                kind => vec![Node { kind, mark }],
            };
            for source in sources {
                let NodeKind::Map(more) = source.kind else {
                    return Err(self.malformed(mark, "'<<' needs an object or a list of objects"));
                };
                let have: HashSet<String> = entries.iter().map(|(key, _)| key.name.clone()).collect();
                entries.extend(more.into_iter().filter(|(key, _)| !have.contains(&key.name)));
            }
        }
        Ok(entries)
    }

    fn alias(&mut self, anchor: usize, mark: Mark) -> Result<()> {
        if self.aliases == Aliases::Refuse {
            let mut error =
                At::root().error("Template error: YAML aliases are not allowed in CloudFormation templates");
            error.place.path = self.path();
            error.place.mark = mark;
            return Err(error);
        }
        if self.key_expected() {
            return Err(self.malformed(mark, "a key cannot be an alias"));
        }
        let Some((node, size)) = self.anchors.get(&anchor) else {
            return Err(self.malformed(mark, "an alias inside its own anchor"));
        };
        let depth = depth_of(&node.kind);
        let (size, kind) = (*size, node.kind.clone());
        self.nodes += size;
        self.finish(kind, None, 0, mark, depth)
    }

    /// A value is complete: give it to the list or object it belongs to.
    fn finish(
        &mut self,
        kind: NodeKind,
        function: Option<&str>,
        anchor: usize,
        mark: Mark,
        depth: usize,
    ) -> Result<()> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(self.malformed(mark, &format!("more than {MAX_NODES} values")));
        }
        if self.frames.len() + depth > MAX_DEPTH + 1 {
            return Err(self.malformed(mark, &format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let mut node = Node { kind, mark };
        if let Some(function) = function {
            let key = Key { name: function.to_owned(), mark };
            node = Node { kind: NodeKind::Map(vec![(key, node)]), mark };
        }
        if anchor > 0 && self.aliases == Aliases::Expand {
            let size = size_of(&node);
            self.nodes += size;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        match self.frames.last_mut().map(|frame| &mut frame.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { entries, pending, merges, .. }) => match pending.take() {
                Some(key) if key.name == "<<" && self.aliases == Aliases::Expand => merges.push(node),
                Some(key) => entries.push((key, node)),
                None => return Err(self.malformed(mark, "a value without a key")),
            },
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum YamlTag {
    String,
    Plain,
    Function(&'static str),
}

impl YamlTag {
    fn function(self) -> Option<&'static str> {
        match self {
            YamlTag::Function(name) => Some(name),
            YamlTag::String | YamlTag::Plain => None,
        }
    }

    fn is_some_function(self) -> bool {
        matches!(self, YamlTag::Function(_))
    }

    fn is_string(self) -> bool {
        self == YamlTag::String
    }
}

/// How many levels a value has. Children were checked when they were finished, so the recursion is bounded.
fn depth_of(kind: &NodeKind) -> usize {
    match kind {
        NodeKind::List(items) => 1 + items.iter().map(|node| depth_of(&node.kind)).max().unwrap_or(0),
        NodeKind::Map(entries) => 1 + entries.iter().map(|(_, node)| depth_of(&node.kind)).max().unwrap_or(0),
        _ => 1,
    }
}

fn size_of(node: &Node) -> usize {
    match &node.kind {
        NodeKind::List(items) => 1 + items.iter().map(size_of).sum::<usize>(),
        NodeKind::Map(entries) => 1 + entries.iter().map(|(_, node)| size_of(node)).sum::<usize>(),
        _ => 1,
    }
}
