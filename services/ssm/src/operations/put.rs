//! PutParameter: a new parameter, or a new version of one.

use super::tags;
use crate::errors::validation;
use crate::records::{MOST_VERSIONS, Parameter, Stored, Version};
use crate::targets::given;
use crate::{images, name, secure};
use kiln_service_kit::{Cx, Error, Operation, operation};
use kiln_ssm_shapes::*;
use kiln_template::Pattern;

pub const OPERATIONS: &[Operation] =
    &[operation!(PutParameter: put_parameter(PutParameterRequest), on |cx, r| given(cx, &r.name, &r.tags))];

async fn put_parameter(cx: &Cx, request: PutParameterRequest) -> Result<PutParameterResponse, Error> {
    name::check_new(&request.name)?;
    if request.policies.as_deref().is_some_and(|policies| policies.trim() != "[]") {
        return Err(Error::not_built("ssm:PutParameter with Policies"));
    }
    let overwrite = request.overwrite.unwrap_or(false);
    if overwrite && !request.tags.is_empty() {
        return Err(validation(
            "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please \
             remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or \
             RemoveTagsFromResource.",
        ));
    }
    let tags = tags::read(cx, &request.tags)?;
    check_value(&request)?;
    let data_type = request.data_type.as_deref().unwrap_or("text");
    match data_type {
        "text" => {}
        "aws:ec2:image" if images::exists(cx, &request.value).await? => {}
        // Without the value: the parameter may be a secret.
        "aws:ec2:image" => {
            return Err(validation("The parameter value is not the id of an image of this region."));
        }
        "aws:ssm:integration" => return Err(Error::not_built("ssm:PutParameter with DataType aws:ssm:integration")),
        other => {
            return Err(validation(format!(
                "The following data type is not supported: {other} (Data type names are all lowercase.)"
            )));
        }
    }
    let secret = secret(cx, &request).await?;
    let (version, tier) = cx
        .store()
        .write::<_, Error>(|tx| {
            let mut found = tx.get::<Parameter>(cx.scope(), &request.name)?;
            if found.is_none()
                && let Some(twin) = name::twin(&request.name)
            {
                found = tx.get::<Parameter>(cx.scope(), &twin)?;
            }
            let is_new = found.is_none();
            let mut parameter = match found {
                Some(_) if !overwrite => {
                    return Err(Error::sender(
                        "ParameterAlreadyExists",
                        "The parameter already exists. To overwrite this value, set the overwrite option in the \
                         request to true.",
                    ));
                }
                Some(parameter) => (*parameter).clone(),
                None => Parameter { name: request.name.clone(), versions: vec![], tags },
            };
            let next = next_version(cx, &request, &parameter, data_type, secret)?;
            // Below the smaller limit nobody needs to look at tiers.
            if is_new && tx.count::<Parameter>(cx.scope()) >= MOST_STANDARD {
                check_room(tx.list::<Parameter>(cx.scope())?.iter().map(|(_, p)| p.latest()), &next.tier)?;
            }
            let answer = (next.version, next.tier.clone());
            parameter.versions.push(next);
            drop_oldest(&mut parameter)?;
            tx.put(cx.scope(), &parameter.name.clone(), parameter)?;
            Ok(answer)
        })
        .await?;
    Ok(PutParameterResponse { version: Some(version), tier: Some(tier) })
}

/// Parameters of an account in a region, by tier. Source: the API Reference's PutParameter.
const MOST_STANDARD: usize = 10_000;
const MOST_ADVANCED: usize = 100_000;

fn check_room<'a>(newest: impl Iterator<Item = &'a Version>, tier: &str) -> Result<(), Error> {
    let most = if tier == "Advanced" { MOST_ADVANCED } else { MOST_STANDARD };
    match newest.filter(|version| version.tier == tier).count() < most {
        true => Ok(()),
        false => Err(Error::sender(
            "ParameterLimitExceeded",
            "You have exceeded the number of parameters for this AWS account. Delete one or more parameters and try again.",
        )),
    }
}

/// Whether a value would be one that stands for another: `{{ … }}`.
fn nests(value: &str) -> bool {
    value.split_once("{{").is_some_and(|(_, rest)| rest.contains("}}"))
}

fn check_value(request: &PutParameterRequest) -> Result<(), Error> {
    if nests(&request.value) {
        return Err(validation("Parameter value can't nest another parameter. Do not use \"{{}}\" in the value."));
    }
    if request.value.is_empty() {
        return Err(validation(
            "1 validation error detected: Value at 'value' failed to satisfy constraint: Member must have length \
             greater than or equal to 1",
        ));
    }
    let Some(pattern) = &request.allowed_pattern else { return Ok(()) };
    let compiled = Pattern::java_within(pattern).map_err(|_| {
        Error::sender(
            "InvalidAllowedPatternException",
            format!("The allowed pattern is not a regular expression that can be used: {pattern}"),
        )
    })?;
    if compiled.is_match(&request.value) == Ok(true) {
        return Ok(());
    }
    Err(Error::sender(
        "ParameterPatternMismatchException",
        format!("Parameter value, cannot be validated against allowedPattern: {pattern}"),
    ))
}

