//! Where the output of user data goes: a log file, and from there the console.
//!
//! ```text
//!   scripts ─► /var/log/cloud-init-output.log ─► relay ─► /dev/console
//! ```
//!
//! Programs write straight to the file, never to a pipe of ours: a server that
//! user data leaves running in the background must neither keep boot waiting nor
//! die of a broken pipe when boot ends.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::machine::Machine;

/// How often the relay looks for new output while a program runs.
const LOOK: Duration = Duration::from_millis(20);

/// The log and the console of one boot.
pub struct Output {
    log: File,
    relay: File,
    console: Option<File>,
    copy: Option<File>,
}

impl Output {
    /// Opens the machine's log, and its console when it has one.
    pub fn open(machine: &Machine, console: Option<&str>) -> Result<Output, String> {
        let path = machine.path("/var/log/cloud-init-output.log");
        let doing = |cause: std::io::Error| format!("cannot write {}: {cause}", path.display());
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(doing)?;
        }
        let log = append(&path).map_err(doing)?;
        let mut relay = File::open(&path).map_err(doing)?;
        relay.seek(SeekFrom::End(0)).map_err(doing)?;
        let console = machine.path(console.unwrap_or("/dev/console"));
        Ok(Output { log, relay, console: OpenOptions::new().append(true).open(console).ok(), copy: None })
    }

    /// Also copies everything to `path`.
    pub fn copy_to(&mut self, path: PathBuf) -> Result<(), String> {
        let file = append(&path).map_err(|cause| format!("cannot write output to {}: {cause}", path.display()))?;
        self.copy = Some(file);
        Ok(())
    }

    /// Writes one line of our own.
    pub fn say(&mut self, line: &str) {
        self.write(&format!("kiln-guest: {line}\n"));
    }

    /// Writes text as it is.
    pub fn write(&mut self, text: &str) {
        // A full disk must not stop a boot; the console may still get the line.
        if let Err(cause) = self.log.write_all(text.as_bytes()) {
            eprintln!("{} (not logged: {cause})", text.trim_end());
        }
        self.pass_on();
    }

    /// Runs a program with its output in the log, and waits for its end.
    pub fn run(&mut self, command: &mut Command) -> Result<ExitStatus, String> {
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = self.start(command).map_err(|cause| format!("cannot start {program}: {cause}"))?;
        loop {
            match child.try_wait() {
                Ok(Some(status)) => {
                    self.pass_on();
                    return Ok(status);
                }
                Ok(None) => {
                    self.pass_on();
                    std::thread::sleep(LOOK);
                }
                Err(cause) => return Err(format!("cannot wait for {program}: {cause}")),
            }
        }
    }

    fn start(&self, command: &mut Command) -> std::io::Result<Child> {
        command.stdin(Stdio::null()).stdout(self.log.try_clone()?).stderr(self.log.try_clone()?);
        let mut tries = 0;
        loop {
            match command.spawn() {
                // A script just written may be open for writing for a moment in a
                // program forked meanwhile.
                Err(cause) if cause.kind() == ErrorKind::ExecutableFileBusy && tries < 50 => {
                    tries += 1;
                    std::thread::sleep(LOOK);
                }
                other => return other,
            }
        }
    }

    /// Brings what is new in the log to the console.
    fn pass_on(&mut self) {
        let mut fresh = [0; 16 * 1024];
        while let Ok(length @ 1..) = self.relay.read(&mut fresh) {
            if let Some(console) = &mut self.console
                && console.write_all(&fresh[..length]).is_err()
            {
                self.console = None;
            }
            if let Some(copy) = &mut self.copy
                && copy.write_all(&fresh[..length]).is_err()
            {
                self.copy = None;
            }
        }
    }
}

fn append(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_reaches_log_and_console_and_background_programs_do_not_hold_it() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir_all(dir.path().join("dev")).expect("a folder");
        std::fs::write(dir.path().join("dev/console"), "").expect("a console");
        let machine = Machine::at(dir.path());
        let mut output = Output::open(&machine, None).expect("opened");
        output.say("begins");
        let started = std::time::Instant::now();
        let status =
            output.run(Command::new("sh").args(["-c", "echo out; echo err >&2; sleep 3 & exit 3"])).expect("ran");
        assert_eq!(status.code(), Some(3));
        assert!(started.elapsed() < Duration::from_secs(2), "waited for a background program");
        let wanted = "kiln-guest: begins\nout\nerr\n";
        for file in ["var/log/cloud-init-output.log", "dev/console"] {
            let text = std::fs::read_to_string(dir.path().join(file)).expect("readable");
            assert_eq!(text, wanted, "{file}");
        }
    }
}
