//! Values: under a data key of their own that KMS gives, and opens, in the caller's name.
//!
//! ```text
//! write   kms:GenerateDataKey ─> AES-256-GCM ─> records::Value { the encrypted data key, what is sealed under it }
//! read    kms:Decrypt, whoever reads
//! ```
//! Bound to the secret and the version as encryption context (`SecretARN`, `SecretVersionId`). Source: AWS Secrets Manager
//! User Guide, "Secret encryption and decryption in AWS Secrets Manager".

use crate::records::Value;
use base64::{Engine, engine::general_purpose::STANDARD};
use kiln_kms_shapes::{DecryptRequest, GenerateDataKeyRequest};
use kiln_sealing::{Key, Zeroizing};
use kiln_service_kit::{Blob, Cx, Error, Map, Scope};

/// Who calls KMS in the caller's name.
const SERVICE: &str = "secretsmanager.amazonaws.com";

/// The key where nobody says another.
const DEFAULT_KEY: &str = "alias/aws/secretsmanager";

/// How ListSecretVersionIds calls that one.
pub const DEFAULT_NAME: &str = "DefaultEncryptionKey";

/// Which version of which secret a value is, and what it is encrypted with.
pub struct Of<'a> {
    /// Where the secret is.
    pub scope: &'a Scope,
    pub arn: &'a str,
    pub version: &'a str,
    /// As the secret has it.
    pub key: Option<&'a str>,
}

impl Of<'_> {
    fn context(&self) -> Map<String> {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Map::from([pair("SecretARN", self.arn), pair("SecretVersionId", self.version)])
    }

    /// What the sealed text is bound to.
    fn bound(&self) -> Vec<u8> {
        format!("{} {}", self.arn, self.version).into_bytes()
    }

    /// The key, of the account that the secret is of: the caller may be another's.
    fn key_id(&self, cx: &Cx) -> String {
        let given = self.key.unwrap_or(DEFAULT_KEY);
        let arn =
            |rest: &str| format!("arn:{}:kms:{}:{}:{rest}", cx.partition(), self.scope.region, self.scope.account);
        match given {
            given if given.starts_with("arn:") => given.to_owned(),
            given if given.starts_with("alias/") => arn(given),
            given => arn(&format!("key/{given}")),
        }
    }
}

/// What KMS refuses, as Secrets Manager tells it.
fn refused(error: Error, code: &'static str, does: &str) -> Error {
    let of_key = ["NotFoundException", "DisabledException", "KMSInvalidStateException", "InvalidArnException"];
    if of_key.iter().any(|known| error.is(known)) {
        let text = format!(
            "Secrets Manager can't {does} the protected secret text using the provided KMS key. Check that the KMS key is \
             available, enabled, and not in an invalid state."
        );
        return Error::sender(code, text);
    }
    match error.is("AccessDenied") || error.is("AccessDeniedException") {
        true => Error { message: "Access to KMS is not allowed".to_owned(), ..error },
        false => error,
    }
}

fn without(what: &str) -> Error {
    Error::internal(format!("kms answered without {what}"))
}

/// Encrypts a value.
pub async fn encrypt(cx: &Cx, of: &Of<'_>, plain: &[u8], binary: bool) -> Result<Value, Error> {
    let asked = GenerateDataKeyRequest {
        key_id: of.key_id(cx),
        key_spec: Some("AES_256".to_owned()),
        encryption_context: of.context(),
        ..Default::default()
    };
    let made = cx.via(SERVICE).call(asked).await.map_err(|error| refused(error, "EncryptionFailure", "encrypt"))?;
    let data_key = Zeroizing::new(made.plaintext.ok_or_else(|| without("a data key"))?.0);
    let blob = made.ciphertext_blob.ok_or_else(|| without("a ciphertext"))?;
    let data_key = Key::from_bytes(&data_key).ok_or_else(|| without("256 bits"))?;
    let sealed = data_key.seal(cx.ids(), &of.bound(), plain);
    Ok(Value { key: STANDARD.encode(blob.0), sealed: STANDARD.encode(sealed), binary })
}

/// Opens a value, where KMS lets the caller.
pub async fn decrypt(cx: &Cx, of: &Of<'_>, value: &Value) -> Result<Zeroizing<Vec<u8>>, Error> {
    let damaged = || Error::internal(format!("the value of version {} of {} does not open", of.version, of.arn));
    let decoded = |text: &str| STANDARD.decode(text).map_err(|_| damaged());
    let asked = DecryptRequest {
        ciphertext_blob: Some(Blob(decoded(&value.key)?)),
        encryption_context: of.context(),
        ..Default::default()
    };
    let answer = cx.via(SERVICE).call(asked).await.map_err(|error| refused(error, "DecryptionFailure", "decrypt"))?;
    let data_key = Zeroizing::new(answer.plaintext.ok_or_else(|| without("a plaintext"))?.0);
    let data_key = Key::from_bytes(&data_key).ok_or_else(damaged)?;
    data_key.open(&of.bound(), &decoded(&value.sealed)?).ok_or_else(damaged)
}
