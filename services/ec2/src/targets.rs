//! What EC2's calls touch, for policies: `arn:aws:ec2:…:instance/i-…` and the like, with the tags
//! that each thing has or is to get. Source: Service Authorization Reference, "Actions, resources,
//! and condition keys for Amazon EC2".
//!
//! Calls that list things have no resource there and are not in the table.

use crate::firewall::records::{NetworkAcl, SecurityGroup};
use crate::images::image_lookup;
use crate::images::records::{Image, Snapshot};
use crate::instances::records::{Instance, Volume};
use crate::interfaces::records::{Address, NetworkInterface};
use crate::keys::records::KeyPair;
use crate::kinds::{self, Kind};
use crate::networks::records::{DhcpOptions, InternetGateway, NatGateway, RouteTable, Subnet, Vpc};
use crate::passing;
use crate::tags::{Tagged, Tags, is_reserved};
use crate::templates::lookup as launch_templates;
use crate::templates::merge::with_template;
use kiln_ec2_shapes::RunInstancesRequest;
use kiln_iam_shapes::GetInstanceProfileRequest;
use kiln_protocol::stored;
use kiln_service_kit::{BoxFuture, Cx, Error, Fault, Target, Touched};
use serde_json::Value as Json;

/// One operation: the members that name things, and what it makes.
struct Row {
    operation: &'static str,
    uses: &'static [(&'static str, &'static Kind)],
    makes: &'static [&'static Kind],
}

macro_rules! rows {
    ($($operation:ident($($member:ident: $kind:ident),*) $(makes $($made:ident),+)?;)*) => {
        const ROWS: &[Row] = &[$(Row {
            operation: stringify!($operation),
            uses: &[$((stringify!($member), &kinds::$kind)),*],
            makes: &[$($(&kinds::$made),+)?],
        }),*];
    };
}

