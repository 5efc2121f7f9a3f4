//! How bytes come: by the host's own curl, so that certificates and proxies are the host's own. What it may do is
//! narrow, and credentials reach it by its standard input, never as words of a command line.

use crate::host::child::{self, Surroundings};
use crate::host::files;
use kiln_machines_spec::{DriverError, DriverResult, Progress};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// How often a download is looked at.
const LOOK: Duration = Duration::from_millis(100);

const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// Asks for one image.
pub struct Curl<'a> {
    /// The registry, for errors.
    pub host: String,
    /// A folder for what is only here meanwhile.
    pub work: PathBuf,
    pub progress: &'a dyn Progress,
}

/// An answer: its status and headers; the body is in the file.
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
}

impl Curl<'_> {
    /// Asks for a URL: the body goes into `file`, and is no longer than `most`. `shown` is what to tell of it
    /// meanwhile, and how many bytes of how many were there before.
    pub fn get(
        &self,
        url: &str,
        authorization: Option<&str>,
        file: &Path,
        most: u64,
        shown: Option<(&str, (u64, u64))>,
    ) -> DriverResult<Answer> {
        files::remove_all(file)?;
        let heads = self.work.join("heads");
        let doing = || format!("ask {} for the image", self.host);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_those_of_the_last_answer() {
        let headers = headers_of("HTTP/1.1 301 x\r\nA: 1\r\n\r\nHTTP/1.1 200 OK\r\nLocation:  /y \r\n");
        assert_eq!((headers.get("a"), headers["location"].as_str()), (None, "/y"));
    }
}
