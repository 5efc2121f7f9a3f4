//! From records to what the balancer is told. Pure.

use crate::attributes::{LOAD_BALANCER, TARGET_GROUP};
use crate::network::{Group, Interface, admitted};
use crate::records::{Listener, LoadBalancer, Rule, TargetGroup};
use crate::{actions, conditions};
use kiln_balancer as lb;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// All that makes a load balancer's configuration.
#[derive(Debug, Clone)]
pub struct Parts {
    pub load_balancer: Arc<LoadBalancer>,
    pub listeners: Vec<Arc<Listener>>,
    pub rules: Vec<Arc<Rule>>,
    /// The target groups that actions name.
    pub target_groups: Vec<Arc<TargetGroup>>,
    pub interfaces: Vec<Interface>,
    pub security_groups: Vec<Group>,
}

impl Parts {
    /// What the balancer shall be.
    pub fn config(&self) -> lb::LoadBalancerConfig {
        let record = &self.load_balancer;
        lb::LoadBalancerConfig {
            id: record.arn.clone(),
            dns_name: record.dns_name.clone(),
            listen_on: Some(IpAddr::V4(record.address)),
            vpc_id: record.vpc.clone(),
            zones: record.zones.iter().map(|zone| self.zone(&zone.zone, &zone.subnet)).collect(),
            idle_timeout: LOAD_BALANCER.seconds(&record.attributes, "idle_timeout.timeout_seconds"),
            client_keep_alive: LOAD_BALANCER.seconds(&record.attributes, "client_keep_alive.seconds"),
            http2: LOAD_BALANCER.is_on(&record.attributes, "routing.http2.enabled"),
            request_headers: request_headers(record),
            listeners: self.listeners.iter().filter_map(|listener| self.listener(listener)).collect(),
            target_groups: self.target_groups.iter().map(|group| target_group(group)).collect(),
        }
    }

    fn zone(&self, zone: &str, subnet: &str) -> lb::ZoneConfig {
        let interface = self.interfaces.iter().find(|i| i.subnet == subnet);
        lb::ZoneConfig { name: zone.to_owned(), source_ip: interface.map(|i| IpAddr::V4(i.ip)) }
    }

    fn listener(&self, listener: &Listener) -> Option<lb::ListenerConfig> {
        let rules = self.rules.iter().filter(|rule| rule.listener == listener.arn).filter_map(|rule| {
            Some(lb::RuleConfig {
                priority: rule.priority,
                conditions: conditions::compile(&rule.conditions),
                action: actions::compile(&rule.actions)?,
            })
        });
        Some(lb::ListenerConfig {
            port: listener.port,
            clients: Some(admitted(&self.security_groups, listener.port)),
            default_action: actions::compile(&listener.actions)?,
            rules: rules.collect(),
        })
    }
}

/// The target groups that listeners and rules name, each once.
pub fn named_groups<'a>(listeners: &'a [Arc<Listener>], rules: &'a [Arc<Rule>]) -> BTreeSet<&'a str> {
    let of_listeners = listeners.iter().flat_map(|l| actions::groups(&l.actions));
    let of_rules = rules.iter().flat_map(|r| actions::groups(&r.actions));
    of_listeners.chain(of_rules).collect()
}

fn request_headers(record: &LoadBalancer) -> lb::RequestHeaders {
    let is_on = |key| LOAD_BALANCER.is_on(&record.attributes, key);
    let mode = |mode| LOAD_BALANCER.is(&record.attributes, "routing.http.xff_header_processing.mode", mode);
    lb::RequestHeaders {
        forwarded_for: match (mode("preserve"), mode("remove")) {
            (true, _) => lb::ForwardedFor::Preserve,
            (_, true) => lb::ForwardedFor::Remove,
            _ => lb::ForwardedFor::Append,
        },
        client_port: is_on("routing.http.xff_client_port.enabled"),
        keep_host: is_on("routing.http.preserve_host_header.enabled"),
        drop_invalid: is_on("routing.http.drop_invalid_header_fields.enabled"),
    }
}

fn target_group(group: &TargetGroup) -> lb::TargetGroupConfig {
    let seconds = |key| TARGET_GROUP.seconds(&group.attributes, key);
    let routing = "target_group_health.unhealthy_state_routing.minimum_healthy_targets";
    let at_least = |what| TARGET_GROUP.number(&group.attributes, &format!("{routing}.{what}"));
    let check = &group.check;
    lb::TargetGroupConfig {
        id: group.arn.clone(),
        targets: group
            .targets
            .iter()
            .map(|t| lb::TargetConfig {
                id: t.id.clone(),
                ip: t.ip,
                port: t.port,
                zone: t.zone.clone(),
                draining: t.draining,
            })
            .collect(),
        health_check: lb::HealthCheckConfig {
            path: check.path.clone(),
            port: check.port,
            interval: Duration::from_secs(check.interval.into()),
            timeout: Duration::from_secs(check.timeout.into()),
            healthy_threshold: check.healthy,
            unhealthy_threshold: check.unhealthy,
            matcher: check.matcher.clone(),
        },
        deregistration_delay: seconds("deregistration_delay.timeout_seconds"),
        stickiness: TARGET_GROUP
            .is_on(&group.attributes, "stickiness.enabled")
            .then(|| seconds("stickiness.lb_cookie.duration_seconds")),
        slow_start: seconds("slow_start.duration_seconds"),
        algorithm: match TARGET_GROUP.is(&group.attributes, "load_balancing.algorithm.type", "round_robin") {
            true => lb::Algorithm::RoundRobin,
            false => lb::Algorithm::LeastOutstandingRequests,
        },
        healthy_at_least: lb::AtLeast { count: at_least("count"), percent: at_least("percentage") },
    }
}
