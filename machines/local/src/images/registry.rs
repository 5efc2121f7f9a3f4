//! Images from a registry, by the OCI distribution protocol.
//!
//! ```text
//!   docker://HOST/REPOSITORY:TAG ─► manifest ─► config and layers ─► an OCI layout ─► oci.rs
//! ```
//!
//! curl does the transport, so that certificates and proxies are the host's own. What it may do is
//! narrow: https, and plain http to loopback only; redirects are followed here, at most five, under
//! the same rule and without credentials to another host; every body has a length it cannot pass.
//! Everything is compared with its digest as soon as it is here. Layers that lie elsewhere ("foreign",
//! with URLs of their own) are refused. Credentials come from a file of `docker login`'s form and
//! reach curl by its standard input, never as words of a command line.
//!
//! Turned down: a client library with a TLS stack of its own for one command of an operator.
//!
//! Sources: OCI Distribution Specification 1.1, OCI Image Specification 1.1, Docker Registry v2
//! authentication.

use super::layers::digest_of;
use super::store::ARCHITECTURE;
use crate::host::child::{self, Surroundings};
use crate::host::files;
use kiln_machines_spec::{DriverError, DriverResult, Progress};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// What stands before a registry's name.
pub const SCHEME: &str = "docker://";

/// Largest manifest, config or token answer.
const MOST_TEXT: u64 = 4 << 20;
/// Largest image, as it is sent: 32 GiB.
const MOST_BYTES: u64 = 32 << 30;
/// Most layers of an image.
const MOST_LAYERS: usize = 256;
const MOST_REDIRECTS: usize = 5;
/// How often a download is looked at.
const LOOK: Duration = Duration::from_millis(100);

const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// Where an image is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reference {
    /// Name and port of the registry.
    host: String,
    repository: String,
    /// A tag or a digest.
    version: String,
}

impl Reference {
    /// Reads `docker://HOST[:PORT]/REPOSITORY[:TAG|@DIGEST]`; without a host it is Docker's registry.
    fn parse(text: &str) -> DriverResult<Self> {
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

    fn url(&self, what: &str, version: &str) -> String {
        let scheme = if is_loopback(&self.host) { "http" } else { "https" };
        format!("{scheme}://{}/v2/{}/{what}/{version}", self.host, self.repository)
    }
}

fn is_hex(text: &str) -> bool {
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
fn allowed(url: &str) -> DriverResult<&str> {
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

#[derive(Deserialize)]
struct Manifest {
    #[serde(default, rename = "schemaVersion")]
    schema: u32,
    config: Option<Blob>,
    #[serde(default)]
    layers: Vec<Blob>,
    #[serde(default)]
    manifests: Vec<Blob>,
}

#[derive(Deserialize)]
struct Blob {
    #[serde(default, rename = "mediaType")]
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default)]
    urls: Vec<String>,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    architecture: String,
    os: String,
}

impl Blob {
    fn hex(&self) -> DriverResult<&str> {
        let hex = self.digest.strip_prefix("sha256:").filter(|hex| is_hex(hex));
        hex.ok_or_else(|| DriverError::Invalid(format!("{:?} is no sha256 digest", self.digest)))
    }
}

/// Brings an image into `layout`, as an OCI layout.
pub fn pull(
    reference: &str,
    credentials: Option<&Path>,
    layout: &Path,
    work: &Path,
    progress: &dyn Progress,
) -> DriverResult<()> {
    let at = Reference::parse(reference)?;
    let login = credentials.map(|file| login(file, &at.host)).transpose()?;
    let mut registry = Registry { at, login, token: None, work: work.to_owned(), progress };
    files::make_dir(&layout.join("blobs/sha256"))?;
    progress.step("asking the registry for the image", Some(0.0));
    let (digest, manifest) = registry.manifest(layout)?;
    let config = manifest.config.as_ref().ok_or_else(|| DriverError::Invalid("the image has no config".to_owned()))?;
    check(&manifest, config)?;
    registry.blob(config, layout, (0, 1), "the image's config", MOST_TEXT)?;
    let total: u64 = manifest.layers.iter().map(|layer| layer.size).sum();
    let mut done = 0;
    for (n, layer) in manifest.layers.iter().enumerate() {
        let text = format!("layer {} of {}", n + 1, manifest.layers.len());
        registry.blob(layer, layout, (done, total.max(1)), &text, MOST_BYTES)?;
        done += layer.size;
    }
    let index = serde_json::json!({"schemaVersion": 2, "manifests": [{"digest": digest}]});
    files::write_json(&layout.join("index.json"), &index)
}

/// Refuses what is too large and what lies elsewhere, before any of it is fetched.
fn check(manifest: &Manifest, config: &Blob) -> DriverResult<()> {
    if manifest.layers.len() > MOST_LAYERS {
        return Err(DriverError::Invalid(format!("the image has more than {MOST_LAYERS} layers")));
    }
    let total = manifest.layers.iter().try_fold(config.size, |sum, layer| sum.checked_add(layer.size));
    if total.is_none_or(|total| total > MOST_BYTES) || config.size > MOST_TEXT {
        return Err(DriverError::Invalid(format!("the image is larger than {MOST_BYTES} bytes, or its config is")));
    }
    for layer in &manifest.layers {
        if !layer.urls.is_empty() || ["foreign", "nondistributable"].iter().any(|w| layer.media_type.contains(w)) {
            let text =
                format!("the layer {} lies outside of the registry (a foreign layer): not supported", layer.digest);
            return Err(DriverError::Invalid(text));
        }
        layer.hex()?;
    }
    Ok(())
}

struct Registry<'a> {
    at: Reference,
    /// `user:password` in base64.
    login: Option<String>,
    /// The Authorization header in use.
    token: Option<String>,
    work: PathBuf,
    progress: &'a dyn Progress,
}