rows! {
    AllocateAddress() makes ADDRESS;
    AssignPrivateIpAddresses(NetworkInterfaceId: NETWORK_INTERFACE);
    AssociateAddress(AllocationId: ADDRESS, PublicIp: ADDRESS, InstanceId: INSTANCE, NetworkInterfaceId: NETWORK_INTERFACE);
    AssociateIamInstanceProfile(InstanceId: INSTANCE);
    AssociateRouteTable(RouteTableId: ROUTE_TABLE, SubnetId: SUBNET);
    AssociateVpcCidrBlock(VpcId: VPC);
    AttachInternetGateway(InternetGatewayId: INTERNET_GATEWAY, VpcId: VPC);
    AttachNetworkInterface(InstanceId: INSTANCE, NetworkInterfaceId: NETWORK_INTERFACE);
    AttachVolume(InstanceId: INSTANCE, VolumeId: VOLUME);
    AuthorizeSecurityGroupEgress(GroupId: SECURITY_GROUP);
    AuthorizeSecurityGroupIngress(GroupId: SECURITY_GROUP, GroupName: SECURITY_GROUP);
    CopyImage(SourceImageId: IMAGE) makes IMAGE;
    CreateImage(InstanceId: INSTANCE) makes IMAGE, SNAPSHOT;
    CreateInternetGateway() makes INTERNET_GATEWAY;
    CreateKeyPair(KeyName: KEY_PAIR);
    CreateLaunchTemplate() makes LAUNCH_TEMPLATE;
    CreateLaunchTemplateVersion(LaunchTemplateId: LAUNCH_TEMPLATE, LaunchTemplateName: LAUNCH_TEMPLATE);
    CreateNatGateway(SubnetId: SUBNET, AllocationId: ADDRESS) makes NAT_GATEWAY;
    CreateNetworkAcl(VpcId: VPC) makes NETWORK_ACL;
    CreateNetworkAclEntry(NetworkAclId: NETWORK_ACL);
    CreateNetworkInterface(SubnetId: SUBNET, Groups: SECURITY_GROUP) makes NETWORK_INTERFACE;
    CreateRoute(RouteTableId: ROUTE_TABLE);
    CreateRouteTable(VpcId: VPC) makes ROUTE_TABLE;
    CreateSecurityGroup(VpcId: VPC) makes SECURITY_GROUP;
    CreateSnapshot(VolumeId: VOLUME) makes SNAPSHOT;
    CreateSubnet(VpcId: VPC) makes SUBNET;
    CreateVolume(SnapshotId: SNAPSHOT) makes VOLUME;
    CreateVpc() makes VPC;
    DeleteInternetGateway(InternetGatewayId: INTERNET_GATEWAY);
    DeleteKeyPair(KeyName: KEY_PAIR, KeyPairId: KEY_PAIR);
    DeleteLaunchTemplate(LaunchTemplateId: LAUNCH_TEMPLATE, LaunchTemplateName: LAUNCH_TEMPLATE);
    DeleteLaunchTemplateVersions(LaunchTemplateId: LAUNCH_TEMPLATE, LaunchTemplateName: LAUNCH_TEMPLATE);
    DeleteNatGateway(NatGatewayId: NAT_GATEWAY);
    DeleteNetworkAcl(NetworkAclId: NETWORK_ACL);
    DeleteNetworkAclEntry(NetworkAclId: NETWORK_ACL);
    DeleteNetworkInterface(NetworkInterfaceId: NETWORK_INTERFACE);
    DeleteRoute(RouteTableId: ROUTE_TABLE);
    DeleteRouteTable(RouteTableId: ROUTE_TABLE);
    DeleteSecurityGroup(GroupId: SECURITY_GROUP, GroupName: SECURITY_GROUP);
    DeleteSnapshot(SnapshotId: SNAPSHOT);
    DeleteSubnet(SubnetId: SUBNET);
    DeleteVolume(VolumeId: VOLUME);
    DeleteVpc(VpcId: VPC);
    DeregisterImage(ImageId: IMAGE);
    DescribeImageAttribute(ImageId: IMAGE);
    DescribeInstanceAttribute(InstanceId: INSTANCE);
    DescribeNetworkInterfaceAttribute(NetworkInterfaceId: NETWORK_INTERFACE);
    DescribeVolumeAttribute(VolumeId: VOLUME);
    DescribeVpcAttribute(VpcId: VPC);
    DetachInternetGateway(InternetGatewayId: INTERNET_GATEWAY, VpcId: VPC);
    DetachNetworkInterface(AttachmentId: NETWORK_INTERFACE);
    DetachVolume(InstanceId: INSTANCE, VolumeId: VOLUME);
    DisassociateAddress(AssociationId: ADDRESS, PublicIp: ADDRESS);
    DisassociateIamInstanceProfile(AssociationId: INSTANCE);
    DisassociateRouteTable(AssociationId: ROUTE_TABLE);
    DisassociateVpcCidrBlock(AssociationId: VPC);
    GetConsoleOutput(InstanceId: INSTANCE);
    GetLaunchTemplateData(InstanceId: INSTANCE);
    GetManagedPrefixListEntries(PrefixListId: PREFIX_LIST);
    GetPasswordData(InstanceId: INSTANCE);
    ImportKeyPair(KeyName: KEY_PAIR);
    ModifyImageAttribute(ImageId: IMAGE);
    ModifyInstanceAttribute(InstanceId: INSTANCE, Groups: SECURITY_GROUP);
    ModifyInstanceCreditSpecification(InstanceCreditSpecifications: INSTANCE);
    ModifyInstanceMaintenanceOptions(InstanceId: INSTANCE);
    ModifyInstanceMetadataOptions(InstanceId: INSTANCE);
    ModifyLaunchTemplate(LaunchTemplateId: LAUNCH_TEMPLATE, LaunchTemplateName: LAUNCH_TEMPLATE);
    ModifyNetworkInterfaceAttribute(NetworkInterfaceId: NETWORK_INTERFACE, Groups: SECURITY_GROUP);
    ModifySecurityGroupRules(GroupId: SECURITY_GROUP);
    ModifySubnetAttribute(SubnetId: SUBNET);
    ModifyVpcAttribute(VpcId: VPC);
    MonitorInstances(InstanceIds: INSTANCE);
    RebootInstances(InstanceIds: INSTANCE);
    RegisterImage() makes IMAGE;
    ReleaseAddress(AllocationId: ADDRESS, PublicIp: ADDRESS);
    ReplaceIamInstanceProfileAssociation(AssociationId: INSTANCE);
    ReplaceNetworkAclAssociation(AssociationId: NETWORK_ACL, NetworkAclId: NETWORK_ACL);
    ReplaceNetworkAclEntry(NetworkAclId: NETWORK_ACL);
    ReplaceRoute(RouteTableId: ROUTE_TABLE);
    ReplaceRouteTableAssociation(AssociationId: ROUTE_TABLE, RouteTableId: ROUTE_TABLE);
    ResetInstanceAttribute(InstanceId: INSTANCE);
    ResetNetworkInterfaceAttribute(NetworkInterfaceId: NETWORK_INTERFACE);
    RevokeSecurityGroupEgress(GroupId: SECURITY_GROUP);
    RevokeSecurityGroupIngress(GroupId: SECURITY_GROUP, GroupName: SECURITY_GROUP);
    StartInstances(InstanceIds: INSTANCE);
    StopInstances(InstanceIds: INSTANCE);
    TerminateInstances(InstanceIds: INSTANCE);
    UnassignPrivateIpAddresses(NetworkInterfaceId: NETWORK_INTERFACE);
    UnmonitorInstances(InstanceIds: INSTANCE);
    UpdateSecurityGroupRuleDescriptionsEgress(GroupId: SECURITY_GROUP, GroupName: SECURITY_GROUP);
    UpdateSecurityGroupRuleDescriptionsIngress(GroupId: SECURITY_GROUP, GroupName: SECURITY_GROUP);
}

