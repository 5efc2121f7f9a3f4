//! What sts keeps: temporary credentials, until they end.

use base64::{Engine, engine::general_purpose::STANDARD};
use kiln_service_kit::{Caller, Cx, Error, Record, Scope, Timestamp};
use kiln_sts_shapes::Credentials;
use serde::{Deserialize, Serialize};

/// Temporary credentials. Kept under the access key id in [`everywhere`], for a request says its
/// key first and so its account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    /// `ASIA…`.
    pub access_key: String,
    pub secret: String,
    pub token: String,
    pub expires: Timestamp,
    pub caller: Caller,
}

impl Record for Session {
    const KIND: &'static str = "sts/session";
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
    let session = Session {
        secret: ids.of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 40),
        token: STANDARD.encode(ids.bytes(180)),
        // Answers show whole seconds.
        expires: Timestamp((cx.now().0.div_euclid(1_000) + i64::from(seconds)) * 1_000),
        caller,
        access_key,
    };
    let shown = Credentials {
        access_key_id: Some(session.access_key.clone()),
        secret_access_key: Some(session.secret.clone()),
        session_token: Some(session.token.clone()),
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
