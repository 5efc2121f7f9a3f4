//! A program's copy in memory that nobody can change.
//!
//! `crun` runs no machine from a file that the machine could write to by its `/proc/self/exe`
//! (CVE-2019-5736): started from an ordinary file it mounts itself read-only elsewhere and becomes itself
//! again, by a new file and two mounts each time. It sees that a sealed file in memory needs none of that.

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::libc;
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// A program that runs from memory, for as long as this is kept.
pub struct Sealed(File);

impl Sealed {
    /// A copy of what the file holds now; `Err` where the host lets no program run from memory
    /// (`vm.memfd_noexec`), too.
    pub fn copy(program: &Path) -> io::Result<Self> {
        let sealable = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        // Kernels before 6.3 do not know that a file may say that it is a program; there all are.
        let executable = MFdFlags::from_bits_retain(libc::MFD_EXEC);
        let made = memfd_create(c"crun", sealable | executable).or_else(|error| match error {
            Errno::EINVAL => memfd_create(c"crun", sealable),
            other => Err(other),
        });
        let mut copy = File::from(made?);
        io::copy(&mut File::open(program)?, &mut copy)?;
        // These and no other, or crun does not take it for sealed.
        let seals = SealFlag::F_SEAL_SEAL | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_WRITE;
        fcntl(&copy, FcntlArg::F_ADD_SEALS(seals))?;
        Ok(Self(copy))
    }

    /// Where this process and its children, until they are another program, find it.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::Command;

    #[test]
    fn it_runs_and_nobody_changes_it() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("program");
        std::fs::copy("/bin/true", &program).unwrap();
        let sealed = Sealed::copy(&program).expect("programs may run from memory");
        // What becomes of the file afterwards is nothing to it.
        std::fs::remove_file(&program).unwrap();
        assert!(Command::new(sealed.path()).status().unwrap().success());
        let denied = (&sealed.0).write_all(b"x").unwrap_err();
        assert_eq!(denied.raw_os_error(), Some(libc::EPERM), "{denied}");
        let missing = Sealed::copy(&program).map(|_| ()).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
