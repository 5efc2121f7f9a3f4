//! Target groups: made, listed, changed, deleted. Source: the API Reference's CreateTargetGroup
//! and its siblings.

use super::{about, check_name, page};
use crate::arns::{self, Kind};
use crate::records::{HealthCheck, Listener, Rule, TargetGroup, TargetType};
use crate::targets::created;
use crate::{actions, errors, network, tags};
use kiln_elbv2_shapes as shapes;
use kiln_elbv2_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Rows, Scope, Store, Tx, operation};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateTargetGroup: create_target_group(CreateTargetGroupRequest),
        on |cx, r| created(cx, "CreateTargetGroup", "targetgroup", &r.name, &r.tags)),
    operation!(DescribeTargetGroups: describe_target_groups(DescribeTargetGroupsRequest), on everything),
    operation!(ModifyTargetGroup: modify_target_group(ModifyTargetGroupRequest), on about),
    operation!(DeleteTargetGroup: delete_target_group(DeleteTargetGroupRequest), on about),
];

/// Target groups of an account in a region.
pub const MOST: usize = 3000;

type StoredGroup = crate::records::TargetGroup;

async fn create_target_group(cx: &Cx, request: CreateTargetGroupRequest) -> Result<CreateTargetGroupResponse, Error> {
    check_name("Target group", &request.name)?;
    let target_type = match request.target_type.as_deref() {
        None | Some("instance") => TargetType::Instance,
        Some("ip") => TargetType::Ip,
        Some(other) => {
            return Err(Error::not_built(format!("elasticloadbalancing:CreateTargetGroup with TargetType={other}")));
        }
    };
    not_built(&request)?;
    let port = request.port.ok_or_else(|| errors::invalid("A port must be specified"))?;
    let vpc = request.vpc_id.clone().ok_or_else(|| errors::invalid("A VPC ID must be specified"))?;
    network::check_vpc(cx, &vpc).await?;
    let default = HealthCheck {
        port: None,
        path: "/".to_owned(),
        interval: 30,
        timeout: 5,
        healthy: 5,
        unhealthy: 2,
        matcher: "200".to_owned(),
    };
    let check = CheckChange {
        protocol: request.health_check_protocol.as_deref(),
        enabled: request.health_check_enabled,
        port: request.health_check_port.as_deref(),
        path: request.health_check_path.as_deref(),
        interval: request.health_check_interval_seconds,
        timeout: request.health_check_timeout_seconds,
        healthy: request.healthy_threshold_count,
        unhealthy: request.unhealthy_threshold_count,
        matcher: request.matcher.as_ref(),
    }
    .apply(default)?;
    let wanted = StoredGroup {
        arn: arns::target_group(cx, &request.name),
        name: request.name.clone(),
        port: port_number(port)?,
        vpc,
        target_type,
        check,
        attributes: BTreeMap::new(),
        targets: vec![],
        tags: tags::checked(cx, &request.tags)?,
    };
    let made = cx
        .store()
        .write(|tx| {
            let same_name = tx.by_key::<StoredGroup>(cx.scope(), "name", &wanted.name)?;
            if let Some((_, found)) = same_name.first() {
                let same = found.port == wanted.port
                    && found.vpc == wanted.vpc
                    && found.target_type == wanted.target_type
                    && found.check == wanted.check;
                return match same {
                    true => Ok(found.clone()),
                    false => Err(Error::sender(
                        "DuplicateTargetGroupName",
                        format!(
                            "A target group with the same name '{}' exists, but with different settings",
                            wanted.name
                        ),
                    )),
                };
            }
            if tx.count::<StoredGroup>(cx.scope()) >= MOST {
                let text = format!("You have reached the limit of {MOST} target groups in this region");
                return Err(Error::sender("TooManyTargetGroups", text));
            }
            tx.put(cx.scope(), &wanted.arn, wanted.clone())?;
            Ok(Arc::new(wanted))
        })
        .await?;
    Ok(CreateTargetGroupResponse { target_groups: vec![shape(cx, &made)?] })
}

