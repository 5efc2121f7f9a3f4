//! The state an instance's Auto Scaling group is bringing it to, asked of autoscaling.

use super::world::{ACTS_AS, World};
use kiln_autoscaling_shapes::DescribeAutoScalingInstancesRequest;
use kiln_service_kit::{Cx, Error, Platform};
use std::sync::Arc;

/// The state, for an instance that is in a group.
pub async fn target_state(platform: &Arc<Platform>, world: &World) -> Result<Option<&'static str>, Error> {
    let cx = Cx::for_service(platform.clone(), world.scope.clone(), ACTS_AS);
    let request =
        DescribeAutoScalingInstancesRequest { instance_ids: vec![world.instance.id.to_string()], ..Default::default() };
    let found = cx.call(request).await?.auto_scaling_instances.into_iter().next();
    Ok(found.and_then(|member| member.lifecycle_state).and_then(|state| target(&state)))
}

/// The steady state that a lifecycle state leads to.
fn target(state: &str) -> Option<&'static str> {
    Some(match state.split(':').next().unwrap_or(state) {
        "Pending" | "InService" => "InService",
        "EnteringStandby" | "Standby" => "Standby",
        "Detaching" | "Detached" => "Detached",
        "Terminating" | "Terminated" => "Terminated",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::target;

    #[test]
    fn every_state_leads_to_a_steady_one() {
        for (states, wanted) in [
            (&["Pending", "Pending:Wait", "Pending:Proceed", "InService"][..], Some("InService")),
            (&["EnteringStandby", "Standby"], Some("Standby")),
            (&["Terminating", "Terminating:Wait", "Terminating:Proceed"], Some("Terminated")),
            (&["Detaching"], Some("Detached")),
            (&["Warmed:Stopped"], None),
        ] {
            for state in states {
                assert_eq!(target(state), wanted, "{state}");
            }
        }
    }
}
