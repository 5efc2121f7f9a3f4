//! Regions and availability zones: facts, and three zones in every region.
//!
//! Kiln is one machine; a region is a name and a key of everything kept, a zone is a domain of
//! failure that can be cut off.

use kiln_service_kit::Error;

/// Regions that need no opt-in, with the short form used in zone ids.
pub const REGIONS: &[(&str, &str)] = &[
    ("ap-northeast-1", "apne1"),
    ("ap-northeast-2", "apne2"),
    ("ap-northeast-3", "apne3"),
    ("ap-south-1", "aps1"),
    ("ap-southeast-1", "apse1"),
    ("ap-southeast-2", "apse2"),
    ("ca-central-1", "cac1"),
    ("eu-central-1", "euc1"),
    ("eu-north-1", "eun1"),
    ("eu-west-1", "euw1"),
    ("eu-west-2", "euw2"),
    ("eu-west-3", "euw3"),
    ("sa-east-1", "sae1"),
    ("us-east-1", "use1"),
    ("us-east-2", "use2"),
    ("us-west-1", "usw1"),
    ("us-west-2", "usw2"),
];

/// One zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// e.g. `us-east-1a`
    pub name: String,
    /// e.g. `use1-az1`
    pub id: String,
}

/// The three zones of a region.
pub fn zones(region: &str) -> Vec<Zone> {
    let short = REGIONS.iter().find(|(name, _)| *name == region).map_or(region, |(_, short)| short);
    ["a", "b", "c"]
        .iter()
        .enumerate()
        .map(|(n, letter)| Zone { name: format!("{region}{letter}"), id: format!("{short}-az{}", n + 1) })
        .collect()
}

/// The id of a zone's name.
pub fn zone_id(region: &str, name: &str) -> Option<String> {
    zones(region).into_iter().find(|zone| zone.name == name).map(|zone| zone.id)
}

/// The zone that a request means by name or id; none when it says neither.
pub fn wanted(region: &str, name: Option<&str>, id: Option<&str>) -> Result<Option<String>, Error> {
    let zones = zones(region);
    let known = || zones.iter().map(|zone| zone.name.as_str()).collect::<Vec<_>>().join(", ");
    match (name, id) {
        (None, None) => Ok(None),
        (Some(name), _) => match zones.iter().find(|zone| zone.name == name) {
            Some(zone) => Ok(Some(zone.name.clone())),
            None => Err(crate::errors::invalid_value(format!(
                "Value ({name}) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: {}.",
                known()
            ))),
        },
        (None, Some(id)) => match zones.iter().find(|zone| zone.id == id) {
            Some(zone) => Ok(Some(zone.name.clone())),
            None => {
                Err(crate::errors::invalid_value(format!("Value ({id}) for parameter availabilityZoneId is invalid.")))
            }
        },
    }
}
