//! What a request points at in S3: `TemplateURL`, `StackPolicyURL`.
//!
//! Read through S3's own GetObject as whoever asks, so that his policies decide. No other host is ever
//! asked: a URL is taken apart into bucket and key, in every form that AWS, its clients and this
//! platform's own address give it.
//!
//! | host | bucket |
//! |---|---|
//! | `s3.amazonaws.com`, `s3.REGION.…`, `s3-REGION.…`, `s3.dualstack.REGION.…` | first part of the path |
//! | `BUCKET.s3.amazonaws.com`, and with the others | before the host |
//! | `s3.localhost`, `BUCKET.s3.REGION.localhost`, `BUCKET.localhost` | the same |
//! | `localhost`, a loopback address, the API's address in machines, the host that was called | first part of the path |

use crate::errors::validation;
use kiln_s3_shapes::GetObjectRequest;
use kiln_service_kit::{Cx, Error, Fault};
use percent_encoding::percent_decode_str;
use std::net::IpAddr;

/// Where AWS's sentence says to read on.
const READ_ON: &str = "For more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html";
/// The API's address inside machines.
const IN_MACHINES: &str = "169.254.169.254";

/// An object, as a URL names it.
#[derive(Debug, PartialEq)]
struct Place {
    bucket: String,
    key: String,
    version: Option<String>,
}

/// The text of the object that `member` of a request points at, of at most so many bytes and one: who
/// asks says what is too long.
pub async fn fetch(cx: &Cx, member: &str, url: &str, most: usize) -> Result<String, Error> {
    let place = Place::read(member, url, cx.request_host())?;
    let request = GetObjectRequest {
        bucket: place.bucket,
        key: place.key,
        version_id: place.version,
        range: Some(format!("bytes=0-{most}")),
        ..Default::default()
    };
    let bytes = match cx.call(request).await {
        Ok(answer) => answer.body.map_or_else(Vec::new, |body| body.0),
        // An object without any bytes.
        Err(error) if error.is("InvalidRange") => vec![],
        Err(error) if error.fault == Fault::Sender => {
            return Err(validation(format!("S3 error: {}\n{READ_ON}", error.message)));
        }
        Err(error) => return Err(error),
    };
    // What is too long may have been cut within a character.
    let length = bytes.len();
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) if length > most => Ok(String::from_utf8_lossy(error.as_bytes()).into_owned()),
        Err(_) => Err(validation(format!("The object that {member} points at is not text in UTF-8."))),
    }
}