/// An answer: its status and headers; the body is in the file.
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
}

impl Registry<'_> {
    /// The manifest for this host, kept in the layout, and its digest.
    fn manifest(&mut self, layout: &Path) -> DriverResult<(String, Manifest)> {
        let mut version = self.at.version.clone();
        // An index may lead to an index, but hardly to a deeper one.
        for _ in 0..4 {
            let file = self.work.join("manifest");
            self.get(&self.at.url("manifests", &version), &file, MOST_TEXT, None)?;
            let digest = digest_of(&file)?.as_str().replacen('-', ":", 1);
            if version.starts_with("sha256:") && version != digest {
                return Err(corrupt(&self.at, &version, &digest));
            }
            let manifest: Manifest = files::read_json(&file)?
                .ok_or_else(|| DriverError::Invalid("the registry sent no manifest".to_owned()))?;
            if manifest.schema != 2 {
                return Err(DriverError::Invalid(format!("manifests of schema {} are not supported", manifest.schema)));
            }
            if manifest.config.is_some() {
                let hex = digest.trim_start_matches("sha256:");
                let kept = layout.join("blobs/sha256").join(hex);
                fs::rename(&file, &kept).map_err(|e| DriverError::failed("keep the manifest", e))?;
                return Ok((digest, manifest));
            }
            let ours =
                |blob: &&Blob| blob.platform.as_ref().is_none_or(|p| p.architecture == ARCHITECTURE && p.os == "linux");
            let chosen = manifest.manifests.iter().find(ours);
            let chosen = chosen
                .ok_or_else(|| DriverError::Invalid(format!("the image is not made for linux on {ARCHITECTURE}")))?;
            chosen.hex()?;
            version.clone_from(&chosen.digest);
        }
        Err(DriverError::Invalid("the image's index leads to no manifest".to_owned()))
    }

    /// One blob into the layout; `done` is how many bytes of how many are there already.
    fn blob(&mut self, blob: &Blob, layout: &Path, done: (u64, u64), text: &str, most: u64) -> DriverResult<()> {
        let kept = layout.join("blobs/sha256").join(blob.hex()?);
        if kept.exists() {
            return Ok(());
        }
        let file = self.work.join("blob");
        let url = self.at.url("blobs", &blob.digest);
        self.get(&url, &file, blob.size.min(most), Some((text, done)))?;
        let actual = digest_of(&file)?.as_str().replacen('-', ":", 1);
        if actual != blob.digest {
            return Err(corrupt(&self.at, &blob.digest, &actual));
        }
        fs::rename(&file, &kept).map_err(|e| DriverError::failed("keep a blob", e))
    }

    /// Gets a URL of the registry into a file, with a token if it wants one.
    fn get(&mut self, url: &str, file: &Path, most: u64, shown: Option<(&str, (u64, u64))>) -> DriverResult<()> {
        let mut answer = self.follow(url, file, most, shown)?;
        if answer.status == 401 {
            self.token = Some(self.authorize(answer.headers.get("www-authenticate").map_or("", String::as_str))?);
            answer = self.follow(url, file, most, shown)?;
        }
        match answer.status {
            200 => Ok(()),
            401 | 403 => Err(DriverError::Invalid(format!(
                "{} does not give {} to this caller (status {}); credentials: --credentials FILE",
                self.at.host, self.at.repository, answer.status
            ))),
            404 => {
                Err(DriverError::Invalid(format!("{} has no {}", self.at.host, url.split("/v2/").last().unwrap_or(""))))
            }
            status => Err(DriverError::Invalid(format!("{} answers with status {status}", self.at.host))),
        }
    }

    /// Follows redirects; the token goes to the registry alone.
    fn follow(&self, url: &str, file: &Path, most: u64, shown: Option<(&str, (u64, u64))>) -> DriverResult<Answer> {
        let mut url = url.to_owned();
        for _ in 0..=MOST_REDIRECTS {
            let host = allowed(&url)?;
            let token = self.token.as_deref().filter(|_| host == self.at.host);
            let answer = self.curl(&url, token, file, most, shown)?;
            if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            let to = answer.headers.get("location").map_or("", String::as_str);
            let scheme = url.split("://").next().unwrap_or("https");
            url = if to.starts_with('/') { format!("{scheme}://{host}{to}") } else { to.to_owned() };
        }
        Err(DriverError::Invalid(format!("{} redirects more than {MOST_REDIRECTS} times", self.at.host)))
    }

    /// The Authorization header that a challenge asks for.
    fn authorize(&self, challenge: &str) -> DriverResult<String> {
        let needs = || {
            let text = format!("{} wants a login; give it with --credentials FILE", self.at.host);
            DriverError::Invalid(text)
        };
        let (kind, parameters) = challenge.split_once(' ').unwrap_or((challenge, ""));
        if kind.eq_ignore_ascii_case("basic") {
            return self.login.as_ref().map(|login| format!("Basic {login}")).ok_or_else(needs);
        }
        if !kind.eq_ignore_ascii_case("bearer") {
            return Err(DriverError::Invalid(format!(
                "{} wants a login of a kind that is not supported",
                self.at.host
            )));
        }
        let given = parameters_of(parameters);
        let realm = given.get("realm").ok_or_else(needs)?;
        let mut url = format!("{realm}{}", if realm.contains('?') { "&" } else { "?" });
        if let Some(service) = given.get("service") {
            url.push_str(&format!("service={}&", escaped(service)));
        }
        url.push_str(&format!("scope={}", escaped(&format!("repository:{}:pull", self.at.repository))));
        allowed(&url)?;
        let file = self.work.join("token");
        let login = self.login.as_ref().map(|login| format!("Basic {login}"));
        let answer = self.curl(&url, login.as_deref(), &file, MOST_TEXT, None)?;
        if answer.status != 200 {
            return Err(DriverError::Invalid(format!(
                "the login at {} ends with status {}",
                self.at.host, answer.status
            )));
        }
        #[derive(Deserialize)]
        struct Given {
            token: Option<String>,
            access_token: Option<String>,
        }
        let given: Option<Given> = files::read_json(&file)?;
        files::remove_all(&file)?;
        let token = given.and_then(|given| given.token.or(given.access_token));
        let plain = |token: &String| token.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
        let token = token.filter(plain).ok_or_else(|| DriverError::Invalid("the login gave no token".to_owned()))?;
        Ok(format!("Bearer {token}"))
    }

    fn curl(
        &self,
        url: &str,
        authorization: Option<&str>,
        file: &Path,
        most: u64,
        shown: Option<(&str, (u64, u64))>,
    ) -> DriverResult<Answer> {
        files::remove_all(file)?;
        let heads = self.work.join("heads");
        let doing = || format!("ask {} for the image", self.at.host);
        let mut settings = format!("url = \"{url}\"\nheader = \"Accept: {MANIFESTS}, */*\"\n");
        if let Some(value) = authorization {
            settings.push_str(&format!("header = \"Authorization: {value}\"\n"));
        }
        let mut command = child::command("curl")?;
        command.args(["--disable", "--config", "-", "--silent", "--show-error", "--proto", "=http,https"]);
        command.args(["--connect-timeout", "20", "--speed-limit", "1", "--speed-time", "60"]);
        // A refusal may say more than the blob that was asked for is long.
        let most = most.max(1 << 16);
        command.arg("--max-filesize").arg(most.to_string());
        command.arg("--write-out").arg("%{http_code}");
        command.arg("--dump-header").arg(&heads).arg("--output").arg(file);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A body that does not tell its length ends there.
        let around = Surroundings { dies_with_kiln: true, largest_file: Some(most), ..Surroundings::default() };
        around.apply(&mut command);
        let mut running = command.spawn().map_err(|e| child::start_error("curl", e))?;
        if let Some(mut input) = running.stdin.take() {
            input.write_all(settings.as_bytes()).map_err(|e| DriverError::failed(doing(), e))?;
        }
        while running.try_wait().map_err(|e| DriverError::failed(doing(), e))?.is_none() {
            if let Some((text, (before, total))) = shown {
                let here = fs::metadata(file).map_or(0, |meta| meta.len());
                let text = format!("{text}: {} of {} MiB", (before + here) >> 20, total >> 20);
                self.progress.step(&text, Some((before + here) as f32 / total as f32));
            }
            std::thread::sleep(LOOK);
        }
        let ended = running.wait_with_output().map_err(|e| DriverError::failed(doing(), e))?;
        if !ended.status.success() {
            let said = String::from_utf8_lossy(&ended.stderr).into_owned();
            return Err(child::exit_error(&doing(), "curl", &ended.status.to_string(), &said));
        }
        let status = String::from_utf8_lossy(&ended.stdout).trim().parse().unwrap_or(0);
        let text = fs::read(&heads).map_err(|e| DriverError::failed(doing(), e))?;
        Ok(Answer { status, headers: headers_of(&String::from_utf8_lossy(&text)) })
    }
}

