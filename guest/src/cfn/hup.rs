//! `cfn-hup`: looks at a stack's resources again and again and runs hooks when they change.
//!
//! ```text
//!   cfn-hup.conf, hooks.conf, hooks.d/*.conf ─► hooks (read once, at start)
//!   every interval: each hook's path ─► CloudFormation ─► changed since the last time? ─► action
//! ```
//!
//! What a hook saw last is kept in `/var/lib/cfn-hup/data`; it is written down when the action has
//! succeeded, so that one that failed is tried again. Started by systemd it stays where it is; started
//! from a script it goes into the background. `role`, `credential-file` and `region` are read and not
//! needed: the server knows the machine by its address.
//!
//! Different from AWS's: `on.command` hooks, which SQS would send, are refused by name.
//!
//! Source: AWS CloudFormation Template Reference, "cfn-hup".

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::args::Args;
use super::endpoint::{Endpoint, Resource};
use crate::machine::Machine;
use crate::seed::{SEED_DIR, Seed};

const LOG: &str = "/var/log/cfn-hup.log";
const DATA: &str = "/var/lib/cfn-hup/data/metadata_db.json";
/// Set in the copy of this program that went into the background.
const BEHIND: &str = "KILN_CFN_HUP_IN_BACKGROUND";

/// `cfn-hup.conf`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Settings {
    stack: String,
    /// Minutes between two looks.
    interval: u64,
    umask: u32,
    verbose: bool,
    url: Option<String>,
}

/// One hook.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hook {
    name: String,
    triggers: Vec<Trigger>,
    /// The resource, and what of it.
    resource: String,
    what: What,
    action: String,
    runas: String,
    /// As it was written.
    path: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trigger {
    Add,
    Update,
    Remove,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Metadata(Vec<String>),
    PhysicalId,
}

/// The command.
pub fn run(words: &[String]) -> Result<(), String> {
    let args = Args::read(words, &[("config", 'c'), ("url", 'u')], &[("no-daemon", ' '), ("verbose", 'v')])?;
    let machine = Machine::at("/");
    let folder = machine.path(args.one("config").unwrap_or("/etc/cfn"));
    let mut settings = settings(&folder)?;
    settings.verbose |= args.has("verbose");
    let hooks = hooks(&folder)?;
    if hooks.is_empty() {
        return Err(format!("there are no hooks in {0}/hooks.conf and {0}/hooks.d", folder.display()));
    }
    let url = args.one("url").or(settings.url.as_deref());
    let endpoint = Endpoint::new(url, Seed::read(&machine.path(SEED_DIR)))?;
    let once = args.has("no-daemon");
    let started_by_init = nix::unistd::getppid().as_raw() == 1;
    if !once && !started_by_init && std::env::var_os(BEHIND).is_none() {
        return go_behind(words);
    }
    let mode = nix::sys::stat::Mode::from_bits_truncate(settings.umask);
    nix::sys::stat::umask(mode);
    let mut log = Log { path: machine.path(LOG), verbose: settings.verbose };
    log.say(&format!("{} hooks of stack {}, every {} minutes", hooks.len(), settings.stack, settings.interval));
    loop {
        let ask = |resource: &str| endpoint.resource(&settings.stack, resource);
        let looked = look(&machine, &hooks, ask, &mut log);
        if once {
            return looked;
        }
        if let Err(problem) = looked {
            log.say(&problem);
        }
        std::thread::sleep(Duration::from_secs(settings.interval * 60));
    }
}

/// Starts this program once more, out of reach of whoever started it.
fn go_behind(words: &[String]) -> Result<(), String> {
    let mut command = Command::new("setsid");
    command.arg("/usr/lib/kiln/kiln-guest").arg("cfn-hup").args(words).env(BEHIND, "1");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
    command.spawn().map(drop).map_err(|cause| format!("cannot go into the background: {cause}"))
}

struct Log {
    path: PathBuf,
    verbose: bool,
}

impl Log {
    fn say(&mut self, line: &str) {
        let written = OpenOptions::new().create(true).append(true).open(&self.path);
        if let Err(cause) = written.and_then(|mut file| writeln!(file, "{line}")) {
            eprintln!("cfn-hup: {line} (not logged: {cause})");
        }
    }

    fn detail(&mut self, line: &str) {
        if self.verbose {
            self.say(line);
        }
    }
}

