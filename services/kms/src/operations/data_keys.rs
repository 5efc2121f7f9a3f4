//! Keys to encrypt with elsewhere, and random bytes. Source: AWS KMS API Reference.

use super::encrypt::{Sealed, check_context, seal};
use crate::errors::validation;
use crate::found::{self, Found};
use crate::grants::check_tokens;
use crate::names::Takes;
use crate::targets::{data_key, data_key_without_plaintext, everything};
use kiln_kms_shapes::*;
use kiln_sealing::Zeroizing;
use kiln_service_kit::{Blob, Cx, Error, Map, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(GenerateDataKey: generate_data_key(GenerateDataKeyRequest), on awaited data_key),
    operation!(GenerateDataKeyWithoutPlaintext:
        generate_data_key_without_plaintext(GenerateDataKeyWithoutPlaintextRequest),
        on awaited data_key_without_plaintext),
    operation!(GenerateRandom: generate_random(GenerateRandomRequest), on |cx, _r| everything(cx)),
];

/// How long a data key is: said in one of two ways.
fn length(spec: &Option<String>, bytes: Option<i32>) -> Result<usize, Error> {
    match (spec.as_deref(), bytes) {
        (Some("AES_128"), None) => Ok(16),
        (Some(_), None) => Ok(32),
        (None, Some(bytes)) => usize::try_from(bytes).map_err(|e| Error::failed("read a length that was checked", e)),
        _ => Err(validation("Please specify either number of bytes or key spec.")),
    }
}

/// What both kinds of requests ask for.
struct Asked<'r> {
    key_id: &'r str,
    context: &'r Map<String>,
    spec: &'r Option<String>,
    bytes: Option<i32>,
    tokens: &'r [String],
}

fn generate(cx: &Cx, asked: &Asked<'_>) -> Result<(Found, Zeroizing<Vec<u8>>, Sealed), Error> {
    check_tokens(cx, asked.tokens)?;
    check_context(asked.context)?;
    let length = length(asked.spec, asked.bytes)?;
    let found = found::find(cx, asked.key_id, Takes::Aliases)?.enabled(cx)?;
    let text = Zeroizing::new(cx.ids().bytes(length));
    let sealed = seal(cx, &found, asked.context, &text)?;
    Ok((found, text, sealed))
}

async fn generate_data_key(cx: &Cx, request: GenerateDataKeyRequest) -> Result<GenerateDataKeyResponse, Error> {
    if request.recipient.is_some() {
        return Err(Error::not_built("kms:GenerateDataKey with Recipient"));
    }
    let asked = Asked {
        key_id: &request.key_id,
        context: &request.encryption_context,
        spec: &request.key_spec,
        bytes: request.number_of_bytes,
        tokens: &request.grant_tokens,
    };
    let (found, text, sealed) = generate(cx, &asked)?;
    Ok(GenerateDataKeyResponse {
        ciphertext_blob: Some(sealed.blob),
        plaintext: Some(Blob(text.to_vec())),
        key_id: Some(found.arn(cx)),
        ciphertext_for_recipient: None,
        key_material_id: Some(sealed.material),
    })
}

async fn generate_data_key_without_plaintext(
    cx: &Cx,
    request: GenerateDataKeyWithoutPlaintextRequest,
) -> Result<GenerateDataKeyWithoutPlaintextResponse, Error> {
    let asked = Asked {
        key_id: &request.key_id,
        context: &request.encryption_context,
        spec: &request.key_spec,
        bytes: request.number_of_bytes,
        tokens: &request.grant_tokens,
    };
    let (found, _, sealed) = generate(cx, &asked)?;
    Ok(GenerateDataKeyWithoutPlaintextResponse {
        ciphertext_blob: Some(sealed.blob),
        key_id: Some(found.arn(cx)),
        key_material_id: Some(sealed.material),
    })
}

async fn generate_random(cx: &Cx, request: GenerateRandomRequest) -> Result<GenerateRandomResponse, Error> {
    let given =
        [(request.custom_key_store_id.is_some(), "CustomKeyStoreId"), (request.recipient.is_some(), "Recipient")];
    if let Some((_, what)) = given.into_iter().find(|(given, _)| *given) {
        return Err(Error::not_built(format!("kms:GenerateRandom with {what}")));
    }
    let Some(bytes) = request.number_of_bytes.and_then(|bytes| usize::try_from(bytes).ok()) else {
        return Err(validation("NumberOfBytes is required."));
    };
    Ok(GenerateRandomResponse { plaintext: Some(Blob(cx.ids().bytes(bytes))), ciphertext_for_recipient: None })
}
