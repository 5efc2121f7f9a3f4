//! Unpacking archives, with an end: what is small when it is sent may be endless when it is unpacked.
//!
//! ```text
//!   file ─► gzip, zstd, xz or bzip2 (by its first bytes) ─► counted here ─► tar
//! ```
//!
//! A tar cannot make a disk fuller than it is long, so counting its bytes bounds it. Room is looked
//! at on the way: an image must not take the disk that kiln's own state is on.

use crate::host::child::{self, Surroundings};
use crate::host::files;
use kiln_machines_spec::{DriverError, DriverResult};
use nix::sys::statvfs::statvfs;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Stdio};

/// How compressed files begin, and what unpacks them.
pub const COMPRESSED: [(&[u8], &str); 4] = [
    (&[0x1f, 0x8b], "gzip"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
    (b"BZh", "bzip2"),
    (&[0xfd, b'7', b'z', b'X'], "xz"),
];

/// What an archive may take.
struct Limits {
    /// Bytes of the tar.
    most: u64,
    /// What stays free on the disk.
    room: u64,
}

/// 64 GiB, and 1 GiB is left.
const LIMITS: Limits = Limits { most: 64 << 30, room: 1 << 30 };

/// How many bytes pass between two looks at the disk.
const LOOK: u64 = 16 << 20;

/// Unpacks a tar, compressed or not. A root file system keeps its owners and permissions.
pub fn untar(tar: &Path, into: &Path, root_file_system: bool) -> DriverResult<()> {
    untar_within(tar, into, root_file_system, &LIMITS)
}

fn untar_within(tar: &Path, into: &Path, root_file_system: bool, limits: &Limits) -> DriverResult<()> {
    files::make_image_dir(into)?;
    let doing = || format!("unpack {}", tar.display());
    let failed = |e: io::Error| DriverError::failed(doing(), e);
    let mut unpacker = decompressor(tar)?;
    let mut source: Box<dyn Read> = match unpacker.as_mut().and_then(|unpacker| unpacker.stdout.take()) {
        Some(output) => Box::new(output),
        None => Box::new(File::open(tar).map_err(failed)?),
    };
    // A pipe for what it says could fill up while it is being fed.
    let said = into.with_extension("said");
    let mut command = child::command("tar")?;
    command.args(["--extract", "--file", "-"]).arg("--directory").arg(into);
    if root_file_system {
        command.args(["--same-permissions", "--same-owner", "--numeric-owner"]);
        command.args(["--xattrs", "--xattrs-include=security.capability"]);
    } else {
        command.arg("--no-same-owner");
    }
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(File::create(&said).map_err(failed)?);
    Surroundings { dies_with_kiln: true, ..Surroundings::default() }.apply(&mut command);
    let mut running = command.spawn().map_err(|e| child::start_error("tar", e))?;
    let fed = match running.stdin.take() {
        Some(mut input) => feed(&mut source, &mut input, into, limits),
        None => Ok(false),
    };
    drop(source);
    if fed.is_err() {
        // Neither may go on; that one has ended by itself is fine.
        let _ = running.kill();
        let _ = unpacker.as_mut().map(Child::kill);
    }
    let status = running.wait().map_err(failed)?;
    let unpacked = unpacker.map(|mut unpacker| unpacker.wait()).transpose().map_err(failed)?;
    let text = fs::read(&said).map_err(failed)?;
    files::remove_all(&said)?;
    let complete = fed.map_err(failed)?;
    // One whose reader went away ends with a signal; only what was read to its end must be whole.
    if let Some(broken) = unpacked.filter(|status| complete && !status.success()) {
        return Err(DriverError::Invalid(format!("{}: its compressed data is broken ({broken})", tar.display())));
    }
    if !status.success() {
        let text = String::from_utf8_lossy(&text).into_owned();
        return Err(child::exit_error(&doing(), "tar", &status.to_string(), &text));
    }
    Ok(())
}

/// The program that unpacks it, started; none for a plain tar.
fn decompressor(tar: &Path) -> DriverResult<Option<Child>> {
    let failed = |e: io::Error| DriverError::failed(format!("read {}", tar.display()), e);
    let mut start = Vec::new();
    File::open(tar).map_err(failed)?.take(4).read_to_end(&mut start).map_err(failed)?;
    let Some((_, program)) = COMPRESSED.iter().find(|(magic, _)| start.starts_with(magic)) else { return Ok(None) };
    let mut command = child::command(program)?;
    command.arg("-dc").stdin(File::open(tar).map_err(failed)?).stdout(Stdio::piped()).stderr(Stdio::null());
    Surroundings { dies_with_kiln: true, ..Surroundings::default() }.apply(&mut command);
    command.spawn().map(Some).map_err(|e| child::start_error(program, e))
}

/// Whether all of it was read.
fn feed(source: &mut dyn Read, tar: &mut dyn Write, into: &Path, limits: &Limits) -> io::Result<bool> {
    let mut buffer = vec![0; 256 * 1024];
    let (mut passed, mut look_at) = (0_u64, 0_u64);
    loop {
        if passed >= look_at {
            look_at = passed + LOOK;
            let disk = statvfs(into)?;
            if disk.blocks_available().saturating_mul(disk.fragment_size()) < limits.room {
                let gib = limits.room >> 30;
                return Err(io::Error::other(format!("there is no room on the disk: less than {gib} GiB is free")));
            }
        }
        let length = source.read(&mut buffer)?;
        if length == 0 {
            return Ok(true);
        }
        passed += length as u64;
        if passed > limits.most {
            return Err(io::Error::other(format!("it is more than {} MiB when it is unpacked", limits.most >> 20)));
        }
        match tar.write_all(&buffer[..length]) {
            // It has seen the end of the archive, or it failed: its exit status says which.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(false),
            other => other?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn packed(dir: &Path, option: &str) -> std::path::PathBuf {
        fs::create_dir_all(dir.join("in")).expect("a folder");
        fs::write(dir.join("in/zeros"), vec![0; 3 << 20]).expect("a file");
        let tar = dir.join(format!("tar{option}"));
        let status =
            Command::new("tar").arg(format!("-c{option}f")).arg(&tar).arg("-C").arg(dir.join("in")).arg(".").status();
        assert!(status.expect("tar").success());
        tar
    }

    #[test]
    fn archives_are_unpacked_up_to_a_bound() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let limits = |most, room| Limits { most, room };
        for option in ["", "z"] {
            let tar = packed(dir.path(), option);
            let into = |name: &str| dir.path().join(format!("out{option}-{name}"));
            untar_within(&tar, &into("fits"), false, &limits(8 << 20, 0)).expect("unpacked");
            assert_eq!(fs::metadata(into("fits").join("zeros")).expect("there").len(), 3 << 20);
            let large = untar_within(&tar, &into("large"), false, &limits(1 << 20, 0)).expect_err("too large");
            assert!(large.chain().contains("more than 1 MiB"), "{}", large.chain());
            let full = untar_within(&tar, &into("full"), false, &limits(8 << 20, u64::MAX)).expect_err("no room");
            assert!(full.chain().contains("no room"), "{}", full.chain());
        }
        fs::write(dir.path().join("broken"), b"\x1f\x8bnot gzip").expect("a file");
        let broken =
            untar_within(&dir.path().join("broken"), &dir.path().join("out"), false, &LIMITS).expect_err("broken");
        assert!(broken.chain().contains("compressed data is broken"), "{}", broken.chain());
        let left = fs::read_dir(dir.path()).expect("a folder").flatten();
        assert!(left.into_iter().all(|entry| entry.path().extension().is_none_or(|e| e != "said")));
    }
}
