//! `kiln up --detach`: starts the server in the background and waits until it answers.

use crate::arguments::UpArguments;
use crate::output::print;
use crate::{Auth, control, progress::Line, state_dir};
use serde_json::Value as Json;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The base image takes a minute or two to build; slow mirrors take longer.
const WAIT_FOR_BASE: Duration = Duration::from_secs(30 * 60);
const WAIT_FOR_ANSWER: Duration = Duration::from_secs(30);
/// A kiln that was started at the same time in the same place has our port and is about to answer.
const RIVAL_ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// Starts `kiln up` as a daemon of its own and waits. `Err` is one line for the terminal.
pub async fn detach(state_dir: &Path, arguments: &UpArguments) -> Result<(), String> {
    if let Ok(status) = control::ask(state_dir, "GET", "/status").await {
        let endpoint = status["endpoint"].as_str().unwrap_or("?");
        if let Some(asked) = other_than_asked(&status, arguments) {
            return Err(format!("kiln runs already, at {endpoint} and not with {asked}. Stop it first: kiln down"));
        }
        print(&format!("kiln is already running at {endpoint}\n"))?;
        return wait_for_base(state_dir, arguments).await;
    }
    state_dir::prepare(state_dir)?;
    let log_path = state_dir.join("kiln.log");
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&log_path)
        .map_err(|e| format!("failed to open {}: {e}", log_path.display()))?;
    let log_start = log.metadata().map(|m| m.len()).unwrap_or(0);
    let program = std::env::current_exe().map_err(|e| format!("failed to find kiln's own program: {e}"))?;
    let mut command = Command::new(program);
    command.arg("--state-dir").arg(state_dir).args(server_arguments(arguments));
    command.arg("--log-to").arg(&log_path);
    // Its last words come by a pipe: on a full disk they would not be in the log.
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    // SAFETY: setsid is async-signal-safe and the closure touches nothing else.
    unsafe {
        command.pre_exec(|| nix::unistd::setsid().map(|_| ()).map_err(std::io::Error::from));
    }
    let mut child = command.spawn().map_err(|e| format!("failed to start kiln: {e}"))?;
    let started = Instant::now();
    loop {
        let ended = child.try_wait().map_err(|e| format!("failed to look at the kiln that was started: {e}"))?;
        // Asked even if it has ended: another that was started at the same time was quicker.
        if let Ok(status) = control::ask(state_dir, "GET", "/status").await {
            print(&format!("kiln answers at {}\n", status["endpoint"].as_str().unwrap_or("?")))?;
            break;
        }
        if let Some(status) = ended
            && started.elapsed() > RIVAL_ANSWERS_WITHIN
        {
            let mut words = String::new();
            let heard = child.stdout.take().map(|mut pipe| pipe.read_to_string(&mut words));
            return match heard {
                Some(Ok(_)) if !words.is_empty() => Err(words),
                _ => Err(last_error(&log_path, log_start, status)),
            };
        }
        if started.elapsed() > WAIT_FOR_ANSWER {
            return Err(format!("kiln does not answer; see {}", log_path.display()));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    wait_for_base(state_dir, arguments).await
}

fn server_arguments(arguments: &UpArguments) -> Vec<String> {
    let name = |v: &dyn std::fmt::Debug| format!("{v:?}").to_lowercase();
    vec![
        "up".into(),
        format!("--listen={}", arguments.listen),
        format!("--port={}", arguments.port),
        format!("--auth={}", name(&arguments.auth)),
        format!("--machines={}", name(&arguments.machines)),
        format!("--account={}", arguments.account),
        format!("--region={}", arguments.region),
        format!("--log-size={}", arguments.log_size),
    ]
}

async fn wait_for_base(state_dir: &Path, arguments: &UpArguments) -> Result<(), String> {
    if arguments.no_wait {
        return Ok(());
    }
    let line = Line::new("base image");
    let started = Instant::now();
    loop {
        let status = control::ask(state_dir, "GET", "/status").await?;
        let base = &status["base_image"];
        match base["state"].as_str() {
            Some("ready") | None => {
                line.done("ready");
                return Ok(());
            }
            Some("failed") => {
                return Err(format!("the base image could not be built: {}", base["text"].as_str().unwrap_or("?")));
            }
            // Found built or not: that is known in a moment.
            Some("waiting") => {}
            Some(_) => line.show(base["text"].as_str().unwrap_or("building"), base["fraction"].as_f64()),
        }
        if started.elapsed() > WAIT_FOR_BASE {
            return Err("the base image is still not built; kiln goes on with it, see: kiln status".to_owned());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What was asked for by hand and is not so with the kiln that runs.
fn other_than_asked(status: &Json, arguments: &UpArguments) -> Option<String> {
    let port = status["endpoint"].as_str().and_then(|at| at.rsplit(':').next()?.parse::<u16>().ok());
    if ![0, UpArguments::PORT].contains(&arguments.port) && port != Some(arguments.port) {
        return Some(format!("--port {}", arguments.port));
    }
    let open = arguments.auth == Auth::Open;
    (open && status["auth"] != "open").then(|| "--auth open".to_owned())
}

/// What the server said last: its own line for the terminal, or else the end of its log.
fn last_error(log: &Path, from: u64, status: std::process::ExitStatus) -> String {
    use std::io::{Seek, SeekFrom};
    let mut bytes = vec![];
    let read = std::fs::File::open(log).and_then(|mut f| {
        f.seek(SeekFrom::Start(from))?;
        f.read_to_end(&mut bytes)
    });
    if let Err(error) = read {
        return format!("kiln ended at once ({status}), and its log {} cannot be read: {error}", log.display());
    }
    let text = String::from_utf8_lossy(&bytes);
    let own: Vec<&str> = text.lines().filter(|line| line.starts_with("kiln: ")).collect();
    if !own.is_empty() {
        return own.join("\n").trim_start_matches("kiln: ").to_owned();
    }
    let lines: Vec<&str> = text.lines().collect();
    if lines.is_empty() {
        return format!("kiln ended at once ({status}) and wrote nothing to {}: is its disk full?", log.display());
    }
    format!("kiln ended at once ({status}): {}", lines[lines.len().saturating_sub(3)..].join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cli, Command};
    use clap::Parser;

    #[test]
    fn a_kiln_that_runs_otherwise_than_asked_is_told_from_one_that_runs_so() {
        let asked = |words: &[&str]| {
            let cli = Cli::try_parse_from([&["kiln", "up", "--detach"], words].concat()).expect("parses");
            let Command::Up(arguments) = cli.command else { panic!("not up") };
            other_than_asked(&serde_json::json!({"endpoint": "http://127.0.0.1:4599", "auth": "enforced"}), &arguments)
        };
        assert_eq!(asked(&["--port", "4599"]), None);
        assert_eq!(asked(&["--port", "0"]), None);
        assert_eq!(asked(&["--port", "4600"]).as_deref(), Some("--port 4600"));
        assert_eq!(asked(&["--port", "4599", "--auth", "open"]).as_deref(), Some("--auth open"));
    }
}
