//! A `#cloud-config` document to a typed list of wishes. Pure.
//!
//! Served: bootcmd, runcmd, write_files, packages (with package_update and
//! package_upgrade), hostname, fqdn, preserve_hostname, users, groups,
//! ssh_authorized_keys, disable_root, output. Any other key is named in
//! `not_supported`; a served key with a value of the wrong form in `problems`.

use base64::Engine;
use serde_json::{Map, Value};

use super::{parts::gunzip, yaml};
use crate::files::{WantedFile, parse_mode};

/// What one or more documents ask for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CloudConfig {
    /// Commands for every boot, before everything else; a shell program.
    pub bootcmd: Option<String>,
    /// Commands for the first boot, after everything else; a shell program.
    pub runcmd: Option<String>,
    /// Files.
    pub write_files: Vec<WantedFile>,
    /// Debian packages to install.
    pub packages: Vec<String>,
    /// Refresh the package lists first.
    pub package_update: bool,
    /// Upgrade what is installed.
    pub package_upgrade: bool,
    /// A name for this machine.
    pub hostname: Option<String>,
    /// Leave the machine's name as the image has it.
    pub preserve_hostname: bool,
    /// Groups to create.
    pub groups: Vec<String>,
    /// Users to create.
    pub users: Vec<User>,
    /// More keys for the default user and root.
    pub ssh_authorized_keys: Vec<String>,
    /// Whether root's keys only tell which user to use; as on AWS, yes unless said.
    pub disable_root: Option<bool>,
    /// A file that gets a copy of all output.
    pub output: Option<String>,
    /// Keys this program does not serve.
    pub not_supported: Vec<String>,
    /// Values it could not read.
    pub problems: Vec<String>,
}

/// A user to create.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct User {
    /// Login name.
    pub name: String,
    /// Login shell.
    pub shell: Option<String>,
    /// Home folder.
    pub homedir: Option<String>,
    /// Free text.
    pub gecos: Option<String>,
    /// First group.
    pub primary_group: Option<String>,
    /// More groups.
    pub groups: Vec<String>,
    /// A service account: low id, no home.
    pub system: bool,
    /// Do not make the home folder.
    pub no_create_home: bool,
    /// Lines for sudo.
    pub sudo: Vec<String>,
    /// Keys for this user.
    pub ssh_authorized_keys: Vec<String>,
}

/// Reads documents in order. A later document's key replaces an earlier one's.
pub fn read(documents: &[String]) -> CloudConfig {
    let mut merged = Map::new();
    let mut config = CloudConfig::default();
    for text in documents {
        match yaml::parse(text) {
            Ok(Value::Object(keys)) => merged.extend(keys),
            Ok(Value::Null) => {}
            Ok(_) => config.problems.push("#cloud-config: the document is not a mapping".to_owned()),
            Err(cause) => config.problems.push(format!("#cloud-config: {cause}")),
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
            "preserve_hostname" => self.preserve_hostname = boolean(value)?,
            // Keys arrive in alphabetical order: a hostname replaces an fqdn.
            "fqdn" | "hostname" => self.hostname = Some(string(value)?),
            "ssh_authorized_keys" => self.ssh_authorized_keys = strings(value)?,
            "disable_root" => self.disable_root = Some(boolean(value)?),
            "output" => self.output = Some(output(value)?),
            "write_files" => {
                for (index, item) in items(value)?.iter().enumerate() {
                    match file(item) {
                        Ok(file) => self.write_files.push(file),
                        Err(problem) => self.problems.push(format!("#cloud-config write_files[{index}]: {problem}")),
                    }
                }
            }
            "groups" => {
                self.groups = match value {
                    Value::String(list) => split(list),
                    Value::Object(map) => map.keys().cloned().collect(),
                    other => items(other)?
                        .iter()
                        .flat_map(|item| match item {
                            Value::Object(map) => map.keys().map(|k| Ok(k.clone())).collect(),
                            other => vec![string(other)],
                        })
                        .collect::<Result<_, _>>()?,
                };
            }
            "users" => {
                for item in items(value)? {
                    match item {
                        Value::String(name) if name == "default" => {}
                        Value::Object(map) if map.get("name") == Some(&"default".into()) => {}
                        item => {
                            let user = self.user(item)?;
                            self.users.push(user);
                        }
                    }
                }
            }
            other => self.not_supported.push(other.to_owned()),
        }
        Ok(())
    }

    fn user(&mut self, item: &Value) -> Result<User, String> {
        let mut user = User::default();
        let map = match item {
            Value::String(name) => {
                user.name.clone_from(name);
                return Ok(user);
            }
            Value::Object(map) => map,
            _ => return Err("a user is a name or a mapping".to_owned()),
        };
        for (key, value) in map {
            match key.as_str() {
                "name" => user.name = string(value)?,
                "shell" => user.shell = Some(string(value)?),
                "homedir" => user.homedir = Some(string(value)?),
                "gecos" => user.gecos = Some(string(value)?),
                "primary_group" | "primary-group" => user.primary_group = Some(string(value)?),
                "groups" => {
                    user.groups = match value {
                        Value::String(list) => split(list),
                        other => strings(other)?,
                    };
                }
                "system" => user.system = boolean(value)?,
                "no_create_home" | "no-create-home" => user.no_create_home = boolean(value)?,
                "sudo" => {
                    user.sudo = match value {
                        Value::Bool(false) | Value::Null => Vec::new(),
                        other => strings(other)?,
                    };
                }
                "ssh_authorized_keys" | "ssh-authorized-keys" => {
                    user.ssh_authorized_keys = strings(value)?;
                }
                // Passwords stay locked whatever this says: nothing here can set one.
                "lock_passwd" | "lock-passwd" if boolean(value)? => {}
                other => self.not_supported.push(format!("users.{other}")),
            }
        }
        if user.name.is_empty() {
            return Err("a user needs a name".to_owned());
        }
        Ok(user)
    }
}

