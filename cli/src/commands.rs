//! The commands that talk to a running kiln.

use crate::arguments::{Cli, Command, Fault, Image};
use crate::control::{ask, encode};
use crate::{State, text};
use serde_json::Value as Json;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::time::Duration;

/// Runs every command but `up`. `Err` is one line for the terminal.
pub async fn run(cli: Cli) -> Result<(), String> {
    let dir = cli.state_dir.as_path();
    match cli.command {
        Command::Up(_) => Err("kiln up is run by the server".to_owned()),
        Command::Down(down) => {
            let path = if down.stop_machines { "/down?machines=stop" } else { "/down" };
            let answer = ask(dir, "POST", path).await?;
            wait_until_gone(dir).await?;
            println!("{}", answer["text"].as_str().unwrap_or("kiln is down"));
            Ok(())
        }
        Command::Env => env(dir),
        Command::Status { json } => show(&ask(dir, "GET", "/status").await?, json, text::status),
        Command::Explain { what, json } => {
            let answer = ask(dir, "GET", &format!("/explain?what={}", encode(&what))).await?;
            show(&answer, json, text::explain)
        }
        Command::Logs { console: Some(instance), .. } => {
            let answer = ask(dir, "GET", &format!("/console?instance={}", encode(&instance))).await?;
            print!("{}", answer["output"].as_str().unwrap_or(""));
            Ok(())
        }
        Command::Logs { lines, server: true, .. } => server_log(dir, lines),
        Command::Logs { lines, .. } => {
            let answer = ask(dir, "GET", &format!("/logs?lines={lines}")).await?;
            for line in answer["lines"].as_array().into_iter().flatten() {
                println!("{}", line.as_str().unwrap_or(""));
            }
            Ok(())
        }
        Command::Shell { instance, command } => shell(dir, &instance, command).await,
        Command::Probe { instance, port, seconds } => {
            let path = format!("/probe?instance={}&port={port}&seconds={seconds}", encode(&instance));
            let answer = ask(dir, "GET", &path).await?;
            println!("{}", answer["text"].as_str().unwrap_or("answers"));
            Ok(())
        }
        Command::Fault { fault: Fault::Kill { instance } } => {
            let answer = ask(dir, "POST", &format!("/fault/kill?instance={}", encode(&instance))).await?;
            println!("{}", answer["text"].as_str().unwrap_or("killed"));
            Ok(())
        }
        Command::Image { image: Image::Import { path, name } } => {
            let path = path.canonicalize().map_err(|e| format!("{}: {e}", path.display()))?;
            let query = format!("/image/import?path={}&name={}", encode(&path.to_string_lossy()), encode(&name));
            let answer = ask(dir, "POST", &query).await?;
            println!("{}", answer["image"].as_str().unwrap_or("?"));
            Ok(())
        }
    }
}

fn show(answer: &Json, json: bool, plain: impl Fn(&Json) -> String) -> Result<(), String> {
    if json {
        println!("{}", serde_json::to_string_pretty(answer).map_err(|e| e.to_string())?);
    } else {
        print!("{}", plain(answer));
    }
    Ok(())
}

fn env(dir: &Path) -> Result<(), String> {
    let path = dir.join("state.json");
    let text = std::fs::read_to_string(&path)
        .map_err(|e| format!("{}: {e}. Start kiln with: kiln up --detach", path.display()))?;
    let state: State = serde_json::from_str(&text).map_err(|e| format!("{} is damaged: {e}", path.display()))?;
    println!("export AWS_ENDPOINT_URL={}", state.endpoint);
    println!("export AWS_DEFAULT_REGION={0}\nexport AWS_REGION={0}", state.region);
    println!("export AWS_ACCESS_KEY_ID={}", state.access_key);
    println!("export AWS_SECRET_ACCESS_KEY={}", state.secret);
    println!("unset AWS_SESSION_TOKEN AWS_PROFILE");
    Ok(())
}

fn server_log(dir: &Path, lines: usize) -> Result<(), String> {
    let path = dir.join("kiln.log");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let all: Vec<&str> = text.lines().collect();
    for line in &all[all.len().saturating_sub(lines)..] {
        println!("{line}");
    }
    Ok(())
}

async fn shell(dir: &Path, instance: &str, command: Vec<String>) -> Result<(), String> {
    let answer = ask(dir, "GET", &format!("/shell?instance={}", encode(instance))).await?;
    let mut argv: Vec<String> =
        answer["argv"].as_array().into_iter().flatten().filter_map(|a| a.as_str().map(str::to_owned)).collect();
    if !command.is_empty() {
        // What enters the machine ends where the shell begins; a command takes the shell's place.
        let shell = argv.iter().rposition(|word| word == "/bin/sh").ok_or("kiln named no shell to replace")?;
        argv.truncate(shell);
        argv.extend(command);
    }
    let Some((program, rest)) = argv.split_first() else { return Err("kiln named no command to run".to_owned()) };
    let error = std::process::Command::new(program).args(rest).exec();
    Err(format!("failed to run {program}: {error}"))
}

async fn wait_until_gone(dir: &Path) -> Result<(), String> {
    for _ in 0..600 {
        if ask(dir, "GET", "/status").await.is_err() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err("kiln was told to stop but still answers after 60 s".to_owned())
}
