//! URLs that are presigned with Signature Version 2, which S3 takes beside Version 4 and which boto3
//! and `aws s3 presign` still make for buckets of the first region unless told otherwise. Nothing
//! else of Version 2 is served. Source: the S3 API Reference, "Signing and authenticating REST
//! requests (AWS signature version 2)".
//!
//! ```text
//! PUT \n content-md5 \n content-type \n expires \n x-amz-…:value \n … /bucket/key?acl
//! ```
//! The time in it is that of the URL's end. No region and no day is named.

use super::{address, signature};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use http::request::Parts;
use kiln_service_kit::{Error, OtherSignature, Timestamp};
use kiln_signing::SigError;
use sha1::Sha1;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The parameters of a query that are signed: those that name a part of a bucket or an object, and
/// those that change the answer's headers.
const SIGNED: [&str; 29] = [
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "defaultObjectAcl",
    "delete",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "replication",
    "requestPayment",
    "restore",
    "select",
    "select-type",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];
/// All that begin so are signed as well.
const SIGNED_PREFIX: &str = "response-";

/// The end of the year 9999, after which no date can be written.
const LAST_SECOND: i64 = 253_402_300_799;

/// What a URL of Version 2 says about itself, and the text that it must have been signed over.
pub struct SignedUrl {
    access_key_id: String,
    /// `x-amz-security-token`, if one came along.
    session_token: Option<String>,
    /// `Expires`, in seconds since 1970, as it was signed.
    expires: String,
    signature: Vec<u8>,
    text: String,
}

/// The pairs of a query, decoded; a name alone has no value.
fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Option<Cow<'_, str>>)> {
    query.split('&').filter_map(|pair| {
        let (name, value) = form_urlencoded::parse(pair.as_bytes()).next()?;
        Some((name, pair.contains('=').then_some(value)))
    })
}

fn field<'q>(query: &'q str, name: &str) -> Option<Cow<'q, str>> {
    pairs(query).find(|(key, _)| key == name).map(|(_, value)| value.unwrap_or_default())
}

fn query_of(head: &Parts) -> &str {
    head.uri.query().unwrap_or("")
}

/// What the query says, if it makes a signature.
pub fn read(head: &Parts, host: &str) -> Option<Result<SignedUrl, Error>> {
    if head.headers.contains_key(http::header::AUTHORIZATION) {
        return None;
    }
    let access_key_id = field(query_of(head), "AWSAccessKeyId").filter(|id| !id.is_empty())?;
    Some(SignedUrl::read(head, host, access_key_id.into_owned()).map_err(|error| signature::refused(&error)))
}

impl SignedUrl {
    fn read(head: &Parts, host: &str, access_key_id: String) -> Result<Self, SigError> {
        let needed = |name: &str| {
            field(query_of(head), name)
                .map(Cow::into_owned)
                .ok_or_else(|| SigError::BadQueryParameters(format!("Query-string authentication requires '{name}'.")))
        };
        let (expires, signature) = (needed("Expires")?, needed("Signature")?);
        // Not of the right form is answered as any other wrong signature is.
        let signature = STANDARD.decode(signature).map_err(|_| SigError::SignatureDoesNotMatch)?;
        let session_token = field(query_of(head), "x-amz-security-token").map(Cow::into_owned);
        let text = signed_text(head, &expires, &address::resource(head, host));
        Ok(Self { access_key_id, session_token, expires, signature, text })
    }
}

impl OtherSignature for SignedUrl {
    fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }

    fn verify(&self, secret: &str, now: Timestamp) -> Result<(), Error> {
        let end = self.expires.parse().ok().filter(|seconds| (-LAST_SECOND..=LAST_SECOND).contains(seconds));
        let end = end.ok_or_else(|| {
            signature::refused(&SigError::BadQueryParameters("Invalid date (should be seconds since epoch)".into()))
        })?;
        let mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
        mac.chain_update(&self.text)
            // Constant-time.
            .verify_slice(&self.signature)
            .map_err(|_| signature::refused(&SigError::SignatureDoesNotMatch))?;
        if now > Timestamp(end * 1000) { Err(signature::url_expired()) } else { Ok(()) }
    }
}

