//! Setting the desired capacity.

use crate::changes;
use crate::controllers::cause;
use crate::errors::validation;
use crate::targets::group;
use kiln_autoscaling_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};
use std::time::Duration;

pub const OPERATIONS: &[Operation] = &[operation!(SetDesiredCapacity: set_desired_capacity(SetDesiredCapacityRequest),
        on |cx, r| group(cx, &r.auto_scaling_group_name))];

async fn set_desired_capacity(
    cx: &Cx,
    request: SetDesiredCapacityRequest,
) -> Result<SetDesiredCapacityResponse, Error> {
    let wanted = request.desired_capacity;
    let name = &request.auto_scaling_group_name;
    cx.store()
        .write(|tx| {
            let mut group = changes::group_to_change(tx, cx.scope(), name)?;
            if wanted > group.max {
                return Err(validation(format!(
                    "New SetDesiredCapacity value {wanted} is above max value {} for the AutoScalingGroup.",
                    group.max
                )));
            }
            if wanted < group.min {
                return Err(validation(format!(
                    "New SetDesiredCapacity value {wanted} is below min value {} for the AutoScalingGroup.",
                    group.min
                )));
            }
            let cooldown = Duration::from_secs(u64::try_from(group.cooldown).unwrap_or(0));
            let cooling = group.last_scaling.is_some_and(|last| last + cooldown > tx.now());
            if request.honor_cooldown == Some(true) && cooling {
                return Err(Error::sender(
                    "ScalingActivityInProgress",
                    format!("The cooldown period of Auto Scaling group {name} blocks this action"),
                ));
            }
            if group.desired != wanted {
                group.because(cause::set(group.desired, wanted, tx.now()));
                group.desired = wanted;
                group.launch_not_before = None;
                tx.put(cx.scope(), name, group)?;
            }
            Ok(())
        })
        .await?;
    Ok(SetDesiredCapacityResponse {})
}
