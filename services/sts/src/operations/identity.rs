//! Who the caller is. Source: AWS Security Token Service API Reference, GetCallerIdentity.

use kiln_service_kit::{Cx, Error, Operation, operation};
use kiln_sts_shapes::*;

pub const OPERATIONS: &[Operation] =
    &[operation!(GetCallerIdentity: get_caller_identity(GetCallerIdentityRequest), open)];

/// Needs no permission: an explicit deny does not hinder it either.
async fn get_caller_identity(cx: &Cx, _: GetCallerIdentityRequest) -> Result<GetCallerIdentityResponse, Error> {
    let caller = cx.caller();
    Ok(GetCallerIdentityResponse {
        user_id: Some(caller.user_id.clone()),
        account: Some(caller.account.clone()),
        arn: Some(caller.arn.clone()),
    })
}
