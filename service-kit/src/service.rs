//! A service on one screen: its model, rows, controllers, CloudFormation types and starters.

use crate::{AnyController, Cx, Error, Operation, Platform, RecordType, ResourceType, RestRules};
use futures_util::future::BoxFuture;
use kiln_journal::Kept;
use kiln_protocol::{Route, ServiceModel};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Something a service runs beside its controllers, e.g. the metadata servers; called once at start.
pub type Start = fn(Arc<Platform>) -> BoxFuture<'static, Result<(), Error>>;

/// What a text leads to that no controller reports on.
#[derive(Debug, Default)]
pub struct Explained {
    /// Sentences about the thing itself.
    pub facts: Vec<String>,
    /// Names that controllers know and that tell about it.
    pub of: BTreeSet<String>,
}

/// What `kiln explain` is told of a text: an id, an ARN, a name. Nothing: it is none of the service's things.
pub type Explain = for<'a> fn(&'a Cx, &'a str) -> BoxFuture<'a, Result<Option<Explained>, Error>>;

/// Whether a value names a thing that is there: for parameters of templates of an AWS type (`AWS::EC2::VPC::Id`).
pub type Names = for<'a> fn(&'a Cx, &'a str) -> BoxFuture<'a, Result<bool, Error>>;

/// What `pub fn service()` of each service folder returns.
pub struct Service {
    pub model: &'static ServiceModel,
    pub operations: Vec<&'static [Operation]>,
    pub controllers: Vec<Arc<dyn AnyController>>,
    pub resources: Vec<Arc<dyn ResourceType>>,
    /// AWS types of template parameters whose values name things of this service.
    pub parameter_types: &'static [(&'static str, Names)],
    pub start: Vec<Start>,
    /// The kinds of history that it writes, and how long each is kept.
    pub keeps: Vec<Kept>,
    /// The kinds of records that it keeps: all of them, see [`records!`](crate::records).
    pub records: &'static [RecordType],
    /// What it knows of its things that have no controller; see [`Explain`].
    pub explain: Option<Explain>,
    /// Whether its things can have policies of their own: its rows' targets say whose they are
    /// ([`Target::of`](crate::Target::of)), and everybody is judged by them, the root user of another account and
    /// Kiln's own services among them.
    pub owns: bool,
    /// The member of its requests that the path of a form stands for where the form leaves it out: its things have
    /// addresses of their own.
    pub path_names: Option<&'static str>,
    /// Operations that are data events to CloudTrail (GetObject, SendMessage), and so not in its history.
    pub data_events: &'static [&'static str],
    /// Operations that change nothing, although their names do not say so (`readOnly` in CloudTrail's records).
    pub only_reads: &'static [&'static str],
    /// By which a REST request is told to mean an operation; empty for other protocols.
    pub routes: &'static [Route],
    /// What it has to say of heads and bodies, where it is a REST service.
    pub rest: Option<&'static dyn RestRules>,
}

impl Service {
    /// A service with operations only; push the rest.
    pub fn new(model: &'static ServiceModel, operations: &[&'static [Operation]]) -> Self {
        Self {
            model,
            operations: operations.to_vec(),
            controllers: vec![],
            resources: vec![],
            parameter_types: &[],
            start: vec![],
            keeps: vec![],
            records: &[],
            explain: None,
            owns: false,
            path_names: None,
            data_events: &[],
            only_reads: &[],
            routes: &[],
            rest: None,
        }
    }

    /// The row of that name.
    pub fn find(&self, operation: &str) -> Option<&'static Operation> {
        self.operations.iter().flat_map(|rows| rows.iter()).find(|row| row.name == operation)
    }
}
