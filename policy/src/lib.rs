//! IAM policy documents: parsing them strictly and evaluating requests against them. Pure: no
//! I/O, no clock; what a decision depends on is in its arguments.
//!
//! ```text
//! text ── Document::parse() ──> Document (patterns compiled once)
//! Request (who, action, resources, condition keys) + Policies (by kind) ── evaluate() ──> Decision
//! ```
//!
//! A [`Decision`] can say in plain words which statement decided, or what came closest to
//! allowing the request, and gives the access-denied message AWS's clients know.
//!
//! Turned down: Cedar and other engines. Their languages are not IAM's, and the rules that matter
//! here (variables, set operators, missing keys, ARN segments) are IAM's own.

mod condition;
mod context;
mod decision;
mod document;
mod evaluate;
mod grammar;
mod json;
mod kind;
mod malformed;
pub mod managed;
mod operator;
mod pattern;
mod principal;
mod types;

#[cfg(test)]
mod tests;

pub use context::{Keys, Principal, Request};
pub use decision::{Decision, Place, PolicyKind, Verdict};
pub use document::{Document, Effect, Statement};
pub use evaluate::{Policies, Policy, ResourcePolicies, evaluate};
pub use kind::DocumentKind;
pub use malformed::MalformedPolicy;
pub use types::check_type;