/// One look at everything. The first thing that failed is the answer; the rest is done all the same.
fn look(
    machine: &Machine,
    hooks: &[Hook],
    ask: impl Fn(&str) -> Result<Option<Resource>, String>,
    log: &mut Log,
) -> Result<(), String> {
    let path = machine.path(DATA);
    let mut seen = read_seen(&path)?;
    let mut asked: BTreeMap<&str, Option<Resource>> = BTreeMap::new();
    let mut failed = None;
    for hook in hooks {
        let resource = match asked.get(hook.resource.as_str()) {
            Some(resource) => resource,
            None => match ask(&hook.resource) {
                Ok(resource) => asked.entry(&hook.resource).or_insert(resource),
                Err(problem) => {
                    let problem = format!("hook {}: {problem}", hook.name);
                    log.say(&problem);
                    failed.get_or_insert(problem);
                    continue;
                }
            },
        };
        let key = format!("{}|{}", hook.name, hook.path);
        let (old, new) = (seen.get(&key), resource.as_ref().and_then(|resource| hook.value(resource)));
        if let Some(why) = hook.is_due(old, new.as_ref()) {
            log.say(&format!("hook {}: {} was {why}: {}", hook.name, hook.path, hook.action));
            if let Err(problem) = act(machine, hook, old, new.as_ref()) {
                log.say(&problem);
                failed.get_or_insert(problem);
                // Not written down: the next look tries again.
                continue;
            }
        } else {
            log.detail(&format!("hook {}: nothing to do for {}", hook.name, hook.path));
        }
        match new {
            Some(new) => seen.insert(key, new),
            None => seen.remove(&key),
        };
        write_seen(&path, &seen)?;
    }
    failed.map_or(Ok(()), Err)
}

impl Hook {
    fn value(&self, resource: &Resource) -> Option<Value> {
        match &self.what {
            What::PhysicalId => resource.physical_id.clone().map(Value::String),
            What::Metadata(names) => {
                let all = resource.metadata.clone()?;
                names.iter().try_fold(&all, |value, name| value.get(name)).cloned()
            }
        }
    }

    fn is_due(&self, old: Option<&Value>, new: Option<&Value>) -> Option<&'static str> {
        let (trigger, why) = match (old, new) {
            (None, Some(_)) => (Trigger::Add, "added"),
            (Some(_), None) => (Trigger::Remove, "removed"),
            (Some(old), Some(new)) if old != new => (Trigger::Update, "changed"),
            _ => return None,
        };
        self.triggers.contains(&trigger).then_some(why)
    }
}

fn act(machine: &Machine, hook: &Hook, old: Option<&Value>, new: Option<&Value>) -> Result<(), String> {
    let mut command = match hook.runas.as_str() {
        "root" => Command::new("/bin/sh"),
        user => {
            let mut command = Command::new("runuser");
            command.args(["-u", user, "--", "/bin/sh"]);
            command
        }
    };
    let text = |value: Option<&Value>| match value {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(machine.path(LOG))
        .map_err(|cause| format!("cannot write {LOG}: {cause}"))?;
    let errors = log.try_clone().map_err(|cause| format!("cannot write {LOG}: {cause}"))?;
    let status = command
        .args(["-c", &hook.action])
        .env("CFN_OLD_METADATA", text(old))
        .env("CFN_NEW_METADATA", text(new))
        .env_remove(BEHIND)
        .current_dir(machine.path("/"))
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .status()
        .map_err(|cause| format!("hook {}: cannot start its action: {cause}", hook.name))?;
    if status.success() { Ok(()) } else { Err(format!("hook {}: its action ended with {status}", hook.name)) }
}

fn read_seen(path: &Path) -> Result<BTreeMap<String, Value>, String> {
    match std::fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|cause| format!("{} is malformed: {cause}", path.display())),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(cause) => Err(format!("cannot read {}: {cause}", path.display())),
    }
}

/// Whole or not at all, and for root alone: metadata may hold what others must not read.
fn write_seen(path: &Path, seen: &BTreeMap<String, Value>) -> Result<(), String> {
    let doing = |cause: std::io::Error| format!("cannot write {}: {cause}", path.display());
    let text = serde_json::to_vec(seen).map_err(|cause| format!("cannot write {}: {cause}", path.display()))?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(doing)?;
        crate::files::set_mode(folder, 0o700).map_err(doing)?;
    }
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, path)).map_err(doing)
}

type Sections = Vec<(String, BTreeMap<String, String>)>;

/// A configuration file: sections, `key=value` or `key: value`, comments, values that go on on
/// indented lines.
fn sections(text: &str) -> Result<Sections, String> {
    let mut sections: Sections = Vec::new();
    let mut last: Option<String> = None;
    for line in text.lines() {
        if line.trim().is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let (Some(key), Some((_, values)), true) = (&last, sections.last_mut(), line.starts_with([' ', '\t'])) {
            if let Some(value) = values.get_mut(key) {
                value.push('\n');
                value.push_str(line.trim());
            }
            continue;
        }
        if let Some(name) = line.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            sections.push((name.trim().to_owned(), BTreeMap::new()));
            last = None;
            continue;
        }
        let (key, value) = line.split_once(['=', ':']).ok_or_else(|| format!("{line:?} is not key=value"))?;
        let (_, values) = sections.last_mut().ok_or_else(|| format!("{line:?} stands before any [section]"))?;
        let key = key.trim().to_ascii_lowercase();
        values.insert(key.clone(), value.trim().to_owned());
        last = Some(key);
    }
    Ok(sections)
}

