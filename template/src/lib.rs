//! CloudFormation's template language: text in; a checked template, resolved values, an order and a list of changes
//! out. Pure: no I/O, no clock, nothing asynchronous.
//!
//! ```text
//! body ─read─▶ Node ─sections, expr_parse─▶ Template ─check─▶
//!        Evaluator (parameters, conditions, Lookup) ─▶ JSON ─schema::check─▶ violations
//!        Graph (waves)                                     └─▶ changes::plan ─▶ what DescribeChangeSet shows
//! ```
//!
//! The world comes in through [`Lookup`], which may answer "not known yet". Decided: one tree of our own ([`Expr`])
//! in which functions are already understood. Turned down: working on JSON and looking for `Fn::` keys everywhere.

pub mod changes;
mod check;
mod conditions;
mod dynamic_reference;
mod error;
mod evaluate;
mod expr;
mod expr_parse;
pub mod facts;
mod fields;
mod functions;
mod graph;
mod lookup;
mod loops;
mod names;
mod node;
mod order;
mod parameter;
mod pattern;
mod read;
pub mod schema;
mod secret_reference;
mod sections;
mod template;
mod understand;

pub use error::{ErrorKind, Mark, Place, Result, TemplateError};
pub use evaluate::{Evaluator, Pseudo, ResolvedOutput, ResolvedResource};
pub use expr::{Expr, ExprKind, Reference, SubPart};
pub use graph::Graph;
pub use lookup::{Answer, Fact, Lookup, Prefetched, UNKNOWN, is_unknown};
pub use node::{Node, NodeKind};
pub use parameter::{Parameter, ParameterType, ParameterValues, resolve as resolve_parameters};
pub use pattern::{Pattern, TooManySteps};
pub use read::{Aliases, MAX_DEPTH, MAX_DIRECT_BODY, MAX_S3_BODY, Origin, read};
pub use schema::{Recreation, ResourceSchema, Schemas, Violation, check_properties};
pub use secret_reference::{SecretReference, fill as fill_secrets, secret_references};
pub use template::{DeletionPolicy, Mappings, Output, Resource, Rule, Template};
