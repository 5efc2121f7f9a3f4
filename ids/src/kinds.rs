//! One type per kind of resource that AWS names with a prefix and hexadecimal digits.

use crate::{BadId, IdSource};
use serde::{Deserialize, Serialize};

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);
        impl $name {
            /// The prefix before the hexadecimal digits.
            pub const PREFIX: &'static str = $prefix;
            /// A new one: the prefix and 17 random hexadecimal digits.
            pub fn new(source: &IdSource) -> Self {
                Self(format!("{}{}", $prefix, source.hex(17)).into())
            }
            /// The text.
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl std::str::FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                let good = text.strip_prefix($prefix).is_some_and(|rest| {
                    matches!(rest.len(), 8 | 17) && rest.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
                });
                if good { Ok(Self(text.into())) } else {
                    Err(BadId { given: text.to_owned(), expected: concat!($prefix, "… (17 hexadecimal digits)") })
                }
            }
        }
        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> { text.parse() }
        }
        impl From<$name> for String { fn from(id: $name) -> String { id.0.into() } }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(&self.0) }
        }
        impl AsRef<str> for $name { fn as_ref(&self) -> &str { &self.0 } }
        impl std::ops::Deref for $name { type Target = str; fn deref(&self) -> &str { &self.0 } }
        impl std::borrow::Borrow<str> for $name { fn borrow(&self) -> &str { &self.0 } }
        impl PartialEq<str> for $name { fn eq(&self, other: &str) -> bool { &*self.0 == other } }
        impl PartialEq<&str> for $name { fn eq(&self, other: &&str) -> bool { &*self.0 == *other } }
    )* };
}

id! {
    /// An EC2 instance.
    InstanceId = "i-";
    /// A machine image.
    ImageId = "ami-";
    /// A virtual private cloud.
    VpcId = "vpc-";
    /// A subnet of a VPC.
    SubnetId = "subnet-";
    /// A security group.
    SecurityGroupId = "sg-";
    /// One rule of a security group.
    SecurityGroupRuleId = "sgr-";
    /// An internet gateway.
    InternetGatewayId = "igw-";
    /// A NAT gateway.
    NatGatewayId = "nat-";
    /// A route table.
    RouteTableId = "rtb-";
    /// A route table's association with a subnet.
    RouteTableAssociationId = "rtbassoc-";
    /// A network ACL.
    NetworkAclId = "acl-";
    /// A set of DHCP options.
    DhcpOptionsId = "dopt-";
    /// A network interface.
    NetworkInterfaceId = "eni-";
    /// A network interface's attachment to an instance.
    AttachmentId = "eni-attach-";
    /// An Elastic IP address.
    AllocationId = "eipalloc-";
    /// An Elastic IP address's association.
    AssociationId = "eipassoc-";
    /// A key pair.
    KeyPairId = "key-";
    /// A launch template.
    LaunchTemplateId = "lt-";
    /// A volume.
    VolumeId = "vol-";
    /// A snapshot.
    SnapshotId = "snap-";
    /// A reservation: what one RunInstances made.
    ReservationId = "r-";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_checked_where_they_enter() {
        let id = InstanceId::new(&IdSource::seeded(1));
        assert_eq!(id.len(), 2 + 17);
        assert_eq!(id.to_string().parse::<InstanceId>(), Ok(id));
        assert!("i-0123456789abcdef0".parse::<InstanceId>().is_ok());
        assert!("i-01234567".parse::<InstanceId>().is_ok());
        for bad in ["", "i-", "i-xyz", "ami-0123456789abcdef0", "i-0123456789ABCDEF0", "i-0123456789abcdef01"] {
            assert!(bad.parse::<InstanceId>().is_err(), "{bad}");
        }
    }
}
