//! `cargo xtask shapes`: from the installed botocore's models to the committed shape crates.
//!
//! ```text
//! botocore ──facts──> model.json ──+ quirks.json──> src/*.rs
//!    the rows of services/X/src/operations say which operations
//! ```
//! Every file is written by this chore alone; `--check` writes nothing and names what differs.

pub mod facts;
mod generate;
pub mod names;
mod quirks;
#[cfg(test)]
mod tests;

use crate::{Result, coverage, services};
use facts::Model;
use quirks::Quirks;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What other services must know of one beside its shapes, written by hand beside what is generated: the kinds
/// of records that they may watch, and forms of names.
const BY_HAND: [&str; 2] = ["kinds", "names"];

/// Writes, or with `check` compares, the shapes of the services named (all, if none).
pub fn run(root: &Path, only: &[&str], check: bool) -> Result<()> {
    let own = services::all()?
        .iter()
        .map(|s| (s.folder.as_str(), s.botocore.as_str(), format!("services/{}/shapes", s.folder)));
    let models = services::models(root)?;
    let models = models.iter().map(|name| (name.as_str(), name.as_str(), format!("protocol/tests/models/{name}")));
    let all: Vec<_> = own.chain(models).collect();
    if let Some(unknown) = only.iter().find(|n| !all.iter().any(|(folder, ..)| folder == *n)) {
        return Err(format!("no service {unknown}: there is no services/{unknown}/service.toml"));
    }
    let chosen: Vec<_> = all.into_iter().filter(|(folder, ..)| only.is_empty() || only.contains(folder)).collect();
    let mut installed = read_installed(chosen.iter().map(|(_, botocore, _)| *botocore))?;
    let mut differing = vec![];
    for (folder, botocore, dir) in chosen {
        let dir = root.join(dir);
        let in_service = |e: String| format!("{folder}: {e}");
        if check {
            same_release(&dir, &installed.botocore).map_err(in_service)?;
        }
        let served = served(root, folder, &dir)?;
        let served: Vec<&str> = served.iter().map(String::as_str).collect();
        let full = installed.models.remove(botocore).ok_or_else(|| format!("botocore gave no model of {botocore}"))?;
        let model = full.keep(&installed.botocore, &served).map_err(in_service)?;
        let quirks = Quirks::parse(&read(&dir.join("quirks.json"))?).map_err(in_service)?;
        let generate::Generated { mut files, notes } =
            generate::service(folder, &model, &quirks).map_err(in_service)?;
        for module in BY_HAND.iter().filter(|module| dir.join(format!("{module}.rs")).exists()) {
            let index = files.get_mut(Path::new("src/lib.rs")).expect("every service has an index");
            index.push_str(&format!("\n#[path = \"../{module}.rs\"]\npub mod {module};\n"));
        }
        for text in files.values_mut() {
            *text = rustfmt(root, text).map_err(in_service)?;
        }
        files.insert(PathBuf::from("model.json"), model.to_text()?);
        if check {
            differing.extend(differences(&dir, &files)?);
        } else {
            write(&dir, &files)?;
            println!("{folder}: {} operations, {} shapes", model.operations.len(), model.shapes.len());
            for note in notes {
                println!("  note: {note}");
            }
        }
    }
    if differing.is_empty() {
        return Ok(());
    }
    let names: Vec<String> =
        differing.iter().map(|p| format!("  {}", p.strip_prefix(root).unwrap_or(p).display())).collect();
    Err(format!("these files are not what `cargo xtask shapes` writes:\n{}", names.join("\n")))
}

/// The operations to write: those that a service has rows for; of a model without a service, those of a list.
fn served(root: &Path, folder: &str, dir: &Path) -> Result<BTreeSet<String>> {
    if services::is_one(folder) {
        return coverage::served(&root.join("services").join(folder).join("src"));
    }
    Ok(read(&dir.join("operations.txt"))?.lines().map(str::to_owned).collect())
}

