//! Encrypt, Decrypt, ReEncrypt. Source: AWS KMS API Reference.

use crate::blob::{self, Head};
use crate::errors::{bad_ciphertext, incorrect_key, validation};
use crate::found::{self, Found};
use crate::grants::check_tokens;
use crate::material;
use crate::names::Takes;
use crate::targets::{decrypt as decrypted, encrypt as encrypted, opening, re_encrypt as re_encrypted};
use kiln_kms_shapes::*;
use kiln_sealing::Zeroizing;
use kiln_service_kit::{Blob, Cx, Error, Map, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(Encrypt: encrypt(EncryptRequest), on awaited encrypted),
    operation!(Decrypt: decrypt(DecryptRequest), on decrypted),
    operation!(ReEncrypt: re_encrypt(ReEncryptRequest), on awaited re_encrypted),
];

const ALGORITHM: &str = "SYMMETRIC_DEFAULT";

/// The longest encryption context, names and values together.
const CONTEXT: usize = 8_192;

/// Keys here know one algorithm.
fn check_algorithm(cx: &Cx, algorithm: &Option<String>, found: &Found) -> Result<(), Error> {
    match algorithm.as_deref() {
        None | Some(ALGORITHM) => Ok(()),
        Some(other) => Err(Error::sender(
            "InvalidKeyUsageException",
            format!("Algorithm {other} and key spec SYMMETRIC_DEFAULT are incompatible for key {}", found.arn(cx)),
        )),
    }
}

/// An encryption context has an end.
pub fn check_context(context: &Map<String>) -> Result<(), Error> {
    let length: usize = context.iter().map(|(key, value)| key.len() + value.len()).sum();
    match length <= CONTEXT {
        true => Ok(()),
        false => Err(validation(format!("The encryption context is longer than {CONTEXT} bytes."))),
    }
}

/// A ciphertext and the id of the material that it was made with.
pub struct Sealed {
    pub blob: Blob,
    pub material: String,
}

/// Encrypts with a key's current material.
pub fn seal(cx: &Cx, found: &Found, context: &Map<String>, text: &[u8]) -> Result<Sealed, Error> {
    let key = &found.key;
    let number = key.materials.len() - 1;
    let head = Head {
        account: found.scope.account.to_string(),
        key: key.id.clone(),
        material: u32::try_from(number).map_err(|e| Error::failed("number a material", e))?,
    };
    let opened = material::open(cx, &found.scope, key, key.current())?;
    let blob = blob::seal(cx.ids(), &opened, &head, context, text);
    let blob = blob.ok_or_else(|| Error::internal(format!("key {} has no key id", key.id)))?;
    Ok(Sealed { blob: Blob(blob), material: key.current().id.clone() })
}

/// What was in a ciphertext, and what opened it.
struct Opened {
    found: Found,
    text: Zeroizing<Vec<u8>>,
    material: String,
}

fn open(
    cx: &Cx,
    blob: &Option<Blob>,
    key_id: &Option<String>,
    algorithm: &Option<String>,
    context: &Map<String>,
) -> Result<Opened, Error> {
    let blob = blob.as_ref().ok_or_else(bad_ciphertext)?;
    let pointer = opening(cx, &blob.0, key_id)?;
    let found = found::get(cx, &pointer)?.enabled(cx)?;
    check_algorithm(cx, algorithm, &found)?;
    let head = blob::head(&blob.0).ok_or_else(bad_ciphertext)?;
    if head.key != found.key.id || *head.account != *found.scope.account {
        return Err(incorrect_key());
    }
    let material = found.key.materials.get(head.material as usize).ok_or_else(bad_ciphertext)?;
    let key = material::open(cx, &found.scope, &found.key, material)?;
    let text = blob::open(&key, &blob.0, context).ok_or_else(bad_ciphertext)?;
    Ok(Opened { material: material.id.clone(), text, found })
}

async fn encrypt(cx: &Cx, request: EncryptRequest) -> Result<EncryptResponse, Error> {
    check_tokens(cx, &request.grant_tokens)?;
    check_context(&request.encryption_context)?;
    let text = Zeroizing::new(request.plaintext.0);
    let found = found::find(cx, &request.key_id, Takes::Aliases)?.enabled(cx)?;
    check_algorithm(cx, &request.encryption_algorithm, &found)?;
    let sealed = seal(cx, &found, &request.encryption_context, &text)?;
    Ok(EncryptResponse {
        ciphertext_blob: Some(sealed.blob),
        key_id: Some(found.arn(cx)),
        encryption_algorithm: Some(ALGORITHM.to_owned()),
    })
}

async fn decrypt(cx: &Cx, request: DecryptRequest) -> Result<DecryptResponse, Error> {
    if request.recipient.is_some() {
        return Err(Error::not_built("kms:Decrypt with Recipient"));
    }
    if !request.dry_run_modifiers.is_empty() {
        return Err(Error::not_built("kms:Decrypt with DryRunModifiers"));
    }
    check_tokens(cx, &request.grant_tokens)?;
    check_context(&request.encryption_context)?;
    let blob = request.ciphertext_blob;
    let opened = open(cx, &blob, &request.key_id, &request.encryption_algorithm, &request.encryption_context)?;
    Ok(DecryptResponse {
        key_id: Some(opened.found.arn(cx)),
        plaintext: Some(Blob(opened.text.to_vec())),
        encryption_algorithm: Some(ALGORITHM.to_owned()),
        key_material_id: Some(opened.material),
        ciphertext_for_recipient: None,
    })
}

/// The text is never outside.
async fn re_encrypt(cx: &Cx, request: ReEncryptRequest) -> Result<ReEncryptResponse, Error> {
    if !request.dry_run_modifiers.is_empty() {
        return Err(Error::not_built("kms:ReEncrypt with DryRunModifiers"));
    }
    check_tokens(cx, &request.grant_tokens)?;
    check_context(&request.source_encryption_context)?;
    check_context(&request.destination_encryption_context)?;
    let to = found::find(cx, &request.destination_key_id, Takes::Aliases)?.enabled(cx)?;
    check_algorithm(cx, &request.destination_encryption_algorithm, &to)?;
    let (algorithm, context) = (&request.source_encryption_algorithm, &request.source_encryption_context);
    let opened = open(cx, &request.ciphertext_blob, &request.source_key_id, algorithm, context)?;
    let sealed = seal(cx, &to, &request.destination_encryption_context, &opened.text)?;
    Ok(ReEncryptResponse {
        ciphertext_blob: Some(sealed.blob),
        source_key_id: Some(opened.found.arn(cx)),
        key_id: Some(to.arn(cx)),
        source_encryption_algorithm: Some(ALGORITHM.to_owned()),
        destination_encryption_algorithm: Some(ALGORITHM.to_owned()),
        source_key_material_id: Some(opened.material),
        destination_key_material_id: Some(sealed.material),
    })
}
