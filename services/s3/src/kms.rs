//! Objects under keys of KMS (SSE-KMS): which encryption a write is to have, and the data keys, which KMS makes and opens in
//! the caller's name. Whoever reads needs the right to the key beside that to the object.
//!
//! ```text
//! write   header, else the bucket's default ── kms:GenerateDataKey ─► data key: seals the file ([`crate::chunks`])
//!                                                                └──► its ciphertext: kept with the object
//! read    kms:Decrypt, whoever reads ─► data key
//! ```
//! Bound to the object's ARN as encryption context (`aws:s3:arn`); with a bucket key, which objects share, to the
//! bucket's. Source: Amazon S3 User Guide, "Using server-side encryption with AWS KMS keys (SSE-KMS)".

use crate::arn::bucket_arn;
use crate::bucket_keys::Shared;
use crate::errors::{self, invalid_argument};
use crate::files::{ObjectFiles, Seal};
use crate::records::{Bucket, KmsSealed};
use base64::{Engine, engine::general_purpose::STANDARD};
use kiln_kms_shapes::{DecryptRequest, GenerateDataKeyRequest};
use kiln_sealing::{Key, Zeroizing};
use kiln_service_kit::{Blob, Cx, Error, Map};
use std::collections::BTreeMap;

/// Who calls KMS in the caller's name.
const SERVICE: &str = "s3.amazonaws.com";
/// The name of the encryption context's part that S3 adds.
const OF_S3: &str = "aws:s3:arn";
/// The longest encryption context, encoded. Source: KMS's bound of 8,192 bytes for all contexts.
const LONGEST_CONTEXT: usize = 8_192;

/// What a request says of encryption.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub method: Option<&'a str>,
    pub key: Option<&'a str>,
    pub context: Option<&'a str>,
    pub bucket_key: Option<bool>,
}

/// The [`Asked`] of a request.
macro_rules! encryption_asked {
    ($input:expr) => {
        crate::kms::Asked {
            method: $input.server_side_encryption.as_deref(),
            key: $input.ssekms_key_id.as_deref(),
            context: $input.ssekms_encryption_context.as_deref(),
            bucket_key: $input.bucket_key_enabled,
        }
    };
}
pub(crate) use encryption_asked;

/// How a write's bytes are to be sealed.
#[derive(Debug, PartialEq)]
pub enum Method {
    /// Under Kiln's own key: SSE-S3.
    Own,
    Kms {
        key: String,
        context: BTreeMap<String, String>,
        bucket_key: bool,
    },
}

/// What the headers say, else what the bucket says.
pub fn method(cx: &Cx, bucket: &Bucket, asked: Asked<'_>) -> Result<Method, Error> {
    let of_kms =
        "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms";
    let bad = |value: &str| Err(invalid_argument("x-amz-server-side-encryption", value, of_kms));
    let by_default = bucket.kms.as_ref();
    match asked.method {
        Some("aws:kms") => {}
        None if asked.key.is_some() || asked.context.is_some() => return bad("null"),
        None if by_default.is_none() => return without_kms(asked),
        None => {}
        Some("AES256") if asked.key.is_some() || asked.context.is_some() => return bad("AES256"),
        Some("AES256") => return without_kms(asked),
        Some(other) => return Err(Error::not_built(format!("s3: server-side encryption by {other}"))),
    }
    if cx.region().is_empty() {
        return Err(errors::version_4_demanded());
    }
    let of_default = by_default.filter(|_| asked.method.is_none());
    let key = match (asked.key, of_default) {
        (Some(key), _) => key.to_owned(),
        (None, Some(default)) if default.key.is_some() => default.key.clone().unwrap_or_default(),
        // The bucket's account's, whoever writes; a request that says so itself means its own account's.
        (None, Some(_)) => {
            let region = &bucket.region;
            format!("arn:{}:kms:{region}:{}:alias/aws/s3", cx.partition(), bucket.owner)
        }
        (None, None) => "alias/aws/s3".to_owned(),
    };
    let bucket_key = asked.bucket_key.unwrap_or(bucket.bucket_key);
    Ok(Method::Kms { key, context: context(asked.context)?, bucket_key })
}

fn without_kms(asked: Asked<'_>) -> Result<Method, Error> {
    match asked.bucket_key {
        Some(true) => Err(Error::not_built("s3: BucketKeyEnabled without aws:kms")),
        _ => Ok(Method::Own),
    }
}

/// An encryption context as its header has it: JSON in Base64.
fn context(given: Option<&str>) -> Result<BTreeMap<String, String>, Error> {
    let Some(given) = given else { return Ok(BTreeMap::new()) };
    let bad = || {
        let text = "The x-amz-server-side-encryption-context header is not a base64-encoded JSON map of strings";
        invalid_argument("x-amz-server-side-encryption-context", given, text)
    };
    if given.len() > LONGEST_CONTEXT {
        return Err(bad());
    }
    let json = STANDARD.decode(given).map_err(|_| bad())?;
    let pairs: BTreeMap<String, String> = serde_json::from_slice(&json).map_err(|_| bad())?;
    // S3 adds that part itself.
    if pairs.contains_key(OF_S3) { Err(bad()) } else { Ok(pairs) }
}

