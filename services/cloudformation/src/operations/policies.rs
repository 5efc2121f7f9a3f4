//! Stack policies.

use super::{arn_of, stack_of};
use crate::errors::validation;
use crate::stack::policy;
use crate::stack::start::current;
use kiln_cloudformation_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Touched, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(GetStackPolicy: get_stack_policy(GetStackPolicyRequest), on got),
    operation!(SetStackPolicy: set_stack_policy(SetStackPolicyRequest), on set),
];

fn got(cx: &Cx, request: &GetStackPolicyRequest) -> Touched {
    arn_of(cx, &request.stack_name)
}
fn set(cx: &Cx, request: &SetStackPolicyRequest) -> Touched {
    arn_of(cx, &request.stack_name)
}

async fn get_stack_policy(cx: &Cx, request: GetStackPolicyRequest) -> Result<GetStackPolicyResponse, Error> {
    Ok(GetStackPolicyResponse { stack_policy_body: stack_of(cx, &request.stack_name)?.policy.clone() })
}

async fn set_stack_policy(cx: &Cx, request: SetStackPolicyRequest) -> Result<SetStackPolicyResponse, Error> {
    let stack = stack_of(cx, &request.stack_name)?;
    let given = policy::given(cx, request.stack_policy_body.as_ref(), request.stack_policy_url.as_ref()).await?;
    let text = given.ok_or_else(|| validation("Either StackPolicyBody or StackPolicyURL must be given."))?;
    cx.store()
        .write::<_, Error>(|tx| {
            let mut stack = current(tx.get(cx.scope(), &stack.id)?, &stack.id)?;
            stack.policy = Some(text);
            Ok(tx.put(cx.scope(), &stack.id.clone(), stack)?)
        })
        .await?;
    Ok(SetStackPolicyResponse {})
}
