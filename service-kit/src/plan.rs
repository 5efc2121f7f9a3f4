//! What a controller is told, decides and says: a name in, steps and a report out.

use kiln_clock::Timestamp;
use kiln_store::Scope;
use std::fmt::Debug;
use std::sync::Arc;

/// The name of a thing: all a controller is told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    pub scope: Scope,
    pub id: Arc<str>,
}

impl Name {
    pub fn new(scope: &Scope, id: impl Into<Arc<str>>) -> Self {
        Self { scope: scope.clone(), id: id.into() }
    }
}

/// What a controller waits for, in plain words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub what: String,
    /// When to look again at the latest; `None` waits for a change alone.
    pub until: Option<Timestamp>,
}

/// What a controller sees, wants, will do next and waits for; shown by `kiln explain`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    pub sees: String,
    pub wants: String,
    pub next: Vec<String>,
    pub waiting_for: Option<Waiting>,
    /// All is as wanted: what is waited for is only news.
    pub at_rest: bool,
    /// The failure of this pass, else one that the plan knows of and waits out.
    pub failing: Option<String>,
}

/// Steps to take now and the report that explains them.
#[derive(Debug, Clone)]
pub struct Plan<S> {
    pub steps: Vec<S>,
    /// Steps that do not depend on each other may run at the same time.
    pub concurrent: bool,
    pub report: Report,
}

impl<S: Debug> Plan<S> {
    /// One step after the other. The report's `next` is filled from the steps when empty.
    pub fn new(steps: Vec<S>, report: Report) -> Self {
        Self { steps, concurrent: false, report }
    }
    /// All steps at the same time.
    pub fn concurrent(steps: Vec<S>, report: Report) -> Self {
        Self { steps, concurrent: true, report }
    }
    /// Nothing to do.
    pub fn rest(report: Report) -> Self {
        Self { steps: vec![], concurrent: false, report }
    }
}
