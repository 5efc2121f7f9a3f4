//! Template text to [`Node`] tree: size and depth limits, JSON or YAML.
//!
//! A body whose first character is `{` is JSON, anything else YAML, as CloudFormation decides it. Both readers
//! refuse duplicate keys and nesting beyond [`MAX_DEPTH`], so every later step may recurse.

mod json;
mod scalar;
mod yaml;

use crate::error::{At, Mark, Result, TemplateError};
use crate::node::{Node, NodeKind};

/// The longest body given in the call itself.
pub const MAX_DIRECT_BODY: usize = 51_200;
/// The longest body fetched from S3.
pub const MAX_S3_BODY: usize = 1_000_000;
/// How deep objects and lists may nest. AWS names no number; real templates stay below 30.
pub const MAX_DEPTH: usize = 100;
/// How many values a template may have once aliases are expanded (a guard against small texts that grow huge).
pub const MAX_NODES: usize = 500_000;

/// Where the body came from, which decides how long it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `TemplateBody` of the call.
    Direct,
    /// `TemplateURL`.
    S3,
}

/// What to do with `*alias` in YAML.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aliases {
    /// Refuse them with AWS's sentence: a template that runs on Kiln must run on AWS.
    #[default]
    Refuse,
    /// Expand them and `<<` merges (for tools that work on a template before it is sent).
    Expand,
}

/// Reads a template body into a tree.
pub fn read(body: &str, origin: Origin, aliases: Aliases) -> Result<Node> {
    let (limit, message) = match origin {
        Origin::Direct => (
            MAX_DIRECT_BODY,
            format!(
                "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: \
                 Member must have length less than or equal to {MAX_DIRECT_BODY}"
            ),
        ),
        Origin::S3 => (MAX_S3_BODY, format!("Template may not exceed {MAX_S3_BODY} bytes in size.")),
    };
    if body.len() > limit {
        return Err(TemplateError::plain(message));
    }
    let body = body.strip_prefix('\u{feff}').unwrap_or(body);
    let node = if body.trim_start().starts_with('{') { json::read(body)? } else { yaml::read(body, aliases)? };
    match node.kind {
        NodeKind::Map(_) => Ok(node),
        _ => Err(At::root().error("Template format error: unsupported structure.")),
    }
}

/// "not well-formed" as AWS says it, with the reason behind.
fn malformed(language: &str, at: &At<'_>, mark: Mark, reason: &str) -> TemplateError {
    let mut error = at.error(format!(
        "Template format error: {language} not well-formed. (line {}, column {}): {reason}",
        mark.line, mark.column
    ));
    error.place.mark = mark;
    error
}
