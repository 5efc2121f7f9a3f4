//! The server's log: lines on standard error, `KILN_LOG` chooses (default `info`).
//!
//! Whatever a line repeats of what others said, it is one line and has an end. In the background the log is a
//! file that does not grow for ever: one that is full is set aside and replaces the one before. When a line
//! cannot be written, since the disk is full, nothing else may fail for it: lines are counted, and told of
//! when there is room again.

use crate::log_line::{Fields, Line};
use kiln_service_kit::one_line;
use parking_lot::Mutex;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Bytes of one line that are kept.
const LINE: usize = 8 << 10;

/// Where `kiln up --detach` waits for a reason.
static REASON: OnceLock<File> = OnceLock::new();

/// Starts logging; a bad filter is an error rather than silence. `file`: what standard error is, and the bytes
/// it may have.
pub fn start(file: Option<(&Path, u64)>) -> Result<(), String> {
    let filter = match std::env::var("KILN_LOG") {
        Ok(text) => EnvFilter::try_new(&text).map_err(|e| format!("KILN_LOG={text} is not a log filter: {e}"))?,
        Err(_) => EnvFilter::new("info"),
    };
    let log = match file {
        None => Log { place: None, lost: 0 },
        Some((path, most)) => {
            take_over_output().map_err(|e| format!("failed to take over standard output: {e}"))?;
            let size = std::fs::metadata(path).map_or(0, |m| m.len());
            Log { place: Some(Place { path: path.to_owned(), most, size }), lost: 0 }
        }
    };
    let lines = Lines(Arc::new(Mutex::new(log)));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(lines)
        .with_ansi(false)
        .event_format(Line)
        .fmt_fields(Fields)
        .init();
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    Ok(())
}

/// Says why kiln ends, to whoever can still be told.
pub fn last_words(line: &str) {
    // There is nobody else to tell that this failed.
    let _ = writeln!(io::stderr(), "kiln: {}", kiln_cli::for_a_terminal(line));
    if let Some(mut reason) = REASON.get() {
        let _ = write!(reason, "{line}");
    }
}

/// Standard output is a pipe to who started us; from here on it is the log, for children too.
fn take_over_output() -> io::Result<()> {
    let pipe = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    nix::unistd::dup2_stdout(io::stderr().as_fd())?;
    // Set once: there is one log.
    let _ = REASON.set(pipe);
    Ok(())
}

/// A log file that standard error leads to.
struct Place {
    path: PathBuf,
    most: u64,
    size: u64,
}

struct Log {
    place: Option<Place>,
    /// Lines that could not be written.
    lost: u64,
}

impl Log {
    fn line(&mut self, text: &str) {
        if let Some(place) = self.place.as_mut().filter(|place| place.size >= place.most) {
            place.size = 0;
            if let Err(error) = set_aside(&place.path) {
                self.write(&format!("the log could not be set aside: {error}\n"));
            }
        }
        if self.lost > 0 && self.write(&format!("{} lines could not be written; was the disk full?\n", self.lost)) {
            self.lost = 0;
        }
        if !self.write(&format!("{}\n", one_line(text.trim_end_matches('\n'), LINE))) {
            self.lost += 1;
        }
    }

    fn write(&mut self, line: &str) -> bool {
        let written = io::stderr().lock().write_all(line.as_bytes()).is_ok();
        if let Some(place) = self.place.as_mut().filter(|_| written) {
            place.size += line.len() as u64;
        }
        written
    }
}

fn set_aside(path: &Path) -> io::Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".1");
    match std::fs::rename(path, &aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let next = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    nix::unistd::dup2_stderr(&next)?;
    nix::unistd::dup2_stdout(&next)?;
    Ok(())
}

/// Where events go: never an error, on which tracing would print, and panic if it cannot.
#[derive(Clone)]
struct Lines(Arc<Mutex<Log>>);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Lines;

    fn make_writer(&'a self) -> Lines {
        self.clone()
    }
}

impl Write for Lines {
    /// An event comes in one piece.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.lock().line(&String::from_utf8_lossy(event));
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
