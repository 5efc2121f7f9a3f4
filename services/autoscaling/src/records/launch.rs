//! A launch that was decided. It holds everything the RunInstances call needs, so that a second
//! try after a crash is the same request with the same client token.

use kiln_service_kit::Timestamp;
use serde::{Deserialize, Serialize};

/// A launch template as a group or an instance names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    pub id: String,
    pub name: String,
    /// On a group as given (`$Latest`, `$Default`, `3`); on an instance the number.
    pub version: String,
    /// No version was given: `$Default` is meant, and none is shown.
    #[serde(default)]
    pub unsaid: bool,
}

/// See the module's head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// Counts up in the group: a step that decides launch 7 does nothing when it was decided.
    pub number: u64,
    /// The activity's id, also the client token.
    pub activity: String,
    pub at: Timestamp,
    pub zone: String,
    pub subnet: Option<String>,
    /// With the version's number.
    pub template: Option<Template>,
    pub configuration: Option<String>,
    /// The template's network interface, where it names one: the subnet has to be written into it.
    pub interface: Option<Interface>,
    /// Tags of the instance.
    pub tags: Vec<(String, String)>,
    pub protected: bool,
    /// Launched to balance the zones: beyond the desired capacity until it is in service.
    pub rebalance: bool,
}

/// The first network interface of a launch template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    pub groups: Vec<String>,
    pub public_address: Option<bool>,
    pub delete_on_termination: Option<bool>,
    pub description: Option<String>,
}
