//! `cloud-init`, the part of it that scripts call: `cloud-init status`, also with `--wait`.
//!
//! It reads what boot wrote down (`boot/status.rs`) and says no more than that. Words and exit
//! statuses are cloud-init's: 0 done well, 1 something failed, 2 something was passed over.
//!
//! Source: cloud-init's documentation, "CLI commands" and "Failure states".

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::boot::status::{DISABLED, RUN_DIR, mail_date};
use crate::machine::Machine;

/// How often `--wait` looks.
const LOOK: Duration = Duration::from_millis(100);

/// The command.
pub fn main(words: &[String]) -> ExitCode {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--version" | "-v"] => {
            println!("kiln-guest {} in the place of cloud-init", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        ["status", options @ ..] => match Options::read(options) {
            Ok(options) => status(&options),
            Err(problem) => {
                eprintln!("cloud-init status: {problem}");
                ExitCode::from(2)
            }
        },
        other => {
            let what = other.first().copied().unwrap_or("no command");
            eprintln!("cloud-init: {what}: this machine's kiln-guest serves `cloud-init status` only");
            ExitCode::from(2)
        }
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    wait: bool,
    long: bool,
    format: Format,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Format {
    #[default]
    Tabular,
    Json,
    Yaml,
}

impl Options {
    fn read(words: &[&str]) -> Result<Options, String> {
        let mut options = Options::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--wait" | "-w" => options.wait = true,
                "--long" | "-l" => options.long = true,
                "-wl" | "-lw" => (options.wait, options.long) = (true, true),
                _ => {
                    let value = match word.strip_prefix("--format") {
                        Some("") => words.next().copied(),
                        Some(rest) => rest.strip_prefix('='),
                        None => return Err(format!("{word} is not an option")),
                    };
                    options.format = match value {
                        Some("tabular") => Format::Tabular,
                        Some("json") => Format::Json,
                        Some("yaml") => Format::Yaml,
                        _ => return Err("--format is json, tabular or yaml".to_owned()),
                    };
                }
            }
        }
        Ok(options)
    }
}

fn status(options: &Options) -> ExitCode {
    let machine = Machine::at("/");
    let mut seen = Seen::of(&machine);
    while options.wait && matches!(seen.running, Running::NotStarted | Running::AtWork) {
        if options.format == Format::Tabular {
            print!(".");
            // Nobody who looks on is no reason to stop waiting.
            let _ = std::io::Write::flush(&mut std::io::stdout());
        }
        std::thread::sleep(LOOK);
        seen = Seen::of(&machine);
    }
    match options.format {
        Format::Json => println!("{:#}", seen.json()),
        Format::Yaml => print!("---\n{}...\n", yaml(&seen.json())),
        Format::Tabular => print!("{}{}", if options.wait { "\n" } else { "" }, seen.table(options.long)),
    }
    ExitCode::from(seen.exit())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Running {
    NotStarted,
    AtWork,
    Done,
    Disabled,
}

impl Running {
    fn word(self) -> &'static str {
        match self {
            Running::NotStarted => "not started",
            Running::AtWork => "running",
            Running::Done => "done",
            Running::Disabled => "disabled",
        }
    }
}

/// What there is to say.
#[derive(Debug)]
struct Seen {
    running: Running,
    boot_code: &'static str,
    detail: String,
    errors: Vec<String>,
    warnings: Map<String, Value>,
    v1: Map<String, Value>,
}

/// What was written down; nothing if nothing was yet. The error says what is wrong with the file.
fn written(at: &Path) -> Result<Map<String, Value>, String> {
    let text = match std::fs::read(at) {
        Ok(text) => text,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(Map::new()),
        Err(cause) => return Err(format!("cannot read {}: {cause}", at.display())),
    };
    let whole: Value =
        serde_json::from_slice(&text).map_err(|cause| format!("{} is damaged: {cause}", at.display()))?;
    let v1 = whole.get("v1").and_then(Value::as_object).cloned();
    v1.filter(|v1| !v1.is_empty()).ok_or_else(|| format!("{} is damaged: it has no v1", at.display()))
}

