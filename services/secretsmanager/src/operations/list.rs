//! ListSecrets. Source: AWS Secrets Manager API Reference.

use super::filters::Filters;
use super::tags;
use crate::errors::bad_token;
use crate::names;
use crate::records::Secret;
use kiln_secretsmanager_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Timestamp, operation, paginate};

pub const OPERATIONS: &[Operation] = &[operation!(ListSecrets: list_secrets(ListSecretsRequest), on everything)];

/// Secrets in a page where nobody says how many.
const DEFAULT: i32 = 100;

async fn list_secrets(cx: &Cx, request: ListSecretsRequest) -> Result<ListSecretsResponse, Error> {
    let filters = Filters::read(&request.filters)?;
    let also_deleted = request.include_planned_deletion.unwrap_or(false);
    let kept = cx.store().list::<Secret>(cx.scope())?;
    let mut shown: Vec<_> = kept
        .into_iter()
        .map(|(_, secret)| secret)
        .filter(|secret| (also_deleted || secret.deleted.is_none()) && filters.hold(secret))
        .collect();
    // Sorted by a text that pages can go on behind: the time, and then the name.
    let at =
        |time: Option<Timestamp>, secret: &Secret| format!("{:020}/{}", time.map_or(0, |time| time.0), secret.name);
    let key = |secret: &Secret| match request.sort_by.as_deref() {
        Some("name") => secret.name.clone(),
        Some("last-accessed-date") => at(secret.accessed, secret),
        Some("last-changed-date") => at(Some(secret.changed), secret),
        _ => at(Some(secret.created), secret),
    };
    let descending = request.sort_order.as_deref() == Some("desc");
    let mut keyed: Vec<(String, _)> = shown.drain(..).map(|secret| (key(&secret), secret)).collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0));
    if descending {
        keyed.reverse();
    }
    let limit = request.max_results.unwrap_or(DEFAULT) as usize;
    let page = match descending {
        false => paginate(keyed, |(key, _)| key, request.next_token.as_deref(), limit, bad_token)?,
        true => {
            // Keys that fall are turned into ones that rise.
            let turned = keyed.into_iter().map(|(key, secret)| (inverse(&key), secret)).collect();
            paginate(turned, |(key, _)| key, request.next_token.as_deref(), limit, bad_token)?
        }
    };
    let secret_list = page.items.iter().map(|(_, secret)| entry(cx, secret)).collect();
    Ok(ListSecretsResponse { secret_list, next_token: page.next_token })
}

/// A text that sorts the other way round: names are ASCII, and a shorter one comes behind a longer one that begins with it.
fn inverse(key: &str) -> String {
    key.bytes().map(|byte| char::from(0x7f - byte.min(0x7e))).chain(['\u{7f}']).collect()
}

fn entry(cx: &Cx, secret: &Secret) -> SecretListEntry {
    SecretListEntry {
        arn: Some(names::arn(cx, cx.scope(), secret)),
        name: Some(secret.name.clone()),
        description: secret.description.clone(),
        kms_key_id: secret.kms_key_id.clone(),
        last_changed_date: Some(secret.changed),
        last_accessed_date: secret.accessed,
        deleted_date: secret.deleted,
        tags: tags::shown(&secret.tags),
        secret_versions_to_stages: super::describe::stages(secret),
        created_date: Some(secret.created),
        ..Default::default()
    }
}
