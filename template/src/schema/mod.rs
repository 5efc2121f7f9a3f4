//! What a resource type has: its properties, which can change in place, what `Fn::GetAtt` gives.
//!
//! Plain data, loaded from compact facts (`facts/*.json`, written by `tools/resource_facts.py`). Checking properties
//! is in `check`, loading in `load`.

mod check;
mod load;
mod readable;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value;

pub use check::{Violation, check_properties, violations_text};

/// A resource type.
#[derive(Clone, Debug)]
pub struct ResourceSchema {
    /// For example `AWS::EC2::VPC`.
    pub type_name: String,
    /// Its properties: an object.
    pub properties: Property,
    /// Shapes that properties share, by name.
    pub definitions: BTreeMap<String, Property>,
    /// Paths a template may not set (`VpcId`, `Endpoint/Address`).
    pub read_only: Vec<String>,
    /// Paths that are never given back.
    pub write_only: Vec<String>,
    /// Paths whose change needs a new resource (`*` is any list item).
    pub create_only: Vec<String>,
    /// Paths whose change may need a new resource.
    pub conditional_create_only: Vec<String>,
    /// The properties that together name one resource.
    pub primary_identifier: Vec<String>,
    /// What `Fn::GetAtt` may ask for (`Outputs.*` is any below).
    pub attributes: Vec<String>,
    /// A replacement must delete the old one first (two cannot exist at once).
    pub delete_before_create: bool,
    /// The property that holds tags.
    pub tags: Option<String>,
}

/// What a property, list item or definition is.
#[derive(Clone, Debug, Default)]
pub struct Property {
    /// Its kind.
    pub kind: Kind,
    /// The values it may have; empty if any.
    pub allowed: Vec<String>,
    /// `allowed` without regard to case.
    pub any_case: bool,
    /// What its text must match.
    pub pattern: Option<Pattern>,
    /// Least and most for numbers.
    pub range: (Option<f64>, Option<f64>),
    /// Least and most characters, or items.
    pub length: (Option<u64>, Option<u64>),
}

/// The kinds of properties.
#[derive(Clone, Debug, Default)]
pub enum Kind {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A boolean.
    Boolean,
    /// Anything (policy documents, also as text).
    #[default]
    Json,
    /// A list.
    List {
        /// Its items.
        of: Box<Property>,
        /// The order says nothing.
        unordered: bool,
        /// No two items alike.
        unique: bool,
    },
    /// Any keys, values of one kind.
    Map(Box<Property>),
    /// Named members.
    Object(Object),
    /// A shared shape by name.
    Ref(String),
}

/// An object's members.
#[derive(Clone, Debug, Default)]
pub struct Object {
    /// The members by name.
    pub members: BTreeMap<String, Property>,
    /// Those that must be there.
    pub required: Vec<String>,
    /// Other members are allowed too.
    pub open: bool,
}

/// A regular expression, compiled when first needed.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// As the facts have it.
    pub text: String,
    compiled: OnceLock<Option<crate::pattern::Pattern>>,
}

impl Pattern {
    /// From its text.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), compiled: OnceLock::new() }
    }

    /// The compiled form; `None` for one that does not compile, which the tests of the facts do not let pass.
    pub fn regex(&self) -> Option<&crate::pattern::Pattern> {
        self.compiled.get_or_init(|| crate::pattern::Pattern::ecma(&self.text).ok()).as_ref()
    }
}

/// What changing a property does to the resource (`RequiresRecreation` of a change set).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recreation {
    /// It changes in place.
    Never,
    /// It depends.
    Conditionally,
    /// A new resource is made.
    Always,
}

impl Recreation {
    /// AWS's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Recreation::Never => "Never",
            Recreation::Conditionally => "Conditionally",
            Recreation::Always => "Always",
        }
    }
}

/// Where schemas come from.
pub trait Schemas {
    /// The schema of a type, if this platform has it.
    fn resource(&self, type_name: &str) -> Option<&ResourceSchema>;
}

impl Schemas for BTreeMap<String, ResourceSchema> {
    fn resource(&self, type_name: &str) -> Option<&ResourceSchema> {
        self.get(type_name)
    }
}

impl ResourceSchema {
    /// From compact facts: `facts` is the object of one type. `Err` says what is wrong with the facts.
    pub fn from_facts(type_name: &str, facts: &Value) -> Result<ResourceSchema, String> {
        load::resource(type_name, facts).map_err(|why| format!("facts of {type_name}: {why}"))
    }

    /// All types of one facts file.
    pub fn all_from_facts(facts: &Value) -> Result<Vec<ResourceSchema>, String> {
        let types = facts.as_object().ok_or("facts must be an object of types")?;
        types.iter().map(|(name, facts)| Self::from_facts(name, facts)).collect()
    }

    /// Its members.
    pub fn members(&self) -> &BTreeMap<String, Property> {
        match &self.properties.kind {
            Kind::Object(object) => &object.members,
            _ => unreachable!("the loader makes the properties an object"),
        }
    }

    /// The shape behind a `Ref`, or the property itself. `None`: the name leads nowhere, or only round in circles.
    pub fn follow<'s>(&'s self, property: &'s Property) -> Option<&'s Property> {
        let mut here = property;
        for _ in 0..8 {
            match &here.kind {
                Kind::Ref(name) => {
                    here = match name.strip_prefix('/') {
                        Some(member) => self.members().get(member)?,
                        None => self.definitions.get(name)?,
                    }
                }
                _ => return Some(here),
            }
        }
        None
    }

    /// What a change at this path (`["Tags", "0", "Key"]`) does to the resource.
    pub fn recreation(&self, path: &[&str]) -> Recreation {
        let touches = |paths: &[String]| paths.iter().any(|known| overlaps(known, path));
        if touches(&self.create_only) {
            Recreation::Always
        } else if touches(&self.conditional_create_only) {
            Recreation::Conditionally
        } else {
            Recreation::Never
        }
    }

    /// May `Fn::GetAtt` ask for this?
    pub fn has_attribute(&self, name: &str) -> bool {
        self.attributes.iter().any(|known| {
            known == name
                || known.strip_suffix('*').is_some_and(|start| name.starts_with(start) && name.len() > start.len())
        })
    }
}

/// Is one path at, above or below the other?
fn overlaps(known: &str, path: &[&str]) -> bool {
    known.split('/').zip(path).all(|(step, here)| step == *here || step == "*")
}