impl Seen {
    fn of(machine: &Machine) -> Seen {
        let run = machine.path(RUN_DIR);
        let disabled = machine.path(DISABLED).exists();
        let (v1, damage) = match written(&run.join("status.json")) {
            Ok(v1) => (v1, None),
            Err(damage) => (Map::new(), Some(damage)),
        };
        let finished = run.join("result.json").exists();
        let running = match (disabled, v1.is_empty(), finished) {
            (true, ..) => Running::Disabled,
            // Nobody writes it anew until the next boot: there is nothing to wait for.
            _ if damage.is_some() => Running::Done,
            (_, true, _) => Running::NotStarted,
            (_, _, true) => Running::Done,
            (_, _, false) => Running::AtWork,
        };
        let (boot_code, detail) = match running {
            Running::Disabled => ("disabled-by-marker-file", format!("Cloud-init disabled by {DISABLED}")),
            Running::NotStarted => ("unknown", "This machine has not come to its user data yet.".to_owned()),
            _ => ("enabled-by-generator", v1.get("datasource").and_then(Value::as_str).unwrap_or("").to_owned()),
        };
        let mut seen = Seen { running, boot_code, detail, errors: Vec::new(), warnings: Map::new(), v1 };
        seen.collect();
        if let Some(damage) = damage.filter(|_| running != Running::Disabled) {
            seen.detail.clone_from(&damage);
            seen.errors.push(damage);
        }
        if running == Running::AtWork && was_killed(machine, &run.join("kiln-guest.pid")) {
            seen.running = Running::Done;
            seen.detail = "The program that runs user data has ended before it was through".to_owned();
            seen.errors.push(format!("{}; see journalctl -u kiln-guest.service", seen.detail));
        }
        seen
    }

    fn collect(&mut self) {
        for stage in self.v1.values() {
            let errors = stage.get("errors").and_then(Value::as_array).into_iter().flatten();
            self.errors.extend(errors.filter_map(Value::as_str).map(str::to_owned));
            for (kind, list) in stage.get("recoverable_errors").and_then(Value::as_object).into_iter().flatten() {
                let all = self.warnings.entry(kind.clone()).or_insert_with(|| json!([]));
                if let (Some(all), Some(list)) = (all.as_array_mut(), list.as_array()) {
                    all.extend(list.iter().cloned());
                }
            }
        }
    }

    /// Short and long word.
    fn words(&self) -> (&'static str, String) {
        let word = self.running.word();
        match self.running {
            _ if !self.errors.is_empty() => ("error", format!("error - {word}")),
            Running::Done | Running::AtWork if !self.warnings.is_empty() => (word, format!("degraded {word}")),
            _ => (word, word.to_owned()),
        }
    }

    fn exit(&self) -> u8 {
        match (self.errors.is_empty(), self.warnings.is_empty()) {
            (false, _) => 1,
            (true, false) => 2,
            (true, true) => 0,
        }
    }

    fn last_update(&self) -> Option<String> {
        let times = self.v1.values().flat_map(|stage| [stage.get("start"), stage.get("finished")]);
        let last = times.flatten().filter_map(Value::as_f64).fold(0.0, f64::max);
        (last > 0.0).then(|| mail_date(last as u64))
    }

    fn json(&self) -> Value {
        let (status, extended) = self.words();
        let mut all = self.v1.clone();
        let source = all.remove("datasource").and_then(|source| source.as_str().map(str::to_owned));
        let source = source.as_deref().and_then(|source| source.split(' ').next()).unwrap_or("");
        for (name, value) in [
            ("datasource", json!(source.to_ascii_lowercase().replace("datasource", ""))),
            ("boot_status_code", json!(self.boot_code)),
            ("status", json!(status)),
            ("extended_status", json!(extended)),
            ("detail", json!(self.detail)),
            ("errors", json!(self.errors)),
            ("recoverable_errors", json!(self.warnings)),
            ("last_update", json!(self.last_update().unwrap_or_default())),
        ] {
            all.insert(name.to_owned(), value);
        }
        Value::Object(all)
    }

    fn table(&self, long: bool) -> String {
        let (status, extended) = self.words();
        let mut text = format!("status: {status}\n");
        if !long {
            return text;
        }
        text.push_str(&format!("extended_status: {extended}\nboot_status_code: {}\n", self.boot_code));
        if let Some(last) = self.last_update() {
            text.push_str(&format!("last_update: {last}\n"));
        }
        text.push_str(&format!("detail: {}\n", self.detail));
        let list =
            |items: &[String]| items.iter().map(|i| format!("\n\t- {}", i.replace('\n', " "))).collect::<String>();
        let errors = if self.errors.is_empty() { " []".to_owned() } else { list(&self.errors) };
        text.push_str(&format!("errors:{errors}\nrecoverable_errors:"));
        if self.warnings.is_empty() {
            text.push_str(" {}");
        }
        for (kind, items) in &self.warnings {
            let items = items.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
            text.push_str(&format!("\n{kind}:{}", list(&items.collect::<Vec<_>>())));
        }
        text.push('\n');
        text
    }
}

/// Whether the program that wrote its number there was killed. Between its runs there is none.
fn was_killed(machine: &Machine, file: &Path) -> bool {
    let pid = std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse::<u32>().ok());
    pid.is_some_and(|pid| {
        let words = std::fs::read(machine.path(format!("/proc/{pid}/cmdline")));
        !words.is_ok_and(|words| String::from_utf8_lossy(&words).contains("kiln-guest"))
    })
}

