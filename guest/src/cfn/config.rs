//! `AWS::CloudFormation::Init` metadata to an ordered list of steps. Pure.
//!
//! Order within a config, as documented: packages, groups, users, sources,
//! files, commands (by name), services. What is not served is an error that
//! names it, before anything is done.

use std::collections::BTreeMap;

use base64::Engine;
use serde_json::{Map, Value};

use crate::files::{WantedFile, parse_mode};

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Install with apt: `name` or `name=version`.
    Packages(Vec<String>),
    /// Create a group.
    Group { name: String, gid: Option<String> },
    /// Create a service user without a login.
    User { name: String, uid: Option<String>, groups: Vec<String>, home: Option<String> },
    /// Unpack an archive into a folder.
    Source { folder: String, url: String },
    /// Write a file.
    File { file: WantedFile, from: Content },
    /// Run a command.
    Command(Command),
    /// Bring a service into a state.
    Service(Service),
}

/// Where a file's content comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// It is in the metadata.
    Inline,
    /// It is fetched.
    Url(String),
    /// The file is a symbolic link to this.
    LinkTo(String),
}

/// A command of the `commands` section.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Command {
    /// Its key.
    pub name: String,
    /// Program and arguments.
    pub words: Vec<String>,
    /// Only if this succeeds.
    pub test: Option<Vec<String>>,
    /// Its whole environment, when given.
    pub env: Option<BTreeMap<String, String>>,
    /// Working folder.
    pub cwd: Option<String>,
    /// Go on when it fails.
    pub ignore_errors: bool,
}

/// A service of the `services` section.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Service {
    /// Unit name.
    pub name: String,
    /// Start at boot, or not.
    pub enabled: Option<bool>,
    /// Run now, or not.
    pub ensure_running: Option<bool>,
    /// Restart when one of these files, folders, packages or commands was done.
    pub restart_after: Vec<String>,
}

const INIT: &str = "AWS::CloudFormation::Init";

/// The steps of the config sets named in `sets` (comma separated).
pub fn read(metadata: &Value, sets: &str) -> Result<Vec<Step>, String> {
    let init = metadata
        .get(INIT)
        .and_then(Value::as_object)
        .ok_or_else(|| format!("the resource's metadata has no {INIT}"))?;
    let mut names = Vec::new();
    for set in sets.split(',').map(str::trim) {
        configs_of(init, set, &mut names, 0)?;
    }
    let mut steps = Vec::new();
    for name in names {
        let config =
            init.get(&name).and_then(Value::as_object).ok_or_else(|| format!("{INIT} has no config {name}"))?;
        config_steps(config, &mut steps).map_err(|problem| format!("{INIT} {name}: {problem}"))?;
    }
    Ok(steps)
}

fn configs_of(init: &Map<String, Value>, set: &str, names: &mut Vec<String>, depth: usize) -> Result<(), String> {
    if depth > 16 {
        return Err(format!("config set {set} contains itself"));
    }
    let sets = init.get("configSets").and_then(Value::as_object);
    let Some(members) = sets.and_then(|sets| sets.get(set)) else {
        if set == "default" {
            names.push("config".to_owned());
            return Ok(());
        }
        return Err(format!("{INIT} has no config set {set}"));
    };
    let one = [members.clone()];
    for member in members.as_array().map_or(&one[..], Vec::as_slice) {
        match member {
            Value::String(name) => names.push(name.clone()),
            Value::Object(inner) => {
                let inner = text(inner.get("ConfigSet"), "ConfigSet")?;
                configs_of(init, &inner, names, depth + 1)?;
            }
            _ => return Err(format!("config set {set} holds neither names nor config sets")),
        }
    }
    Ok(())
}

fn config_steps(config: &Map<String, Value>, steps: &mut Vec<Step>) -> Result<(), String> {
    const SECTIONS: [&str; 7] = ["packages", "groups", "users", "sources", "files", "commands", "services"];
    if let Some(other) = config.keys().find(|key| !SECTIONS.contains(&key.as_str())) {
        return Err(format!("the section {other} is not supported"));
    }
    for section in SECTIONS {
        let Some(value) = config.get(section) else { continue };
        for (key, value) in map(value, section)? {
            let step = match section {
                "packages" => packages(key, value),
                "groups" => group(key, value),
                "users" => user(key, value),
                "sources" => text(Some(value), key).map(|url| vec![Step::Source { folder: key.clone(), url }]),
                "files" => file(key, value),
                "commands" => command(key, value),
                _ => services(key, value),
            };
            steps.extend(step.map_err(|problem| format!("{section} {key}: {problem}"))?);
        }
    }
    Ok(())
}

fn packages(manager: &str, value: &Value) -> Result<Vec<Step>, String> {
    if manager != "apt" {
        return Err("only apt is supported".to_owned());
    }
    let mut names = Vec::new();
    for (name, versions) in map(value, manager)? {
        if name.starts_with('-') {
            return Err(format!("{name:?} is not a package name"));
        }
        names.push(match versions {
            Value::String(version) if !version.is_empty() => format!("{name}={version}"),
            Value::Array(list) if list.len() == 1 => {
                format!("{name}={}", text(list.first(), name)?)
            }
            Value::Array(list) if list.len() > 1 => {
                return Err(format!("{name}: only one version can be installed"));
            }
            _ => name.clone(),
        });
    }
    Ok(vec![Step::Packages(names)])
}

