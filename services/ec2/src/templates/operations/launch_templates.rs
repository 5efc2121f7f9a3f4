//! Launch templates: create, list, change, delete. Their versions stand in `versions`.

use crate::errors::{bad_token, missing_parameter, refuse};
use crate::filters::{Filters, one};
use crate::kinds;
use crate::passing::followed;
use crate::tags;
use crate::targets::things;
use crate::templates::check::check_data;
use crate::templates::lookup::{find_in, none, one_of_the_names, the_one, version_of};
use crate::templates::records::{LaunchTemplate, TemplateVersion};
use crate::templates::shown::shown;
use crate::templates::targets::{LAUNCH_TEMPLATE, NAMED_LAUNCH_TEMPLATE};
use kiln_ec2_shapes::{
    CreateLaunchTemplateRequest, CreateLaunchTemplateResponse, DeleteLaunchTemplateRequest,
    DeleteLaunchTemplateResponse, DescribeLaunchTemplatesRequest, DescribeLaunchTemplatesResponse,
    ModifyLaunchTemplateRequest, ModifyLaunchTemplateResponse,
};
use kiln_ids::LaunchTemplateId;
use kiln_service_kit::{Cx, Error, Operation, Remembered, operation, paginate, request_hash};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateLaunchTemplate: create_launch_template(CreateLaunchTemplateRequest),
        on things![makes LAUNCH_TEMPLATE]),
    operation!(DeleteLaunchTemplate: delete_launch_template(DeleteLaunchTemplateRequest),
        on things![LAUNCH_TEMPLATE launch_template_id, NAMED_LAUNCH_TEMPLATE launch_template_name]),
    operation!(DescribeLaunchTemplates: describe_launch_templates(DescribeLaunchTemplatesRequest), on everything),
    operation!(ModifyLaunchTemplate: modify_launch_template(ModifyLaunchTemplateRequest),
        on things![LAUNCH_TEMPLATE launch_template_id, NAMED_LAUNCH_TEMPLATE launch_template_name]),
];

async fn create_launch_template(
    cx: &Cx,
    request: CreateLaunchTemplateRequest,
) -> Result<CreateLaunchTemplateResponse, Error> {
    refuse("CreateLaunchTemplate", &[("Operator", request.operator.is_some())])?;
    check_data(cx, "CreateLaunchTemplate", &request.launch_template_data)?;
    let tags = tags::specified(cx, &request.tag_specifications, &kinds::LAUNCH_TEMPLATE)?;
    let hash = request_hash(&CreateLaunchTemplateRequest { client_token: None, ..request.clone() });
    let template = cx
        .store()
        .write(|tx| {
            let token = request.client_token.as_deref();
            if let Some(token) = token
                && let Some(id) = Remembered::find(tx, cx, "CreateLaunchTemplate", token, &hash)?
                && let Some(made) = tx.get::<LaunchTemplate>(cx.scope(), &id)?
            {
                return Ok(LaunchTemplate::clone(&made));
            }
            let name = &request.launch_template_name;
            if !tx.by_key::<LaunchTemplate>(cx.scope(), "launch-template-name", name)?.is_empty() {
                return Err(Error::sender(
                    "InvalidLaunchTemplateName.AlreadyExistsException",
                    "Launch template name already in use.",
                ));
            }
            let template = LaunchTemplate {
                id: LaunchTemplateId::new(cx.ids()),
                name: name.clone(),
                created: tx.now(),
                created_by: cx.caller().arn.clone(),
                default_version: 1,
                latest_given: 1,
                versions: BTreeMap::from([(
                    1,
                    TemplateVersion {
                        description: request.version_description.clone(),
                        created: tx.now(),
                        created_by: cx.caller().arn.clone(),
                        data: request.launch_template_data.clone(),
                    },
                )]),
                tags,
            };
            tx.put(cx.scope(), &template.id, template.clone())?;
            if let Some(token) = token {
                Remembered::keep(tx, cx, "CreateLaunchTemplate", token, &hash, &template.id)?;
            }
            Ok(template)
        })
        .await?;
    Ok(CreateLaunchTemplateResponse { launch_template: Some(shown(&template)), warning: None })
}

