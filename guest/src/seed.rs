//! What the platform tells a machine about itself before it boots.
//!
//! The seed is a read-only directory, `/run/kiln`, mounted by the machine
//! driver. It replaces the network round trips cloud-init makes to the metadata
//! service: a machine knows its name before its network is up.

use std::path::Path;

use serde::Deserialize;

use crate::machine::Machine;

/// `/run/kiln/seed.json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Seed {
    /// The instance this machine is, for example `i-0abc`.
    pub instance_id: String,
    /// The name the machine gives itself.
    #[serde(default)]
    pub hostname: Option<String>,
    /// The domain of its name in the VPC's DNS.
    #[serde(default)]
    pub domain: Option<String>,
    /// The region, the default of the CloudFormation programs.
    #[serde(default)]
    pub region: Option<String>,
    /// Things that happen once happen once per value of this key.
    #[serde(default)]
    pub first_boot_key: Option<String>,
    /// Settings of the machine; `AWS_ENDPOINT_URL` stands in for `endpoint`.
    #[serde(default)]
    pub environment: std::collections::BTreeMap<String, String>,
    /// A file that collects the machine's console output; `/dev/console` if absent.
    #[serde(default)]
    pub console_path: Option<String>,
    /// Public keys in `authorized_keys` form.
    #[serde(default)]
    pub ssh_authorized_keys: Vec<String>,
    /// The user data: its path in the machine, or its file name beside the seed.
    #[serde(default, alias = "user_data_path")]
    pub user_data_file: Option<String>,
    /// Where CloudFormation answers, for this machine.
    #[serde(default)]
    pub endpoint: Option<String>,
}

/// Where the driver mounts the seed.
pub const SEED_DIR: &str = "/run/kiln";

impl Seed {
    /// Reads the seed below `dir`.
    pub fn read(dir: &Path) -> Result<Seed, String> {
        let path = dir.join("seed.json");
        let text = std::fs::read(&path).map_err(|cause| format!("cannot read the seed {}: {cause}", path.display()))?;
        let seed: Seed = serde_json::from_slice(&text)
            .map_err(|cause| format!("the seed {} is malformed: {cause}", path.display()))?;
        if !is_plain_name(&seed.instance_id) || !is_plain_name(seed.first_boot_key()) {
            return Err(format!("the seed {} holds an instance id that is not a plain name", path.display()));
        }
        Ok(seed)
    }

    /// The key of "once per instance": the instance id unless the seed says otherwise.
    pub fn first_boot_key(&self) -> &str {
        self.first_boot_key.as_deref().unwrap_or(self.instance_id.as_str())
    }

    /// The user data as it was given, or nothing when the machine has none.
    pub fn user_data(&self, machine: &Machine) -> Result<Option<Vec<u8>>, String> {
        let Some(name) = &self.user_data_file else {
            return Ok(None);
        };
        let path = machine.path(Path::new(SEED_DIR).join(name));
        match std::fs::read(&path) {
            Ok(bytes) if bytes.is_empty() => Ok(None),
            Ok(bytes) => Ok(Some(bytes)),
            Err(cause) => Err(format!("cannot read the user data {}: {cause}", path.display())),
        }
    }
}

/// Both names become part of a path.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name != "."
        && name != ".."
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_id_can_not_leave_its_folder() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(dir.path().join("seed.json"), r#"{"instance_id":"../../etc"}"#).expect("the seed is written");
        let error = Seed::read(dir.path()).expect_err("the seed is refused");
        assert!(error.contains("not a plain name"), "{error}");
    }

    #[test]
    fn a_missing_seed_names_its_path() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let error = Seed::read(dir.path()).expect_err("there is no seed");
        assert!(error.contains("seed.json"), "{error}");
    }
}
