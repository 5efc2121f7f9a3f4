//! Regions and availability zones, as the table of regions has them.
//!
//! Kiln is one machine; a region is a name and a key of everything kept, a zone is a domain of
//! failure that can be cut off.

use kiln_service_kit::{Error, regions};

/// One zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// e.g. `us-east-1a`
    pub name: String,
    /// e.g. `use1-az1`
    pub id: String,
}

/// The zones of a region; none of a region that is none.
pub fn zones(region: &str) -> Vec<Zone> {
    let Some(found) = regions::region(region) else { return vec![] };
    let zone = |(letter, number): &(&str, u8)| Zone {
        name: format!("{region}{letter}"),
        id: format!("{}-az{number}", found.zone_prefix),
    };
    found.zones.iter().map(zone).collect()
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
