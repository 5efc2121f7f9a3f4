//! Files that are whole or absent: write beside, then rename.

use kiln_machines_spec::{DriverError, DriverResult};
use serde::{Serialize, de::DeserializeOwned};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

/// Makes a folder and those above it.
pub fn make_dir(path: &Path) -> DriverResult<()> {
    fs::create_dir_all(path).map_err(|e| DriverError::failed(format!("make the folder {}", path.display()), e))
}

/// Writes a whole file, readable by its owner only: a reader sees the old or
/// the new bytes, never a part.
pub fn write_whole(path: &Path, bytes: &[u8]) -> DriverResult<()> {
    let doing = || format!("write {}", path.display());
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let opened = options.open(&beside);
    let mut file = opened.map_err(|e| DriverError::failed(doing(), e))?;
    file.write_all(bytes).map_err(|e| DriverError::failed(doing(), e))?;
    fs::rename(&beside, path).map_err(|e| DriverError::failed(doing(), e))
}

/// Writes a value as JSON, whole.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> DriverResult<()> {
    let bytes =
        serde_json::to_vec_pretty(value).map_err(|e| DriverError::failed(format!("encode {}", path.display()), e))?;
    write_whole(path, &bytes)
}

/// Reads a JSON file; none if there is none.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> DriverResult<Option<T>> {
    let doing = || format!("read {}", path.display());
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(DriverError::failed(doing(), e)),
    };
    let value = serde_json::from_slice(&bytes).map_err(|e| DriverError::failed(doing(), e))?;
    Ok(Some(value))
}

/// Removes a file or a folder with all in it; fine if there is none.
pub fn remove_all(path: &Path) -> DriverResult<()> {
    let doing = || format!("remove {}", path.display());
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(DriverError::failed(doing(), e)),
    };
    let removed = if meta.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(DriverError::failed(doing(), e)),
        _ => Ok(()),
    }
}

/// Names in a folder, sorted; none if there is no such folder.
pub fn names_in(dir: &Path) -> DriverResult<Vec<String>> {
    let doing = || format!("list {}", dir.display());
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(DriverError::failed(doing(), e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| DriverError::failed(doing(), e))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
