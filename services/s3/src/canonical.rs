//! How S3 names accounts in what it tells of owners.

use kiln_s3_shapes::Owner;
use sha2::{Digest, Sha256};

/// The canonical user id of an account: 64 hex digits, always the same.
pub fn owner(account: &str) -> Owner {
    let id = hex::encode(Sha256::digest(format!("canonical user of account {account}")));
    Owner { display_name: None, id: Some(id) }
}
