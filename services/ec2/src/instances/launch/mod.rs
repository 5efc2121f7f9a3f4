//! From a RunInstances request to instances in the store, in steps of one file each.
//!
//! ```text
//! RunInstances ─ merge (launch template) ─ check (what is not built) ─ resolve (image, type, key,
//!   profile, place) ─ make (one transaction: interfaces, volumes, instances)
//! ```
//! The instance controller does the rest.

mod check;
mod disk;
mod make;
mod merge;
mod passing;
mod resolve;

pub use check::{check_device_index, check_ena, check_hop_limit, check_template, not_ebs_optimized};
pub use disk::check_mappings;
pub use make::make;
pub use merge::with_template;
pub use passing::{conditions as passing_conditions, followed};
pub use resolve::{profile, resolve};

use crate::errors::invalid_value;
use base64::{Engine, engine::general_purpose::STANDARD};
use kiln_service_kit::Error;

/// AWS's limit of user data, in bytes before base64.
const MOST_USER_DATA: usize = 16 * 1024;

/// Decodes user data and checks its size.
pub fn user_data(base64: &str) -> Result<Vec<u8>, Error> {
    // Clients break lines as they like.
    let text: String = base64.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let bytes = STANDARD
        .decode(text)
        .map_err(|_| Error::sender("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data."))?;
    if bytes.len() > MOST_USER_DATA {
        return Err(invalid_value("User data is limited to 16384 bytes"));
    }
    Ok(bytes)
}
