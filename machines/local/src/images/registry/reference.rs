//! What an operator calls an image, and which hosts may be asked for one.

use kiln_machines_spec::{DriverError, DriverResult};
use std::net::IpAddr;

/// What stands before a registry's name.
const SCHEME: &str = "docker://";

/// Where an image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Name and port of the registry.
    pub host: String,
    pub repository: String,
    /// A tag or a digest.
    pub version: String,
}

impl Reference {
    /// Reads `docker://HOST[:PORT]/REPOSITORY[:TAG|@DIGEST]`; without a host it is Docker's registry.
    pub fn parse(text: &str) -> DriverResult<Self> {
        let wrong = || DriverError::Invalid(format!("{text:?} is not {SCHEME}HOST/REPOSITORY:TAG"));
        let rest = text.strip_prefix(SCHEME).ok_or_else(wrong)?;
        let (host, path) = match rest.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host, path.to_owned()),
            Some(_) => ("docker.io", rest.to_owned()),
            None => ("docker.io", format!("library/{rest}")),
        };
        let host = if host == "docker.io" { "registry-1.docker.io" } else { host };
        let (path, digest) = match path.split_once('@') {
            Some((path, digest)) => (path.to_owned(), Some(digest.to_owned())),
            None => (path, None),
        };
        let (repository, tag) = path.split_once(':').map_or((path.as_str(), "latest"), |(path, tag)| (path, tag));
        let version = digest.unwrap_or_else(|| tag.to_owned());
        let plain = |text: &str, more: &[u8]| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
        };
        let parts = repository.split('/').all(|part| plain(part, b"._-") && !part.starts_with('.'));
        let versions = match version.strip_prefix("sha256:") {
            Some(hex) => is_hex(hex),
            None => plain(&version, b"._-") && version.len() <= 128,
        };
        if !parts || !versions || !plain(host, b".-:[]") {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), repository: repository.to_owned(), version })
    }

    /// Where the registry has that version of a thing of the repository.
    pub fn url(&self, what: &str, version: &str) -> String {
        let scheme = if is_loopback(&self.host) { "http" } else { "https" };
        format!("{scheme}://{}/v2/{}/{what}/{version}", self.host, self.repository)
    }
}

/// Whether a text is a SHA-256 as digests write it.
pub fn is_hex(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
}

/// Whether a host, with or without a port, is this one.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The host of a URL that may be asked.
pub fn allowed(url: &str) -> DriverResult<&str> {
    let strange = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '"' | '\\');
    let host = |rest: &'static str| url.strip_prefix(rest).map(|rest| rest.split(['/', '?', '#']).next().unwrap_or(""));
    match (host("https://"), host("http://")) {
        _ if url.contains(strange) || url.len() > 8192 => {}
        (Some(host), _) if !host.is_empty() && !host.contains('@') => return Ok(host),
        (None, Some(host)) if is_loopback(host) && !host.contains('@') => return Ok(host),
        _ => {}
    }
    let shown: String = url.chars().filter(|c| !c.is_control()).take(200).collect();
    Err(DriverError::Invalid(format!("{shown:?} is not asked: only https is, and plain http on loopback")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_as_docker_reads_them() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (text, host, repository, version) in [
            ("docker://debian", "registry-1.docker.io", "library/debian", "latest"),
            ("docker://me/app:1", "registry-1.docker.io", "me/app", "1"),
            ("docker://quay.io/a/b:c", "quay.io", "a/b", "c"),
            ("docker://localhost:5000/x", "localhost:5000", "x", "latest"),
            (&format!("docker://[::1]:5000/x@{digest}"), "[::1]:5000", "x", &digest),
        ] {
            let wanted = Reference { host: host.into(), repository: repository.into(), version: version.into() };
            assert_eq!(Reference::parse(text).expect(text), wanted);
        }
        for text in [
            "debian",
            "docker://",
            "docker://h.x/",
            "docker://h.x/a b",
            "docker://h.x/../a",
            "docker://h.x/a@sha256:1",
            "docker://h.x/a:b\"c",
        ] {
            assert!(Reference::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn plain_http_is_for_loopback_alone() {
        let url = |text| Reference::parse(text).expect("valid").url("manifests", "1");
        assert!(url("docker://127.0.0.1:5000/x").starts_with("http://127.0.0.1:5000/v2/x/"));
        assert!(url("docker://127.0.0.1.example.com/x").starts_with("https://"));
        assert!(url("docker://localhost.example.com/x").starts_with("https://"));
        for good in ["https://a.b/c?d", "http://127.0.0.2:5000/x", "http://[::1]/x", "http://localhost/x"] {
            assert!(allowed(good).is_ok(), "{good}");
        }
        for bad in [
            "http://a.b/",
            "http://169.254.169.254/",
            "file:///etc/passwd",
            "https://",
            "https://a.b/\"\nurl = x",
            "http://127.0.0.1@a.b/",
            "http://localhost.evil/",
            "",
        ] {
            assert!(allowed(bad).is_err(), "{bad}");
        }
    }
}
