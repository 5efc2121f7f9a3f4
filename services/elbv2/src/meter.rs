//! What load balancers and their targets do, as AWS/ApplicationELB names it. Source: the guide for application load
//! balancers, "CloudWatch metrics for your Application Load Balancer": names, dimensions, when something is reported.
//!
//! What is nonzero is told with each look; how things stand (hosts, open connections) once a minute, so that sums over
//! a minute are what they say. Zones are those of targets: kiln's load balancer is one, and has no node in a zone, so
//! what it does itself has no zone.

use crate::arns::{full_name, scope_of};
use crate::data_plane::DataPlane;
use kiln_balancer::{HealthState, Own, Sent, Taken, TargetHealth};
use kiln_meters::{Dimensions, Meter, Reading, Tick};
use kiln_service_kit::{Error, Platform, Scope, async_trait};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

const NAMESPACE: &str = "AWS/ApplicationELB";

/// Measures from now on.
pub fn start(platform: Arc<Platform>) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send>> {
    Box::pin(async move {
        let plane = platform.part::<Arc<DataPlane>>()?;
        kiln_meters::start(&platform, Balancers(plane))
    })
}

struct Balancers(Arc<DataPlane>);

#[async_trait]
impl Meter for Balancers {
    fn name(&self) -> &'static str {
        "elbv2"
    }

    async fn read(&self, _: &Arc<Platform>, tick: Tick) -> Result<Vec<Reading>, Error> {
        let balancer = self.0.balancer();
        let mut readings = vec![];
        for taken in balancer.take() {
            let Some(of) = Of::load_balancer(&taken.load_balancer) else { continue };
            of.own(&taken.own, &mut readings);
            of.sent(&taken, |group| balancer.health(group), &mut readings);
            if tick.ends(1) && taken.open_connections > 0 {
                readings.push(of.reading("ActiveConnectionCount", "Count", &[], one(taken.open_connections as f64)));
            }
        }
        if tick.ends(1) {
            for (arn, _) in balancer.load_balancers() {
                let (Some(of), Some(config)) = (Of::load_balancer(&arn), balancer.config(&arn)) else { continue };
                for group in &config.target_groups {
                    if let Some(health) = balancer.health(&group.id) {
                        of.hosts(&group.id, &health, &mut readings);
                    }
                }
            }
        }
        Ok(readings)
    }
}

/// Whose readings they are.
struct Of<'a> {
    scope: Scope,
    load_balancer: &'a str,
}

/// A value that was there once.
fn one(value: f64) -> Vec<(f64, f64)> {
    vec![(value, 1.0)]
}

/// What happened so often: each time counts 1, so that the average, the least and the greatest are 1. Nothing: none.
fn times(many: u64) -> Vec<(f64, f64)> {
    (many > 0).then_some((1.0, many as f64)).into_iter().collect()
}

/// A sum; nothing if it is 0.
fn nonzero(sum: u64) -> Vec<(f64, f64)> {
    (sum > 0).then_some((sum as f64, 1.0)).into_iter().collect()
}

impl<'a> Of<'a> {
    fn load_balancer(arn: &'a str) -> Option<Self> {
        Some(Self { scope: scope_of(arn)?, load_balancer: full_name(arn) })
    }

