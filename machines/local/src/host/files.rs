//! Files that are whole or absent: write beside, then rename.

use kiln_machines_spec::{DriverError, DriverResult};
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::libc;
use nix::sys::stat::Mode;
use serde::{Serialize, de::DeserializeOwned};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

/// Makes a folder and those above it, for their owner only.
pub fn make_dir(path: &Path) -> DriverResult<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|e| DriverError::failed(format!("make the folder {}", path.display()), e))
}

/// Makes a folder of an image: what machines see of it is for everybody in them.
pub fn make_image_dir(path: &Path) -> DriverResult<()> {
    let made = DirBuilder::new().recursive(true).mode(0o755).create(path);
    made.map_err(|e| DriverError::failed(format!("make the folder {}", path.display()), e))
}

/// Closes a folder to all but its owner, as earlier versions did not.
pub fn close_dir(path: &Path) -> DriverResult<()> {
    fs::set_permissions(path, Permissions::from_mode(0o700))
        .map_err(|e| DriverError::failed(format!("close {} to others", path.display()), e))
}

/// Opens an ordinary file of a tree that somebody else made: a link in it leads to no place
/// outside of the tree, and a pipe keeps nobody waiting.
pub fn open_inside(root: &Path, way: &Path) -> io::Result<File> {
    let top = open(root, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let file = File::from(open_in(&top, way, OFlag::O_RDONLY | OFlag::O_NONBLOCK, 0)?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "not an ordinary file"));
    }
    Ok(file)
}

/// How often a way is walked: whoever renames for ever keeps nobody for ever.
const WALKS: usize = 128;

/// Opens something in a tree that somebody else made and may be changing. Its root is the top of all: no link and
/// no `..` leads out of it.
pub fn open_in(root: impl AsFd, way: &Path, flags: OFlag, mode: u32) -> io::Result<OwnedFd> {
    let way = if way.as_os_str().is_empty() { Path::new(".") } else { way };
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC)
        .mode(Mode::from_bits_truncate(mode))
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    walk(way, || openat2(root.as_fd(), way, how))
}

/// Walks anew where the kernel cannot tell whether a `..` led out: that is so whenever anything was renamed
/// meanwhile, in whatever tree (`EAGAIN`, see openat2(2)).
fn walk<T>(way: &Path, mut once: impl FnMut() -> nix::Result<T>) -> io::Result<T> {
    for _ in 0..WALKS {
        match once() {
            Err(Errno::EAGAIN) => {}
            done => return Ok(done?),
        }
    }
    let changes = format!("what leads to {} was being changed each of {WALKS} times", way.display());
    Err(io::Error::new(ErrorKind::ResourceBusy, changes))
}

/// Writes a whole file, readable by its owner only: a reader sees the old or
/// the new bytes, never a part.
pub fn write_whole(path: &Path, bytes: &[u8]) -> DriverResult<()> {
    let doing = || format!("write {}", path.display());
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let opened = options.open(&beside);
    let mut file = opened.map_err(|e| DriverError::failed(doing(), e))?;
    file.write_all(bytes).map_err(|e| DriverError::failed(doing(), e))?;
    fs::rename(&beside, path).map_err(|e| DriverError::failed(doing(), e))
}

/// Writes a value as JSON, whole.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> DriverResult<()> {
    let bytes =
        serde_json::to_vec_pretty(value).map_err(|e| DriverError::failed(format!("encode {}", path.display()), e))?;
    write_whole(path, &bytes)
}

/// Reads a JSON file; none if there is none.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> DriverResult<Option<T>> {
    let doing = || format!("read {}", path.display());
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(DriverError::failed(doing(), e)),
    };
    let value = serde_json::from_slice(&bytes).map_err(|e| DriverError::failed(doing(), e))?;
    Ok(Some(value))
}

/// Whether a file of the kernel's (`/proc`, `/sys`, a control group's) or a link is gone: what it told about may
/// end before it is opened (`ENOENT`), and also between that and the reading or writing.
pub fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV | libc::ENXIO | libc::ESRCH))
}

/// Removes a file or a folder with all in it; fine if there is none.
pub fn remove_all(path: &Path) -> DriverResult<()> {
    let doing = || format!("remove {}", path.display());
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(DriverError::failed(doing(), e)),
    };
    let removed = if meta.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(DriverError::failed(doing(), e)),
        _ => Ok(()),
    }
}

/// Names in a folder, sorted; none if there is no such folder.
pub fn names_in(dir: &Path) -> DriverResult<Vec<String>> {
    let doing = || format!("list {}", dir.display());
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(DriverError::failed(doing(), e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| DriverError::failed(doing(), e))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_link_in_a_tree_leads_to_no_place_outside() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path().join("root");
        make_dir(&root.join("etc")).expect("made");
        fs::write(dir.path().join("secret"), "of the host").expect("written");
        fs::write(root.join("etc/plain"), "of the tree").expect("written");
        symlink(dir.path().join("secret"), root.join("etc/absolute")).expect("linked");
        symlink("../../secret", root.join("etc/relative")).expect("linked");
        symlink("/etc/plain", root.join("etc/own")).expect("linked");
        nix::unistd::mkfifo(&root.join("etc/pipe"), Mode::from_bits_truncate(0o600)).expect("made");
        let read = |name: &str| open_inside(&root, Path::new(name)).and_then(io::read_to_string);
        assert_eq!(read("etc/plain").expect("read"), "of the tree");
        assert_eq!(read("etc/own").expect("read"), "of the tree");
        for name in ["etc/absolute", "etc/relative", "etc/pipe", "etc", "../secret"] {
            assert!(read(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_walk_that_the_kernel_breaks_off_is_walked_anew_and_not_for_ever() {
        let walks = |broken_off: usize, then: nix::Result<usize>| {
            let mut times = 0;
            let done = walk(Path::new("etc/hosts"), || {
                times += 1;
                if times > broken_off { then.map(|_| times) } else { Err(Errno::EAGAIN) }
            });
            (done, times)
        };
        assert_eq!(walks(WALKS - 1, Ok(0)).0.expect("the last time"), WALKS);
        let (failed, times) = walks(2, Err(Errno::ELOOP));
        assert_eq!((failed.expect_err("told").raw_os_error(), times), (Some(libc::ELOOP), 3), "at once");
        let (failed, times) = walks(usize::MAX, Ok(0));
        let told = failed.expect_err("given up").to_string();
        assert_eq!((told.as_str(), times), ("what leads to etc/hosts was being changed each of 128 times", WALKS));
    }

    #[test]
    fn what_the_kernel_shows_is_gone_when_what_it_told_of_is() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep");
        let of_child = format!("/proc/{}/stat", child.id());
        let mut opened = File::open(&of_child).expect("it lives");
        child.kill().and_then(|()| child.wait()).expect("ended");
        let late = io::read_to_string(&mut opened).expect_err("it ended after the file was opened");
        let later = File::open(&of_child).expect_err("it ended before");
        assert!(is_gone(&late) && is_gone(&later), "{late} {later}");
        assert!(!is_gone(&io::Error::from_raw_os_error(libc::EACCES)));
        assert!(!is_gone(&io::Error::other("no number")));
    }

    #[test]
    fn folders_are_their_owner_s() {
        let dir = tempfile::tempdir().expect("a folder");
        make_dir(&dir.path().join("a/b")).expect("made");
        for name in ["a", "a/b"] {
            let mode = fs::metadata(dir.path().join(name)).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{name}");
        }
    }
}
