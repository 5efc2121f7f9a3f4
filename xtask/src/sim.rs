//! `cargo xtask sim`: builds and runs the crate that plays scripts. It holds all services, so the
//! chores do not depend on it.

use crate::Result;
use std::path::Path;
use std::process::Command;

/// Plays the scripts named, or all.
pub fn run(root: &Path, arguments: &[&str]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["run", "--quiet", "--package", "kiln-sim", "--"])
        .args(arguments)
        .current_dir(root)
        .status()
        .map_err(|e| format!("failed to run the simulation: {e}"))?;
    if status.success() { Ok(()) } else { Err("the simulation failed".to_owned()) }
}
