//! The commands that talk to a running kiln.

use crate::arguments::{Cli, Command, Fault, Image};
use crate::control::{ask, cannot_connect, connect, encode, is_absence};
use crate::output::{print, print_line};
use crate::progress::Line;
use crate::{State, backup, manual, text};
use serde_json::Value as Json;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::time::Duration;

/// Runs every command but `up`. `Err` is one line for the terminal.
pub async fn run(cli: Cli) -> Result<(), String> {
    let dir = cli.state_dir.as_path();
    match cli.command {
        Command::Up(_) => Err("kiln up is run by the server".to_owned()),
        Command::Down(arguments) => down(dir, arguments.stop_machines).await,
        Command::Env => env(dir).await,
        Command::Status { json } => show(&ask(dir, "GET", "/status").await?, json, text::status),
        Command::Explain { what, json } => {
            let answer = ask(dir, "GET", &format!("/explain?what={}", encode(&what))).await?;
            show(&answer, json, text::explain)
        }
        Command::Logs { console: Some(instance), .. } => {
            let answer = ask(dir, "GET", &format!("/console?instance={}", encode(&instance))).await?;
            print(answer["output"].as_str().unwrap_or(""))
        }
        Command::Logs { lines, server: true, .. } => server_log(dir, lines),
        Command::Logs { lines, all, .. } => {
            let answer = ask(dir, "GET", &format!("/logs?lines={lines}&all={all}")).await?;
            answer["lines"].as_array().into_iter().flatten().filter_map(Json::as_str).try_for_each(print_line)
        }
        Command::Mail { id: Some(id), json, .. } => {
            show(&ask(dir, "GET", &format!("/mail?id={}", encode(&id))).await?, json, text::mail)
        }
        Command::Mail { to, lines, json, .. } => {
            let to = to.map(|to| format!("&to={}", encode(&to))).unwrap_or_default();
            show(&ask(dir, "GET", &format!("/mail?lines={lines}{to}")).await?, json, text::mails)
        }
        Command::Shell { instance, command } => shell(dir, &instance, command).await,
        Command::Ssh { instance, identity, user, command } => {
            let place = ask(dir, "GET", &format!("/ssh?instance={}", encode(&instance))).await?;
            ssh(&place, &instance, identity.as_deref(), user.as_deref(), &command)
        }
        Command::Probe { instance, port, seconds } => {
            let path = format!("/probe?instance={}&port={port}&seconds={seconds}", encode(&instance));
            let answer = ask(dir, "GET", &path).await?;
            print_line(answer["text"].as_str().unwrap_or("answers"))
        }
        Command::Fault { fault: Fault::Kill { instance } } => {
            let answer = ask(dir, "POST", &format!("/fault/kill?instance={}", encode(&instance))).await?;
            print_line(answer["text"].as_str().unwrap_or("killed"))
        }
        Command::Image { image } => images(dir, image).await,
        Command::Backup { file } => backup::back_up(dir, &file).await,
        Command::Restore { file } => backup::restore(dir, &file),
        Command::Completion { shell } => print(&manual::completion(shell)?),
        Command::Man { directory } => manual::write_pages(&directory),
    }
}

fn show(answer: &Json, json: bool, plain: impl Fn(&Json) -> String) -> Result<(), String> {
    if json {
        print_line(&serde_json::to_string_pretty(answer).map_err(|e| e.to_string())?)
    } else {
        print(&plain(answer))
    }
}

async fn down(dir: &Path, stop_machines: bool) -> Result<(), String> {
    if !is_running(dir).await? {
        // Machines that are left are the server's part, which has looked for them before.
        return match stop_machines {
            true => Err("kiln went down just now, with its machines or without: say it once more".to_owned()),
            false => print_line("kiln was not running"),
        };
    }
    let path = if stop_machines { "/down?machines=stop" } else { "/down" };
    let answer = ask(dir, "POST", path).await?;
    wait_until_gone(dir).await?;
    print_line(answer["text"].as_str().unwrap_or("kiln is down"))
}

/// Whether a kiln answers; `Err` when that cannot be said.
pub async fn is_running(dir: &Path) -> Result<bool, String> {
    match connect(dir).await {
        Ok(_) => Ok(true),
        Err(error) if is_absence(&error) => Ok(false),
        Err(error) => Err(cannot_connect(dir, &error)),
    }
}

