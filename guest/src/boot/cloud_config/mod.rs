//! `#cloud-config` documents to a typed list of wishes. Pure.
//!
//! ```text
//!   documents ─► merge.rs ─► one mapping ─► key by key ─► CloudConfig
//! ```
//!
//! Any key that is not served is named in `not_supported`; a served key with a value of the wrong
//! form in `problems`. Keys and their meaning: cloud-init's documentation, "Module reference".

mod files;
mod merge;
mod modules;
mod power;
mod users;
mod values;

use serde_json::{Map, Value};

use super::parts::Document;
use super::yaml;

pub use files::File;
pub use modules::{Frequency, MODULES, Module, Stage};
pub use power::{Condition, PowerState};
pub use users::{Group, Password, Passwords, User};

use modules::Lists;
use values::{boolean, commands, items, string};

/// What the documents ask for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CloudConfig {
    /// Commands for every boot, before everything else; a shell program.
    pub bootcmd: Option<String>,
    /// Commands kept beside the scripts, as one called `runcmd`; a shell program.
    pub runcmd: Option<String>,
    /// Files.
    pub write_files: Vec<File>,
    /// Debian packages to install.
    pub packages: Vec<String>,
    /// Refresh the package lists first.
    pub package_update: bool,
    /// Upgrade what is installed.
    pub package_upgrade: bool,
    /// A name for this machine.
    pub hostname: Option<String>,
    /// Its name with its domain.
    pub fqdn: Option<String>,
    /// Whether the machine calls itself by the long one.
    pub prefer_fqdn: bool,
    /// Leave the machine's name as the image has it.
    pub preserve_hostname: bool,
    /// Whether `/etc/hosts` is written on every boot.
    pub manage_etc_hosts: Hosts,
    /// Groups to create.
    pub groups: Vec<Group>,
    /// Users to create.
    pub users: Vec<User>,
    /// `users` was given, and without `default`.
    pub no_default_user: bool,
    /// More keys for the default user and root.
    pub ssh_authorized_keys: Vec<String>,
    /// Whether root's keys only tell which user to use; as on AWS, yes unless said.
    pub disable_root: Option<bool>,
    /// Whether sshd takes passwords.
    pub ssh_pwauth: Option<bool>,
    /// Passwords to set.
    pub passwords: Option<Passwords>,
    /// The default user's password.
    pub password: Option<String>,
    /// Language.
    pub locale: Option<String>,
    /// Time zone.
    pub timezone: Option<String>,
    /// More certificates to trust, in PEM.
    pub trusted: Vec<String>,
    /// What is written at the end.
    pub final_message: Option<String>,
    /// Switch off or restart at the end.
    pub power_state: Option<PowerState>,
    /// A file that gets a copy of all output.
    pub output: Option<String>,
    /// Which modules run, and how often.
    pub modules: Lists,
    /// Keys this program does not serve.
    pub not_supported: Vec<String>,
    /// Values it could not read.
    pub problems: Vec<String>,
}

/// What becomes of `/etc/hosts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hosts {
    /// It stays.
    #[default]
    Leave,
    /// A line has the machine's name.
    Line,
    /// It is written whole.
    Whole,
}

/// Reads documents in order; each says how it is merged into those before.
pub fn read(documents: &[Document]) -> CloudConfig {
    let mut merged = Map::new();
    let mut config = CloudConfig::default();
    for document in documents {
        let done = match yaml::parse(&document.text) {
            Ok(Value::Object(keys)) => merge::into(&mut merged, keys, document.merge.as_deref()),
            Ok(Value::Null) => Ok(()),
            Ok(_) => Err("the document is not a mapping".to_owned()),
            Err(cause) => Err(cause),
        };
        if let Err(problem) = done {
            config.problems.push(format!("#cloud-config {}: {problem}", document.name));
        }
    }
    for (key, value) in &merged {
        if value.is_null() {
            continue;
        }
        if let Err(problem) = config.take(key, value) {
            config.problems.push(format!("#cloud-config {key}: {problem}"));
        }
    }
    config
}

