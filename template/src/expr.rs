//! A template value with its intrinsic functions understood but not yet computed.
//!
//! Parsing checks the shape of each function once, with AWS's sentence; evaluation (`evaluate`) then only meets
//! well-formed calls.

use serde_json::Number;

use crate::error::{At, Mark};

/// A value and where it begins.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it begins.
    pub mark: Mark,
}

/// The kinds of values and functions.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    String(String),
    /// A list.
    List(Vec<Expr>),
    /// An object, in the order written.
    Map(Vec<(String, Expr)>),
    /// `Ref`: a parameter, pseudo parameter or resource.
    Ref(String),
    /// `Fn::GetAtt`.
    GetAtt {
        /// Logical id of the resource.
        resource: String,
        /// Attribute name (text, or a `Ref` to a parameter).
        attribute: Box<Expr>,
    },
    /// `Fn::Sub`, its text already cut into pieces.
    Sub {
        /// The pieces in order.
        parts: Vec<SubPart>,
        /// The variables of the second argument.
        variables: Vec<(String, Expr)>,
    },
    /// `Fn::Join`.
    Join {
        /// Put between the values.
        delimiter: String,
        /// A list, or a function that gives one.
        values: Box<Expr>,
    },
    /// `Fn::Select`.
    Select {
        /// Which item, from 0.
        index: Box<Expr>,
        /// A list, or a function that gives one.
        list: Box<Expr>,
    },
    /// `Fn::Split`.
    Split {
        /// Where to cut.
        delimiter: String,
        /// The text to cut.
        source: Box<Expr>,
    },
    /// `Fn::If`.
    If {
        /// The name of the condition.
        condition: String,
        /// The value if it holds.
        then: Box<Expr>,
        /// The value if it does not.
        otherwise: Box<Expr>,
    },
    /// `Fn::FindInMap`.
    FindInMap {
        /// Mapping name.
        map: Box<Expr>,
        /// First key.
        first: Box<Expr>,
        /// Second key.
        second: Box<Expr>,
        /// `DefaultValue`, if given.
        default: Option<Box<Expr>>,
    },
    /// `Fn::Base64`.
    Base64(Box<Expr>),
    /// `Fn::Cidr`.
    Cidr {
        /// The block to divide.
        block: Box<Expr>,
        /// How many to make.
        count: Box<Expr>,
        /// How many bits each keeps for hosts.
        host_bits: Box<Expr>,
    },
    /// `Fn::GetAZs`.
    GetAzs(Box<Expr>),
    /// `Fn::ImportValue`.
    ImportValue(Box<Expr>),
    /// `Fn::Length` of `AWS::LanguageExtensions`: of a list, or a function that gives one.
    Length(Box<Expr>),
    /// `Fn::ToJsonString` of `AWS::LanguageExtensions`.
    ToJsonString(Box<Expr>),
    /// `Condition`: another condition by name (only where a condition is expected).
    Condition(String),
    /// `Fn::Equals`.
    Equals(Box<Expr>, Box<Expr>),
    /// `Fn::And`, 2 to 10.
    And(Vec<Expr>),
    /// `Fn::Or`, 2 to 10.
    Or(Vec<Expr>),
    /// `Fn::Not`.
    Not(Box<Expr>),
    /// `Fn::Contains` of a rule: is the value one of the list?
    Contains(Box<Expr>, Box<Expr>),
    /// `Fn::EachMemberEquals` of a rule.
    EachMemberEquals(Box<Expr>, Box<Expr>),
    /// `Fn::EachMemberIn` of a rule.
    EachMemberIn(Box<Expr>, Box<Expr>),
}

/// A piece of a `Fn::Sub` text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubPart {
    /// Text as it is.
    Text(String),
    /// A variable of the second argument.
    Variable(String),
    /// `${Name}`: as `Ref`.
    Ref(String),
    /// `${Name.Attribute}`: as `Fn::GetAtt`.
    GetAtt(String, String),
}

