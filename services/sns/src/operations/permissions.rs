//! Statements of a topic's policy, added and taken away by name. Source: Amazon SNS API Reference, AddPermission and
//! RemovePermission.

use crate::errors::invalid;
use crate::names::TopicName;
use crate::policy;
use crate::targets::topic;
use kiln_service_kit::{Cx, Error, Operation, operation};
use kiln_sns_shapes::*;

pub const OPERATIONS: &[Operation] = &[
    operation!(AddPermission: add_permission(AddPermissionRequest), on |cx, r| topic(cx, &r.topic_arn)),
    operation!(RemovePermission: remove_permission(RemovePermissionRequest), on |cx, r| topic(cx, &r.topic_arn)),
];

const LONGEST_LABEL: usize = 80;
const MOST_ACCOUNTS: usize = 50;

async fn add_permission(cx: &Cx, request: AddPermissionRequest) -> Result<AddPermissionResponse, Error> {
    let name = TopicName::parse(cx, &request.topic_arn)?;
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if request.label.is_empty() || request.label.len() > LONGEST_LABEL || !request.label.chars().all(good) {
        return Err(invalid("Label"));
    }
    let digits = |account: &String| account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    let accounts = &request.aws_account_id;
    if accounts.is_empty() || accounts.len() > MOST_ACCOUNTS || !accounts.iter().all(digits) {
        return Err(invalid("AWSAccountId"));
    }
    if request.action_name.is_empty() {
        return Err(invalid("ActionName"));
    }
    policy::check_actions(&request.action_name)?;
    cx.store()
        .write::<_, Error>(|tx| {
            let mut topic = (*name.find_in(cx, tx)?).clone();
            topic.policy = Some(policy::with(&topic, &name, &request.label, accounts, &request.action_name)?);
            Ok(tx.put(&name.scope, &name.name, topic)?)
        })
        .await?;
    Ok(AddPermissionResponse::default())
}

/// A statement that is gone is removed as well.
async fn remove_permission(cx: &Cx, request: RemovePermissionRequest) -> Result<RemovePermissionResponse, Error> {
    let name = TopicName::parse(cx, &request.topic_arn)?;
    cx.store()
        .write::<_, Error>(|tx| {
            let mut topic = (*name.find_in(cx, tx)?).clone();
            topic.policy = Some(policy::without(&topic, &name, &request.label)?);
            tx.put_if_changed(&name.scope, &name.name, topic)?;
            Ok(())
        })
        .await?;
    Ok(RemovePermissionResponse::default())
}
