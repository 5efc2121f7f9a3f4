//! `cargo xtask sim`: plays text scripts against all of Kiln's services with simulated machines
//! and compares the story with the committed one beside the script.
//!
//! A story says what an operator would want to know: what was done, why, when, and what is waited
//! for. Its diff is the diff of Kiln's behaviour. A crate of its own, because the other chores must
//! work when a service does not compile.

mod play;
mod script;
// One list of services for the server and the simulation.
#[cfg(test)]
mod broken_steps;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod growth;
#[path = "../../server/src/services.rs"]
mod services;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod types;
#[cfg(test)]
mod whole;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask sim [--update] [--quiet] [FILE…]
  plays each script (default: all of sim/scripts), prints its story and compares it with the
  committed one; --update writes it instead, --quiet prints differences only";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (flags, files): (Vec<&String>, Vec<&String>) = arguments.iter().partition(|a| a.starts_with("--"));
    if let Some(unknown) = flags.iter().find(|flag| !["--update", "--quiet"].contains(&flag.as_str())) {
        eprintln!("{unknown}: no such option\n{USAGE}");
        return ExitCode::FAILURE;
    }
    let is_set = |flag: &str| flags.iter().any(|f| *f == flag);
    let files = match files.is_empty() {
        true => scripts(),
        false => Ok(files.into_iter().map(PathBuf::from).collect()),
    };
    let outcome = files.and_then(|files| {
        let outcomes = files.iter().map(|file| run(file, is_set("--update"), is_set("--quiet")));
        let failures: Vec<String> = outcomes.filter_map(Result::err).collect();
        if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

/// All scripts that come with Kiln.
fn scripts() -> Result<Vec<PathBuf>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let entries = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|e| e.path())).collect();
    let mut paths = paths.map_err(|e| format!("{}: {e}", folder.display()))?;
    paths.retain(|path| path.extension().is_some_and(|e| e == "txt"));
    paths.sort();
    Ok(paths)
}

fn run(file: &Path, update: bool, quiet: bool) -> Result<(), String> {
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|e| format!("{name}: {e}"))?;
    let played = play::play(&text).map_err(|e| format!("{name}: {e}"))?;
    if !quiet {
        println!("── {name}\n{}", played.story);
    }
    if let Some(failure) = played.failure {
        return Err(format!("{name}: {failure}"));
    }
    let beside = file.with_extension("story");
    if update {
        return std::fs::write(&beside, played.story).map_err(|e| format!("{}: {e}", beside.display()));
    }
    let committed =
        std::fs::read_to_string(&beside).map_err(|e| format!("{}: {e}; --update writes it", beside.display()))?;
    match difference(&committed, &played.story) {
        None => Ok(()),
        Some(text) => Err(format!("{name}: the story has changed; --update writes the new one\n{text}")),
    }
}

/// The first lines that differ.
fn difference(old: &str, new: &str) -> Option<String> {
    let (mut old_lines, mut new_lines) = (old.lines(), new.lines());
    let mut number = 0;
    loop {
        number += 1;
        match (old_lines.next(), new_lines.next()) {
            (None, None) => return None,
            (a, b) if a == b => {}
            (a, b) => {
                let end = "(the end)";
                return Some(format!("line {number}:\n- {}\n+ {}", a.unwrap_or(end), b.unwrap_or(end)));
            }
        }
    }
}