/// What a write seals with, and what is kept of it.
pub async fn begin(cx: &Cx, bucket: &Bucket, key: &str, method: Method) -> Result<(Seal, Option<KmsSealed>), Error> {
    let Method::Kms { key: key_id, mut context, bucket_key } = method else { return Ok((Seal::Own, None)) };
    let said = (!context.is_empty()).then(|| context.clone());
    let thing = if bucket_key { bucket.name.clone() } else { format!("{}/{key}", bucket.name) };
    context.insert(OF_S3.to_owned(), bucket_arn(cx, &thing));
    let files: ObjectFiles = cx.part()?;
    let by = {
        let caller = cx.caller();
        let context = format!("{context:?}");
        vec![
            "make".to_owned(),
            bucket.name.clone(),
            key_id.clone(),
            caller.account.clone(),
            caller.arn.clone(),
            context,
        ]
    };
    let shared = match files.bucket_keys().get(&by, cx.now()).filter(|_| bucket_key) {
        Some(shared) => shared,
        None => {
            let shared = made(&cx.in_region(&bucket.region), key_id, &context).await?;
            if bucket_key {
                files.bucket_keys().keep(by, shared.clone(), cx.now());
            }
            shared
        }
    };
    let Shared { arn, blob, key } = shared;
    Ok((Seal::DataKey(key), Some(KmsSealed { key: arn, blob, context, said, bucket_key })))
}

async fn made(cx: &Cx, key_id: String, context: &BTreeMap<String, String>) -> Result<Shared, Error> {
    let (key_spec, encryption_context) = (Some("AES_256".to_owned()), given(context));
    let asked = GenerateDataKeyRequest { key_id, key_spec, encryption_context, ..Default::default() };
    let made = cx.via(SERVICE).call(asked).await.map_err(refused)?;
    let plain = Zeroizing::new(made.plaintext.ok_or_else(|| without("a data key"))?.0);
    Ok(Shared {
        arn: made.key_id.ok_or_else(|| without("a key's ARN"))?,
        blob: STANDARD.encode(made.ciphertext_blob.ok_or_else(|| without("a ciphertext"))?.0),
        key: Key::from_bytes(&plain).ok_or_else(|| without("256 bits"))?,
    })
}

/// What opens an object, or the parts of an upload, that was sealed so.
pub async fn open(cx: &Cx, bucket: &Bucket, sealed: Option<&KmsSealed>) -> Result<Seal, Error> {
    let Some(sealed) = sealed else { return Ok(Seal::Own) };
    if cx.region().is_empty() {
        return Err(errors::version_4_demanded());
    }
    let files: ObjectFiles = cx.part()?;
    let caller = cx.caller();
    let by = vec!["open".to_owned(), sealed.blob.clone(), caller.account.clone(), caller.arn.clone()];
    if let Some(shared) = files.bucket_keys().get(&by, cx.now()).filter(|_| sealed.bucket_key) {
        return Ok(Seal::DataKey(shared.key));
    }
    let damaged = || Error::internal("the data key of an object does not open");
    let asked = DecryptRequest {
        ciphertext_blob: Some(Blob(STANDARD.decode(&sealed.blob).map_err(|_| damaged())?)),
        key_id: Some(sealed.key.clone()),
        encryption_context: given(&sealed.context),
        ..Default::default()
    };
    let opened = cx.in_region(&bucket.region).via(SERVICE).call(asked).await.map_err(refused)?;
    let plain = Zeroizing::new(opened.plaintext.ok_or_else(|| without("a plaintext"))?.0);
    let key = Key::from_bytes(&plain).ok_or_else(damaged)?;
    if sealed.bucket_key {
        let shared = Shared { arn: sealed.key.clone(), blob: sealed.blob.clone(), key: key.clone() };
        files.bucket_keys().keep(by, shared, cx.now());
    }
    Ok(Seal::DataKey(key))
}

fn given(context: &BTreeMap<String, String>) -> Map<String> {
    context.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn without(what: &str) -> Error {
    Error::internal(format!("kms answered without {what}"))
}

/// What KMS refuses, as S3 tells it: a failure of the key is KMS's by name.
fn refused(error: Error) -> Error {
    let of_key = [
        ("NotFoundException", "KMS.NotFoundException"),
        ("DisabledException", "KMS.DisabledException"),
        ("KMSInvalidStateException", "KMS.KMSInvalidStateException"),
        ("InvalidKeyUsageException", "KMS.InvalidKeyUsageException"),
        ("InvalidArnException", "KMS.InvalidArnException"),
    ];
    if let Some((_, code)) = of_key.into_iter().find(|(code, _)| error.is(code)) {
        return Error::sender(code, error.message).with_status(400);
    }
    match error.is("AccessDeniedException") {
        true => Error::sender("AccessDenied", error.message).with_status(403),
        false => error,
    }
}

/// The tag of what was written: of what lies under a key of KMS it says nothing of the bytes. Source: Amazon S3 API
/// Reference, "Object", ETag.
pub fn etag(cx: &Cx, md5: [u8; 16], sealed: Option<&KmsSealed>) -> String {
    if sealed.is_some() { cx.ids().hex(32) } else { hex::encode(md5) }
}

/// Writes how a thing is sealed into the members of an answer that say so.
macro_rules! show_encryption {
    ($answer:expr, $kms:expr) => {{
        let kms: Option<&crate::records::KmsSealed> = $kms;
        $answer.server_side_encryption = Some(if kms.is_some() { "aws:kms" } else { "AES256" }.to_owned());
        $answer.ssekms_key_id = kms.map(|kms| kms.key.clone());
        $answer.bucket_key_enabled = kms.filter(|kms| kms.bucket_key).map(|_| true);
    }};
}
pub(crate) use show_encryption;

/// The encryption context that a caller gave, as the answer to a write has it.
pub fn told_context(sealed: Option<&KmsSealed>) -> Option<String> {
    let said = sealed?.said.as_ref()?;
    // A map of strings is always JSON.
    Some(STANDARD.encode(serde_json::json!(said).to_string()))
}
