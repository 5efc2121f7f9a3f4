//! `AWS::EC2::KeyPair`. Ref: its name. The private half of a pair made here is kept, as AWS does,
//! in the parameter `/ec2/keypair/KEY-PAIR-ID`.

use crate::kinds;
use crate::properties::*;
use kiln_ec2_shapes::*;
use kiln_protocol::Blob;
use kiln_service_kit::{Cx, Error, Properties, ResourceRequest, ResourceType, Stability, async_trait};
use kiln_ssm_shapes::{DeleteParameterRequest, PutParameterRequest};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every type of the room.
pub fn all() -> Vec<Arc<dyn ResourceType>> {
    vec![Arc::new(KeyPairType)]
}

pub struct KeyPairType;

const NAME: &str = "AWS::EC2::KeyPair";
const SERVED: &[&str] = &["KeyFormat", "KeyName", "KeyType", "PublicKeyMaterial", "Tags"];

fn parameter(id: &str) -> String {
    format!("/ec2/keypair/{id}")
}

async fn find(cx: &Cx, name: &str) -> Result<Option<KeyPairInfo>, Error> {
    let request = DescribeKeyPairsRequest { filters: filter("key-name", name), ..Default::default() };
    Ok(cx.call(request).await?.key_pairs.into_iter().next())
}

#[async_trait]
impl ResourceType for KeyPairType {
    fn type_name(&self) -> &'static str {
        NAME
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("KeyName")
    }

    fn serves(&self, property: &str) -> bool {
        SERVED.contains(&property)
    }

    async fn create(&self, cx: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        only(NAME, request, SERVED)?;
        let name = required(request, "KeyName")?;
        let before = cx.call(DescribeKeyPairsRequest { filters: made_before(request), ..Default::default() }).await?;
        let tag_specifications = tagged(request, &kinds::KEY_PAIR);
        if let Some(material) = request.text("PublicKeyMaterial") {
            if before.key_pairs.is_empty() {
                let public_key_material = Blob(material.into_bytes());
                let new = ImportKeyPairRequest {
                    key_name: name.clone(),
                    public_key_material,
                    tag_specifications,
                    ..Default::default()
                };
                cx.call(new).await?;
            }
            return Ok(name);
        }
        // The private key of an earlier try that did not get as far as keeping it is lost.
        if let Some(id) = before.key_pairs.into_iter().next().and_then(|pair| pair.key_pair_id) {
            let request = kiln_ssm_shapes::GetParameterRequest { name: parameter(&id), with_decryption: Some(false) };
            match cx.call(request).await {
                Ok(_) => return Ok(name),
                Err(error) if error.is("ParameterNotFound") => {}
                // It may be there: the pair would be lost with it.
                Err(error) => return Err(error),
            }
            cx.call(DeleteKeyPairRequest { key_pair_id: Some(id), ..Default::default() }).await?;
        }
        let new = CreateKeyPairRequest {
            key_name: name.clone(),
            key_type: request.text("KeyType"),
            key_format: request.text("KeyFormat"),
            tag_specifications,
            ..Default::default()
        };
        let made = cx.call(new).await?;
        let (id, key) = made.key_pair_id.zip(made.key_material).ok_or_else(|| lacks("KeyMaterial"))?;
        let keep = PutParameterRequest {
            name: parameter(&id),
            value: key,
            r#type: Some("SecureString".to_owned()),
            ..Default::default()
        };
        match cx.call(keep).await {
            Ok(_) => Ok(name),
            // Its private half is nowhere now: a pair that nobody can use must not stay.
            Err(error) => {
                cx.call(DeleteKeyPairRequest { key_pair_id: Some(id), ..Default::default() }).await?;
                Err(error)
            }
        }
    }

    async fn update(&self, cx: &Cx, name: &str, request: &ResourceRequest) -> Result<(), Error> {
        only(NAME, request, SERVED)?;
        let pair = find(cx, name).await?.and_then(|pair| pair.key_pair_id).ok_or_else(|| lacks("KeyPairId"))?;
        retag(cx, &pair, request).await
    }

    async fn delete(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<Stability, Error> {
        if let Some(id) = find(cx, name).await?.and_then(|pair| pair.key_pair_id) {
            match cx.call(DeleteParameterRequest { name: parameter(&id) }).await {
                Err(error) if !error.is("ParameterNotFound") => return Err(error),
                _ => {}
            }
            cx.call(DeleteKeyPairRequest { key_pair_id: Some(id), ..Default::default() }).await?;
        }
        Ok(Stability::Ready)
    }

    async fn read(&self, cx: &Cx, name: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let look = DescribeKeyPairsRequest {
            filters: filter("key-name", name),
            include_public_key: Some(true),
            ..Default::default()
        };
        let read = |pair: KeyPairInfo| {
            Properties::default()
                .with("KeyName", name)
                .with("KeyType", pair.key_type)
                .with("PublicKeyMaterial", pair.public_key)
                .with("KeyPairId", pair.key_pair_id)
                .with("KeyFingerprint", pair.key_fingerprint)
                .with_tags(pairs(pair.tags))
        };
        Ok(cx.call(look).await?.key_pairs.into_iter().next().map(read))
    }

    async fn attributes(&self, cx: &Cx, name: &str, _: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        let pair = find(cx, name).await?.ok_or_else(|| lacks("the key pair"))?;
        Ok(BTreeMap::from([
            ("KeyPairId".to_owned(), json!(pair.key_pair_id)),
            ("KeyFingerprint".to_owned(), json!(pair.key_fingerprint)),
        ]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{World, resource_request};

    const PUBLIC: &[u8] = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g ada";

    #[tokio::test]
    async fn a_pair_whose_private_key_cannot_be_asked_for_stays() {
        let world = World::new();
        let request = resource_request("Pair", json!({"KeyName": "pair"}));
        // Of an earlier try.
        let made = ImportKeyPairRequest {
            key_name: "pair".into(),
            public_key_material: Blob(PUBLIC.to_vec()),
            tag_specifications: tagged(&request, &kinds::KEY_PAIR),
            ..Default::default()
        };
        let id = world.call(made).await.key_pair_id;
        // Nobody answers for parameters here.
        assert!(!KeyPairType.create(&world.cx, &request).await.unwrap_err().is("ParameterNotFound"));
        let kept = find(&world.cx, "pair").await.unwrap().expect("the pair is there");
        assert_eq!(kept.key_pair_id, id);
    }
}
