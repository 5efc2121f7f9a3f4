//! Launch templates and their versions.

use crate::errors::{bad_token, invalid_combination, invalid_value, missing_parameter, refuse};
use crate::filters::{Filters, flag, maybe, one};
use crate::images::image_lookup;
use crate::instances::launch;
use crate::instances::records::Instance;
use crate::instances::shown::Around;
use crate::kinds;
use crate::lookup;
use crate::tags;
use crate::templates::records::{LaunchTemplate, TemplateVersion};
use kiln_ec2_shapes::{
    self as shapes, CreateLaunchTemplateRequest, CreateLaunchTemplateResponse, CreateLaunchTemplateVersionRequest,
    CreateLaunchTemplateVersionResponse, DeleteLaunchTemplateRequest, DeleteLaunchTemplateResponse,
    DeleteLaunchTemplateVersionsRequest, DeleteLaunchTemplateVersionsResponse,
    DeleteLaunchTemplateVersionsResponseErrorItem, DeleteLaunchTemplateVersionsResponseSuccessItem,
    DescribeLaunchTemplateVersionsRequest, DescribeLaunchTemplateVersionsResponse, DescribeLaunchTemplatesRequest,
    DescribeLaunchTemplatesResponse, GetLaunchTemplateDataRequest, GetLaunchTemplateDataResponse,
    LaunchTemplateVersion, ModifyLaunchTemplateRequest, ModifyLaunchTemplateResponse, RequestLaunchTemplateData,
    ResponseError, ResponseLaunchTemplateData,
};
use kiln_ids::LaunchTemplateId;
use kiln_protocol::stored;
use kiln_service_kit::{Cx, Error, Operation, Remembered, Tx, operation, paginate, request_hash};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateLaunchTemplate: create_launch_template(CreateLaunchTemplateRequest)),
    operation!(CreateLaunchTemplateVersion: create_launch_template_version(CreateLaunchTemplateVersionRequest)),
    operation!(DeleteLaunchTemplate: delete_launch_template(DeleteLaunchTemplateRequest)),
    operation!(DeleteLaunchTemplateVersions: delete_launch_template_versions(DeleteLaunchTemplateVersionsRequest)),
    operation!(DescribeLaunchTemplateVersions: describe_launch_template_versions(DescribeLaunchTemplateVersionsRequest)),
    operation!(DescribeLaunchTemplates: describe_launch_templates(DescribeLaunchTemplatesRequest)),
    operation!(GetLaunchTemplateData: get_launch_template_data(GetLaunchTemplateDataRequest)),
    operation!(ModifyLaunchTemplate: modify_launch_template(ModifyLaunchTemplateRequest)),
];

