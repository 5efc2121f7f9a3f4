//! Which template a request means, and which of its versions.

use crate::errors::{invalid_combination, invalid_value, missing_parameter};
use crate::kinds;
use crate::templates::records::LaunchTemplate;
use kiln_ids::LaunchTemplateId;
use kiln_service_kit::{Cx, Error, Rows, Tx};
use std::sync::Arc;

/// The template of that id or name.
pub fn find(cx: &Cx, id: Option<&str>, name: Option<&str>) -> Result<Arc<LaunchTemplate>, Error> {
    let by_id = |id: &str| cx.store().get::<LaunchTemplate>(cx.scope(), id).map_err(Error::from);
    pick(id, name, by_id, |name| Ok(cx.store().whole().by_key(cx.scope(), "launch-template-name", name)?))
}

pub fn find_in(tx: &Tx, cx: &Cx, id: Option<&str>, name: Option<&str>) -> Result<Arc<LaunchTemplate>, Error> {
    let by_id = |id: &str| tx.get::<LaunchTemplate>(cx.scope(), id).map_err(Error::from);
    pick(id, name, by_id, |name| Ok(tx.by_key(cx.scope(), "launch-template-name", name)?))
}

fn pick(
    id: Option<&str>,
    name: Option<&str>,
    by_id: impl Fn(&str) -> Result<Option<Arc<LaunchTemplate>>, Error>,
    by_name: impl Fn(&str) -> Result<Rows<LaunchTemplate>, Error>,
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
        (None, Some(name)) => by_name(name)?.into_iter().map(|(_, template)| template).next(),
    };
    found.ok_or_else(|| none(id, name))
}

/// As none of the names that a listing, a change or a deletion was asked for.
pub fn one_of_the_names() -> Error {
    Error::sender(
        "InvalidLaunchTemplateName.NotFoundException",
        "At least one of the launch templates specified in the request does not exist.",
    )
}

/// The one template that a change or a deletion is about.
pub fn the_one(
    tx: &Tx,
    cx: &Cx,
    doing: &str,
    id: Option<&str>,
    name: Option<&str>,
) -> Result<Arc<LaunchTemplate>, Error> {
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

pub fn none(id: Option<&str>, name: Option<&str>) -> Error {
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

pub fn bad_version(text: &str) -> Error {
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
