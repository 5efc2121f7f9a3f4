//! Starting other programs: in a private mount namespace, in given control
//! groups, with an error that names a missing program and how to get it.

use super::mounts;
use kiln_machines_spec::{DriverError, DriverResult};
use nix::libc;
use std::ffi::CString;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

/// What a child finds itself in.
#[derive(Default)]
pub struct Surroundings {
    /// Files of the groups it joins, by whose writing one does so.
    pub cgroups: Vec<CString>,
    /// Detached mounts put into its own mount namespace.
    pub mounts: Vec<(Arc<OwnedFd>, CString)>,
    /// Whether its mount namespace is a copy of its starter's, what is shared there stays shared.
    /// (Else nothing that is mounted in one of them is seen in the other.)
    pub shares_mounts: bool,
    /// A mount taken away in its own mount namespace.
    pub unmount: Option<CString>,
    /// Whether it starts a session of its own, out of reach of the terminal's ^C.
    pub own_session: bool,
    /// Whether it is killed when kiln is: its work is begun anew by the next kiln, in
    /// the same place. Only for a program whose starter waits for its end.
    pub dies_with_kiln: bool,
    /// Bytes that a file may have which it writes. What goes beyond is not written, which the
    /// program is told (`EFBIG`); it is not killed for that, unless it asks for the signal itself.
    pub largest_file: Option<u64>,
}

impl Surroundings {
    /// Puts the command into them.
    pub fn apply(self, command: &mut Command) {
        let kiln = std::process::id();
        let enter = move || self.enter(kiln);
        // SAFETY: the closure makes system calls on strings made before the fork;
        // it does not allocate or take locks.
        unsafe { command.pre_exec(enter) };
    }

    /// Puts the calling process into them, a child of `kiln` that is about to become a program. Safe
    /// between fork and exec.
    pub(super) fn enter(&self, kiln: u32) -> io::Result<()> {
        if self.dies_with_kiln {
            // SAFETY: plain integers; no arguments.
            let parent = unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                libc::getppid()
            };
            if parent.cast_unsigned() != kiln {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
        }
        if self.own_session {
            // SAFETY: no arguments; fails only if already a leader.
            unsafe { libc::setsid() };
        }
        for procs in &self.cgroups {
            write_zero(procs)?;
        }
        if self.shares_mounts {
            mounts::enter_copy()?;
        } else if !self.mounts.is_empty() || self.unmount.is_some() {
            mounts::enter_own()?;
        }
        if let Some(at) = &self.unmount {
            // SAFETY: a valid C string.
            if unsafe { libc::umount2(at.as_ptr(), libc::MNT_DETACH) } < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        for (tree, at) in &self.mounts {
            mounts::attach(tree.as_raw_fd(), at)?;
        }
        if let Some(most) = self.largest_file {
            bound_files(most)?;
        }
        keep_no_files()
    }
}

/// Leaves the program nothing of kiln's but its input and output, whoever forgot to say so when a
/// file was opened. Safe between fork and exec.
fn keep_no_files() -> io::Result<()> {
    // SAFETY: plain integers; the files stay open until the program begins.
    match unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// See [`Surroundings::largest_file`]. Safe between fork and exec.
fn bound_files(most: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: a value of this function's; a signal that is ignored stays so in the program.
    unsafe {
        if libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) < 0
            || libc::signal(libc::SIGXFSZ, libc::SIG_IGN) == libc::SIG_ERR
        {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

fn write_zero(path: &CString) -> io::Result<()> {
    // SAFETY: a valid C string; the descriptor is closed below.
    unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let written = libc::write(fd, c"0".as_ptr().cast(), 1);
        let error = io::Error::last_os_error();
        libc::close(fd);
        if written != 1 {
            return Err(error);
        }
    }
    Ok(())
}

/// The Debian package that holds a program.
fn package_of(program: &str) -> &str {
    match program {
        "mke2fs" | "e2fsck" => "e2fsprogs",
        "mkfs.erofs" => "erofs-utils",
        "nft" => "nftables",
        "nsenter" | "unshare" => "util-linux",
        "xz" => "xz-utils",
        other => other,
    }
}

/// The error of a program that could not be started.
pub fn start_error(program: &str, error: io::Error) -> DriverError {
    if error.kind() == io::ErrorKind::NotFound && which(program).is_none() {
        return missing(program);
    }
    DriverError::failed(format!("start {program}"), error)
}

/// The error of a program that is not there.
pub fn missing(program: &str) -> DriverError {
    DriverError::MissingPackage {
        program: program.to_owned(),
        install: format!("apt-get install {}", package_of(program)),
    }
}

/// Where a program is.
pub fn which(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    let usual = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(std::path::PathBuf::from);
    std::env::split_paths(&path).chain(usual).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// A command for a program, found also where only root's PATH leads.
pub fn command(program: &str) -> DriverResult<Command> {
    which(program).map(Command::new).ok_or_else(|| missing(program))
}

/// Runs a program to its end; an exit code other than 0 is an error that says
/// what it printed.
pub fn run(command: &mut Command, doing: &str, stdin: &[u8]) -> DriverResult<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    run_as(&program, command, doing, stdin)
}

/// The same for a program whose file does not tell its name.
pub fn run_as(program: &str, command: &mut Command, doing: &str, stdin: &[u8]) -> DriverResult<Output> {
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| start_error(program, e))?;
    if let Some(mut input) = child.stdin.take() {
        match input.write_all(stdin) {
            Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
                return Err(DriverError::failed(doing, e));
            }
            _ => {}
        }
    }
    let output = child.wait_with_output().map_err(|e| DriverError::failed(doing, e))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(exit_error(doing, program, &output.status.to_string(), &said));
    }
    Ok(output)
}