async fn delete_launch_template(
    cx: &Cx,
    request: DeleteLaunchTemplateRequest,
) -> Result<DeleteLaunchTemplateResponse, Error> {
    let template = cx
        .store()
        .write(|tx| {
            let (id, name) = (request.launch_template_id.as_deref(), request.launch_template_name.as_deref());
            let template = the_one(tx, cx, "delete", id, name)?;
            tx.delete::<LaunchTemplate>(cx.scope(), &template.id);
            Ok::<_, Error>(template)
        })
        .await?;
    Ok(DeleteLaunchTemplateResponse { launch_template: Some(shown(&template)) })
}

async fn modify_launch_template(
    cx: &Cx,
    request: ModifyLaunchTemplateRequest,
) -> Result<ModifyLaunchTemplateResponse, Error> {
    let Some(default) = request.default_version.as_deref() else {
        return Err(missing_parameter("SetDefaultVersion"));
    };
    let (id, name) = (request.launch_template_id.as_deref(), request.launch_template_name.as_deref());
    let of = cx.store().write(|tx| the_one(tx, cx, "modify", id, name)).await?;
    let version = of.versions.get(&version_of(&of, Some(default))?);
    followed(cx, &of.id, "$Default", version.map(|version| &version.data)).await?;
    let template = cx
        .store()
        .write(|tx| {
            let (id, name) = (request.launch_template_id.as_deref(), request.launch_template_name.as_deref());
            let mut template = LaunchTemplate::clone(&*find_in(tx, cx, id, name)?);
            template.default_version = version_of(&template, Some(default))?;
            let id = template.id.clone();
            tx.put_if_changed(cx.scope(), &id, template.clone())?;
            Ok::<_, Error>(template)
        })
        .await?;
    Ok(ModifyLaunchTemplateResponse { launch_template: Some(shown(&template)) })
}

const TEMPLATE_FILTERS: &[&str] = &["create-time", "launch-template-name"];

async fn describe_launch_templates(
    cx: &Cx,
    request: DescribeLaunchTemplatesRequest,
) -> Result<DescribeLaunchTemplatesResponse, Error> {
    let filters = Filters::read(&request.filters, TEMPLATE_FILTERS)?;
    let all: Vec<Arc<LaunchTemplate>> =
        cx.store().list::<LaunchTemplate>(cx.scope())?.into_iter().map(|(_, t)| t).collect();
    for id in &request.launch_template_ids {
        kinds::LAUNCH_TEMPLATE.parse::<LaunchTemplateId>(id)?;
        if !all.iter().any(|t| *t.id == **id) {
            return Err(none(Some(id), None));
        }
    }
    for name in &request.launch_template_names {
        if !all.iter().any(|t| &t.name == name) {
            return Err(one_of_the_names());
        }
    }
    let named = !request.launch_template_ids.is_empty() || !request.launch_template_names.is_empty();
    let chosen = all.into_iter().filter(|t| {
        let by_name = request.launch_template_names.contains(&t.name);
        (!named || by_name || request.launch_template_ids.iter().any(|id| *t.id == **id))
            && filters.accept(&t.tags, |name| match name {
                "create-time" => one(t.created),
                "launch-template-name" => one(&t.name),
                _ => vec![],
            })
    });
    let limit = request.max_results.map_or(usize::MAX, |n| n.max(1) as usize);
    let page = paginate(chosen.collect(), |t| t.id.as_str(), request.next_token.as_deref(), limit, bad_token)?;
    Ok(DescribeLaunchTemplatesResponse {
        launch_templates: page.items.iter().map(|t| shown(t)).collect(),
        next_token: page.next_token,
    })
}
