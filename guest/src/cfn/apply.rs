//! Carries out cfn-init's steps, one after the other; the first failure ends it.
//!
//! What is done is written to `/var/log/cfn-init.log`, the name operators know.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::{Command as Process, Stdio};

use super::config::{Command, Content, Service, Step};
use crate::files::WantedFile;
use crate::machine::Machine;

/// Does everything.
pub fn all(machine: &Machine, steps: &[Step], verbose: bool) -> Result<(), String> {
    let mut run = Run { machine, verbose, done: Vec::new() };
    for step in steps {
        if let Err(problem) = run.step(step) {
            run.log(&format!("failed: {problem}"))?;
            return Err(problem);
        }
    }
    run.log(&format!("all {} steps are done", steps.len()))
}

struct Run<'a> {
    machine: &'a Machine,
    verbose: bool,
    /// Packages, folders, files and commands that were done, for services.
    done: Vec<String>,
}

impl Run<'_> {
    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Packages(names) => self.packages(names),
            Step::Group { name, gid } => self.group(name, gid.as_deref()),
            Step::User { name, uid, groups, home } => self.user(name, uid, groups, home),
            Step::Source { folder, url } => self.source(folder, url),
            Step::File { file, from } => self.file(file, from),
            Step::Command(command) => self.command(command),
            Step::Service(service) => self.service(service),
        }
    }

    fn packages(&mut self, names: &[String]) -> Result<(), String> {
        self.log(&format!("packages: {}", names.join(" ")))?;
        self.machine.run("apt-get", &["-q", "update"])?;
        let mut args = vec!["-q", "install", "--yes", "--no-install-recommends", "--"];
        args.extend(names.iter().map(String::as_str));
        self.machine.run("apt-get", &args)?;
        let plain = |name: &String| name.split('=').next().unwrap_or(name).to_owned();
        self.done.extend(names.iter().map(plain));
        Ok(())
    }

    fn group(&mut self, name: &str, gid: Option<&str>) -> Result<(), String> {
        if self.machine.group(name).is_some() {
            return self.log(&format!("group {name} is there"));
        }
        self.log(&format!("group {name}"))?;
        let mut args = vec![];
        if let Some(gid) = gid {
            args.extend(["--gid", gid]);
        }
        args.extend(["--", name]);
        self.machine.run("groupadd", &args)
    }

    fn user(
        &mut self,
        name: &str,
        uid: &Option<String>,
        groups: &[String],
        home: &Option<String>,
    ) -> Result<(), String> {
        if self.machine.account(name).is_some() {
            return self.log(&format!("user {name} is there"));
        }
        self.log(&format!("user {name}"))?;
        let groups = groups.join(",");
        let mut args = vec!["--system", "--shell", "/sbin/nologin"];
        for (option, value) in [
            ("--uid", uid.as_deref()),
            ("--home-dir", home.as_deref()),
            ("--groups", Some(groups.as_str()).filter(|groups| !groups.is_empty())),
        ] {
            if let Some(value) = value {
                args.extend([option, value]);
            }
        }
        args.extend(["--", name]);
        self.machine.run("useradd", &args)
    }

    fn source(&mut self, folder: &str, url: &str) -> Result<(), String> {
        self.log(&format!("source {url} to {folder}"))?;
        let into = self.machine.path(folder);
        std::fs::create_dir_all(&into).map_err(|cause| format!("cannot make {}: {cause}", into.display()))?;
        let archive = into.join(".cfn-init-source");
        download(url, &archive)?;
        let unpacked = unpack(&archive, &into);
        std::fs::remove_file(&archive).map_err(|cause| format!("cannot remove {}: {cause}", archive.display()))?;
        unpacked.map_err(|problem| format!("source {url}: {problem}"))?;
        self.done.push(folder.to_owned());
        Ok(())
    }

    fn file(&mut self, file: &WantedFile, from: &Content) -> Result<(), String> {
        self.log(&format!("file {}", file.path))?;
        match from {
            Content::Inline => file.write(self.machine)?,
            Content::Url(url) => {
                let fetched = self.machine.path(format!("{}.cfn-init", file.path));
                if let Some(folder) = fetched.parent() {
                    std::fs::create_dir_all(folder)
                        .map_err(|cause| format!("cannot make {}: {cause}", folder.display()))?;
                }
                download(url, &fetched)?;
                let content = std::fs::read(&fetched);
                let removed = std::fs::remove_file(&fetched);
                let content = content
                    .and_then(|content| removed.map(|()| content))
                    .map_err(|cause| format!("file {}: {cause}", file.path))?;
                WantedFile { content, ..file.clone() }.write(self.machine)?;
            }
            Content::LinkTo(target) => {
                let path = self.machine.path(&file.path);
                if path.symlink_metadata().is_ok() {
                    std::fs::remove_file(&path).map_err(|cause| format!("cannot replace {}: {cause}", file.path))?;
                }
                std::os::unix::fs::symlink(target, &path)
                    .map_err(|cause| format!("cannot make the link {}: {cause}", file.path))?;
            }
        }
        self.done.push(file.path.clone());
        Ok(())
    }

    fn command(&mut self, command: &Command) -> Result<(), String> {
        if let Some(test) = &command.test {
            let passed = process(self.machine, command, test)?
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .map_err(|cause| format!("cannot start the test of {}: {cause}", command.name))?;
            if !passed.success() {
                return self.log(&format!("command {}: its test says no ({passed})", command.name));
            }
        }
        self.log(&format!("command {}", command.name))?;
        let status = process(self.machine, command, &command.words)?
            .status()
            .map_err(|cause| format!("cannot start command {}: {cause}", command.name));
        match (status, command.ignore_errors) {
            (Ok(status), _) if status.success() => {}
            (Ok(status), false) => return Err(format!("command {} ended with {status}", command.name)),
            (Err(problem), false) => return Err(problem),
            (Ok(status), true) => {
                self.log(&format!("command {} ended with {status}; ignored", command.name))?;
            }
            (Err(problem), true) => self.log(&format!("{problem}; ignored"))?,
        }
        self.done.push(command.name.clone());
        Ok(())
    }

    fn service(&mut self, service: &Service) -> Result<(), String> {
        self.log(&format!("service {}", service.name))?;
        let systemctl = |verb| self.machine.run("systemctl", &[verb, "--", &service.name]);
        self.machine.run("systemctl", &["daemon-reload"])?;
        match service.enabled {
            Some(true) => systemctl("enable")?,
            Some(false) => systemctl("disable")?,
            None => {}
        }
        let touched = service.restart_after.iter().any(|name| self.done.contains(name));
        match service.ensure_running {
            Some(false) => systemctl("stop"),
            _ if touched => systemctl("restart"),
            Some(true) => systemctl("start"),
            None => Ok(()),
        }
    }

    fn log(&self, line: &str) -> Result<(), String> {
        if self.verbose {
            println!("cfn-init: {line}");
        }
        let path = self.machine.path("/var/log/cfn-init.log");
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| writeln!(file, "{line}"))
            .map_err(|cause| format!("cannot write {}: {cause}", path.display()))
    }
}

