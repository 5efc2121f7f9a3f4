//! Reading a pattern. `$or` is multiplied out into branches, so that what stands in one path is one node, however it was
//! written, and one element of a list has to satisfy all of it.

use crate::invalid::{InvalidPattern, invalid};
use crate::test::Test;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Branches that a pattern may have. Source: the user guide, "Or matching": 1,000 combinations.
pub const MOST_BRANCHES: usize = 1_000;
/// Nodes of all branches together, so that a pattern of a few thousand characters stays small in memory.
const MOST_NODES: usize = 50_000;

/// Words that cannot be names of fields within `$or`.
const RESERVED: [&str; 9] =
    ["exactly", "prefix", "suffix", "numeric", "anything-but", "exists", "cidr", "equals-ignore-case", "wildcard"];

/// A pattern that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    pub(crate) branches: Vec<Node>,
    /// Paths that a test says must be absent; tests know them by number.
    pub(crate) absent: Vec<Vec<String>>,
}

/// The tests of a path and of those below it: all of them must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Node {
    pub fields: Vec<Field>,
    pub inner: BTreeMap<String, Node>,
}

/// The tests of one field as it was written: one of them must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub tests: Arc<[Test]>,
    /// If absence is one of them: its number among the pattern's.
    pub absent: Option<usize>,
}

/// Before it is made a tree.
type Branch = Vec<(Arc<[String]>, Arc<[Test]>)>;

impl Pattern {
    /// Reads one.
    ///
    /// # Errors
    /// The text is no JSON object, says nothing, or says what nobody knows.
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let json: Json = serde_json::from_str(text).map_err(|error| {
            // The parser's own words end with where.
            invalid(format!("Filter is not valid JSON: {error}"))
        })?;
        Self::of(&json)
    }

    /// Reads one from JSON that was read.
    ///
    /// # Errors
    /// As [`Pattern::parse`].
    pub fn of(json: &Json) -> Result<Self, InvalidPattern> {
        let Json::Object(members) = json else { return Err(invalid("Filter is not an object")) };
        let mut branches: Vec<Branch> = vec![vec![]];
        object(&mut branches, &mut vec![], members, false)?;
        let nodes: usize = branches.iter().flatten().map(|(path, _)| path.len()).sum();
        if nodes > MOST_NODES {
            return Err(invalid("Rule is too complex"));
        }
        let mut pattern = Self { branches: vec![], absent: vec![] };
        for branch in branches {
            let mut root = Node::default();
            for (path, tests) in branch {
                let absent = tests.contains(&Test::Absent).then(|| pattern.absent_at(&path));
                let node = path.iter().fold(&mut root, |node, step| node.inner.entry(step.clone()).or_default());
                node.fields.push(Field { tests, absent });
            }
            pattern.branches.push(root);
        }
        Ok(pattern)
    }

    fn absent_at(&mut self, path: &[String]) -> usize {
        self.absent.iter().position(|known| known == path).unwrap_or_else(|| {
            self.absent.push(path.to_vec());
            self.absent.len() - 1
        })
    }
}

fn object(
    branches: &mut Vec<Branch>,
    path: &mut Vec<String>,
    members: &Map<String, Json>,
    in_or: bool,
) -> Result<(), InvalidPattern> {
    if members.is_empty() {
        return Err(invalid("Empty objects are not allowed"));
    }
    for (name, value) in members {
        if name == "$or" {
            or(branches, path, value)?;
            continue;
        }
        if in_or && RESERVED.contains(&name.as_str()) {
            return Err(invalid(format!("{name} is Ruler reserved fieldName which cannot be used inside $or.")));
        }
        path.push(name.clone());
        match value {
            Json::Object(inner) => object(branches, path, inner, in_or)?,
            Json::Array(values) => {
                let tests: Arc<[Test]> = values.iter().map(Test::parse).collect::<Result<_, _>>()?;
                if tests.is_empty() {
                    return Err(invalid("Empty arrays are not allowed"));
                }
                let path: Arc<[String]> = path.as_slice().into();
                branches.iter_mut().for_each(|branch| branch.push((path.clone(), tests.clone())));
            }
            _ => return Err(invalid(format!("\"{name}\" must be an object or an array"))),
        }
        path.pop();
    }
    Ok(())
}

fn or(branches: &mut Vec<Branch>, path: &mut Vec<String>, value: &Json) -> Result<(), InvalidPattern> {
    let Json::Array(choices) = value else { return Err(invalid("It must be an Array followed with $or.")) };
    if choices.len() < 2 {
        return Err(invalid("There must have at least 2 Objects in $or relationship."));
    }
    let before = std::mem::take(branches);
    for choice in choices {
        let Json::Object(members) = choice else {
            return Err(invalid("Only JSON object is allowed in array of $or relationship."));
        };
        if before.len() + branches.len() > MOST_BRANCHES {
            return Err(too_many());
        }
        let mut forked = before.clone();
        object(&mut forked, path, members, true)?;
        branches.append(&mut forked);
    }
    match branches.len() > MOST_BRANCHES {
        true => Err(too_many()),
        false => Ok(()),
    }
}

fn too_many() -> InvalidPattern {
    invalid(format!("Too many $or combinations: at most {MOST_BRANCHES} are allowed"))
}