/// The headers of the last answer in a dump.
fn headers_of(text: &str) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    for line in text.lines() {
        if line.starts_with("HTTP/") {
            headers.clear();
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    headers
}

/// `realm="https://x",service="y"`.
fn parameters_of(text: &str) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::new();
    let mut rest = text;
    while let Some((name, tail)) = rest.split_once('=') {
        let (value, after) = match tail.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => tail.split_once(',').unwrap_or((tail, "")),
        };
        let name = name.trim_matches([',', ' ']).to_ascii_lowercase();
        parameters.insert(name, value.to_owned());
        rest = after;
    }
    parameters
}

fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~:/".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// The login for a registry in a file of `docker login`'s form.
fn login(file: &Path, host: &str) -> DriverResult<String> {
    #[derive(Deserialize)]
    struct Logins {
        #[serde(default)]
        auths: BTreeMap<String, Login>,
    }
    #[derive(Deserialize)]
    struct Login {
        auth: Option<String>,
    }
    let found: Option<Logins> = files::read_json(file)?;
    let found = found.ok_or_else(|| DriverError::Invalid(format!("{} is not there", file.display())))?;
    let names = [host.to_owned(), format!("https://{host}"), format!("https://{host}/v1/")];
    let hub = ["docker.io", "index.docker.io", "https://index.docker.io/v1/"].map(str::to_owned);
    let hub = hub.into_iter().filter(|_| host == "registry-1.docker.io");
    let login = names.into_iter().chain(hub).find_map(|name| found.auths.get(&name)?.auth.clone());
    let plain = |login: &String| login.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
    login.filter(plain).ok_or_else(|| {
        let text = format!("{} has no login (auths, auth) for {host}; helpers are not supported", file.display());
        DriverError::Invalid(text)
    })
}

