//! Templates and versions as answers show them.

use crate::images::image_lookup;
use crate::tags;
use crate::templates::records::LaunchTemplate;
use kiln_ec2_shapes::{self as shapes, LaunchTemplateVersion, ResponseLaunchTemplateData};
use kiln_protocol::stored;
use kiln_service_kit::{Cx, Error};

pub fn shown(template: &LaunchTemplate) -> shapes::LaunchTemplate {
    shapes::LaunchTemplate {
        launch_template_id: Some(template.id.to_string()),
        launch_template_name: Some(template.name.clone()),
        create_time: Some(template.created),
        created_by: Some(template.created_by.clone()),
        default_version_number: Some(template.default_version),
        latest_version_number: Some(template.latest()),
        tags: tags::shown(&template.tags),
        operator: None,
    }
}

pub fn version_shown(template: &LaunchTemplate, number: i64) -> Result<LaunchTemplateVersion, Error> {
    let version = &template.versions[&number];
    // The response's structures have the request's member names.
    let data: ResponseLaunchTemplateData = stored::from_json(stored::to_json(&version.data))?;
    Ok(LaunchTemplateVersion {
        launch_template_id: Some(template.id.to_string()),
        launch_template_name: Some(template.name.clone()),
        version_number: Some(number),
        version_description: version.description.clone(),
        create_time: Some(version.created),
        created_by: Some(version.created_by.clone()),
        default_version: Some(number == template.default_version),
        launch_template_data: Some(data),
        operator: None,
    })
}

/// Shows the images that SSM parameters stand for, instead of the parameters.
pub async fn resolve_aliases(cx: &Cx, versions: &mut [LaunchTemplateVersion]) -> Result<(), Error> {
    for data in versions.iter_mut().filter_map(|version| version.launch_template_data.as_mut()) {
        if let Some(image) = &mut data.image_id {
            *image = image_lookup::resolved(cx, image).await?;
        }
    }
    Ok(())
}
