//! A process held by a file descriptor: it cannot be mistaken for a later one
//! with the same number, and its end wakes the reader at once.
//!
//! Machines are not kiln's children (kiln may die and come back), so their end
//! cannot be waited for. How they ended is read from the pidfd (Linux 6.15) or,
//! while nobody has reaped the process, from `/proc`.

use super::files::is_gone;
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

    /// Takes hold of a process that may have ended meanwhile; none if it has. Whatever else keeps from that is
    /// an error: who is taken for ended is started again beside itself, or goes on for ever.
    pub fn find(pid: u32) -> io::Result<Option<Self>> {
        match Self::open(pid) {
            Ok(process) => Ok(Some(process)),
            Err(e) if e.raw_os_error() == Some(libc::ESRCH) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// The same for the process of that number which started then.
    pub fn find_started(pid: u32, start_ticks: u64) -> io::Result<Option<Self>> {
        let Some(process) = Self::find(pid)? else { return Ok(None) };
        // Looked at while it is held: it is no later one of that number.
        Ok(Stat::lives(pid, start_ticks)?.then_some(process))
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

    /// Waits a while for its end, which is to come.
    pub fn end_within(&self, patience: Duration) -> io::Result<()> {
        let until = Instant::now() + patience;
        while !self.has_ended() {
            if Instant::now() > until {
                return Err(io::Error::other(format!("process {} goes on after {patience:?}", self.pid)));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
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
        // One that cannot be read leaves it unknown how it ended, as one that is gone does.
        let stat = Stat::read(self.pid).ok().flatten()?;
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
    pub fn read(pid: u32) -> io::Result<Option<Self>> {
        let text = match fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(text) => text,
            Err(e) if is_gone(&e) => return Ok(None),
            Err(e) => return Err(e),
        };
        let strange = || io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat says {text:?}"));
        Self::parse(&text).map(Some).ok_or_else(strange)
    }

    fn parse(text: &str) -> Option<Self> {
        // The name is in brackets and may hold anything; fields count from its end.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        Some(Self {
            state: fields.first()?.chars().next()?,
            start_ticks: fields.get(19)?.parse().ok()?,
            exit_code: fields.last()?.parse().ok()?,
        })
    }

    /// Whether the process that started then still lives.
    fn lives(pid: u32, start_ticks: u64) -> io::Result<bool> {
        Ok(Self::read(pid)?.is_some_and(|s| s.start_ticks == start_ticks && !"ZX".contains(s.state)))
    }
}

/// This boot of the host; process numbers mean nothing after another.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// Runs a test on a thread of its own, which is told the thread's number. Afterwards the kernel knows it no more.
#[cfg(test)]
pub fn on_a_thread(test: impl FnOnce(u32) + Send) {
    let number = std::sync::OnceLock::new();
    let ended = std::thread::scope(|scope| {
        let ran = scope.spawn(|| {
            let own = nix::unistd::gettid().as_raw().cast_unsigned();
            test(*number.get_or_init(|| own));
        });
        ran.join()
    });
    // It is joined before the kernel has taken it away.
    let shown = std::path::PathBuf::from(format!("/proc/self/task/{}", number.get().expect("it ran")));
    while shown.exists() {
        std::thread::yield_now();
    }
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
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

    #[test]
    fn who_cannot_be_taken_hold_of_has_not_ended() {
        let us = std::process::id();
        let ticks = Stat::read(us).unwrap().unwrap().start_ticks;
        assert_eq!(Process::find_started(us, ticks).unwrap().unwrap().pid(), us);
        assert!(Process::find_started(us, ticks + 1).unwrap().is_none(), "another one of that number");
        let mut child = Command::new("/bin/true").spawn().unwrap();
        child.wait().unwrap();
        assert!(Process::find(child.id()).unwrap().is_none(), "it has ended");
        assert!(Stat::read(child.id()).unwrap().is_none());
        // The kernel shows a thread as it shows a process, and gives nobody hold of it.
        on_a_thread(|thread| {
            let ticks = Stat::read(thread).unwrap().unwrap().start_ticks;
            assert!(Process::find(thread).is_err());
            assert!(Process::find_started(thread, ticks).is_err());
        });
        assert!(Stat::parse("1 (a) b) S 0").is_none());
    }

    #[test]
    fn one_that_goes_on_is_told() {
        let mut child = Command::new("/bin/sleep").arg("60").spawn().unwrap();
        let process = Process::open(child.id()).unwrap();
        let told = process.end_within(Duration::ZERO).unwrap_err().to_string();
        assert!(told.contains(&format!("process {} goes on", child.id())), "{told}");
        process.signal(libc::SIGKILL).unwrap();
        process.end_within(Duration::from_secs(10)).unwrap();
        child.wait().unwrap();
    }
}
