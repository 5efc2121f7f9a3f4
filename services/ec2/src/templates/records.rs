//! A launch template and its versions, kept in one record: numbers must not be given twice.

use crate::kinds::{self, Kind};
use crate::tags::{Tagged, Tags};
use kiln_ec2_shapes::RequestLaunchTemplateData;
use kiln_ids::LaunchTemplateId;
use kiln_service_kit::{Keys, Record, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A launch template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LaunchTemplate {
    pub id: LaunchTemplateId,
    pub name: String,
    pub created: Timestamp,
    /// The creator's ARN.
    pub created_by: String,
    pub default_version: i64,
    /// The highest number given so far; deleting a version does not free its number.
    pub latest_given: i64,
    pub versions: BTreeMap<i64, TemplateVersion>,
    pub tags: Tags,
}

/// One version; never changed once made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TemplateVersion {
    pub description: Option<String>,
    pub created: Timestamp,
    pub created_by: String,
    #[serde(with = "kiln_protocol::stored")]
    pub data: RequestLaunchTemplateData,
}

impl LaunchTemplate {
    /// The greatest number there is: what `$Latest` means.
    pub fn latest(&self) -> i64 {
        self.versions.keys().next_back().copied().unwrap_or(self.latest_given)
    }
}

impl Record for LaunchTemplate {
    const KIND: &'static str = "ec2/launch-template";
    const KEYS: &'static [&'static str] = &["launch-template-name"];
    fn keys(&self) -> Keys {
        vec![("launch-template-name", self.name.clone())]
    }
}

impl Tagged for LaunchTemplate {
    const THING: &'static Kind = &kinds::LAUNCH_TEMPLATE;
    fn tags(&self) -> &Tags {
        &self.tags
    }
    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}