/// Templates that a call may keep as versions of one template.
const MOST_VERSIONS: usize = 10_000;

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
            if tx.list::<LaunchTemplate>(cx.scope())?.iter().any(|(_, t)| &t.name == name) {
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

async fn create_launch_template_version(
    cx: &Cx,
    request: CreateLaunchTemplateVersionRequest,
) -> Result<CreateLaunchTemplateVersionResponse, Error> {
    check_data(cx, "CreateLaunchTemplateVersion", &request.launch_template_data)?;
    let (id, name) = (request.launch_template_id.as_deref(), request.launch_template_name.as_deref());
    let of = find(cx, id, name)?;
    launch::followed(cx, &of.id, "$Latest", Some(&version_data(&of, &request)?)).await?;
    let hash = request_hash(&CreateLaunchTemplateVersionRequest { client_token: None, ..request.clone() });
    let version = cx
        .store()
        .write(|tx| {
            let (id, name) = (request.launch_template_id.as_deref(), request.launch_template_name.as_deref());
            let mut template = LaunchTemplate::clone(&*find_in(tx, cx, id, name)?);
            let token = request.client_token.as_deref();
            if let Some(token) = token
                && let Some(number) = Remembered::find(tx, cx, "CreateLaunchTemplateVersion", token, &hash)?
                && let Ok(number) = number.parse()
                && template.versions.contains_key(&number)
            {
                return version_shown(&template, number);
            }
            if template.versions.len() >= MOST_VERSIONS {
                return Err(Error::sender(
                    "VersionLimitExceeded",
                    format!("A launch template can have at most {MOST_VERSIONS} versions."),
                ));
            }
            let data = version_data(&template, &request)?;
            template.latest_given += 1;
            let number = template.latest_given;
            let version = TemplateVersion {
                description: request.version_description.clone(),
                created: tx.now(),
                created_by: cx.caller().arn.clone(),
                data,
            };
            template.versions.insert(number, version);
            let shown = version_shown(&template, number)?;
            let id = template.id.clone();
            tx.put(cx.scope(), &id, template)?;
            if let Some(token) = token {
                Remembered::keep(tx, cx, "CreateLaunchTemplateVersion", token, &hash, &number.to_string())?;
            }
            Ok(shown)
        })
        .await?;
    let mut shown = vec![version];
    if request.resolve_alias == Some(true) {
        resolve_aliases(cx, &mut shown).await?;
    }
    Ok(CreateLaunchTemplateVersionResponse { launch_template_version: shown.pop(), warning: None })
}

/// What a new version holds: what is given, over its source version where one is named.
fn version_data(
    template: &LaunchTemplate,
    request: &CreateLaunchTemplateVersionRequest,
) -> Result<RequestLaunchTemplateData, Error> {
    match request.source_version.as_deref() {
        None => Ok(request.launch_template_data.clone()),
        Some(source) => {
            let source = version_of(template, Some(source))?;
            over(&template.versions[&source].data, &request.launch_template_data)
        }
    }
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

async fn delete_launch_template_versions(
    cx: &Cx,
    request: DeleteLaunchTemplateVersionsRequest,
) -> Result<DeleteLaunchTemplateVersionsResponse, Error> {
    let mut answer = DeleteLaunchTemplateVersionsResponse::default();
    let of = find(cx, request.launch_template_id.as_deref(), request.launch_template_name.as_deref())?;
    let stays = |(number, _): &(&i64, &TemplateVersion)| {
        **number == of.default_version || !request.versions.contains(&number.to_string())
    };
    if let Some((number, version)) = of.versions.iter().rfind(stays)
        && *number != of.latest()
    {
        launch::followed(cx, &of.id, "$Latest", Some(&version.data)).await?;
    }
    cx.store()
        .write(|tx| {
            let (id, name) = (request.launch_template_id.as_deref(), request.launch_template_name.as_deref());
            let mut template = LaunchTemplate::clone(&*find_in(tx, cx, id, name)?);
            for text in &request.versions {
                let number: i64 = text.parse().map_err(|_| bad_version(text))?;
                let refusal = if number == template.default_version {
                    Some(("launchTemplateVersionIsDefault", "The default version cannot be deleted."))
                } else if template.versions.remove(&number).is_none() {
                    Some(("launchTemplateVersionDoesNotExist", "The launch template version does not exist."))
                } else {
                    None
                };
                let (id, name) = (Some(template.id.to_string()), Some(template.name.clone()));
                match refusal {
                    None => answer.successfully_deleted_launch_template_versions.push(
                        DeleteLaunchTemplateVersionsResponseSuccessItem {
                            launch_template_id: id,
                            launch_template_name: name,
                            version_number: Some(number),
                        },
                    ),
                    Some((code, message)) => answer.unsuccessfully_deleted_launch_template_versions.push(
                        DeleteLaunchTemplateVersionsResponseErrorItem {
                            launch_template_id: id,
                            launch_template_name: name,
                            version_number: Some(number),
                            response_error: Some(ResponseError {
                                code: Some(code.to_owned()),
                                message: Some(message.to_owned()),
                            }),
                        },
                    ),
                }
            }
            let id = template.id.clone();
            tx.put_if_changed(cx.scope(), &id, template)?;
            Ok::<_, Error>(())
        })
        .await?;
    Ok(answer)
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
    launch::followed(cx, &of.id, "$Default", version.map(|version| &version.data)).await?;
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

const VERSION_FILTERS: &[&str] = &[
    "create-time",
    "ebs-optimized",
    "host-resource-group-arn",
    "http-endpoint",
    "http-protocol-ipv4",
    "http-tokens",
    "iam-instance-profile",
    "image-id",
    "instance-type",
    "is-default-version",
    "kernel-id",
    "license-configuration-arn",
    "network-card-index",
    "ram-disk-id",
];

/// AWS's answer to who describes versions of no template.
const WHICH_VERSIONS: &str = "To describe the launch template data for all your launch templates, for ‘--versions’ \
    specify ‘$Latest’, ‘$Default’, or both, and omit ‘--launch-template-id’, ‘--launch-template-name’, and version \
    numbers. To describe the launch template data for a specific launch template, specify ‘--launch-template-id’ or \
    ‘--launch-template-name’, and for ‘--versions’ specify one or more of the following values: ‘$Latest’, \
    ‘$Default’, or one or more version numbers.";

async fn describe_launch_template_versions(
    cx: &Cx,
    request: DescribeLaunchTemplateVersionsRequest,
) -> Result<DescribeLaunchTemplateVersionsResponse, Error> {
    let filters = Filters::read(&request.filters, VERSION_FILTERS)?;
    let (id, name) = (request.launch_template_id.as_deref(), request.launch_template_name.as_deref());
    let templates = match (id, name) {
        (None, None) => {
            let all_named = |v: &String| v == "$Latest" || v == "$Default";
            if request.versions.is_empty() {
                return Err(Error::sender("MissingParameter", WHICH_VERSIONS));
            }
            if !request.versions.iter().all(all_named) {
                return Err(invalid_value(WHICH_VERSIONS));
            }
            cx.store().list::<LaunchTemplate>(cx.scope())?.into_iter().map(|(_, t)| t).collect()
        }
        _ => vec![find(cx, id, name)?],
    };
    let bound = |text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => text.parse::<i64>().map(Some).map_err(|_| bad_version(text)),
    };
    let (least, most) = (bound(&request.min_version)?, bound(&request.max_version)?);
    let mut chosen = vec![];
    for template in &templates {
        let numbers: Vec<i64> = match request.versions.as_slice() {
            // Newest first, as AWS lists them.
            [] => template.versions.keys().rev().copied().collect(),
            named => {
                let mut numbers = vec![];
                for text in named {
                    let number = version_of(template, Some(text))?;
                    if !numbers.contains(&number) {
                        numbers.push(number);
                    }
                }
                numbers
            }
        };
        for number in numbers {
            if least.is_some_and(|least| number < least) || most.is_some_and(|most| number > most) {
                continue;
            }
            let version = &template.versions[&number];
            let data = &version.data;
            let (profile, metadata) = (data.iam_instance_profile.as_ref(), data.metadata_options.as_ref());
            let passes = filters.accept(&template.tags, |name| match name {
                "create-time" => one(version.created),
                "ebs-optimized" => flag(data.ebs_optimized == Some(true)),
                "iam-instance-profile" => maybe(profile.and_then(|p| p.arn.as_ref().or(p.name.as_ref()))),
                "image-id" => maybe(data.image_id.as_ref()),
                "instance-type" => maybe(data.instance_type.as_ref()),
                "is-default-version" => flag(number == template.default_version),
                "http-endpoint" | "http-protocol-ipv4" => maybe(metadata.and_then(|m| m.http_endpoint.as_ref())),
                "http-tokens" => maybe(metadata.and_then(|m| m.http_tokens.as_ref())),
                "kernel-id" => maybe(data.kernel_id.as_ref()),
                "ram-disk-id" => maybe(data.ram_disk_id.as_ref()),
                _ => vec![],
            });
            if passes {
                chosen.push((format!("{} {:010}", template.id, i64::MAX - number), version_shown(template, number)?));
            }
        }
    }
    chosen.sort_by(|a, b| a.0.cmp(&b.0));
    let limit = request.max_results.map_or(200, |n| n.max(1) as usize);
    let page = paginate(chosen, |(key, _)| key, request.next_token.as_deref(), limit, bad_token)?;
    let mut shown: Vec<LaunchTemplateVersion> = page.items.into_iter().map(|(_, v)| v).collect();
    if request.resolve_alias == Some(true) {
        resolve_aliases(cx, &mut shown).await?;
    }
    Ok(DescribeLaunchTemplateVersionsResponse { launch_template_versions: shown, next_token: page.next_token })
}

/// Shows the images that SSM parameters stand for, instead of the parameters.
async fn resolve_aliases(cx: &Cx, versions: &mut [LaunchTemplateVersion]) -> Result<(), Error> {
    for data in versions.iter_mut().filter_map(|version| version.launch_template_data.as_mut()) {
        if let Some(image) = &mut data.image_id {
            *image = image_lookup::resolved(cx, image).await?;
        }
    }
    Ok(())
}

/// What a template would have to say to launch instances like this one.
async fn get_launch_template_data(
    cx: &Cx,
    request: GetLaunchTemplateDataRequest,
) -> Result<GetLaunchTemplateDataResponse, Error> {
    let (_, instance) = lookup::selected::<Instance>(cx, std::slice::from_ref(&request.instance_id))?.remove(0);
    let around = Around::of(cx, &instance)?;
    let options = &instance.options;
    let on = |on: bool| if on { "enabled" } else { "disabled" };
    let groups: Vec<&str> = around.groups.iter().map(|(id, _)| id.as_str()).collect();
    let tags: Vec<Json> = instance
        .tags
        .iter()
        .filter(|(key, _)| !tags::is_reserved(key))
        .map(|(key, value)| json!({"Key": key, "Value": value}))
        .collect();
    let tag_specifications = match tags.is_empty() {
        true => vec![],
        false => vec![json!({"ResourceType": "instance", "Tags": tags})],
    };
    let data = json!({
        "EbsOptimized": options.ebs_optimized,
        "IamInstanceProfile": instance.profile.as_ref().map(|profile| json!({"Arn": profile.arn})),
        "NetworkInterfaces": [{
            "DeviceIndex": 0,
            "DeleteOnTermination": true,
            "AssociatePublicIpAddress": around.public_ip().is_some(),
            "Groups": groups,
            "SubnetId": instance.subnet.to_string(),
        }],
        "ImageId": instance.image.to_string(),
        "InstanceType": instance.instance_type,
        "KeyName": instance.key_name,
        "Monitoring": {"Enabled": false},
        "Placement": {"AvailabilityZone": instance.zone, "Tenancy": "default"},
        "DisableApiTermination": options.disable_api_termination,
        "DisableApiStop": options.disable_api_stop,
        "InstanceInitiatedShutdownBehavior": if options.terminate_on_shutdown { "terminate" } else { "stop" },
        "UserData": instance.user_data,
        "TagSpecifications": tag_specifications,
        "MetadataOptions": {
            "HttpTokens": if instance.metadata.tokens_required { "required" } else { "optional" },
            "HttpPutResponseHopLimit": instance.metadata.hop_limit,
            "HttpEndpoint": on(instance.metadata.enabled),
            "InstanceMetadataTags": on(instance.metadata.tags_enabled),
        },
    });
    let data = stored::from_json(Json::Object(given(data)))?;
    Ok(GetLaunchTemplateDataResponse { launch_template_data: Some(data) })
}

/// The template of that id or name.
pub fn find(cx: &Cx, id: Option<&str>, name: Option<&str>) -> Result<Arc<LaunchTemplate>, Error> {
    let by_id = |id: &str| cx.store().get::<LaunchTemplate>(cx.scope(), id).map_err(Error::from);
    pick(id, name, by_id, || Ok(cx.store().list::<LaunchTemplate>(cx.scope())?.into_iter().map(|(_, t)| t).collect()))
}

fn find_in(tx: &Tx, cx: &Cx, id: Option<&str>, name: Option<&str>) -> Result<Arc<LaunchTemplate>, Error> {
    let by_id = |id: &str| tx.get::<LaunchTemplate>(cx.scope(), id).map_err(Error::from);
    pick(id, name, by_id, || Ok(tx.list::<LaunchTemplate>(cx.scope())?.into_iter().map(|(_, t)| t).collect()))
}

fn pick(
    id: Option<&str>,
    name: Option<&str>,
    by_id: impl Fn(&str) -> Result<Option<Arc<LaunchTemplate>>, Error>,
    all: impl Fn() -> Result<Vec<Arc<LaunchTemplate>>, Error>,
) -> Result<Arc<LaunchTemplate>, Error> {
    let found = match (id, name) {
        (Some(_), Some(_)) => {
            return Err(Error::sender(
                "InvalidParameterCombination",
                "Either launch template ID or launch template name may be specified, but not both.",
            ));
        }
        (None, None) => {
            return Err(missing_parameter("launch template ID or launch template name"));
        }
        (Some(id), None) => {
            kinds::LAUNCH_TEMPLATE.parse::<LaunchTemplateId>(id)?;
            by_id(id)?
        }
        (None, Some(name)) => all()?.into_iter().find(|t| t.name == name),
    };
    found.ok_or_else(|| none(id, name))
}

/// As none of the names that a listing, a change or a deletion was asked for.
fn one_of_the_names() -> Error {
    Error::sender(
        "InvalidLaunchTemplateName.NotFoundException",
        "At least one of the launch templates specified in the request does not exist.",
    )
}

/// The one template that a change or a deletion is about.
fn the_one(tx: &Tx, cx: &Cx, doing: &str, id: Option<&str>, name: Option<&str>) -> Result<Arc<LaunchTemplate>, Error> {
    if id.is_some() && name.is_some() {
        return Err(invalid_combination(format!(
            "Either provide launch template ID or launch template name to {doing} the template."
        )));
    }
    find_in(tx, cx, id, name).map_err(|error| match error.is("InvalidLaunchTemplateName.NotFoundException") {
        true => one_of_the_names(),
        false => error,
    })
}

fn none(id: Option<&str>, name: Option<&str>) -> Error {
    match (id, name) {
        (Some(id), _) => Error::sender(
            "InvalidLaunchTemplateId.NotFound",
            format!("The specified launch template, with template ID {id}, does not exist."),
        ),
        (None, name) => Error::sender(
            "InvalidLaunchTemplateName.NotFoundException",
            format!("The specified launch template, with template name {}, does not exist.", name.unwrap_or("")),
        ),
    }
}

fn bad_version(text: &str) -> Error {
    invalid_value(format!(
        "Invalid launch template version '{text}': either '$Default', '$Latest', or a numeric version are allowed."
    ))
}

/// What `$Latest`, `$Default`, a number or nothing (the default) mean.
pub fn version_of(template: &LaunchTemplate, text: Option<&str>) -> Result<i64, Error> {
    let number = match text {
        None | Some("") | Some("$Default") => template.default_version,
        Some("$Latest") => template.latest(),
        Some(text) => text.parse().map_err(|_| bad_version(text))?,
    };
    match template.versions.contains_key(&number) {
        true => Ok(number),
        false => Err(Error::sender(
            "InvalidLaunchTemplateId.VersionNotFound",
            format!("Could not find launch template version {number} of {}.", template.id),
        )),
    }
}

/// User data must be base64, tags must be the caller's to give (who launches may be a service), and
/// what no launch could have is refused at once; the rest is checked when an instance is launched,
/// as AWS does.
fn check_data(cx: &Cx, operation: &str, data: &RequestLaunchTemplateData) -> Result<(), Error> {
    launch::check_template(operation, data)?;
    for specification in &data.tag_specifications {
        tags::read(cx, &specification.tags)?;
    }
    match data.user_data.as_deref() {
        None => Ok(()),
        Some(text) => launch::user_data(text).map(|_| ()),
    }
}

/// A version's data with the members of a newer one put over it.
fn over(
    base: &RequestLaunchTemplateData,
    newer: &RequestLaunchTemplateData,
) -> Result<RequestLaunchTemplateData, Error> {
    let mut merged = given(stored::to_json(base));
    merged.extend(given(stored::to_json(newer)));
    stored::from_json(Json::Object(merged))
}

/// The members of a structure that were really given: an empty list or structure is none.
pub fn given(structure: Json) -> Map<String, Json> {
    let Json::Object(members) = structure else { return Map::new() };
    let is_given = |value: &Json| match value {
        Json::Null => false,
        Json::Array(items) => !items.is_empty(),
        Json::Object(members) => !members.is_empty(),
        _ => true,
    };
    members.into_iter().filter(|(_, value)| is_given(value)).collect()
}

fn shown(template: &LaunchTemplate) -> shapes::LaunchTemplate {
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

fn version_shown(template: &LaunchTemplate, number: i64) -> Result<LaunchTemplateVersion, Error> {
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
