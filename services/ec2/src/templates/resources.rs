//! `AWS::EC2::LaunchTemplate`. Ref: its id. An update adds a version; the default stays.

use crate::kinds;
use crate::modelled::modelled;
use crate::properties::*;
use crate::templates::data::given;
use kiln_ec2_shapes::*;
use kiln_protocol::stored;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every type of the room.
pub fn all() -> Vec<Arc<dyn ResourceType>> {
    vec![Arc::new(LaunchTemplateType)]
}

pub struct LaunchTemplateType;

const NAME: &str = "AWS::EC2::LaunchTemplate";
const SERVED: &[&str] = &["LaunchTemplateData", "LaunchTemplateName", "TagSpecifications", "VersionDescription"];

fn data(request: &ResourceRequest) -> Result<RequestLaunchTemplateData, Error> {
    modelled(request.properties.get("LaunchTemplateData").cloned().unwrap_or_else(|| json!({})))
}

/// Whether the newest version is what the template says.
async fn is_latest(cx: &Cx, id: &str, request: &ResourceRequest) -> Result<bool, Error> {
    let found = cx
        .call(DescribeLaunchTemplateVersionsRequest {
            launch_template_id: Some(id.to_owned()),
            versions: vec!["$Latest".to_owned()],
            ..Default::default()
        })
        .await?;
    let version = found.launch_template_versions.into_iter().next().ok_or_else(|| lacks("the latest version"))?;
    let has = version.launch_template_data.map(|data| given(stored::to_json(&data))).unwrap_or_default();
    Ok(has == given(stored::to_json(&data(request)?))
        && version.version_description == request.text("VersionDescription"))
}

/// The stack's tags and the template's own, which stand in `TagSpecifications` for this type.
fn own_tags(request: &ResourceRequest) -> Result<Vec<TagSpecification>, Error> {
    let mut all = tagged(request, &kinds::LAUNCH_TEMPLATE);
    let given: Vec<TagSpecification> = items(&request.properties, "TagSpecifications")
        .into_iter()
        .map(|item| modelled(item.clone()))
        .collect::<Result<_, _>>()?;
    for tag in given.into_iter().flat_map(|specification| specification.tags) {
        all[0].tags.retain(|known| known.key != tag.key);
        all[0].tags.push(tag);
    }
    Ok(all)
}

#[async_trait]
impl ResourceType for LaunchTemplateType {
    fn type_name(&self) -> &'static str {
        NAME
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("LaunchTemplateName")
    }

    fn serves(&self, property: &str) -> bool {
        SERVED.contains(&property)
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        only(NAME, request, SERVED)?;
        let before =
            cx.call(DescribeLaunchTemplatesRequest { filters: made_before(request), ..Default::default() }).await?;
        let template = match before.launch_templates.into_iter().next() {
            Some(template) => Some(template),
            None => {
                let new = CreateLaunchTemplateRequest {
                    launch_template_name: request
                        .text("LaunchTemplateName")
                        .unwrap_or_else(|| request.physical_name.clone()),
                    version_description: request.text("VersionDescription"),
                    launch_template_data: data(request)?,
                    tag_specifications: own_tags(request)?,
                    ..Default::default()
                };
                cx.call(new).await?.launch_template
            }
        };
        template.and_then(|template| template.launch_template_id).ok_or_else(|| lacks("LaunchTemplateId"))
    }

    async fn update(&self, cx: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        only(NAME, request, SERVED)?;
        // A second try of the update finds that the first one added the version.
        if !is_latest(cx, id, request).await? {
            let new = CreateLaunchTemplateVersionRequest {
                launch_template_id: Some(id.to_owned()),
                version_description: request.text("VersionDescription"),
                launch_template_data: data(request)?,
                ..Default::default()
            };
            cx.call(new).await?;
        }
        let before = ResourceRequest {
            properties: request.previous.clone(),
            tags: request.previous_tags.clone(),
            ..request.clone()
        };
        let (old, new) = (own_tags(&before)?.remove(0).tags, own_tags(request)?.remove(0).tags);
        set_tags(cx, id, &old, new).await
    }

    async fn delete(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        let gone = DeleteLaunchTemplateRequest { launch_template_id: Some(id.to_owned()), ..Default::default() };
        deleted(cx.call(gone).await)
    }

    async fn exists(&self, cx: &Cx, name: &str, _: &Json) -> Result<bool, Error> {
        let filters = filter("launch-template-name", name);
        let found = cx.call(DescribeLaunchTemplatesRequest { filters, ..Default::default() }).await?;
        Ok(!found.launch_templates.is_empty())
    }

    /// What a template holds is write-only, by the registry schema.
    async fn read(&self, cx: &Cx, id: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let look = DescribeLaunchTemplatesRequest { launch_template_ids: vec![id.to_owned()], ..Default::default() };
        let template = found(cx.call(look).await)?.and_then(|answer| answer.launch_templates.into_iter().next());
        let read = |template: LaunchTemplate| {
            Properties::default()
                .with("LaunchTemplateId", id)
                .with("LaunchTemplateName", template.launch_template_name)
                .with("DefaultVersionNumber", template.default_version_number)
                .with("LatestVersionNumber", template.latest_version_number)
        };
        Ok(template.map(read))
    }

    async fn attributes(&self, cx: &Cx, id: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        let request = DescribeLaunchTemplatesRequest { launch_template_ids: vec![id.to_owned()], ..Default::default() };
        let found = cx.call(request).await?;
        let template = found.launch_templates.into_iter().next().ok_or_else(|| lacks("the launch template"))?;
        let number = |number: Option<i64>| json!(number.map(|number| number.to_string()));
        Ok(BTreeMap::from([
            ("LaunchTemplateId".to_owned(), json!(id)),
            ("DefaultVersionNumber".to_owned(), number(template.default_version_number)),
            ("LatestVersionNumber".to_owned(), number(template.latest_version_number)),
        ]))
    }
}
