//! A process held by a file descriptor: it cannot be mistaken for a later one
//! with the same number, and its end wakes the reader at once.
//!
//! Machines are not kiln's children (kiln may die and come back), so their end
//! cannot be waited for. How they ended is read from the pidfd (Linux 6.15) or,
//! while nobody has reaped the process, from `/proc`.

use nix::libc;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// `_IOWR(0xFF, 11, struct pidfd_info)` with the structure's first version, 64 bytes.
const PIDFD_GET_INFO: libc::c_ulong = 0xC040_FF0B;
const PIDFD_INFO_EXIT: u64 = 1 << 3;

#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    pid: u32,
    tgid: u32,
    ppid: u32,
    ids: [u32; 8],
    exit_code: i32,
}

/// A process.
pub struct Process {
    pid: u32,
    fd: OwnedFd,
}

impl Process {
    /// Takes hold of a living process.
    pub fn open(pid: u32) -> io::Result<Self> {
        // SAFETY: pidfd_open takes two integers and returns a new descriptor or -1.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let raw = RawFd::try_from(fd).map_err(io::Error::other)?;
        // SAFETY: the kernel just gave us this descriptor; nobody else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(raw) };
        Ok(Self { pid, fd })
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        let null = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: the descriptor is open; a null siginfo is allowed.
        let done = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, self.fd.as_raw_fd(), signal, null, 0) };
        if done < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        let mut poll = libc::pollfd { fd: self.fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid pollfd, no waiting.
        unsafe { libc::poll(&raw mut poll, 1, 0) > 0 }
    }

    /// Waits for its end.
    pub async fn ended(&self) -> io::Result<()> {
        let fd = self.fd.try_clone()?;
        // SAFETY: the descriptor is owned by the registration and stays open as long as it.
        let fd = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }?;
        let _ready = fd.readable().await?;
        Ok(())
    }

    /// Its wait status, once it has ended; none if nobody can know any more.
    /// Blocks for at most 20 ms: the status shows a moment after the end.
    pub fn wait_status(&self) -> Option<i32> {
        let until = Instant::now() + Duration::from_millis(20);
        loop {
            if let Some(status) = self.status_from_pidfd().or_else(|| self.status_from_proc()) {
                return Some(status);
            }
            if Instant::now() > until {
                return None;
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    fn status_from_pidfd(&self) -> Option<i32> {
        let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
        // SAFETY: the structure is as large as the request number says.
        let done = unsafe { libc::ioctl(self.fd.as_raw_fd(), PIDFD_GET_INFO, &raw mut info) };
        (done == 0 && info.mask & PIDFD_INFO_EXIT != 0).then_some(info.exit_code)
    }

    fn status_from_proc(&self) -> Option<i32> {
        let stat = Stat::read(self.pid)?;
        (stat.state == 'Z').then_some(stat.exit_code)
    }
}

/// What `/proc/PID/stat` says.
pub struct Stat {
    /// `R`, `S`, `Z` …
    pub state: char,
    /// When it started, in ticks since boot: with the number it names a process.
    pub start_ticks: u64,
    exit_code: i32,
}

impl Stat {
    /// Reads it; none if there is no such process.
    pub fn read(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name is in brackets and may hold anything; fields count from its end.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        Some(Self {
            state: fields.first()?.chars().next()?,
            start_ticks: fields.get(19)?.parse().ok()?,
            exit_code: fields.last()?.parse().ok()?,
        })
    }

    /// Whether the process that started then still lives.
    pub fn lives(pid: u32, start_ticks: u64) -> bool {
        Self::read(pid).is_some_and(|s| s.start_ticks == start_ticks && !"ZX".contains(s.state))
    }
}

/// This boot of the host; process numbers mean nothing after another.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or_else(|_| "unknown".to_owned(), |id| id.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_end_of_a_child_is_seen_with_its_status() {
        let mut child =
            Command::new("/bin/sh").args(["-c", "read x; exit 7"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
        let process = Process::open(child.id()).unwrap();
        assert!(!process.has_ended());
        drop(child.stdin.take());
        while !process.has_ended() {
            std::thread::yield_now();
        }
        // Not reaped yet: the status comes from /proc.
        assert_eq!(process.wait_status(), Some(7 << 8));
        child.wait().unwrap();
        assert!(process.signal(0).is_err());
    }
}