fn process(machine: &Machine, command: &Command, words: &[String]) -> Result<Process, String> {
    let (program, args) = words.split_first().ok_or_else(|| format!("command {} is empty", command.name))?;
    let mut process = Process::new(program);
    let cwd = machine.path(command.cwd.as_deref().unwrap_or("/"));
    process.args(args).stdin(Stdio::null()).current_dir(cwd);
    if let Some(env) = &command.env {
        process.env_clear().envs(env);
        if !env.contains_key("PATH") {
            process.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        }
    }
    Ok(process)
}

fn download(url: &str, to: &Path) -> Result<(), String> {
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(format!("{url}: only http and https sources are supported"));
    }
    run(Process::new("curl").args(["-fsSL", "--retry", "3", "--max-time", "600", "-o"]).arg(to).args(["--", url]))
        .map_err(|problem| format!("cannot fetch {url}: {problem}"))
}

/// By content, not by name: URLs often have none.
fn unpack(archive: &Path, into: &Path) -> Result<(), String> {
    let mut start = [0; 4];
    std::fs::File::open(archive)
        .and_then(|mut file| std::io::Read::read(&mut file, &mut start))
        .map_err(|cause| format!("cannot read the archive: {cause}"))?;
    if &start == b"PK\x03\x04" {
        return run(Process::new("python3").args(["-m", "zipfile", "-e"]).arg(archive).arg(into));
    }
    run(Process::new("tar").arg("-xf").arg(archive).arg("-C").arg(into))
}

fn run(process: &mut Process) -> Result<(), String> {
    let program = process.get_program().to_string_lossy().into_owned();
    let done = process.stdin(Stdio::null()).output().map_err(|cause| format!("cannot start {program}: {cause}"))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    Err(format!("{program} ended with {}: {said}", done.status))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cfn::config;
    use serde_json::json;

    fn init(machine: &Machine, config: serde_json::Value) -> Result<(), String> {
        std::fs::create_dir_all(machine.path("/var/log")).expect("a folder");
        let metadata = json!({"AWS::CloudFormation::Init": {"config": config}});
        all(machine, &config::read(&metadata, "default").expect("valid"), false)
    }

    #[test]
    fn files_links_and_commands_are_done_in_order_and_logged() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let machine = Machine::at(dir.path());
        init(
            &machine,
            json!({
                "files": {
                    "/etc/a": {"content": "A\n", "mode": "000600"},
                    "/etc/b": {"content": "a", "mode": "120000"},
                },
                "commands": {
                    "1": {"command": "cat etc/b > out"},
                    "2": {"command": "echo no >> out", "test": "false"},
                    "3": {"command": ["false"], "ignoreErrors": true},
                    "4": {"command": "echo $WORD >> ../out", "env": {"WORD": "yes"}, "cwd": "/etc"},
                },
            }),
        )
        .expect("done");
        let text = |path: &str| std::fs::read_to_string(machine.path(path)).expect(path);
        assert_eq!(text("/out"), "A\nyes\n");
        let log = text("/var/log/cfn-init.log");
        assert!(log.contains("command 2: its test says no"), "{log}");
        assert!(log.contains("command 3 ended with exit status: 1; ignored"), "{log}");
        assert!(log.ends_with("all 6 steps are done\n"), "{log}");
    }

    #[test]
    fn the_first_failure_ends_it() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let machine = Machine::at(dir.path());
        let error = init(
            &machine,
            json!({"commands": {
                "1": {"command": "exit 4"}, "2": {"command": "touch never"},
            }}),
        )
        .expect_err("it fails");
        assert_eq!(error, "command 1 ended with exit status: 4");
        assert!(!machine.path("/never").exists());
    }

    #[test]
    fn archives_are_unpacked_by_what_they_are() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(dir.path().join("inside"), "x").expect("a file");
        let archive = dir.path().join("archive");
        run(Process::new("tar").arg("-czf").arg(&archive).arg("-C").arg(dir.path()).arg("inside")).expect("packed");
        let into = dir.path().join("into");
        std::fs::create_dir(&into).expect("a folder");
        unpack(&archive, &into).expect("unpacked");
        assert_eq!(std::fs::read_to_string(into.join("inside")).expect("there"), "x");
        std::fs::write(&archive, "not an archive").expect("a file");
        assert!(unpack(&archive, &into).is_err());
    }
}