fn read(path: &Path) -> Result<Sections, String> {
    let text = std::fs::read_to_string(path).map_err(|cause| format!("cannot read {}: {cause}", path.display()))?;
    sections(&text).map_err(|problem| format!("{}: {problem}", path.display()))
}

fn settings(folder: &Path) -> Result<Settings, String> {
    let path = folder.join("cfn-hup.conf");
    let wrong = |problem: String| format!("{}: {problem}", path.display());
    let sections = read(&path)?;
    let (_, main) = sections.iter().find(|(name, _)| name == "main").ok_or_else(|| wrong("no [main]".to_owned()))?;
    const KNOWN: [&str; 8] = ["stack", "credential-file", "role", "region", "umask", "interval", "verbose", "url"];
    if let Some(other) = main.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(wrong(format!("{other} is not supported")));
    }
    let number = |key: &str, usual: u32, radix: u32| match main.get(key) {
        None => Ok(usual),
        Some(text) => u32::from_str_radix(text, radix).map_err(|_| wrong(format!("{key} is no number: {text:?}"))),
    };
    let interval = number("interval", 15, 10)?;
    let umask = number("umask", 0o22, 8)?;
    if interval == 0 || umask > 0o777 {
        return Err(wrong("interval is at least one minute, umask at most 0777".to_owned()));
    }
    Ok(Settings {
        stack: main.get("stack").filter(|stack| !stack.is_empty()).ok_or_else(|| wrong("no stack".to_owned()))?.clone(),
        interval: interval.into(),
        umask,
        verbose: main
            .get("verbose")
            .is_some_and(|text| ["true", "1", "yes", "on"].contains(&&*text.to_ascii_lowercase())),
        url: main.get("url").cloned(),
    })
}

fn hooks(folder: &Path) -> Result<Vec<Hook>, String> {
    let mut files = vec![folder.join("hooks.conf")];
    let more = folder.join("hooks.d");
    match std::fs::read_dir(&more) {
        Ok(entries) => {
            let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
            found.retain(|path| path.is_file());
            found.sort();
            files.extend(found);
        }
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {}
        Err(cause) => return Err(format!("cannot read {}: {cause}", more.display())),
    }
    let mut hooks: Vec<Hook> = Vec::new();
    for file in files.iter().filter(|file| file.exists()) {
        for (name, values) in read(file)? {
            let hook = hook(&name, &values).map_err(|problem| format!("{} [{name}]: {problem}", file.display()))?;
            if hooks.iter().any(|other| other.name == hook.name) {
                return Err(format!("{}: there are two hooks called {name}", file.display()));
            }
            hooks.push(hook);
        }
    }
    Ok(hooks)
}

