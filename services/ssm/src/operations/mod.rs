//! The operations, one file per kind.

pub mod delete;
pub mod describe;
pub mod filters;
pub mod get;
pub mod labels;
pub mod put;
pub mod tags;

use crate::{images, name};
use kiln_service_kit::Cx;

/// The ARN that policies are matched against, for one name as the caller wrote it.
pub fn arn_of(cx: &Cx, written: &str) -> String {
    match name::Pointer::parse(cx, written) {
        Ok(pointer) if images::is_public(&pointer.name) => images::arn(cx, &pointer.name),
        Ok(pointer) => name::arn(cx, &pointer.name),
        // Refused by the operation itself; until then it matches no policy but `*`.
        Err(_) => name::arn(cx, written),
    }
}
