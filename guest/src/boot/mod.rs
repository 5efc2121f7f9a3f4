//! `kiln-guest boot`: a machine becomes the instance its seed says it is.
//!
//! ```text
//!   seed ─► identity (name, keys)        every boot, quick; sshd waits for it
//!        ─► user data: what runs on every boot, and what runs once; nothing waits for it
//! ```
//!
//! "Once per instance" is kept by marks below `/var/lib/cloud/instances/<id>/sem`, the folder
//! cloud-init uses, one for each module. User data that is changed later is read at the next boot:
//! what runs on every boot (bootcmd, boothooks, modules set to `always`) is the new one's, what
//! runs once per instance has run. That holds for an instance that was first booted without any.
//! An image made from a machine carries old marks, but a machine started from it has another id.

mod accounts;
mod application;
mod apply;
mod cloud_config;
mod ending;
mod identity;
mod links;
mod mime;
mod output;
mod parts;
pub mod status;
mod yaml;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use crate::machine::Machine;
use crate::seed::{SEED_DIR, Seed};
use application::Application;
use output::Output;
use parts::Part;
use status::Status;

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
    let mut status = Status::begin(&machine)?;
    if options.stage == Stage::Identity {
        status.local()?;
    }
    let mut problems = identity::assume(&machine, &seed, &marks);
    problems.extend(links::make(&machine).err());
    if options.stage == Stage::Identity {
        for problem in &problems {
            eprintln!("kiln-guest: {problem}");
            status.error(problem);
        }
        status.hand_over()?;
        return Ok(i32::from(!problems.is_empty()));
    }
    if machine.is_live() {
        finish_before_the_machine_stops();
    }
    let mut output = Output::open(&machine, seed.console_path.as_deref())?;
    for problem in &problems {
        output.say(problem);
    }
    let mut power = None;
    let exit = match machine.path(status::DISABLED).exists() {
        true => {
            output.say(&format!("user data is left alone: {} is there", status::DISABLED));
            0
        }
        false => user_data(&machine, &seed, &marks, &mut output, &mut status, &mut power)?,
    };
    marks.finish_boot(exit)?;
    status.finish()?;
    if let Some(state) = &power {
        ending::power(state, &machine, &mut output);
    }
    Ok(if problems.is_empty() { exit } else { 1 })
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

fn user_data(
    machine: &Machine,
    seed: &Seed,
    marks: &Marks,
    output: &mut Output,
    status: &mut Status,
    power: &mut Option<cloud_config::PowerState>,
) -> Result<i32, String> {
    let data = seed.user_data(machine)?;
    let parts = parts::read(data.as_deref().unwrap_or(b""), &mut |url, once| fetch(marks, url, once));
    let before = marks.has("user_data") || marks.folder.join("boot-finished").exists();
    if before && !marks.has("by_module") {
        // An older guest marked all at once.
        for module in &cloud_config::MODULES {
            marks.make(&format!("config_{}", module.name))?;
        }
    }
    marks.make("by_module")?;
    let first = marks.make_for_good("user_data")? && !before;
    let parts = match parts {
        Ok(parts) => parts,
        Err(problem) => {
            status.enter(cloud_config::Stage::Init)?;
            status.error(&problem);
            output.say(&format!("user data can not be read: {problem}"));
            if first {
                output.say("user data finished with exit status 1 in 0.0 s");
                marks.make("user_data.finished")?;
            }
            return Ok(1);
        }
    };
    let documents: Vec<_> = parts
        .iter()
        .filter_map(|part| match part {
            Part::CloudConfig(document) => Some(document.clone()),
            _ => None,
        })
        .collect();
    let config = cloud_config::read(&documents);
    let started = Instant::now();
    let told = data.as_ref().filter(|_| first);
    let mut application = Application::new(machine, seed, marks, output, status);
    if let Some(data) = told {
        marks.keep("user-data.txt", data)?;
        application.say(&format!(
            "user data of {} begins ({} bytes, {} part{})",
            seed.instance_id,
            data.len(),
            parts.len(),
            if parts.len() == 1 { "" } else { "s" }
        ));
    } else if !first && marks.has("user_data.begun") && !marks.has("user_data.finished") {
        application.warn("user data began in an earlier boot and did not finish; what it began is not run again");
    }
    if told.is_some() {
        marks.make("user_data.begun")?;
    }
    application.run(&config, &parts, first)?;
    *power = application.power.take();
    let exit = application.exit();
    if told.is_some() {
        output.say(&format!("user data finished with exit status {exit} in {:.1} s", started.elapsed().as_secs_f64()));
    }
    marks.make("user_data.finished")?;
    Ok(exit)
}

/// Largest thing an `#include` may name.
const MOST_INCLUDED: &str = "16777216";

/// What an `#include` names. With `once` the copy of an earlier boot will do.
fn fetch(marks: &Marks, url: &str, once: bool) -> Result<Vec<u8>, String> {
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err("only http and https are supported".to_owned());
    }
    let folder = marks.folder.join("data/urlcache");
    std::fs::create_dir_all(&folder).map_err(|cause| format!("cannot make {}: {cause}", folder.display()))?;
    let name: String = url.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b) } else { '_' }).collect();
    let name = name.get(..150).unwrap_or(&name);
    // Two URLs may look alike then.
    let sum = url.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, b| (sum ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    let kept = folder.join(format!("{name}-{sum:016x}"));
    let read = |path: &std::path::Path| std::fs::read(path).map_err(|cause| format!("{}: {cause}", path.display()));
    if once && kept.exists() {
        return read(&kept);
    }
    let fresh = kept.with_extension("new");
    let done = std::process::Command::new("curl")
        .args(["-fsSL", "--proto", "=http,https", "--connect-timeout", "5", "--retry", "10", "--retry-max-time", "60"])
        .args(["--max-time", "300", "--max-filesize", MOST_INCLUDED, "-o"])
        .arg(&fresh)
        .args(["--", url])
        .output()
        .map_err(|cause| format!("cannot start curl: {cause}"))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
        return Err(format!("curl ended with {}: {said}", done.status));
    }
    let content = read(&fresh)?;
    if once {
        std::fs::rename(&fresh, &kept).map_err(|cause| format!("cannot keep {}: {cause}", kept.display()))?;
    } else {
        std::fs::remove_file(&fresh).map_err(|cause| format!("cannot remove {}: {cause}", fresh.display()))?;
    }
    Ok(content)
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
    pub fn make_for_good(&self, name: &str) -> Result<bool, String> {
        mark_for_good(&self.folder.join("sem").join(name))
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

/// Makes a mark that outlives a power cut; false when it was there.
pub fn mark_for_good(path: &std::path::Path) -> Result<bool, String> {
    let fresh = !path.exists();
    if fresh {
        write_mark(path)?;
    }
    std::fs::File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|cause| format!("cannot write {}: {cause}", path.display()))?;
    Ok(fresh)
}

fn write_mark(path: &std::path::Path) -> Result<(), String> {
    std::fs::File::create(path).map(drop).map_err(|cause| format!("cannot write {}: {cause}", path.display()))
}

#[cfg(test)]
mod tests;
