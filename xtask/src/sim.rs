//! `cargo xtask sim`: builds and runs the crate that plays scripts. It holds all services, so the
//! chores do not depend on it.

use crate::Result;
use std::path::Path;
use std::process::Command;

/// Plays the scripts named, or all.
pub fn run(root: &Path, arguments: &[&str]) -> Result<()> {
    // Cargo is run in the repository's top folder; a script is named from where the caller stands.
    let here = std::env::current_dir().map_err(|e| format!("failed to read the current folder: {e}"))?;
    let arguments =
        arguments.iter().map(|a| if a.starts_with("--") { a.into() } else { here.join(a).into_os_string() });
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["run", "--quiet", "--package", "kiln-sim", "--"])
        .args(arguments)
        .current_dir(root)
        .status()
        .map_err(|e| format!("failed to run the simulation: {e}"))?;
    if status.success() { Ok(()) } else { Err("the simulation failed".to_owned()) }
}
