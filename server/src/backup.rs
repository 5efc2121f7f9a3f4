//! `kiln backup`: the state directory as of one moment, in one file, while kiln goes on.
//!
//! ```text
//! hold: objects' files and images stay ─► copy of the database, the journal and messages (the moment) ─► files that never change
//!   ─► machines that the copied database names, one after the other ─► the archive gets its name
//! ```
//!
//! The database is copied first, so whatever it names must still be there when it is read: that is what the holds
//! are for. Files that are made after that moment may be in the backup too; no record names them, and the kiln that
//! is started from it clears them away. Machines are of a moment each, a little later than the database: a disk is
//! copied while its machine holds still. One that was made since is left out, for nobody would clear it away.
//!
//! A step is carried out by a thread for it; whoever asked and goes away ends the work, and nothing is left. So does
//! a kiln that goes down. A thread goes on for a moment when the future that waits for it is dropped, so each has what
//! the backup holds ([`Hand`]): it is let go of when the last one is through. Only from when the archive has its name
//! on, it is made, and that is what is told.

use crate::backed_up::{Found, JOURNAL, MACHINES, POINTS, STAGING, all_of, bytes_of, of_state};
use crate::backups::Turn;
use crate::control::Control;
use kiln_backup::{About, BackupError, FORMAT, GoesOn, Writer};
use kiln_machines_spec::{Copied, ImageHold, MachineId};
use kiln_points::Points;
use kiln_s3::{Hold, ObjectFiles};
use kiln_service_kit::{Journal, Platform, Store, chain};
use kiln_sqs::Messages;
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
    let (turn, _asks) = control.backups.begin()?;
    make(control, turn, to).await
}

/// What a backup holds while anything of it moves, let go of in this order.
struct Hand {
    staging: Staging,
    _held: (Hold, ImageHold),
    turn: Turn,
}

async fn make(control: &Control, turn: Turn, to: &Path) -> Result<Json, String> {
    control.backups.doing("the database");
    let state_dir = control.state_dir.clone();
    let objects: ObjectFiles = control.platform.part().map_err(|e| e.chain())?;
    let held = (objects.hold(), turn.unless_closed(control.driver.hold_images()).await?);
    let hand = Arc::new(Hand { staging: Staging::make(&state_dir)?, _held: held, turn });

    let (path, of_work) = (to.to_owned(), hand.clone());
    let made = control.platform.clock().now().iso8601();
    let sources = Sources::of(&control.platform)?;
    // What is moved from the one to the other between the two copies would be in neither.
    let fit = hand.turn.unless_closed(sources.journal.hold()).await?;
    let (mut archive, instances) = blocking(move || {
        let begun = begin(&path, made, &sources, of_work);
        drop(fit);
        begun
    })
    .await?;
    // After the moment: one that the database says runs was booted before it, and is here unless it is gone.
    let machines = hand.turn.unless_closed(control.driver.list()).await?.map_err(|e| e.chain())?;
    let machines = of_moment(machines.into_iter().map(|machine| machine.spec.id.clone()), &instances);

    control.backups.doing("files");
    archive = blocking(move || {
        let files = of_state(&state_dir)?;
        let bytes = files.iter().map(|found| found.bytes).sum::<u64>() + bytes_of(&state_dir.join(MACHINES))?;
        archive.hand.turn.backups.all.store(bytes, Ordering::Relaxed);
        archive.add_all(&state_dir, Path::new(""), files)
    })
    .await?;

    let (mut copied, mut gone) = (0, 0);
    for id in machines {
        control.backups.doing(format!("machine {id}"));
        let at = hand.staging.0.join(id.as_str());
        match hand.turn.unless_closed(control.driver.copy(&id, &at, hand.clone())).await? {
            Ok(Copied::Folder) => {
                copied += 1;
                let below = Path::new(MACHINES).join(id.as_str());
                archive = blocking(move || archive.add_copy(&at, &below)).await?;
            }
            Ok(Copied::Nothing) => copied += 1,
            // It was terminated since the moment; the kiln that is restored sees that it is not there.
            Err(error) if error.is_not_found() => gone += 1,
            Err(error) => return Err(error.chain()),
        }
    }
    control.backups.doing("its end");
    drop(hand);
    let to = to.to_owned();
    // Told by who does it: it may be done when nobody waits any more.
    blocking(move || {
        let size = archive.finish()?;
        tracing::info!(to = %to.display(), size, machines = copied, gone, "a backup was made");
        Ok(json!({"file": to.display().to_string(), "bytes": size, "machines": copied}))
    })
    .await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|e| format!("the backup broke off: {e}"))?
}

/// The machines of instances that the database has a record of.
fn of_moment(machines: impl Iterator<Item = MachineId>, instances: &BTreeSet<String>) -> Vec<MachineId> {
    machines.filter(|id| instances.contains(id.as_str())).collect()
}

/// What has a file of its own that is copied while it is written to.
struct Sources {
    store: Store,
    journal: Journal,
    messages: Messages,
    points: Points,
}

impl Sources {
    fn of(platform: &Platform) -> Result<Self, String> {
        Ok(Self {
            store: platform.store().clone(),
            journal: platform.history().journal().clone(),
            messages: platform.part().map_err(|e| e.chain())?,
            points: platform.part().map_err(|e| e.chain())?,
        })
    }
}

