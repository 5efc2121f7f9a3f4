//! Keys of customers (SSE-C), which are refused by name, but first judged as S3 judges them: half of a customer's key is
//! never taken for none. And what of encryption is not said again. Keys of KMS: [`crate::kms`].

use crate::errors;
use base64::{Engine, engine::general_purpose::STANDARD};
use kiln_service_kit::{Cx, Error};
use md5::{Digest, Md5};

/// The headers that only a write may have.
const OF_WRITES: [&str; 4] = [
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-context",
    "x-amz-server-side-encryption-bucket-key-enabled",
];
/// The length of a key of AES-256.
const KEY_LENGTH: usize = 32;

/// A customer's key, as three headers give it.
#[derive(Clone, Copy)]
pub struct CustomerKey<'k> {
    pub algorithm: Option<&'k str>,
    pub key: Option<&'k str>,
    pub md5: Option<&'k str>,
}

/// The [`CustomerKey`] of a request.
macro_rules! customer_key {
    ($input:expr) => {
        crate::encryption::CustomerKey {
            algorithm: $input.sse_customer_algorithm.as_deref(),
            key: $input.sse_customer_key.as_deref(),
            md5: $input.sse_customer_key_md5.as_deref(),
        }
    };
}
pub(crate) use customer_key;

/// That of a copy's source.
macro_rules! source_key {
    ($input:expr) => {
        crate::encryption::CustomerKey {
            algorithm: $input.copy_source_sse_customer_algorithm.as_deref(),
            key: $input.copy_source_sse_customer_key.as_deref(),
            md5: $input.copy_source_sse_customer_key_md5.as_deref(),
        }
    };
}
pub(crate) use source_key;

impl CustomerKey<'_> {
    /// Whether there is one, and it is whole. `method` is the encryption that is asked for beside it.
    fn is_given(&self, method: Option<&str>) -> Result<bool, Error> {
        let bad = |value: &str, text: &str| Err(errors::invalid_argument("x-amz-server-side-encryption", value, text));
        let (algorithm, key, md5) = match (self.algorithm, self.key, self.md5) {
            (None, None, None) => return Ok(false),
            (Some(_), ..) if method.is_some() => {
                return bad(
                    method.unwrap_or(""),
                    "Server Side Encryption with Customer provided key is incompatible with the encryption method specified",
                );
            }
            (None, ..) => {
                return bad(
                    "null",
                    "Requests specifying Server Side Encryption with Customer provided keys must provide a valid encryption algorithm.",
                );
            }
            (Some(_), None, _) => {
                return bad(
                    "null",
                    "Requests specifying Server Side Encryption with Customer provided keys must provide an appropriate secret key.",
                );
            }
            (Some(algorithm), Some(key), md5) => (algorithm, key, md5),
        };
        if algorithm != "AES256" {
            return Err(errors::invalid_encryption_algorithm(algorithm));
        }
        let Some(key) = STANDARD.decode(key).ok().filter(|key| key.len() == KEY_LENGTH) else {
            return bad("null", "The secret key was invalid for the specified algorithm.");
        };
        match md5 {
            Some(md5) if md5 == STANDARD.encode(Md5::digest(&key)) => Ok(true),
            Some(_) => bad("null", "The calculated MD5 hash of the key did not match the hash that was provided."),
            None => bad(
                "null",
                "Requests specifying Server Side Encryption with Customer provided keys must provide the client calculated MD5 of the secret key.",
            ),
        }
    }

    /// Of a write, which would have to use it.
    pub fn refuse(&self, method: Option<&str>) -> Result<(), Error> {
        match self.is_given(method)? {
            true => Err(Error::not_built("s3: SSECustomerAlgorithm, SSECustomerKey")),
            false => Ok(()),
        }
    }

    /// Of a read: no object here was written with one.
    pub fn of_a_read(&self) -> Result<(), Error> {
        match self.is_given(None)? {
            true => Err(errors::invalid_request("The encryption parameters are not applicable to this object.")),
            false => Ok(()),
        }
    }
}

/// How an object is encrypted was said when it was begun: neither a read nor a part says it again.
pub fn not_said_again(cx: &Cx) -> Result<(), Error> {
    let Some(said) = cx.streams() else { return Ok(()) };
    match OF_WRITES.into_iter().find_map(|name| Some((name, said.header(name)?))) {
        Some((name, value)) => {
            let text = format!("{name} header is not supported for this operation.");
            Err(errors::invalid_argument(name, value, &text))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_key_is_not_none() {
        let key = STANDARD.encode([7; 32]);
        let md5 = STANDARD.encode(Md5::digest([7; 32]));
        let of = |algorithm: &str, key: &str, md5: &str| {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let (algorithm, key, md5) = (some(algorithm), some(key), some(md5));
            let given = CustomerKey { algorithm: algorithm.as_deref(), key: key.as_deref(), md5: md5.as_deref() };
            given.refuse(None).map_err(|error| error.code.into_owned())
        };
        assert_eq!(of("", "", ""), Ok(()));
        for (algorithm, key, md5, code) in [
            ("", key.as_str(), md5.as_str(), "InvalidArgument"),
            ("", "", md5.as_str(), "InvalidArgument"),
            ("AES256", "", "", "InvalidArgument"),
            ("AES256", key.as_str(), "", "InvalidArgument"),
            ("AES256", key.as_str(), "AAAA", "InvalidArgument"),
            ("AES256", "AAAA", md5.as_str(), "InvalidArgument"),
            ("AES128", key.as_str(), md5.as_str(), "InvalidEncryptionAlgorithmError"),
            ("AES256", key.as_str(), md5.as_str(), "NotImplemented"),
        ] {
            assert_eq!(of(algorithm, key, md5), Err(code.to_owned()), "{algorithm} {key} {md5}");
        }
    }
}
