//! `kiln backup` asks the running kiln; `kiln restore` needs none, and none may run.

use crate::control::encode;
use crate::output::print_line;
use crate::progress::Line;
use serde_json::Value as Json;
use std::path::{Path, PathBuf};

/// Has the running kiln write a backup.
pub async fn back_up(dir: &Path, file: &Path) -> Result<(), String> {
    let file = absolute(file)?;
    let line = Line::new("backup");
    let query = format!("/backup?path={}", encode(text(&file)?));
    let answer = line.follow(dir, &query, "/backup/progress").await?;
    line.done("done");
    print_line(&made(&file, &answer)?)
}

/// What the terminal is told of a backup.
fn made(file: &Path, answer: &Json) -> Result<String, String> {
    let figure = |name: &str| answer[name].as_u64().ok_or_else(|| format!("kiln's answer lacks {name}: {answer}"));
    let machines = match figure("machines")? {
        1 => "1 machine".to_owned(),
        many => format!("{many} machines"),
    };
    Ok(format!("{}: {:.1} MiB, with {machines}", file.display(), figure("bytes")? as f64 / f64::from(1 << 20)))
}

/// Kiln is asked in UTF-8; a name that is none would become another file's.
fn text(file: &Path) -> Result<&str, String> {
    file.to_str().ok_or_else(|| format!("{} is not UTF-8: choose another name", file.display()))
}

/// Reads a backup into the state directory.
pub fn restore(dir: &Path, file: &Path) -> Result<(), String> {
    let line = Line::new("restore");
    let size = std::fs::metadata(file).map(|m| m.len()).map_err(|e| format!("{}: {e}", file.display()))?;
    let shown = |read: u64| line.show("files", Some(read as f64 / size.max(1) as f64));
    let restored = kiln_backup::restore(file, dir, &shown).map_err(|e| e.to_string())?;
    line.done("done");
    print_line(&format!(
        "{} is as it was at {}: {} files. Start it with: kiln up --detach",
        dir.display(),
        restored.about.made,
        restored.files
    ))
}

/// The file as kiln, which has another working directory, finds it.
fn absolute(file: &Path) -> Result<PathBuf, String> {
    let name = file.file_name().ok_or_else(|| format!("{} names no file", file.display()))?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().map_err(|e| format!("{}: {e}", folder.display()))?;
    Ok(folder.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn figures_that_are_missing_are_no_zeros() {
        let told = |answer| made(Path::new("/a.backup"), &answer);
        assert_eq!(told(json!({"bytes": 3 << 19, "machines": 1})), Ok("/a.backup: 1.5 MiB, with 1 machine".to_owned()));
        assert!(told(json!({"bytes": 1})).is_err_and(|line| line.contains("lacks machines")));
        assert!(told(json!({"machines": 1, "bytes": "1"})).is_err_and(|line| line.contains("lacks bytes")));
    }

    #[test]
    fn a_name_that_cannot_be_asked_for_is_refused() {
        let file = Path::new(OsStr::from_bytes(b"/var/tmp/\xff.backup"));
        assert!(text(file).is_err_and(|line| line.contains("not UTF-8")));
        assert_eq!(text(Path::new("/var/tmp/ü.backup")), Ok("/var/tmp/ü.backup"));
    }
}