fn hook(name: &str, values: &BTreeMap<String, String>) -> Result<Hook, String> {
    if let Some(other) = values.keys().find(|key| !["triggers", "path", "action", "runas"].contains(&key.as_str())) {
        return Err(format!("{other} is not supported"));
    }
    let need = |key: &str| values.get(key).filter(|v| !v.is_empty()).ok_or_else(|| format!("{key} is missing"));
    let triggers = need("triggers")?.split(',').map(str::trim).map(|trigger| match trigger {
        "post.add" => Ok(Trigger::Add),
        "post.update" => Ok(Trigger::Update),
        "post.remove" => Ok(Trigger::Remove),
        other => Err(format!("the trigger {other} is not supported")),
    });
    let triggers = triggers.collect::<Result<_, _>>()?;
    let path = need("path")?.clone();
    let parts: Vec<&str> = path.split('.').collect();
    let (resource, what) = match parts.as_slice() {
        ["Resources", resource, "PhysicalResourceId"] => (*resource, What::PhysicalId),
        ["Resources", resource, "Metadata", rest @ ..] => {
            (*resource, What::Metadata(rest.iter().map(|part| (*part).to_owned()).collect()))
        }
        _ => return Err(format!("path {path} is not Resources.ID.Metadata… or Resources.ID.PhysicalResourceId")),
    };
    Ok(Hook {
        name: name.to_owned(),
        triggers,
        resource: resource.to_owned(),
        what,
        action: need("action")?.clone(),
        runas: need("runas")?.clone(),
        path: path.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const HOOKS: &str = "# comment\n[reloader]\ntriggers=post.update, post.add\npath=Resources.Web.Metadata.AWS::CloudFormation::Init\naction=echo \"$CFN_OLD_METADATA>$CFN_NEW_METADATA\" >> ran &&\n  test ! -e broken\nrunas=root\n";

    fn given(conf: &str, hooks_text: &str) -> (tempfile::TempDir, Result<(Settings, Vec<Hook>), String>) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir_all(dir.path().join("etc/cfn/hooks.d")).expect("a folder");
        std::fs::create_dir_all(dir.path().join("var/log")).expect("a folder");
        let folder = dir.path().join("etc/cfn");
        std::fs::write(folder.join("cfn-hup.conf"), conf).expect("written");
        std::fs::write(folder.join("hooks.d/auto-reloader.conf"), hooks_text).expect("written");
        let read = settings(&folder).and_then(|settings| Ok((settings, hooks(&folder)?)));
        (dir, read)
    }

    #[test]
    fn files_are_read_as_documented() {
        let (_dir, read) = given(
            "[main]\nstack = arn:aws:x\nregion: us-east-1\ninterval=1\nrole=web\nUMASK=027\nverbose=true\n",
            HOOKS,
        );
        let (settings, hooks) = read.expect("valid");
        assert_eq!(
            (settings.stack.as_str(), settings.interval, settings.umask, settings.verbose),
            ("arn:aws:x", 1, 0o27, true)
        );
        assert_eq!((hooks[0].name.as_str(), hooks[0].resource.as_str()), ("reloader", "Web"));
        assert_eq!(hooks[0].triggers, [Trigger::Update, Trigger::Add]);
        assert_eq!(hooks[0].what, What::Metadata(vec!["AWS::CloudFormation::Init".into()]));
        assert!(hooks[0].action.ends_with(">> ran &&\ntest ! -e broken"), "{}", hooks[0].action);
        for (conf, hooks, word) in [
            ("[main]\n", HOOKS, "no stack"),
            ("stack=x\n", HOOKS, "before any"),
            ("[main]\nstack=x\ninterval=0\n", HOOKS, "interval"),
            ("[main]\nstack=x\nproxy=y\n", HOOKS, "proxy"),
            (
                "[main]\nstack=x\n",
                "[a]\ntriggers=on.command\npath=Resources.A.Metadata\naction=x\nrunas=root\n",
                "on.command",
            ),
            ("[main]\nstack=x\n", "[a]\ntriggers=post.add\npath=Outputs.A\naction=x\nrunas=root\n", "Outputs.A"),
            ("[main]\nstack=x\n", "[a]\ntriggers=post.add\npath=Resources.A.Metadata\naction=x\n", "runas"),
        ] {
            let error = given(conf, hooks).1.expect_err("refused");
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn a_hook_runs_when_what_it_looks_at_changes_and_again_until_it_succeeds() {
        let (dir, read) = given("[main]\nstack=x\n", HOOKS);
        let (_, hooks) = read.expect("valid");
        let machine = Machine::at(dir.path());
        let mut log = Log { path: machine.path(LOG), verbose: true };
        let mut looks = |init: Option<Value>| {
            let metadata = init.map(|init| json!({"AWS::CloudFormation::Init": init, "other": 1}));
            let ask = |_: &str| Ok(metadata.clone().map(|m| Resource { metadata: Some(m), physical_id: None }));
            look(&machine, &hooks, ask, &mut log)
        };
        let ran = || std::fs::read_to_string(dir.path().join("ran")).unwrap_or_else(|_| String::new());
        assert_eq!(looks(Some(json!({"v": 1}))), Ok(()));
        assert_eq!(looks(Some(json!({"v": 1}))), Ok(()));
        assert_eq!(ran(), ">{\"v\":1}\n", "added, and nothing since");
        std::fs::write(dir.path().join("broken"), "").expect("written");
        assert!(looks(Some(json!({"v": 2}))).expect_err("it fails").contains("reloader"));
        std::fs::remove_file(dir.path().join("broken")).expect("removed");
        assert_eq!(looks(Some(json!({"v": 2}))), Ok(()));
        let again = "{\"v\":1}>{\"v\":2}\n";
        assert_eq!(ran(), format!(">{{\"v\":1}}\n{again}{again}"));
        // Removal is no trigger of this hook, but it is noticed: what comes back was added.
        assert_eq!(looks(None), Ok(()));
        assert_eq!(looks(Some(json!({"v": 2}))), Ok(()));
        assert!(ran().ends_with(&format!("{again}>{{\"v\":2}}\n")), "{}", ran());
    }
}