/// Every kind by which CreateTags and DeleteTags find out what an id means; a longer prefix first.
const TAGGABLE: &[&Kind] = &[
    &kinds::ADDRESS,
    &kinds::SECURITY_GROUP_RULE,
    &kinds::VPC,
    &kinds::SUBNET,
    &kinds::SECURITY_GROUP,
    &kinds::INTERNET_GATEWAY,
    &kinds::NAT_GATEWAY,
    &kinds::ROUTE_TABLE,
    &kinds::NETWORK_ACL,
    &kinds::DHCP_OPTIONS,
    &kinds::NETWORK_INTERFACE,
    &kinds::INSTANCE,
    &kinds::IMAGE,
    &kinds::KEY_PAIR,
    &kinds::LAUNCH_TEMPLATE,
    &kinds::VOLUME,
    &kinds::SNAPSHOT,
];

/// What an operation touches; nothing for calls that list things.
pub fn of<'a>(cx: &'a Cx, operation: &'a str, request: &'a Json) -> BoxFuture<'a, Touched> {
    Box::pin(touched(cx, operation, request))
}

async fn touched(cx: &Cx, operation: &str, request: &Json) -> Touched {
    let mut targets = match operation {
        "CreateTags" | "DeleteTags" => tagging(cx, request)?,
        "RunInstances" => launching(cx, request).await?,
        _ => match ROWS.iter().find(|row| row.operation == operation) {
            Some(row) => by_row(cx, row, request)?,
            None => vec![],
        },
    };
    for target in &mut targets {
        target.keys.push(("ec2:Region".to_owned(), cx.region().to_owned()));
    }
    Ok(targets)
}

fn by_row(cx: &Cx, row: &Row, request: &Json) -> Result<Vec<Target>, Error> {
    let mut targets = vec![];
    for (member, kind) in row.uses {
        for text in texts(&request[*member]) {
            let mut target = existing(cx, kind, text)?;
            if row.makes.is_empty() {
                let given = given_tags(request, kind);
                target = target.given_tags(given.iter().map(|(k, v)| (k.as_str(), v.as_str())));
            }
            targets.push(target);
        }
    }
    for kind in row.makes {
        targets.push(made(cx, request, kind));
    }
    targets.extend(tagged_on_creation(cx, row.operation, request));
    Ok(targets)
}

/// The texts of a member: one, or a list of them, or of structures with an instance each.
fn texts(value: &Json) -> Vec<&str> {
    match value {
        Json::String(text) => vec![text],
        Json::Array(items) => {
            items.iter().filter_map(|item| item.as_str().or_else(|| item["InstanceId"].as_str())).collect()
        }
        _ => vec![],
    }
}

fn arn(cx: &Cx, kind: &Kind, id: &str) -> String {
    // Images and snapshots are named without their account.
    let account = if matches!(kind.resource_type, "image" | "snapshot") { "" } else { cx.account() };
    format!("arn:{}:ec2:{}:{account}:{}/{id}", cx.partition(), cx.region(), kind.resource_type)
}

/// Something that is to be made: policies see its kind and the tags it is to get.
fn made(cx: &Cx, request: &Json, kind: &Kind) -> Target {
    let tags = given_tags(request, kind);
    Target::new(arn(cx, kind, "*")).given_tags(tags.iter().map(|(k, v)| (k.as_str(), v.as_str())))
}

