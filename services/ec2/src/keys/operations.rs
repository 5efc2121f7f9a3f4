//! Key pairs. Private keys are made by `ssh-keygen` (OpenSSH) in a private folder, given to the
//! caller once and forgotten.
//!
//! Fingerprints as AWS documents them: of a created RSA pair the SHA-1 of the private key (PKCS#8
//! DER), of an imported one the MD5 of the public key (DER), of ED25519 the SHA-256 of the public
//! key as OpenSSH prints it.

use crate::errors::{invalid_value, missing_parameter};
use crate::filters::{Filters, one};
use crate::keys::public_keys::{self, PublicKey, RSA_ALGORITHM, colons, der};
use crate::keys::records::KeyPair;
use crate::keys::targets::{KEY_PAIR, KEY_PAIR_BY_ID};
use crate::kinds;
use crate::tags::{self, Tags};
use crate::targets::things;
use base64::{Engine, engine::general_purpose::STANDARD};
use kiln_ec2_shapes::{
    CreateKeyPairRequest, CreateKeyPairResponse, DeleteKeyPairRequest, DeleteKeyPairResponse, DescribeKeyPairsRequest,
    DescribeKeyPairsResponse, ImportKeyPairRequest, ImportKeyPairResponse, KeyPairInfo,
};
use kiln_ids::KeyPairId;
use kiln_service_kit::{Cx, Error, Operation, operation};
use sha1::{Digest, Sha1};

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateKeyPair: create_key_pair(CreateKeyPairRequest), on things![makes KEY_PAIR key_name]),
    operation!(DeleteKeyPair: delete_key_pair(DeleteKeyPairRequest),
        on things![KEY_PAIR key_name, KEY_PAIR_BY_ID key_pair_id]),
    operation!(DescribeKeyPairs: describe_key_pairs(DescribeKeyPairsRequest), on everything),
    operation!(ImportKeyPair: import_key_pair(ImportKeyPairRequest), on things![makes KEY_PAIR key_name]),
];

async fn create_key_pair(cx: &Cx, request: CreateKeyPairRequest) -> Result<CreateKeyPairResponse, Error> {
    if request.key_format.as_deref() == Some("ppk") {
        return Err(Error::not_built("ec2:CreateKeyPair with KeyFormat ppk"));
    }
    check_name(&request.key_name)?;
    let tags = tags::specified(cx, &request.tag_specifications, &kinds::KEY_PAIR)?;
    if by_name(cx, &request.key_name)?.is_some() {
        return Err(duplicate(&request.key_name));
    }
    let key_type = request.key_type.as_deref().unwrap_or("rsa");
    let (private, public) = generate(key_type, &request.key_name).await?;
    let fingerprint = match key_type {
        "rsa" => {
            let der = pem_bytes(&private).ok_or_else(|| Error::internal("ssh-keygen wrote a key that is not PEM"))?;
            colons(&Sha1::digest(pkcs8_of(&der)))
        }
        _ => public_keys::read(public.as_bytes(), &request.key_name)?.fingerprint,
    };
    let pair = keep(cx, &request.key_name, key_type, public, fingerprint, tags).await?;
    Ok(CreateKeyPairResponse {
        key_pair_id: Some(pair.id.to_string()),
        tags: tags::shown(&pair.tags),
        key_name: Some(pair.name),
        key_fingerprint: Some(pair.fingerprint),
        key_material: Some(private),
    })
}

async fn import_key_pair(cx: &Cx, request: ImportKeyPairRequest) -> Result<ImportKeyPairResponse, Error> {
    let tags = tags::specified(cx, &request.tag_specifications, &kinds::KEY_PAIR)?;
    let PublicKey { key_type, line, fingerprint } =
        public_keys::read(&request.public_key_material.0, &request.key_name)?;
    let pair = keep(cx, &request.key_name, key_type, line, fingerprint, tags).await?;
    Ok(ImportKeyPairResponse {
        key_fingerprint: Some(pair.fingerprint),
        key_name: Some(pair.name),
        key_pair_id: Some(pair.id.to_string()),
        tags: tags::shown(&pair.tags),
    })
}

