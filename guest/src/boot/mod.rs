//! `kiln-guest boot`: a machine becomes the instance its seed says it is.
//!
//! ```text
//!   seed ─► identity (name, keys)        every boot, quick; sshd waits for it
//!        ─► user data, once per instance; nothing waits for it
//! ```
//!
//! "Once" is kept by marks below `/var/lib/cloud/instances/<id>/sem`, the folder
//! cloud-init uses. The mark is made before the user data runs: a script that
//! reboots the machine must not run for ever. An image made from a machine
//! carries old marks, but a machine started from it has another id.

mod apply;
mod cloud_config;
mod identity;
mod mime;
mod output;
mod parts;
mod yaml;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use crate::machine::Machine;
use crate::seed::{SEED_DIR, Seed};
use apply::Application;
use output::Output;
use parts::Part;

/// The `boot` command.
pub fn main(args: &[String]) -> ExitCode {
    let options = match Options::read(args) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("kiln-guest boot: {problem}");
            return ExitCode::from(2);
        }
    };
    match boot(&options) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("kiln-guest: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// How far one call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Name and keys only.
    Identity,
    /// Everything.
    All,
}

#[derive(Debug)]
struct Options {
    root: PathBuf,
    stage: Stage,
}

impl Options {
    fn read(args: &[String]) -> Result<Options, String> {
        let mut options = Options { root: PathBuf::from("/"), stage: Stage::All };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} needs a value"));
            match arg.as_str() {
                "--root" => options.root = PathBuf::from(value()?),
                "--stage" => {
                    options.stage = match value()?.as_str() {
                        "identity" => Stage::Identity,
                        "all" => Stage::All,
                        other => return Err(format!("--stage is identity or all, not {other}")),
                    }
                }
                other => return Err(format!("{other} is not an option")),
            }
        }
        Ok(options)
    }
}

/// Boots the machine; the answer is the exit status of its user data.
fn boot(options: &Options) -> Result<i32, String> {
    let machine = Machine::at(&options.root);
    let seed_dir = machine.path(SEED_DIR);
    let seed = Seed::read(&seed_dir)?;
    let marks = Marks::of(&machine, seed.first_boot_key())?;
    let problems = identity::assume(&machine, &seed, &marks);
    if options.stage == Stage::Identity {
        for problem in &problems {
            eprintln!("kiln-guest: {problem}");
        }
        return Ok(i32::from(!problems.is_empty()));
    }
    if machine.is_live() {
        finish_before_the_machine_stops();
    }
    let mut output = Output::open(&machine, seed.console_path.as_deref())?;
    for problem in &problems {
        output.say(problem);
    }
    let status = match seed.user_data(&machine)? {
        Some(data) => user_data(&machine, &seed, &marks, &data, &mut output)?,
        None => 0,
    };
    marks.finish_boot(status)?;
    Ok(if problems.is_empty() { status } else { 1 })
}