/// Things made with tags need ec2:CreateTags as well.
fn tagged_on_creation(cx: &Cx, operation: &str, request: &Json) -> Vec<Target> {
    let mut targets = vec![];
    for kind in TAGGABLE {
        let tags = given_tags(request, kind);
        if !tags.is_empty() {
            let target = Target::new(arn(cx, kind, "*")).with("ec2:CreateAction", operation);
            let target = target.given_tags(tags.iter().map(|(k, v)| (k.as_str(), v.as_str())));
            targets.push(Target { action: Some("ec2:CreateTags"), ..target });
        }
    }
    targets
}

/// The tags that a request gives things of a kind; those that services set are not the caller's.
fn given_tags(request: &Json, kind: &Kind) -> Vec<(String, String)> {
    let specifications = request["TagSpecifications"].as_array().into_iter().flatten();
    let of_kind = specifications.filter(|each| each["ResourceType"].as_str() == Some(kind.resource_type));
    of_kind.flat_map(|each| tag_list(&each["Tags"])).filter(|(key, _)| !is_reserved(key)).collect()
}

fn tag_list(tags: &Json) -> Vec<(String, String)> {
    let text = |value: &Json| value.as_str().unwrap_or("").to_owned();
    tags.as_array().into_iter().flatten().map(|tag| (text(&tag["Key"]), text(&tag["Value"]))).collect()
}

fn tagging(cx: &Cx, request: &Json) -> Result<Vec<Target>, Error> {
    let tags = tag_list(&request["Tags"]);
    let mut targets = vec![];
    for id in texts(&request["Resources"]) {
        // An id of no known kind is refused by the call itself.
        let Some(kind) = TAGGABLE.iter().find(|kind| id.starts_with(kind.prefix)) else { continue };
        targets.push(existing(cx, kind, id)?.given_tags(tags.iter().map(|(k, v)| (k.as_str(), v.as_str()))));
    }
    Ok(targets)
}

/// Something that a request names by its id, its name or an association.
fn existing(cx: &Cx, kind: &Kind, text: &str) -> Result<Target, Error> {
    let found = match kind.resource_type {
        "image" => there(image_lookup::find(cx, text))?.map(|(_, image)| (text.to_owned(), image.tags.clone())),
        "key-pair" => first::<KeyPair>(cx, |key| key.name == text || *key.id == *text)?
            .map(|key| (key.name.clone(), key.tags.clone())),
        "launch-template" => {
            let id = text.starts_with(kind.prefix).then_some(text);
            let found = launch_templates::find(cx, id, if id.is_some() { None } else { Some(text) });
            there(found)?.map(|template| (template.id.to_string(), template.tags.clone()))
        }
        "security-group" => by_id::<SecurityGroup>(cx, text)?
            .or(first::<SecurityGroup>(cx, |group| group.name == text)?)
            .map(|group| (group.id.to_string(), group.tags.clone())),
        "security-group-rule" => None,
        "elastic-ip" => by_id::<Address>(cx, text)?
            .or(first::<Address>(cx, |address| {
                address.ip.to_string() == text || address.association.as_ref().is_some_and(|(id, _)| **id == *text)
            })?)
            .map(|address| (address.id.to_string(), address.tags.clone())),
        "route-table" => by_id::<RouteTable>(cx, text)?
            .or(first::<RouteTable>(cx, |table| table.associations.iter().any(|each| *each.id == *text))?)
            .map(|table| (table.id.to_string(), table.tags.clone())),
        "network-interface" => by_id::<NetworkInterface>(cx, text)?
            .or(first::<NetworkInterface>(cx, |interface| {
                interface.attachment.as_ref().is_some_and(|attachment| *attachment.id == *text)
            })?)
            .map(|interface| (interface.id.to_string(), interface.tags.clone())),
        "instance" => by_id::<Instance>(cx, text)?
            .or(first::<Instance>(cx, |instance| {
                instance.profile.as_ref().is_some_and(|profile| *profile.id == *text)
            })?)
            .map(|instance| (instance.id.to_string(), instance.tags.clone())),
        "vpc" => own::<Vpc>(cx, text)?,
        "subnet" => own::<Subnet>(cx, text)?,
        "internet-gateway" => own::<InternetGateway>(cx, text)?,
        "natgateway" => own::<NatGateway>(cx, text)?,
        "network-acl" => by_id::<NetworkAcl>(cx, text)?
            .or(first::<NetworkAcl>(cx, |acl| acl.associations.iter().any(|each| *each.id == *text))?)
            .map(|acl| (acl.id.to_string(), acl.tags.clone())),
        "dhcp-options" => own::<DhcpOptions>(cx, text)?,
        "volume" => own::<Volume>(cx, text)?,
        "snapshot" => own::<Snapshot>(cx, text)?,
        _ => None,
    };
    // What is not there has a name all the same: the call itself says that it is not.
    let (id, tags) = found.unwrap_or_else(|| (text.to_owned(), Tags::new()));
    Ok(Target::new(arn(cx, kind, &id)).tagged("ec2", &tags))
}