fn group(name: &str, value: &Value) -> Result<Vec<Step>, String> {
    let fields = map(value, name)?;
    only(fields, &["gid"])?;
    let gid = fields.get("gid").map(|gid| text(Some(gid), "gid")).transpose()?;
    Ok(vec![Step::Group { name: name.to_owned(), gid }])
}

fn user(name: &str, value: &Value) -> Result<Vec<Step>, String> {
    let fields = map(value, name)?;
    only(fields, &["uid", "groups", "homeDir"])?;
    let optional = |key: &str| fields.get(key).map(|v| text(Some(v), key)).transpose();
    Ok(vec![Step::User {
        name: name.to_owned(),
        uid: optional("uid")?,
        groups: fields.get("groups").map_or(Ok(Vec::new()), |groups| texts(groups, "groups"))?,
        home: optional("homeDir")?,
    }])
}

fn file(path: &str, value: &Value) -> Result<Vec<Step>, String> {
    let fields = map(value, path)?;
    let mut file = WantedFile { path: path.to_owned(), ..WantedFile::default() };
    let mut from = Content::Inline;
    let mut base64 = false;
    let mut link = false;
    for (key, value) in fields {
        match key.as_str() {
            "content" => {
                file.content = match value {
                    Value::String(text) => text.clone().into_bytes(),
                    other => other.to_string().into_bytes(),
                }
            }
            "source" => from = Content::Url(text(Some(value), key)?),
            "encoding" => match text(Some(value), key)?.as_str() {
                "plain" => {}
                "base64" => base64 = true,
                other => return Err(format!("the encoding {other} is not supported")),
            },
            "mode" => {
                let mode = text(Some(value), key)?;
                link = mode == "120000" || mode == "120644";
                let short = mode.get(mode.len().saturating_sub(4)..).unwrap_or(&mode);
                file.mode = Some(parse_mode(short)?);
            }
            "owner" => file.owner = Some(text(Some(value), key)?),
            "group" => file.group = Some(text(Some(value), key)?),
            other => return Err(format!("the key {other} is not supported")),
        }
    }
    if base64 {
        file.content = base64::engine::general_purpose::STANDARD
            .decode(file.content.trim_ascii())
            .map_err(|cause| format!("the content is not valid base64: {cause}"))?;
    }
    if link {
        let target = String::from_utf8_lossy(&file.content).trim().to_owned();
        from = Content::LinkTo(target);
    }
    Ok(vec![Step::File { file, from }])
}

fn command(name: &str, value: &Value) -> Result<Vec<Step>, String> {
    let mut command = Command { name: name.to_owned(), ..Command::default() };
    for (key, value) in map(value, name)? {
        match key.as_str() {
            "command" => command.words = words(value)?,
            "test" => command.test = Some(words(value)?),
            "cwd" => command.cwd = Some(text(Some(value), key)?),
            "ignoreErrors" => command.ignore_errors = boolean(value)?,
            "waitAfterCompletion" => {} // Windows only
            "env" => {
                let entries = map(value, key)?.iter();
                let env = entries.map(|(k, v)| Ok((k.clone(), text(Some(v), k)?)));
                command.env = Some(env.collect::<Result<_, String>>()?);
            }
            other => return Err(format!("the key {other} is not supported")),
        }
    }
    if command.words.is_empty() {
        return Err("it has no command".to_owned());
    }
    Ok(vec![Step::Command(command)])
}

fn services(manager: &str, value: &Value) -> Result<Vec<Step>, String> {
    if !["systemd", "sysvinit"].contains(&manager) {
        return Err("only systemd and sysvinit (by systemd) are supported".to_owned());
    }
    let mut steps = Vec::new();
    for (name, fields) in map(value, manager)? {
        let mut service = Service { name: name.clone(), ..Service::default() };
        for (key, value) in map(fields, name)? {
            match key.as_str() {
                "enabled" => service.enabled = Some(boolean(value)?),
                "ensureRunning" => service.ensure_running = Some(boolean(value)?),
                "files" | "sources" | "commands" => {
                    service.restart_after.extend(texts(value, key)?);
                }
                "packages" => {
                    for (manager, names) in map(value, key)? {
                        service.restart_after.extend(texts(names, manager)?);
                    }
                }
                other => return Err(format!("{name}: the key {other} is not supported")),
            }
        }
        steps.push(Step::Service(service));
    }
    Ok(steps)
}

/// Names a key that is not served.
fn only(fields: &Map<String, Value>, known: &[&str]) -> Result<(), String> {
    match fields.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(other) => Err(format!("the key {other} is not supported")),
    }
}

/// A command is a line for the shell or a list of words.
fn words(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::String(line) => Ok(vec!["/bin/sh".into(), "-c".into(), line.clone()]),
        other => texts(other, "command"),
    }
}

