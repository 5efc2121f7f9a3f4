//! Log groups. Source: CloudWatch Logs API Reference.

use crate::errors::{already_there, bad_token, invalid, not_there};
use crate::events::{Disk, Events};
use crate::names::{change, group_arn, of_group, of_identifier, streams as streams_of};
use crate::operations::{streams, tags};
use crate::records::{LogGroup as Kept, LogStream as KeptStream, MetricFilter, ResourcePolicy};
use crate::{keys, targets};
use kiln_logs_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Target, operation, paginate};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateLogGroup: create_log_group(CreateLogGroupRequest), on |cx, r| targets::made(cx, &r.log_group_name, &r.tags)),
    operation!(DeleteLogGroup: delete_log_group(DeleteLogGroupRequest), on |cx, r| targets::group(cx, &r.log_group_name)),
    operation!(DescribeLogGroups: describe_log_groups(DescribeLogGroupsRequest), on |cx, _| all(cx)),
    operation!(ListLogGroups: list_log_groups(ListLogGroupsRequest), on |cx, _| all(cx)),
    operation!(PutLogGroupDeletionProtection: put_log_group_deletion_protection(PutLogGroupDeletionProtectionRequest),
        on |cx, r| targets::either(cx, &None, &Some(r.log_group_identifier.clone()))),
];

/// The one class that there is.
const STANDARD: &str = "STANDARD";

fn all(cx: &Cx) -> Target {
    Target::new(cx.arn("logs", "log-group::log-stream:"))
}

async fn create_log_group(cx: &Cx, request: CreateLogGroupRequest) -> Result<CreateLogGroupResponse, Error> {
    let name = &request.log_group_name;
    if name.starts_with("aws/") {
        return Err(invalid("Log group name cannot start with 'aws/'."));
    }
    if let Some(class) = request.log_group_class.as_deref().filter(|class| *class != STANDARD) {
        return Err(Error::not_built(format!("logs: log groups of class {class}")));
    }
    let tags = tags::read(cx, &request.tags)?;
    if cx.store().get::<Kept>(cx.scope(), name)?.is_some() {
        return Err(already_there("log group"));
    }
    let key = match &request.kms_key_id {
        Some(key) => Some(keys::new(cx, name, key).await?),
        None => None,
    };
    let group = Kept {
        name: name.clone(),
        created: cx.now(),
        retention: None,
        tags,
        protected: request.deletion_protection_enabled.unwrap_or(false),
        sealed: key.is_some(),
        keys: key.into_iter().collect(),
    };
    cx.store()
        .write(|tx| match tx.get::<Kept>(cx.scope(), name)? {
            Some(_) => Err(already_there("log group")),
            None => Ok(tx.put(cx.scope(), name, group)?),
        })
        .await?;
    Ok(CreateLogGroupResponse {})
}

async fn delete_log_group(cx: &Cx, request: DeleteLogGroupRequest) -> Result<DeleteLogGroupResponse, Error> {
    let name = &request.log_group_name;
    cx.store()
        .write::<_, Error>(|tx| {
            let group = tx.get::<Kept>(cx.scope(), name)?.ok_or_else(|| not_there("log group"))?;
            if group.protected {
                let text = "The log group has deletion protection enabled and cannot be deleted.";
                return Err(Error::sender("ValidationException", text));
            }
            for (id, stream) in tx.list_prefix::<KeptStream>(cx.scope(), &of_group(name))? {
                streams::discard(tx, cx, &id, &stream)?;
            }
            for (id, _) in tx.list_prefix::<MetricFilter>(cx.scope(), &of_group(name))? {
                tx.delete::<MetricFilter>(cx.scope(), &id);
            }
            tx.delete::<ResourcePolicy>(cx.scope(), &group_arn(cx, name));
            tx.delete::<Kept>(cx.scope(), name);
            Ok(())
        })
        .await?;
    Ok(DeleteLogGroupResponse {})
}

async fn put_log_group_deletion_protection(
    cx: &Cx,
    request: PutLogGroupDeletionProtectionRequest,
) -> Result<PutLogGroupDeletionProtectionResponse, Error> {
    let name = of_identifier(cx, &request.log_group_identifier)?;
    change(cx, name, |group| {
        group.protected = request.deletion_protection_enabled;
        Ok(())
    })
    .await?;
    Ok(PutLogGroupDeletionProtectionResponse {})
}

/// What no group here can be: of another account, or of another class.
fn check_others(linked: Option<bool>, accounts: &[String]) -> Result<(), Error> {
    match linked == Some(true) || !accounts.is_empty() {
        true => Err(Error::not_built("logs: log groups of linked accounts")),
        false => Ok(()),
    }
}

