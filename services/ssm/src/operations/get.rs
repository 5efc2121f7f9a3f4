//! Reading values: by name, by several names, by path.

use super::filters::{self, Allowed};
use crate::errors::{bad_path, bad_token, not_found, version_not_found};
use crate::images::{self, Alias};
use crate::name::{self, Pointer};
use crate::records::{Parameter as Kept, Version};
use crate::secure;
use crate::targets::{parameter, parameters};
use kiln_service_kit::{Cx, Error, Operation, operation, paginate};
use kiln_ssm_shapes::*;
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(GetParameter: get_parameter(GetParameterRequest), on |cx, r| parameter(cx, &r.name)),
    operation!(GetParameters: get_parameters(GetParametersRequest), on |cx, r| parameters(cx, &r.names)),
    operation!(GetParametersByPath: get_parameters_by_path(GetParametersByPathRequest),
        on |cx, r| parameter(cx, r.path.trim_end_matches('/'))),
];

async fn get_parameter(cx: &Cx, request: GetParameterRequest) -> Result<GetParameterResponse, Error> {
    let pointer = Pointer::parse(cx, &request.name)?;
    let parameter = read(cx, &pointer, request.with_decryption.unwrap_or(false)).await?;
    Ok(GetParameterResponse { parameter: Some(parameter) })
}

/// In alphabetical order and each once, however often it was asked for; the same parameter by two
/// selectors is two answers. What is no name at all is told like what is not there.
async fn get_parameters(cx: &Cx, request: GetParametersRequest) -> Result<GetParametersResponse, Error> {
    let mut answer = GetParametersResponse::default();
    let mut names = request.names.clone();
    names.sort();
    names.dedup();
    for name in names {
        let found = match Pointer::parse(cx, &name) {
            Ok(pointer) => read(cx, &pointer, request.with_decryption.unwrap_or(false)).await,
            Err(error) => Err(error),
        };
        match found {
            Ok(parameter) => {
                let same = |other: &Parameter| other.name == parameter.name && other.selector == parameter.selector;
                if !answer.parameters.iter().any(same) {
                    answer.parameters.push(parameter);
                }
            }
            Err(error)
                if ["ParameterNotFound", "ParameterVersionNotFound", "ValidationException"]
                    .iter()
                    .any(|c| error.is(c)) =>
            {
                answer.invalid_parameters.push(name);
            }
            Err(error) => return Err(error),
        }
    }
    answer.parameters.sort_by(|a, b| (&a.name, &a.selector).cmp(&(&b.name, &b.selector)));
    Ok(answer)
}

async fn get_parameters_by_path(
    cx: &Cx,
    request: GetParametersByPathRequest,
) -> Result<GetParametersByPathResponse, Error> {
    let reserved = request.path.to_ascii_lowercase().starts_with("/ssm");
    if !filters::is_path(&request.path) || reserved {
        return Err(bad_path());
    }
    let filters = filters::read(&request.parameter_filters, Allowed::ByPath)?;
    let recursive = request.recursive.unwrap_or(false);
    let decrypt = request.with_decryption.unwrap_or(false);
    let mut all: Vec<(String, Found)> = vec![];
    if images::is_public(&request.path) {
        if !filters.is_empty() {
            return Err(Error::not_built("ssm:GetParametersByPath with ParameterFilters below /aws/"));
        }
        let aliases = images::under(cx, &request.path, recursive).await?;
        // AWS has parameters in many places there: an empty answer would say that it has none.
        if aliases.is_empty() && !images::is_published(&request.path) {
            return Err(images::none_below(&request.path));
        }
        all.extend(aliases.into_iter().map(|alias| (alias.name.clone(), Found::Public(alias))));
    } else {
        // At the root lie also those whose names have no slash.
        let begin = request.path.trim_end_matches('/');
        let begin = if begin.is_empty() { String::new() } else { format!("{begin}/") };
        for (_, kept) in cx.store().list_prefix::<Kept>(cx.scope(), &begin)? {
            if filters::is_under(&kept.name, &request.path, recursive)
                && let Some(version) = filters::matching_version(&kept, &filters)
            {
                let version = version.clone();
                all.push((kept.name.clone(), Found::Kept(kept, version)));
            }
        }
    }
    let limit = request.max_results.unwrap_or(10) as usize;
    let page = paginate(all, |(name, _)| name, request.next_token.as_deref(), limit, bad_token)?;
    let mut parameters = vec![];
    // What is given alone is opened.
    for (_, found) in page.items {
        parameters.push(match found {
            Found::Public(alias) => public(cx, alias, None),
            Found::Kept(kept, version) => shown(cx, &kept, &version, None, decrypt).await?,
        });
    }
    Ok(GetParametersByPathResponse { parameters, next_token: page.next_token })
}