/// The error of a program that ended badly; a full disk is told apart by what it printed.
pub fn exit_error(doing: &str, program: &str, status: &str, said: &str) -> DriverError {
    let name = Path::new(program).file_name().unwrap_or_default();
    let ended = |said: String| io::Error::other(format!("{} ended with {status}: {said}", name.display()));
    let mut lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if let Some(full) = lines.iter().find(|line| line.contains("No space left on device")) {
        return DriverError::NoSpace { doing: doing.to_owned(), source: Some(ended((*full).to_owned()).into()) };
    }
    // tar lets another program unpack what is compressed.
    let lacks = |line: &&str| line.split_once(": Cannot exec: No such file").map(|(left, _)| left.to_owned());
    if let Some(lacking) = lines.iter().find_map(lacks) {
        return missing(lacking.rsplit(": ").next().unwrap_or(&lacking));
    }
    // One line, made of the last ones.
    lines.drain(..lines.len().saturating_sub(12));
    DriverError::failed(doing, ended(lines.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_lives_on_when_its_file_is_full() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("log");
        let mut shell = Command::new("sh");
        // More than fits at once, and again: what fits is written, what does not is told, and it goes on.
        let script = "head -c 5000 /dev/zero >&2; echo $?; echo more >&2; echo $?";
        shell.args(["-c", script]).stdin(Stdio::null()).stderr(std::fs::File::create(&file).unwrap());
        Surroundings { largest_file: Some(4096), ..Surroundings::default() }.apply(&mut shell);
        let done = shell.stdout(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
        assert!(done.status.success(), "{}", done.status);
        let told = String::from_utf8(done.stdout).unwrap();
        let told: Vec<&str> = told.lines().collect();
        assert!(told.len() == 2 && told.iter().all(|code| *code != "0"), "{told:?}");
        assert_eq!(std::fs::metadata(&file).unwrap().len(), 4096);
    }

    #[test]
    fn what_a_program_said_becomes_one_line_that_says_what_to_do() {
        let text = |said: &str| exit_error("unpack x", "/usr/bin/tar", "exit status: 2", said).chain();
        assert_eq!(text("tar: a\n\n tar: b\n"), "failed to unpack x: tar ended with exit status: 2: tar: a; tar: b");
        assert_eq!(
            text("tar: a\nE: Write error - write (28: No space left on device)\nE: more\n"),
            "failed to unpack x: no space left on the disk; free some space, then try again: tar ended with exit status: 2: \
             E: Write error - write (28: No space left on device)"
        );
        assert_eq!(
            text("tar (child): zstd: Cannot exec: No such file or directory\ntar (child): Error is not recoverable\n"),
            "the program zstd is not installed: apt-get install zstd"
        );
    }
}
