//! The state directory is its owner's: it holds the root user's credentials, the machines' disks and
//! layers in which a program may be root's. Nobody else gets in.
//!
//! One of an earlier version, which others could pass, is closed. A folder that is somebody's for
//! other things (`/tmp`, a home) is not closed to everybody by a wrong word on the command line, but
//! refused.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

/// What is in a state directory, by which one is known.
const OURS: [&str; 2] = ["kiln.db", "state.json"];
/// What may be in one that no kiln has used yet.
const BEFORE: [&str; 3] = ["kiln.log", "machines", "lost+found"];

/// Makes it, or closes the one that is there. `Err` is one line for the terminal.
pub fn prepare(dir: &Path) -> Result<(), String> {
    let failed = |doing: &str, e: io::Error| format!("failed to {doing} {}: {e}", dir.display());
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| failed("make", e))?;
    if kiln_backup::is_cut_off(dir) {
        return Err(format!(
            "a restore into {} was cut off: empty it, and restore the backup once more",
            dir.display()
        ));
    }
    let meta = fs::metadata(dir).map_err(|e| failed("look at", e))?;
    if meta.mode() & 0o077 != 0 {
        if !is_ours(dir).map_err(|e| failed("look into", e))? {
            return Err(format!(
                "{} is open to other users and has other things in it: choose a state directory of its own, or close it \
                 with `chmod 700`",
                dir.display()
            ));
        }
        fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(|e| failed("close", e))?;
    }
    close_files(dir).map_err(|e| failed("close the files of", e))
}

fn is_ours(dir: &Path) -> io::Result<bool> {
    let mut strange = false;
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        if OURS.iter().any(|ours| name == *ours) {
            return Ok(true);
        }
        strange |= !BEFORE.iter().any(|other| name == *other);
    }
    Ok(!strange)
}

/// Closes what lies in it, as it was left by earlier versions.
fn close_files(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let meta = match entry.metadata() {
            Err(e) if e.kind() == ErrorKind::NotFound => continue,
            meta => meta?,
        };
        if meta.is_file() && meta.mode() & 0o077 != 0 {
            fs::set_permissions(entry.path(), Permissions::from_mode(0o600))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("there").mode() & 0o777
    }

    #[test]
    fn a_state_directory_is_closed_to_others() {
        let place = tempfile::tempdir().expect("a folder");
        let new = place.path().join("a/new");
        prepare(&new).expect("made");
        assert_eq!(mode(&new), 0o700);
        // Of an earlier version.
        let old = place.path().join("old");
        fs::create_dir(&old).expect("made");
        fs::set_permissions(&old, Permissions::from_mode(0o711)).expect("opened");
        for name in ["kiln.db", "kiln.log", "other"] {
            fs::write(old.join(name), "").expect("written");
            fs::set_permissions(old.join(name), Permissions::from_mode(0o644)).expect("opened");
        }
        prepare(&old).expect("closed");
        assert_eq!(mode(&old), 0o700);
        assert!(["kiln.db", "kiln.log", "other"].iter().all(|name| mode(&old.join(name)) == 0o600));
    }

    #[test]
    fn a_state_directory_that_was_restored_in_part_is_refused() {
        let place = tempfile::tempdir().expect("a folder");
        fs::create_dir(place.path().join(".restoring")).expect("made");
        assert!(prepare(place.path()).expect_err("refused").contains("was cut off"));
    }

    #[test]
    fn a_folder_with_other_things_is_left_as_it_is() {
        let place = tempfile::tempdir().expect("a folder");
        let home = place.path().join("home");
        fs::create_dir(&home).expect("made");
        fs::set_permissions(&home, Permissions::from_mode(0o755)).expect("opened");
        fs::write(home.join("letter"), "").expect("written");
        assert!(prepare(&home).expect_err("refused").contains("choose a state directory of its own"));
        assert_eq!(mode(&home), 0o755);
    }
}
