//! One type per kind of name, so that a subnet's id cannot be given for a VPC's.
//!
//! The caller chooses the names (for EC2: `i-…`, `vpc-…`); a driver only asks
//! that they are short and made of letters, digits, `-`, `_`, `.` and `:`, as
//! they become file and control group names.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest name a driver accepts.
const MAX_LEN: usize = 128;

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(pub String);

        impl $type {
            /// Wraps a name the caller chose.
            pub fn new(name: impl Into<String>) -> Self {
                Self(name.into())
            }
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
            /// Whether the name is safe to use as a file name.
            pub fn is_safe(&self) -> bool {
                is_safe(&self.0)
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl From<&str> for $type {
            fn from(name: &str) -> Self {
                Self(name.to_owned())
            }
        }
        impl From<String> for $type {
            fn from(name: String) -> Self {
                Self(name)
            }
        }
    };
}

name!(
    /// A machine, e.g. `i-0123456789abcdef0`.
    MachineId
);
name!(
    /// An image: `img-` and 32 hex digits of the digest of what it holds.
    /// Two images with the same layers and configuration have the same id.
    ImageId
);
name!(
    /// One immutable layer of an image: `sha256-` and 64 hex digits.
    LayerDigest
);
name!(
    /// A virtual private network.
    VpcId
);
name!(
    /// A subnet of a VPC.
    SubnetId
);
name!(
    /// A security group.
    GroupId
);
name!(
    /// An availability zone.
    ZoneName
);

fn is_safe(name: &str) -> bool {
    let first_ok = name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    first_ok && name.len() <= MAX_LEN && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_their_folder_are_not_safe() {
        for bad in ["", "..", ".", "a/b", "a\0b", "-rf", "a b"] {
            assert!(!MachineId::new(bad).is_safe(), "{bad:?}");
        }
        assert!(!MachineId::new("a".repeat(129)).is_safe());
        for good in ["i-0123456789abcdef0", "vpc-1", "eu-west-1a", "123:i-1"] {
            assert!(MachineId::new(good).is_safe(), "{good:?}");
        }
    }
}
