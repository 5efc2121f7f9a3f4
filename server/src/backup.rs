//! `kiln backup`: the state directory as of one moment, in one file, while kiln goes on.
//!
//! ```text
//! hold: objects' files and images stay ─► copy of the database and the journal (the moment) ─► files that never change
//!   ─► machines that the copied database names, one after the other ─► the archive gets its name
//! ```
//!
//! The database is copied first, so whatever it names must still be there when it is read: that is what the holds
//! are for. Files that are made after that moment may be in the backup too; no record names them, and the kiln that
//! is started from it clears them away. Machines are of a moment each, a little later than the database: a disk is
//! copied while its machine holds still. One that was made since is left out, for nobody would clear it away.
//!
//! A step is carried out by a thread for it; whoever asked and goes away ends the work, and nothing is left. So does
//! a kiln that goes down.

use crate::backed_up::{Found, JOURNAL, MACHINES, STAGING, all_of, bytes_of, of_state};
use crate::backups::Backups;
use crate::control::Control;
use kiln_backup::{About, BackupError, FORMAT, Writer};
use kiln_machines_spec::MachineId;
use kiln_s3::ObjectFiles;
use kiln_service_kit::{Journal, Store, chain};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Copies on their way, gone when this is dropped.
struct Staging(PathBuf);

impl Staging {
    fn make(state_dir: &Path) -> Result<Self, String> {
        clear(state_dir)?;
        let at = state_dir.join(STAGING);
        DirBuilder::new().mode(0o700).create(&at).map_err(|e| format!("failed to make {}: {e}", at.display()))?;
        Ok(Self(at))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, at = %self.0.display(), "copies of a backup are left; the next start removes them");
        }
    }
}

/// Removes what a kiln that was killed in the middle of a backup left.
pub fn clear(state_dir: &Path) -> Result<(), String> {
    let at = state_dir.join(STAGING);
    match fs::remove_dir_all(&at) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(format!("failed to remove {}: {error}", at.display())),
        _ => Ok(()),
    }
}

/// Makes a backup as the file `to`.
pub async fn back_up(control: &Control, to: &Path) -> Result<Json, String> {
    if !to.is_absolute() {
        return Err(format!("{} is no absolute path", to.display()));
    }
    if to.starts_with(&control.state_dir) {
        return Err(format!("{} is in the state directory: choose a place outside of it", to.display()));
    }
    let _turn = control.backups.begin()?;
    control.backups.unless_closed(make(control, to)).await
}

async fn make(control: &Control, to: &Path) -> Result<Json, String> {
    control.backups.doing("the database");
    let state_dir = control.state_dir.clone();
    let objects: ObjectFiles = control.platform.part().map_err(|e| e.chain())?;
    let _held = (objects.hold(), control.driver.hold_images().await);
    let staging = Arc::new(Staging::make(&state_dir)?);

    let store = control.platform.store().clone();
    let (place, path) = (staging.clone(), to.to_owned());
    let made = control.platform.clock().now().iso8601();
    let journal = control.platform.history().journal().clone();
    // What is moved from the one to the other between the two copies would be in neither.
    let fit = journal.hold().await;
    let (begun, instances) = blocking(move || begin(&path, made, &store, &journal, &place.0)).await?;
    drop(fit);
    // After the moment: one that the database says runs was booted before it, and is here unless it is gone.
    let machines = control.driver.list().await.map_err(|e| e.chain())?;
    let machines = of_moment(machines.into_iter().map(|machine| machine.spec.id.clone()), &instances);
    let mut archive = Archive { writer: begun, backups: control.backups.clone() };

    archive.backups.doing("files");
    let files = blocking({
        let (state_dir, backups) = (state_dir.clone(), archive.backups.clone());
        move || {
            let files = of_state(&state_dir)?;
            let bytes = files.iter().map(|found| found.bytes).sum::<u64>() + bytes_of(&state_dir.join(MACHINES))?;
            backups.all.store(bytes, Ordering::Relaxed);
            Ok(files)
        }
    })
    .await?;
    archive = blocking(move || archive.add_all(&state_dir, Path::new(""), files)).await?;

    let (mut copied, mut gone) = (0, 0);
    for id in machines {
        archive.backups.doing(format!("machine {id}"));
        let at = staging.0.join(id.as_str());
        match control.driver.copy(&id, &at).await {
            Ok(()) => copied += 1,
            // It was terminated since the moment; the kiln that is restored sees that it is not there.
            Err(error) if error.is_not_found() => gone += 1,
            Err(error) => return Err(error.chain()),
        }
        archive = blocking(move || {
            if at.is_dir() {
                let below = Path::new(MACHINES).join(id.as_str());
                let files = all_of(&at)?;
                archive = archive.add_all(&at, &below, files)?;
                fs::remove_dir_all(&at).map_err(|e| format!("failed to remove {}: {e}", at.display()))?;
            }
            Ok(archive)
        })
        .await?;
    }
    archive.backups.doing("its end");
    let size = blocking(move || archive.writer.finish().map_err(|e| e.to_string())).await?;
    tracing::info!(to = %to.display(), size, machines = copied, gone, "a backup was made");
    Ok(json!({"file": to.display().to_string(), "bytes": size, "machines": copied}))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|e| format!("the backup broke off: {e}"))?
}

