//! What there is, without values; and one parameter's history.

use super::filters::{self, Allowed};
use super::get::find;
use crate::errors::{bad_token, validation};
use crate::name::{self, Pointer};
use crate::records::Parameter as Kept;
use crate::secure;
use crate::targets::parameter;
use kiln_service_kit::{Cx, Error, Operation, operation, paginate};
use kiln_ssm_shapes::*;

pub const OPERATIONS: &[Operation] = &[
    operation!(DescribeParameters: describe_parameters(DescribeParametersRequest), on everything),
    operation!(GetParameterHistory: get_parameter_history(GetParameterHistoryRequest),
        on |cx, r| parameter(cx, &r.name)),
];

async fn describe_parameters(cx: &Cx, request: DescribeParametersRequest) -> Result<DescribeParametersResponse, Error> {
    if request.shared.unwrap_or(false) {
        return Err(Error::not_built("ssm:DescribeParameters with Shared"));
    }
    if !request.filters.is_empty() && !request.parameter_filters.is_empty() {
        return Err(validation("You can use either Filters or ParameterFilters in a single request."));
    }
    // The old kind of filter means `BeginsWith` for names, `Equals` for the rest.
    let old = request.filters.iter().map(|filter| ParameterStringFilter {
        key: filter.key.clone(),
        option: (filter.key == "Name").then(|| "BeginsWith".to_owned()),
        values: filter.values.clone(),
    });
    let all: Vec<ParameterStringFilter> = request.parameter_filters.iter().cloned().chain(old).collect();
    let filters = filters::read(&all, Allowed::Describe)?;
    let kept = cx.store().list::<Kept>(cx.scope())?;
    let shown = kept.into_iter().filter(|(_, kept)| filters::matching_version(kept, &filters).is_some()).collect();
    let limit = request.max_results.unwrap_or(10) as usize;
    let page = paginate(shown, |(name, _)| name, request.next_token.as_deref(), limit, bad_token)?;
    let parameters = page.items.iter().map(|(_, kept)| metadata(cx, kept)).collect();
    Ok(DescribeParametersResponse { parameters, next_token: page.next_token })
}

fn metadata(cx: &Cx, kept: &Kept) -> ParameterMetadata {
    let version = kept.latest();
    ParameterMetadata {
        name: Some(kept.name.clone()),
        arn: Some(name::arn(cx, &kept.name)),
        r#type: Some(version.kind.clone()),
        key_id: version.key_id.clone(),
        last_modified_date: Some(version.modified),
        last_modified_user: Some(version.modified_by.clone()),
        description: version.description.clone(),
        allowed_pattern: version.allowed_pattern.clone(),
        version: Some(version.version),
        tier: Some(version.tier.clone()),
        policies: vec![],
        data_type: Some(version.data_type.clone()),
    }
}

async fn get_parameter_history(
    cx: &Cx,
    request: GetParameterHistoryRequest,
) -> Result<GetParameterHistoryResponse, Error> {
    let kept = find(cx, &Pointer::whole(cx, &request.name)?)?;
    let decrypt = request.with_decryption.unwrap_or(false);
    let keyed: Vec<_> = kept.versions.iter().map(|version| (format!("{:020}", version.version), version)).collect();
    let limit = request.max_results.unwrap_or(50) as usize;
    let page = paginate(keyed, |(key, _)| key, request.next_token.as_deref(), limit, bad_token)?;
    let mut parameters = vec![];
    for (_, version) in page.items {
        parameters.push(ParameterHistory {
            name: Some(kept.name.clone()),
            r#type: Some(version.kind.clone()),
            key_id: version.key_id.clone(),
            last_modified_date: Some(version.modified),
            last_modified_user: Some(version.modified_by.clone()),
            description: version.description.clone(),
            value: Some(secure::shown(cx, &kept.name, &version.value, decrypt).await?),
            allowed_pattern: version.allowed_pattern.clone(),
            version: Some(version.version),
            labels: version.labels.clone(),
            tier: Some(version.tier.clone()),
            policies: vec![],
            data_type: Some(version.data_type.clone()),
        });
    }
    Ok(GetParameterHistoryResponse { parameters, next_token: page.next_token })
}
