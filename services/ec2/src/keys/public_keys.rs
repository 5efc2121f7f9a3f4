//! Public keys in the forms that ImportKeyPair takes, all read into the one line that OpenSSH wants.
//! Source: Amazon EC2 User Guide, "Create a key pair using a third-party tool and import the public
//! key": OpenSSH's format, base64 of DER, and the file of RFC 4716; RSA of up to 4096 bits, ED25519.

use base64::{Engine, engine::general_purpose::STANDARD};
use kiln_service_kit::Error;
use md5::{Digest, Md5};
use sha2::Sha256;

/// A key that was read.
pub struct PublicKey {
    /// `rsa` or `ed25519`.
    pub key_type: &'static str,
    /// As `authorized_keys` has it.
    pub line: String,
    pub fingerprint: String,
}

/// What the key is of.
enum Key {
    /// Exponent and modulus. The numbers of DER and SSH are alike.
    Rsa(Vec<u8>, Vec<u8>),
    Ed25519(Vec<u8>),
}

fn bad() -> Error {
    Error::sender("InvalidKey.Format", "Key is not in valid OpenSSH public key format")
}

/// Reads a key; `name` becomes the comment of one that has no line of its own.
pub fn read(material: &[u8], name: &str) -> Result<PublicKey, Error> {
    if let Some(key) = from_der(material) {
        return made(key, name);
    }
    let text = std::str::from_utf8(material).map_err(|_| bad())?.trim();
    if text.starts_with("ssh-") {
        let mut parts = text.split_whitespace();
        let (kind, encoded) = (parts.next().ok_or_else(bad)?, parts.next().ok_or_else(bad)?);
        let blob = STANDARD.decode(encoded).map_err(|_| bad())?;
        if text.lines().count() != 1 || ssh_fields(&blob).and_then(|f| f.first().copied()) != Some(kind.as_bytes()) {
            return Err(bad());
        }
        return Ok(PublicKey { line: text.to_owned(), ..made(from_ssh(&blob).ok_or_else(bad)?, name)? });
    }
    let key = match between(text, "---- BEGIN SSH2 PUBLIC KEY ----", "---- END SSH2 PUBLIC KEY ----") {
        Some(inside) => from_ssh(&decoded(&without_headers(inside)).ok_or_else(bad)?),
        None => {
            let pem = |kind: &str| between(text, &format!("-----BEGIN {kind}-----"), &format!("-----END {kind}-----"));
            let inside = pem("PUBLIC KEY").or_else(|| pem("RSA PUBLIC KEY")).unwrap_or(text);
            from_der(&decoded(inside).ok_or_else(bad)?)
        }
    };
    made(key.ok_or_else(bad)?, name)
}

fn made(key: Key, name: &str) -> Result<PublicKey, Error> {
    let (key_type, kind, fields, fingerprint) = match key {
        // 1024 to 4096 bits, and the byte that says that the number is positive.
        Key::Rsa(exponent, modulus) if matches!(modulus.len(), 128..=513) => {
            let fingerprint = colons(&Md5::digest(rsa_spki(&modulus, &exponent)));
            ("rsa", "ssh-rsa", vec![exponent, modulus], fingerprint)
        }
        Key::Ed25519(key) if key.len() == 32 => {
            let blob = ssh_blob(&[b"ssh-ed25519", &key]);
            ("ed25519", "ssh-ed25519", vec![key], STANDARD.encode(Sha256::digest(blob)))
        }
        _ => return Err(bad()),
    };
    let mut all: Vec<&[u8]> = vec![kind.as_bytes()];
    all.extend(fields.iter().map(Vec::as_slice));
    Ok(PublicKey { key_type, line: format!("{kind} {} {name}", STANDARD.encode(ssh_blob(&all))), fingerprint })
}

fn between<'t>(text: &'t str, begin: &str, end: &str) -> Option<&'t str> {
    text.strip_prefix(begin)?.strip_suffix(end)
}

/// The body of RFC 4716: its headers hold a colon, and go on after a line that ends in a backslash.
fn without_headers(text: &str) -> String {
    let mut header = false;
    let mut body = String::new();
    for line in text.lines().map(str::trim) {
        header = header || line.contains(':');
        if !header {
            body.push_str(line);
        }
        header = header && line.ends_with('\\');
    }
    body
}

fn decoded(base64: &str) -> Option<Vec<u8>> {
    let text: String = base64.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(text).ok()
}

fn from_ssh(blob: &[u8]) -> Option<Key> {
    match ssh_fields(blob)?.as_slice() {
        [b"ssh-rsa", exponent, modulus] => Some(Key::Rsa(exponent.to_vec(), modulus.to_vec())),
        [b"ssh-ed25519", key] => Some(Key::Ed25519(key.to_vec())),
        _ => None,
    }
}

/// `rsaEncryption` and `id-Ed25519`, as object identifiers.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// A SubjectPublicKeyInfo (RFC 5280), or an RSA key alone (RFC 8017).
fn from_der(bytes: &[u8]) -> Option<Key> {
    let (0x30, inside, []) = element(bytes)? else { return None };
    match element(inside)? {
        (0x02, modulus, rest) => rsa_numbers(modulus, rest),
        (0x30, algorithm, rest) => {
            let ((0x06, oid, _), (0x03, bits, [])) = (element(algorithm)?, element(rest)?) else { return None };
            let key = bits.strip_prefix(&[0])?;
            match oid {
                RSA => match element(key)? {
                    (0x30, numbers, []) => match element(numbers)? {
                        (0x02, modulus, rest) => rsa_numbers(modulus, rest),
                        _ => None,
                    },
                    _ => None,
                },
                ED25519 => Some(Key::Ed25519(key.to_vec())),
                _ => None,
            }
        }
        _ => None,
    }
}