impl CloudConfig {
    fn take(&mut self, key: &str, value: &Value) -> Result<(), String> {
        match key {
            "bootcmd" => self.bootcmd = Some(commands(value)?),
            "runcmd" => self.runcmd = Some(commands(value)?),
            "packages" => self.packages = packages(value)?,
            "package_update" | "apt_update" => self.package_update = boolean(value)?,
            "package_upgrade" | "apt_upgrade" => self.package_upgrade = boolean(value)?,
            "package_reboot_if_required" | "apt_reboot_if_required" => self.only(key, boolean(value)?, false),
            "preserve_hostname" => self.preserve_hostname = boolean(value)?,
            "prefer_fqdn_over_hostname" => self.prefer_fqdn = boolean(value)?,
            "create_hostname_file" => self.only(key, boolean(value)?, true),
            "hostname" => self.hostname = Some(string(value)?),
            "fqdn" => self.fqdn = Some(string(value)?),
            "manage_etc_hosts" => match string(value)?.as_str() {
                "localhost" => self.manage_etc_hosts = Hosts::Line,
                "template" => self.manage_etc_hosts = Hosts::Whole,
                _ if boolean(value)? => self.manage_etc_hosts = Hosts::Whole,
                _ => {}
            },
            "ssh_authorized_keys" => self.ssh_authorized_keys = users::keys(value)?,
            "disable_root" => self.disable_root = Some(boolean(value)?),
            "ssh_pwauth" => match string(value)?.as_str() {
                "unchanged" => {}
                _ => self.ssh_pwauth = Some(boolean(value)?),
            },
            "chpasswd" => {
                let passwords = users::passwords(value)?;
                self.not_supported.extend(passwords.not_supported.iter().cloned());
                self.passwords = Some(passwords);
            }
            "password" => self.password = Some(string(value)?),
            "locale" if *value == Value::Bool(false) => {}
            "locale" => self.locale = Some(string(value)?),
            "timezone" => self.timezone = Some(string(value)?),
            "ca_certs" | "ca-certs" => self.certificates(value)?,
            "final_message" => self.final_message = Some(string(value)?),
            "power_state" => self.power_state = Some(power::read(value)?),
            "output" => self.output = Some(output(value)?),
            "cloud_init_modules" => self.modules.take(Stage::Init, value)?,
            "cloud_config_modules" => self.modules.take(Stage::Config, value)?,
            "cloud_final_modules" => self.modules.take(Stage::Final, value)?,
            "write_files" => {
                for (index, item) in items(value)?.iter().enumerate() {
                    let named = |problem: &str| format!("#cloud-config write_files[{index}]: {problem}");
                    match files::file(item) {
                        Ok(file) => {
                            self.problems.extend(file.warnings.iter().map(|warning| named(warning)));
                            self.write_files.push(file);
                        }
                        Err(problem) => self.problems.push(named(&problem)),
                    }
                }
            }
            "groups" => self.groups = users::groups(value)?,
            "users" => {
                let users = users::users(value)?;
                self.no_default_user = !users.default;
                self.users = users.others;
                self.not_supported.extend(users.not_supported);
            }
            // A machine has its disk whole from its first boot on, whatever its size.
            "growpart" if value.get("mode").is_none_or(|mode| mode != "off" && mode != false) => {}
            "resize_rootfs" if boolean(value).unwrap_or(value == "noblock") => {}
            // The image's own lists of package sources stay.
            "apt"
                if value.as_object().is_some_and(|apt| {
                    apt.iter().all(|(key, value)| key == "preserve_sources_list" && *value == Value::Bool(true))
                }) => {}
            // An ed25519 key of its own is made for every machine, and no other.
            "ssh_deletekeys" => self.only(key, boolean(value)?, true),
            other => self.not_supported.push(other.to_owned()),
        }
        Ok(())
    }

    /// A setting that is taken where it says what holds anyway.
    fn only(&mut self, key: &str, given: bool, holds: bool) {
        if given != holds {
            self.not_supported.push(format!("{key}: {given}"));
        }
    }

    fn certificates(&mut self, value: &Value) -> Result<(), String> {
        for (key, value) in value.as_object().ok_or("it is not a mapping")? {
            match key.as_str() {
                "trusted" => self.trusted = values::strings(value)?,
                "remove_defaults" | "remove-defaults" => self.only("ca_certs.remove_defaults", boolean(value)?, false),
                other => self.not_supported.push(format!("ca_certs.{other}")),
            }
        }
        Ok(())
    }

    /// The machine's short name and the one with its domain, where a name is given.
    pub fn names(&self) -> Option<(String, String)> {
        let short = |name: &str| name.split('.').next().unwrap_or(name).to_owned();
        let (hostname, fqdn) = match (&self.hostname, &self.fqdn) {
            (None, None) => return None,
            (None, Some(fqdn)) => (short(fqdn), fqdn.clone()),
            (Some(hostname), Some(fqdn)) => (hostname.clone(), fqdn.clone()),
            (Some(hostname), None) => (short(hostname), hostname.clone()),
        };
        Some(if self.prefer_fqdn { (fqdn.clone(), fqdn) } else { (hostname, fqdn) })
    }
}

