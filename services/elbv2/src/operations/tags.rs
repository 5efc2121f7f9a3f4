//! Tags of anything the service keeps.

use crate::arns::{self, Kind};
use crate::records::{Listener, LoadBalancer, Rule, Tags, TargetGroup};
use crate::targets::{tagged, untagged};
use crate::{errors, tags};
use kiln_elbv2_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Record, Tx, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(AddTags: add_tags(AddTagsRequest), on |cx, r| tagged(cx, &r.resource_arns, &r.tags)),
    operation!(RemoveTags: remove_tags(RemoveTagsRequest), on |cx, r| untagged(cx, &r.resource_arns, &r.tag_keys)),
    operation!(DescribeTags: describe_tags(DescribeTagsRequest), on everything),
];

/// Things one DescribeTags may name.
const MOST_DESCRIBED: usize = 20;

fn kind(cx: &Cx, arn: &str) -> Result<Kind, Error> {
    let kind = arns::kind_of(arn).ok_or_else(|| errors::invalid(format!("'{arn}' is not a valid resource ARN")))?;
    kind.check(cx, arn)?;
    Ok(kind)
}

fn change_one<R: Record>(
    tx: &mut Tx<'_>,
    cx: &Cx,
    arn: &str,
    missing: fn() -> Error,
    change: impl FnOnce(&mut R) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut record = (*tx.get::<R>(cx.scope(), arn)?.ok_or_else(missing)?).clone();
    change(&mut record)?;
    tx.put_if_changed(cx.scope(), arn, record)?;
    Ok(())
}

async fn change(cx: &Cx, arns: &[String], change: impl Fn(&mut Tags) -> Result<(), Error>) -> Result<(), Error> {
    let kinds: Vec<Kind> = arns.iter().map(|arn| kind(cx, arn)).collect::<Result<_, _>>()?;
    cx.store()
        .write(|tx| {
            for (arn, kind) in arns.iter().zip(kinds) {
                match kind {
                    Kind::LoadBalancer => {
                        change_one(tx, cx, arn, errors::no_load_balancer, |r: &mut LoadBalancer| change(&mut r.tags))?
                    }
                    Kind::TargetGroup => {
                        change_one(tx, cx, arn, errors::no_target_group, |r: &mut TargetGroup| change(&mut r.tags))?
                    }
                    Kind::Listener => {
                        change_one(tx, cx, arn, errors::no_listener, |r: &mut Listener| change(&mut r.tags))?
                    }
                    Kind::Rule => change_one(tx, cx, arn, errors::no_rule, |r: &mut Rule| change(&mut r.tags))?,
                }
            }
            Ok(())
        })
        .await
}

async fn add_tags(cx: &Cx, request: AddTagsRequest) -> Result<AddTagsResponse, Error> {
    tags::check_keys(cx, request.tags.iter().map(|tag| tag.key.as_str()))?;
    change(cx, &request.resource_arns, |kept| tags::put(kept, &request.tags)).await?;
    Ok(AddTagsResponse {})
}

async fn remove_tags(cx: &Cx, request: RemoveTagsRequest) -> Result<RemoveTagsResponse, Error> {
    tags::check_keys(cx, request.tag_keys.iter().map(String::as_str))?;
    change(cx, &request.resource_arns, |kept| {
        kept.retain(|(key, _)| !request.tag_keys.contains(key));
        Ok(())
    })
    .await?;
    Ok(RemoveTagsResponse {})
}

async fn describe_tags(cx: &Cx, request: DescribeTagsRequest) -> Result<DescribeTagsResponse, Error> {
    if request.resource_arns.len() > MOST_DESCRIBED {
        return Err(errors::invalid(format!("At most {MOST_DESCRIBED} resource ARNs can be specified")));
    }
    let of = |arn: &String| -> Result<TagDescription, Error> {
        let kind = kind(cx, arn)?;
        let kept = match tags::kept(cx, kind, arn)? {
            Some(kept) => kept,
            // A default rule has none.
            None if arns::listener_of(arn).is_some_and(|l| arns::default_rule(&l) == *arn) => vec![],
            None => return Err(kind.not_found()),
        };
        Ok(TagDescription { resource_arn: Some(arn.clone()), tags: tags::shapes(&kept) })
    };
    let tag_descriptions = request.resource_arns.iter().map(of).collect::<Result<_, _>>()?;
    Ok(DescribeTagsResponse { tag_descriptions })
}
