//! Roles that a group or a launch configuration names: they must be there, and whoever names one
//! must be allowed to hand it on. Source: Amazon EC2 Auto Scaling User Guide, "IAM role for
//! applications that run on Amazon EC2 instances" and "Service-linked roles for Amazon EC2 Auto
//! Scaling".

use crate::errors::validation;
use kiln_iam_shapes::{CreateServiceLinkedRoleRequest, GetInstanceProfileRequest, GetRoleRequest};
use kiln_service_kit::{Cx, Error};

/// As whom Auto Scaling asks IAM, and tells others.
pub const AUTO_SCALING: &str = "autoscaling.amazonaws.com";

/// The role that groups have which name none; made when it is first needed.
const USUAL: &str = "AWSServiceRoleForAutoScaling";

/// The instance profile of a launch configuration, by name or ARN.
pub async fn pass_profile(cx: &Cx, given: &str) -> Result<(), Error> {
    let bad = || validation(format!("Invalid IamInstanceProfile: {given}"));
    let name = given.rsplit('/').next().unwrap_or(given).to_owned();
    let request = GetInstanceProfileRequest { instance_profile_name: name };
    let profile = match cx.as_service(AUTO_SCALING).call(request).await {
        Ok(answer) => answer.instance_profile.ok_or_else(bad)?,
        Err(error) if error.is("NoSuchEntity") || error.is("ValidationError") => return Err(bad()),
        Err(error) => return Err(error),
    };
    if given.starts_with("arn:") && profile.arn.as_deref() != Some(given) {
        return Err(bad());
    }
    let roles: Vec<String> = profile.roles.into_iter().filter_map(|role| role.arn).collect();
    if roles.is_empty() {
        return Ok(());
    }
    let instance = cx.arn("ec2", "instance/*");
    let conditions = [("iam:PassedToService", "ec2.amazonaws.com".to_owned()), ("iam:AssociatedResourceArn", instance)];
    cx.authorize("iam:PassRole", &roles, &conditions)
}

/// The service-linked role that a group names.
pub async fn pass_service_linked(cx: &Cx, arn: &str) -> Result<(), Error> {
    let bad = || validation("ARN specified for Service-Linked Role does not exist.");
    let path = format!("arn:{}:iam::{}:role/aws-service-role/{AUTO_SCALING}/", cx.partition(), cx.account());
    let name = arn.strip_prefix(&path).ok_or_else(bad)?;
    cx.authorize("iam:PassRole", &[arn.to_owned()], &[("iam:PassedToService", AUTO_SCALING.to_owned())])?;
    let iam = cx.as_service(AUTO_SCALING);
    match iam.call(GetRoleRequest { role_name: name.to_owned() }).await {
        Ok(answer) if answer.role.as_ref().is_some_and(|role| role.arn.as_deref() == Some(arn)) => Ok(()),
        Err(error) if error.is("NoSuchEntity") && name == USUAL => {
            let request =
                CreateServiceLinkedRoleRequest { aws_service_name: AUTO_SCALING.to_owned(), ..Default::default() };
            iam.call(request).await.map(|_| ())
        }
        Ok(_) => Err(bad()),
        Err(error) if error.is("NoSuchEntity") || error.is("ValidationError") => Err(bad()),
        Err(error) => Err(error),
    }
}

/// The role that a hook's target is told as: it must be there, and may be handed on.
pub async fn pass_hook_role(cx: &Cx, arn: &str) -> Result<(), Error> {
    let bad = || validation(format!("Invalid role ARN: {arn}"));
    let name = arn.rsplit('/').next().unwrap_or(arn).to_owned();
    match cx.as_service(AUTO_SCALING).call(GetRoleRequest { role_name: name }).await {
        Ok(answer) if answer.role.as_ref().is_some_and(|role| role.arn.as_deref() == Some(arn)) => {}
        Ok(_) => return Err(bad()),
        Err(error) if error.is("NoSuchEntity") || error.is("ValidationError") => return Err(bad()),
        Err(error) => return Err(error),
    }
    cx.authorize("iam:PassRole", &[arn.to_owned()], &[("iam:PassedToService", AUTO_SCALING.to_owned())])
}