/// Up to 255 printable ASCII characters, no space at either end.
fn check_name(name: &str) -> Result<(), Error> {
    let printable = name.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    if !printable || name.len() > 255 || name.trim() != name || name.is_empty() {
        return Err(invalid_value(format!("Value ({name}) for parameter KeyName is invalid.")));
    }
    Ok(())
}

async fn keep(
    cx: &Cx,
    name: &str,
    key_type: &str,
    public_key: String,
    fingerprint: String,
    tags: Tags,
) -> Result<KeyPair, Error> {
    check_name(name)?;
    cx.store()
        .write(|tx| {
            if !tx.by_key::<KeyPair>(cx.scope(), "key-name", name)?.is_empty() {
                return Err(duplicate(name));
            }
            let pair = KeyPair {
                id: KeyPairId::new(cx.ids()),
                name: name.to_owned(),
                key_type: key_type.to_owned(),
                public_key,
                fingerprint,
                created: tx.now(),
                tags,
            };
            tx.put(cx.scope(), &pair.id, pair.clone())?;
            Ok(pair)
        })
        .await
}

async fn delete_key_pair(cx: &Cx, request: DeleteKeyPairRequest) -> Result<DeleteKeyPairResponse, Error> {
    if request.key_name.is_none() && request.key_pair_id.is_none() {
        return Err(missing_parameter("KeyName or KeyPairId"));
    }
    // A pair that is gone already is a success.
    let gone = cx
        .store()
        .write(|tx| {
            let all = tx.list::<KeyPair>(cx.scope())?;
            let found = all.into_iter().find(|(id, pair)| match &request.key_pair_id {
                Some(wanted) => **id == **wanted,
                None => Some(&pair.name) == request.key_name.as_ref(),
            });
            if let Some((id, _)) = &found {
                tx.delete::<KeyPair>(cx.scope(), id);
            }
            Ok::<_, Error>(found.map(|(id, _)| id.to_string()))
        })
        .await?;
    Ok(DeleteKeyPairResponse { r#return: Some(true), key_pair_id: gone })
}

const FILTERS: &[&str] = &["key-pair-id", "fingerprint", "key-name"];

async fn describe_key_pairs(cx: &Cx, request: DescribeKeyPairsRequest) -> Result<DescribeKeyPairsResponse, Error> {
    let filters = Filters::read(&request.filters, FILTERS)?;
    let all = cx.store().list::<KeyPair>(cx.scope())?;
    for name in &request.key_names {
        if !all.iter().any(|(_, pair)| &pair.name == name) {
            return Err(none(name));
        }
    }
    for id in &request.key_pair_ids {
        kinds::KEY_PAIR.parse::<KeyPairId>(id)?;
        if !all.iter().any(|(key, _)| **key == **id) {
            return Err(kinds::KEY_PAIR.none(id));
        }
    }
    let named = !request.key_names.is_empty() || !request.key_pair_ids.is_empty();
    let mut pairs: Vec<_> = all
        .into_iter()
        .map(|(_, pair)| pair)
        .filter(|pair| {
            let by_id = request.key_pair_ids.iter().any(|id| *pair.id == **id);
            (!named || by_id || request.key_names.contains(&pair.name))
                && filters.accept(&pair.tags, |name| match name {
                    "key-pair-id" => one(&pair.id),
                    "fingerprint" => one(&pair.fingerprint),
                    "key-name" => one(&pair.name),
                    _ => vec![],
                })
        })
        .collect();
    pairs.sort_by(|a, b| a.name.cmp(&b.name));
    let shown = |pair: &KeyPair| KeyPairInfo {
        key_pair_id: Some(pair.id.to_string()),
        key_type: Some(pair.key_type.clone()),
        tags: tags::shown(&pair.tags),
        public_key: (request.include_public_key == Some(true)).then(|| pair.public_key.clone()),
        create_time: Some(pair.created),
        key_name: Some(pair.name.clone()),
        key_fingerprint: Some(pair.fingerprint.clone()),
    };
    Ok(DescribeKeyPairsResponse { key_pairs: pairs.iter().map(|pair| shown(pair)).collect() })
}

/// The pair of that name.
pub fn by_name(cx: &Cx, name: &str) -> Result<Option<KeyPair>, Error> {
    let all = cx.store().list::<KeyPair>(cx.scope())?;
    Ok(all.into_iter().find(|(_, pair)| pair.name == name).map(|(_, pair)| KeyPair::clone(&pair)))
}

/// There is no pair of that name.
pub fn none(name: &str) -> Error {
    Error::sender("InvalidKeyPair.NotFound", format!("The key pair '{name}' does not exist"))
}

fn duplicate(name: &str) -> Error {
    Error::sender("InvalidKeyPair.Duplicate", format!("The keypair '{name}' already exists."))
}

/// A new pair: the private key as PEM and the public key as one line.
async fn generate(key_type: &str, comment: &str) -> Result<(String, String), Error> {
    let folder = tempfile::tempdir().map_err(|e| Error::failed("make a folder for a key", e))?;
    let file = folder.path().join("key");
    let mut command = tokio::process::Command::new("ssh-keygen");
    command.args(["-q", "-N", "", "-t", key_type, "-C", comment, "-f"]).arg(&file);
    if key_type == "rsa" {
        command.args(["-b", "2048", "-m", "PEM"]);
    }
    let output = command.stdin(std::process::Stdio::null()).output().await.map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::receiver(
            "InternalError",
            "The program ssh-keygen is not installed where kiln runs: install the package openssh-client, then try again.",
        ),
        _ => Error::failed("start ssh-keygen", e),
    })?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(Error::internal(format!("ssh-keygen failed: {}", text.trim())));
    }
    let read = |path: std::path::PathBuf| {
        std::fs::read_to_string(path).map_err(|e| Error::failed("read what ssh-keygen wrote", e))
    };
    Ok((read(file.clone())?, read(file.with_extension("pub"))?.trim().to_owned()))
}

