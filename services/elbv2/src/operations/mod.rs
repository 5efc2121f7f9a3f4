//! Operations, by the kind of thing they are about.

pub mod attributes;
pub mod facts;
pub mod listeners;
pub mod load_balancer_settings;
pub mod load_balancers;
pub mod rules;
pub mod tags;
pub mod target_groups;
pub mod targets;

use crate::errors;
use crate::targets::named;
use kiln_service_kit::{Cx, Error, Page, Touched, paginate};

/// Things one answer shows when the request does not say.
const PAGE: i32 = 400;

/// A page of a listing sorted by `key`.
fn page<T>(items: Vec<T>, key: impl Fn(&T) -> &str, marker: Option<&str>, size: Option<i32>) -> Result<Page<T>, Error> {
    let size = size.unwrap_or(PAGE).unsigned_abs() as usize;
    paginate(items, key, marker, size, errors::bad_marker)
}

/// A request about things it names by ARN: what policies are matched against.
pub(crate) trait About {
    fn arns(&self) -> Vec<String>;
}

/// For `operation!(…, on about)`.
fn about<R: About>(cx: &Cx, request: &R) -> Touched {
    request.arns().iter().map(|arn| named(cx, arn)).collect()
}

macro_rules! about {
    ($($request:ident . $member:ident),* $(,)?) => { $(
        impl About for kiln_elbv2_shapes::$request {
            fn arns(&self) -> Vec<String> {
                vec![self.$member.clone()]
            }
        }
    )* };
}
about! {
    DeleteListenerRequest.listener_arn, DeleteLoadBalancerRequest.load_balancer_arn,
    DeleteRuleRequest.rule_arn, DeleteTargetGroupRequest.target_group_arn,
    DeregisterTargetsRequest.target_group_arn, ModifyListenerAttributesRequest.listener_arn,
    ModifyListenerRequest.listener_arn, ModifyLoadBalancerAttributesRequest.load_balancer_arn,
    ModifyRuleRequest.rule_arn, ModifyTargetGroupAttributesRequest.target_group_arn,
    ModifyTargetGroupRequest.target_group_arn, RegisterTargetsRequest.target_group_arn,
    SetIpAddressTypeRequest.load_balancer_arn, SetSecurityGroupsRequest.load_balancer_arn,
    SetSubnetsRequest.load_balancer_arn,
}
impl About for kiln_elbv2_shapes::SetRulePrioritiesRequest {
    fn arns(&self) -> Vec<String> {
        self.rule_priorities.iter().filter_map(|pair| pair.rule_arn.clone()).collect()
    }
}

/// A name of a load balancer or target group.
fn check_name(what: &str, name: &str) -> Result<(), Error> {
    let refuse = |why: &str| Err(errors::invalid(format!("{what} name '{name}' {why}")));
    match name {
        "" => refuse("cannot be empty"),
        _ if name.len() > 32 => refuse("cannot be longer than '32' characters"),
        _ if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') => {
            refuse("can only contain characters that are alphanumeric characters and hyphens(-)")
        }
        _ if name.starts_with('-') || name.ends_with('-') => refuse("cannot begin or end with a hyphen"),
        _ => Ok(()),
    }
}
