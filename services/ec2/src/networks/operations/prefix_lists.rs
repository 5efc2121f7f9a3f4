//! Prefix lists, to be read: AWS's own of each region. Lists of one's own cannot be made.

use crate::filters::{Filters, one};
use crate::lookup::page;
use crate::networks::targets::PREFIX_LIST;
use crate::prefix_lists::{AwsList, of_region};
use crate::targets::things;
use kiln_ec2_shapes::{
    DescribeManagedPrefixListsRequest, DescribeManagedPrefixListsResponse, DescribePrefixListsRequest,
    DescribePrefixListsResponse, GetManagedPrefixListEntriesRequest, GetManagedPrefixListEntriesResponse,
    ManagedPrefixList, PrefixList, PrefixListEntry,
};
use kiln_service_kit::{Cx, Error, Operation, operation};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(DescribeManagedPrefixLists: managed(DescribeManagedPrefixListsRequest), on everything),
    operation!(DescribePrefixLists: prefix_lists(DescribePrefixListsRequest), on everything),
    operation!(GetManagedPrefixListEntries: entries(GetManagedPrefixListEntriesRequest),
        on things![PREFIX_LIST prefix_list_id]),
];

/// As AWS shows whom its lists belong to.
const OWNER: &str = "AWS";

/// The lists asked for by id, or all.
fn selected(cx: &Cx, ids: &[String], missing: &'static str) -> Result<Vec<(Arc<str>, AwsList)>, Error> {
    let all = of_region(cx.region());
    if let Some(id) = ids.iter().find(|id| !all.iter().any(|list| list.id == **id)) {
        return Err(none(id, missing));
    }
    let asked = all.into_iter().filter(|list| ids.is_empty() || ids.contains(&list.id));
    Ok(asked.map(|list| (list.id.as_str().into(), list)).collect())
}

fn none(id: &str, code: &'static str) -> Error {
    Error::sender(code, format!("The prefix list ID '{id}' does not exist"))
}

async fn prefix_lists(cx: &Cx, request: DescribePrefixListsRequest) -> Result<DescribePrefixListsResponse, Error> {
    let filters = Filters::read(&request.filters, &["prefix-list-id", "prefix-list-name"])?;
    let mut lists = selected(cx, &request.prefix_list_ids, "InvalidPrefixListId.NotFound")?;
    lists.retain(|(_, list)| filters.accept(&Default::default(), |name| value(list, name)));
    let page = page(lists, request.next_token.as_deref(), request.max_results)?;
    let shown = |list: AwsList| PrefixList {
        cidrs: list.entries.iter().map(ToString::to_string).collect(),
        prefix_list_id: Some(list.id),
        prefix_list_name: Some(list.name),
    };
    Ok(DescribePrefixListsResponse {
        next_token: page.next_token,
        prefix_lists: page.items.into_iter().map(shown).collect(),
    })
}

async fn managed(
    cx: &Cx,
    request: DescribeManagedPrefixListsRequest,
) -> Result<DescribeManagedPrefixListsResponse, Error> {
    let filters = Filters::read(&request.filters, &["owner-id", "prefix-list-id", "prefix-list-name"])?;
    let mut lists = selected(cx, &request.prefix_list_ids, "InvalidPrefixListID.NotFound")?;
    lists.retain(|(_, list)| filters.accept(&Default::default(), |name| value(list, name)));
    let page = page(lists, request.next_token.as_deref(), request.max_results)?;
    let shown = |list: AwsList| ManagedPrefixList {
        prefix_list_arn: Some(format!("arn:{}:ec2:{}:aws:prefix-list/{}", cx.partition(), cx.region(), list.id)),
        prefix_list_id: Some(list.id),
        prefix_list_name: Some(list.name),
        address_family: Some("IPv4".to_owned()),
        state: Some("create-complete".to_owned()),
        owner_id: Some(OWNER.to_owned()),
        ..Default::default()
    };
    Ok(DescribeManagedPrefixListsResponse {
        next_token: page.next_token,
        prefix_lists: page.items.into_iter().map(shown).collect(),
    })
}

fn value(list: &AwsList, filter: &str) -> Vec<String> {
    match filter {
        "owner-id" => one(OWNER),
        "prefix-list-id" => one(&list.id),
        "prefix-list-name" => one(&list.name),
        _ => vec![],
    }
}

async fn entries(
    cx: &Cx,
    request: GetManagedPrefixListEntriesRequest,
) -> Result<GetManagedPrefixListEntriesResponse, Error> {
    if request.target_version.is_some() {
        return Err(Error::sender(
            "InvalidParameterValue",
            format!("The prefix list '{}' is kept by AWS and has no versions.", request.prefix_list_id),
        ));
    }
    let (_, list) = selected(cx, &[request.prefix_list_id], "InvalidPrefixListID.NotFound")?.remove(0);
    let entries = list.entries.iter().map(ToString::to_string);
    let entries =
        entries.map(|cidr| (Arc::from(cidr.as_str()), PrefixListEntry { cidr: Some(cidr), description: None }));
    let page = page(entries.collect(), request.next_token.as_deref(), request.max_results)?;
    Ok(GetManagedPrefixListEntriesResponse { next_token: page.next_token, entries: page.items })
}