fn map<'a>(value: &'a Value, name: &str) -> Result<&'a Map<String, Value>, String> {
    value.as_object().ok_or_else(|| format!("{name} is not a mapping"))
}

fn text(value: Option<&Value>, name: &str) -> Result<String, String> {
    match value {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(_) | Value::Bool(_)) => Ok(value.map_or(String::new(), Value::to_string)),
        _ => Err(format!("{name} is not text")),
    }
}

fn texts(value: &Value, name: &str) -> Result<Vec<String>, String> {
    let list = value.as_array().ok_or_else(|| format!("{name} is not a list"))?;
    list.iter().map(|item| text(Some(item), name)).collect()
}

fn boolean(value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err("true or false was expected".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sections_come_in_their_documented_order_and_commands_by_name() {
        let metadata = json!({INIT: {"config": {
            "services": {"systemd": {"shop": {"enabled": "true", "ensureRunning": true, "files": ["/etc/shop"]}}},
            "commands": {
                "02_b": {"command": ["b", 1], "ignoreErrors": "true"},
                "01_a": {"command": "a | c", "test": "test -e /x", "cwd": "/tmp", "env": {"K": "v"}},
            },
            "files": {"/etc/shop": {"content": {"port": 8080}, "mode": "000640", "owner": "shop"}},
            "sources": {"/opt/shop": "http://x/shop.tar.gz"},
            "users": {"shop": {"groups": ["shop"], "uid": 200, "homeDir": "/opt/shop"}},
            "groups": {"shop": {"gid": "300"}},
            "packages": {"apt": {"nginx": [], "curl": ["7.88"]}},
        }}});
        let sh = |line: &str| vec!["/bin/sh".to_owned(), "-c".to_owned(), line.to_owned()];
        assert_eq!(
            read(&metadata, "default"),
            Ok(vec![
                Step::Packages(vec!["curl=7.88".into(), "nginx".into()]),
                Step::Group { name: "shop".into(), gid: Some("300".into()) },
                Step::User {
                    name: "shop".into(),
                    uid: Some("200".into()),
                    groups: vec!["shop".into()],
                    home: Some("/opt/shop".into()),
                },
                Step::Source { folder: "/opt/shop".into(), url: "http://x/shop.tar.gz".into() },
                Step::File {
                    file: WantedFile {
                        path: "/etc/shop".into(),
                        content: b"{\"port\":8080}".to_vec(),
                        mode: Some(0o640),
                        owner: Some("shop".into()),
                        ..WantedFile::default()
                    },
                    from: Content::Inline,
                },
                Step::Command(Command {
                    name: "01_a".into(),
                    words: sh("a | c"),
                    test: Some(sh("test -e /x")),
                    env: Some([("K".to_owned(), "v".to_owned())].into()),
                    cwd: Some("/tmp".into()),
                    ignore_errors: false,
                }),
                Step::Command(Command {
                    name: "02_b".into(),
                    words: vec!["b".into(), "1".into()],
                    ignore_errors: true,
                    ..Command::default()
                }),
                Step::Service(Service {
                    name: "shop".into(),
                    enabled: Some(true),
                    ensure_running: Some(true),
                    restart_after: vec!["/etc/shop".into()],
                }),
            ])
        );
    }

    #[test]
    fn config_sets_name_configs_and_each_other() {
        let one = |word: &str| json!({"commands": {word: {"command": [word]}}});
        let metadata = json!({INIT: {
            "configSets": {"default": [{"ConfigSet": "base"}, "b"], "base": ["a"], "loop": [{"ConfigSet": "loop"}]},
            "a": one("a"), "b": one("b"),
        }});
        let names = |sets| {
            read(&metadata, sets).map(|steps| {
                let name = |step: &Step| match step {
                    Step::Command(command) => command.name.clone(),
                    other => format!("{other:?}"),
                };
                steps.iter().map(name).collect::<Vec<_>>()
            })
        };
        assert_eq!(names("default"), Ok(vec!["a".into(), "b".into()]));
        assert_eq!(names("base,base"), Ok(vec!["a".into(), "a".into()]));
        assert!(names("none").expect_err("refused").contains("no config set none"));
        assert!(names("loop").expect_err("refused").contains("contains itself"));
    }

    #[test]
    fn what_is_not_served_is_named() {
        for (config, word) in [
            (json!({"packages": {"yum": {"x": []}}}), "only apt"),
            (json!({"files": {"/x": {"context": {}}}}), "context"),
            (json!({"services": {"windows": {}}}), "systemd"),
            (json!({"commands": {"a": {}}}), "no command"),
            (json!({"kernels": {}}), "kernels"),
            (json!({"users": {"a": {"shell": "/bin/sh"}}}), "shell"),
            (json!({"groups": {"a": {"members": ["b"]}}}), "members"),
        ] {
            let error = read(&json!({INIT: {"config": config}}), "default").expect_err("refused");
            assert!(error.contains(word), "{error}");
        }
        assert!(read(&json!({}), "default").is_err());
    }
}
