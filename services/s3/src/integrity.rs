//! What a caller says of a body's bytes, and whether it is so: `Content-MD5` and checksums, in the head or
//! after the body, of objects and of documents alike. Whoever says nothing is believed, but for the few
//! operations whose body S3 takes from nobody unchecked. Source: the S3 User Guide, "Checking object
//! integrity for data uploads", and the S3 API Reference, "Common request headers".
//!
//! ```text
//! head ─► Promised (can that be so at all?) ─► Check ◄─ bytes ─► what they really have, or BadDigest
//! ```

use crate::checksum::{Algorithm, Checksum, Hasher};
use crate::errors;
use base64::{Engine, engine::general_purpose::STANDARD};
use kiln_service_kit::{Cx, Error, Kind, Location, Operation, Streams};
use md5::{Digest, Md5};

/// Checksums that AWS has and Kiln does not compute.
const NOT_BUILT: [&str; 5] = ["sha512", "md5", "xxhash64", "xxhash3", "xxhash128"];
/// What else begins with `x-amz-checksum-`, and is none.
const NO_CHECKSUM: [&str; 3] = ["mode", "type", "algorithm"];
/// Whose body must come with a digest. AWS's model marks more operations so, for its clients to send one;
/// these are those that S3 is known to refuse without.
const DEMAND: [&str; 2] = ["DeleteObjects", "PutBucketTagging"];

/// What the caller said of the bytes.
#[derive(Default)]
pub struct Promised {
    /// `Content-MD5`.
    md5: Option<[u8; 16]>,
    checksum: Option<Checksum>,
    /// Named in the head, and its value comes after the body.
    trailing: Option<Algorithm>,
}

impl Promised {
    /// As the head of a call from outside says it.
    pub fn of_head(said: &Streams) -> Result<Self, Error> {
        let mut checksum = None;
        for (name, value) in said.head() {
            let Some(kind) = name.strip_prefix("x-amz-checksum-").filter(|kind| !NO_CHECKSUM.contains(kind)) else {
                continue;
            };
            let given = Checksum { algorithm: named(kind, name)?, value: value.clone() };
            if checksum.replace(given).is_some() {
                return Err(more_than_one());
            }
        }
        let trailing = said.header("x-amz-trailer").map(trailing).transpose()?;
        if checksum.is_some() && trailing.is_some() {
            return Err(more_than_one());
        }
        let promised = Self { trailing, ..Self::given(said.header("content-md5"), checksum)? };
        if let Some(meant) = said.header("x-amz-sdk-checksum-algorithm") {
            promised.check_meant(meant)?;
        }
        Ok(promised)
    }

    /// As a request of another service's says it.
    pub fn given(md5: Option<&str>, checksum: Option<Checksum>) -> Result<Self, Error> {
        let bytes = |text: &str| STANDARD.decode(text).ok()?.try_into().ok();
        let md5 = md5.map(|text| bytes(text).ok_or_else(|| errors::invalid_digest(text))).transpose()?;
        match &checksum {
            Some(said) if !said.is_well_formed() => Err(errors::invalid_checksum(&said.algorithm.header())),
            _ => Ok(Self { md5, checksum, trailing: None }),
        }
    }

    /// Of a call of either kind.
    pub fn of_call(cx: &Cx, md5: Option<&str>, checksum: Option<Checksum>) -> Result<Self, Error> {
        match cx.streams() {
            Some(said) => Self::of_head(said),
            None => Self::given(md5, checksum),
        }
    }

    /// The algorithm of the checksum that was or will be given.
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.checksum.as_ref().map(|checksum| checksum.algorithm).or(self.trailing)
    }

    fn is_nothing(&self) -> bool {
        self.md5.is_none() && self.algorithm().is_none()
    }

    /// Clients say beside the checksum which one they meant to send.
    fn check_meant(&self, meant: &str) -> Result<(), Error> {
        let lower = meant.to_ascii_lowercase();
        let known = Algorithm::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(meant));
        match (known, self.algorithm()) {
            (None, _) if NOT_BUILT.contains(&&*lower) => Err(Error::not_built(format!("s3: the checksum {meant}"))),
            (None, _) => {
                let all = Algorithm::ALL.map(Algorithm::name).join(", ");
                Err(errors::invalid_request(&format!(
                    "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [{all}]"
                )))
            }
            (Some(_), None) => Err(errors::invalid_request(
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
            )),
            (Some(known), Some(given)) if known != given => {
                Err(errors::invalid_checksum("x-amz-sdk-checksum-algorithm"))
            }
            _ => Ok(()),
        }
    }
}