    /// A reading with the load balancer's dimension and these.
    fn reading(
        &self,
        name: &'static str,
        unit: &'static str,
        more: &[(&'static str, &str)],
        values: Vec<(f64, f64)>,
    ) -> Reading {
        let mut dimensions: Dimensions = vec![("LoadBalancer", self.load_balancer.to_owned())];
        dimensions.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Reading { scope: self.scope.clone(), namespace: NAMESPACE, name, dimensions, unit, values }
    }

    fn own(&self, own: &Own, readings: &mut Vec<Reading>) {
        let classes = ["HTTPCode_ELB_3XX_Count", "HTTPCode_ELB_4XX_Count", "HTTPCode_ELB_5XX_Count"];
        let mut counts: Vec<(&'static str, Vec<(f64, f64)>)> =
            classes.into_iter().zip(own.answers).map(|(name, count)| (name, times(count))).collect();
        for (code, count) in own.codes {
            let name = match code {
                500 => "HTTPCode_ELB_500_Count",
                502 => "HTTPCode_ELB_502_Count",
                503 => "HTTPCode_ELB_503_Count",
                _ => "HTTPCode_ELB_504_Count",
            };
            counts.push((name, times(count)));
        }
        counts.push(("HTTP_Redirect_Count", times(own.redirects)));
        counts.push(("HTTP_Fixed_Response_Count", times(own.fixed_responses)));
        counts.push(("RejectedConnectionCount", nonzero(own.rejected_connections)));
        counts.push(("RuleEvaluations", nonzero(own.rules)));
        readings.extend(counts.into_iter().map(|(name, values)| self.reading(name, "Count", &[], values)));
        readings.push(self.reading("ProcessedBytes", "Bytes", &[], nonzero(own.bytes)));
    }

    /// What went to targets: of the load balancer, by zone, by group, by both.
    fn sent(&self, taken: &Taken, health: impl Fn(&str) -> Option<Vec<TargetHealth>>, readings: &mut Vec<Reading>) {
        let mut all: BTreeMap<(Option<&str>, Option<&str>), Sent> = BTreeMap::new();
        for (group, zone, sent) in &taken.sent {
            // A target outside of the VPC is in no zone.
            let zones = [None, (!zone.is_empty()).then_some(zone.as_str())];
            for zone in zones.into_iter().take(if zones[1].is_some() { 2 } else { 1 }) {
                for group in [None, Some(group.as_str())] {
                    all.entry((group, zone)).or_default().add(sent);
                }
            }
        }
        let to_targets = all.get(&(None, None)).map_or(0, |sent| sent.connections);
        let connections = nonzero(taken.own.connections + to_targets);
        readings.push(self.reading("NewConnectionCount", "Count", &[], connections));
        for ((group, zone), sent) in &all {
            let name = group.map(|group| ("TargetGroup", full_name(group)));
            let zone_name = zone.map(|zone| ("AvailabilityZone", zone));
            let more: Vec<_> = name.into_iter().chain(zone_name).collect();
            let classes = ["2XX", "3XX", "4XX", "5XX"].into_iter().zip(sent.answers);
            readings.extend(classes.map(|(class, count)| {
                let name = match class {
                    "2XX" => "HTTPCode_Target_2XX_Count",
                    "3XX" => "HTTPCode_Target_3XX_Count",
                    "4XX" => "HTTPCode_Target_4XX_Count",
                    _ => "HTTPCode_Target_5XX_Count",
                };
                self.reading(name, "Count", &more, times(count))
            }));
            readings.push(self.reading("RequestCount", "Count", &more, times(sent.requests)));
            readings.push(self.reading("TargetConnectionErrorCount", "Count", &more, nonzero(sent.connection_errors)));
            let took = sent.times.seconds().map(|(seconds, many)| (seconds, many as f64)).collect();
            readings.push(self.reading("TargetResponseTime", "Seconds", &more, took));
            if let Some(group) = group
                && let Some(health) = health(group)
            {
                self.per_target(sent.requests, &more, &in_zone(&health, *zone), readings);
            }
        }
    }

    /// Requests by healthy target; where none is, by registered one.
    fn per_target(
        &self,
        requests: u64,
        of: &[(&'static str, &str)],
        health: &[&TargetHealth],
        readings: &mut Vec<Reading>,
    ) {
        let many = match standing(health, HealthState::Healthy) {
            0 => registered(health),
            healthy => healthy,
        };
        if many == 0 {
            return;
        }
        let reading = self.reading("RequestCountPerTarget", "None", of, one(requests as f64 / many as f64));
        let mut alone = reading.clone();
        alone.dimensions.retain(|(name, _)| *name != "LoadBalancer");
        readings.extend([reading, alone]);
    }

    /// How the targets of a group stand, in all and by zone.
    fn hosts(&self, group: &str, health: &[TargetHealth], readings: &mut Vec<Reading>) {
        let mut zones: Vec<Option<&str>> =
            health.iter().map(|t| t.zone.as_str()).filter(|zone| !zone.is_empty()).map(Some).collect();
        zones.push(None);
        zones.sort_unstable();
        zones.dedup();
        for zone in zones {
            let health = in_zone(health, zone);
            if registered(&health) == 0 {
                continue;
            }
            let group = ("TargetGroup", full_name(group));
            let more: Vec<_> = [group].into_iter().chain(zone.map(|zone| ("AvailabilityZone", zone))).collect();
            for (name, state) in
                [("HealthyHostCount", HealthState::Healthy), ("UnHealthyHostCount", HealthState::Unhealthy)]
            {
                readings.push(self.reading(name, "Count", &more, one(standing(&health, state) as f64)));
            }
            self.per_target(0, &more, &health, readings);
        }
    }
}

fn in_zone<'h>(health: &'h [TargetHealth], zone: Option<&str>) -> Vec<&'h TargetHealth> {
    health.iter().filter(|target| zone.is_none_or(|zone| target.zone == zone)).collect()
}

fn standing(health: &[&TargetHealth], state: HealthState) -> usize {
    health.iter().filter(|target| target.health.state == state).count()
}

/// Those that are not on their way out.
fn registered(health: &[&TargetHealth]) -> usize {
    health.len() - standing(health, HealthState::Draining) - standing(health, HealthState::Unused)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LB: &str = "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/shop/50dc6c495c0c9188";
    const GROUP: &str = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/web/73e2d6bc24d8a067";

    fn target(zone: &str, state: HealthState) -> TargetHealth {
        let ip = std::net::IpAddr::from([10, 0, 0, 1]);
        let health = kiln_balancer::Health { state, reason: None };
        TargetHealth { id: "i-1".into(), ip, port: 80, zone: zone.into(), health_check_port: 80, health, in_flight: 0 }
    }

    fn text(reading: &Reading) -> String {
        let dimensions: Vec<String> =
            reading.dimensions.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{} {} {:?} {}", reading.name, reading.unit, reading.values, dimensions.join(","))
    }

    fn told(readings: Vec<Reading>, name: &str) -> Vec<String> {
        let of = readings.iter().filter(|reading| reading.name == name && !reading.values.is_empty());
        of.map(text).collect()
    }

    fn sent(requests: u64, answers: [u64; 4]) -> Sent {
        Sent { requests, answers, connections: 1, ..Sent::default() }
    }

    #[test]
    fn answers_of_targets_have_every_dimension_that_is_documented() {
        let taken = Taken {
            load_balancer: LB.into(),
            sent: vec![
                (GROUP.into(), "us-east-1a".into(), sent(5, [3, 0, 0, 2])),
                (GROUP.into(), String::new(), sent(1, [0, 0, 0, 1])),
            ],
            ..Taken::default()
        };
        let health = || Some(vec![target("us-east-1a", HealthState::Healthy), target("", HealthState::Healthy)]);
        let mut readings = vec![];
        Of::load_balancer(LB).expect("an ARN").sent(&taken, |_| health(), &mut readings);
        let lb = "LoadBalancer=app/shop/50dc6c495c0c9188";
        let group = "TargetGroup=targetgroup/web/73e2d6bc24d8a067";
        let zone = "AvailabilityZone=us-east-1a";
        assert_eq!(
            told(readings.clone(), "HTTPCode_Target_5XX_Count"),
            [
                format!("HTTPCode_Target_5XX_Count Count [(1.0, 3.0)] {lb}"),
                format!("HTTPCode_Target_5XX_Count Count [(1.0, 2.0)] {lb},{zone}"),
                format!("HTTPCode_Target_5XX_Count Count [(1.0, 3.0)] {lb},{group}"),
                format!("HTTPCode_Target_5XX_Count Count [(1.0, 2.0)] {lb},{group},{zone}"),
            ]
        );
        assert!(told(readings.clone(), "HTTPCode_Target_4XX_Count").is_empty(), "nothing is told of what was not");
        assert_eq!(
            told(readings.clone(), "RequestCountPerTarget"),
            [
                format!("RequestCountPerTarget None [(3.0, 1.0)] {lb},{group}"),
                format!("RequestCountPerTarget None [(3.0, 1.0)] {group}"),
                format!("RequestCountPerTarget None [(5.0, 1.0)] {lb},{group},{zone}"),
                format!("RequestCountPerTarget None [(5.0, 1.0)] {group},{zone}"),
            ]
        );
        assert_eq!(told(readings, "NewConnectionCount"), [format!("NewConnectionCount Count [(2.0, 1.0)] {lb}")]);
    }

    #[test]
    fn hosts_are_told_while_some_are_registered() {
        let of = Of::load_balancer(LB).expect("an ARN");
        let told_of = |states: &[HealthState]| {
            let health: Vec<_> = states.iter().map(|state| target("us-east-1a", *state)).collect();
            let mut readings = vec![];
            of.hosts(GROUP, &health, &mut readings);
            let of = |name| -> Vec<f64> {
                readings.iter().filter(|r| r.name == name).map(|reading| reading.values[0].0).collect()
            };
            (of("HealthyHostCount"), of("UnHealthyHostCount"))
        };
        use HealthState::*;
        assert_eq!(told_of(&[Healthy, Unhealthy, Initial, Draining]), (vec![1.0; 2], vec![1.0; 2]));
        assert_eq!(told_of(&[Unhealthy]), (vec![0.0; 2], vec![1.0; 2]));
        assert_eq!(told_of(&[Draining]), (vec![], vec![]));
        assert_eq!(told_of(&[]), (vec![], vec![]));
    }

    #[test]
    fn what_the_load_balancer_does_itself_is_told_where_it_was() {
        let of = Of::load_balancer(LB).expect("an ARN");
        let own = Own {
            answers: [0, 0, 3],
            codes: [(500, 0), (502, 1), (503, 2), (504, 0)],
            fixed_responses: 2,
            bytes: 700,
            ..Own::default()
        };
        let mut readings = vec![];
        of.own(&own, &mut readings);
        let names: Vec<_> = readings.iter().filter(|r| !r.values.is_empty()).map(|r| (r.name, r.values[0])).collect();
        assert_eq!(
            names,
            [
                ("HTTPCode_ELB_5XX_Count", (1.0, 3.0)),
                ("HTTPCode_ELB_502_Count", (1.0, 1.0)),
                ("HTTPCode_ELB_503_Count", (1.0, 2.0)),
                ("HTTP_Fixed_Response_Count", (1.0, 2.0)),
                ("ProcessedBytes", (700.0, 1.0)),
            ]
        );
    }
}
