//! Who may give a machine a role. An instance profile hands its role to whatever runs in the
//! instance, so whoever names one must be allowed `iam:PassRole` for that role, at each way:
//!
//! ```text
//! RunInstances, Associate…, Replace…            the caller, for the profile named (or its template's)
//! an Auto Scaling group is made of a template   the caller, by a dry run of RunInstances
//! the template's $Latest or $Default changes    the caller that changes it, if a group follows it
//! ```
//! The last is Kiln's own: AWS launches whatever the template says by then, and advises to let only
//! trusted users make versions ("Control EC2 launch template usage", Auto Scaling User Guide).

use crate::errors::{invalid_combination, invalid_value, missing_parameter};
use kiln_autoscaling_shapes::{AutoScalingGroup, DescribeAutoScalingGroupsRequest};
use kiln_ec2_shapes::{IamInstanceProfileSpecification, RequestLaunchTemplateData};
use kiln_iam_shapes::GetInstanceProfileRequest;
use kiln_service_kit::{Cx, Error};

/// As whom EC2 asks other services.
const EC2: &str = "ec2.amazonaws.com";

/// An instance profile that is there.
pub struct Profile {
    pub arn: String,
    pub id: String,
    roles: Vec<String>,
}

/// The condition keys of passing a role to an instance (`*` for one that is yet to be made).
pub fn conditions(cx: &Cx, instance: &str) -> [(&'static str, String); 2] {
    [
        ("iam:PassedToService", EC2.to_owned()),
        ("iam:AssociatedResourceArn", cx.arn("ec2", &format!("instance/{instance}"))),
    ]
}

/// The instance profile of that name or ARN, if the caller may pass its role to the instance.
pub async fn passed(cx: &Cx, given: &IamInstanceProfileSpecification, instance: &str) -> Result<Profile, Error> {
    let profile = named(cx, given).await?;
    pass(cx, &profile.roles, instance)?;
    Ok(profile)
}

fn pass(cx: &Cx, roles: &[String], instance: &str) -> Result<(), Error> {
    if roles.is_empty() {
        return Ok(());
    }
    cx.authorize("iam:PassRole", roles, &conditions(cx, instance)).map_err(|error| match error.is("AccessDenied") {
        // EC2 words every refusal in its own way.
        true => {
            let text = format!("You are not authorized to perform this operation. {}", error.message);
            Error::sender("UnauthorizedOperation", text).with_status(403)
        }
        false => error,
    })
}

async fn named(cx: &Cx, given: &IamInstanceProfileSpecification) -> Result<Profile, Error> {
    let (name, parameter, value) = match (&given.name, &given.arn) {
        (Some(_), Some(_)) => {
            return Err(invalid_combination(
                "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'",
            ));
        }
        (Some(name), None) => (name.as_str(), "name", name),
        (None, Some(arn)) => (arn.rsplit('/').next().unwrap_or(arn), "arn", arn),
        (None, None) => return Err(missing_parameter("IamInstanceProfile.Name or IamInstanceProfile.Arn")),
    };
    let bad = || {
        invalid_value(format!(
            "Value ({value}) for parameter iamInstanceProfile.{parameter} is invalid. Invalid IAM Instance Profile {}",
            if parameter == "arn" { "ARN" } else { "name" }
        ))
    };
    let request = GetInstanceProfileRequest { instance_profile_name: name.to_owned() };
    let found = match cx.as_service(EC2).call(request).await {
        Ok(answer) => answer.instance_profile.ok_or_else(bad)?,
        Err(error) if error.is("NoSuchEntity") || error.is("ValidationError") => return Err(bad()),
        Err(error) => return Err(error),
    };
    let (Some(arn), Some(id)) = (found.arn, found.instance_profile_id) else { return Err(bad()) };
    if given.arn.as_ref().is_some_and(|given| *given != arn) {
        return Err(bad());
    }
    Ok(Profile { arn, id, roles: found.roles.into_iter().filter_map(|role| role.arn).collect() })
}

/// A version of a template becomes its `$Latest` or `$Default`: where a group launches from that,
/// the caller must be allowed to pass the version's role.
pub async fn followed(
    cx: &Cx,
    template: &str,
    alias: &str,
    data: Option<&RequestLaunchTemplateData>,
) -> Result<(), Error> {
    let Some(given) = data.and_then(|data| data.iam_instance_profile.as_ref()) else { return Ok(()) };
    if !cx.platform().judges(cx.caller()) || !is_followed(cx, template, alias).await? {
        return Ok(());
    }
    let given = IamInstanceProfileSpecification { arn: given.arn.clone(), name: given.name.clone() };
    match named(cx, &given).await {
        Ok(profile) => pass(cx, &profile.roles, "*"),
        // There is no telling yet which role that will be.
        Err(error) if error.is("InvalidParameterValue") => {
            pass(cx, &[format!("arn:{}:iam::{}:role/*", cx.partition(), cx.account())], "*")
        }
        Err(error) => Err(error),
    }
}

/// Whether an Auto Scaling group launches whatever the alias stands for.
async fn is_followed(cx: &Cx, template: &str, alias: &str) -> Result<bool, Error> {
    let follows = |group: &AutoScalingGroup| {
        let of = group.launch_template.as_ref();
        of.is_some_and(|of| {
            // `$Default` also is what a group has that names no version.
            let version = of.version.as_deref().unwrap_or("$Default");
            of.launch_template_id.as_deref() == Some(template) && version == alias
        })
    };
    let mut next_token = None;
    loop {
        let request = DescribeAutoScalingGroupsRequest { max_records: Some(100), next_token, ..Default::default() };
        let page = cx.as_service(EC2).call(request).await?;
        if page.auto_scaling_groups.iter().any(follows) {
            return Ok(true);
        }
        next_token = page.next_token;
        if next_token.is_none() {
            return Ok(false);
        }
    }
}