/// JSON is YAML; values on their lines are easier to read.
fn yaml(value: &Value) -> String {
    let members = value.as_object().into_iter().flatten();
    members.map(|(name, value)| format!("{name}: {value}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Box(tempfile::TempDir);

    impl Box {
        fn given(status: Option<Value>, result: bool) -> Box {
            let machine = Box(tempfile::tempdir().expect("a temporary folder"));
            let run = machine.0.path().join("run/cloud-init");
            std::fs::create_dir_all(&run).expect("a folder");
            if let Some(v1) = status {
                std::fs::write(run.join("status.json"), json!({"v1": v1}).to_string()).expect("written");
            }
            if result {
                std::fs::write(run.join("result.json"), "{}").expect("written");
            }
            machine
        }

        fn seen(&self) -> Seen {
            Seen::of(&Machine::at(self.0.path()))
        }
    }

    fn stage(errors: Value, warnings: Value) -> Value {
        let stage = json!({"start": 1.5, "finished": 2.5, "errors": errors, "recoverable_errors": warnings});
        json!({"datasource": "DataSourceKiln [x]", "stage": null, "init": stage})
    }

    #[test]
    fn it_tells_what_was_written_down() {
        let warned = json!({"WARNING": ["ntp: not supported"]});
        for (status, result, wanted, exit) in [
            (None, false, ("not started", "not started"), 0),
            (Some(stage(json!([]), json!({}))), true, ("done", "done"), 0),
            (Some(stage(json!([]), warned.clone())), true, ("done", "degraded done"), 2),
            (Some(stage(json!(["part-001 ended with exit status 3"]), warned)), true, ("error", "error - done"), 1),
        ] {
            let seen = Box::given(status, result).seen();
            let (short, long) = seen.words();
            assert_eq!(((short, long.as_str()), seen.exit()), (wanted, exit));
        }
        let done = Box::given(Some(stage(json!(["a\nb"]), json!({}))), true).seen();
        assert_eq!(
            done.table(true),
            "status: error\nextended_status: error - done\nboot_status_code: enabled-by-generator\nlast_update: Thu, 01 Jan 1970 00:00:02 +0000\ndetail: DataSourceKiln [x]\nerrors:\n\t- a b\nrecoverable_errors: {}\n"
        );
        assert_eq!((&done.json()["datasource"], &done.json()["init"]["start"]), (&json!("kiln"), &json!(1.5)));
    }

    #[test]
    fn what_cannot_be_read_is_an_error_not_a_beginning() {
        let machine = Box::given(None, false);
        let file = machine.0.path().join("run/cloud-init/status.json");
        for (text, why) in [("", "is damaged: EOF"), ("{\"v1\": {\"stage", "is damaged: EOF"), ("[]", "it has no v1")] {
            std::fs::write(&file, text).expect("written");
            let seen = machine.seen();
            assert_eq!((seen.words().0, seen.words().1.as_str(), seen.exit()), ("error", "error - done", 1), "{text}");
            assert!(seen.detail.contains(why) && seen.errors == [seen.detail.clone()], "{seen:?}");
        }
        std::fs::remove_file(&file).expect("removed");
        std::fs::create_dir(&file).expect("made");
        assert!(machine.seen().detail.starts_with("cannot read "));
    }

    #[test]
    fn who_was_killed_is_not_running() {
        let machine = Box::given(Some(stage(json!([]), json!({}))), false);
        assert_eq!(machine.seen().running, Running::AtWork, "between two runs of it");
        std::fs::write(machine.0.path().join("run/cloud-init/kiln-guest.pid"), "7\n").expect("written");
        let seen = machine.seen();
        assert_eq!((seen.words().0, seen.exit()), ("error", 1), "nobody is at it");
        std::fs::create_dir_all(machine.0.path().join("proc/7")).expect("a folder");
        std::fs::write(machine.0.path().join("proc/7/cmdline"), "/usr/lib/kiln/kiln-guest\0boot\0").expect("written");
        assert_eq!(machine.seen().running, Running::AtWork);
        std::fs::create_dir_all(machine.0.path().join("etc/cloud")).expect("a folder");
        std::fs::write(machine.0.path().join("etc/cloud/cloud-init.disabled"), "").expect("written");
        assert_eq!(machine.seen().words().0, "disabled");
    }

    #[test]
    fn options_are_cloud_inits() {
        let read = |words: &[&str]| Options::read(words);
        assert_eq!(read(&["--wait", "--long"]), Ok(Options { wait: true, long: true, format: Format::Tabular }));
        assert_eq!(read(&["-w", "--format=json"]), Ok(Options { wait: true, long: false, format: Format::Json }));
        assert_eq!(read(&["--format", "yaml"]).map(|o| o.format), Ok(Format::Yaml));
        assert!(read(&["--format"]).is_err() && read(&["--help"]).is_err());
    }
}