fn not_built(request: &CreateTargetGroupRequest) -> Result<(), Error> {
    let missing = |what: String| Err(Error::not_built(format!("elasticloadbalancing:CreateTargetGroup with {what}")));
    match request.protocol.as_deref() {
        None => return Err(errors::invalid("A protocol must be specified")),
        Some("HTTP") => {}
        Some(other) => return missing(format!("Protocol={other}")),
    }
    match request.protocol_version.as_deref() {
        // Terraform sends an empty one where none is given.
        None | Some("" | "HTTP1") => {}
        Some(other) => return missing(format!("ProtocolVersion={other}")),
    }
    match request.ip_address_type.as_deref() {
        None | Some("ipv4") => {}
        Some(other) => return missing(format!("IpAddressType={other}")),
    }
    match request.target_control_port {
        None => Ok(()),
        Some(_) => missing("TargetControlPort".to_owned()),
    }
}

/// Target ports were limited by the model to 1–65535.
pub fn port_number(port: i32) -> Result<u16, Error> {
    let port = u16::try_from(port).ok().filter(|p| *p > 0);
    port.ok_or_else(|| errors::invalid("A port must be between 1 and 65535"))
}

/// What a request says about health checks.
struct CheckChange<'a> {
    protocol: Option<&'a str>,
    enabled: Option<bool>,
    port: Option<&'a str>,
    path: Option<&'a str>,
    interval: Option<i32>,
    timeout: Option<i32>,
    healthy: Option<i32>,
    unhealthy: Option<i32>,
    matcher: Option<&'a Matcher>,
}

impl CheckChange<'_> {
    fn apply(self, mut check: HealthCheck) -> Result<HealthCheck, Error> {
        if let Some(other) = self.protocol.filter(|p| *p != "HTTP") {
            return Err(Error::not_built(format!("elasticloadbalancing: HealthCheckProtocol={other}")));
        }
        if self.enabled == Some(false) {
            return Err(errors::invalid(
                "Health check enabled must be true for target groups with target type 'instance' or 'ip'",
            ));
        }
        match self.port {
            None => {}
            Some("traffic-port") => check.port = None,
            Some(text) => {
                let port = text.parse::<u16>().ok().filter(|p| *p > 0);
                let refuse = || {
                    errors::invalid(format!(
                        "Health check port '{text}' must be in the range [1-65535] or 'traffic-port'"
                    ))
                };
                check.port = Some(port.ok_or_else(refuse)?);
            }
        }
        if let Some(path) = self.path {
            if !path.starts_with('/') || path.contains(char::is_whitespace) {
                return Err(errors::invalid(format!(
                    "Health check path '{path}' must begin with a '/' character and cannot contain spaces"
                )));
            }
            check.path = path.to_owned();
        }
        // The model keeps all four positive.
        let number = |given: Option<i32>, kept: u32| given.map_or(kept, i32::unsigned_abs);
        check.interval = number(self.interval, check.interval);
        check.timeout = number(self.timeout, check.timeout);
        check.healthy = number(self.healthy, check.healthy);
        check.unhealthy = number(self.unhealthy, check.unhealthy);
        if check.timeout >= check.interval {
            return Err(errors::invalid(format!(
                "Health check interval '{}' must be greater than the timeout '{}'",
                check.interval, check.timeout
            )));
        }
        if let Some(matcher) = self.matcher {
            if matcher.grpc_code.is_some() {
                return Err(Error::not_built("elasticloadbalancing: Matcher with GrpcCode"));
            }
            let codes = matcher.http_code.as_deref().unwrap_or("200");
            if !good_codes(codes) {
                return Err(errors::invalid(format!(
                    "Health check matcher HTTP code '{codes}' must be within '200-499' inclusive"
                )));
            }
            check.matcher = codes.to_owned();
        }
        Ok(check)
    }
}

/// `200`, `200,202`, `200-299`; within 200–499.
fn good_codes(text: &str) -> bool {
    let code = |t: &str| t.trim().parse::<u16>().ok().filter(|c| (200..=499).contains(c));
    text.split(',').all(|part| match part.split_once('-') {
        Some((low, high)) => matches!((code(low), code(high)), (Some(l), Some(h)) if l <= h),
        None => code(part).is_some(),
    })
}

/// The key by which listeners and rules lead to a target group.
const LEADS_TO: &str = "target-group";

