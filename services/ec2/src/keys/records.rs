//! A key pair: its public half. Kiln, like AWS, gives the private half away and forgets it.

use crate::kinds::{self, Kind};
use crate::tags::{Tagged, Tags};
use kiln_ids::KeyPairId;
use kiln_service_kit::{Keys, Record, Timestamp};
use serde::{Deserialize, Serialize};

/// See the module's head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyPair {
    pub id: KeyPairId,
    pub name: String,
    /// `rsa` or `ed25519`.
    pub key_type: String,
    /// One line as in authorized_keys.
    pub public_key: String,
    pub fingerprint: String,
    pub created: Timestamp,
    pub tags: Tags,
}

impl Record for KeyPair {
    const KIND: &'static str = "ec2/key-pair";
    const KEYS: &'static [&'static str] = &["key-name"];
    fn keys(&self) -> Keys {
        vec![("key-name", self.name.clone())]
    }
}

impl Tagged for KeyPair {
    const THING: &'static Kind = &kinds::KEY_PAIR;
    fn tags(&self) -> &Tags {
        &self.tags
    }
    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}
