//! One run of user data: on what machine, what failed so far, and the programs it starts.

use std::process::{Command, ExitStatus};

use super::Marks;
use super::cloud_config::PowerState;
use super::output::Output;
use super::status::Status;
use crate::machine::Machine;
use crate::seed::Seed;

/// One run of user data on one machine.
pub struct Application<'a> {
    pub machine: &'a Machine,
    pub seed: &'a Seed,
    pub(super) marks: &'a Marks,
    pub(super) output: &'a mut Output,
    pub(super) status: &'a mut Status,
    exit: i32,
    /// What the machine does when all else is done.
    pub power: Option<PowerState>,
}

impl<'a> Application<'a> {
    /// Starts with nothing failed.
    pub fn new(
        machine: &'a Machine,
        seed: &'a Seed,
        marks: &'a Marks,
        output: &'a mut Output,
        status: &'a mut Status,
    ) -> Application<'a> {
        Application { machine, seed, marks, output, status, exit: 0, power: None }
    }

    /// The exit status of the first thing that failed, or 0.
    pub fn exit(&self) -> i32 {
        self.exit
    }

    /// Writes one line to log and console.
    pub fn say(&mut self, line: &str) {
        self.output.say(line);
    }

    /// A program that changes the running system, with its output in the log.
    pub fn program(&mut self, program: &str, args: &[&str]) -> Result<(), String> {
        let spoken = format!("{program} {}", args.join(" "));
        self.must_be_live(spoken.trim_end())?;
        let mut command = Command::new(program);
        command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
        let status = self.output.run(&mut command)?;
        if status.success() { Ok(()) } else { Err(format!("`{spoken}` ended with {}", in_words(status))) }
    }

    /// Programs never change the system a folder lies on.
    pub fn must_be_live(&self, spoken: &str) -> Result<(), String> {
        if self.machine.is_live() { Ok(()) } else { Err(format!("`{spoken}` is only done on a running system")) }
    }

    /// Keeps count of something that was tried.
    pub fn note(&mut self, done: Result<(), String>) {
        if let Err(problem) = done {
            self.output.say(&problem);
            self.status.error(&problem);
            self.failed(1);
        }
    }

    /// Keeps count of something that was not understood; cloud-init goes on and calls itself degraded.
    pub fn warn(&mut self, problem: &str) {
        self.output.say(problem);
        self.status.warning(problem);
        self.failed(1);
    }

    /// Something ended with that exit status.
    pub(super) fn failed(&mut self, exit: i32) {
        if self.exit == 0 {
            self.exit = exit;
        }
    }
}

/// As shells have it.
pub fn exit_number(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1)
}

/// How a program ended.
pub fn in_words(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}