/// The load balancers that use a target group, for who decides by it: one that nobody uses is looked after
/// by nobody.
pub fn users(store: &Store, scope: &Scope, group: &str) -> Result<Vec<String>, Error> {
    let store = store.whole();
    Ok(load_balancers(&store.by_key(scope, LEADS_TO, group)?, &store.by_key(scope, LEADS_TO, group)?))
}

/// The same for an answer.
fn shown_users(cx: &Cx, group: &str) -> Result<Vec<String>, Error> {
    let (store, scope) = (cx.store(), cx.scope());
    Ok(load_balancers(&store.by_key(scope, LEADS_TO, group)?, &store.by_key(scope, LEADS_TO, group)?))
}

/// The same as a transaction sees them.
fn users_within(tx: &Tx<'_>, scope: &Scope, group: &str) -> Result<Vec<String>, Error> {
    Ok(load_balancers(&tx.by_key(scope, LEADS_TO, group)?, &tx.by_key(scope, LEADS_TO, group)?))
}

fn load_balancers(listeners: &Rows<Listener>, rules: &Rows<Rule>) -> Vec<String> {
    let users = listeners.iter().map(|(arn, _)| arn).chain(rules.iter().map(|(arn, _)| arn));
    let all: BTreeSet<String> = users.filter_map(|arn| arns::load_balancer_of(arn)).collect();
    all.into_iter().collect()
}

/// Checks that actions lead to target groups that are there, in the load balancer's VPC and not
/// used by another load balancer.
pub fn check_groups(tx: &Tx<'_>, cx: &Cx, lb: &crate::records::LoadBalancer, actions: &[Action]) -> Result<(), Error> {
    for arn in actions::groups(actions) {
        let group = tx.get::<StoredGroup>(cx.scope(), arn)?.ok_or_else(errors::no_target_group)?;
        if group.vpc != lb.vpc {
            let text = format!("The target group '{arn}' is in VPC '{}', the load balancer in '{}'", group.vpc, lb.vpc);
            return Err(errors::bad_configuration(text));
        }
        if users_within(tx, cx.scope(), arn)?.iter().any(|user| *user != lb.arn) {
            let text =
                format!("The following target groups cannot be associated with more than one load balancer: {arn}");
            return Err(Error::sender("TargetGroupAssociationLimit", text));
        }
    }
    Ok(())
}

fn shape(cx: &Cx, group: &StoredGroup) -> Result<shapes::TargetGroup, Error> {
    let check = &group.check;
    let number = |n: u32| i32::try_from(n).ok();
    Ok(shapes::TargetGroup {
        target_group_arn: Some(group.arn.clone()),
        target_group_name: Some(group.name.clone()),
        protocol: Some("HTTP".to_owned()),
        port: Some(group.port.into()),
        vpc_id: Some(group.vpc.clone()),
        health_check_protocol: Some("HTTP".to_owned()),
        health_check_port: Some(check.port.map_or_else(|| "traffic-port".to_owned(), |p| p.to_string())),
        health_check_enabled: Some(true),
        health_check_interval_seconds: number(check.interval),
        health_check_timeout_seconds: number(check.timeout),
        healthy_threshold_count: number(check.healthy),
        unhealthy_threshold_count: number(check.unhealthy),
        health_check_path: Some(check.path.clone()),
        matcher: Some(Matcher { http_code: Some(check.matcher.clone()), grpc_code: None }),
        load_balancer_arns: shown_users(cx, &group.arn)?,
        target_type: Some(group.target_type.as_str().to_owned()),
        protocol_version: Some("HTTP1".to_owned()),
        ip_address_type: Some("ipv4".to_owned()),
        target_control_port: None,
    })
}

