//! Signing requests: what the command line, the console and the tests use to call the gateway
//! like any other client.

use hmac::Mac;
use http::{HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};
use thiserror::Error;
use time::OffsetDateTime;

use crate::{
    ALGORITHM,
    canonical::{Inputs, encode, mac_of},
    date::format_amz_date,
    is_s3,
    keys::{Scope, derive},
    parts::RequestParts,
};

/// Credentials and the scope to sign for.
#[derive(Debug, Clone, Copy)]
pub struct Signer<'a> {
    /// The access key's id.
    pub access_key_id: &'a str,
    /// Its secret.
    pub secret: &'a str,
    /// The session token of temporary credentials.
    pub session_token: Option<&'a str>,
    /// The region.
    pub region: &'a str,
    /// The service's signing name.
    pub service: &'a str,
}

/// Why a request could not be signed.
#[derive(Debug, Error)]
pub enum SignError {
    /// Neither a `Host` header nor an authority is there to sign.
    #[error("request has neither a Host header nor an authority to sign")]
    NoHost,
    /// A credential contains a character that no header may carry.
    #[error("credential cannot be sent in a header")]
    NotAHeader(#[from] http::header::InvalidHeaderValue),
}

impl Signer<'_> {
    fn scope(&self, amz_date: &str) -> String {
        format!("{}/{}/{}/aws4_request", &amz_date[..8], self.region, self.service)
    }

    fn signature(
        &self,
        request: &RequestParts<'_>,
        signed_headers: &[String],
        payload: &str,
        amz_date: &str,
    ) -> String {
        let inputs = Inputs { service: self.service, signed_headers, payload };
        let key = derive(self.secret, Scope { day: &amz_date[..8], region: self.region, service: self.service });
        let mac = mac_of(request, &inputs, amz_date, &self.scope(amz_date), key);
        hex::encode(mac.finalize().into_bytes())
    }

    /// The headers to add to the request so that it is signed. All `x-amz-*` headers it has, its
    /// `host` and `content-type` are covered.
    pub fn sign(&self, request: &RequestParts<'_>, now: OffsetDateTime) -> Result<HeaderMap, SignError> {
        let amz_date = format_amz_date(now);
        let payload = match request.body.digest() {
            Some(digest) => hex::encode(digest),
            None if is_s3(self.service) => "UNSIGNED-PAYLOAD".into(),
            None => hex::encode(Sha256::digest([])),
        };
        let mut added = HeaderMap::new();
        added.insert("x-amz-date", HeaderValue::from_str(&amz_date)?);
        if let Some(token) = self.session_token {
            added.insert("x-amz-security-token", HeaderValue::from_str(token)?);
        }
        if is_s3(self.service) {
            added.insert("x-amz-content-sha256", HeaderValue::from_str(&payload)?);
        }
        let mut all = request.headers.clone();
        for (name, value) in &added {
            all.insert(name.clone(), value.clone());
        }
        let signed_headers = headers_to_sign(&all, request.authority)?;
        let request = RequestParts { headers: &all, ..*request };
        let signature = self.signature(&request, &signed_headers, &payload, &amz_date);
        let authorization = format!(
            "{ALGORITHM} Credential={}/{}, SignedHeaders={}, Signature={signature}",
            self.access_key_id,
            self.scope(&amz_date),
            signed_headers.join(";")
        );
        added.insert(http::header::AUTHORIZATION, HeaderValue::from_str(&authorization)?);
        Ok(added)
    }

    /// The query string that makes the request a presigned one, good for `expires` seconds. The
    /// headers the request has must be sent along unchanged.
    pub fn presign(&self, request: &RequestParts<'_>, now: OffsetDateTime, expires: u32) -> Result<String, SignError> {
        let amz_date = format_amz_date(now);
        let signed_headers = headers_to_sign(request.headers, request.authority)?;
        let mut query = String::from(request.query);
        let credential = format!("{}/{}", self.access_key_id, self.scope(&amz_date));
        let (expires, names) = (expires.to_string(), signed_headers.join(";"));
        let mut add = |name: &str, value: &str| {
            let mut encoded = Vec::with_capacity(value.len());
            encode(value.bytes(), false, &mut encoded);
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(name);
            query.push('=');
            query.extend(encoded.into_iter().map(char::from));
        };
        add("X-Amz-Algorithm", ALGORITHM);
        add("X-Amz-Credential", &credential);
        add("X-Amz-Date", &amz_date);
        add("X-Amz-Expires", &expires);
        add("X-Amz-SignedHeaders", &names);
        if let Some(token) = self.session_token {
            add("X-Amz-Security-Token", token);
        }
        let payload = match request.body.digest() {
            Some(digest) if !is_s3(self.service) => hex::encode(digest),
            _ if is_s3(self.service) => "UNSIGNED-PAYLOAD".into(),
            _ => hex::encode(Sha256::digest([])),
        };
        let to_sign = RequestParts { query: &query, ..*request };
        let signature = self.signature(&to_sign, &signed_headers, &payload, &amz_date);
        Ok(format!("{query}&X-Amz-Signature={signature}"))
    }
}

fn headers_to_sign(headers: &HeaderMap, authority: Option<&str>) -> Result<Vec<String>, SignError> {
    if !headers.contains_key(http::header::HOST) && authority.is_none() {
        return Err(SignError::NoHost);
    }
    let mut names: Vec<String> = headers
        .keys()
        .map(http::HeaderName::as_str)
        .filter(|name| name.starts_with("x-amz-") || *name == "content-type")
        .map(str::to_owned)
        .collect();
    names.push("host".into());
    names.sort_unstable();
    Ok(names)
}