fn corrupt(at: &Reference, promised: &str, actual: &str) -> DriverError {
    DriverError::CorruptLayer {
        image: format!("{}/{}", at.host, at.repository),
        layer: promised.to_owned(),
        actual: actual.to_owned(),
        remedy: "ask whoever keeps the registry".to_owned(),
    }
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

    #[test]
    fn challenges_are_taken_apart() {
        let given = parameters_of("realm=\"https://auth.x/token\",service=\"reg,x\",scope=\"a:b:c\"");
        assert_eq!(given["realm"], "https://auth.x/token");
        assert_eq!(given["service"], "reg,x");
        assert_eq!(escaped("a b&c"), "a%20b%26c");
        let headers = headers_of("HTTP/1.1 301 x\r\nA: 1\r\n\r\nHTTP/1.1 200 OK\r\nLocation:  /y \r\n");
        assert_eq!((headers.get("a"), headers["location"].as_str()), (None, "/y"));
    }

    #[test]
    fn foreign_and_enormous_layers_are_refused_before_anything_is_fetched() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let read = |layer: serde_json::Value| -> Manifest {
            let text =
                serde_json::json!({"schemaVersion": 2, "config": {"digest": digest, "size": 2}, "layers": [layer]});
            serde_json::from_value(text).expect("a manifest")
        };
        let tried = |layer| {
            let manifest = read(layer);
            check(&manifest, manifest.config.as_ref().expect("a config"))
        };
        assert!(tried(serde_json::json!({"digest": digest, "size": 5})).is_ok());
        for layer in [
            serde_json::json!({"digest": digest, "size": 5, "urls": ["https://x/"]}),
            serde_json::json!({"digest": digest, "size": 5, "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"}),
            serde_json::json!({"digest": digest, "size": MOST_BYTES}),
            serde_json::json!({"digest": digest, "size": u64::MAX}),
            serde_json::json!({"digest": "sha512:x", "size": 5}),
        ] {
            assert!(tried(layer.clone()).is_err(), "{layer}");
        }
    }
}
