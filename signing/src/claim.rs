//! Reading what a request claims: who signed it, when, for which scope, over which headers. A
//! claim proves nothing until [`crate::verify`] has been passed with the right secret.

use http::HeaderMap;
use time::OffsetDateTime;

use crate::{
    ALGORITHM, SigError,
    canonical::percent_decoded,
    date::{format_amz_date, parse_amz_date, parse_date_header},
    keys::Scope,
    parts::RequestParts,
};

/// The longest a presigned URL may be good for: 7 days × 86,400 = 604,800 s.
const LONGEST_EXPIRY: i64 = 604_800;
/// AWS's longest region has 14 characters.
const LONGEST_REGION: usize = 64;
/// No real client signs near as many; keeps a hostile list short.
const MOST_SIGNED_HEADERS: usize = 128;

/// Where the signature was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// In the `Authorization` header.
    Header,
    /// In the query string; good for this many seconds, if it says so.
    Presigned {
        /// `X-Amz-Expires`.
        expires: Option<i64>,
    },
}

/// What the client says about the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// Nothing: the body's own digest is used (and nothing at all, for an S3 presigned URL).
    Unstated,
    /// A digest in hex, as sent.
    Digest(String),
    /// `UNSIGNED-PAYLOAD`.
    Unsigned,
    /// One of the `STREAMING-…` markers. The signature checked here covers the head only; each
    /// chunk carries its own, which whoever reads the body must check.
    Streaming(String),
}

/// What a signed request says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Whose key signed it.
    pub access_key_id: String,
    /// When it was signed.
    pub signed_at: OffsetDateTime,
    /// The day of the scope, `YYYYMMDD`.
    pub day: String,
    /// The region of the scope.
    pub region: String,
    /// The service of the scope (its signing name).
    pub service: String,
    /// The signed headers, lower-case and sorted.
    pub signed_headers: Vec<String>,
    /// Header or presigned.
    pub kind: Kind,
    /// `X-Amz-Security-Token`, if one came along.
    pub session_token: Option<String>,
    /// What it says about the body.
    pub payload: Payload,
    pub(crate) amz_date: String,
    pub(crate) credential: String,
    pub(crate) signature: [u8; 32],
}

impl Claim {
    /// `day/region/service/aws4_request`.
    pub(crate) fn scope(&self) -> &str {
        &self.credential[self.access_key_id.len() + 1..]
    }

    pub(crate) fn key_scope(&self) -> Scope<'_> {
        Scope { day: &self.day, region: &self.region, service: &self.service }
    }

    /// Checks that the request was signed for this service and, if given, this region.
    pub fn expect_scope(&self, service: &str, region: Option<&str>) -> Result<(), SigError> {
        if self.service != service {
            return Err(SigError::WrongScope(format!("Credential should be scoped to correct service: '{service}'.")));
        }
        match region {
            Some(region) if region != self.region => Err(SigError::WrongScope(format!(
                "Credential should be scoped to a valid region, not '{}'.",
                self.region
            ))),
            _ => Ok(()),
        }
    }
}

/// Reads the claim of a request, from its `Authorization` header or its query string.
pub fn parse(request: &RequestParts<'_>) -> Result<Claim, SigError> {
    match request.headers.get(http::header::AUTHORIZATION) {
        Some(value) => {
            let value = value
                .to_str()
                .map_err(|_| SigError::IncompleteSignature("Authorization header is not plain ASCII.".into()))?;
            from_header(request, value)
        }
        None => from_query(request),
    }
}

/// The pieces both forms carry, before they are looked at.
struct Raw<'a> {
    credential: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
    signed_at: OffsetDateTime,
    kind: Kind,
    session_token: Option<String>,
    payload: Payload,
}

fn from_header(request: &RequestParts<'_>, value: &str) -> Result<Claim, SigError> {
    let (algorithm, rest) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
    if algorithm != ALGORITHM {
        return Err(SigError::UnsupportedAlgorithm(shortened(algorithm)));
    }
    let field = |name: &str| rest.split(',').map(str::trim).find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    let (credential, signed_headers, signature) = (field("Credential"), field("SignedHeaders"), field("Signature"));
    let date = date_of(request.headers);
    let (Some(credential), Some(signed_headers), Some(signature), Some(date)) =
        (credential, signed_headers, signature, &date)
    else {
        let mut missing = String::new();
        for (found, name) in [
            (credential.is_some(), "Credential"),
            (signature.is_some(), "Signature"),
            (signed_headers.is_some(), "SignedHeaders"),
        ] {
            if !found {
                missing += &format!("Authorization header requires '{name}' parameter. ");
            }
        }
        if date.is_none() {
            missing += "Authorization header requires existence of either a 'X-Amz-Date' or a \
                        'Date' header. ";
        }
        return Err(SigError::IncompleteSignature(missing.trim_end().into()));
    };
    let signed_at = date.clone().map_err(SigError::IncompleteSignature)?;
    build(Raw {
        credential,
        signed_headers,
        signature,
        signed_at,
        kind: Kind::Header,
        session_token: request.header("x-amz-security-token").map(str::to_owned),
        payload: payload_of(request.header("x-amz-content-sha256")),
    })
}

fn date_of(headers: &HeaderMap) -> Option<Result<OffsetDateTime, String>> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("(not ASCII)"));
    let (name, found, parsed) = match text("x-amz-date") {
        Some(found) => ("X-Amz-Date", found, parse_amz_date(found)),
        None => {
            let found = text("date")?;
            ("Date", found, parse_date_header(found))
        }
    };
    Some(parsed.ok_or_else(|| format!("{name} must be formatted as ISO-8601 basic format. Got '{}'", shortened(found))))
}

