//! Source: the service's API Reference, CreateKey.

use crate::records::Key as Kept;
use kiln_kms_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[operation!(CreateKey: create_key(CreateKeyRequest), on everything)];

/// Nothing makes one yet: an answer would be made up.
async fn create_key(cx: &Cx, _: CreateKeyRequest) -> Result<CreateKeyResponse, Error> {
    let kept = cx.store().list::<Kept>(cx.scope())?.len();
    Err(Error::not_built(format!("kms:CreateKey (there are {kept})")))
}
