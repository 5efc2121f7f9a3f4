//! `kiln up --detach`: starts the server in the background and waits until it answers.

use crate::arguments::UpArguments;
use crate::{control, progress::Line};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The base image takes a minute or two to build; slow mirrors take longer.
const WAIT_FOR_BASE: Duration = Duration::from_secs(30 * 60);
const WAIT_FOR_ANSWER: Duration = Duration::from_secs(30);

/// Starts `kiln up` as a daemon of its own and waits. `Err` is one line for the terminal.
pub async fn detach(state_dir: &Path, arguments: &UpArguments) -> Result<(), String> {
    if let Ok(status) = control::ask(state_dir, "GET", "/status").await {
        println!("kiln is already running at {}", status["endpoint"].as_str().unwrap_or("?"));
        return wait_for_base(state_dir, arguments).await;
    }
    std::fs::create_dir_all(state_dir).map_err(|e| format!("failed to make {}: {e}", state_dir.display()))?;
    let log_path = state_dir.join("kiln.log");
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&log_path)
        .map_err(|e| format!("failed to open {}: {e}", log_path.display()))?;
    let log_start = log.metadata().map(|m| m.len()).unwrap_or(0);
    let again = log.try_clone().map_err(|e| format!("failed to share the log: {e}"))?;
    let program = std::env::current_exe().map_err(|e| format!("failed to find kiln's own program: {e}"))?;
    let mut command = Command::new(program);
    command.arg("--state-dir").arg(state_dir).args(server_arguments(arguments));
    command.stdin(Stdio::null()).stdout(log).stderr(again);
    // SAFETY: setsid is async-signal-safe and the closure touches nothing else.
    unsafe {
        command.pre_exec(|| nix::unistd::setsid().map(|_| ()).map_err(std::io::Error::from));
    }
    let mut child = command.spawn().map_err(|e| format!("failed to start kiln: {e}"))?;
    let started = Instant::now();
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("kiln ended at once ({status}): {}", last_error(&log_path, log_start)));
        }
        if let Ok(status) = control::ask(state_dir, "GET", "/status").await {
            println!("kiln answers at {}", status["endpoint"].as_str().unwrap_or("?"));
            break;
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
            Some(_) => line.show(base["text"].as_str().unwrap_or("building"), base["fraction"].as_f64()),
        }
        if started.elapsed() > WAIT_FOR_BASE {
            return Err("the base image is still not built; kiln goes on with it, see: kiln status".to_owned());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The last lines the server wrote since it was started.
fn last_error(log: &Path, from: u64) -> String {
    use std::io::{Read, Seek, SeekFrom};
    let mut text = String::new();
    let read = std::fs::File::open(log).and_then(|mut f| {
        f.seek(SeekFrom::Start(from))?;
        f.read_to_string(&mut text)
    });
    match read {
        Ok(_) => text.lines().rev().take(3).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n"),
        Err(error) => format!("and its log cannot be read: {error}"),
    }
}