async fn env(dir: &Path) -> Result<(), String> {
    let path = dir.join("state.json");
    let text = std::fs::read_to_string(&path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => format!("{} is not there. Start kiln with: kiln up --detach", path.display()),
        ErrorKind::PermissionDenied => {
            format!("{} belongs to another user: run this as the user who started kiln (root)", path.display())
        }
        _ => format!("failed to read {}: {e}", path.display()),
    })?;
    let state: State = serde_json::from_str(&text).map_err(|e| format!("{} is damaged: {e}", path.display()))?;
    if !is_running(dir).await? {
        eprintln!(
            "kiln: note: kiln is not running; what is printed is of its last run. Start it with: kiln up --detach"
        );
    }
    print(&format!(
        "export AWS_ENDPOINT_URL={}\n\
         export AWS_DEFAULT_REGION={region}\nexport AWS_REGION={region}\n\
         export AWS_ACCESS_KEY_ID={}\n\
         export AWS_SECRET_ACCESS_KEY={}\n\
         unset AWS_SESSION_TOKEN AWS_PROFILE\n",
        state.endpoint,
        state.access_key,
        state.secret,
        region = state.region
    ))
}

async fn images(dir: &Path, image: Image) -> Result<(), String> {
    let (answer, json) = match image {
        Image::Import { source, credentials, name } => {
            return import(dir, &source, credentials.as_deref(), &name).await;
        }
        Image::Alias { image, like } => {
            let query = format!("/image/alias?image={}&like={}", encode(&image), encode(&like.join(",")));
            (ask(dir, "POST", &query).await?, false)
        }
        Image::Unalias { like } => (ask(dir, "POST", &format!("/image/unalias?like={}", encode(&like))).await?, false),
        Image::Aliases { json } => (ask(dir, "GET", "/image/aliases").await?, json),
    };
    show(&answer["stand_ins"], json, |all| {
        let field = |one: &Json, name: &str| one[name].as_str().unwrap_or("?").to_owned();
        let line = |one: &Json| {
            let [id, like, name, image] = ["id", "like", "name", "image"].map(|name| field(one, name));
            format!("{id}  {like}  {name}  (is {image})\n")
        };
        all.as_array().into_iter().flatten().map(line).collect()
    })
}

/// Imports an image and shows how far it is.
async fn import(dir: &Path, source: &Path, credentials: Option<&Path>, name: &str) -> Result<(), String> {
    let whole = |path: &Path| path.canonicalize().map_err(|e| format!("{}: {e}", path.display()));
    let source = match source.to_str() {
        Some(reference) if reference.starts_with("docker://") => reference.to_owned(),
        _ => whole(source)?.to_string_lossy().into_owned(),
    };
    let mut query = format!("/image/import?path={}&name={}", encode(&source), encode(name));
    if let Some(file) = credentials {
        query.push_str(&format!("&credentials={}", encode(&whole(file)?.to_string_lossy())));
    }
    let line = Line::new("import");
    let answer = line.follow(dir, &query, &format!("/image/progress?name={}", encode(name))).await?;
    line.done("done");
    print_line(answer["image"].as_str().ok_or("kiln did not say which image it made")?)
}

fn server_log(dir: &Path, lines: usize) -> Result<(), String> {
    let path = dir.join("kiln.log");
    // What was set aside comes before; there may be none.
    let aside = dir.join("kiln.log.1");
    let mut text = match std::fs::read(&aside) {
        Err(error) if error.kind() == ErrorKind::NotFound => vec![],
        read => read.map_err(|e| format!("failed to read {}: {e}", aside.display()))?,
    };
    text.extend(std::fs::read(&path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => {
            format!(
                "{} is not there: only `kiln up --detach` writes it, `kiln up` logs to its terminal",
                path.display()
            )
        }
        _ => format!("failed to read {}: {e}", path.display()),
    })?);
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].iter().try_for_each(|line| print_line(line))
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
    let code = crate::shell::run(&argv).await?;
    // What still reads our input would keep an ordinary end waiting.
    std::process::exit(code)
}

/// Becomes the host's ssh. A public address belongs to one machine after the other, so its host key
/// is remembered by the instance's id.
fn ssh(place: &Json, instance: &str, key: Option<&Path>, user: Option<&str>, command: &[String]) -> Result<(), String> {
    let address = place["address"].as_str().ok_or("kiln named no address")?;
    let user = user.or(place["user"].as_str()).ok_or("kiln named no user")?;
    if let Some(note) = place["note"].as_str() {
        eprintln!("kiln: note: {note}");
    }
    let mut ssh = std::process::Command::new("ssh");
    ssh.args(["-o", "StrictHostKeyChecking=accept-new", "-o", &format!("HostKeyAlias={instance}")]);
    if let Some(key) = key {
        ssh.args(["-o", "IdentitiesOnly=yes", "-i"]).arg(key);
    }
    // What is no command is no option either: the address ends them.
    let error = ssh.arg("--").arg(format!("{user}@{address}")).args(command).exec();
    Err(match error.kind() {
        ErrorKind::NotFound => {
            format!("ssh is not on this host (Debian: openssh-client); the way is: ssh {user}@{address}")
        }
        _ => format!("failed to run ssh: {error}"),
    })
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
