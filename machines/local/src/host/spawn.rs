//! Starting a program that is in its control groups from its first moment.
//!
//! Whoever moves a process into a group of the v2 tree waits for a grace period of the kernel's (RCU):
//! 7 to 25 ms in which nothing else is done. One that is born there costs nothing of it. So does one that
//! moves itself, alone, by a v1 tree's `tasks`. The standard library starts no program in a group, so this
//! does, for the one that every boot waits for.

use super::child::Surroundings;
use nix::libc;
use std::ffi::{CString, OsStr, OsString, c_char};
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

/// `linux/sched.h`.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Runs a program to its end. It is born in `group`, a folder of the v2 tree, and its input, output and
/// errors are these. Of the command only the program, its arguments and this process's environment
/// are taken.
pub fn run_in(
    group: BorrowedFd<'_>,
    command: &Command,
    around: &Surroundings,
    streams: [BorrowedFd<'_>; 3],
) -> io::Result<ExitStatus> {
    let program = c(command.get_program())?;
    let arguments: Vec<CString> = command.get_args().map(c).collect::<io::Result<_>>()?;
    let environment: Vec<CString> = std::env::vars_os().map(pair).collect::<io::Result<_>>()?;
    let argv = pointers(std::iter::once(&program).chain(&arguments));
    let envp = pointers(&environment);
    let (mut said, say) = io::pipe()?;
    let birth = libc::clone_args {
        flags: CLONE_INTO_CGROUP,
        exit_signal: u64::from(libc::SIGCHLD.cast_unsigned()),
        cgroup: u64::try_from(group.as_raw_fd()).map_err(io::Error::other)?,
        // SAFETY: numbers, of which 0 means none.
        ..unsafe { std::mem::zeroed() }
    };
    let kiln = std::process::id();
    // SAFETY: as fork: the child goes on here in a copy of this memory. It makes system calls on what was
    // prepared above and ends, or becomes another program.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const birth, size_of::<libc::clone_args>()) };
    if pid == 0 {
        // SAFETY: pointers to strings that stay, each list with its end.
        let error = unsafe { become_it(around, kiln, streams, program.as_ptr(), &argv, &envp) };
        let number = error.raw_os_error().unwrap_or(libc::EIO).to_ne_bytes();
        // SAFETY: an open descriptor; and the end, without what this process would do at its own.
        unsafe {
            libc::write(say.as_raw_fd(), number.as_ptr().cast(), number.len());
            libc::_exit(127);
        }
    }
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    drop(say);
    let mut number = [0; 4];
    let failed = said.read_exact(&mut number);
    let status = wait(libc::pid_t::try_from(pid).map_err(io::Error::other)?)?;
    match failed {
        // It became the program: the pipe was closed by that.
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(ExitStatus::from_raw(status)),
        Err(e) => Err(e),
        Ok(()) => Err(io::Error::from_raw_os_error(i32::from_ne_bytes(number))),
    }
}

/// In the child. Comes back with an error only.
unsafe fn become_it(
    around: &Surroundings,
    kiln: u32,
    streams: [BorrowedFd<'_>; 3],
    program: *const c_char,
    argv: &[*const c_char],
    envp: &[*const c_char],
) -> io::Error {
    // SAFETY: plain integers, and the caller's pointers.
    unsafe {
        for (number, stream) in (0..).zip(streams) {
            if libc::dup2(stream.as_raw_fd(), number) < 0 {
                return io::Error::last_os_error();
            }
        }
        // What a process of Rust's has otherwise than others.
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        if let Err(error) = around.enter(kiln) {
            return error;
        }
        libc::execve(program, argv.as_ptr(), envp.as_ptr());
        io::Error::last_os_error()
    }
}

/// Waits for a child's end; its status.
pub(super) fn wait(pid: libc::pid_t) -> io::Result<i32> {
    let mut status = 0;
    loop {
        // SAFETY: our own child, and a place for its status.
        if unsafe { libc::waitpid(pid, &raw mut status, 0) } == pid {
            return Ok(status);
        }
        let error = io::Error::last_os_error();
        if error.kind() != ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

fn c(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes()).map_err(io::Error::other)
}

fn pair((name, value): (OsString, OsString)) -> io::Result<CString> {
    let mut text = name.into_vec();
    text.push(b'=');
    text.extend(value.into_vec());
    CString::new(text).map_err(io::Error::other)
}

/// As the kernel wants a list: with a null at its end.
fn pointers<'a>(texts: impl IntoIterator<Item = &'a CString>) -> Vec<*const c_char> {
    texts.into_iter().map(|text| text.as_ptr()).chain(std::iter::once(std::ptr::null())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::cgroup::Trees;
    use std::fs::{self, File};
    use std::os::fd::AsFd;

    /// A group for a test, gone with it.
    struct Group(std::path::PathBuf);

    impl Group {
        fn new(name: &str) -> Self {
            let folder = Trees::find().expect("a v2 tree").v2().join(format!("{name}-{}", std::process::id()));
            fs::create_dir(&folder).expect("run this as root");
            Self(folder)
        }
    }

    impl Drop for Group {
        fn drop(&mut self) {
            let _ = fs::remove_dir(&self.0);
        }
    }

    #[test]
    fn a_program_is_born_in_its_group_with_its_words_and_streams_and_nothing_else_of_kilns() {
        let group = Group::new("kiln-test-born");
        let dir = tempfile::tempdir().unwrap();
        let [out, input] = ["out", "in"].map(|name| dir.path().join(name));
        fs::write(&input, "what it reads\n").unwrap();
        let mut shell = Command::new("/bin/sh");
        let script = "cat; cat /proc/self/cgroup; echo \"$1\"; ls /proc/self/fd | wc -l; \
                      grep SigIgn /proc/self/status; test -n \"$PATH\" && echo env; exit 7";
        shell.args(["-c", script, "sh", "a word"]);
        let (reading, writing) = (File::open(&input).unwrap(), File::create(&out).unwrap());
        // Left open by mistake: not for the program.
        let leak = writing.try_clone().unwrap();
        // SAFETY: a descriptor of ours.
        unsafe { libc::fcntl(leak.as_raw_fd(), libc::F_SETFD, 0) };
        let place = File::open(&group.0).unwrap();
        let streams = [reading.as_fd(), writing.as_fd(), writing.as_fd()];
        let status = run_in(place.as_fd(), &shell, &Surroundings::default(), streams).expect("started");
        let said = fs::read_to_string(&out).unwrap();
        assert_eq!(status.code(), Some(7), "{said}");
        let name = group.0.file_name().unwrap().to_string_lossy().into_owned();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines[0], "what it reads");
        assert!(lines.iter().any(|line| line.starts_with("0::") && line.ends_with(&name)), "{said}");
        let rest = &lines[lines.iter().position(|line| *line == "a word").expect("its argument")..];
        // 0 to 2, and the folder that ls reads.
        assert_eq!(rest[1].trim(), "4", "{said}");
        // As programs expect it, and as Rust's own processes do not have it.
        let ignored = rest[2].split_whitespace().nth(1).and_then(|mask| u64::from_str_radix(mask, 16).ok());
        assert_eq!(ignored.expect("a mask") & 1 << (libc::SIGPIPE - 1), 0, "{said}");
        assert_eq!(rest[3], "env");
    }

    #[test]
    fn what_keeps_a_program_from_beginning_is_told() {
        let group = Group::new("kiln-test-unborn");
        let place = File::open(&group.0).unwrap();
        let null = File::open("/dev/null").unwrap();
        let streams = [null.as_fd(); 3];
        let start = |command: &Command, around: &Surroundings| run_in(place.as_fd(), command, around, streams);
        let missing = start(&Command::new("/bin/no-such-program"), &Surroundings::default());
        assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
        let around =
            Surroundings { cgroups: vec![c"/sys/fs/cgroup/no-such/tasks".to_owned()], ..Surroundings::default() };
        assert_eq!(start(&Command::new("/bin/true"), &around).unwrap_err().kind(), ErrorKind::NotFound);
        let elsewhere = run_in(null.as_fd(), &Command::new("/bin/true"), &Surroundings::default(), streams);
        assert_eq!(elsewhere.unwrap_err().raw_os_error(), Some(libc::EBADF));
    }
}