fn named(kind: &str, header: &str) -> Result<Algorithm, Error> {
    if NOT_BUILT.contains(&kind) {
        return Err(Error::not_built(format!("s3: the checksum {header}")));
    }
    let known = Algorithm::ALL.into_iter().find(|algorithm| algorithm.header() == header);
    let text = "The algorithm type you specified in x-amz-checksum- header is invalid.";
    known.ok_or_else(|| errors::invalid_request(text))
}

fn trailing(header: &str) -> Result<Algorithm, Error> {
    let name = header.trim().to_ascii_lowercase();
    match name.strip_prefix("x-amz-checksum-") {
        Some(kind) => named(kind, &name),
        None => Err(errors::invalid_request("The value specified in the x-amz-trailer header is not supported")),
    }
}

fn more_than_one() -> Error {
    errors::invalid_request("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
}

/// Computes what was promised, and what is kept of an object in any case.
pub struct Check {
    promised: Promised,
    md5: Md5,
    hasher: Hasher,
    algorithm: Algorithm,
}

impl Check {
    /// `otherwise` is computed where no checksum was promised.
    pub fn new(promised: Promised, otherwise: Algorithm) -> Self {
        let algorithm = promised.algorithm().unwrap_or(otherwise);
        Self { promised, md5: Md5::new(), hasher: Hasher::new(algorithm), algorithm }
    }

    pub fn update(&mut self, data: &[u8]) {
        self.md5.update(data);
        self.hasher.update(data);
    }

    /// The MD5 and the checksum, if they are what was promised in the head and after the body.
    pub fn finish(self, said: Option<&Streams>) -> Result<([u8; 16], Checksum), Error> {
        let Self { promised, md5, hasher, algorithm } = self;
        let (md5, checksum): ([u8; 16], _) = (md5.finalize().into(), hasher.finish());
        if let Some(wanted) = promised.md5.filter(|wanted| *wanted != md5) {
            return Err(errors::bad_md5(&hex::encode(wanted), &STANDARD.encode(md5)));
        }
        let trailers = said.map(Streams::trailers).unwrap_or_default();
        let mut sums = trailers.iter().filter(|(name, _)| name.starts_with("x-amz-checksum-"));
        let after = match (sums.next(), promised.trailing) {
            (None, None) => None,
            (Some((name, value)), Some(wanted)) if *name == wanted.header() && sums.next().is_none() => Some(value),
            // Another than was announced, or none.
            _ => return Err(errors::malformed_trailer()),
        };
        let wanted = promised.checksum.as_ref().map(|checksum| &checksum.value).or(after);
        if wanted.is_some_and(|wanted| *wanted != checksum.value) {
            return Err(errors::bad_digest(algorithm.name()));
        }
        Ok((md5, checksum))
    }
}

/// Whether an operation's body is checked against its head: those of all that change something.
fn is_checked(operation: &Operation) -> bool {
    matches!(operation.http.method, "PUT" | "POST")
}

/// Whether the checksums in an operation's head are of an object that is no body (CompleteMultipartUpload).
fn speaks_of_an_object(operation: &Operation) -> bool {
    let members = operation.input.members;
    let has_header = members.iter().any(|member| member.location == Location::Header("x-amz-checksum-crc32"));
    let is_body = members.iter().any(|m| m.location == Location::Payload && matches!((m.kind)(), Kind::Blob));
    has_header && !is_body
}

fn promised_of(operation: &Operation, said: &Streams) -> Result<Promised, Error> {
    match (is_checked(operation), speaks_of_an_object(operation)) {
        (false, _) => Ok(Promised::default()),
        (true, true) => Promised::given(said.header("content-md5"), None),
        (true, false) => Promised::of_head(said),
    }
}

/// Whether what a head says can be so.
pub fn check_head(operation: &Operation, said: &Streams) -> Result<(), Error> {
    promised_of(operation, said).map(drop)
}

/// Holds a document against its head.
pub fn check_body(operation: &Operation, said: &Streams, body: &[u8]) -> Result<(), Error> {
    let is_document = |m: &&kiln_service_kit::Member| m.location == Location::Payload;
    let document = operation.input.members.iter().find(is_document);
    if body.is_empty() && document.is_some_and(|member| member.limits.required) {
        return Err(errors::missing_body());
    }
    let promised = promised_of(operation, said)?;
    if promised.is_nothing() && said.trailers().is_empty() {
        return match DEMAND.contains(&operation.name) {
            true => Err(errors::digest_demanded()),
            false => Ok(()),
        };
    }
    let mut check = Check::new(promised, Algorithm::Crc64Nvme);
    check.update(body);
    check.finish(Some(said)).map(drop)
}