fn from_query(request: &RequestParts<'_>) -> Result<Claim, SigError> {
    let field = |name: &str| -> Option<String> {
        request.query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(
            |(_, value)| {
                let bytes: Vec<u8> = percent_decoded(value.as_bytes(), true).collect();
                String::from_utf8_lossy(&bytes).into_owned()
            },
        )
    };
    let bad = |text: String| SigError::BadQueryParameters(text);
    let Some(algorithm) = field("X-Amz-Algorithm") else {
        return Err(if field("X-Amz-Signature").is_some() || field("X-Amz-Credential").is_some() {
            bad("AWS query-string parameters must include 'X-Amz-Algorithm'.".into())
        } else if field("AWSAccessKeyId").is_some() {
            bad("Signature Version 2 is not supported; use Signature Version 4.".into())
        } else {
            SigError::MissingAuthenticationToken
        });
    };
    if algorithm != ALGORITHM {
        return Err(bad(format!(
            "Unsupported AWS 'algorithm': '{}'. Kiln verifies {ALGORITHM} only.",
            shortened(&algorithm)
        )));
    }
    let needed =
        |name: &str| field(name).ok_or_else(|| bad(format!("AWS query-string parameters must include '{name}'.")));
    let credential = needed("X-Amz-Credential")?;
    let date = needed("X-Amz-Date")?;
    let signed_headers = needed("X-Amz-SignedHeaders")?;
    let signature = needed("X-Amz-Signature")?;
    let signed_at = parse_amz_date(&date).ok_or_else(|| {
        bad(format!(
            "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\". Got '{}'",
            shortened(&date)
        ))
    })?;
    let stated = field("X-Amz-Content-Sha256");
    build(Raw {
        credential: &credential,
        signed_headers: &signed_headers,
        signature: &signature,
        signed_at,
        kind: Kind::Presigned { expires: expires_of(field("X-Amz-Expires"))? },
        session_token: field("X-Amz-Security-Token"),
        payload: payload_of(stated.as_deref().or(request.header("x-amz-content-sha256"))),
    })
    .map_err(|error| match error {
        SigError::IncompleteSignature(text) => SigError::BadQueryParameters(text),
        other => other,
    })
}

fn expires_of(text: Option<String>) -> Result<Option<i64>, SigError> {
    let Some(text) = text else { return Ok(None) };
    match text.parse::<i64>() {
        Ok(seconds) if seconds < 0 => Err(SigError::BadQueryParameters("X-Amz-Expires must be non-negative".into())),
        Ok(seconds) if seconds > LONGEST_EXPIRY => Err(SigError::BadQueryParameters(format!(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given \
             X-Amz-Expires must be less than {LONGEST_EXPIRY} seconds"
        ))),
        Ok(seconds) => Ok(Some(seconds)),
        Err(_) => Err(SigError::BadQueryParameters("X-Amz-Expires should be a number".into())),
    }
}

fn payload_of(stated: Option<&str>) -> Payload {
    match stated {
        None => Payload::Unstated,
        Some("UNSIGNED-PAYLOAD") => Payload::Unsigned,
        Some(marker) if marker.starts_with("STREAMING-") => Payload::Streaming(marker.into()),
        Some(digest) => Payload::Digest(digest.into()),
    }
}

fn build(raw: Raw<'_>) -> Result<Claim, SigError> {
    let parts: Vec<&str> = raw.credential.rsplitn(5, '/').collect();
    let [terminator, service, region, day, access_key_id] = parts[..] else {
        return Err(SigError::IncompleteSignature(format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. \
             keyid/date/region/service/term, got '{}'",
            shortened(raw.credential)
        )));
    };
    if access_key_id.is_empty() {
        return Err(SigError::IncompleteSignature("Credential names no access key.".into()));
    }
    if terminator != "aws4_request" {
        return Err(SigError::WrongScope(format!(
            "Credential should be scoped with a valid terminator: 'aws4_request', not '{}'.",
            shortened(terminator)
        )));
    }
    // It becomes a part of names and keys.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if region.is_empty() || region.len() > LONGEST_REGION || !region.bytes().all(plain) {
        let shown = shortened(region);
        return Err(SigError::WrongScope(format!("Credential should be scoped to a valid region, not '{shown}'.")));
    }
    let amz_date = format_amz_date(raw.signed_at);
    if day != &amz_date[..8] {
        return Err(SigError::WrongScope(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
             HTTP: '{}' != '{}', from '{amz_date}'.",
            shortened(day),
            &amz_date[..8]
        )));
    }
    let mut signed_headers: Vec<String> =
        raw.signed_headers.split(';').take(MOST_SIGNED_HEADERS + 1).map(str::to_lowercase).collect();
    if signed_headers.len() > MOST_SIGNED_HEADERS {
        return Err(SigError::IncompleteSignature(format!(
            "SignedHeaders names more than {MOST_SIGNED_HEADERS} headers."
        )));
    }
    signed_headers.sort_unstable();
    let mut signature = [0u8; 32];
    // Not of the right form is answered as any other wrong signature is.
    hex::decode_to_slice(raw.signature, &mut signature).map_err(|_| SigError::SignatureDoesNotMatch)?;
    Ok(Claim {
        access_key_id: access_key_id.into(),
        signed_at: raw.signed_at,
        day: day.into(),
        region: region.into(),
        service: service.into(),
        signed_headers,
        kind: raw.kind,
        session_token: raw.session_token,
        payload: raw.payload,
        amz_date,
        credential: raw.credential.into(),
        signature,
    })
}

/// A caller's text cut to a length fit for an error message.
fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}
