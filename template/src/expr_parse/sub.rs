//! `Fn::Sub`: a text with names in it, and what some of these stand for.

use super::{Call, parse};
use crate::error::Result;
use crate::expr::{ExprKind, SubPart};
use crate::node::{Node, NodeKind};
use std::collections::HashSet;

impl Call<'_> {
    /// Its argument: the text, or the text and the names that it defines.
    pub(super) fn sub(&self, argument: &Node) -> Result<ExprKind> {
        let sentence = "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. \
                        Specify a string as first argument, and an optional second argument to specify a mapping of \
                        values to replace in the string";
        let (text, variables) = match &argument.kind {
            NodeKind::List(items) if items.len() == 2 => {
                let (Some(text), NodeKind::Map(entries)) = (items[0].scalar_text(), &items[1].kind) else {
                    return self.refuse(sentence);
                };
                let mut variables = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    let at = self.at.index(1, items[1].mark);
                    variables.push((key.name.clone(), parse(value, &at.key(&key.name, value.mark), self.context)?));
                }
                (text, variables)
            }
            NodeKind::List(_) | NodeKind::Map(_) | NodeKind::Null => return self.refuse(sentence),
            _ => match argument.scalar_text() {
                Some(text) => (text, Vec::new()),
                None => return self.refuse(sentence),
            },
        };
        let names: HashSet<&str> = variables.iter().map(|(name, _)| name.as_str()).collect();
        match cut(&text, &names) {
            Some(parts) => Ok(ExprKind::Sub { parts, variables }),
            None => self.refuse(
                "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, \
                 underscores, periods, and colons",
            ),
        }
    }
}

/// Cuts a `Fn::Sub` text at `${…}`; `${!x}` is the text `${x}`. `None`: a name with other characters.
fn cut(text: &str, variables: &HashSet<&str>) -> Option<Vec<SubPart>> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let after = &rest[start + 2..];
        let Some(end) = after.find('}') else { break };
        literal.push_str(&rest[..start]);
        let name = &after[..end];
        rest = &after[end + 1..];
        if let Some(kept) = name.strip_prefix('!') {
            literal.push_str("${");
            literal.push_str(kept);
            literal.push('}');
            continue;
        }
        let name = name.trim();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':')) {
            return None;
        }
        if !literal.is_empty() {
            parts.push(SubPart::Text(std::mem::take(&mut literal)));
        }
        parts.push(if variables.contains(name) {
            SubPart::Variable(name.to_owned())
        } else {
            match name.split_once('.') {
                Some((resource, attribute)) => SubPart::GetAtt(resource.to_owned(), attribute.to_owned()),
                None => SubPart::Ref(name.to_owned()),
            }
        });
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(SubPart::Text(literal));
    }
    Some(parts)
}