fn pem_bytes(pem: &str) -> Option<Vec<u8>> {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(body).ok()
}

/// A PKCS#1 private key as PKCS#8 (RFC 5208).
fn pkcs8_of(pkcs1: &[u8]) -> Vec<u8> {
    let content = [der(0x02, &[0]), RSA_ALGORITHM.to_vec(), der(0x04, pkcs1)].concat();
    der(0x30, &content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::public_keys::{rsa_spki, ssh_fields};

    /// Compared with `openssl`, as AWS's documentation tells users to do:
    /// `openssl pkcs8 -in KEY -inform PEM -outform DER -topk8 -nocrypt | openssl sha1 -c` and
    /// `ssh-keygen -f KEY.pub -e -m PKCS8 | openssl pkey -pubin -outform DER | openssl md5 -c`.
    #[tokio::test]
    async fn rsa_keys_are_wrapped_as_openssl_wraps_them() {
        let (private, public) = generate("rsa", "test").await.expect("ssh-keygen");
        assert!(private.starts_with("-----BEGIN RSA PRIVATE KEY-----"));
        let folder = tempfile::tempdir().expect("a folder");
        let key = folder.path().join("key");
        std::fs::write(&key, &private).expect("written");
        let openssl = |arguments: &[&str]| {
            let output = std::process::Command::new("openssl").args(arguments).arg(&key).output().expect("openssl");
            assert!(output.status.success(), "{output:?}");
            output.stdout
        };
        let pkcs1 = pem_bytes(&private).expect("PEM");
        assert_eq!(openssl(&["pkcs8", "-topk8", "-nocrypt", "-outform", "DER", "-in"]), pkcs8_of(&pkcs1));
        let blob = STANDARD.decode(public.split(' ').nth(1).expect("a key")).expect("base64");
        let fields = ssh_fields(&blob).expect("fields");
        assert_eq!(openssl(&["pkey", "-pubout", "-outform", "DER", "-in"]), rsa_spki(fields[2], fields[1]));
    }
}
