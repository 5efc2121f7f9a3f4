//! What the services are: one `services/X/service.toml` each, and every list is made from those.
//!
//! ```text
//! services/*/service.toml ── read ── lists (manifests, Rust files, README's row) ── written, or compared by --check
//!                              └──── coverage, shapes, layers, members; the tests in Python read the files themselves
//! ```
//! What botocore's model says already (protocol, signing name, endpoint) is not said again: `shapes/model.json`
//! and the generated `SERVICE` have it.

mod lists;

use crate::Result;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

/// One `service.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The folder below `services/`, and the name of its crates.
    #[serde(skip)]
    pub folder: String,
    /// What botocore calls it.
    pub botocore: String,
    /// Its place among the services that are started; of equals the first by name.
    starts: u32,
    /// What README says of it, in brackets.
    readme: Option<String>,
    /// CloudFormation types whose property facts are kept, by namespace (`EC2`).
    #[serde(default)]
    pub types: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    service_linked_roles: Vec<LinkedRole>,
}

/// Source: AWS IAM User Guide, "Using service-linked roles", and the service's own page on them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkedRole {
    /// Its principal, e.g. `autoscaling.amazonaws.com`.
    service: String,
    role: String,
    /// Whether `CustomSuffix` may be given.
    #[serde(default)]
    suffix: bool,
}

/// All services, by folder. Read once: no chore changes what it was started with.
pub fn all() -> Result<&'static [Service]> {
    static ALL: LazyLock<Result<Vec<Service>>> = LazyLock::new(|| read(&crate::root()));
    ALL.as_deref().map_err(Clone::clone)
}

/// Models that no service has yet, for the tests of the protocols that they speak (rest-json and rpc-v2-cbor): the
/// folders below `protocol/tests/models/`, which are called as botocore calls them.
pub fn models(root: &Path) -> Result<Vec<String>> {
    let folder = root.join("protocol/tests/models");
    let failed = |e: std::io::Error| format!("failed to list {}: {e}", folder.display());
    let mut found = vec![];
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.join("operations.txt").exists() {
            found.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    found.sort();
    Ok(found)
}

/// The last place among the services that are started.
pub fn last_start(root: &Path) -> Result<u32> {
    Ok(read(root)?.iter().map(|service| service.starts).max().unwrap_or(0))
}

/// Whether a crate is a service's.
pub fn is_one(name: &str) -> bool {
    all().is_ok_and(|all| all.iter().any(|service| service.folder == name))
}

/// Writes, or with `check` compares, every list.
pub fn run(root: &Path, check: bool) -> Result<()> {
    let services = read(root)?;
    let differing = lists::write(root, &services, check)?;
    if differing.is_empty() {
        println!("{} services, every list is made from their service.toml", services.len());
        return Ok(());
    }
    Err(format!("not what services/*/service.toml say; run `cargo xtask services`:\n  {}", differing.join("\n  ")))
}

fn read(root: &Path) -> Result<Vec<Service>> {
    let folder = root.join("services");
    let entries = std::fs::read_dir(&folder).map_err(|e| format!("failed to list {}: {e}", folder.display()))?;
    let mut services = vec![];
    for entry in entries {
        let path = entry.map_err(|e| format!("failed to list {}: {e}", folder.display()))?.path();
        if !path.is_dir() {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path.join("service.toml")).map_err(|e| {
            format!("services/{name}/service.toml: {e}; write one with the line `botocore = \"NAME\"`, NAME as botocore has it")
        })?;
        services.push(parse(name, &text)?);
    }
    services.sort_by(|a, b| a.folder.cmp(&b.folder));
    unique(&services)?;
    Ok(services)
}

fn parse(folder: String, text: &str) -> Result<Service> {
    let service: Service = toml::from_str(text).map_err(|e| format!("services/{folder}/service.toml: {e}"))?;
    Ok(Service { folder, ..service })
}

/// Nothing may be two services' at once.
fn unique(services: &[Service]) -> Result<()> {
    let mut owners = BTreeMap::new();
    for service in services {
        let types = service.types.keys().map(|namespace| format!("the namespace AWS::{namespace}"));
        let roles = service.service_linked_roles.iter().map(|role| format!("the role of {}", role.service));
        for thing in types.chain(roles).chain([format!("botocore's {}", service.botocore)]) {
            if let Some(other) = owners.insert(thing.clone(), &service.folder) {
                let folder = &service.folder;
                return Err(format!("{thing} is in services/{other}/service.toml and services/{folder}/service.toml"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_says_is_read_and_belongs_to_it_alone() {
        let text = "botocore = \"a\"\nstarts = 1\n[types]\nA = [\"Thing\"]\n";
        let [one, two] = ["one", "two"].map(|folder| parse(folder.to_owned(), text).unwrap());
        assert_eq!((one.folder.as_str(), one.botocore.as_str(), one.types["A"].len()), ("one", "a", 1));
        let error = unique(&[one, two]).unwrap_err();
        assert!(error.contains("services/one/service.toml and services/two"), "{error}");
        assert!(parse("x".to_owned(), "botocore = \"x\"\ncolour = 1\n").is_err_and(|e| e.contains("colour")));
    }
}
