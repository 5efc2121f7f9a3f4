//! Launch templates, asked of EC2.

use crate::errors::validation;
use crate::records::{Interface, Template};
use kiln_autoscaling_shapes::LaunchTemplateSpecification;
use kiln_ec2_shapes::{DescribeLaunchTemplateVersionsRequest, LaunchTemplateVersion, RunInstancesRequest};
use kiln_service_kit::{Cx, Error};

/// Checks what a caller names and completes id and name; the version stays as given.
pub async fn check(cx: &Cx, given: &LaunchTemplateSpecification) -> Result<Template, Error> {
    let (id, name) = (&given.launch_template_id, &given.launch_template_name);
    let what = match (id, name) {
        (Some(_), Some(_)) | (None, None) => {
            return Err(validation("Valid requests must contain either launchTemplateId or LaunchTemplateName"));
        }
        (Some(id), None) => format!("template ID {id}"),
        (None, Some(name)) => format!("template name {name}"),
    };
    let version = given.version.clone().unwrap_or_else(|| "$Default".to_owned());
    let found = describe(cx, id.clone(), name.clone(), &version).await.map_err(|error| {
        if error.code.contains("NotFound") || error.code.contains("Malformed") {
            validation(format!(
                "You must use a valid fully-formed launch template. The specified launch template, with {what}, version {version}, does not exist."
            ))
        } else {
            error
        }
    })?;
    let data = found.launch_template_data.as_ref();
    if data.is_none_or(|data| data.image_id.is_none()) {
        return Err(validation(
            "You must use a valid fully-formed launch template. The request must contain the parameter ImageId",
        ));
    }
    match (found.launch_template_id, found.launch_template_name) {
        (Some(id), Some(name)) => {
            let template = Template { id, name, version, unsaid: given.version.is_none() };
            may_launch(cx, &template).await?;
            Ok(template)
        }
        _ => Err(Error::internal("EC2 described a launch template without id or name")),
    }
}

/// Instances are launched by Auto Scaling itself later; whoever says so must be allowed to launch
/// them, and to pass them their role. Asked by a dry run. A profile that is not there cannot be
/// passed: it might come to be, with any role.
async fn may_launch(cx: &Cx, template: &Template) -> Result<(), Error> {
    let request = RunInstancesRequest {
        launch_template: Some(kiln_ec2_shapes::LaunchTemplateSpecification {
            launch_template_id: Some(template.id.clone()),
            version: Some(template.version.clone()),
            ..Default::default()
        }),
        min_count: 1,
        max_count: 1,
        dry_run: Some(true),
        ..Default::default()
    };
    match cx.call(request).await {
        Err(error) if error.is("UnauthorizedOperation") => {
            let text = format!("You are not authorized to use launch template: {}. {}", template.id, error.message);
            Err(Error::sender("AccessDenied", text).with_status(403))
        }
        Err(error) if error.message.contains("iamInstanceProfile") => {
            Err(validation(format!("You must use a valid fully-formed launch template. {}", error.message)))
        }
        // Whether the launch would work is found out by launching.
        _ => Ok(()),
    }
}

/// The template with its version's number, and its network interface if it names one.
pub async fn resolve(cx: &Cx, template: &Template) -> Result<(Template, Option<Interface>), Error> {
    let found = describe(cx, Some(template.id.clone()), None, &template.version).await?;
    let Some(number) = found.version_number else {
        return Err(Error::internal("EC2 described a launch template version without its number"));
    };
    let interfaces = found.launch_template_data.map(|data| data.network_interfaces).unwrap_or_default();
    if interfaces.len() > 1 {
        return Err(Error::not_built("launch templates with more than one network interface"));
    }
    let interface = interfaces.into_iter().next().map(|i| Interface {
        groups: i.groups,
        public_address: i.associate_public_ip_address,
        delete_on_termination: i.delete_on_termination,
        description: i.description,
    });
    Ok((Template { version: number.to_string(), unsaid: false, ..template.clone() }, interface))
}

async fn describe(
    cx: &Cx,
    id: Option<String>,
    name: Option<String>,
    version: &str,
) -> Result<LaunchTemplateVersion, Error> {
    let request = DescribeLaunchTemplateVersionsRequest {
        launch_template_id: id,
        launch_template_name: name,
        versions: vec![version.to_owned()],
        ..Default::default()
    };
    let answer = cx.call(request).await?;
    let found = answer.launch_template_versions.into_iter().next();
    found.ok_or_else(|| {
        Error::sender(
            "InvalidLaunchTemplateId.VersionNotFound",
            format!("Could not find the specified version {version} for the launch template."),
        )
    })
}
