//! Images from a registry, by the OCI distribution protocol.
//!
//! ```text
//!   docker://HOST/REPOSITORY:TAG ─► manifest ─► config and layers ─► an OCI layout ─► oci.rs
//! ```
//!
//! curl does the transport (`curl`). Asked is by https, and by plain http on loopback only (`reference`);
//! redirects are followed here, at most five, under the same rule and without credentials to another
//! host; every body has a length it cannot pass. Everything is compared with its digest as soon as it is
//! here. Layers that lie elsewhere ("foreign", with URLs of their own) are refused (`manifest`).
//! Credentials come from a file of `docker login`'s form (`login`).
//!
//! Turned down: a client library with a TLS stack of its own for one command of an operator.
//!
//! Sources: OCI Distribution Specification 1.1, OCI Image Specification 1.1, Docker Registry v2
//! authentication.

mod curl;
mod login;
mod manifest;
mod reference;

use super::layers::digest_of;
use super::store::ARCHITECTURE;
use crate::host::files;
use curl::{Answer, Curl};
use kiln_machines_spec::{DriverError, DriverResult, Progress};
use login::Challenge;
use manifest::{Blob, MOST_BYTES, MOST_TEXT, Manifest, check};
use reference::{Reference, allowed};
use std::fs;
use std::path::Path;

const MOST_REDIRECTS: usize = 5;

/// Brings an image into `layout`, as an OCI layout.
pub fn pull(
    reference: &str,
    credentials: Option<&Path>,
    layout: &Path,
    work: &Path,
    progress: &dyn Progress,
) -> DriverResult<()> {
    let at = Reference::parse(reference)?;
    let login = credentials.map(|file| login::read(file, &at.host)).transpose()?;
    let curl = Curl { host: at.host.clone(), work: work.to_owned(), progress };
    let mut registry = Registry { at, login, token: None, curl };
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

struct Registry<'a> {
    at: Reference,
    /// `user:password` in base64.
    login: Option<String>,
    /// The Authorization header in use.
    token: Option<String>,
    curl: Curl<'a>,
}

impl Registry<'_> {
    /// The manifest for this host, kept in the layout, and its digest.
    fn manifest(&mut self, layout: &Path) -> DriverResult<(String, Manifest)> {
        let mut version = self.at.version.clone();
        // An index may lead to an index, but hardly to a deeper one.
        for _ in 0..4 {
            let file = self.curl.work.join("manifest");
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
        let file = self.curl.work.join("blob");
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
            let answer = self.curl.get(&url, token, file, most, shown)?;
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
        let basic = self.login.as_ref().map(|login| format!("Basic {login}"));
        match Challenge::read(challenge, &self.at)? {
            Challenge::Login => basic.ok_or_else(|| login::needed(&self.at)),
            Challenge::Token { url } => {
                allowed(&url)?;
                let file = self.curl.work.join("token");
                let answer = self.curl.get(&url, basic.as_deref(), &file, MOST_TEXT, None)?;
                if answer.status != 200 {
                    let text = format!("the login at {} ends with status {}", self.at.host, answer.status);
                    return Err(DriverError::Invalid(text));
                }
                Ok(format!("Bearer {}", login::take_token(&file)?))
            }
        }
    }
}

fn corrupt(at: &Reference, promised: &str, actual: &str) -> DriverError {
    DriverError::CorruptLayer {
        image: format!("{}/{}", at.host, at.repository),
        layer: promised.to_owned(),
        actual: actual.to_owned(),
        remedy: "ask whoever keeps the registry".to_owned(),
    }
}
