//! The prefix lists that AWS keeps: where S3 and DynamoDB are, under names that templates look up.
//!
//! A list says where the service truly is *here*: S3 answers machines at one address, DynamoDB is not
//! built, so its list has no entries. AWS's ids differ from region to region and mean nothing; here they
//! follow from the name (Amazon VPC User Guide, "AWS-managed prefix lists").

use kiln_machines_spec::Cidr;
use sha2::{Digest, Sha256};

/// A list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsList {
    /// `pl-…`
    pub id: String,
    /// e.g. `com.amazonaws.us-east-1.s3`
    pub name: String,
    /// Where the service is.
    pub entries: Vec<Cidr>,
}

/// Every list of a region.
pub fn of_region(region: &str) -> Vec<AwsList> {
    ["dynamodb", "s3"].map(|service| by_name(format!("com.amazonaws.{region}.{service}"))).to_vec()
}

/// The list of that name, as rules keep it.
pub fn by_name(name: String) -> AwsList {
    let entries = match name.ends_with(".s3") {
        // Where the API is for machines.
        true => vec![Cidr::new([169, 254, 169, 254].into(), 32).expect("32 is a prefix length")],
        false => vec![],
    };
    // Four bytes are eight digits, as AWS's own ids have.
    let id = format!("pl-{}", hex::encode(&Sha256::digest(&name)[..4]));
    AwsList { id, name, entries }
}
