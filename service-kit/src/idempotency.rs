//! Client tokens: the same request with the same token is answered with what the first one made.

use crate::{Cx, Error, Record, RecordType, ResourceRequest, StoreError, Tx, records};
use kiln_clock::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What a token stands for. Kept under `operation/token` in the caller's scope.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Remembered {
    /// Hash of the request without its token.
    pub request: String,
    /// What it made, as the operation wishes to remember it (an id).
    pub result: String,
    pub at: Timestamp,
}

impl Record for Remembered {
    const KIND: &'static str = "kit/client-token";
}

/// What the kit itself keeps, in the scopes of its users.
pub const RECORDS: &[RecordType] = records![Remembered];

impl Remembered {
    fn id(operation: &str, token: &str) -> String {
        format!("{operation}/{token}")
    }

    /// The result of an earlier call with that token; `IdempotentParameterMismatch` when the
    /// request differs.
    pub fn find(tx: &Tx, cx: &Cx, operation: &str, token: &str, request: &str) -> Result<Option<String>, Error> {
        let found = tx.get::<Remembered>(cx.scope(), &Self::id(operation, token)).map_err(Error::from)?;
        match found {
            None => Ok(None),
            Some(r) if r.request == request => Ok(Some(r.result.clone())),
            Some(_) => Err(Error::sender(
                "IdempotentParameterMismatch",
                "The client token has already been used with different request parameters.",
            )),
        }
    }

    /// Remembers the result in the same transaction that made it.
    pub fn keep(
        tx: &mut Tx,
        cx: &Cx,
        operation: &str,
        token: &str,
        request: &str,
        result: &str,
    ) -> Result<(), StoreError> {
        let record = Remembered { request: request.to_owned(), result: result.to_owned(), at: cx.now() };
        tx.put(cx.scope(), &Self::id(operation, token), record)
    }
}

impl ResourceRequest {
    /// Whether what has the name that the template chose was made by an earlier try of this creation.
    /// For services that keep no token: a first try notes that the name is free before it makes
    /// anything; what is there without such a note is somebody else's.
    pub async fn made_before(
        &self,
        cx: &Cx,
        is_there: impl FnOnce(&Tx<'_>) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        const NOTE: &str = "resource/name-was-free";
        cx.store()
            .write(|tx| {
                let is_there = is_there(tx)?;
                let noted = Remembered::find(tx, cx, NOTE, &self.token, "")?.is_some();
                if !is_there && !noted {
                    Remembered::keep(tx, cx, NOTE, &self.token, "", "")?;
                }
                Ok(is_there && noted)
            })
            .await
    }
}

/// A hash of anything printable, for [`Remembered`].
pub fn request_hash(request: &impl std::fmt::Debug) -> String {
    let digest = Sha256::digest(format!("{request:?}").as_bytes());
    digest.iter().map(|b| format!("{b:02x}")).collect()
}
