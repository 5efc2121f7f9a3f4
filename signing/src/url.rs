//! URLs that are presigned with Signature Version 2, which S3 takes beside Version 4 and which boto3
//! and `aws s3 presign` still make for buckets of the first region unless told otherwise. Nothing
//! else of Version 2 is served. Source: the S3 API Reference, "Signing and authenticating REST
//! requests (AWS signature version 2)".
//!
//! ```text
//! PUT \n content-md5 \n content-type \n expires \n x-amz-…:value \n … /bucket/key?acl
//! ```
//! The time in it is that of the URL's end. No region and no day is named.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use std::collections::BTreeMap;
use time::OffsetDateTime;

use crate::{SigError, canonical::percent_decoded, parts::RequestParts};

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

/// What a URL of Version 2 says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlClaim {
    /// Whose key signed it.
    pub access_key_id: String,
    /// `x-amz-security-token`, if one came along.
    pub session_token: Option<String>,
    /// `Expires`, in seconds since 1970, as it was signed.
    expires: String,
    signature: Vec<u8>,
}

/// The pairs of a query, decoded; a name alone has an empty value.
fn pairs(query: &str) -> impl Iterator<Item = (String, Option<String>)> {
    let text = |text: &str| {
        let bytes: Vec<u8> = percent_decoded(text.as_bytes(), true).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    query.split('&').filter(|pair| !pair.is_empty()).map(move |pair| match pair.split_once('=') {
        Some((name, value)) => (text(name), Some(text(value))),
        None => (text(pair), None),
    })
}

fn field(query: &str, name: &str) -> Option<String> {
    pairs(query).find(|(key, _)| key == name).map(|(_, value)| value.unwrap_or_default())
}

impl UrlClaim {
    /// Reads the claim of a request, if its query makes one.
    pub fn parse(request: &RequestParts<'_>) -> Option<Result<Self, SigError>> {
        if request.headers.contains_key(http::header::AUTHORIZATION) {
            return None;
        }
        let access_key_id = field(request.query, "AWSAccessKeyId").filter(|id| !id.is_empty())?;
        let needed = |name: &str| {
            field(request.query, name)
                .ok_or_else(|| SigError::BadQueryParameters(format!("Query-string authentication requires '{name}'.")))
        };
        let read = || {
            let (expires, signature) = (needed("Expires")?, needed("Signature")?);
            // Not of the right form is answered as any other wrong signature is.
            let signature = STANDARD.decode(signature).map_err(|_| SigError::SignatureDoesNotMatch)?;
            let session_token = field(request.query, "x-amz-security-token");
            Ok(Self { access_key_id, session_token, expires, signature })
        };
        Some(read())
    }

    /// Checks it against this request, secret and time. `resource` is the path with the bucket in it,
    /// as sent.
    pub fn verify(
        &self,
        request: &RequestParts<'_>,
        resource: &str,
        secret: &str,
        now: OffsetDateTime,
    ) -> Result<(), SigError> {
        let end = self.expires.parse::<i64>().ok().and_then(|end| OffsetDateTime::from_unix_timestamp(end).ok());
        let end =
            end.ok_or_else(|| SigError::BadQueryParameters("Invalid date (should be seconds since epoch)".into()))?;
        let mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
        mac.chain_update(self.signed_text(request, resource))
            // Constant-time.
            .verify_slice(&self.signature)
            .map_err(|_| SigError::SignatureDoesNotMatch)?;
        if now > end {
            return Err(SigError::Expired { signed: end, now, seconds: 0, presigned: true });
        }
        Ok(())
    }

    fn signed_text(&self, request: &RequestParts<'_>, resource: &str) -> String {
        // What was signed as a header may stand in the query instead.
        let header = |name: &str| request.header(name).map(str::to_owned).or_else(|| field(request.query, name));
        let mut amz = BTreeMap::new();
        for (name, value) in pairs(request.query).filter(|(name, _)| name.starts_with("x-amz-")) {
            amz.insert(name, value.unwrap_or_default());
        }
        for name in request.headers.keys().map(http::HeaderName::as_str).filter(|name| name.starts_with("x-amz-")) {
            let values = request.headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("").trim());
            amz.insert(name.to_owned(), values.collect::<Vec<_>>().join(","));
        }
        let mut text = request.method.to_owned() + "\n";
        for part in [header("content-md5").as_deref(), header("content-type").as_deref(), Some(&*self.expires)] {
            text += part.unwrap_or("").trim();
            text.push('\n');
        }
        for (name, value) in amz {
            text += &format!("{name}:{value}\n");
        }
        text += resource;
        let is_signed = |name: &str| SIGNED.contains(&name) || name.starts_with(SIGNED_PREFIX);
        let mut asked: Vec<_> = pairs(request.query).filter(|(name, _)| is_signed(name)).collect();
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Body;
    use http::HeaderMap;

    /// The URL that earlier editions of the reference show, and its keys.
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    const QUERY: &str =
        "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620";
    const RESOURCE: &str = "/johnsmith/photos/puppy.jpg";

    fn check(method: &str, query: &str, resource: &str, now: i64) -> Result<(), SigError> {
        let headers = HeaderMap::new();
        let request = RequestParts {
            method,
            path: "/photos/puppy.jpg",
            query,
            headers: &headers,
            authority: None,
            body: Body::NotRead,
        };
        let claim = UrlClaim::parse(&request).expect("a claim")?;
        assert_eq!(claim.access_key_id, "AKIAIOSFODNN7EXAMPLE");
        claim.verify(&request, resource, SECRET, OffsetDateTime::from_unix_timestamp(now).expect("a time"))
    }

    #[test]
    fn the_references_example_verifies_and_nothing_else_does() {
        assert_eq!(check("GET", QUERY, RESOURCE, 1_175_139_620), Ok(()));
        assert_eq!(check("PUT", QUERY, RESOURCE, 0), Err(SigError::SignatureDoesNotMatch));
        assert_eq!(check("GET", QUERY, "/johnsmith/other", 0), Err(SigError::SignatureDoesNotMatch));
        for more in ["&acl", "&versionId=1", "&x-amz-acl=private", "&content-type=text/x", "&response-expires=0"] {
            let query = format!("{QUERY}{more}");
            assert_eq!(check("GET", &query, RESOURCE, 0), Err(SigError::SignatureDoesNotMatch), "{more}");
        }
        assert!(matches!(check("GET", QUERY, RESOURCE, 1_175_139_621), Err(SigError::Expired { presigned: true, .. })));
        let later = QUERY.replace("1175139620", "1975139620");
        assert_eq!(check("GET", &later, RESOURCE, 0), Err(SigError::SignatureDoesNotMatch));
        assert!(matches!(
            check("GET", "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE", RESOURCE, 0),
            Err(SigError::BadQueryParameters(_))
        ));
    }
}