fn next_version(
    cx: &Cx,
    request: &PutParameterRequest,
    parameter: &Parameter,
    data_type: &str,
    secret: Option<Stored>,
) -> Result<Version, Error> {
    let before = parameter.versions.last();
    let kind = kind(request, parameter)?;
    let key_id = key_id(request, &kind)?;
    let value = match (kind.as_str(), secret) {
        ("SecureString", Some(secret)) => secret,
        // It was another when its value was to be encrypted.
        ("SecureString", None) => return Err(concurrent()),
        _ => Stored::Plain(request.value.clone()),
    };
    Ok(Version {
        version: before.map_or(1, |before| before.version + 1),
        value,
        kind,
        key_id,
        description: request.description.clone().or_else(|| before.and_then(|before| before.description.clone())),
        allowed_pattern: request.allowed_pattern.clone(),
        tier: tier(request, before)?,
        data_type: data_type.to_owned(),
        modified: cx.now(),
        modified_by: cx.caller().arn.clone(),
        labels: vec![],
    })
}

fn concurrent() -> Error {
    Error::sender("TooManyUpdates", "There are concurrent updates for a resource that supports one update at a time.")
}

/// The encrypted value of what is to be a SecureString: KMS is asked before the store is, which must not wait.
async fn secret(cx: &Cx, request: &PutParameterRequest) -> Result<Option<Stored>, Error> {
    let mut found = cx.store().get::<Parameter>(cx.scope(), &request.name)?;
    if found.is_none()
        && let Some(twin) = name::twin(&request.name)
    {
        found = cx.store().get::<Parameter>(cx.scope(), &twin)?;
    }
    // A new one has no version yet.
    let new = || Parameter { name: request.name.clone(), versions: vec![], tags: Default::default() };
    let parameter = found.map_or_else(new, |found| (*found).clone());
    // What is refused for another reason is refused below, without KMS.
    if !parameter.versions.is_empty() && request.overwrite != Some(true) {
        return Ok(None);
    }
    let kind = kind(request, &parameter)?;
    let Some(key_id) = key_id(request, &kind)? else { return Ok(None) };
    let advanced = tier(request, parameter.versions.last())? == "Advanced";
    secure::encrypt(cx, &parameter.name, &key_id, &request.value, advanced).await.map(Some)
}

/// The key of a SecureString; none of what is no secret.
fn key_id(request: &PutParameterRequest, kind: &str) -> Result<Option<String>, Error> {
    match (kind, &request.key_id) {
        ("SecureString", given) => Ok(Some(given.clone().unwrap_or_else(|| secure::DEFAULT_KEY.to_owned()))),
        (_, Some(_)) => Err(validation("KeyId is required for SecureString type parameter only.")),
        _ => Ok(None),
    }
}

fn kind(request: &PutParameterRequest, parameter: &Parameter) -> Result<String, Error> {
    Ok(match (&request.r#type, parameter.versions.last()) {
        (Some(kind), Some(before)) if *kind != before.kind => {
            return Err(Error::sender(
                "HierarchyTypeMismatchException",
                format!("A parameter's type cannot be changed: {} is a {}.", parameter.name, before.kind),
            ));
        }
        (Some(kind), _) => kind.clone(),
        (None, Some(before)) => before.kind.clone(),
        (None, None) => return Err(validation("A parameter type is required when you create a parameter.")),
    })
}

/// Standard holds 4 KB and Advanced 8 KB; there is no way back from Advanced.
fn tier(request: &PutParameterRequest, before: Option<&Version>) -> Result<String, Error> {
    let advanced_before = before.is_some_and(|before| before.tier == "Advanced");
    let length = request.value.len();
    let tier = match request.tier.as_deref() {
        Some("Standard") if advanced_before => {
            return Err(validation(
                "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the \
                 advanced-parameter tier to the standard-parameter tier.",
            ));
        }
        Some("Intelligent-Tiering") if length > 4096 || advanced_before => "Advanced",
        Some("Advanced") => "Advanced",
        None if advanced_before => "Advanced",
        _ => "Standard",
    };
    let most = if tier == "Advanced" { 8192 } else { 4096 };
    if length <= most {
        return Ok(tier.to_owned());
    }
    Err(validation(match tier {
        "Advanced" => format!("Advanced tier parameters support a maximum parameter value of {most} characters."),
        _ => format!(
            "Standard tier parameters support a maximum parameter value of {most} characters. To create a larger \
             parameter value, upgrade the parameter to use the advanced-parameter tier."
        ),
    }))
}

fn drop_oldest(parameter: &mut Parameter) -> Result<(), Error> {
    if parameter.versions.len() <= MOST_VERSIONS {
        return Ok(());
    }
    let oldest = &parameter.versions[0];
    if !oldest.labels.is_empty() {
        return Err(Error::sender(
            "ParameterMaxVersionLimitExceeded",
            format!(
                "You attempted to create a new version of {} by calling the PutParameter API with the overwrite flag. \
                 Version {}, the oldest version, can't be deleted because it has a label associated with it. Move the \
                 label to another version of the parameter, and try again.",
                parameter.name, oldest.version
            ),
        ));
    }
    parameter.versions.remove(0);
    Ok(())
}
