//! Keys of KMS: a group's events are sealed under a data key that KMS makes and opens for the service.
//!
//! The service asks as itself, so the key's policy must let `logs.REGION.amazonaws.com` in; the group's ARN is the
//! encryption context `aws:logs:arn`. Source: CloudWatch Logs User Guide, "Encrypt log data in CloudWatch Logs using AWS
//! Key Management Service".

use crate::errors::invalid;
use crate::events::{Disk, Events};
use crate::names::group_arn;
use crate::records::{DataKey, LogGroup};
use base64::{Engine, engine::general_purpose::STANDARD};
use kiln_kms_shapes::{DecryptRequest, GenerateDataKeyRequest};
use kiln_sealing::Zeroizing;
use kiln_service_kit::{Blob, Cx, Error, Map};

fn service(cx: &Cx, group: &str) -> Cx {
    cx.as_service(&format!("logs.{}.amazonaws.com", cx.region())).on_behalf_of(&group_arn(cx, group))
}

fn context(cx: &Cx, group: &str) -> Map<String> {
    Map::from([("aws:logs:arn".to_owned(), group_arn(cx, group))])
}

/// A new data key for a group.
pub async fn new(cx: &Cx, group: &str, key: &str) -> Result<DataKey, Error> {
    if !key.starts_with("arn:") {
        return Err(invalid("The KMS key must be specified by its ARN."));
    }
    let asked = GenerateDataKeyRequest {
        key_id: key.to_owned(),
        key_spec: Some("AES_256".to_owned()),
        encryption_context: context(cx, group),
        ..Default::default()
    };
    let refused = |error: Error| match error.is_internal() {
        true => error,
        false => invalid(format!(
            "The specified KMS key does not exist or is not allowed to be used with LogGroup '{}'",
            group_arn(cx, group)
        ))
        .because("kms refused a data key", error),
    };
    let made = service(cx, group).call(asked).await.map_err(refused)?;
    let missing = || Error::internal("kms answered without a data key");
    let (blob, plain) = (made.ciphertext_blob.ok_or_else(missing)?, made.plaintext.ok_or_else(missing)?);
    let data_key = DataKey { arn: made.key_id.unwrap_or_else(|| key.to_owned()), blob: STANDARD.encode(blob.0) };
    cx.part::<Events>()?.keep_key(&data_key.blob, &Zeroizing::new(plain.0), cx.now()).ok_or_else(missing)?;
    Ok(data_key)
}

/// Where a group's blocks are, with every key that opens them.
pub async fn disk(cx: &Cx, group: &LogGroup) -> Result<Disk, Error> {
    let mut disk = Disk::without_keys(cx, cx.scope());
    let events = cx.part::<Events>()?;
    for key in &group.keys {
        let opened = match events.open_key(&key.blob, cx.now()) {
            Some(key) => key,
            None => {
                let damaged = || Error::internal(format!("a data key of log group {} does not open", group.name));
                let blob = STANDARD.decode(&key.blob).map_err(|_| damaged())?;
                let asked = DecryptRequest {
                    ciphertext_blob: Some(Blob(blob)),
                    encryption_context: context(cx, &group.name),
                    ..Default::default()
                };
                let answer = service(cx, &group.name).call(asked).await.map_err(refused)?;
                let plain = Zeroizing::new(answer.plaintext.ok_or_else(damaged)?.0);
                events.keep_key(&key.blob, &plain, cx.now()).ok_or_else(damaged)?
            }
        };
        disk.keys.push(opened);
    }
    Ok(disk)
}

/// A key that cannot be used is the caller's to mend.
fn refused(error: Error) -> Error {
    match error.is_internal() {
        true => error,
        false => {
            let text = "The log group's KMS key is disabled, pending deletion, or does not let CloudWatch Logs use it.";
            Error::sender("AccessDeniedException", text).because("kms refused to open a data key", error)
        }
    }
}