fn rsa_numbers(modulus: &[u8], rest: &[u8]) -> Option<Key> {
    match element(rest)? {
        (0x02, exponent, []) => Some(Key::Rsa(exponent.to_vec(), modulus.to_vec())),
        _ => None,
    }
}

/// The first DER element: its tag, what it holds, and what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// The fields of an SSH wire blob: each a length of four bytes and that many bytes.
pub fn ssh_fields(mut blob: &[u8]) -> Option<Vec<&[u8]>> {
    let mut fields = vec![];
    while !blob.is_empty() {
        let (length, rest) = blob.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        fields.push(rest.get(..length)?);
        blob = &rest[length..];
    }
    Some(fields)
}

fn ssh_blob(fields: &[&[u8]]) -> Vec<u8> {
    let length = |field: &[u8]| u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes();
    fields.iter().flat_map(|field| length(field).into_iter().chain(field.iter().copied())).collect()
}

/// One DER element.
pub fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    match length {
        0..=0x7f => out.push(length as u8),
        0x80..=0xff => out.extend([0x81, length as u8]),
        _ => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend(content);
    out
}

/// `SEQUENCE { OBJECT IDENTIFIER rsaEncryption, NULL }`
pub const RSA_ALGORITHM: [u8; 15] =
    [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// A public RSA key as SubjectPublicKeyInfo (RFC 5280). SSH numbers are DER numbers already.
pub fn rsa_spki(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let key = der(0x30, &[der(0x02, modulus), der(0x02, exponent)].concat());
    let bits = [vec![0], key].concat();
    der(0x30, &[RSA_ALGORITHM.to_vec(), der(0x03, &bits)].concat())
}

/// A digest as fingerprints show it.
pub fn colons(digest: &[u8]) -> String {
    digest.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

    #[test]
    fn every_form_is_the_same_key() {
        let modulus = [vec![0], vec![0xc3; 256]].concat();
        let exponent = [1, 0, 1];
        let blob = ssh_blob(&[b"ssh-rsa", &exponent, &modulus]);
        let line = format!("ssh-rsa {} web", STANDARD.encode(&blob));
        let spki = rsa_spki(&modulus, &exponent);
        let pkcs1 = der(0x30, &[der(0x02, &modulus), der(0x02, &exponent)].concat());
        let lines = |bytes: &[u8]| {
            let text = STANDARD.encode(bytes);
            text.as_bytes().chunks(70).map(|c| String::from_utf8_lossy(c).into_owned()).collect::<Vec<_>>().join("\n")
        };
        let file = format!(
            "---- BEGIN SSH2 PUBLIC KEY ----\nSubject: me\nComment: \"a long one, \\\nthat goes on\"\n{}\n---- END SSH2 PUBLIC KEY ----\n",
            lines(&blob)
        );
        let wanted = read(line.as_bytes(), "web").expect("OpenSSH's");
        assert_eq!((wanted.key_type, wanted.line.as_str()), ("rsa", line.as_str()));
        for (form, given) in [
            ("base64 of DER", lines(&spki).into_bytes()),
            ("DER", spki.clone()),
            ("an RSA key alone", pkcs1),
            ("PEM", format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines(&spki)).into_bytes()),
            ("RFC 4716", file.into_bytes()),
        ] {
            let read = read(&given, "web").unwrap_or_else(|e| panic!("{form}: {e}"));
            assert_eq!((read.line, read.fingerprint), (wanted.line.clone(), wanted.fingerprint.clone()), "{form}");
        }
        let key: Vec<u8> = (0..32).collect();
        let spki = der(0x30, &[der(0x30, &der(0x06, ED25519)), der(0x03, &[vec![0], key].concat())].concat());
        assert_eq!(read(&spki, "x").expect("DER").line, format!("{ED} x"));
    }

    #[test]
    fn what_is_no_public_key_is_refused() {
        let short = ssh_blob(&[b"ssh-rsa", &[3], &[1; 64]]);
        for given in [
            "",
            "x",
            "ssh-rsa",
            "ssh-rsa AAAA",
            ED.trim_start_matches("ssh-ed25519 "),
            "-----BEGIN RSA PRIVATE KEY-----",
            "---- BEGIN SSH2 PUBLIC KEY ----",
            "---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----",
            "MIIB",
            &format!("{ED}\n{ED}"),
            &ED.replace("ssh-ed25519", "ssh-rsa"),
            &format!("ssh-rsa {}", STANDARD.encode(short)),
        ] {
            assert_eq!(
                read(given.as_bytes(), "x").err().map(|e| e.code.to_string()).as_deref(),
                Some("InvalidKey.Format"),
                "{given}"
            );
        }
        let ed = decoded(ED.split(' ').nth(1).expect("a key")).expect("base64");
        for end in 0..ed.len() {
            assert!(read(&ed[..end], "x").is_err());
        }
    }
}
