//! How a machine ended, by what its first process left behind.

use crate::host::files;
use kiln_machines_spec::{ExitCause, ExitInfo};
use nix::libc;

/// What a wait status means. An init that calls `reboot` ends, for the world
/// outside, by SIGHUP (restart) or SIGINT (power off).
pub fn describe(status: Option<i32>, systemd: bool, out_of_memory: bool) -> (ExitInfo, bool) {
    let mut restarts = false;
    let (cause, text) = match status {
        None => (ExitCause::Unknown, "its first process ended; how is not known".to_owned()),
        Some(status) if libc::WIFSIGNALED(status) => {
            let signal = libc::WTERMSIG(status);
            if systemd && signal == libc::SIGHUP {
                restarts = true;
            }
            if systemd && (signal == libc::SIGINT || signal == libc::SIGHUP) {
                (ExitCause::PoweredOff, "it switched itself off".to_owned())
            } else if out_of_memory && signal == libc::SIGKILL {
                let text = "the kernel ended it: out of memory (its limit was reached)";
                (ExitCause::OutOfMemory, text.to_owned())
            } else {
                let name = nix::sys::signal::Signal::try_from(signal);
                let name = name.map_or_else(|_| signal.to_string(), |s| s.to_string());
                let text = format!("its first process was ended by signal {name}");
                (ExitCause::Signalled { signal }, text)
            }
        }
        Some(status) => {
            let code = libc::WEXITSTATUS(status);
            if systemd && code == 0 {
                (ExitCause::PoweredOff, "it switched itself off".to_owned())
            } else {
                let text = format!("its first process ended with exit code {code}");
                (ExitCause::Exited { code }, text)
            }
        }
    };
    let at_ms = files::now_ms();
    (ExitInfo { cause, at_ms, text }, restarts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_as_it_was() {
        let cause = |status, systemd, oom| describe(status, systemd, oom).0.cause;
        assert_eq!(cause(Some(3 << 8), false, false), ExitCause::Exited { code: 3 });
        assert_eq!(cause(Some(0), false, false), ExitCause::Exited { code: 0 });
        assert_eq!(cause(Some(0), true, false), ExitCause::PoweredOff);
        assert_eq!(cause(Some(2), true, false), ExitCause::PoweredOff);
        assert_eq!(cause(Some(9), true, false), ExitCause::Signalled { signal: 9 });
        assert_eq!(cause(Some(9), true, true), ExitCause::OutOfMemory);
        assert_eq!(cause(None, true, true), ExitCause::Unknown);
        assert!(describe(Some(1), true, false).1, "SIGHUP of an init is a restart");
        assert!(!describe(Some(1), false, false).1, "SIGHUP of a program is not");
    }
}