/// What lies below a path.
enum Found {
    Public(Alias),
    Kept(Arc<Kept>, Version),
}

/// The parameter a pointer means, as the store has it.
pub fn find(cx: &Cx, pointer: &Pointer) -> Result<Arc<Kept>, Error> {
    let rooted = pointer.from_arn.then(|| format!("/{}", pointer.name));
    for name in rooted.into_iter().chain([pointer.name.clone()]).chain(name::twin(&pointer.name)) {
        if let Some(found) = cx.store().get::<Kept>(cx.scope(), &name)? {
            return Ok(found);
        }
    }
    Err(not_found(&pointer.name))
}

async fn read(cx: &Cx, pointer: &Pointer, decrypt: bool) -> Result<Parameter, Error> {
    let rooted = if pointer.from_arn { format!("/{}", pointer.name) } else { pointer.name.clone() };
    if images::is_public(&rooted) {
        let alias = images::resolve(cx, &rooted).await?;
        return match pointer.selector.as_deref() {
            None | Some(":1") => Ok(public(cx, alias, pointer.selector.clone())),
            Some(other) => Err(no_version(cx, &rooted, other)),
        };
    }
    let kept = find(cx, pointer)?;
    let version = match pointer.selector.as_deref().map(|selector| &selector[1..]) {
        None => kept.latest(),
        Some(selector) => {
            let found = match selector.parse() {
                Ok(number) => kept.version(number),
                Err(_) => kept.versions.iter().find(|version| version.labels.iter().any(|label| label == selector)),
            };
            found.ok_or_else(|| no_version(cx, &kept.name, selector))?
        }
    };
    shown(cx, &kept, version, pointer.selector.clone(), decrypt).await
}

fn no_version(cx: &Cx, name: &str, selector: &str) -> Error {
    let what = if selector.trim_start_matches(':').parse::<i64>().is_ok() { "version" } else { "label" };
    version_not_found(format!(
        "Systems Manager could not find {what} {} of {}. Verify the {what} and try again.",
        selector.trim_start_matches(':'),
        name::arn(cx, name)
    ))
}

async fn shown(
    cx: &Cx,
    kept: &Kept,
    version: &Version,
    selector: Option<String>,
    decrypt: bool,
) -> Result<Parameter, Error> {
    Ok(Parameter {
        name: Some(kept.name.clone()),
        r#type: Some(version.kind.clone()),
        value: Some(secure::shown(cx, &kept.name, &version.value, decrypt).await?),
        version: Some(version.version),
        selector,
        source_result: None,
        last_modified_date: Some(version.modified),
        arn: Some(name::arn(cx, &kept.name)),
        data_type: Some(version.data_type.clone()),
    })
}

fn public(cx: &Cx, alias: Alias, selector: Option<String>) -> Parameter {
    Parameter {
        arn: Some(images::arn(cx, &alias.name)),
        name: Some(alias.name),
        r#type: Some("String".to_owned()),
        value: Some(alias.image_id),
        version: Some(1),
        selector,
        source_result: None,
        last_modified_date: alias.created,
        data_type: Some("aws:ec2:image".to_owned()),
    }
}
