//! A stack: what it is, what it is meant to become, and the operation in hand.

use super::role_session;
use kiln_service_kit::{Caller, Error, Keys, Record, Rows, Scope, Store, Timestamp, Tx, regions};
use kiln_template::{Origin, ParameterValues, Template};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A stack; its id in the store is its ARN.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stack {
    pub id: String,
    pub name: String,
    pub status: Status,
    pub reason: Option<String>,
    pub created: Timestamp,
    pub updated: Option<Timestamp>,
    pub deleted: Option<Timestamp>,
    /// Whose rights count: resources are made as this caller.
    pub owner: Caller,
    pub role_arn: Option<String>,
    /// What was last brought about completely.
    pub current: Option<Arc<Version>>,
    /// What the operation in hand leads to.
    pub target: Option<Arc<Version>>,
    pub outputs: Vec<Output>,
    /// Names of the exports of other stacks that this one uses.
    pub imports: BTreeSet<String>,
    pub operation: Option<Operation>,
    pub on_failure: OnFailure,
    pub timeout_minutes: Option<i32>,
    pub termination_protection: bool,
    pub policy: Option<String>,
    /// The change set that was carried out last. A plain update leaves it: AWS's documents are silent on that.
    pub change_set_id: Option<String>,
    pub retain_except_on_create: bool,
    /// What it is part of, if it is a nested stack.
    #[serde(default)]
    pub parent: Option<Parent>,
    /// What it was before an update that its parent may still take back.
    #[serde(default)]
    pub earlier: Option<Earlier>,
    /// The host that its last wish came to: URLs in its template may name it.
    #[serde(default)]
    pub host: Option<String>,
}

impl Record for Stack {
    const KIND: &'static str = "cloudformation/stack";
    const KEYS: &'static [&'static str] = &["name", "parent", "root", "import", "export"];
    fn keys(&self) -> Keys {
        let parent = self.parent.iter().map(|parent| ("parent", parent.stack_id.clone()));
        let imports = self.imports.iter().map(|name| ("import", name.clone()));
        let exports = self.exports().filter_map(|output| output.export_name.clone()).map(|name| ("export", name));
        let own = [("name", self.name.clone()), ("root", self.root_id().to_owned())];
        own.into_iter().chain(parent).chain(imports).chain(exports).collect()
    }
}

/// What a nested stack is part of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parent {
    pub stack_id: String,
    pub root_id: String,
    /// Client token of its creation.
    pub token: String,
}

/// What a stack was before an update that its parent may still take back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Earlier {
    pub(super) version: Arc<Version>,
    pub(super) outputs: Vec<Output>,
}

/// One wish of what a stack should be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Version {
    pub body: String,
    pub description: Option<String>,
    pub parameters: Parameters,
    pub tags: BTreeMap<String, String>,
    pub capabilities: Vec<String>,
    /// Topics that are told of the stack's events.
    #[serde(default)]
    pub notification_arns: Vec<String>,
    /// What each resource needs; the resources that conditions leave out are not in it.
    pub needs: BTreeMap<String, BTreeSet<String>>,
    /// Names of the exports that it uses, once it was brought about.
    #[serde(default)]
    pub imports: Option<BTreeSet<String>>,
    /// The pseudo parameters that it was understood with.
    #[serde(default)]
    pub pseudo: BTreeMap<String, String>,
}

impl Version {
    /// Its template, understood as when it was accepted; also by its length, wherever it came from.
    pub fn template(&self) -> kiln_template::Result<Template> {
        let given = self.parameters.given.iter().chain(&self.pseudo);
        let given = given.map(|(name, text)| (name.clone(), text.clone())).collect();
        Template::parse_given(&self.body, Origin::S3, &given)
    }
}

/// Parameters as the template sees them, as given, and as found in the parameter store.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Parameters {
    pub values: BTreeMap<String, Json>,
    pub given: BTreeMap<String, String>,
    pub resolved: BTreeMap<String, String>,
    pub no_echo: BTreeSet<String>,
}

