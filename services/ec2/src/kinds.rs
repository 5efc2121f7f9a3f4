//! The kinds of thing EC2 names: prefix of the id, and how AWS speaks of one that is not there.
//!
//! One table for the whole service, because EC2's codes follow no rule (`InvalidVpcID.NotFound`,
//! `InvalidVolume.NotFound`, `NatGatewayNotFound`). Source: "Error codes for the Amazon EC2 API".

use crate::errors::{invalid_value, missing_parameter};
use kiln_service_kit::Error;
use std::str::FromStr;

/// One kind of thing.
#[derive(Debug)]
pub struct Kind {
    /// As tag specifications and DescribeTags name it.
    pub resource_type: &'static str,
    pub prefix: &'static str,
    /// As error messages name it: `The {noun} '{id}' does not exist`.
    pub noun: &'static str,
    pub not_found: &'static str,
    pub malformed: &'static str,
}

macro_rules! kinds {
    ($($name:ident = $resource_type:literal, $prefix:literal, $noun:literal, $not_found:literal, $malformed:literal;)*) => { $(
        pub const $name: Kind = Kind {
            resource_type: $resource_type,
            prefix: $prefix,
            noun: $noun,
            not_found: $not_found,
            malformed: $malformed,
        };
    )* };
}

kinds! {
    VPC = "vpc", "vpc-", "vpc ID", "InvalidVpcID.NotFound", "InvalidVpcID.Malformed";
    SUBNET = "subnet", "subnet-", "subnet ID", "InvalidSubnetID.NotFound", "InvalidSubnetID.Malformed";
    SECURITY_GROUP = "security-group", "sg-", "security group", "InvalidGroup.NotFound", "InvalidGroupId.Malformed";
    SECURITY_GROUP_RULE = "security-group-rule", "sgr-", "security group rule ID", "InvalidSecurityGroupRuleId.NotFound", "InvalidSecurityGroupRuleId.Malformed";
    INTERNET_GATEWAY = "internet-gateway", "igw-", "internetGateway ID", "InvalidInternetGatewayID.NotFound", "InvalidInternetGatewayId.Malformed";
    NAT_GATEWAY = "natgateway", "nat-", "NAT gateway", "NatGatewayNotFound", "NatGatewayMalformed";
    ROUTE_TABLE = "route-table", "rtb-", "routeTable ID", "InvalidRouteTableID.NotFound", "InvalidRouteTableId.Malformed";
    ROUTE_TABLE_ASSOCIATION = "route-table-association", "rtbassoc-", "association ID", "InvalidAssociationID.NotFound", "InvalidAssociationID.Malformed";
    NETWORK_ACL = "network-acl", "acl-", "networkAcl ID", "InvalidNetworkAclID.NotFound", "InvalidNetworkAclID.Malformed";
    PREFIX_LIST = "prefix-list", "pl-", "prefix list ID", "InvalidPrefixListID.NotFound", "InvalidPrefixListId.Malformed";
    DHCP_OPTIONS = "dhcp-options", "dopt-", "dhcpOption ID", "InvalidDhcpOptionID.NotFound", "InvalidDhcpOptionsId.Malformed";
    NETWORK_INTERFACE = "network-interface", "eni-", "networkInterface ID", "InvalidNetworkInterfaceID.NotFound", "InvalidNetworkInterfaceID.Malformed";
    ATTACHMENT = "network-interface-attachment", "eni-attach-", "network interface attachment ID", "InvalidAttachmentID.NotFound", "InvalidAttachmentID.Malformed";
    ADDRESS = "elastic-ip", "eipalloc-", "allocation ID", "InvalidAllocationID.NotFound", "InvalidAllocationID.Malformed";
    ADDRESS_ASSOCIATION = "elastic-ip-association", "eipassoc-", "association ID", "InvalidAssociationID.NotFound", "InvalidAssociationID.Malformed";
    INSTANCE = "instance", "i-", "instance ID", "InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed";
    IMAGE = "image", "ami-", "image id", "InvalidAMIID.NotFound", "InvalidAMIID.Malformed";
    KEY_PAIR = "key-pair", "key-", "key pair ID", "InvalidKeyPair.NotFound", "InvalidKeyPair.Malformed";
    LAUNCH_TEMPLATE = "launch-template", "lt-", "launch template ID", "InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateId.Malformed";
    VOLUME = "volume", "vol-", "volume", "InvalidVolume.NotFound", "InvalidVolumeID.Malformed";
    SNAPSHOT = "snapshot", "snap-", "snapshot", "InvalidSnapshot.NotFound", "InvalidSnapshotID.Malformed";
}

impl Kind {
    /// Whether a text has the form of this kind's ids.
    pub fn check(&self, text: &str) -> Result<(), Error> {
        let digits = text.strip_prefix(self.prefix);
        if digits
            .is_some_and(|d| matches!(d.len(), 8 | 17) && d.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
        {
            return Ok(());
        }
        Err(self.bad(text))
    }

    /// Reads an id of this kind.
    pub fn parse<T: FromStr>(&self, text: &str) -> Result<T, Error> {
        text.parse().map_err(|_| self.bad(text))
    }

    fn bad(&self, text: &str) -> Error {
        match (text, self.resource_type) {
            // An empty id in a list; elsewhere it is a parameter that was not given.
            ("", "security-group") => {
                return invalid_value("Value () for parameter groupId is invalid. The value cannot be empty");
            }
            ("", _) => return missing_parameter(&self.parameter()),
            _ => {}
        }
        Error::sender(self.malformed, format!("Invalid id: \"{text}\" (expecting \"{}...\")", self.prefix))
    }

    /// The parameter that names one: `InstanceId`.
    fn parameter(&self) -> String {
        match self.resource_type {
            "elastic-ip" => "AllocationId".to_owned(),
            "elastic-ip-association" | "route-table-association" => "AssociationId".to_owned(),
            "natgateway" => "NatGatewayId".to_owned(),
            other => {
                let words = other.split('-').filter(|word| !word.is_empty());
                let capital = |word: &str| format!("{}{}", word[..1].to_uppercase(), &word[1..]);
                words.map(capital).chain(["Id".to_owned()]).collect()
            }
        }
    }

    /// There is none of this id.
    pub fn none(&self, id: &str) -> Error {
        Error::sender(self.not_found, format!("The {} '{id}' does not exist", self.noun))
    }

    /// There are none of these ids; for one it reads as [`Kind::none`].
    pub fn none_of(&self, ids: &[String]) -> Error {
        match ids {
            [one] => self.none(one),
            more => Error::sender(self.not_found, format!("The {}s '{}' do not exist", self.noun, more.join(", "))),
        }
    }
}
