//! Types of template parameters that name things of this service: whether such a thing is there.

use crate::properties::filter;
use kiln_ec2_shapes::*;
use kiln_service_kit::{BoxFuture, Cx, Error, Fault, Names};

/// All of them.
pub const TYPES: &[(&str, Names)] = &[
    ("AWS::EC2::AvailabilityZone::Name", zone),
    ("AWS::EC2::Image::Id", image),
    ("AWS::EC2::Instance::Id", instance),
    ("AWS::EC2::KeyPair::KeyName", key_pair),
    ("AWS::EC2::SecurityGroup::GroupName", group_name),
    ("AWS::EC2::SecurityGroup::Id", group),
    ("AWS::EC2::Subnet::Id", subnet),
    ("AWS::EC2::VPC::Id", vpc),
    ("AWS::EC2::Volume::Id", volume),
];

type There<'a> = BoxFuture<'a, Result<bool, Error>>;

/// A refusal of the value says that there is no such thing.
fn told<T>(answer: Result<T, Error>, is_there: impl FnOnce(T) -> bool) -> Result<bool, Error> {
    match answer {
        Err(error) if error.fault == Fault::Sender && error.code.starts_with("Invalid") => Ok(false),
        other => other.map(is_there),
    }
}

fn zone<'a>(cx: &'a Cx, value: &'a str) -> There<'a> {
    let request = DescribeAvailabilityZonesRequest { zone_names: vec![value.to_owned()], ..Default::default() };
    Box::pin(async move { told(cx.call(request).await, |found| !found.availability_zones.is_empty()) })
}

fn image<'a>(cx: &'a Cx, value: &'a str) -> There<'a> {
    let request = DescribeImagesRequest { image_ids: vec![value.to_owned()], ..Default::default() };
    Box::pin(async move { told(cx.call(request).await, |found| !found.images.is_empty()) })
}

fn instance<'a>(cx: &'a Cx, value: &'a str) -> There<'a> {
    let request = DescribeInstancesRequest { instance_ids: vec![value.to_owned()], ..Default::default() };
    Box::pin(async move { told(cx.call(request).await, |found| !found.reservations.is_empty()) })
}

fn key_pair<'a>(cx: &'a Cx, value: &'a str) -> There<'a> {
    let request = DescribeKeyPairsRequest { key_names: vec![value.to_owned()], ..Default::default() };
    Box::pin(async move { told(cx.call(request).await, |found| !found.key_pairs.is_empty()) })
}

fn group_name<'a>(cx: &'a Cx, value: &'a str) -> There<'a> {
    let request = DescribeSecurityGroupsRequest { filters: filter("group-name", value), ..Default::default() };
    Box::pin(async move { told(cx.call(request).await, |found| !found.security_groups.is_empty()) })
}

fn group<'a>(cx: &'a Cx, value: &'a str) -> There<'a> {
    let request = DescribeSecurityGroupsRequest { group_ids: vec![value.to_owned()], ..Default::default() };
    Box::pin(async move { told(cx.call(request).await, |found| !found.security_groups.is_empty()) })
}

fn subnet<'a>(cx: &'a Cx, value: &'a str) -> There<'a> {
    let request = DescribeSubnetsRequest { subnet_ids: vec![value.to_owned()], ..Default::default() };
    Box::pin(async move { told(cx.call(request).await, |found| !found.subnets.is_empty()) })
}

fn vpc<'a>(cx: &'a Cx, value: &'a str) -> There<'a> {
    let request = DescribeVpcsRequest { vpc_ids: vec![value.to_owned()], ..Default::default() };
    Box::pin(async move { told(cx.call(request).await, |found| !found.vpcs.is_empty()) })
}

fn volume<'a>(cx: &'a Cx, value: &'a str) -> There<'a> {
    let request = DescribeVolumesRequest { volume_ids: vec![value.to_owned()], ..Default::default() };
    Box::pin(async move { told(cx.call(request).await, |found| !found.volumes.is_empty()) })
}