impl Place {
    /// Takes a URL apart; `called` is the host that the request came to.
    fn read(member: &str, url: &str, called: Option<&str>) -> Result<Self, Error> {
        let unsupported = || validation(format!("{member} must be a supported URL."));
        let no_object = || validation(format!("{member} must reference a valid S3 object to which you have access."));
        let (scheme, rest) = url.split_once("://").ok_or_else(unsupported)?;
        let (rest, _) = rest.split_once('#').unwrap_or((rest, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let authority = authority.to_ascii_lowercase();
        let secure = match &*scheme.to_ascii_lowercase() {
            "https" => true,
            "http" => false,
            "ssm-doc" => return Err(Error::not_built(format!("{member} of a Systems Manager document"))),
            "s3" => {
                let text = format!("S3 error: Domain name specified in {authority} is not a valid S3 domain");
                return Err(validation(text));
            }
            _ => return Err(unsupported()),
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(String::from).map_err(|_| no_object());
        let (bucket, key) = match Host::of(&authority, secure, called).ok_or_else(unsupported)? {
            Host::Path => path.split_once('/').ok_or_else(no_object)?,
            Host::Bucket(bucket) => (bucket, path),
        };
        let (bucket, key) = (decoded(bucket)?, decoded(key)?);
        if bucket.is_empty() || key.is_empty() {
            return Err(no_object());
        }
        let version = query.split('&').find_map(|pair| pair.strip_prefix("versionId="));
        Ok(Self { bucket, key, version: version.map(decoded).transpose()? })
    }
}

/// How a host of S3's names the bucket.
enum Host<'h> {
    /// It does not: the path does.
    Path,
    Bucket(&'h str),
}

impl<'h> Host<'h> {
    /// None for a host that is not S3's.
    fn of(authority: &'h str, secure: bool, called: Option<&str>) -> Option<Self> {
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
            _ => authority,
        };
        let of_aws = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"));
        if let Some(labels) = of_aws {
            return Self::named(labels).filter(|_| secure);
        }
        let here = host.strip_suffix(".localhost");
        if let Some(named) = here.and_then(Self::named) {
            return Some(named);
        }
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
        if loopback || host == IN_MACHINES || called.is_some_and(|called| called.eq_ignore_ascii_case(authority)) {
            return Some(Self::Path);
        }
        here.map(Self::Bucket)
    }

    /// By the labels before the domain; the last one of S3's counts, for a bucket's name may have dots.
    fn named(labels: &'h str) -> Option<Self> {
        let of_s3 = |label: &str| {
            let other = label.starts_with("s3-website") || label.starts_with("s3-accesspoint");
            label == "s3" || (label.starts_with("s3-") && !other)
        };
        let mut end = labels.len();
        for label in labels.rsplit('.') {
            let start = end - label.len();
            if of_s3(label) {
                return Some(if start == 0 { Self::Path } else { Self::Bucket(&labels[..start - 1]) });
            }
            end = start.saturating_sub(1);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<(String, String, Option<String>), String> {
        let place = Place::read("TemplateURL", url, Some("kiln.lan:4566")).map_err(|error| error.message)?;
        Ok((place.bucket, place.key, place.version))
    }

    #[test]
    fn every_form_of_an_address_names_bucket_and_key() {
        for url in [
            "https://s3.amazonaws.com/my.docs/a/b.yaml",
            "https://s3.eu-west-1.amazonaws.com/my.docs/a/b.yaml",
            "https://s3-eu-west-1.amazonaws.com/my.docs/a/b.yaml",
            "https://s3.dualstack.eu-west-1.amazonaws.com/my.docs/a/b.yaml",
            "https://s3.cn-north-1.amazonaws.com.cn/my.docs/a/b.yaml",
            "https://my.docs.s3.amazonaws.com/a/b.yaml",
            "https://my.docs.s3.eu-west-1.amazonaws.com/a/b.yaml",
            "HTTPS://my.docs.S3-eu-west-1.amazonaws.com/a/b.yaml",
            "http://127.0.0.1:4566/my.docs/a/b.yaml",
            "http://localhost:4566/my.docs/a/b.yaml",
            "http://[::1]:4566/my.docs/a%2Fb.yaml",
            "http://169.254.169.254:4566/my.docs/a/b.yaml",
            "http://kiln.lan:4566/my.docs/a/b.yaml",
            "http://s3.localhost:4566/my.docs/a/b.yaml",
            "http://s3.eu-west-1.localhost:4566/my.docs/a/b.yaml",
            "http://my.docs.s3.localhost:4566/a/b.yaml",
            "http://my.docs.localhost:4566/a/b.yaml#here",
        ] {
            assert_eq!(read(url), Ok(("my.docs".into(), "a/b.yaml".into(), None)), "{url}");
        }
        let version = read("https://s3.amazonaws.com/docs/a%20b?x=1&versionId=a%2B");
        assert_eq!(version, Ok(("docs".into(), "a b".into(), Some("a+".into()))));
        assert_eq!(read("https://s3-docs.s3.amazonaws.com/k").unwrap().0, "s3-docs");
    }

    #[test]
    fn other_addresses_are_refused() {
        for url in [
            "plain.yaml",
            "ftp://s3.amazonaws.com/b/k",
            "https://example.com/b/k",
            "http://s3.amazonaws.com/b/k",
            "https://ec2.amazonaws.com/b/k",
            "https://s3.amazonaws.com.example.com/b/k",
            "https://b.s3-website-us-east-1.amazonaws.com/k",
            "http://10.0.0.1:4566/b/k",
        ] {
            assert_eq!(read(url), Err("TemplateURL must be a supported URL.".into()), "{url}");
        }
        for url in [
            "https://s3.amazonaws.com/b",
            "https://s3.amazonaws.com/b/",
            "https://b.s3.amazonaws.com",
            "http://localhost:1//k",
        ] {
            let text = "TemplateURL must reference a valid S3 object to which you have access.";
            assert_eq!(read(url), Err(text.into()), "{url}");
        }
        let text = "S3 error: Domain name specified in b is not a valid S3 domain";
        assert_eq!(read("s3://b/k"), Err(text.into()));
    }
}