fn file(item: &Value) -> Result<WantedFile, String> {
    let map = item.as_object().ok_or("it is not a mapping")?;
    let mut file = WantedFile::default();
    let mut encoding = String::new();
    for (key, value) in map {
        match key.as_str() {
            "path" => file.path = string(value)?,
            "content" => file.content = string(value)?.into_bytes(),
            "encoding" => encoding = string(value)?,
            "append" => file.append = boolean(value)?,
            "permissions" => file.mode = Some(parse_mode(&string(value)?)?),
            "owner" => {
                let owner = string(value)?;
                let (user, group) = owner.split_once(':').unwrap_or((owner.as_str(), ""));
                file.owner = Some(user.to_owned());
                file.group = (!group.is_empty()).then(|| group.to_owned());
            }
            // Every file is written after users exist, so there is nothing to defer.
            "defer" => {}
            other => return Err(format!("the key {other} is not supported")),
        }
    }
    if file.path.is_empty() {
        return Err("it has no path".to_owned());
    }
    let base64 = |content: &[u8]| {
        let compact: Vec<u8> = content.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        base64::engine::general_purpose::STANDARD
            .decode(compact)
            .map_err(|cause| format!("its content is not valid base64: {cause}"))
    };
    file.content = match encoding.as_str() {
        "" | "text/plain" => file.content,
        "b64" | "base64" => base64(&file.content)?,
        "gz" | "gzip" => gunzip(&file.content)?,
        "gz+b64" | "gz+base64" | "gzip+b64" | "gzip+base64" => gunzip(&base64(&file.content)?)?,
        other => return Err(format!("the encoding {other} is not supported")),
    };
    Ok(file)
}

/// Commands to one shell program: text as it is, lists with each word quoted.
fn commands(value: &Value) -> Result<String, String> {
    let mut program = "#!/bin/sh\n".to_owned();
    for item in items(value)? {
        match item {
            Value::Array(words) => {
                let words =
                    words.iter().map(|word| string(word).map(|word| quote(&word))).collect::<Result<Vec<_>, _>>()?;
                program.push_str(&words.join(" "));
            }
            Value::Null => {}
            other => program.push_str(&string(other)?),
        }
        program.push('\n');
    }
    Ok(program)
}

