//! `cargo xtask layers`: who may depend on whom, between crates and between the files of each. Printed so that
//! it can be read, and checked so that it stays true. What only tests need (dev-dependencies) is left alone.

use crate::{Result, circles, nameless};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Crates of one kind and the layers they may look at.
struct Layer {
    name: &'static str,
    holds: fn(&str) -> bool,
    may_use: &'static [&'static str],
}

/// Bottom first.
const LAYERS: &[Layer] = &[
    Layer {
        name: "pure",
        holds: |c| {
            matches!(c, "clock" | "ids" | "patterns" | "policy" | "protocol" | "schedules" | "signing" | "template")
        },
        may_use: &["pure"],
    },
    Layer { name: "shapes", holds: |c| c.ends_with("-shapes"), may_use: &["pure"] },
    Layer { name: "store", holds: |c| c == "store", may_use: &["pure"] },
    Layer { name: "journal", holds: |c| c == "journal", may_use: &["pure", "store"] },
    Layer { name: "points", holds: |c| c == "points", may_use: &["pure", "store"] },
    Layer { name: "machines/spec", holds: |c| c == "machines-spec", may_use: &["pure"] },
    Layer {
        name: "machines",
        holds: |c| matches!(c, "machines-local" | "machines-sim"),
        may_use: &["pure", "machines/spec"],
    },
    Layer { name: "sealing", holds: |c| c == "sealing", may_use: &["pure"] },
    Layer { name: "backup", holds: |c| c == "backup", may_use: &[] },
    Layer { name: "doors", holds: |c| c == "doors", may_use: &["pure"] },
    Layer { name: "balancer", holds: |c| c == "balancer", may_use: &["pure", "doors"] },
    Layer { name: "guest", holds: |c| c == "guest", may_use: &["pure", "machines/spec"] },
    Layer {
        name: "kit",
        holds: |c| matches!(c, "service-kit" | "reconcile"),
        may_use: &["pure", "shapes", "store", "journal", "machines/spec", "balancer", "kit"],
    },
    Layer { name: "meters", holds: |c| c == "meters", may_use: &["pure", "points", "kit"] },
    Layer { name: "delivery", holds: |c| c == "delivery", may_use: &["pure", "shapes", "kit", "meters"] },
    Layer {
        name: "services",
        holds: crate::services::is_one,
        may_use: &[
            "pure",
            "shapes",
            "store",
            "points",
            "machines/spec",
            "sealing",
            "doors",
            "balancer",
            "kit",
            "delivery",
            "meters",
        ],
    },
    Layer { name: "gateway", holds: |c| c == "gateway", may_use: &["pure", "store", "doors", "kit"] },
    Layer { name: "cli", holds: |c| c == "cli", may_use: &["pure", "shapes", "backup"] },
    Layer {
        name: "whole",
        holds: |c| matches!(c, "server" | "testkit" | "sim"),
        may_use: &[
            "pure",
            "shapes",
            "store",
            "journal",
            "points",
            "machines/spec",
            "machines",
            "sealing",
            "backup",
            "doors",
            "balancer",
            "guest",
            "kit",
            "delivery",
            "meters",
            "services",
            "gateway",
            "cli",
            "whole",
        ],
    },
    // The chores must work when a service does not compile.
    Layer { name: "xtask", holds: |c| c == "xtask", may_use: &["pure"] },
];

/// Crates that do no I/O, and what would let them.
const NO_IO: &[&str] = &["ids", "patterns", "policy", "schedules", "signing", "template"];
const IO: &[&str] = &["hyper", "hyper-util", "nix", "reqwest", "rusqlite", "tempfile", "tokio"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
    path: Option<String>,
}

/// Prints the layers; fails naming every forbidden dependency and every circle between files.
pub fn run(root: &Path) -> Result<()> {
    crate::services::all()?;
    let packages = packages(root)?;
    for layer in LAYERS.iter().rev() {
        let crates: Vec<&str> = packages.iter().map(|p| short(&p.name)).filter(|c| (layer.holds)(c)).collect();
        println!("{:<14} {}\n{:<14}   sees: {}", layer.name, crates.join(" "), "", layer.may_use.join(", "));
    }
    let mut edges = 0;
    let mut forbidden = vec![];
    for package in &packages {
        let from = short(&package.name);
        for dependency in package.dependencies.iter().filter(|d| d.kind.as_deref() != Some("dev")) {
            let to = short(&dependency.name);
            edges += usize::from(dependency.path.is_some());
            if let Some(why) = objection(from, to, dependency.path.is_some())? {
                forbidden.push(format!("  {from} -> {to}: {why}"));
            }
        }
        layer_of(from)?;
    }
    if !forbidden.is_empty() {
        return Err(format!("forbidden dependencies:\n{}", forbidden.join("\n")));
    }
    println!("{} crates, {edges} dependencies among them, all downwards", packages.len());
    circles::check(root, packages.iter().filter_map(|package| package.manifest_path.parent()))?;
    nameless::run(root)
}

fn short(name: &str) -> &str {
    name.strip_prefix("kiln-").unwrap_or(name)
}

fn layer_of(name: &str) -> Result<&'static Layer> {
    LAYERS
        .iter()
        .find(|l| (l.holds)(name))
        .ok_or_else(|| format!("crate {name} belongs to no layer; xtask/src/layers.rs lists them"))
}

/// What is wrong with `from` depending on `to`, which is `ours` or somebody else's.
fn objection(from: &str, to: &str, ours: bool) -> Result<Option<String>> {
    if !ours {
        let io = NO_IO.contains(&from) && IO.contains(&to);
        return Ok(io.then(|| format!("{from} does no I/O")));
    }
    let (above, below) = (layer_of(from)?, layer_of(to)?);
    if above.may_use.contains(&below.name) {
        return Ok(None);
    }
    Ok(Some(format!("{} may not see {}", above.name, below.name)))
}

fn packages(root: &Path) -> Result<Vec<Package>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()
        .map_err(|e| format!("failed to run cargo metadata: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata failed:\n{}", String::from_utf8_lossy(&output.stderr)));
    }
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).map_err(|e| format!("failed to read cargo metadata: {e}"))?;
    let names: BTreeSet<&str> = metadata.packages.iter().map(|p| p.name.as_str()).collect();
    debug_assert_eq!(names.len(), metadata.packages.len());
    Ok(metadata.packages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_see_shapes_but_not_each_other_nor_what_runs_them() {
        let allowed = |from, to| objection(from, to, true).unwrap().is_none();
        assert!(allowed("autoscaling", "ec2-shapes"));
        assert!(allowed("autoscaling", "service-kit"));
        assert!(!allowed("autoscaling", "ec2"));
        assert!(!allowed("ec2", "gateway"));
        assert!(!allowed("ec2", "machines-local"));
        assert!(!allowed("machines-local", "ec2-shapes"));
        assert!(!allowed("protocol", "store"));
        assert!(allowed("server", "ec2"));
        assert!(objection("policy", "tokio", false).unwrap().is_some());
        assert!(objection("store", "tokio", false).unwrap().is_none());
    }

    #[test]
    fn a_crate_without_a_layer_is_an_error() {
        assert!(objection("newcomer", "ids", true).unwrap_err().contains("newcomer"));
    }
}
