//! `cargo xtask check`: everything that must hold before a change lands, cheapest first.

use crate::{Result, coverage, kinds, layers, members, promises, services, shapes};
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// Runs all checks; stops at the first that fails.
pub fn run(root: &Path) -> Result<()> {
    step("services", || services::run(root, true))?;
    step("layers", || layers::run(root))?;
    step("kinds", || kinds::run(root))?;
    step("promises", || promises::run(root))?;
    step("format", || cargo(root, &["fmt", "--all", "--check"]))?;
    step("shapes", || shapes::run(root, &[], true))?;
    step("coverage", || coverage::run(root, true))?;
    step("regions", || program(root, "python3", &["ids/tools/regions.py", "--check"]))?;
    step("members", || members::run(root))?;
    step("facts", || program(root, "python3", &["template/tools/resource_facts.py", "--check"]))?;
    step("clippy", || cargo(root, &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]))
}

fn step(name: &str, run: impl FnOnce() -> Result<()>) -> Result<()> {
    let start = std::time::Instant::now();
    println!("== {name}");
    run().map_err(|e| format!("{name}: {e}"))?;
    println!("== {name}: good, {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// Runs cargo.
pub fn cargo(root: &Path, args: &[&str]) -> Result<()> {
    program(root, std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), args)
}

/// Runs a program in the repository's top folder; an end with another code than 0 is an error.
pub fn program(root: &Path, program: impl AsRef<OsStr>, args: &[&str]) -> Result<()> {
    let name = program.as_ref().display();
    let status = Command::new(program.as_ref())
        .args(args)
        .current_dir(root)
        .status()
        .map_err(|e| format!("failed to run {name}: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("{name} {} failed", args.join(" "))) }
}
