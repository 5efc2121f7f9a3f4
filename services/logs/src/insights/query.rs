//! What a query says, once it is read.

use super::aggregate::Kind;
use super::functions::Function;
use super::glob::Extractor;
use super::time::Period;
use super::value::Value;
use regex::Regex;

/// The number of a field among those that a query names.
pub type FieldId = usize;

/// What a field is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    Timestamp,
    IngestionTime,
    Message,
    LogStream,
    Log,
    Ptr,
    /// Made by the query.
    Made,
    /// A member of a message that is JSON.
    Found(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    Or,
    And,
    Equal,
    Different,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

/// An expression.
#[derive(Debug, Clone)]
pub enum Expr {
    Literal(Value<'static>),
    Field(FieldId),
    Binary(Binary, Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Minus(Box<Expr>),
    /// `like "text"`
    Contains(Box<Expr>, Box<Expr>),
    /// `like /expression/`
    Matches(Box<Expr>, Regex),
    In(Box<Expr>, Vec<Expr>),
    Call(Function, Vec<Expr>),
    /// `bin`, `datefloor`
    Floor(Box<Expr>, Period),
    Ceil(Box<Expr>, Period),
    /// What an aggregate of the same command comes to, by its number.
    Aggregated(usize),
}

/// An aggregate of an expression.
#[derive(Debug, Clone)]
pub struct Aggregate {
    pub kind: Kind,
    pub of: Expr,
}

/// One command between bars.
#[derive(Debug, Clone)]
pub enum Step {
    /// Fields that are made.
    Fields(Vec<(FieldId, Expr)>),
    Filter(Expr),
    Parse {
        from: FieldId,
        with: Extractor,
        into: Vec<FieldId>,
    },
    Stats {
        aggregates: Vec<Aggregate>,
        values: Vec<(FieldId, Expr)>,
        by: Vec<(FieldId, Expr)>,
    },
    /// True: falling.
    Sort(Vec<(Expr, bool)>),
    Dedup(Vec<FieldId>),
    Limit(usize),
}

/// A field that is shown, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub name: String,
    pub field: FieldId,
}

/// A whole query.
#[derive(Debug, Clone)]
pub struct Query {
    pub fields: Vec<Field>,
    pub steps: Vec<Step>,
    pub shown: Vec<Shown>,
    /// The pointer, where rows are events.
    pub ptr: Option<FieldId>,
}
