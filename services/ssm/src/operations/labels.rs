//! Labels: names for versions. A label is on one version at a time.

use super::get::find;
use crate::errors::{not_found, version_not_found};
use crate::name::{self, Pointer};
use crate::records::Parameter as Kept;
use crate::targets::parameter;
use kiln_service_kit::{Cx, Error, Operation, operation};
use kiln_ssm_shapes::*;

pub const OPERATIONS: &[Operation] = &[
    operation!(LabelParameterVersion: label_parameter_version(LabelParameterVersionRequest),
        on |cx, r| parameter(cx, &r.name)),
    operation!(UnlabelParameterVersion: unlabel_parameter_version(UnlabelParameterVersionRequest),
        on |cx, r| parameter(cx, &r.name)),
];

/// Most labels of one version.
const MOST: usize = 10;

fn is_valid(label: &str) -> bool {
    let lower = label.to_ascii_lowercase();
    label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
        && !label.starts_with(|c: char| c.is_ascii_digit())
        && !lower.starts_with("aws")
        && !lower.starts_with("ssm")
}

fn no_version(cx: &Cx, name: &str, version: i64) -> Error {
    version_not_found(format!(
        "Systems Manager could not find version {version} of {}. Verify the version and try again.",
        name::arn(cx, name)
    ))
}

async fn label_parameter_version(
    cx: &Cx,
    request: LabelParameterVersionRequest,
) -> Result<LabelParameterVersionResponse, Error> {
    let name = find(cx, &Pointer::whole(cx, &request.name)?)?.name.clone();
    let (good, invalid_labels): (Vec<String>, Vec<String>) =
        request.labels.into_iter().partition(|label| is_valid(label));
    let version = cx
        .store()
        .write::<_, Error>(|tx| {
            let found = tx.get::<Kept>(cx.scope(), &name)?.ok_or_else(|| not_found(&name))?;
            let mut parameter = (*found).clone();
            let number = request.parameter_version.unwrap_or(parameter.latest().version);
            for version in &mut parameter.versions {
                if version.version != number {
                    version.labels.retain(|label| !good.contains(label));
                }
            }
            let Some(version) = parameter.versions.iter_mut().find(|version| version.version == number) else {
                return Err(no_version(cx, &name, number));
            };
            for label in &good {
                if !version.labels.contains(label) {
                    version.labels.push(label.clone());
                }
            }
            if version.labels.len() > MOST {
                return Err(Error::sender(
                    "ParameterVersionLabelLimitExceeded",
                    "A parameter version can have maximum 10 labels. Move one or more labels to another version and \
                     try again.",
                ));
            }
            tx.put_if_changed(cx.scope(), &name, parameter)?;
            Ok(number)
        })
        .await?;
    Ok(LabelParameterVersionResponse { invalid_labels, parameter_version: Some(version) })
}

async fn unlabel_parameter_version(
    cx: &Cx,
    request: UnlabelParameterVersionRequest,
) -> Result<UnlabelParameterVersionResponse, Error> {
    let name = find(cx, &Pointer::whole(cx, &request.name)?)?.name.clone();
    cx.store()
        .write::<_, Error>(|tx| {
            let found = tx.get::<Kept>(cx.scope(), &name)?.ok_or_else(|| not_found(&name))?;
            let mut parameter = (*found).clone();
            let number = request.parameter_version;
            let Some(version) = parameter.versions.iter_mut().find(|version| version.version == number) else {
                return Err(no_version(cx, &name, number));
            };
            let (removed_labels, invalid_labels): (Vec<String>, Vec<String>) =
                request.labels.into_iter().partition(|label| version.labels.contains(label));
            version.labels.retain(|label| !removed_labels.contains(label));
            tx.put_if_changed(cx.scope(), &name, parameter)?;
            Ok(UnlabelParameterVersionResponse { removed_labels, invalid_labels })
        })
        .await
}