/// What was found; none where the call itself says what is wrong with the request. Where kiln failed, nobody can be
/// judged: a policy that denies by what was not found would let in.
fn there<T>(found: Result<T, Error>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.fault == Fault::Sender => Ok(None),
        Err(error) => Err(error),
    }
}

fn by_id<R: Tagged>(cx: &Cx, id: &str) -> Result<Option<std::sync::Arc<R>>, Error> {
    Ok(cx.store().get::<R>(cx.scope(), id)?)
}

fn own<R: Tagged>(cx: &Cx, id: &str) -> Result<Option<(String, Tags)>, Error> {
    Ok(by_id::<R>(cx, id)?.map(|record| (id.to_owned(), record.tags().clone())))
}

fn first<R: Tagged>(cx: &Cx, is: impl Fn(&R) -> bool) -> Result<Option<std::sync::Arc<R>>, Error> {
    Ok(cx.store().list::<R>(cx.scope())?.into_iter().map(|(_, record)| record).find(|record| is(record)))
}

/// A launch touches everything it uses and makes, its launch template's share included.
async fn launching(cx: &Cx, request: &Json) -> Result<Vec<Target>, Error> {
    let typed: RunInstancesRequest = stored::from_json(request.clone())?;
    // A template that cannot be used is refused by the call itself.
    let merged = there(with_template(cx, typed))?.map_or_else(|| request.clone(), |merged| stored::to_json(&merged));
    let interfaces: Vec<&Json> = merged["NetworkInterfaces"].as_array().into_iter().flatten().collect();

    let mut targets = vec![];
    let image = merged["ImageId"].as_str().unwrap_or("*");
    let image = &image_lookup::resolved(cx, image).await?;
    targets.push(existing(cx, &kinds::IMAGE, image)?);
    let mut instance = made(cx, &merged, &kinds::INSTANCE)
        .with("ec2:InstanceType", merged["InstanceType"].as_str().unwrap_or("m1.small"));
    let of_image = |image: &Image| if image.imds_v2 { "required" } else { "optional" };
    let tokens = match merged["MetadataOptions"]["HttpTokens"].as_str() {
        Some(given) => Some(given),
        None => there(image_lookup::find(cx, image))?.map(|(_, image)| of_image(&image)),
    };
    if let Some(tokens) = tokens {
        instance = instance.with("ec2:MetadataHttpTokens", tokens);
    }
    targets.push(instance);
    targets.push(made(cx, &merged, &kinds::VOLUME));
    let attached: Vec<&str> = interfaces.iter().filter_map(|each| each["NetworkInterfaceId"].as_str()).collect();
    for id in &attached {
        targets.push(existing(cx, &kinds::NETWORK_INTERFACE, id)?);
    }
    if attached.is_empty() || attached.len() < interfaces.len() {
        targets.push(made(cx, &merged, &kinds::NETWORK_INTERFACE));
        let inside = |member: &str| interfaces.iter().flat_map(|each| texts(&each[member])).collect::<Vec<_>>();
        let subnets = [texts(&merged["SubnetId"]), inside("SubnetId")].concat();
        let groups = [texts(&merged["SecurityGroupIds"]), texts(&merged["SecurityGroups"]), inside("Groups")].concat();
        for (kind, named) in [(&kinds::SUBNET, subnets), (&kinds::SECURITY_GROUP, groups)] {
            for id in &named {
                targets.push(existing(cx, kind, id)?);
            }
            // The default one, whichever it is.
            if named.is_empty() {
                targets.push(Target::new(arn(cx, kind, "*")));
            }
        }
    }
    for name in texts(&merged["KeyName"]) {
        targets.push(existing(cx, &kinds::KEY_PAIR, name)?);
    }
    let template = &request["LaunchTemplate"];
    for text in [texts(&template["LaunchTemplateId"]), texts(&template["LaunchTemplateName"])].concat() {
        targets.push(existing(cx, &kinds::LAUNCH_TEMPLATE, text)?);
    }
    targets.extend(tagged_on_creation(cx, "RunInstances", &merged));
    targets.extend(passed(cx, &merged["IamInstanceProfile"]).await?);
    Ok(targets)
}

