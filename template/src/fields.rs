//! Values of sections as their readers want them.

use serde_json::Value;

use crate::error::{At, Result};
use crate::node::{Key, Node, NodeKind};

/// The entries of an object, or the sentence given.
pub(crate) fn entries<'n>(node: &'n Node, at: &At<'_>, sentence: &str) -> Result<&'n [(Key, Node)]> {
    match &node.kind {
        NodeKind::Map(entries) => Ok(entries),
        NodeKind::Null => Err(at.error(format!("[/{}] 'null' values are not allowed in templates", at.path()))),
        _ => Err(at.error(sentence)),
    }
}

/// A scalar as text, or the sentence given.
pub(crate) fn text(node: &Node, at: &At<'_>, sentence: &str) -> Result<String> {
    node.scalar_text().ok_or_else(|| at.error(sentence))
}

/// The texts of a list of scalars.
pub(crate) fn scalars(node: &Node) -> Option<Vec<String>> {
    match &node.kind {
        NodeKind::List(items) => items.iter().map(Node::scalar_text).collect(),
        _ => None,
    }
}

/// `true` and `"true"` alike.
pub(crate) fn flag(node: &Node) -> Option<bool> {
    match node.to_json() {
        Value::Bool(value) => Some(value),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}
