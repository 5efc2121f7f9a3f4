//! `kiln backup` asks the running kiln; `kiln restore` needs none, and none may run.

use crate::control::encode;
use crate::output::print_line;
use crate::progress::Line;
use std::path::{Path, PathBuf};

/// Has the running kiln write a backup.
pub async fn back_up(dir: &Path, file: &Path) -> Result<(), String> {
    let file = absolute(file)?;
    let line = Line::new("backup");
    let query = format!("/backup?path={}", encode(&file.to_string_lossy()));
    let answer = line.follow(dir, &query, "/backup/progress").await?;
    line.done("done");
    let (bytes, machines) = (answer["bytes"].as_u64().unwrap_or(0), answer["machines"].as_u64().unwrap_or(0));
    let machines = match machines {
        1 => "1 machine".to_owned(),
        many => format!("{many} machines"),
    };
    print_line(&format!("{}: {:.1} MiB, with {machines}", file.display(), bytes as f64 / f64::from(1 << 20)))
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
