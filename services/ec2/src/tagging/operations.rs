//! Tags of anything: CreateTags, DeleteTags, DescribeTags.
//!
//! A kind of thing takes part by one line in [`KINDS`].

use crate::errors::{bad_token, invalid_value};
use crate::filters::{Filters, one};
use crate::firewall::records::{NetworkAcl, SecurityGroup};
use crate::images::records::{Image, Snapshot};
use crate::instances::records::{Instance, Volume};
use crate::interfaces::records::{Address, NetworkInterface};
use crate::keys::records::KeyPair;
use crate::kinds;
use crate::networks::records::{DhcpOptions, InternetGateway, NatGateway, RouteTable, Subnet, Vpc};
use crate::tagging::targets::tagged;
use crate::tags::{self, TaggedKind, Tags};
use crate::templates::records::LaunchTemplate;
use kiln_ec2_shapes::{
    CreateTagsRequest, CreateTagsResponse, DeleteTagsRequest, DeleteTagsResponse, DescribeTagsRequest,
    DescribeTagsResponse, TagDescription,
};
use kiln_service_kit::{Cx, Error, Operation, Scope, Store, Tx, operation, paginate};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateTags: create_tags(CreateTagsRequest), on |cx, r| tagged(cx, &r.resources, &r.tags)),
    operation!(DeleteTags: delete_tags(DeleteTagsRequest), on |cx, r| tagged(cx, &r.resources, &r.tags)),
    operation!(DescribeTags: describe_tags(DescribeTagsRequest), on everything),
];

/// Everything that can have tags, one line each.
const KINDS: &[TaggedKind] = &[
    TaggedKind::of::<Image>(),
    TaggedKind::of::<Instance>(),
    TaggedKind::of::<KeyPair>(),
    TaggedKind::of::<LaunchTemplate>(),
    TaggedKind::of::<Snapshot>(),
    TaggedKind::of::<Volume>(),
    TaggedKind::of::<Vpc>(),
    TaggedKind::of::<Subnet>(),
    TaggedKind::of::<SecurityGroup>(),
    TaggedKind { thing: &kinds::SECURITY_GROUP_RULE, change: change_rule, list: rule_tags },
    TaggedKind::of::<NetworkInterface>(),
    TaggedKind::of::<InternetGateway>(),
    TaggedKind::of::<NatGateway>(),
    TaggedKind::of::<RouteTable>(),
    TaggedKind::of::<Address>(),
    TaggedKind::of::<NetworkAcl>(),
    TaggedKind::of::<DhcpOptions>(),
];

/// Rules live in their groups, so their tags do too.
fn change_rule(
    tx: &mut Tx,
    scope: &Scope,
    id: &str,
    with: &dyn Fn(&mut Tags) -> Result<(), Error>,
) -> Result<bool, Error> {
    for (group_id, group) in tx.list::<SecurityGroup>(scope)? {
        if let Some(at) = group.rules.iter().position(|rule| rule.id == *id) {
            let mut group = SecurityGroup::clone(&group);
            with(&mut group.rules[at].tags)?;
            tx.put_if_changed(scope, &group_id, group)?;
            return Ok(true);
        }
    }
    Ok(false)
}

fn rule_tags(store: &Store, scope: &Scope) -> Result<Vec<(Arc<str>, Tags)>, Error> {
    let groups = store.list::<SecurityGroup>(scope)?;
    let rules = groups.iter().flat_map(|(_, group)| &group.rules);
    Ok(rules.map(|rule| (Arc::from(rule.id.as_str()), rule.tags.clone())).collect())
}

async fn create_tags(cx: &Cx, request: CreateTagsRequest) -> Result<CreateTagsResponse, Error> {
    if request.tags.is_empty() {
        return Err(invalid_value("At least one tag must be specified."));
    }
    let new = tags::read(cx, &request.tags)?;
    cx.store()
        .write(|tx| {
            change_all(tx, cx, &request.resources, &|tags| {
                tags.extend(new.clone());
                tags::check_count(tags)
            })
        })
        .await?;
    Ok(CreateTagsResponse::default())
}

async fn delete_tags(cx: &Cx, request: DeleteTagsRequest) -> Result<DeleteTagsResponse, Error> {
    let from_outside = cx.source_ip().is_some();
    for key in request.tags.iter().filter_map(|tag| tag.key.as_deref()) {
        if from_outside && tags::is_reserved(key) {
            return Err(invalid_value(format!(
                "Invalid value '{key}' for tag key. Keys that begin with 'aws:' are reserved for internal use"
            )));
        }
    }
    cx.store()
        .write(|tx| {
            change_all(tx, cx, &request.resources, &|tags| {
                if request.tags.is_empty() {
                    tags.retain(|key, _| tags::is_reserved(key));
                }
                for tag in &request.tags {
                    let key = tag.key.as_deref().unwrap_or("");
                    // With a value, only a tag of that value goes.
                    if tag.value.is_none() || tags.get(key) == tag.value.as_ref() {
                        tags.remove(key);
                    }
                }
                Ok(())
            })
        })
        .await?;
    Ok(DeleteTagsResponse::default())
}

/// All resources or none: one that does not exist undoes the call.
fn change_all(
    tx: &mut Tx,
    cx: &Cx,
    resources: &[String],
    with: &dyn Fn(&mut Tags) -> Result<(), Error>,
) -> Result<(), Error> {
    if resources.is_empty() {
        return Err(crate::errors::missing_parameter("resourceIdSet"));
    }
    for id in resources {
        let Some(kind) = KINDS.iter().find(|kind| belongs(kind.thing.prefix, id)) else {
            return Err(Error::sender("InvalidID", format!("The ID '{id}' is not valid")));
        };
        if !(kind.change)(tx, cx.scope(), id, with)? {
            return Err(kind.thing.none(id));
        }
    }
    Ok(())
}

/// `eni-1` belongs to `eni-`, `eni-attach-1` does not.
fn belongs(prefix: &str, id: &str) -> bool {
    id.strip_prefix(prefix).is_some_and(|rest| !rest.contains('-'))
}

const FILTERS: &[&str] = &["key", "value", "resource-id", "resource-type"];

async fn describe_tags(cx: &Cx, request: DescribeTagsRequest) -> Result<DescribeTagsResponse, Error> {
    let filters = Filters::read(&request.filters, FILTERS)?;
    let mut all: Vec<(String, TagDescription)> = vec![];
    for kind in KINDS {
        for (id, tags) in (kind.list)(cx.store(), cx.scope())? {
            for (key, value) in tags.iter().filter(|(key, _)| *key != tags::TOKEN) {
                let of = Tags::from([(key.clone(), value.clone())]);
                let passes = filters.accept(&of, |name| match name {
                    "key" => one(key),
                    "value" => one(value),
                    "resource-id" => one(&id),
                    "resource-type" => one(kind.thing.resource_type),
                    _ => vec![],
                });
                if passes {
                    let description = TagDescription {
                        key: Some(key.clone()),
                        value: Some(value.clone()),
                        resource_id: Some(id.to_string()),
                        resource_type: Some(kind.thing.resource_type.to_owned()),
                    };
                    all.push((format!("{id} {key}"), description));
                }
            }
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let limit = request.max_results.map_or(usize::MAX, |n| n.max(5) as usize);
    let page = paginate(all, |(key, _)| key, request.next_token.as_deref(), limit, bad_token)?;
    Ok(DescribeTagsResponse { next_token: page.next_token, tags: page.items.into_iter().map(|(_, tag)| tag).collect() })
}