#[derive(Deserialize)]
struct Installed {
    botocore: String,
    models: BTreeMap<String, Model>,
}

/// The whole model of one service.
pub fn read_model(botocore: &str) -> Result<Model> {
    let mut installed = read_installed([botocore].into_iter())?;
    installed.models.remove(botocore).ok_or_else(|| format!("botocore gave no model of {botocore}"))
}

/// Asks the installed botocore: it knows where its models are and which version is newest.
fn read_installed<'a>(services: impl Iterator<Item = &'a str>) -> Result<Installed> {
    let output = Command::new("python3")
        .arg("-c")
        .arg(include_str!("read_models.py"))
        .args(services)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("failed to run python3: {e}"))?;
    if !output.status.success() {
        return Err("failed to read botocore's models; install what tests/requirements.txt pins".to_string());
    }
    serde_json::from_slice(&output.stdout).map_err(|e| format!("botocore's models are not as expected: {e}"))
}

/// Another release has other models, so a comparison would say nothing about our files.
fn same_release(dir: &Path, installed: &str) -> Result<()> {
    let recorded: Model = serde_json::from_str(&read(&dir.join("model.json"))?)
        .map_err(|e| format!("failed to parse model.json: {e}"))?;
    if recorded.botocore == installed {
        return Ok(());
    }
    Err(format!(
        "model.json was read from botocore {}, but {installed} is installed; install what tests/requirements.txt pins, or run `cargo xtask shapes` to move on",
        recorded.botocore
    ))
}

fn rustfmt(root: &Path, text: &str) -> Result<String> {
    let failed = |e: std::io::Error| format!("failed to run rustfmt: {e}");
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--emit", "stdout", "--config-path"])
        .arg(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let mut input = child.stdin.take().expect("stdin was asked for");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(text.as_bytes()));
        child.wait_with_output()
    })
    .map_err(failed)?;
    if !output.status.success() {
        return Err("rustfmt refused the generated code".to_string());
    }
    String::from_utf8(output.stdout).map_err(|e| format!("rustfmt wrote something else than text: {e}"))
}

/// Files that differ, are missing, or stand in `src` though nothing generates them.
fn differences(dir: &Path, files: &BTreeMap<PathBuf, String>) -> Result<Vec<PathBuf>> {
    let mut differing: Vec<PathBuf> = files
        .iter()
        .filter(|(path, text)| std::fs::read_to_string(dir.join(path)).is_ok_and(|now| now == **text).eq(&false))
        .map(|(path, _)| dir.join(path))
        .collect();
    differing.extend(leftovers(dir, files)?);
    Ok(differing)
}

fn write(dir: &Path, files: &BTreeMap<PathBuf, String>) -> Result<()> {
    for leftover in leftovers(dir, files)? {
        std::fs::remove_file(&leftover).map_err(|e| format!("failed to remove {}: {e}", leftover.display()))?;
    }
    for (path, text) in files {
        let path = dir.join(path);
        if std::fs::read_to_string(&path).is_ok_and(|now| now == *text) {
            continue;
        }
        let parent = path.parent().expect("a file stands in a folder");
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|e| format!("failed to write {}: {e}", path.display()))?;
    }
    Ok(())
}

/// Files below `src` that no longer belong there.
fn leftovers(dir: &Path, files: &BTreeMap<PathBuf, String>) -> Result<Vec<PathBuf>> {
    let mut found = vec![];
    let mut open = vec![dir.join("src")];
    while let Some(folder) = open.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|e| format!("failed to list {}: {e}", folder.display()))?;
        for entry in entries {
            let path = entry.map_err(|e| format!("failed to list {}: {e}", folder.display()))?.path();
            if path.is_dir() {
                open.push(path);
            } else if !path.strip_prefix(dir).is_ok_and(|p| files.contains_key(p)) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| format!("failed to read {}: {e}", path.display()))
}