async fn describe_target_groups(
    cx: &Cx,
    request: DescribeTargetGroupsRequest,
) -> Result<DescribeTargetGroupsResponse, Error> {
    let ways = [request.load_balancer_arn.is_some(), !request.target_group_arns.is_empty(), !request.names.is_empty()];
    if ways.iter().filter(|given| **given).count() > 1 {
        return Err(errors::invalid(
            "Only one of load balancer ARN, target group ARNs and target group names can be specified",
        ));
    }
    let (store, scope) = (cx.store(), cx.scope());
    for arn in &request.target_group_arns {
        Kind::TargetGroup.check(cx, arn)?;
    }
    let mut all: BTreeMap<Arc<str>, Arc<StoredGroup>> = BTreeMap::new();
    if let Some(lb) = &request.load_balancer_arn {
        Kind::LoadBalancer.check(cx, lb)?;
        store.get::<crate::records::LoadBalancer>(scope, lb)?.ok_or_else(errors::no_load_balancer)?;
        let listeners = store.list_prefix::<Listener>(scope, &arns::listeners_prefix(lb))?;
        let rules = store.list_prefix::<Rule>(scope, &arns::all_rules_prefix(lb))?;
        let of_listeners = listeners.iter().flat_map(|(_, listener)| actions::groups(&listener.actions));
        for arn in of_listeners.chain(rules.iter().flat_map(|(_, rule)| actions::groups(&rule.actions))) {
            all.extend(store.get::<StoredGroup>(scope, arn)?.map(|group| (Arc::from(arn), group)));
        }
    } else if !ways.contains(&true) {
        all.extend(store.list::<StoredGroup>(scope)?);
    }
    for arn in &request.target_group_arns {
        let group = store.get::<StoredGroup>(scope, arn)?.ok_or_else(errors::no_target_group)?;
        all.insert(Arc::from(arn.as_str()), group);
    }
    for name in &request.names {
        let named = store.by_key::<StoredGroup>(scope, "name", name)?;
        if named.is_empty() {
            return Err(errors::no_target_group());
        }
        all.extend(named);
    }
    let all: Vec<Arc<StoredGroup>> = all.into_values().collect();
    let page = page(all, |g| &g.arn, request.marker.as_deref(), request.page_size)?;
    Ok(DescribeTargetGroupsResponse {
        target_groups: page.items.iter().map(|group| shape(cx, group)).collect::<Result<_, _>>()?,
        next_marker: page.next_token,
    })
}

async fn modify_target_group(cx: &Cx, request: ModifyTargetGroupRequest) -> Result<ModifyTargetGroupResponse, Error> {
    Kind::TargetGroup.check(cx, &request.target_group_arn)?;
    let changed = change(cx, &request.target_group_arn, |group| {
        group.check = CheckChange {
            protocol: request.health_check_protocol.as_deref(),
            enabled: request.health_check_enabled,
            port: request.health_check_port.as_deref(),
            path: request.health_check_path.as_deref(),
            interval: request.health_check_interval_seconds,
            timeout: request.health_check_timeout_seconds,
            healthy: request.healthy_threshold_count,
            unhealthy: request.unhealthy_threshold_count,
            matcher: request.matcher.as_ref(),
        }
        .apply(group.check.clone())?;
        Ok(())
    })
    .await?;
    Ok(ModifyTargetGroupResponse { target_groups: vec![shape(cx, &changed)?] })
}

/// Changes a target group that must be there.
pub async fn change(
    cx: &Cx,
    arn: &str,
    change: impl FnOnce(&mut StoredGroup) -> Result<(), Error>,
) -> Result<StoredGroup, Error> {
    cx.store()
        .write(|tx| {
            let found = tx.get::<TargetGroup>(cx.scope(), arn)?.ok_or_else(errors::no_target_group)?;
            let mut group = (*found).clone();
            change(&mut group)?;
            tx.put_if_changed(cx.scope(), arn, group.clone())?;
            Ok(group)
        })
        .await
}

async fn delete_target_group(cx: &Cx, request: DeleteTargetGroupRequest) -> Result<DeleteTargetGroupResponse, Error> {
    let arn = &request.target_group_arn;
    Kind::TargetGroup.check(cx, arn)?;
    cx.store()
        .write(|tx| {
            if !users_within(tx, cx.scope(), arn)?.is_empty() {
                return Err(errors::in_use(format!(
                    "Target group '{arn}' is currently in use by a listener or a rule"
                )));
            }
            tx.delete::<StoredGroup>(cx.scope(), arn);
            Ok(())
        })
        .await?;
    Ok(DeleteTargetGroupResponse {})
}

#[cfg(test)]
mod tests {
    #[test]
    fn matchers_stay_within_200_and_499() {
        for good in ["200", "200,202", "200-299", "200-204,301"] {
            assert!(super::good_codes(good), "{good}");
        }
        for bad in ["", "199", "500", "299-200", "abc", "200-", "200;301"] {
            assert!(!super::good_codes(bad), "{bad}");
        }
    }
}