/// The machines of instances that the database has a record of.
fn of_moment(machines: impl Iterator<Item = MachineId>, instances: &BTreeSet<String>) -> Vec<MachineId> {
    machines.filter(|id| instances.contains(id.as_str())).collect()
}

/// The archive with the database and the journal in it, and the instances of that moment.
fn begin(
    to: &Path,
    made: String,
    store: &Store,
    journal: &Journal,
    staging: &Path,
) -> Result<(Writer, BTreeSet<String>), String> {
    let about = About { format: FORMAT, kiln: env!("CARGO_PKG_VERSION").to_owned(), made };
    let mut writer = Writer::begin(to, &about).map_err(|e| e.to_string())?;
    let copy = staging.join("kiln.db");
    store.copy_to(&copy).map_err(|e| chain(&e))?;
    let instances = kiln_ec2::instances_in_copy(&copy).map_err(|e| chain(&e))?;
    let opened = File::open(&copy).map_err(|e| format!("failed to read {}: {e}", copy.display()));
    writer.file(&mut opened?, &copy, Path::new("kiln.db")).map_err(|e| e.to_string())?;
    fs::remove_file(&copy).map_err(|e| format!("failed to remove {}: {e}", copy.display()))?;
    let copy = staging.join(JOURNAL);
    journal.copy_to(&copy).map_err(|e| chain(&e))?;
    writer.folder(Path::new(JOURNAL)).map_err(|e| e.to_string())?;
    for found in all_of(&copy)? {
        let from = copy.join(&found.name);
        let opened = File::open(&from).map_err(|e| format!("failed to read {}: {e}", from.display()));
        let name = Path::new(JOURNAL).join(&found.name);
        writer.file(&mut opened?, &from, &name).map_err(|e| e.to_string())?;
    }
    fs::remove_dir_all(&copy).map_err(|e| format!("failed to remove {}: {e}", copy.display()))?;
    Ok((writer, instances))
}

struct Archive {
    writer: Writer,
    backups: Arc<Backups>,
}

impl Archive {
    /// Adds what was found in `dir` as what lies below `name`.
    fn add_all(mut self, dir: &Path, name: &Path, files: Vec<Found>) -> Result<Self, String> {
        for found in files {
            let (from, name) = (dir.join(&found.name), name.join(&found.name));
            let added = match found.folder {
                true => self.writer.folder(&name).map(|()| 0),
                false => match File::open(&from) {
                    Ok(mut file) => self.writer.file(&mut file, &from, &name),
                    Err(error) if error.kind() == ErrorKind::NotFound && found.may_go => Ok(0),
                    Err(source) => Err(BackupError::Io { doing: "read", path: from, source }),
                },
            };
            added.map_err(|e| e.to_string())?;
            self.backups.done.fetch_add(found.bytes, Ordering::Relaxed);
        }
        Ok(self)
    }
}
