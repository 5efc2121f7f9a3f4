//! What of a state directory a backup copies as it lies there.
//!
//! Files come and go while kiln goes on. What a record of the copied database needs is held or never goes: were it
//! not there, the backup would lack it, and there is none. Only of what [`may_go`] names is nothing missing.

use kiln_s3::ObjectFiles;
use kiln_sealing::RootKey;
use kiln_sqs::Messages;
use kiln_ssm::SealingKey;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Copies on their way into the archive; removed after each, and by the next kiln.
pub const STAGING: &str = "backup.tmp";

/// Copied with the database, of the same moment.
pub const JOURNAL: &str = "journal";

/// What was measured, copied as of its own moment right after.
pub const POINTS: &str = "points";

/// Records of the trail that the journal does not have yet: those of the last second. A backup's trail ends with its journal.
pub const TRAIL: &str = "trail";

/// The driver copies what is in it.
pub const MACHINES: &str = "machines/machines";

/// What is not copied: what belongs to the process, what is made anew, and what others copy.
const LEFT_OUT: [&str; 19] = [
    "kiln.sock",
    "kiln.log",
    "kiln.log.1",
    "kiln.db",
    "kiln.db-wal",
    "kiln.db-shm",
    "kiln.db.lock",
    JOURNAL,
    Messages::FOLDER,
    POINTS,
    TRAIL,
    "lost+found",
    STAGING,
    "s3/staging",
    "machines/lock",
    "machines/run",
    // Empty disks and half-made layers.
    "machines/disks",
    "machines/images/work",
    MACHINES,
];

/// Without one of these, what was kept cannot be read.
const NEEDED: [&str; 4] = [crate::credentials::FILE, RootKey::FILE, SealingKey::FILE, ObjectFiles::KEY_FILE];

/// Whether nothing is missing without what was there a moment ago: files of objects that no record names (those that
/// one names are held), networks that were removed since, notes that a layer was read, and what is about to take
/// another file's place.
fn may_go(name: &Path) -> bool {
    let within = |folder: &str| name.starts_with(folder) && name != Path::new(folder);
    let passing = name.extension().is_some_and(|kind| kind == "new" || kind == "next");
    let note = within("machines/images/layers") && name.extension().is_some_and(|kind| kind == "seen");
    passing || note || within("s3/data") || within("machines/networks")
}

/// What lies somewhere below a folder.
#[derive(Debug)]
pub struct Found {
    pub name: PathBuf,
    pub folder: bool,
    /// What it takes on the disk.
    pub bytes: u64,
    /// Nothing is missing if it is not there any more.
    pub may_go: bool,
}

/// What of a state directory is copied as it lies there.
pub fn of_state(state_dir: &Path) -> Result<Vec<Found>, String> {
    let found = Walk { dir: state_dir, left_out: &LEFT_OUT, may_go }.below(Path::new(""))?;
    match NEEDED.iter().find(|needed| !found.iter().any(|found| found.name == Path::new(needed))) {
        Some(missing) => Err(format!("{} is missing", state_dir.join(missing).display())),
        None => Ok(found),
    }
}

/// All of a folder of kiln's own, from which nothing goes.
pub fn all_of(dir: &Path) -> Result<Vec<Found>, String> {
    Walk { dir, left_out: &[], may_go: |_| false }.below(Path::new(""))
}

/// What a folder takes on the disk, whose files come and go.
pub fn bytes_of(dir: &Path) -> Result<u64, String> {
    let found = Walk { dir, left_out: &[], may_go: |_| true }.below(Path::new(""))?;
    Ok(found.iter().map(|found| found.bytes).sum())
}

struct Walk<'w> {
    dir: &'w Path,
    left_out: &'w [&'w str],
    may_go: fn(&Path) -> bool,
}

impl Walk<'_> {
    fn below(&self, below: &Path) -> Result<Vec<Found>, String> {
        let at = self.dir.join(below);
        let failed = |e: std::io::Error| format!("failed to look into {}: {e}", at.display());
        let entries = match fs::read_dir(&at) {
            Err(error) if error.kind() == ErrorKind::NotFound && (self.may_go)(below) => return Ok(vec![]),
            entries => entries.map_err(failed)?,
        };
        let mut names: Vec<_> =
            entries.map(|entry| entry.map(|e| e.file_name())).collect::<Result<_, _>>().map_err(failed)?;
        names.sort();
        let mut found = vec![];
        for name in names {
            let name = below.join(name);
            if self.left_out.iter().any(|left_out| name == Path::new(left_out)) {
                continue;
            }
            let may_go = (self.may_go)(&name);
            let meta = match fs::symlink_metadata(self.dir.join(&name)) {
                Err(error) if error.kind() == ErrorKind::NotFound && may_go => continue,
                meta => meta.map_err(failed)?,
            };
            if meta.is_dir() {
                found.push(Found { name: name.clone(), folder: true, bytes: 0, may_go });
                found.extend(self.below(&name)?);
            } else if meta.is_file() {
                found.push(Found { name, folder: false, bytes: meta.blocks() * 512, may_go });
            } else if !meta.file_type().is_socket() {
                // Nothing of kiln's: what it means elsewhere is not known.
                let at = self.dir.join(&name);
                return Err(format!("{} is neither a file nor a folder; remove it first", at.display()));
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        for folder in ["s3/data", "s3/staging", "machines/networks", "machines/images/layers"] {
            fs::create_dir_all(dir.path().join(folder)).expect("made");
        }
        for file in NEEDED.iter().chain(&["kiln.db", "s3/data/1", "s3/staging/2", "machines/networks/vpc-1.json"]) {
            fs::write(dir.path().join(file), "x").expect("written");
        }
        dir
    }

    #[test]
    fn all_but_what_others_copy_is_found() {
        let state = state();
        let found = of_state(state.path()).expect("looked into");
        let mut files: Vec<_> = found.iter().filter(|f| !f.folder).map(|f| f.name.to_str().expect("UTF-8")).collect();
        files.sort_unstable();
        assert_eq!(files, ["machines/networks/vpc-1.json", "root.key", "s3.key", "s3/data/1", "ssm.key", "state.json"]);
        for found in found {
            let goes = ["machines/networks/vpc-1.json", "s3/data/1"].contains(&found.name.to_str().expect("UTF-8"));
            assert_eq!(found.may_go, goes, "{}", found.name.display());
        }
    }

    #[test]
    fn what_must_be_there_is_missed() {
        for needed in NEEDED {
            let state = state();
            fs::remove_file(state.path().join(needed)).expect("removed");
            let told = of_state(state.path()).expect_err("missing");
            assert!(told.contains(needed) && told.contains("is missing"), "{told}");
        }
        let state = state();
        assert!(all_of(&state.path().join("absent")).is_err());
        assert_eq!(bytes_of(&state.path().join("absent")), Ok(0));
    }
}