/// Quotes a word for the shell.
pub fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn packages(value: &Value) -> Result<Vec<String>, String> {
    items(value)?
        .iter()
        .map(|item| {
            let name = match item {
                Value::Array(pair) => match pair.as_slice() {
                    [name, version] => format!("{}={}", string(name)?, string(version)?),
                    _ => return Err("a package list item is [name, version]".to_owned()),
                },
                other => string(other)?,
            };
            if name.starts_with('-') {
                return Err(format!("{name:?} is not a package name"));
            }
            Ok(name)
        })
        .collect()
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

fn items(value: &Value) -> Result<&[Value], String> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| "it is not a list".to_owned())
}

fn strings(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Array(items) => items.iter().map(string).collect(),
        other => Ok(vec![string(other)?]),
    }
}

fn string(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err("text was expected".to_owned()),
    }
}

fn boolean(value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) if text == "true" => Ok(true),
        Value::String(text) if text == "false" => Ok(false),
        _ => Err("true or false was expected".to_owned()),
    }
}

fn split(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> CloudConfig {
        read(&[text.to_owned()])
    }

    #[test]
    fn commands_become_one_shell_program() {
        let config = one("runcmd:\n - echo $HOME\n - [echo, \"it's\", 5]\n");
        assert_eq!(config.runcmd.as_deref(), Some("#!/bin/sh\necho $HOME\n'echo' 'it'\\''s' '5'\n"));
        assert_eq!(config.problems, Vec::<String>::new());
    }

    #[test]
    fn files_are_decoded_and_carry_their_mode_and_owner() {
        let config = one("write_files:
- path: /etc/a
  content: aGVsbG8K
  encoding: b64
  permissions: 0600
  owner: root:adm
- path: /etc/b
  encoding: gz+b64
  content: H4sIAAAAAAAAA8tIzcnJ5wIAIDA6NgYAAAA=
- path: /etc/c
  append: true
  content: more
");
        assert_eq!(config.problems, Vec::<String>::new());
        assert_eq!(config.write_files.len(), 3);
        let first = &config.write_files[0];
        assert_eq!(first.content, b"hello\n");
        assert_eq!(first.mode, Some(0o600));
        assert_eq!(first.owner.as_deref(), Some("root"));
        assert_eq!(first.group.as_deref(), Some("adm"));
        assert_eq!(config.write_files[1].content, b"hello\n");
        assert!(config.write_files[2].append);
    }

    #[test]
    fn users_groups_packages_and_names() {
        let config = one("hostname: web
packages: [curl, [nginx, 1.22]]
package_update: true
groups: [shop, {ops: [root]}]
users:
- default
- name: shop
  system: true
  groups: adm, shop
  sudo: ALL=(ALL) NOPASSWD:ALL
  ssh_authorized_keys: [ssh-ed25519 AAAA x]
  passwd: secret
output: {all: '| tee -a /var/log/mine.log'}
");
        assert_eq!(config.problems, Vec::<String>::new());
        assert_eq!(config.hostname.as_deref(), Some("web"));
        assert_eq!(config.packages, ["curl", "nginx=1.22"]);
        assert!(config.package_update);
        assert_eq!(config.groups, ["shop", "ops"]);
        assert_eq!(config.users.len(), 1);
        assert_eq!(config.users[0].groups, ["adm", "shop"]);
        assert_eq!(config.output.as_deref(), Some("/var/log/mine.log"));
        assert_eq!(config.not_supported, ["users.passwd"]);
    }

    #[test]
    fn unknown_keys_are_named_and_wrong_values_do_not_silence_the_rest() {
        let config = one("ntp: {enabled: true}\nruncmd: 5\npackages: [a]\n");
        assert_eq!(config.not_supported, ["ntp"]);
        assert_eq!(config.problems, ["#cloud-config runcmd: it is not a list"]);
        assert_eq!(config.packages, ["a"]);
        assert_eq!(one("a: [").problems.len(), 1);
        assert_eq!(one("packages: [--force]").problems.len(), 1);
    }

    #[test]
    fn the_last_document_wins() {
        let config = read(&["hostname: a\npackages: [x]".into(), "hostname: b".into()]);
        assert_eq!(config.hostname.as_deref(), Some("b"));
        assert_eq!(config.packages, ["x"]);
    }
}
