//! How long a group's events are kept. Source: CloudWatch Logs API Reference, PutRetentionPolicy.

use crate::errors::invalid;
use crate::names::change;
use crate::targets::group;
use kiln_logs_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(DeleteRetentionPolicy: delete_retention_policy(DeleteRetentionPolicyRequest), on |cx, r| group(cx, &r.log_group_name)),
    operation!(PutRetentionPolicy: put_retention_policy(PutRetentionPolicyRequest), on |cx, r| group(cx, &r.log_group_name)),
];

/// Days that may be said.
const DAYS: [i32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

async fn put_retention_policy(
    cx: &Cx,
    request: PutRetentionPolicyRequest,
) -> Result<PutRetentionPolicyResponse, Error> {
    let days = request.retention_in_days;
    if !DAYS.contains(&days) {
        let known = DAYS.map(|days| days.to_string()).join(", ");
        let text = format!(
            "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [{known}]"
        );
        return Err(invalid(text));
    }
    change(cx, &request.log_group_name, |group| {
        group.retention = Some(days);
        Ok(())
    })
    .await?;
    Ok(PutRetentionPolicyResponse {})
}

async fn delete_retention_policy(
    cx: &Cx,
    request: DeleteRetentionPolicyRequest,
) -> Result<DeleteRetentionPolicyResponse, Error> {
    change(cx, &request.log_group_name, |group| {
        group.retention = None;
        Ok(())
    })
    .await?;
    Ok(DeleteRetentionPolicyResponse {})
}
