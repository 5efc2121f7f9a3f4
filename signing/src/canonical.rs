//! The canonical request and the string to sign, as AWS documents them under "Create a signed
//! AWS API request". Signing and verifying both come through here.
//!
//! Everything is written into one buffer, because this runs on every request.

use hmac::Mac;
use sha2::{Digest, Sha256};

use crate::{ALGORITHM, is_s3, keys::SigningKey, parts::RequestParts};

/// What the canonical request needs beside the request itself.
pub(crate) struct Inputs<'a> {
    pub service: &'a str,
    /// Lower-case, sorted.
    pub signed_headers: &'a [String],
    /// The last line: a digest in hex, or a marker such as `UNSIGNED-PAYLOAD`.
    pub payload: &'a str,
}

/// The MAC over the string to sign; the caller finalizes it (sign) or verifies it.
pub(crate) fn mac_of(
    request: &RequestParts<'_>,
    inputs: &Inputs<'_>,
    amz_date: &str,
    scope: &str,
    key: SigningKey,
) -> SigningKey {
    let digest = Sha256::digest(canonical_request(request, inputs));
    let mut digest_hex = [0u8; 64];
    hex::encode_to_slice(digest, &mut digest_hex).expect("64 hex digits for 32 bytes");
    key.chain_update(ALGORITHM)
        .chain_update(b"\n")
        .chain_update(amz_date)
        .chain_update(b"\n")
        .chain_update(scope)
        .chain_update(b"\n")
        .chain_update(digest_hex)
}

/// The canonical request's bytes.
pub(crate) fn canonical_request(request: &RequestParts<'_>, inputs: &Inputs<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(768);
    out.extend_from_slice(request.method.as_bytes());
    out.push(b'\n');
    canonical_path(request.path, is_s3(inputs.service), &mut out);
    out.push(b'\n');
    canonical_query(request.query, &mut out);
    out.push(b'\n');
    for name in inputs.signed_headers {
        canonical_header(request, name, &mut out);
    }
    out.push(b'\n');
    for (index, name) in inputs.signed_headers.iter().enumerate() {
        if index > 0 {
            out.push(b';');
        }
        out.extend_from_slice(name.as_bytes());
    }
    out.push(b'\n');
    out.extend_from_slice(inputs.payload.as_bytes());
    out
}

/// S3: decoded, then encoded once. Others: dot segments and double slashes removed, then what was
/// sent is encoded again (a `%` becomes `%25`).
fn canonical_path(path: &str, s3: bool, out: &mut Vec<u8>) {
    if path.is_empty() || path == "/" {
        out.push(b'/');
    } else if s3 {
        if !path.starts_with('/') {
            out.push(b'/');
        }
        encode(percent_decoded(path.as_bytes(), false), true, out);
    } else if path.split('/').skip(1).any(|part| matches!(part, "" | "." | "..")) {
        encode(normalized(path).bytes(), true, out);
    } else {
        encode(path.bytes(), true, out);
    }
}

/// RFC 3986 dot segments, and no empty segments; a slash at the end stays.
fn normalized(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            _ => kept.push(part),
        }
    }
    let mut out = format!("/{}", kept.join("/"));
    if path.ends_with('/') && !kept.is_empty() {
        out.push('/');
    }
    out
}

/// Names and values decoded, encoded one way, sorted by name then value; the signature itself is
/// left out.
fn canonical_query(query: &str, out: &mut Vec<u8>) {
    if query.is_empty() {
        return;
    }
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (recoded(name), recoded(value))
        })
        .filter(|(name, _)| name != b"X-Amz-Signature")
        .collect();
    pairs.sort_unstable();
    for (index, (name, value)) in pairs.iter().enumerate() {
        if index > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(name);
        out.push(b'=');
        out.extend_from_slice(value);
    }
}

fn recoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    encode(percent_decoded(text.as_bytes(), true), false, &mut out);
    out
}

/// `name:value\n`, values joined by commas, runs of white space made one space.
fn canonical_header(request: &RequestParts<'_>, name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    let mut values = request.headers.get_all(name).iter().peekable();
    if values.peek().is_none()
        && name == "host"
        && let Some(authority) = request.authority
    {
        out.extend_from_slice(authority.as_bytes());
    }
    for (index, value) in values.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let words = value.as_bytes().split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        for (index, word) in words.enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(word);
        }
    }
    out.push(b'\n');
}

/// Percent-encodes all but RFC 3986's unreserved characters (and `/`, if it is to stay).
pub(crate) fn encode(bytes: impl Iterator<Item = u8>, keep_slash: bool, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte),
            b'/' if keep_slash => out.push(byte),
            _ => out.extend_from_slice(&[b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]),
        }
    }
}

/// Decodes `%xx`; a `%` that begins no such pair is taken as it is. In a query, `+` is a space.
pub(crate) fn percent_decoded(bytes: &[u8], plus_is_space: bool) -> impl Iterator<Item = u8> + use<'_> {
    let digit =
        |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16)).and_then(|n| u8::try_from(n).ok());
    let mut at = 0;
    std::iter::from_fn(move || {
        let byte = *bytes.get(at)?;
        at += 1;
        match byte {
            b'%' => match (digit(bytes.get(at)), digit(bytes.get(at + 1))) {
                (Some(high), Some(low)) => {
                    at += 2;
                    Some(high << 4 | low)
                }
                _ => Some(byte),
            },
            b'+' if plus_is_space => Some(b' '),
            _ => Some(byte),
        }
    })
}