fn packages(value: &Value) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for item in items(value)? {
        let name = match item {
            Value::Array(pair) => match pair.as_slice() {
                [name] => string(name)?,
                [name, version] => format!("{}={}", string(name)?, string(version)?),
                _ => return Err("a package list item is [name, version]".to_owned()),
            },
            Value::Object(managers) => {
                if let Some(other) = managers.keys().find(|key| *key != "apt") {
                    return Err(format!("the package manager {other} is not supported"));
                }
                let listed = managers.get("apt").map(packages).transpose()?;
                names.extend(listed.unwrap_or_default());
                continue;
            }
            other => string(other)?,
        };
        if name.starts_with('-') {
            return Err(format!("{name:?} is not a package name"));
        }
        names.push(name);
    }
    Ok(names)
}

/// `{all: '| tee -a /var/log/x'}` or `{all: '>> /var/log/x'}` to its file.
fn output(value: &Value) -> Result<String, String> {
    let not_supported = || "only {all: '| tee -a FILE'} and {all: '>> FILE'} are supported".to_owned();
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Object(map) if map.len() == 1 => string(map.get("all").ok_or_else(not_supported)?)?,
        _ => return Err(not_supported()),
    };
    let text = text.trim();
    let file = ["| tee -a", "|tee -a", ">>"]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix))
        .ok_or_else(not_supported)?
        .trim();
    if file.starts_with('/') && !file.contains(char::is_whitespace) {
        Ok(file.to_owned())
    } else {
        Err(not_supported())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str, merge: Option<&str>) -> Document {
        Document { name: "part-001".into(), text: text.into(), merge: merge.map(str::to_owned) }
    }

    fn one(text: &str) -> CloudConfig {
        read(&[document(text, None)])
    }

    #[test]
    fn names_packages_and_settings() {
        let config = one("hostname: web
packages: [curl, [nginx, 1.22], {apt: [jq]}]
package_update: true
groups: [shop, {ops: [root]}]
users: [{name: shop}]
output: {all: '| tee -a /var/log/mine.log'}
growpart: {mode: auto, devices: [/]}
resize_rootfs: noblock
apt: {preserve_sources_list: true}
manage_etc_hosts: localhost
ssh_pwauth: unchanged
package_reboot_if_required: false
");
        assert_eq!((config.problems.as_slice(), config.not_supported.as_slice()), ([].as_slice(), [].as_slice()));
        assert_eq!(config.names(), Some(("web".into(), "web".into())));
        assert_eq!(config.packages, ["curl", "nginx=1.22", "jq"]);
        assert!(config.package_update && config.no_default_user);
        assert_eq!(config.manage_etc_hosts, Hosts::Line);
        assert_eq!(config.groups.iter().map(|g| g.name.as_str()).collect::<Vec<_>>(), ["shop", "ops"]);
        assert_eq!(config.output.as_deref(), Some("/var/log/mine.log"));
        let names = |text: &str| one(text).names().map(|(short, long)| format!("{short} {long}"));
        assert_eq!(names("fqdn: a.b.c").as_deref(), Some("a a.b.c"));
        assert_eq!(names("fqdn: a.b.c\nhostname: x").as_deref(), Some("x a.b.c"));
        assert_eq!(names("hostname: x.y\nprefer_fqdn_over_hostname: true").as_deref(), Some("x.y x.y"));
    }

    #[test]
    fn unknown_keys_are_named_and_wrong_values_do_not_silence_the_rest() {
        let config = one(
            "ntp: {enabled: true}\nruncmd: 5\npackages: [a]\nresize_rootfs: false\ngrowpart: {mode: off}\napt: {sources: {}}\nssh_deletekeys: false\n",
        );
        assert_eq!(config.not_supported, ["apt", "growpart", "ntp", "resize_rootfs", "ssh_deletekeys: false"]);
        assert_eq!(config.problems, ["#cloud-config runcmd: it is not a list"]);
        assert_eq!(config.packages, ["a"]);
        assert_eq!(one("a: [").problems.len(), 1);
        assert_eq!(one("packages: [--force]").problems.len(), 1);
        assert_eq!(one("packages: [{snap: [x]}]").problems.len(), 1);
    }

    #[test]
    fn documents_are_merged_as_they_say() {
        let last = read(&[document("hostname: a\nruncmd: [x]", None), document("hostname: b\nruncmd: [y]", None)]);
        assert_eq!((last.hostname.as_deref(), last.runcmd.as_deref()), (Some("b"), Some("#!/bin/sh\ny\n")));
        let both = "list(append)+dict(no_replace,recurse_list)+str()";
        let all = read(&[document("runcmd: [x]", None), document("runcmd: [y]", Some(both))]);
        assert_eq!(all.runcmd.as_deref(), Some("#!/bin/sh\nx\ny\n"));
        let wrong = read(&[document("runcmd: [x]", None), document("runcmd: [y]", Some("nonsense"))]);
        assert_eq!((wrong.runcmd.as_deref(), wrong.problems.len()), (Some("#!/bin/sh\nx\n"), 1));
    }
}
