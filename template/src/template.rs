//! A template after parsing: its sections as plain data. How it gets there: `understand`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::{Mark, Place, Result};
use crate::expr::{Expr, ExprKind};
use crate::parameter::Parameter;

/// Most resources a template may define.
pub const MAX_RESOURCES: usize = 500;
/// Most parameters.
pub const MAX_PARAMETERS: usize = 200;
/// Most outputs.
pub const MAX_OUTPUTS: usize = 200;
/// Most mappings.
pub const MAX_MAPPINGS: usize = 200;

/// Mapping name → first key → second key → a scalar or a list.
pub type Mappings = BTreeMap<String, BTreeMap<String, BTreeMap<String, Value>>>;

/// A parsed and checked template.
#[derive(Clone, Debug, Default)]
pub struct Template {
    /// `Description`.
    pub description: Option<String>,
    /// `Metadata`, as it is.
    pub metadata: Option<Value>,
    /// Is `AWS::LanguageExtensions` declared as `Transform`?
    pub language_extensions: bool,
    /// `Parameters` by name.
    pub parameters: BTreeMap<String, Parameter>,
    /// `Mappings`.
    pub mappings: Mappings,
    /// `Conditions` by name.
    pub conditions: BTreeMap<String, Expr>,
    /// `Rules` by name.
    pub rules: BTreeMap<String, Rule>,
    /// `Resources` by logical id.
    pub resources: BTreeMap<String, Resource>,
    /// `Outputs` by name.
    pub outputs: BTreeMap<String, Output>,
}

/// One entry of `Resources`.
#[derive(Clone, Debug)]
pub struct Resource {
    /// `Type`, for example `AWS::EC2::VPC`.
    pub resource_type: String,
    /// `Properties`: always an object, empty if left out.
    pub properties: Expr,
    /// `DependsOn`.
    pub depends_on: Vec<String>,
    /// `Condition`.
    pub condition: Option<String>,
    /// `DeletionPolicy`: a word, or with `AWS::LanguageExtensions` a function.
    pub deletion_policy: Option<Expr>,
    /// `UpdateReplacePolicy`, the same.
    pub update_replace_policy: Option<Expr>,
    /// `CreationPolicy`.
    pub creation_policy: Option<Expr>,
    /// `UpdatePolicy`.
    pub update_policy: Option<Expr>,
    /// `Metadata`.
    pub metadata: Option<Expr>,
    /// Where it begins.
    pub mark: Mark,
}

/// What happens to the real thing when its resource goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionPolicy {
    /// It is deleted.
    Delete,
    /// It stays.
    Retain,
    /// It stays, unless the operation that created it is rolled back.
    RetainExceptOnCreate,
    /// A snapshot is taken, then it is deleted.
    Snapshot,
}

impl DeletionPolicy {
    /// AWS's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            DeletionPolicy::Delete => "Delete",
            DeletionPolicy::Retain => "Retain",
            DeletionPolicy::RetainExceptOnCreate => "RetainExceptOnCreate",
            DeletionPolicy::Snapshot => "Snapshot",
        }
    }

    /// From AWS's word.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Delete, Self::Retain, Self::RetainExceptOnCreate, Self::Snapshot]
            .into_iter()
            .find(|policy| policy.as_str() == name)
    }
}

/// One entry of `Outputs`.
#[derive(Clone, Debug)]
pub struct Output {
    /// `Value`.
    pub value: Expr,
    /// `Description`.
    pub description: Option<String>,
    /// `Condition`.
    pub condition: Option<String>,
    /// `Export.Name`.
    pub export_name: Option<Expr>,
    /// Where it begins.
    pub mark: Mark,
}

/// One entry of `Rules`.
#[derive(Clone, Debug)]
pub struct Rule {
    /// `RuleCondition`: when it applies; always, if left out.
    pub condition: Option<Expr>,
    /// `Assertions`: what must hold, and what to say if not.
    pub assertions: Vec<(Expr, Option<String>)>,
}

impl Template {
    /// The types of all resources, each once, sorted: what must be known before a stack is created.
    pub fn resource_types(&self) -> Vec<&str> {
        let mut types: Vec<&str> = self.resources.values().map(|resource| resource.resource_type.as_str()).collect();
        types.sort_unstable();
        types.dedup();
        types
    }

    /// Refuses the template if `known` does not know one of its resource types, in AWS's words.
    pub fn check_types(&self, known: impl Fn(&str) -> bool) -> Result<()> {
        let unknown: Vec<&str> = self.resource_types().into_iter().filter(|name| !known(name)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let message = format!("Template format error: Unrecognized resource types: [{}]", unknown.join(", "));
        let mut error = crate::error::TemplateError::plain(message);
        if let Some((id, resource)) = self.resources.iter().find(|(_, resource)| resource.resource_type == unknown[0]) {
            error.place.path = format!("Resources/{id}/Type");
            error.place.mark = resource.mark;
        }
        Err(error)
    }

    /// Where a resource writes a property (`SecurityGroupIngress/0/FromPort`), as deep as the text goes: behind a
    /// function it ends at the function.
    pub fn property_place(&self, logical_id: &str, path: &str) -> Place {
        let mut place = Place { path: format!("Resources/{logical_id}/Properties"), mark: Mark::default() };
        let mut found = self.resources.get(logical_id).map(|resource| &resource.properties);
        for step in path.split('/').filter(|step| !step.is_empty()) {
            place.path = format!("{}/{step}", place.path);
            let below = found.and_then(|expr| match &expr.kind {
                ExprKind::Map(entries) => entries.iter().find(|(key, _)| key == step).map(|(_, value)| value),
                ExprKind::List(items) => step.parse().ok().and_then(|index: usize| items.get(index)),
                _ => None,
            });
            if below.is_none() {
                break;
            }
            found = below;
        }
        place.mark = found.map(|expr| expr.mark).unwrap_or_default();
        place
    }

    /// The capabilities a caller must acknowledge: `CAPABILITY_IAM` for IAM resources, `CAPABILITY_NAMED_IAM` if
    /// one of them has a name of its own.
    pub fn required_capabilities(&self) -> Option<(&'static str, Vec<&str>)> {
        const IAM: [(&str, &str); 11] = [
            ("AWS::IAM::AccessKey", ""),
            ("AWS::IAM::Group", "GroupName"),
            ("AWS::IAM::GroupPolicy", ""),
            ("AWS::IAM::InstanceProfile", "InstanceProfileName"),
            ("AWS::IAM::ManagedPolicy", "ManagedPolicyName"),
            ("AWS::IAM::Policy", ""),
            ("AWS::IAM::Role", "RoleName"),
            ("AWS::IAM::RolePolicy", ""),
            ("AWS::IAM::User", "UserName"),
            ("AWS::IAM::UserPolicy", ""),
            ("AWS::IAM::UserToGroupAddition", ""),
        ];
        let mut types = Vec::new();
        let mut named = false;
        for resource in self.resources.values() {
            let Some((name, own_name)) = IAM.iter().find(|(name, _)| *name == resource.resource_type) else {
                continue;
            };
            types.push(*name);
            if let ExprKind::Map(entries) = &resource.properties.kind {
                named |= !own_name.is_empty() && entries.iter().any(|(key, _)| key == own_name);
            }
        }
        types.sort_unstable();
        types.dedup();
        match types.is_empty() {
            true => None,
            false => Some((if named { "CAPABILITY_NAMED_IAM" } else { "CAPABILITY_IAM" }, types)),
        }
    }
}