/// `resource` is the path with the bucket in it, as sent.
fn signed_text(head: &Parts, expires: &str, resource: &str) -> String {
    let (query, headers) = (query_of(head), &head.headers);
    // What was signed as a header may stand in the query instead.
    let sent = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(Cow::Borrowed);
    let header = |name: &str| sent(name).or_else(|| field(query, name));
    let mut amz = BTreeMap::new();
    for (name, value) in pairs(query).filter(|(name, _)| name.starts_with("x-amz-")) {
        amz.insert(name.into_owned(), value.unwrap_or_default().into_owned());
    }
    for name in headers.keys().map(http::HeaderName::as_str).filter(|name| name.starts_with("x-amz-")) {
        let values = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("").trim());
        amz.insert(name.to_owned(), values.collect::<Vec<_>>().join(","));
    }
    let mut text = head.method.as_str().to_owned() + "\n";
    for part in [header("content-md5").as_deref(), header("content-type").as_deref(), Some(expires)] {
        text += part.unwrap_or("").trim();
        text.push('\n');
    }
    for (name, value) in amz {
        text += &format!("{name}:{value}\n");
    }
    text += resource;
    let is_signed = |name: &str| SIGNED.contains(&name) || name.starts_with(SIGNED_PREFIX);
    let mut asked: Vec<_> = pairs(query).filter(|(name, _)| is_signed(name)).collect();
    asked.sort();
    for (at, (name, value)) in asked.into_iter().enumerate() {
        text.push(if at == 0 { '?' } else { '&' });
        text += &name;
        if let Some(value) = value {
            text.push('=');
            text += &value;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The URL that earlier editions of the reference show, and its keys.
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    const QUERY: &str =
        "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620";
    const BUCKET: &str = "johnsmith.s3.amazonaws.com";

    /// How it is judged at that second; nothing, or the code and the words of the refusal.
    fn check(method: &str, query: &str, host: &str, now: i64) -> Result<(), (String, String)> {
        let request = http::Request::builder().method(method).uri(format!("/photos/puppy.jpg?{query}"));
        let (head, ()) = request.body(()).expect("a good request").into_parts();
        let judged = read(&head, host).expect("a signature").and_then(|signed| {
            assert_eq!((signed.access_key_id(), signed.session_token()), ("AKIAIOSFODNN7EXAMPLE", None));
            signed.verify(SECRET, Timestamp(now * 1000))
        });
        judged.map_err(|error| (error.code.into_owned(), error.message))
    }

    fn code(judged: Result<(), (String, String)>) -> String {
        judged.expect_err("must be refused").0
    }

    #[test]
    fn the_references_example_verifies_and_nothing_else_does() {
        assert_eq!(check("GET", QUERY, BUCKET, 1_175_139_620), Ok(()));
        assert_eq!(code(check("PUT", QUERY, BUCKET, 0)), "SignatureDoesNotMatch");
        assert_eq!(code(check("GET", QUERY, "other.s3.amazonaws.com", 0)), "SignatureDoesNotMatch");
        for more in ["&acl", "&versionId=1", "&x-amz-acl=private", "&content-type=text/x", "&response-expires=0"] {
            let query = format!("{QUERY}{more}");
            assert_eq!(code(check("GET", &query, BUCKET, 0)), "SignatureDoesNotMatch", "{more}");
        }
        let late = check("GET", QUERY, BUCKET, 1_175_139_621);
        assert_eq!(late, Err(("AccessDenied".into(), "Request has expired".into())));
        let later = QUERY.replace("1175139620", "1975139620");
        assert_eq!(code(check("GET", &later, BUCKET, 0)), "SignatureDoesNotMatch");
        for (query, words) in [
            ("AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE", "Query-string authentication requires 'Expires'."),
            ("AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Expires=1", "Query-string authentication requires 'Signature'."),
        ] {
            let refused = check("GET", query, BUCKET, 0);
            assert_eq!(refused, Err(("AuthorizationQueryParametersError".into(), words.into())));
        }
        for end in ["soon", "253402300800", "-9223372036854775808", "9223372036854775808"] {
            let query = QUERY.replace("1175139620", end);
            assert_eq!(code(check("GET", &query, BUCKET, 0)), "AuthorizationQueryParametersError", "{end}");
        }
    }

    #[test]
    fn what_carries_another_signature_or_none_is_not_read() {
        let read = |query: &str, authorization: Option<&str>| {
            let request = http::Request::builder().uri(format!("/a?{query}"));
            let request = match authorization {
                Some(value) => request.header("authorization", value),
                None => request,
            };
            read(&request.body(()).expect("a good request").into_parts().0, BUCKET).is_some()
        };
        assert!(read(QUERY, None));
        assert!(!read(QUERY, Some("AWS4-HMAC-SHA256 Credential=x")));
        assert!(!read("AWSAccessKeyId=&Expires=1&Signature=a", None));
        assert!(!read("acl", None));
    }
}
