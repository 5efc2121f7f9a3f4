//! The MD5s that clients check. Source: SQS Developer Guide, "Calculating the MD5 message digest for message
//! attributes".

use crate::messages::Attribute;
use base64::{Engine, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};
use std::collections::BTreeMap;

/// How a value travels, in the digest.
const TEXT: u8 = 1;
const BINARY: u8 = 2;

/// Of a text, in hex.
pub fn of_text(text: &str) -> String {
    hex::encode(Md5::digest(text.as_bytes()))
}

/// Of attributes, in the order of their names; none where there are none.
pub fn of_attributes<'a>(attributes: impl IntoIterator<Item = (&'a str, &'a Attribute)>) -> Option<String> {
    let attributes: BTreeMap<&str, &Attribute> = attributes.into_iter().collect();
    if attributes.is_empty() {
        return None;
    }
    let mut md5 = Md5::new();
    for (name, attribute) in attributes {
        put(&mut md5, name.as_bytes());
        put(&mut md5, attribute.kind.as_bytes());
        match (&attribute.text, &attribute.binary) {
            (_, Some(binary)) => {
                md5.update([BINARY]);
                // It was encoded here.
                put(&mut md5, &STANDARD.decode(binary).unwrap_or_default());
            }
            (text, None) => {
                md5.update([TEXT]);
                put(&mut md5, text.as_deref().unwrap_or_default().as_bytes());
            }
        }
    }
    Some(hex::encode(md5.finalize()))
}

/// With its length before it.
fn put(md5: &mut Md5, bytes: &[u8]) {
    md5.update((bytes.len() as u32).to_be_bytes());
    md5.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(kind: &str, text: &str) -> Attribute {
        Attribute { kind: kind.to_owned(), text: Some(text.to_owned()), binary: None }
    }

    #[test]
    fn digests_are_those_that_clients_reckon() {
        assert_eq!(of_text("hello"), "5d41402abc4b2a76b9719d911017c592");
        assert_eq!(of_attributes([]), None);
        // Reckoned by hand: lengths of four bytes, and a byte that says how the value travels.
        let mut bytes = vec![];
        for part in [&b"b"[..], b"Binary"] {
            bytes.extend((part.len() as u32).to_be_bytes());
            bytes.extend(part);
        }
        bytes.extend([2, 0, 0, 0, 2, 0xff, 0]);
        for part in [&b"c"[..], b"Number.int"] {
            bytes.extend((part.len() as u32).to_be_bytes());
            bytes.extend(part);
        }
        bytes.extend([1, 0, 0, 0, 1, b'7']);
        let binary = Attribute { kind: "Binary".into(), text: None, binary: Some(STANDARD.encode([0xff, 0])) };
        let of = of_attributes([("c", &text("Number.int", "7")), ("b", &binary)]);
        assert_eq!(of, Some(hex::encode(Md5::digest(&bytes))));
    }
}
