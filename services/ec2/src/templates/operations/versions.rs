//! Versions of launch templates: create, list, delete.

use crate::errors::{bad_token, invalid_value};
use crate::filters::{Filters, flag, maybe, one};
use crate::passing::followed;
use crate::targets::things;
use crate::templates::check::check_data;
use crate::templates::data::over;
use crate::templates::lookup::{bad_version, find, find_in, version_of};
use crate::templates::records::{LaunchTemplate, TemplateVersion};
use crate::templates::shown::{resolve_aliases, version_shown};
use crate::templates::targets::{LAUNCH_TEMPLATE, NAMED_LAUNCH_TEMPLATE};
use kiln_ec2_shapes::{
    CreateLaunchTemplateVersionRequest, CreateLaunchTemplateVersionResponse, DeleteLaunchTemplateVersionsRequest,
    DeleteLaunchTemplateVersionsResponse, DeleteLaunchTemplateVersionsResponseErrorItem,
    DeleteLaunchTemplateVersionsResponseSuccessItem, DescribeLaunchTemplateVersionsRequest,
    DescribeLaunchTemplateVersionsResponse, LaunchTemplateVersion, RequestLaunchTemplateData, ResponseError,
};
use kiln_service_kit::{Cx, Error, Operation, Remembered, operation, paginate, request_hash};

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateLaunchTemplateVersion: create_launch_template_version(CreateLaunchTemplateVersionRequest),
        on things![LAUNCH_TEMPLATE launch_template_id, NAMED_LAUNCH_TEMPLATE launch_template_name]),
    operation!(DeleteLaunchTemplateVersions: delete_launch_template_versions(DeleteLaunchTemplateVersionsRequest),
        on things![LAUNCH_TEMPLATE launch_template_id, NAMED_LAUNCH_TEMPLATE launch_template_name]),
    operation!(DescribeLaunchTemplateVersions: describe_launch_template_versions(DescribeLaunchTemplateVersionsRequest),
        on everything),
];

/// Templates that a call may keep as versions of one template.
const MOST_VERSIONS: usize = 10_000;

async fn create_launch_template_version(
    cx: &Cx,
    request: CreateLaunchTemplateVersionRequest,
) -> Result<CreateLaunchTemplateVersionResponse, Error> {
    check_data(cx, "CreateLaunchTemplateVersion", &request.launch_template_data)?;
    let (id, name) = (request.launch_template_id.as_deref(), request.launch_template_name.as_deref());
    let of = find(cx, id, name)?;
    followed(cx, &of.id, "$Latest", Some(&version_data(&of, &request)?)).await?;
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
        followed(cx, &of.id, "$Latest", Some(&version.data)).await?;
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
