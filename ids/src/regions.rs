//! Regions as AWS has them, the partition that each belongs to, and its availability zones by name and id.
//! A name that is none of them is no region. Source: "Regions and Availability Zones" and "Availability Zone
//! IDs" of the AWS documentation; [`table`] is written by `ids/tools/regions.py` from botocore's endpoints.
//!
//! The partitions `aws`, `aws-cn` and `aws-us-gov` are served; the isolated ones, whose zones nobody publishes,
//! are not.

mod table;

pub use table::{PARTITIONS, REGIONS};

/// A group of regions with accounts, ARNs and host names of their own.
#[derive(Debug, PartialEq, Eq)]
pub struct Partition {
    /// The second word of its ARNs: `aws`, `aws-cn`.
    pub name: &'static str,
    /// `amazonaws.com`, `amazonaws.com.cn`.
    pub dns_suffix: &'static str,
    /// The region that its global services (IAM) are signed for.
    pub global_region: &'static str,
}

/// A region.
#[derive(Debug, PartialEq, Eq)]
pub struct Region {
    pub name: &'static str,
    /// `US East (N. Virginia)`.
    pub description: &'static str,
    pub partition: &'static Partition,
    /// Whether accounts must ask for it before they use it.
    pub opt_in: bool,
    /// What its zones' ids begin with: `use1` of `use1-az1`.
    pub zone_prefix: &'static str,
    /// Its zones: the letters of their names, each with the number in its id. AWS's larger regions have
    /// more; Kiln's have at most three.
    pub zones: &'static [(&'static str, u8)],
}

/// The region of that name.
pub fn region(name: &str) -> Option<&'static Region> {
    REGIONS.iter().find(|region| region.name == name)
}

/// The partition that a region is in. The first one for no region at all: global things of a scope that
/// names none.
pub fn partition_of(region_name: &str) -> &'static Partition {
    region(region_name).map_or(&PARTITIONS[0], |region| region.partition)
}

/// What stands behind `arn:PARTITION:service::` of something global, in whichever partition it is: account,
/// kind and name of something of iam's.
pub fn global_part<'a>(arn: &'a str, service: &str) -> Option<&'a str> {
    let (partition, rest) = arn.strip_prefix("arn:")?.split_once(':')?;
    let known = PARTITIONS.iter().any(|known| known.name == partition);
    rest.strip_prefix(service)?.strip_prefix("::").filter(|_| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_aws_s() {
        assert_eq!(partition_of("cn-north-1").name, "aws-cn");
        assert_eq!(partition_of("us-gov-west-1").name, "aws-us-gov");
        assert_eq!(partition_of("eu-west-1").dns_suffix, "amazonaws.com");
        assert_eq!(partition_of("").name, "aws");
        for none in ["", "US", "mars-1", "us-east-9", "aws-global", "us-east-1a"] {
            assert_eq!(region(none), None, "{none}");
        }
        assert_eq!(global_part("arn:aws-cn:iam::1:role/x", "iam"), Some("1:role/x"));
        for none in ["arn:aws-mars:iam::1:role/x", "arn:aws:iam:r:1:role/x", "arn:aws:sts::1:x", "iam::1"] {
            assert_eq!(global_part(none, "iam"), None, "{none}");
        }
        let mut names: Vec<_> = REGIONS.iter().map(|region| region.name).collect();
        names.dedup();
        assert_eq!(names.len(), REGIONS.len());
        assert!(names.is_sorted());
        let mut prefixes: Vec<_> = REGIONS.iter().map(|region| region.zone_prefix).collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        assert_eq!(prefixes.len(), REGIONS.len(), "no two regions share zone ids");
        assert_eq!(region("ap-southeast-5").map(|region| region.zone_prefix), Some("apse5"));
    }
}