impl Parameters {
    /// As the template engine takes them.
    pub fn values(&self) -> ParameterValues {
        ParameterValues { values: self.values.clone(), given: self.given.clone(), resolved: self.resolved.clone() }
    }
}

/// One output of a stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Output {
    pub name: String,
    pub value: String,
    pub description: Option<String>,
    pub export_name: Option<String>,
}

/// What somebody asked a stack to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    pub id: String,
    pub kind: OperationKind,
    pub started: Timestamp,
    /// `ClientRequestToken`, which all its events carry.
    pub token: Option<String>,
    /// Why it must turn back although no resource failed (cancelled, too late, exports); or why it did.
    pub failed: Option<String>,
    /// The policy for this update only.
    pub policy: Option<String>,
    /// Resources that a deletion or a rollback must leave alone.
    pub skip: BTreeSet<String>,
    /// Resources that cannot be deleted do not hold the deletion up.
    pub force: bool,
    /// How often its rollback was begun: each try looks at failed resources anew.
    pub tries: u32,
    /// The phase of the parent's that asked for it; none if somebody else did.
    #[serde(default)]
    pub asked: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperationKind {
    Create,
    Update,
    Delete,
    Rollback,
}

impl OperationKind {
    /// AWS's word in `LastOperations`.
    pub fn as_str(self) -> &'static str {
        match self {
            OperationKind::Create => "CREATE_STACK",
            OperationKind::Update => "UPDATE_STACK",
            OperationKind::Delete => "DELETE_STACK",
            OperationKind::Rollback => "ROLLBACK",
        }
    }
}

/// What a failed creation leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnFailure {
    DoNothing,
    Rollback,
    Delete,
    /// A nested stack stops and stays as it is: its parent takes it back.
    Stop,
}

impl OnFailure {
    /// From the two ways to say it.
    pub fn of(word: Option<&str>, disable_rollback: Option<bool>) -> Self {
        match (word, disable_rollback) {
            (Some("DO_NOTHING"), _) | (None, Some(true)) => OnFailure::DoNothing,
            (Some("DELETE"), _) => OnFailure::Delete,
            _ => OnFailure::Rollback,
        }
    }
}

macro_rules! statuses {
    ($($name:ident = $word:literal),* $(,)?) => {
        /// AWS's states of a stack. Each state in progress is one phase of work.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum Status { $(#[serde(rename = $word)] $name),* }
        impl Status {
            /// AWS's word.
            pub fn as_str(self) -> &'static str {
                match self { $(Status::$name => $word),* }
            }
        }
    };
}

statuses! {
    ReviewInProgress = "REVIEW_IN_PROGRESS",
    CreateInProgress = "CREATE_IN_PROGRESS",
    CreateComplete = "CREATE_COMPLETE",
    CreateFailed = "CREATE_FAILED",
    RollbackInProgress = "ROLLBACK_IN_PROGRESS",
    RollbackComplete = "ROLLBACK_COMPLETE",
    RollbackFailed = "ROLLBACK_FAILED",
    UpdateInProgress = "UPDATE_IN_PROGRESS",
    UpdateCleanup = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    UpdateComplete = "UPDATE_COMPLETE",
    UpdateFailed = "UPDATE_FAILED",
    UpdateRollbackInProgress = "UPDATE_ROLLBACK_IN_PROGRESS",
    UpdateRollbackFailed = "UPDATE_ROLLBACK_FAILED",
    UpdateRollbackCleanup = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    UpdateRollbackComplete = "UPDATE_ROLLBACK_COMPLETE",
    DeleteInProgress = "DELETE_IN_PROGRESS",
    DeleteComplete = "DELETE_COMPLETE",
    DeleteFailed = "DELETE_FAILED",
}

impl Status {
    /// Whether the controller has work.
    pub fn in_progress(self) -> bool {
        self.as_str().ends_with("_IN_PROGRESS") && self != Status::ReviewInProgress
    }

