//! What an update would do: the content of a change set, and per resource whether it is replaced.
//!
//! `compare` sets one resource's deployed state against its new values; `plan` does so for a whole stack in the
//! order of creation, so that a replaced resource makes the values that depend on it unknown; `cause` says why.

mod cause;
mod compare;
mod plan;

use serde_json::Value;

use crate::evaluate::ResolvedResource;
use crate::schema::Recreation;
use crate::template::DeletionPolicy;

pub use compare::{Comparison, compare};
pub use plan::{Deployed, NESTED_STACK, plan};

/// A resource as it was last brought about.
#[derive(Clone, Debug, PartialEq)]
pub struct DeployedResource {
    /// Its physical id, once it has one.
    pub physical_id: Option<String>,
    /// `Type`.
    pub resource_type: String,
    /// The properties as applied.
    pub properties: Value,
    /// `Metadata`.
    pub metadata: Option<Value>,
    /// `CreationPolicy`.
    pub creation_policy: Option<Value>,
    /// `UpdatePolicy`.
    pub update_policy: Option<Value>,
    /// `DeletionPolicy`.
    pub deletion_policy: Option<DeletionPolicy>,
    /// `UpdateReplacePolicy`.
    pub update_replace_policy: Option<DeletionPolicy>,
}

/// An enum whose variants are AWS's words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant),* }

        impl $name {
            /// AWS's word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),* }
            }
        }
    };
}

words! {
    /// What is done with a resource.
    Action {
        /// It is made.
        Add,
        /// It is changed or replaced.
        Modify,
        /// It leaves the stack.
        Remove,
    }
}
words! {
    /// Is a new one made for it?
    Replacement {
        /// Yes.
        True,
        /// No.
        False,
        /// Only known when it is done.
        Conditional,
    }
}
words! {
    /// Which part of a resource changes.
    Attribute {
        /// Its properties.
        Properties,
        /// Its metadata.
        Metadata,
        /// Its creation policy.
        CreationPolicy,
        /// Its update policy.
        UpdatePolicy,
        /// Its deletion policy.
        DeletionPolicy,
        /// Its update-replace policy.
        UpdateReplacePolicy,
        /// Its tags.
        Tags,
    }
}
words! {
    /// What happens to one value.
    ChangeType {
        /// It is new.
        Add,
        /// It goes.
        Remove,
        /// It becomes another.
        Modify,
    }
}
words! {
    /// Is the new value known for sure?
    Evaluation {
        /// It is certain to change.
        Static,
        /// It may change; only carrying it out will tell.
        Dynamic,
    }
}
words! {
    /// Why a value changes.
    ChangeSource {
        /// The template says something else.
        DirectModification,
        /// A parameter has another value.
        ParameterReference,
        /// A resource it refers to is new.
        ResourceReference,
        /// An attribute it refers to may be new.
        ResourceAttribute,
        /// A nested stack, which may always have changes of its own.
        Automatic,
    }
}
words! {
    /// What becomes of the thing that goes.
    PolicyAction {
        /// Deleted.
        Delete,
        /// Kept.
        Retain,
        /// Deleted after a snapshot.
        Snapshot,
        /// Replaced, the old one deleted.
        ReplaceAndDelete,
        /// Replaced, the old one kept.
        ReplaceAndRetain,
        /// Replaced, the old one deleted after a snapshot.
        ReplaceAndSnapshot,
    }
}

/// One value of a resource that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// The part of the resource.
    pub attribute: Attribute,
    /// The top-level property, for properties and tags.
    pub name: Option<String>,
    /// `/Properties/Tags/0/Value`.
    pub path: String,
    /// What the change does to the resource.
    pub recreation: Recreation,
    /// Added, removed or modified.
    pub change_type: ChangeType,
    /// The value before, `****` for what came from a NoEcho parameter.
    pub before: Option<String>,
    /// The value after.
    pub after: Option<String>,
    /// Certain or not.
    pub evaluation: Evaluation,
    /// Why.
    pub source: ChangeSource,
    /// The parameter, resource or `Resource.Attribute` it comes from.
    pub causing_entity: Option<String>,
}

/// What an update does to one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceChange {
    /// Add, Modify or Remove.
    pub action: Action,
    /// Its logical id.
    pub logical_id: String,
    /// Its physical id, if it has one.
    pub physical_id: Option<String>,
    /// Its type.
    pub resource_type: String,
    /// For Modify: is it replaced?
    pub replacement: Option<Replacement>,
    /// What becomes of the old thing.
    pub policy_action: Option<PolicyAction>,
    /// Which parts change.
    pub scope: Vec<Attribute>,
    /// Every value that changes.
    pub details: Vec<Detail>,
    /// What it is to be, as callers may see it.
    pub after: Option<ResolvedResource>,
}