/// User data often ends with `poweroff`, and systemd then stops this program at
/// once. It gets five seconds to see the script's end and to say so.
fn finish_before_the_machine_stops() {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
    extern "C" fn soon(_: i32) {
        // Only alarm(2), which a signal handler may call; its signal ends us.
        nix::unistd::alarm::set(5);
    }
    let action = SigAction::new(SigHandler::Handler(soon), SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler calls nothing but alarm(2), which is async-signal-safe.
    if let Err(cause) = unsafe { sigaction(Signal::SIGTERM, &action) } {
        eprintln!("kiln-guest: cannot wait for user data at shutdown: {cause}");
    }
}

fn user_data(machine: &Machine, seed: &Seed, marks: &Marks, data: &[u8], output: &mut Output) -> Result<i32, String> {
    let parts = match parts::read(data) {
        Ok(parts) => parts,
        Err(problem) => {
            if marks.make_for_good("user_data")? {
                output.say(&format!("user data can not be read: {problem}"));
                output.say("user data finished with exit status 1 in 0.0 s");
            }
            return Ok(1);
        }
    };
    let documents: Vec<String> = parts
        .iter()
        .filter_map(|part| match part {
            Part::CloudConfig(text) => Some(text.clone()),
            _ => None,
        })
        .collect();
    let config = cloud_config::read(&documents);
    let first_time = marks.make_for_good("user_data")?;
    let started = Instant::now();
    let mut application = Application::new(machine, seed, marks.folder(), output);
    application.every_boot(&config);
    if !first_time {
        if !marks.has("user_data.finished") {
            application.say(
                "user data began in an earlier boot and did not finish; it runs once per instance and is not run again",
            );
        }
        return Ok(application.status());
    }
    marks.keep("user-data.txt", data)?;
    application.say(&format!(
        "user data of {} begins ({} bytes, {} part{})",
        seed.instance_id,
        data.len(),
        parts.len(),
        if parts.len() == 1 { "" } else { "s" }
    ));
    application.first_boot(&config, &parts);
    let status = application.status();
    output.say(&format!("user data finished with exit status {status} in {:.1} s", started.elapsed().as_secs_f64()));
    marks.make("user_data.finished")?;
    Ok(status)
}

/// What was already done for this instance.
pub struct Marks {
    folder: PathBuf,
    /// The machine was another instance before: its image was made from one.
    pub was_another: bool,
}

impl Marks {
    fn of(machine: &Machine, key: &str) -> Result<Marks, String> {
        let cloud = machine.path("/var/lib/cloud");
        let folder = cloud.join("instances").join(key);
        let sem = folder.join("sem");
        std::fs::create_dir_all(&sem).map_err(|cause| format!("cannot make {}: {cause}", sem.display()))?;
        let link = cloud.join("instance");
        let target = PathBuf::from("instances").join(key);
        let before = std::fs::read_link(&link).ok();
        if before.as_ref() != Some(&target) {
            let fresh = cloud.join(".instance.new");
            // A link left by a boot that was cut off here.
            let _ = std::fs::remove_file(&fresh);
            std::os::unix::fs::symlink(&target, &fresh)
                .and_then(|()| std::fs::rename(&fresh, &link))
                .map_err(|cause| format!("cannot make the link {}: {cause}", link.display()))?;
        }
        let was_another_mark = sem.join("was_another");
        if before.is_some_and(|before| before != target) {
            write_mark(&was_another_mark)?;
        }
        Ok(Marks { was_another: was_another_mark.exists(), folder })
    }

    /// The folder of this instance.
    pub fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// Whether something was done for this instance.
    pub fn has(&self, name: &str) -> bool {
        self.folder.join("sem").join(name).exists()
    }

    /// Marks something as done; false when it was marked already.
    pub fn make(&self, name: &str) -> Result<bool, String> {
        if self.has(name) {
            return Ok(false);
        }
        write_mark(&self.folder.join("sem").join(name)).map(|()| true)
    }

    /// Like [`Marks::make`], and it outlives a power cut: "once" stands on it.
    fn make_for_good(&self, name: &str) -> Result<bool, String> {
        let made = self.make(name)?;
        let path = self.folder.join("sem").join(name);
        std::fs::File::open(&path)
            .and_then(|file| file.sync_all())
            .map_err(|cause| format!("cannot write {}: {cause}", path.display()))?;
        Ok(made)
    }

    fn keep(&self, name: &str, content: &[u8]) -> Result<(), String> {
        let path = self.folder.join(name);
        std::fs::write(&path, content)
            .and_then(|()| crate::files::set_mode(&path, 0o600))
            .map_err(|cause| format!("cannot write {}: {cause}", path.display()))
    }

    fn finish_boot(&self, status: i32) -> Result<(), String> {
        self.keep("boot-finished", format!("{status}\n").as_bytes())
    }
}

fn write_mark(path: &std::path::Path) -> Result<(), String> {
    std::fs::File::create(path).map(drop).map_err(|cause| format!("cannot write {}: {cause}", path.display()))
}

#[cfg(test)]
mod tests;
