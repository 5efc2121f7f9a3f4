//! DHCP options, to be read: each scope has its default ones, and no others can be made.

use crate::defaults::ensure_defaults;
use crate::filters::{Filters, one};
use crate::lookup::{page, selected};
use crate::networks::records::DhcpOptions;
use crate::tags;
use kiln_ec2_shapes as shapes;
use kiln_ec2_shapes::{AttributeValue, DescribeDhcpOptionsRequest, DescribeDhcpOptionsResponse, DhcpConfiguration};
use kiln_service_kit::{Cx, Error, Operation, operation};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] =
    &[operation!(DescribeDhcpOptions: describe_dhcp_options(DescribeDhcpOptionsRequest), on everything)];

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