async fn describe_log_groups(cx: &Cx, request: DescribeLogGroupsRequest) -> Result<DescribeLogGroupsResponse, Error> {
    check_others(request.include_linked_accounts, &request.account_identifiers)?;
    if request.log_group_name_prefix.is_some() && request.log_group_name_pattern.is_some() {
        return Err(invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."));
    }
    let mut groups: Vec<Arc<Kept>> = match request.log_group_identifiers.as_slice() {
        [] => {
            let prefix = request.log_group_name_prefix.as_deref().unwrap_or("");
            let found = cx.store().list_prefix::<Kept>(cx.scope(), prefix)?;
            found.into_iter().map(|(_, group)| group).collect()
        }
        identifiers => {
            let mut found = vec![];
            for identifier in identifiers {
                if let Ok(name) = of_identifier(cx, identifier) {
                    found.extend(cx.store().get::<Kept>(cx.scope(), name)?);
                }
            }
            found.sort_by(|a, b| a.name.cmp(&b.name));
            found
        }
    };
    if let Some(pattern) = &request.log_group_name_pattern {
        groups.retain(|group| group.name.contains(pattern.as_str()));
    }
    if request.log_group_class.as_deref().is_some_and(|class| class != STANDARD) {
        groups.clear();
    }
    let limit = request.limit.unwrap_or(50) as usize;
    let page = paginate(groups, |group| &group.name, request.next_token.as_deref(), limit, bad_token)?;
    let mut log_groups = vec![];
    for group in &page.items {
        log_groups.push(shown(cx, group).await?);
    }
    Ok(DescribeLogGroupsResponse { log_groups, next_token: page.next_token })
}

async fn shown(cx: &Cx, group: &Kept) -> Result<LogGroup, Error> {
    let streams = streams_of(cx, &group.name, "")?;
    let names: Vec<String> = streams.iter().map(|stream| stream.stream.clone()).collect();
    let events = cx.part::<Events>()?;
    let stored = Disk::without_keys(cx, cx.scope())
        .off(move |disk| names.iter().map(|name| Ok(events.stats(disk, name)?.bytes)).sum::<Result<u64, Error>>())
        .await?;
    let filters = cx.store().list_prefix::<MetricFilter>(cx.scope(), &of_group(&group.name))?.len();
    let arn = group_arn(cx, &group.name);
    Ok(LogGroup {
        log_group_name: Some(group.name.clone()),
        creation_time: Some(group.created.millis()),
        retention_in_days: group.retention,
        metric_filter_count: Some(filters as i32),
        arn: Some(format!("{arn}:*")),
        stored_bytes: Some(stored as i64),
        kms_key_id: group.key().map(|key| key.arn.clone()),
        log_group_class: Some(STANDARD.to_owned()),
        log_group_arn: Some(arn),
        deletion_protection_enabled: Some(group.protected),
        ..Default::default()
    })
}

async fn list_log_groups(cx: &Cx, request: ListLogGroupsRequest) -> Result<ListLogGroupsResponse, Error> {
    check_others(request.include_linked_accounts, &request.account_identifiers)?;
    if !request.data_sources.is_empty() || !request.field_index_names.is_empty() {
        return Err(Error::not_built("logs:ListLogGroups by data sources or field indexes"));
    }
    let found = cx.store().list::<Kept>(cx.scope())?;
    let mut groups: Vec<Arc<Kept>> = found.into_iter().map(|(_, group)| group).collect();
    if let Some(pattern) = &request.log_group_name_pattern {
        let wanted = |name: &str, part: &str| match part.strip_prefix('^') {
            Some(start) => name.starts_with(start),
            None => name.contains(part),
        };
        groups.retain(|group| pattern.split('|').any(|part| wanted(&group.name, part)));
    }
    for filter in &request.log_group_tags {
        groups.retain(|group| match group.tags.get(&filter.key) {
            Some(value) => filter.values.is_empty() || filter.values.contains(value),
            None => false,
        });
    }
    if request.log_group_class.as_deref().is_some_and(|class| class != STANDARD) {
        groups.clear();
    }
    let limit = request.limit.unwrap_or(50) as usize;
    let page = paginate(groups, |group| &group.name, request.next_token.as_deref(), limit, bad_token)?;
    let summary = |group: &Arc<Kept>| LogGroupSummary {
        log_group_name: Some(group.name.clone()),
        log_group_arn: Some(group_arn(cx, &group.name)),
        log_group_class: Some(STANDARD.to_owned()),
    };
    Ok(ListLogGroupsResponse { log_groups: page.items.iter().map(summary).collect(), next_token: page.next_token })
}
