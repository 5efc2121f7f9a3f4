//! Network ACLs and DHCP options, to be read: each VPC has its default ACL, each scope its default
//! options, and no others can be made.

use crate::defaults::ensure_defaults;
use crate::filters::{Filters, flag, one};
use crate::lookup::{page, selected};
use crate::records::*;
use crate::tags;
use kiln_ec2_shapes as shapes;
use kiln_ec2_shapes::{
    AttributeValue, DescribeDhcpOptionsRequest, DescribeDhcpOptionsResponse, DescribeNetworkAclsRequest,
    DescribeNetworkAclsResponse, DhcpConfiguration, NetworkAclAssociation, NetworkAclEntry,
};
use kiln_service_kit::{Cx, Error, Operation, operation};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(DescribeDhcpOptions: describe_dhcp_options(DescribeDhcpOptionsRequest)),
    operation!(DescribeNetworkAcls: describe_network_acls(DescribeNetworkAclsRequest)),
];

const ACL_FILTERS: &[&str] = &[
    "association.association-id",
    "association.network-acl-id",
    "association.subnet-id",
    "default",
    "entry.cidr",
    "entry.egress",
    "entry.icmp.code",
    "entry.icmp.type",
    "entry.ipv6-cidr",
    "entry.port-range.from",
    "entry.port-range.to",
    "entry.protocol",
    "entry.rule-action",
    "entry.rule-number",
    "network-acl-id",
    "owner-id",
    "vpc-id",
];

async fn describe_network_acls(
    cx: &Cx,
    request: DescribeNetworkAclsRequest,
) -> Result<DescribeNetworkAclsResponse, Error> {
    ensure_defaults(cx).await?;
    let filters = Filters::read(&request.filters, ACL_FILTERS)?;
    let subnets = cx.store().list::<Subnet>(cx.scope())?;
    let mut shown: Vec<(Arc<str>, shapes::NetworkAcl)> = vec![];
    for (id, acl) in selected::<NetworkAcl>(cx, &request.network_acl_ids)? {
        let of_vpc = subnets.iter().filter(|(_, subnet)| subnet.vpc == acl.vpc);
        let associations: Vec<NetworkAclAssociation> = of_vpc.map(|(_, subnet)| association(&acl, subnet)).collect();
        let passes = filters.accept(&acl.tags, |name| match name {
            "association.association-id" => {
                associations.iter().filter_map(|a| a.network_acl_association_id.clone()).collect()
            }
            "association.network-acl-id" => associations.iter().filter_map(|a| a.network_acl_id.clone()).collect(),
            "association.subnet-id" => associations.iter().filter_map(|a| a.subnet_id.clone()).collect(),
            "default" => flag(true),
            "entry.cidr" => one("0.0.0.0/0"),
            "entry.egress" => vec!["true".to_owned(), "false".to_owned()],
            "entry.protocol" => one("-1"),
            "entry.rule-action" => vec!["allow".to_owned(), "deny".to_owned()],
            "entry.rule-number" => vec!["100".to_owned(), "32767".to_owned()],
            "network-acl-id" => one(&acl.id),
            "owner-id" => one(cx.account()),
            "vpc-id" => one(&acl.vpc),
            _ => vec![],
        });
        if passes {
            let acl = shapes::NetworkAcl {
                associations,
                entries: entries(),
                is_default: Some(true),
                network_acl_id: Some(acl.id.to_string()),
                tags: tags::shown(&acl.tags),
                vpc_id: Some(acl.vpc.to_string()),
                owner_id: Some(cx.account().to_owned()),
            };
            shown.push((id, acl));
        }
    }
    let page = page(shown, request.next_token.as_deref(), request.max_results)?;
    Ok(DescribeNetworkAclsResponse { next_token: page.next_token, network_acls: page.items })
}

/// Named after the subnet: there is one per subnet and it never changes.
fn association(acl: &NetworkAcl, subnet: &Subnet) -> NetworkAclAssociation {
    let digits = subnet.id.trim_start_matches(kiln_ids::SubnetId::PREFIX);
    NetworkAclAssociation {
        network_acl_association_id: Some(format!("aclassoc-{digits}")),
        network_acl_id: Some(acl.id.to_string()),
        subnet_id: Some(subnet.id.to_string()),
    }
}

/// Allow everything, and AWS's last entry that would deny the rest.
fn entries() -> Vec<NetworkAclEntry> {
    let entry = |egress, number, action: &str| NetworkAclEntry {
        cidr_block: Some("0.0.0.0/0".to_owned()),
        egress: Some(egress),
        protocol: Some("-1".to_owned()),
        rule_action: Some(action.to_owned()),
        rule_number: Some(number),
        ..Default::default()
    };
    vec![entry(true, 100, "allow"), entry(true, 32767, "deny"), entry(false, 100, "allow"), entry(false, 32767, "deny")]
}

async fn describe_dhcp_options(
    cx: &Cx,
    request: DescribeDhcpOptionsRequest,
) -> Result<DescribeDhcpOptionsResponse, Error> {
    ensure_defaults(cx).await?;
    let filters = Filters::read(&request.filters, &["dhcp-options-id", "key", "owner-id", "value"])?;
    let mut options = selected::<DhcpOptions>(cx, &request.dhcp_options_ids)?;
    let values = |options: &DhcpOptions| {
        [("domain-name", options.domain_name.clone()), ("domain-name-servers", "AmazonProvidedDNS".to_owned())]
    };
    options.retain(|(_, options)| {
        filters.accept(&options.tags, |name| match name {
            "dhcp-options-id" => one(&options.id),
            "key" => values(options).iter().map(|(key, _)| key.to_string()).collect(),
            "owner-id" => one(cx.account()),
            "value" => values(options).iter().map(|(_, value)| value.clone()).collect(),
            _ => vec![],
        })
    });
    let page = page(options, request.next_token.as_deref(), request.max_results)?;
    let shown = |options: &Arc<DhcpOptions>| shapes::DhcpOptions {
        owner_id: Some(cx.account().to_owned()),
        tags: tags::shown(&options.tags),
        dhcp_options_id: Some(options.id.to_string()),
        dhcp_configurations: values(options)
            .into_iter()
            .map(|(key, value)| DhcpConfiguration {
                key: Some(key.to_owned()),
                values: vec![AttributeValue { value: Some(value) }],
            })
            .collect(),
    };
    Ok(DescribeDhcpOptionsResponse {
        next_token: page.next_token,
        dhcp_options: page.items.iter().map(shown).collect(),
    })
}