/// The role that a launch hands to its instance: whoever launches must be allowed to pass it.
async fn passed(cx: &Cx, profile: &Json) -> Result<Vec<Target>, Error> {
    let Some(given) = profile["Name"].as_str().or(profile["Arn"].as_str()) else { return Ok(vec![]) };
    let name = given.rsplit('/').next().unwrap_or(given).to_owned();
    let request = GetInstanceProfileRequest { instance_profile_name: name };
    let found = match cx.as_service("ec2.amazonaws.com").call(request).await {
        Ok(answer) => answer.instance_profile,
        // A profile that is not there is refused by the call itself.
        Err(error) if error.fault == Fault::Sender => None,
        Err(error) => return Err(error),
    };
    let roles = found.map(|profile| profile.roles).unwrap_or_default().into_iter().filter_map(|role| role.arn);
    let target = |arn: String| Target {
        action: Some("iam:PassRole"),
        keys: passing::conditions(cx, "*").map(|(key, value)| (key.to_owned(), value)).into(),
        ..Target::new(arn)
    };
    Ok(roles.map(target).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::templates::records::LaunchTemplate;
    use crate::tests::World;
    use kiln_service_kit::{Record, StoreError};
    use serde::{Deserialize, Serialize};
    use serde_json::json;
    use std::collections::BTreeSet;

    /// What stands in the place of an image or a launch template and does not read as one.
    #[derive(Clone, Serialize, Deserialize)]
    struct Damaged<const IMAGE: bool> {}

    impl<const IMAGE: bool> Record for Damaged<IMAGE> {
        const KIND: &'static str = if IMAGE { Image::KIND } else { LaunchTemplate::KIND };
    }

    #[tokio::test]
    async fn nobody_is_judged_without_what_cannot_be_read() {
        let world = World::new();
        let (image, template) = ("ami-00000000000000001", "lt-00000000000000001");
        let damaged = world.cx.store().write::<_, StoreError>(|tx| {
            tx.put(world.cx.scope(), image, Damaged::<true> {})?;
            tx.put(world.cx.scope(), template, Damaged::<false> {})
        });
        damaged.await.unwrap();
        let launch = json!({"MinCount": 1, "MaxCount": 1});
        let with = |member: &str, value: Json| {
            let mut request = launch.clone();
            request[member] = value;
            request
        };
        for (operation, request) in [
            ("DeregisterImage", json!({"ImageId": image})),
            ("DeleteLaunchTemplate", json!({"LaunchTemplateId": template})),
            ("RunInstances", with("ImageId", image.into())),
            ("RunInstances", with("LaunchTemplate", json!({"LaunchTemplateId": template}))),
        ] {
            let refused = of(&world.cx, operation, &request).await.expect_err(operation);
            assert!(refused.chain().contains("00000000000000001"), "{operation}: {}", refused.chain());
        }
        // What is not there, or is no name at all, is judged by its name.
        let world = World::new();
        for named in ["ami-00000000000000002", "my image"] {
            let touched = of(&world.cx, "DeregisterImage", &json!({"ImageId": named})).await.unwrap();
            assert!(touched.len() == 1 && touched[0].arn.ends_with(&format!("image/{named}")), "{touched:?}");
        }
    }

    /// Without their row, calls that change something would be judged as calls about nothing.
    #[test]
    fn every_call_that_is_no_listing_says_what_it_touches() {
        // The first two are of no resource; the others have functions of their own.
        let elsewhere = ["CreateDefaultSubnet", "CreateDefaultVpc", "CreateTags", "DeleteTags", "RunInstances"];
        let rows: BTreeSet<&str> = ROWS.iter().map(|row| row.operation).collect();
        assert_eq!(rows.len(), ROWS.len(), "an operation has two rows");
        for operation in crate::rows().into_iter().flatten() {
            let is_listing = operation.name.starts_with("Describe");
            let known = rows.contains(operation.name) || elsewhere.contains(&operation.name);
            assert!(is_listing || known, "what does {} touch?", operation.name);
            for (member, _) in ROWS.iter().filter(|row| row.operation == operation.name).flat_map(|row| row.uses) {
                assert!(operation.input.find(member).is_some(), "{} has no {member}", operation.name);
            }
        }
    }
}
