//! Where the next instances go: always the zone with the fewest, in it the subnet with the fewest.

use crate::records::{Group, Member};
use kiln_service_kit::Timestamp;
use std::collections::BTreeMap;

/// A zone and, where the group names subnets, a subnet in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub zone: String,
    pub subnet: Option<String>,
}

/// Instances by zone and by subnet.
#[derive(Debug, Clone, Default)]
pub struct Spread {
    zones: BTreeMap<String, u32>,
    subnets: BTreeMap<String, u32>,
}

impl Spread {
    /// Counts members and open launches.
    pub fn of<'a>(group: &Group, members: impl Iterator<Item = &'a Member>) -> Self {
        let mut spread = Self::default();
        for member in members {
            spread.add(&member.zone, member.subnet.as_deref());
        }
        for launch in &group.launches {
            spread.add(&launch.zone, launch.subnet.as_deref());
        }
        spread
    }

    fn add(&mut self, zone: &str, subnet: Option<&str>) {
        *self.zones.entry(zone.to_owned()).or_default() += 1;
        if let Some(subnet) = subnet {
            *self.subnets.entry(subnet.to_owned()).or_default() += 1;
        }
    }

    fn in_zone(&self, zone: &str) -> u32 {
        self.zones.get(zone).copied().unwrap_or(0)
    }

    /// The best place for one more, which is then counted. Zones in trouble come last, the one
    /// with the fewest failures first. `None`: the group names no zone.
    pub fn next(&mut self, group: &Group, now: Timestamp) -> Option<Place> {
        let trouble = |zone: &String| group.trouble(zone, now).map_or(0, |trouble| trouble.count);
        let zone = group.zones.iter().min_by_key(|zone| (trouble(zone), self.in_zone(zone)))?.clone();
        Some(self.take(group, zone))
    }

    /// The best place for one more in a zone, which is then counted.
    pub fn take(&mut self, group: &Group, zone: String) -> Place {
        let subnets = group.subnets.iter().filter(|(_, in_zone)| *in_zone == zone);
        let subnet = subnets.map(|(id, _)| id).min_by_key(|id| self.subnets.get(*id).copied().unwrap_or(0)).cloned();
        self.add(&zone, subnet.as_deref());
        Place { zone, subnet }
    }

    /// The one of `zones` that has too few, when some zone has at least two more than it. A zone
    /// that the group no longer names has too many as soon as it has one.
    pub fn unbalanced<'a>(&self, group: &Group, zones: impl Iterator<Item = &'a String>) -> Option<String> {
        let fewest = zones.min_by_key(|zone| self.in_zone(zone))?;
        let least = self.in_zone(fewest);
        let too_many = self.zones.iter().any(|(zone, n)| match group.zones.contains(zone) {
            true => *n > least + 1,
            false => *n > 0,
        });
        too_many.then(|| fewest.clone())
    }

    /// How full a zone is, for choosing where to take one away.
    pub fn fullness(&self, group: &Group, zone: &str) -> (bool, u32) {
        (!group.zones.iter().any(|z| z == zone), self.in_zone(zone))
    }

    /// One fewer in a zone.
    pub fn remove(&mut self, zone: &str) {
        if let Some(n) = self.zones.get_mut(zone) {
            *n = n.saturating_sub(1);
        }
    }
}
