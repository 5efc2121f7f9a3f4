//! User namespaces as a table of ids, for id-mapped mounts.
//!
//! A namespace lives as long as a process in it or a descriptor of it. A tiny
//! process is made for it, its maps are written, the descriptor is taken, and
//! the process is ended: about 0.2 ms.

use nix::libc;
use nix::sched::{CloneFlags, clone};
use nix::sys::wait::waitpid;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;

/// How many ids each machine has.
pub const RANGE: u32 = 65_536;

/// A user namespace in which id `inside` is `outside` on the host, and so on
/// for [`RANGE`] ids.
pub fn with_map(inside: u32, outside: u32) -> io::Result<OwnedFd> {
    let mut stack = vec![0u8; 16 * 1024];
    let parent = std::process::id();
    let body = Box::new(move || {
        // A kiln that is killed right here must not leave this process behind: it
        // holds all of kiln's files, its port and its locks among them.
        // SAFETY: plain integers.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        // SAFETY: no arguments.
        if unsafe { libc::getppid() }.cast_unsigned() != parent {
            return 0;
        }
        loop {
            // SAFETY: pause has no arguments and touches no memory of ours.
            unsafe { libc::pause() };
        }
    });
    // SAFETY: the child only pauses until it is killed below, before `stack` is dropped.
    let pid =
        unsafe { clone(body, &mut stack, CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_VM, Some(libc::SIGCHLD)) }?;
    let made = map_and_open(pid.as_raw(), inside, outside);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL)?;
    waitpid(pid, None)?;
    made
}

fn map_and_open(pid: i32, inside: u32, outside: u32) -> io::Result<OwnedFd> {
    let line = format!("{inside} {outside} {RANGE}");
    fs::write(format!("/proc/{pid}/uid_map"), &line)?;
    fs::write(format!("/proc/{pid}/gid_map"), &line)?;
    Ok(File::open(format!("/proc/{pid}/ns/user"))?.into())
}
