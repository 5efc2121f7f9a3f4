//! What is known of a secret and of its versions, without their values. Source: AWS Secrets Manager API Reference.

use super::tags;
use crate::errors::bad_token;
use crate::names::find;
use crate::records::Secret;
use crate::targets::secret;
use kiln_secretsmanager_shapes::*;
use kiln_service_kit::{Cx, Error, Map, Operation, operation, paginate};

pub const OPERATIONS: &[Operation] = &[
    operation!(DescribeSecret: describe_secret(DescribeSecretRequest), on |cx, r| secret(cx, &r.secret_id)),
    operation!(ListSecretVersionIds: list_secret_version_ids(ListSecretVersionIdsRequest),
        on |cx, r| secret(cx, &r.secret_id)),
];

/// Versions in a page where nobody says how many.
const DEFAULT: i32 = 100;

/// The labels of the versions that have some.
pub fn stages(secret: &Secret) -> Map<Vec<String>> {
    let labelled = secret.versions.iter().filter(|version| !version.stages.is_empty());
    labelled.map(|version| (version.id.clone(), version.stages.clone())).collect()
}

async fn describe_secret(cx: &Cx, request: DescribeSecretRequest) -> Result<DescribeSecretResponse, Error> {
    let found = find(cx, cx.store(), &request.secret_id)?;
    let secret = &found.secret;
    Ok(DescribeSecretResponse {
        arn: Some(found.arn(cx)),
        name: Some(secret.name.clone()),
        description: secret.description.clone(),
        kms_key_id: secret.kms_key_id.clone(),
        last_changed_date: Some(secret.changed),
        last_accessed_date: secret.accessed,
        deleted_date: secret.deleted,
        tags: tags::shown(&secret.tags),
        version_ids_to_stages: stages(secret),
        created_date: Some(secret.created),
        ..Default::default()
    })
}

async fn list_secret_version_ids(
    cx: &Cx,
    request: ListSecretVersionIdsRequest,
) -> Result<ListSecretVersionIdsResponse, Error> {
    let found = find(cx, cx.store(), &request.secret_id)?;
    let deprecated = request.include_deprecated.unwrap_or(false);
    let shown = found.secret.versions.iter().filter(|version| deprecated || !version.stages.is_empty());
    let keyed: Vec<_> = shown.map(|version| (format!("{:020}/{}", version.created.0, version.id), version)).collect();
    let limit = request.max_results.unwrap_or(DEFAULT) as usize;
    let mut keyed = keyed;
    keyed.sort_by(|a, b| a.0.cmp(&b.0));
    let page = paginate(keyed, |(key, _)| key, request.next_token.as_deref(), limit, bad_token)?;
    let entry = |version: &crate::records::Version| SecretVersionsListEntry {
        version_id: Some(version.id.clone()),
        version_stages: version.stages.clone(),
        last_accessed_date: version.accessed,
        created_date: Some(version.created),
        kms_key_ids: vec![version.key.clone()],
    };
    Ok(ListSecretVersionIdsResponse {
        versions: page.items.into_iter().map(|(_, version)| entry(version)).collect(),
        next_token: page.next_token,
        arn: Some(found.arn(cx)),
        name: Some(found.secret.name.clone()),
    })
}