/// The archive with the databases in it, and the instances of that moment.
fn begin(to: &Path, made: String, sources: &Sources, hand: Arc<Hand>) -> Result<(Archive, BTreeSet<String>), String> {
    let about = About { format: FORMAT, kiln: env!("CARGO_PKG_VERSION").to_owned(), made };
    let asked = hand.clone();
    let goes_on: GoesOn = Arc::new(move || asked.turn.goes_on().is_ok());
    let writer = Writer::begin(to, &about, goes_on).map_err(|e| hand.told(e))?;
    let mut archive = Archive { writer, hand };
    let instances = archive.add_moment(sources)?;
    Ok((archive, instances))
}

impl Hand {
    /// Why the archive cannot go on: it is not wanted any more, or what it says.
    fn told(&self, error: BackupError) -> String {
        match error {
            BackupError::GivenUp(_) => self.turn.goes_on().err().unwrap_or_else(|| error.to_string()),
            error => error.to_string(),
        }
    }
}

/// The archive on its way. It is gone before what is held is let go of.
struct Archive {
    writer: Writer,
    hand: Arc<Hand>,
}

impl Archive {
    /// Adds the database, the journal, messages and points; the instances that there are.
    fn add_moment(&mut self, sources: &Sources) -> Result<BTreeSet<String>, String> {
        let staging = self.hand.staging.0.clone();
        let instances = self.add_database(&sources.store)?;
        self.hand.turn.goes_on()?;
        let copy = staging.join(JOURNAL);
        sources.journal.copy_to(&copy).map_err(|e| chain(&e))?;
        self.add_folder(&copy, Path::new(JOURNAL))?;
        // Later than the database by a little: messages of a queue that it does not know go when a kiln starts from it.
        self.hand.turn.goes_on()?;
        let copy = staging.join(Messages::FOLDER);
        sources.messages.copy_to(&copy).map_err(|e| chain(&e))?;
        self.add_folder(&copy, Path::new(Messages::FOLDER))?;
        self.hand.turn.goes_on()?;
        let copy = staging.join(POINTS);
        sources.points.copy_to(&copy).map_err(|e| chain(&e))?;
        self.add_folder(&copy, Path::new(POINTS))?;
        Ok(instances)
    }

    fn add_database(&mut self, store: &Store) -> Result<BTreeSet<String>, String> {
        let Self { writer, hand } = self;
        let staging = &hand.staging.0;
        hand.turn.goes_on()?;
        let copy = staging.join("kiln.db");
        store.copy_to(&copy).map_err(|e| chain(&e))?;
        let instances = kiln_ec2::instances_in_copy(&copy).map_err(|e| chain(&e))?;
        let opened = File::open(&copy).map_err(|e| format!("failed to read {}: {e}", copy.display()));
        writer.file(&mut opened?, &copy, Path::new("kiln.db")).map_err(|e| hand.told(e))?;
        fs::remove_file(&copy).map_err(|e| format!("failed to remove {}: {e}", copy.display()))?;
        Ok(instances)
    }

    /// Adds a copied folder under a name; the copy is gone then.
    fn add_folder(&mut self, copy: &Path, name: &Path) -> Result<(), String> {
        let Self { writer, hand } = self;
        writer.folder(name).map_err(|e| hand.told(e))?;
        for found in all_of(copy)? {
            let from = copy.join(&found.name);
            let opened = File::open(&from).map_err(|e| format!("failed to read {}: {e}", from.display()));
            writer.file(&mut opened?, &from, &name.join(&found.name)).map_err(|e| hand.told(e))?;
        }
        fs::remove_dir_all(copy).map_err(|e| format!("failed to remove {}: {e}", copy.display()))
    }

    /// Adds what was found in `dir` as what lies below `name`.
    fn add_all(mut self, dir: &Path, name: &Path, files: Vec<Found>) -> Result<Self, String> {
        for found in files {
            self.hand.turn.goes_on()?;
            let (from, name) = (dir.join(&found.name), name.join(&found.name));
            let added = match found.folder {
                true => self.writer.folder(&name).map(|()| 0),
                false => match File::open(&from) {
                    Ok(mut file) => self.writer.file(&mut file, &from, &name),
                    Err(error) if error.kind() == ErrorKind::NotFound && found.may_go => Ok(0),
                    Err(source) => Err(BackupError::Io { doing: "read", path: from, source }),
                },
            };
            added.map_err(|e| self.hand.told(e))?;
            self.hand.turn.backups.done.fetch_add(found.bytes, Ordering::Relaxed);
        }
        Ok(self)
    }

    /// Adds the copy of a machine in the folder `at` as what lies below `name`; the copy is gone then.
    fn add_copy(mut self, at: &Path, name: &Path) -> Result<Self, String> {
        let files = all_of(at)?;
        self = self.add_all(at, name, files)?;
        fs::remove_dir_all(at).map_err(|e| format!("failed to remove {}: {e}", at.display()))?;
        Ok(self)
    }

    /// Gives it its name; its size.
    fn finish(self) -> Result<u64, String> {
        let Self { writer, hand } = self;
        writer.finish().map_err(|e| hand.told(e))
    }
}

#[cfg(test)]
mod tests;
