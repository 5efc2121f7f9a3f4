//! What a target group is told to be.

use std::net::IpAddr;
use std::time::Duration;

use crate::config::{TargetGroupConfig, ZoneConfig};
use crate::health::Matcher;

/// Everything a group is told; replaced as a whole.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config: TargetGroupConfig,
    pub(crate) matcher: Matcher,
    pub(crate) vpc: String,
    pub(crate) zones: Vec<ZoneConfig>,
    pub(crate) idle: Duration,
    /// Does any listener send requests here?
    pub(crate) in_use: bool,
}

impl Settings {
    /// The address the balancer speaks from to a target of this zone.
    pub(crate) fn source_ip(&self, zone: &str) -> Option<IpAddr> {
        self.zones.iter().find(|z| z.name == zone).or(self.zones.first()).and_then(|z| z.source_ip)
    }

    /// Whether its targets may be in this zone.
    pub(crate) fn zone_enabled(&self, zone: &str) -> bool {
        zone.is_empty() || self.zones.is_empty() || self.zones.iter().any(|z| z.name == zone)
    }
}