/// What a value points at, for graphs, checks and change causes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    /// `Ref` (or `${Name}`): parameter, pseudo parameter or resource.
    Ref(String),
    /// `Fn::GetAtt` (or `${Name.Attr}`); the attribute is `None` when it is itself computed.
    GetAtt(String, Option<String>),
    /// `Fn::If` or `Condition`.
    Condition(String),
}

impl Expr {
    /// A plain text.
    pub fn text(text: impl Into<String>) -> Expr {
        Expr { kind: ExprKind::String(text.into()), mark: Mark::default() }
    }

    /// The text if it is plain text without functions.
    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            ExprKind::String(text) => Some(text),
            _ => None,
        }
    }

    /// The values directly inside, with the name of the place each has.
    pub fn children(&self) -> Vec<&Expr> {
        match &self.kind {
            ExprKind::Bool(_)
            | ExprKind::Number(_)
            | ExprKind::String(_)
            | ExprKind::Ref(_)
            | ExprKind::Condition(_) => Vec::new(),
            ExprKind::List(items) | ExprKind::And(items) | ExprKind::Or(items) => items.iter().collect(),
            ExprKind::Map(entries) => entries.iter().map(|(_, value)| value).collect(),
            ExprKind::GetAtt { attribute, .. } => vec![attribute],
            ExprKind::Sub { variables, .. } => variables.iter().map(|(_, value)| value).collect(),
            ExprKind::Join { values, .. } => vec![values],
            ExprKind::Select { index, list } => vec![index, list],
            ExprKind::Split { source, .. } => vec![source],
            ExprKind::If { then, otherwise, .. } => vec![then, otherwise],
            ExprKind::FindInMap { map, first, second, default } => {
                let mut all: Vec<&Expr> = vec![map, first, second];
                all.extend(default.as_deref());
                all
            }
            ExprKind::Cidr { block, count, host_bits } => vec![block, count, host_bits],
            ExprKind::Base64(value)
            | ExprKind::GetAzs(value)
            | ExprKind::ImportValue(value)
            | ExprKind::Length(value)
            | ExprKind::ToJsonString(value)
            | ExprKind::Not(value) => vec![value],
            ExprKind::Equals(a, b)
            | ExprKind::Contains(a, b)
            | ExprKind::EachMemberEquals(a, b)
            | ExprKind::EachMemberIn(a, b) => vec![a, b],
        }
    }

    /// What this one value points at itself, its children not counted.
    pub fn own_references(&self) -> Vec<Reference> {
        match &self.kind {
            ExprKind::Ref(name) => vec![Reference::Ref(name.clone())],
            ExprKind::GetAtt { resource, attribute } => {
                vec![Reference::GetAtt(resource.clone(), attribute.as_text().map(str::to_owned))]
            }
            ExprKind::Sub { parts, .. } => parts
                .iter()
                .filter_map(|part| match part {
                    SubPart::Text(_) | SubPart::Variable(_) => None,
                    SubPart::Ref(name) => Some(Reference::Ref(name.clone())),
                    SubPart::GetAtt(name, attribute) => Some(Reference::GetAtt(name.clone(), Some(attribute.clone()))),
                })
                .collect(),
            ExprKind::If { condition, .. } | ExprKind::Condition(condition) => {
                vec![Reference::Condition(condition.clone())]
            }
            _ => Vec::new(),
        }
    }

    /// The name of the function, if this is a call.
    pub fn call_name(&self) -> Option<&'static str> {
        Some(match &self.kind {
            ExprKind::Bool(_) | ExprKind::Number(_) | ExprKind::String(_) | ExprKind::List(_) | ExprKind::Map(_) => {
                return None;
            }
            ExprKind::Ref(_) => "Ref",
            ExprKind::GetAtt { .. } => "Fn::GetAtt",
            ExprKind::Sub { .. } => "Fn::Sub",
            ExprKind::Join { .. } => "Fn::Join",
            ExprKind::Select { .. } => "Fn::Select",
            ExprKind::Split { .. } => "Fn::Split",
            ExprKind::If { .. } => "Fn::If",
            ExprKind::FindInMap { .. } => "Fn::FindInMap",
            ExprKind::Base64(_) => "Fn::Base64",
            ExprKind::Cidr { .. } => "Fn::Cidr",
            ExprKind::GetAzs(_) => "Fn::GetAZs",
            ExprKind::ImportValue(_) => "Fn::ImportValue",
            ExprKind::Length(_) => "Fn::Length",
            ExprKind::ToJsonString(_) => "Fn::ToJsonString",
            ExprKind::Condition(_) => "Condition",
            ExprKind::Equals(..) => "Fn::Equals",
            ExprKind::And(_) => "Fn::And",
            ExprKind::Or(_) => "Fn::Or",
            ExprKind::Not(_) => "Fn::Not",
            ExprKind::Contains(..) => "Fn::Contains",
            ExprKind::EachMemberEquals(..) => "Fn::EachMemberEquals",
            ExprKind::EachMemberIn(..) => "Fn::EachMemberIn",
        })
    }

    /// Visits this value and all below it, each with its place; the first error ends the walk.
    pub fn walk_at<E>(&self, at: &At<'_>, visit: &mut dyn FnMut(&Expr, &At<'_>) -> Result<(), E>) -> Result<(), E> {
        visit(self, at)?;
        match &self.kind {
            ExprKind::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.walk_at(&at.index(index, item.mark), visit)?;
                }
            }
            ExprKind::Map(entries) => {
                for (key, value) in entries {
                    value.walk_at(&at.key(key, value.mark), visit)?;
                }
            }
            _ => {
                let Some(name) = self.call_name() else {
                    return Ok(());
                };
                let at = at.key(name, self.mark);
                for child in self.children() {
                    child.walk_at(&at, visit)?;
                }
            }
        }
        Ok(())
    }

    /// Visits this value and all below it.
    pub fn walk<'e>(&'e self, visit: &mut dyn FnMut(&'e Expr)) {
        visit(self);
        for child in self.children() {
            child.walk(visit);
        }
    }

    /// Everything this value and those below it point at, in the order written.
    pub fn references(&self) -> Vec<Reference> {
        let mut all = Vec::new();
        self.walk(&mut |expr| all.extend(expr.own_references()));
        all
    }

    /// Are two values written alike (places do not count)?
    pub fn same_text(&self, other: &Expr) -> bool {
        use ExprKind as K;
        match (&self.kind, &other.kind) {
            (K::Bool(a), K::Bool(b)) => a == b,
            (K::Number(a), K::Number(b)) => a == b,
            (K::String(a), K::String(b)) | (K::Ref(a), K::Ref(b)) | (K::Condition(a), K::Condition(b)) => a == b,
            (K::Map(a), K::Map(b)) => {
                a.len() == b.len()
                    && a.iter()
                        .all(|(key, value)| b.iter().any(|(other, second)| other == key && value.same_text(second)))
            }
            (K::GetAtt { resource: a, .. }, K::GetAtt { resource: b, .. }) if a != b => false,
            (K::Sub { parts: a, variables: va }, K::Sub { parts: b, variables: vb }) => {
                a == b
                    && va.len() == vb.len()
                    && va.iter().zip(vb).all(|((na, ea), (nb, eb))| na == nb && ea.same_text(eb))
            }
            (K::Join { delimiter: a, .. }, K::Join { delimiter: b, .. })
            | (K::Split { delimiter: a, .. }, K::Split { delimiter: b, .. })
            | (K::If { condition: a, .. }, K::If { condition: b, .. })
                if a != b =>
            {
                false
            }
            (a, b) if std::mem::discriminant(a) != std::mem::discriminant(b) => false,
            _ => {
                let (mine, theirs) = (self.children(), other.children());
                mine.len() == theirs.len() && mine.iter().zip(theirs).all(|(a, b)| a.same_text(b))
            }
        }
    }
}
