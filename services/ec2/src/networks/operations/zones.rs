//! Regions, availability zones and what an account may do.

use crate::defaults::ensure_defaults;
use crate::errors::invalid_value;
use crate::filters::{Filters, one};
use crate::networks::records::Vpc;
use crate::tags::Tags;
use crate::zones::zones;
use kiln_ec2_shapes::{
    AccountAttribute, AccountAttributeValue, AvailabilityZone, DescribeAccountAttributesRequest,
    DescribeAccountAttributesResponse, DescribeAvailabilityZonesRequest, DescribeAvailabilityZonesResponse,
    DescribeRegionsRequest, DescribeRegionsResponse, Region,
};
use kiln_service_kit::{Cx, Error, Operation, operation, regions};

pub const OPERATIONS: &[Operation] = &[
    operation!(DescribeAccountAttributes: describe_account_attributes(DescribeAccountAttributesRequest), on everything),
    operation!(DescribeAvailabilityZones: describe_availability_zones(DescribeAvailabilityZonesRequest), on everything),
    operation!(DescribeRegions: describe_regions(DescribeRegionsRequest), on everything),
];

/// The regions of the caller's partition. Every account here has asked for those that need it, so that
/// `AllRegions` shows no more.
async fn describe_regions(cx: &Cx, request: DescribeRegionsRequest) -> Result<DescribeRegionsResponse, Error> {
    let filters = Filters::read(&request.filters, &["endpoint", "opt-in-status", "region-name"])?;
    for name in &request.region_names {
        if regions::region(name).is_none_or(|known| known.partition.name != cx.partition()) {
            return Err(invalid_value(format!("Invalid region names: [{name}]")));
        }
    }
    let named = |name: &str| request.region_names.is_empty() || request.region_names.iter().any(|n| n == name);
    let all = regions::REGIONS.iter().filter(|region| region.partition.name == cx.partition());
    let wanted = all.filter(|region| named(region.name)).filter(|region| {
        filters.accept(&Tags::new(), |filter| match filter {
            "endpoint" => one(endpoint(region)),
            "opt-in-status" => one(opt_in_status(region)),
            _ => one(region.name),
        })
    });
    let shown = |region: &regions::Region| Region {
        opt_in_status: Some(opt_in_status(region).to_owned()),
        region_name: Some(region.name.to_owned()),
        endpoint: Some(endpoint(region)),
        ..Default::default()
    };
    Ok(DescribeRegionsResponse { regions: wanted.map(shown).collect() })
}

fn endpoint(region: &regions::Region) -> String {
    format!("ec2.{}.{}", region.name, region.partition.dns_suffix)
}

fn opt_in_status(region: &regions::Region) -> &'static str {
    if region.opt_in { "opted-in" } else { "opt-in-not-required" }
}

/// Of a zone: that of its region.
fn opt_in_status_of(region: &str) -> &'static str {
    regions::region(region).map_or("opt-in-not-required", opt_in_status)
}

const ZONE_FILTERS: &[&str] = &[
    "group-long-name",
    "group-name",
    "message",
    "opt-in-status",
    "parent-zone-id",
    "parent-zone-name",
    "region-name",
    "state",
    "zone-id",
    "zone-name",
    "zone-type",
];

async fn describe_availability_zones(
    cx: &Cx,
    request: DescribeAvailabilityZonesRequest,
) -> Result<DescribeAvailabilityZonesResponse, Error> {
    let filters = Filters::read(&request.filters, ZONE_FILTERS)?;
    let all = zones(cx.region());
    for name in &request.zone_names {
        if !all.iter().any(|zone| zone.name == *name) {
            return Err(invalid_value(format!("Invalid availability zone: [{name}]")));
        }
    }
    for id in &request.zone_ids {
        if !all.iter().any(|zone| zone.id == *id) {
            return Err(invalid_value(format!("Invalid availability zone-id: [{id}]")));
        }
    }
    let wanted = |given: &[String], value: &str| given.is_empty() || given.iter().any(|g| g == value);
    let chosen = all.into_iter().filter(|zone| {
        wanted(&request.zone_names, &zone.name)
            && wanted(&request.zone_ids, &zone.id)
            && filters.accept(&Tags::new(), |name| match name {
                "group-name" => one(format!("{}-zg-1", cx.region())),
                "opt-in-status" => one(opt_in_status_of(cx.region())),
                "region-name" => one(cx.region()),
                "state" => one("available"),
                "zone-id" => one(&zone.id),
                "zone-name" => one(&zone.name),
                "zone-type" => one("availability-zone"),
                _ => vec![],
            })
    });
    let shown = |zone: crate::zones::Zone| AvailabilityZone {
        opt_in_status: Some(opt_in_status_of(cx.region()).to_owned()),
        region_name: Some(cx.region().to_owned()),
        zone_name: Some(zone.name),
        zone_id: Some(zone.id),
        group_name: Some(format!("{}-zg-1", cx.region())),
        network_border_group: Some(cx.region().to_owned()),
        zone_type: Some("availability-zone".to_owned()),
        state: Some("available".to_owned()),
        ..Default::default()
    };
    Ok(DescribeAvailabilityZonesResponse { availability_zones: chosen.map(shown).collect() })
}

async fn describe_account_attributes(
    cx: &Cx,
    request: DescribeAccountAttributesRequest,
) -> Result<DescribeAccountAttributesResponse, Error> {
    ensure_defaults(cx).await?;
    let vpcs = cx.store().list::<Vpc>(cx.scope())?;
    let default = vpcs.iter().find(|(_, vpc)| vpc.is_default).map_or("none".to_owned(), |(id, _)| id.to_string());
    // The limits that Kiln keeps. Of `max-instances` the API Reference says that it is no limit.
    let addresses = crate::interfaces::allocation::public_addresses().to_string();
    let all = [
        ("max-instances", "20".to_owned()),
        ("max-elastic-ips", addresses.clone()),
        ("vpc-max-elastic-ips", addresses),
        ("supported-platforms", "VPC".to_owned()),
        ("default-vpc", default),
        ("vpc-max-security-groups-per-interface", "16".to_owned()),
    ];
    let asked = &request.attribute_names;
    let chosen = all.into_iter().filter(|(name, _)| asked.is_empty() || asked.iter().any(|a| a == name));
    let shown = |(name, value): (&str, String)| AccountAttribute {
        attribute_name: Some(name.to_owned()),
        attribute_values: vec![AccountAttributeValue { attribute_value: Some(value) }],
    };
    Ok(DescribeAccountAttributesResponse { account_attributes: chosen.map(shown).collect() })
}
