//! Tokens of pages whose places are not ids of records.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// The token of a place.
pub fn token(place: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("c1:{place}"))
}

/// The place of a token; none where this service did not give it out.
pub fn read(token: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    Some(text.strip_prefix("c1:")?.to_owned())
}
