//! The role that a stack may act with instead of its creator.
//!
//! Its trust policy is evaluated, by the same rules as any policy: CloudFormation must be allowed to assume the
//! role, for this stack. A text that merely names the service (in a Deny, in a condition) lets nobody in. That is
//! asked in open mode too, where callers' rights are not: a role that does not trust the service is of no use to
//! it. Asked anew by every operation that a stack's role is used for, also by those that do not name it.

use crate::errors::validation;
use crate::records::role_session::{SESSION, role_name};
use kiln_iam_shapes::GetRoleRequest;
use kiln_service_kit::{Cx, Error, Grant, ResourcePolicy};

/// Whom the role must trust. Source: AWS CloudFormation User Guide, "CloudFormation service role".
const SERVICE: &str = "cloudformation.amazonaws.com";

/// Refuses a role that the caller may not pass, that is not there, or that does not trust this service. `kept` is
/// the role of an earlier operation on the stack: it is used without being passed anew.
pub async fn check(cx: &Cx, given: Option<&str>, kept: Option<&str>, stack_id: &str) -> Result<(), Error> {
    let Some(arn) = given.or(kept) else { return Ok(()) };
    let bad = || validation(format!("Role {arn} is invalid or cannot be assumed"));
    if !arn.starts_with(&format!("arn:{}:iam::{}:role/", cx.partition(), cx.account())) {
        return Err(bad());
    }
    if given.is_some() {
        let service = ("iam:PassedToService", SERVICE.to_owned());
        cx.authorize("iam:PassRole", &[arn.to_owned()], &[service])?;
    }
    let itself = cx.as_service(SERVICE);
    let role = match itself.call(GetRoleRequest { role_name: role_name(arn).to_owned() }).await {
        // The right to pass was asked for this ARN: the name alone could lead to another role.
        Ok(answer) => answer.role.filter(|role| role.arn.as_deref() == Some(arn)).ok_or_else(bad)?,
        Err(error) if error.is("NoSuchEntity") => return Err(bad()),
        Err(error) => return Err(error),
    };
    let encoded = role.assume_role_policy_document.unwrap_or_default();
    let document = percent_encoding::percent_decode_str(&encoded)
        .decode_utf8()
        .map_err(|_| Error::internal("iam answered a trust policy that is no text"))?;
    let access = cx.platform().access();
    let access = access.ok_or_else(|| Error::internal("nobody of this platform can decide about trust"))?;
    let grant = Grant {
        action: "sts:AssumeRole",
        resources: &[arn.to_owned()],
        context: &[
            ("aws:SourceArn", stack_id.to_owned()),
            ("aws:SourceAccount", cx.account().to_owned()),
            ("sts:RoleSessionName", SESSION.to_owned()),
        ],
        resource_policy: Some(ResourcePolicy {
            name: arn,
            document: Some(&document),
            trust: true,
            needed: false,
            account: cx.account(),
        }),
    };
    match access.authorize(&itself, &grant) {
        Err(error) if error.is("AccessDenied") => Err(bad()),
        other => other,
    }
}
