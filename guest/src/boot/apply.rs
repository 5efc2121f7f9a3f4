//! Carries out what user data asks for, module by module, and keeps count of what failed.
//!
//! ```text
//!   boothooks ─► modules of Init, Config, Final, each as often as it may ─► status
//! ```
//!
//! One failure does not stop the rest, as with cloud-init; the exit status is
//! that of the first thing that failed. A module's mark is made before it runs: what restarts
//! the machine in the middle is not done for ever, and what comes behind it is done after.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::accounts;
use super::application::{Application, exit_number, in_words};
use super::cloud_config::{CloudConfig, Frequency, Hosts, MODULES, Module, Stage};
use super::ending;
use super::identity;
use super::parts::{Part, When};
use crate::files::{WantedFile, set_mode};

impl Application<'_> {
    /// Everything this boot does. `first` is whether what cannot be read or is not served is told.
    pub fn run(&mut self, config: &CloudConfig, parts: &[Part], first: bool) -> Result<(), String> {
        self.status.enter(Stage::Init)?;
        if let Some(path) = &config.output {
            let done = self.output.copy_to(self.machine.path(path));
            self.note(done);
        }
        if first {
            self.tell_what_is_not_done(config, parts);
        }
        self.keep_scripts(parts);
        for part in parts {
            if let Part::Boothook { name, content } = part {
                let path = self.marks.folder().join("boothooks").join(name);
                self.keep_and_run(&path, name, content);
            }
        }
        // Marked in one go, since nothing is done for them: an instance's once is its first boot.
        for module in MODULES.iter().filter(|module| !self.has_work(module, config)) {
            self.marks.make(&mark(module))?;
        }
        for module in &MODULES {
            self.status.enter(module.stage)?;
            if self.has_work(module, config) && self.is_due(module, config)? {
                self.module(module, config);
            }
        }
        Ok(())
    }

    fn tell_what_is_not_done(&mut self, config: &CloudConfig, parts: &[Part]) {
        for problem in &config.problems {
            self.warn(problem);
        }
        for key in &config.not_supported {
            self.warn(&format!("#cloud-config {key}: not supported"));
        }
        for part in parts {
            if let Part::NotSupported(what) = part {
                self.warn(&format!("{what}: not supported"));
            }
        }
    }

    /// Scripts are kept on every boot, whenever they run.
    fn keep_scripts(&mut self, parts: &[Part]) {
        for part in parts {
            if let Part::Script { when, name, content } = part {
                let path = self.scripts(*when).join(name);
                let done = keep(&path, content);
                self.note(done);
            }
        }
    }

    /// Where scripts of a kind are; an image may bring its own.
    fn scripts(&self, when: When) -> PathBuf {
        match when {
            When::User => self.marks.folder().join("scripts"),
            When::PerBoot => self.machine.path("/var/lib/cloud/scripts/per-boot"),
            When::PerInstance => self.machine.path("/var/lib/cloud/scripts/per-instance"),
            When::PerOnce => self.machine.path("/var/lib/cloud/scripts/per-once"),
        }
    }

    fn has_work(&self, module: &Module, config: &CloudConfig) -> bool {
        match module.name {
            "bootcmd" => config.bootcmd.is_some(),
            "write_files" => config.write_files.iter().any(|file| !file.defer),
            "write_files_deferred" => config.write_files.iter().any(|file| file.defer),
            "set_hostname" => config.names().is_some() && !config.preserve_hostname,
            "update_etc_hosts" => config.manage_etc_hosts != Hosts::Leave,
            "ca_certs" => !config.trusted.is_empty(),
            "users_groups" => !config.groups.is_empty() || !config.users.is_empty(),
            "ssh" => config.no_default_user || config.disable_root.is_some() || !config.ssh_authorized_keys.is_empty(),
            "set_passwords" => config.passwords.is_some() || config.password.is_some() || config.ssh_pwauth.is_some(),
            "timezone" => config.timezone.is_some(),
            "locale" => config.locale.is_some(),
            "runcmd" => config.runcmd.is_some(),
            "package_update_upgrade_install" => {
                config.package_update || config.package_upgrade || !config.packages.is_empty()
            }
            "scripts_per_once" => self.scripts(When::PerOnce).exists(),
            "scripts_per_boot" => self.scripts(When::PerBoot).exists(),
            "scripts_per_instance" => self.scripts(When::PerInstance).exists(),
            "scripts_user" => self.scripts(When::User).exists() || config.runcmd.is_some(),
            "final_message" => config.final_message.is_some(),
            "power_state_change" => config.power_state.is_some(),
            _ => false,
        }
    }

    /// Whether a module runs in this boot; if once is all it may, it is marked.
    fn is_due(&self, module: &Module, config: &CloudConfig) -> Result<bool, String> {
        match config.modules.frequency(module) {
            None => Ok(false),
            Some(Frequency::Always) => Ok(true),
            Some(Frequency::Instance) => self.marks.make_for_good(&mark(module)),
            Some(Frequency::Once) => {
                let sem = self.machine.path("/var/lib/cloud/sem");
                std::fs::create_dir_all(&sem).map_err(|cause| format!("cannot make {}: {cause}", sem.display()))?;
                super::mark_for_good(&sem.join(format!("{}.once", mark(module))))
            }
        }
    }

    fn module(&mut self, module: &Module, config: &CloudConfig) {
        match module.name {
            "bootcmd" => {
                let path = self.marks.folder().join("bootcmd");
                self.keep_and_run(&path, "bootcmd", config.bootcmd.as_deref().unwrap_or("").as_bytes());
            }
            "write_files" => self.files(config, false),
            "write_files_deferred" => self.files(config, true),
            "set_hostname" => self.name(config),
            "update_etc_hosts" => self.hosts(config),
            "ca_certs" => {
                let done = self.certificates(config);
                self.note(done);
            }
            "users_groups" => accounts::users_groups(self, config),
            "ssh" => accounts::ssh(self, config),
            "set_passwords" => accounts::passwords(self, config),
            "timezone" => {
                let done = self.timezone(config.timezone.as_deref().unwrap_or(""));
                self.note(done);
            }
            "locale" => {
                let done = self.locale(config.locale.as_deref().unwrap_or(""));
                self.note(done);
            }
            "runcmd" => {
                let path = self.scripts(When::User).join("runcmd");
                let done = keep(&path, config.runcmd.as_deref().unwrap_or("").as_bytes());
                self.note(done);
            }
            "package_update_upgrade_install" => self.packages(config),
            "scripts_per_once" => self.run_scripts(When::PerOnce),
            "scripts_per_boot" => self.run_scripts(When::PerBoot),
            "scripts_per_instance" => self.run_scripts(When::PerInstance),
            "scripts_user" => self.run_scripts(When::User),
            "final_message" => {
                let message = ending::final_message(config.final_message.as_deref().unwrap_or(""), self.machine);
                match message {
                    Ok(message) => self.output.write(&message),
                    Err(problem) => self.warn(&problem),
                }
            }
            "power_state_change" => self.power.clone_from(&config.power_state),
            other => self.note(Err(format!("the module {other} is not built"))),
        }
    }

    fn files(&mut self, config: &CloudConfig, deferred: bool) {
        for file in config.write_files.iter().filter(|file| file.defer == deferred) {
            let fetched = file.source.as_ref().map(|url| super::fetch(self.marks, url, false));
            let wanted = match fetched {
                Some(Ok(content)) => WantedFile { content, ..file.wanted.clone() },
                Some(Err(problem)) => {
                    let problem = format!("file {}: {problem}", file.wanted.path);
                    if !file.has_content {
                        self.note(Err(problem));
                        continue;
                    }
                    self.warn(&problem);
                    file.wanted.clone()
                }
                None => file.wanted.clone(),
            };
            let done = wanted.write(self.machine);
            self.note(done);
        }
    }

    fn name(&mut self, config: &CloudConfig) {
        let Some((name, fqdn)) = self.names(config) else { return };
        let done = identity::set_hostname(self.machine, &name, &fqdn);
        let done = done.and_then(|()| self.marks.make("named_by_user").map(drop));
        self.note(done);
    }

    /// The given names, in the machine's domain where none is given.
    fn names(&self, config: &CloudConfig) -> Option<(String, String)> {
        let own = || self.seed.hostname.clone().map(|name| (name.clone(), name));
        let (name, fqdn) = config.names().or_else(own)?;
        let fqdn = match &self.seed.domain {
            Some(domain) if !fqdn.contains('.') => format!("{fqdn}.{domain}"),
            _ => fqdn,
        };
        Some((name, fqdn))
    }

    fn hosts(&mut self, config: &CloudConfig) {
        let Some((name, fqdn)) = self.names(config) else { return };
        let done = match config.manage_etc_hosts {
            Hosts::Leave => Ok(()),
            Hosts::Line => identity::hosts_line(self.machine, &name, &fqdn),
            Hosts::Whole => identity::whole_hosts(self.machine, &name, &fqdn),
        };
        self.note(done);
    }

    fn certificates(&mut self, config: &CloudConfig) -> Result<(), String> {
        for (number, certificate) in config.trusted.iter().enumerate() {
            WantedFile {
                path: format!("/usr/local/share/ca-certificates/cloud-init-ca-cert-{}.crt", number + 1),
                content: certificate.clone().into_bytes(),
                mode: Some(0o644),
                ..WantedFile::default()
            }
            .write(self.machine)?;
        }
        self.program("update-ca-certificates", &[])
    }

    fn timezone(&mut self, zone: &str) -> Result<(), String> {
        let plain = !zone.is_empty() && zone.split('/').all(|part| !part.is_empty() && !part.starts_with('.'));
        let file = format!("/usr/share/zoneinfo/{zone}");
        if !plain || !self.machine.path(&file).is_file() {
            return Err(format!("there is no time zone {zone:?} on this machine"));
        }
        WantedFile {
            path: "/etc/timezone".into(),
            content: format!("{zone}\n").into_bytes(),
            mode: Some(0o644),
            ..WantedFile::default()
        }
        .write(self.machine)?;
        let link = self.machine.path("/etc/localtime");
        let fresh = self.machine.path("/etc/.localtime.new");
        // A link left by a boot that was cut off here.
        let _ = std::fs::remove_file(&fresh);
        std::os::unix::fs::symlink(&file, &fresh)
            .and_then(|()| std::fs::rename(&fresh, &link))
            .map_err(|cause| format!("cannot set the time zone: {}: {cause}", link.display()))
    }

    /// Names the language of the machine; one that is not there is made, if the image can.
    fn locale(&mut self, name: &str) -> Result<(), String> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-@".contains(&b);
        if name.is_empty() || name.starts_with('-') || !name.bytes().all(plain) {
            return Err(format!("{name:?} is no locale"));
        }
        // Every C library has these.
        if !["C", "POSIX", "C.UTF-8", "C.utf8"].contains(&name) {
            if !self.machine.path("/usr/sbin/locale-gen").is_file() {
                return Err(format!(
                    "the locale {name} can not be made: this machine has no locale-gen (package locales)"
                ));
            }
            self.program("locale-gen", &[name])?;
        }
        WantedFile {
            path: "/etc/default/locale".into(),
            content: format!("LANG={name}\n").into_bytes(),
            mode: Some(0o644),
            ..WantedFile::default()
        }
        .write(self.machine)
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

    /// Runs the scripts of a folder in the order of their names.
    fn run_scripts(&mut self, when: When) {
        use std::os::unix::fs::PermissionsExt;
        let folder = self.scripts(when);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return,
            Err(cause) => return self.note(Err(format!("cannot read {}: {cause}", folder.display()))),
        };
        let mut scripts: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        scripts.sort();
        for script in scripts {
            // Links are followed, as an image may bring them.
            let runs = script.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
            if runs {
                let name = script.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
                self.execute(&script, &name);
            }
        }
    }

    fn keep_and_run(&mut self, path: &Path, name: &str, content: &[u8]) {
        match keep(path, content) {
            Ok(()) => self.execute(path, name),
            Err(problem) => self.note(Err(problem)),
        }
    }

    fn execute(&mut self, path: &Path, name: &str) {
        let mut command = Command::new(path);
        command.current_dir(self.machine.path("/")).env("INSTANCE_ID", &self.seed.instance_id);
        // AWS's tools find the region and the API by these.
        command.envs(&self.seed.environment);
        match self.output.run(&mut command) {
            Ok(status) if status.success() => {}
            Ok(status) => {
                let problem = format!("{name} ended with {}", in_words(status));
                self.output.say(&problem);
                self.status.error(&problem);
                self.failed(exit_number(status));
            }
            Err(problem) => self.note(Err(format!("{name}: {problem}"))),
        }
    }
}

/// The name of a module's mark, cloud-init's own.
fn mark(module: &Module) -> String {
    format!("config_{}", module.name)
}

fn keep(path: &Path, content: &[u8]) -> Result<(), String> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, content))
        .and_then(|()| set_mode(path, 0o700))
        .map_err(|cause| format!("cannot write {}: {cause}", path.display()))
}
