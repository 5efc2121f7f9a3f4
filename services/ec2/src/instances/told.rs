//! Events about instances. Source: Amazon EC2 User Guide, "State change events for your instances".

use crate::instances::records::{Instance, InstanceState};
use kiln_service_kit::{Cx, Error, Happening, Tx};
use serde_json::json;

/// Says that an instance is in a state that it was not in before, in the transaction that brings it there.
pub fn state(tx: &mut Tx, cx: &Cx, before: Option<InstanceState>, now: &Instance) -> Result<(), Error> {
    if before == Some(now.state) {
        return Ok(());
    }
    cx.emit(tx, "aws.ec2", "EC2 Instance State-change Notification", || Happening {
        resources: vec![cx.arn("ec2", &format!("instance/{}", now.id))],
        detail: json!({"instance-id": now.id, "state": now.state.name()}),
    })
}
