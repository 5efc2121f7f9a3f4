//! Carries out what user data asks for, and keeps count of what failed.
//!
//! One failure does not stop the rest, as with cloud-init; the exit status is
//! that of the first thing that failed.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use super::cloud_config::{CloudConfig, User};
use super::identity;
use super::output::Output;
use super::parts::Part;
use crate::files::set_mode;
use crate::machine::Machine;
use crate::seed::Seed;

/// One run of user data on one machine.
pub struct Application<'a> {
    machine: &'a Machine,
    seed: &'a Seed,
    folder: &'a Path,
    output: &'a mut Output,
    status: i32,
}

impl<'a> Application<'a> {
    /// Starts with nothing failed. `folder` keeps the scripts.
    pub fn new(machine: &'a Machine, seed: &'a Seed, folder: &'a Path, output: &'a mut Output) -> Application<'a> {
        Application { machine, seed, folder, output, status: 0 }
    }

    /// The exit status of the first thing that failed, or 0.
    pub fn status(&self) -> i32 {
        self.status
    }

    /// Writes one line to log and console.
    pub fn say(&mut self, line: &str) {
        self.output.say(line);
    }

    /// What a cloud-config does on every boot.
    pub fn every_boot(&mut self, config: &CloudConfig) {
        if let Some(path) = &config.output {
            let done = self.output.copy_to(self.machine.path(path));
            self.note(done);
        }
        if let Some(program) = &config.bootcmd {
            self.script("bootcmd", program.as_bytes());
        }
    }

    /// What happens once per instance.
    pub fn first_boot(&mut self, config: &CloudConfig, parts: &[Part]) {
        for problem in &config.problems {
            self.note(Err(problem.clone()));
        }
        for key in &config.not_supported {
            self.note(Err(format!("#cloud-config {key}: not supported")));
        }
        self.name(config);
        self.accounts(config);
        for file in &config.write_files {
            let done = file.write(self.machine);
            self.note(done);
        }
        self.packages(config);
        for part in parts {
            match part {
                Part::Script { name, content } => self.script(name, content),
                Part::NotSupported(what) => self.note(Err(format!("{what}: not supported"))),
                Part::CloudConfig(_) => {}
            }
        }
        if let Some(program) = &config.runcmd {
            self.script("runcmd", program.as_bytes());
        }
    }

    fn name(&mut self, config: &CloudConfig) {
        if let Some(name) = &config.hostname
            && !config.preserve_hostname
        {
            let mark = self.folder.join("sem/named_by_user");
            let done = identity::set_hostname(self.machine, name).and_then(|()| {
                std::fs::write(&mark, "").map_err(|cause| format!("cannot write {}: {cause}", mark.display()))
            });
            self.note(done);
        }
    }

    fn accounts(&mut self, config: &CloudConfig) {
        for group in &config.groups {
            self.group(group);
        }
        for user in &config.users {
            let done = self.user(user);
            self.note(done);
        }
        if !config.ssh_authorized_keys.is_empty() {
            let keys = &config.ssh_authorized_keys;
            let done = identity::authorize(self.machine, identity::DEFAULT_USER, keys);
            self.note(done);
        }
        if config.disable_root == Some(false) {
            let mut keys = self.seed.ssh_authorized_keys.clone();
            keys.extend(config.ssh_authorized_keys.iter().cloned());
            let path = self.machine.path("/root/.ssh/authorized_keys");
            // The lines that turn root away come first in the file and would win.
            let done = match std::fs::remove_file(&path) {
                Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                    Err(format!("cannot replace {}: {cause}", path.display()))
                }
                _ => identity::authorize(self.machine, "root", &keys),
            };
            self.note(done);
        }
    }

    fn group(&mut self, group: &str) {
        if self.machine.group(group).is_none() {
            let done = self.program("groupadd", &[group]);
            self.note(done);
        }
    }

    fn user(&mut self, user: &User) -> Result<(), String> {
        for group in &user.groups {
            self.group(group);
        }
        if self.machine.account(&user.name).is_none() {
            let mut args: Vec<&str> = vec![match user.system || user.no_create_home {
                true => "--no-create-home",
                false => "--create-home",
            }];
            if user.system {
                args.push("--system");
            }
            let groups = user.groups.join(",");
            for (option, value) in [
                ("--shell", user.shell.as_deref()),
                ("--home-dir", user.homedir.as_deref()),
                ("--comment", user.gecos.as_deref()),
                ("--gid", user.primary_group.as_deref()),
                ("--groups", Some(groups.as_str())),
            ] {
                if let Some(value) = value.filter(|value| !value.is_empty()) {
                    args.extend([option, value]);
                }
            }
            args.extend(["--", user.name.as_str()]);
            self.program("useradd", &args)?;
        }
        if !user.sudo.is_empty() {
            let lines: String = user.sudo.iter().map(|rule| format!("{} {rule}\n", user.name)).collect();
            crate::files::WantedFile {
                path: "/etc/sudoers.d/90-cloud-init-users".into(),
                content: lines.into_bytes(),
                mode: Some(0o440),
                append: true,
                ..Default::default()
            }
            .write(self.machine)?;
        }
        if user.ssh_authorized_keys.is_empty() {
            return Ok(());
        }
        identity::authorize(self.machine, &user.name, &user.ssh_authorized_keys)
    }

    fn packages(&mut self, config: &CloudConfig) {
        let steps: [(bool, &[&str], &[String]); 3] = [
            (config.package_update || !config.packages.is_empty(), &["update"], &[]),
            (config.package_upgrade, &["upgrade", "--yes"], &[]),
            (!config.packages.is_empty(), &["install", "--yes", "--no-install-recommends", "--"], &config.packages),
        ];
        for (wanted, words, packages) in steps {
            if !wanted {
                continue;
            }
            let mut args = vec!["-q"];
            args.extend(words);
            args.extend(packages.iter().map(String::as_str));
            let done = self.program("apt-get", &args);
            self.note(done);
        }
    }

    /// A program that changes the running system, with its output in the log.
    fn program(&mut self, program: &str, args: &[&str]) -> Result<(), String> {
        let spoken = format!("{program} {}", args.join(" "));
        if !self.machine.is_live() {
            return Err(format!("`{spoken}` is only done on a running system"));
        }
        let mut command = Command::new(program);
        command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
        let status = self.output.run(&mut command)?;
        if status.success() { Ok(()) } else { Err(format!("`{spoken}` ended with {}", in_words(status))) }
    }

    /// Keeps a program below the instance's folder and runs it.
    fn script(&mut self, name: &str, content: &[u8]) {
        let path: PathBuf = self.folder.join("scripts").join(name);
        let kept = std::fs::create_dir_all(self.folder.join("scripts"))
            .and_then(|()| std::fs::write(&path, content))
            .and_then(|()| set_mode(&path, 0o700));
        if let Err(cause) = kept {
            self.note(Err(format!("cannot write {}: {cause}", path.display())));
            return;
        }
        let mut command = Command::new(&path);
        command.current_dir(self.machine.path("/")).env("INSTANCE_ID", &self.seed.instance_id);
        // AWS's tools find the region and the API by these.
        command.envs(&self.seed.environment);
        match self.output.run(&mut command) {
            Ok(status) if status.success() => {}
            Ok(status) => {
                self.output.say(&format!("{name} ended with {}", in_words(status)));
                self.failed(exit_number(status));
            }
            Err(problem) => self.note(Err(format!("{name}: {problem}"))),
        }
    }

    fn note(&mut self, done: Result<(), String>) {
        if let Err(problem) = done {
            self.output.say(&problem);
            self.failed(1);
        }
    }

    fn failed(&mut self, status: i32) {
        if self.status == 0 {
            self.status = status;
        }
    }
}

fn exit_number(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1)
}

fn in_words(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}
