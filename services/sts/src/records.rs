//! What sts keeps: temporary credentials, until they end.

use base64::{Engine, engine::general_purpose::STANDARD};
use kiln_sealing::RootKey;
use kiln_service_kit::{Caller, Cx, Error, IdSource, Record, Scope, Timestamp};
use kiln_sts_shapes::Credentials;
use serde::{Deserialize, Serialize};

/// Temporary credentials. Kept under the access key id in [`everywhere`], for a request says its
/// key first and so its account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    /// `ASIA…`.
    pub access_key: String,
    #[serde(flatten)]
    pub secrets: Secrets,
    pub expires: Timestamp,
    pub caller: Caller,
}

impl Record for Session {
    const KIND: &'static str = "sts/session";
}

/// The two texts that only their holder knows.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Secrets {
    /// Both, sealed under the root key and bound to the access key.
    Sealed { sealed: String },
    /// As an earlier version wrote them; sealed at the next start.
    Open { secret: String, token: String },
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(…)")
    }
}

/// What the root key's key for them is for.
pub const PURPOSE: &str = "sts/session";

impl Secrets {
    /// Seals both.
    pub fn seal(root: &RootKey, ids: &IdSource, access_key: &str, secret: &str, token: &str) -> Self {
        Self::Sealed { sealed: root.seal_text(ids, PURPOSE, access_key, &format!("{secret} {token}")) }
    }
}

/// The scope of what is found without knowing an account.
pub fn everywhere() -> Scope {
    Scope::new("", "")
}

/// Makes and keeps temporary credentials for somebody.
pub async fn begin(cx: &Cx, mut caller: Caller, seconds: i32) -> Result<Credentials, Error> {
    let ids = cx.ids();
    let access_key = format!("ASIA{}", ids.of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16));
    caller.access_key = access_key.clone();
    let secret = ids.of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 40);
    let token = STANDARD.encode(ids.bytes(180));
    let session = Session {
        secrets: Secrets::seal(&cx.part()?, ids, &access_key, &secret, &token),
        // Answers show whole seconds.
        expires: Timestamp((cx.now().0.div_euclid(1_000) + i64::from(seconds)) * 1_000),
        caller,
        access_key,
    };
    let shown = Credentials {
        access_key_id: Some(session.access_key.clone()),
        secret_access_key: Some(secret),
        session_token: Some(token),
        expiration: Some(session.expires),
    };
    cx.store()
        .write(|tx| {
            tx.put(&everywhere(), &session.access_key.clone(), session)?;
            Ok::<_, Error>(())
        })
        .await?;
    Ok(shown)
}
