//! The modules, in the order they run, and how often each does.
//!
//! A document may name the modules of a stage, each with a frequency: `cloud_final_modules:
//! [[scripts-user, always]]` is AWS's own way to run user data on every boot. Those not named do
//! not run then.
//!
//! Source: cloud-init's documentation, "Boot stages" and "Base configuration"; AWS re:Post, "How do
//! I run user data on every reboot of my EC2 instance".

use serde_json::Value;

use super::values::{items, string};

/// When in a boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Before accounts are used.
    Init,
    /// Settings.
    Config,
    /// Packages and scripts.
    Final,
}

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frequency {
    /// Every boot.
    Always,
    /// Once per instance.
    Instance,
    /// Once, also in machines made of this one's image.
    Once,
}

/// One module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Module {
    /// Its stage.
    pub stage: Stage,
    /// Its name.
    pub name: &'static str,
    /// How often it runs unless a document says otherwise.
    pub usual: Frequency,
}

const fn module(stage: Stage, name: &'static str, usual: Frequency) -> Module {
    Module { stage, name, usual }
}

/// In the order they run.
pub const MODULES: [Module; 19] = [
    module(Stage::Init, "bootcmd", Frequency::Always),
    module(Stage::Init, "write_files", Frequency::Instance),
    module(Stage::Init, "set_hostname", Frequency::Instance),
    module(Stage::Init, "update_etc_hosts", Frequency::Always),
    module(Stage::Init, "ca_certs", Frequency::Instance),
    module(Stage::Init, "users_groups", Frequency::Instance),
    module(Stage::Init, "ssh", Frequency::Instance),
    module(Stage::Config, "locale", Frequency::Instance),
    module(Stage::Config, "set_passwords", Frequency::Instance),
    module(Stage::Config, "timezone", Frequency::Instance),
    module(Stage::Config, "runcmd", Frequency::Instance),
    module(Stage::Final, "package_update_upgrade_install", Frequency::Instance),
    module(Stage::Final, "write_files_deferred", Frequency::Instance),
    module(Stage::Final, "scripts_per_once", Frequency::Once),
    module(Stage::Final, "scripts_per_boot", Frequency::Always),
    module(Stage::Final, "scripts_per_instance", Frequency::Instance),
    module(Stage::Final, "scripts_user", Frequency::Instance),
    module(Stage::Final, "final_message", Frequency::Always),
    module(Stage::Final, "power_state_change", Frequency::Instance),
];

/// The lists of modules that documents gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lists([Option<Vec<(String, Option<Frequency>)>>; 3]);

impl Lists {
    /// Takes the list of a stage.
    pub fn take(&mut self, stage: Stage, value: &Value) -> Result<(), String> {
        let list = items(value)?.iter().map(item).collect::<Result<Vec<_>, _>>()?;
        self.0[stage as usize] = Some(list);
        Ok(())
    }

    /// How often a module runs; never, when its stage's list does not name it.
    pub fn frequency(&self, module: &Module) -> Option<Frequency> {
        let Some(list) = &self.0[module.stage as usize] else { return Some(module.usual) };
        let named = list.iter().find(|(name, _)| name == module.name)?;
        Some(named.1.unwrap_or(module.usual))
    }
}

fn item(value: &Value) -> Result<(String, Option<Frequency>), String> {
    let wrong = || "a module is a name, [name, frequency] or {name, frequency}".to_owned();
    let (name, frequency) = match value {
        Value::Array(words) => (words.first().ok_or_else(wrong)?, words.get(1)),
        Value::Object(map) => (
            map.get("name").or_else(|| map.get("mod")).ok_or_else(wrong)?,
            map.get("frequency").or_else(|| map.get("freq")),
        ),
        name => (name, None),
    };
    let name = string(name)?.trim().replace('-', "_").to_ascii_lowercase();
    let frequency = frequency.filter(|f| !f.is_null()).map(string).transpose()?;
    let frequency = match frequency.as_deref().map(str::trim) {
        None => None,
        Some("always") => Some(Frequency::Always),
        Some("once-per-instance" | "once_per_instance" | "instance") => Some(Frequency::Instance),
        Some("once") => Some(Frequency::Once),
        Some(other) => return Err(format!("{name}: there is no frequency {other}")),
    };
    Ok((name, frequency))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_says_which_modules_run_and_how_often() {
        let mut lists = Lists::default();
        let of = |name: &str| MODULES.into_iter().find(|m| m.name == name).expect("a module");
        assert_eq!(lists.frequency(&of("runcmd")), Some(Frequency::Instance));
        lists.take(Stage::Final, &json!([["scripts-user", "always"], "write-files-deferred"])).expect("valid");
        assert_eq!(lists.frequency(&of("scripts_user")), Some(Frequency::Always));
        assert_eq!(lists.frequency(&of("write_files_deferred")), Some(Frequency::Instance));
        assert_eq!(lists.frequency(&of("power_state_change")), None);
        assert_eq!(lists.frequency(&of("runcmd")), Some(Frequency::Instance), "another stage");
        assert!(lists.take(Stage::Final, &json!([["scripts-user", "sometimes"]])).is_err());
        assert!(lists.take(Stage::Final, &json!("scripts-user")).is_err());
    }
}
