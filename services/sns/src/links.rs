//! The links that stand in messages: what they lead to is in `door.rs`.

use crate::signer::{Keys, Signer};
use std::fmt::Write;

/// How the paths of links begin.
pub const DOOR_PATH: &str = "/_kiln/sns/";

/// A link to kiln itself.
pub fn link(signer: &Signer, query: &[(&str, &str)]) -> String {
    let mut url = format!("{}{DOOR_PATH}?", signer.endpoint());
    for (at, (name, value)) in query.iter().enumerate() {
        if at > 0 {
            url.push('&');
        }
        url += name;
        url.push('=');
        for byte in value.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b':' => {
                    url.push(char::from(byte))
                }
                _ => {
                    let _ = write!(url, "%{byte:02X}");
                }
            }
        }
    }
    url
}

/// Where the certificate of a key is.
pub fn certificate_url(signer: &Signer, keys: &Keys) -> String {
    format!("{}{DOOR_PATH}{}", signer.endpoint(), keys.name)
}
