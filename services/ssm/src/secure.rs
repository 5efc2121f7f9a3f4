//! SecureString values: encrypted by KMS in the caller's name, so that whoever reads one needs the right to its key.
//!
//! ```text
//! Standard   kms:Encrypt ─────────> Stored::Encrypted    a ciphertext of KMS
//! Advanced   kms:GenerateDataKey ─> Stored::Enveloped    longer than KMS encrypts: under a data key, which lies beside it
//! read       kms:Decrypt, whoever reads
//! ```
//! Bound to the parameter's ARN as encryption context (`PARAMETER_ARN`). Source: AWS Systems Manager User Guide, "How
//! AWS Systems Manager Parameter Store uses AWS KMS".
//!
//! What an earlier version wrote is sealed under `ssm.key` (`seal.rs`) and still read; written again it is KMS's.

use crate::name;
use crate::records::Stored;
use crate::seal::SealingKey;
use base64::{Engine, engine::general_purpose::STANDARD};
use kiln_kms_shapes::{DecryptRequest, EncryptRequest, GenerateDataKeyRequest};
use kiln_sealing::{Key, Zeroizing};
use kiln_service_kit::{Blob, Cx, Error, Map};

/// Who calls KMS in the caller's name.
const SERVICE: &str = "ssm.amazonaws.com";

/// The key where nobody says another.
pub const DEFAULT_KEY: &str = "alias/aws/ssm";

fn context(cx: &Cx, name: &str) -> Map<String> {
    Map::from([("PARAMETER_ARN".to_owned(), name::arn(cx, name))])
}

/// What KMS refuses, as Parameter Store tells it.
fn refused(error: Error) -> Error {
    let of_key = ["NotFoundException", "DisabledException", "KMSInvalidStateException", "InvalidArnException"];
    match of_key.iter().any(|code| error.is(code)) {
        true => {
            let text = format!("{} (Service: AWSKMS; Status Code: 400; Error Code: {})", error.message, error.code);
            Error::sender("InvalidKeyId", text)
        }
        false => error,
    }
}

fn without(what: &str) -> Error {
    Error::internal(format!("kms answered without {what}"))
}

/// Encrypts a value with a key of KMS, or what stands for one.
pub async fn encrypt(cx: &Cx, name: &str, key_id: &str, value: &str, advanced: bool) -> Result<Stored, Error> {
    let (key_id, encryption_context) = (key_id.to_owned(), context(cx, name));
    let kms = cx.via(SERVICE);
    if !advanced {
        let plaintext = Blob(value.as_bytes().to_vec());
        let asked = EncryptRequest { key_id, plaintext, encryption_context, ..Default::default() };
        let blob = kms.call(asked).await.map_err(refused)?.ciphertext_blob.ok_or_else(|| without("a ciphertext"))?;
        return Ok(Stored::Encrypted(STANDARD.encode(blob.0)));
    }
    let key_spec = Some("AES_256".to_owned());
    let asked = GenerateDataKeyRequest { key_id, key_spec, encryption_context, ..Default::default() };
    let made = kms.call(asked).await.map_err(refused)?;
    let data_key = Zeroizing::new(made.plaintext.ok_or_else(|| without("a data key"))?.0);
    let blob = made.ciphertext_blob.ok_or_else(|| without("a ciphertext"))?;
    let data_key = Key::from_bytes(&data_key).ok_or_else(|| without("256 bits"))?;
    let sealed = data_key.seal(cx.ids(), name::arn(cx, name).as_bytes(), value.as_bytes());
    Ok(Stored::Enveloped { key: STANDARD.encode(blob.0), sealed: STANDARD.encode(sealed) })
}

/// A value as the caller gets it: secrets opened only where asked for, and where KMS lets the caller.
pub async fn shown(cx: &Cx, name: &str, stored: &Stored, decrypt: bool) -> Result<String, Error> {
    let damaged = || Error::internal(format!("the encrypted value of parameter {name} does not open"));
    let decoded = |text: &str| STANDARD.decode(text).map_err(|_| damaged());
    match stored {
        Stored::Plain(value) => Ok(value.clone()),
        Stored::Sealed(sealed) | Stored::Encrypted(sealed) | Stored::Enveloped { sealed, .. } if !decrypt => {
            Ok(sealed.clone())
        }
        Stored::Sealed(sealed) => cx.part::<SealingKey>()?.open_sealed(name, &decoded(sealed)?),
        Stored::Encrypted(blob) => {
            let opened = decrypted(cx, name, decoded(blob)?).await?;
            String::from_utf8(opened.to_vec()).map_err(|_| damaged())
        }
        Stored::Enveloped { key, sealed } => {
            let key = Key::from_bytes(&decrypted(cx, name, decoded(key)?).await?).ok_or_else(damaged)?;
            let opened = key.open(name::arn(cx, name).as_bytes(), &decoded(sealed)?).ok_or_else(damaged)?;
            String::from_utf8(opened.to_vec()).map_err(|_| damaged())
        }
    }
}

async fn decrypted(cx: &Cx, name: &str, blob: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, Error> {
    let encryption_context = context(cx, name);
    let asked = DecryptRequest { ciphertext_blob: Some(Blob(blob)), encryption_context, ..Default::default() };
    let answer = cx.via(SERVICE).call(asked).await.map_err(refused)?;
    answer.plaintext.map(|plaintext| Zeroizing::new(plaintext.0)).ok_or_else(|| without("a plaintext"))
}
