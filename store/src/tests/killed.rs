//! A child process (this test binary again) that writes, says what was acknowledged, and is killed in the middle
//! of it. The journal's tests take this file too.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// Starts the ignored test `child` with `dir` in the variable `directory`, kills it some time after it said
/// `wrote ` and a number of eight digits for the 20th time, and gives the numbers it said. `round` makes it
/// another moment each time.
pub(super) fn acknowledged(child: &str, directory: &str, dir: &Path, round: usize) -> Vec<String> {
    let mut started = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", child, "--ignored", "--nocapture", "--test-threads=1"])
        .env(directory, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = Vec::new();
    for line in BufReader::new(started.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        // A line cut short by the kill acknowledges nothing.
        let number = line.split_once("wrote ").map(|(_, number)| number).filter(|number| number.len() == 8);
        said.extend(number.map(str::to_owned));
        // What is still in the pipe is read to its end.
        if said.len() == 20 + round * 17 {
            started.kill().unwrap();
        }
    }
    started.wait().unwrap();
    assert!(said.len() >= 20, "the child of round {round} ended by itself");
    said
}
