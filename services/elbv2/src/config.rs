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
            listeners: self.listeners.iter().map(|listener| self.listener(listener)).collect(),
            target_groups: self.target_groups.iter().map(|group| target_group(group)).collect(),
        }
    }

    fn zone(&self, zone: &str, subnet: &str) -> lb::ZoneConfig {
        let interface = self.interfaces.iter().find(|i| i.subnet == subnet);
        lb::ZoneConfig { name: zone.to_owned(), source_ip: interface.map(|i| IpAddr::V4(i.ip)) }
    }

    fn listener(&self, listener: &Listener) -> lb::ListenerConfig {
        let rules = self.rules.iter().filter(|rule| rule.listener == listener.arn).map(|rule| rule_config(rule));
        lb::ListenerConfig {
            port: listener.port,
            clients: Some(admitted(&self.security_groups, listener.port)),
            default_action: actions::compile(&listener.actions).unwrap_or_else(|| unusable(&listener.arn)),
            rules: rules.collect(),
        }
    }
}

fn rule_config(rule: &Rule) -> lb::RuleConfig {
    let priority = rule.priority;
    match (conditions::compile(&rule.conditions), actions::compile(&rule.actions)) {
        (Some(conditions), Some(action)) => lb::RuleConfig { priority, conditions, action },
        // What it would have kept from the rules after it must not get there.
        (conditions, _) => {
            lb::RuleConfig { priority, conditions: conditions.unwrap_or_default(), action: unusable(&rule.arn) }
        }
    }
}

/// What a rule or listener does that is kept in a form this version does not understand: requests are
/// refused, none goes where it was not meant to go.
fn unusable(arn: &str) -> lb::Action {
    tracing::error!(
        arn,
        "the rule or listener is kept in a form that cannot be used: its requests are answered by 500"
    );
    lb::Action::FixedResponse(lb::FixedResponse { status: 500, content_type: None, body: String::new() })
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

#[cfg(test)]
mod tests {
    use super::*;
    use kiln_elbv2_shapes::{Action, FixedResponseActionConfig, RuleCondition};

    #[test]
    fn a_rule_that_cannot_be_used_lets_nothing_through() {
        let condition = |field: &str| RuleCondition {
            field: Some(field.into()),
            values: vec!["/admin".into()],
            ..RuleCondition::default()
        };
        let action = |kind: &str| Action {
            r#type: kind.into(),
            fixed_response_config: Some(FixedResponseActionConfig { status_code: "403".into(), ..Default::default() }),
            ..Action::default()
        };
        let rule = |field: &str, kind: &str| {
            rule_config(&Rule {
                arn: "rule".into(),
                listener: "listener".into(),
                priority: 7,
                conditions: vec![condition(field)],
                actions: vec![action(kind)],
                tags: vec![],
            })
        };
        let status = |rule: &lb::RuleConfig| match &rule.action {
            lb::Action::FixedResponse(fixed) => fixed.status,
            other => panic!("{other:?}"),
        };
        let usable = rule("path-pattern", "fixed-response");
        assert_eq!((status(&usable), usable.conditions.len()), (403, 1));
        let action_of_later = rule("path-pattern", "authenticate-jwt");
        assert_eq!((status(&action_of_later), action_of_later.conditions.len()), (500, 1));
        let condition_of_later = rule("weather", "fixed-response");
        assert_eq!((status(&condition_of_later), condition_of_later.conditions.len()), (500, 0));
    }
}