    /// Whether everything is in place and an update may begin.
    pub fn is_updatable(self) -> bool {
        use Status::*;
        matches!(self, CreateComplete | UpdateComplete | UpdateRollbackComplete | CreateFailed | UpdateFailed)
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Stack {
    /// The ARN of a new stack.
    pub fn arn(scope: &Scope, name: &str, uuid: &str) -> String {
        let partition = regions::partition_of(&scope.region).name;
        format!("arn:{partition}:cloudformation:{}:{}:stack/{name}/{uuid}", scope.region, scope.account)
    }

    /// Names the phase of work in hand: progress that carries another name belongs to an earlier one.
    pub fn phase(&self) -> String {
        match &self.operation {
            Some(operation) => format!("{}/{}/{}", operation.id, self.status, operation.tries),
            None => self.status.to_string(),
        }
    }

    /// The caller whose rights count for the resources.
    pub fn caller(&self) -> Caller {
        match &self.role_arn {
            None => self.owner.clone(),
            Some(arn) => role_session::caller(&self.owner, arn),
        }
    }

    /// Its outputs that others may use: a stack that is gone keeps its outputs, but exports nothing.
    pub fn exports(&self) -> impl Iterator<Item = &Output> {
        let there = self.status != Status::DeleteComplete;
        self.outputs.iter().filter(move |output| there && output.export_name.is_some())
    }

    /// The version shown to callers.
    pub fn shown(&self) -> Option<&Arc<Version>> {
        match self.status {
            Status::UpdateInProgress | Status::CreateInProgress => self.target.as_ref().or(self.current.as_ref()),
            _ => self.current.as_ref().or(self.target.as_ref()),
        }
    }
}

/// Where records are read from: the store, or a transaction. Who reads so decides by what is not there: one
/// that does not read is an error where it may be meant.
pub trait Reads {
    fn one<R: Record>(&self, scope: &Scope, id: &str) -> Result<Option<Arc<R>>, Error>;
    /// Those whose ids begin so.
    fn beginning<R: Record>(&self, scope: &Scope, prefix: &str) -> Result<Rows<R>, Error>;
    /// Those that have a key.
    fn having<R: Record>(&self, scope: &Scope, key: &'static str, value: &str) -> Result<Rows<R>, Error>;
}

impl Reads for Store {
    fn one<R: Record>(&self, scope: &Scope, id: &str) -> Result<Option<Arc<R>>, Error> {
        Ok(self.get(scope, id)?)
    }
    fn beginning<R: Record>(&self, scope: &Scope, prefix: &str) -> Result<Rows<R>, Error> {
        Ok(self.whole().list_prefix(scope, prefix)?)
    }
    fn having<R: Record>(&self, scope: &Scope, key: &'static str, value: &str) -> Result<Rows<R>, Error> {
        Ok(self.whole().by_key(scope, key, value)?)
    }
}

impl Reads for Tx<'_> {
    fn one<R: Record>(&self, scope: &Scope, id: &str) -> Result<Option<Arc<R>>, Error> {
        Ok(self.get(scope, id)?)
    }
    fn beginning<R: Record>(&self, scope: &Scope, prefix: &str) -> Result<Rows<R>, Error> {
        Ok(self.list_prefix(scope, prefix)?)
    }
    fn having<R: Record>(&self, scope: &Scope, key: &'static str, value: &str) -> Result<Rows<R>, Error> {
        Ok(self.by_key(scope, key, value)?)
    }
}

/// The stack of a name (one that is not deleted) or an ARN (also a deleted one).
pub fn find(reads: &impl Reads, scope: &Scope, name_or_arn: &str) -> Result<Option<Arc<Stack>>, Error> {
    if name_or_arn.starts_with("arn:") {
        return reads.one(scope, name_or_arn);
    }
    let named = reads.having::<Stack>(scope, "name", name_or_arn)?.into_iter().map(|(_, stack)| stack);
    Ok(named.into_iter().find(|stack| stack.status != Status::DeleteComplete))
}
