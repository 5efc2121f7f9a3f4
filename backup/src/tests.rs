//! A backup is what was backed up, or it is refused with the name of what is wrong.

use crate::*;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

fn about() -> About {
    About { format: FORMAT, kiln: "0.1.0".into(), made: "2026-01-01T00:00:00Z".into() }
}

/// A backup that is wanted to its end.
fn wanted() -> GoesOn {
    Arc::new(|| true)
}

/// A place with a folder of files and the backup of it.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { dir: TempDir::new().expect("a folder") };
        fs::create_dir_all(place.at("from/s3/data")).expect("made");
        fs::write(place.at("from/ssm.key"), [7; 32]).expect("written");
        fs::set_permissions(place.at("from/ssm.key"), fs::Permissions::from_mode(0o400)).expect("closed");
        fs::write(place.at("from/s3/data/empty"), "").expect("written");
        // Whole blocks, blocks of zeros, and a part of one.
        let mut mixed = vec![1_u8; 200_000];
        mixed[65_536..131_072].fill(0);
        fs::write(place.at("from/s3/data/mixed"), mixed).expect("written");
        let sparse = File::create(place.at("from/disk")).expect("made");
        sparse.set_len(1 << 30).expect("holes");
        sparse.write_all_at(b"near the end", (1 << 30) - 100_000).expect("written");
        sparse.write_all_at(b"in the middle", 500_000_001).expect("written");
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn begin(&self) -> Writer {
        Writer::begin(&self.at("backup"), &about(), wanted()).expect("begun")
    }

    fn add(&self, writer: &mut Writer, name: &str) {
        let from = self.at("from").join(name);
        writer.file(&mut File::open(&from).expect("there"), &from, Path::new(name)).expect("added");
    }

    /// All of it; its size.
    fn back_up(&self) -> u64 {
        let mut writer = self.begin();
        writer.folder(Path::new("s3/staging")).expect("added");
        for name in ["ssm.key", "s3/data/empty", "s3/data/mixed", "disk"] {
            self.add(&mut writer, name);
        }
        writer.finish().expect("written")
    }

    fn restore(&self) -> Result<Restored, String> {
        restore(&self.at("backup"), &self.at("to"), &|_| {}).map_err(|error| error.to_string())
    }
}

#[test]
fn what_was_backed_up_is_restored_with_its_modes_and_holes() {
    let place = Place::new();
    let size = place.back_up();
    assert!(size < 10_000, "{size} bytes for what a file of 1 GiB holds");
    assert_eq!(fs::metadata(place.at("backup")).expect("there").mode() & 0o777, 0o600);
    let restored = place.restore().expect("restored");
    assert_eq!((restored.about, restored.files), (about(), 4));
    for name in ["ssm.key", "s3/data/empty", "s3/data/mixed"] {
        assert_eq!(fs::read(place.at("to").join(name)).ok(), fs::read(place.at("from").join(name)).ok(), "{name}");
    }
    assert_eq!(fs::metadata(place.at("to/ssm.key")).expect("there").mode() & 0o777, 0o400);
    assert_eq!(fs::metadata(place.at("to")).expect("there").mode() & 0o777, 0o700);
    assert!(place.at("to/s3/staging").is_dir());
    let disk = fs::metadata(place.at("to/disk")).expect("there");
    assert_eq!(disk.len(), 1 << 30);
    assert!(disk.blocks() * 512 < 1 << 20, "its holes are holes again: {} blocks", disk.blocks());
    let read = |at: u64| {
        let mut bytes = [0; 13];
        File::open(place.at("to/disk")).expect("there").read_exact_at(&mut bytes, at).expect("read");
        bytes
    };
    assert_eq!(&read(500_000_001), b"in the middle");
    assert_eq!(&read((1 << 30) - 100_000)[..12], b"near the end");
    assert!(!is_cut_off(&place.at("to")));
}

#[test]
fn any_damage_is_told_and_nothing_is_restored() {
    let place = Place::new();
    let size = place.back_up();
    let whole = fs::read(place.at("backup")).expect("read");
    for at in (0..size as usize).step_by(97) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(place.at("backup"), &bytes).expect("written");
        let told = place.restore().expect_err("refused");
        assert!(told.contains("backup is damaged at ") || told.contains("is no backup"), "{at}: {told}");
        assert!(!place.at("to").exists(), "{at}");
    }
    for length in (0..size as usize).step_by(89).chain([size as usize - 1]) {
        fs::write(place.at("backup"), &whole[..length]).expect("written");
        let told = place.restore().expect_err("refused");
        assert!(told.contains("backup is damaged at ") || told.contains("is no backup"), "{length}: {told}");
        assert!(!place.at("to").exists(), "{length}");
    }
}

#[test]
fn a_file_that_is_another_s_is_named() {
    let place = Place::new();
    place.back_up();
    let tar = zstd::decode_all(File::open(place.at("backup")).expect("there")).expect("whole");
    let rewritten = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = tar.clone();
        change(&mut bytes);
        fs::write(place.at("backup"), zstd::encode_all(&bytes[..], 1).expect("encoded")).expect("written");
        place.restore().expect_err("refused")
    };
    let find = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).position(|w| w == what).expect("there");
    let told = rewritten(&|bytes| {
        let at = find(bytes, &[7; 32]);
        bytes[at] = 8;
    });
    assert!(told.contains("damaged at ssm.key: its bytes are not those"), "{told}");
    // Its end is a whole number of records: as if the rest had never been written.
    let told = rewritten(&|bytes| bytes.truncate(find(bytes, b"contents.json")));
    assert!(told.contains("before its list of contents"), "{told}");
    assert!(!place.at("to").exists());
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let place = Place::new();
    for (name, kind) in [
        ("state/../../escaped", tar::EntryType::Regular),
        ("/escaped", tar::EntryType::Regular),
        ("elsewhere/file", tar::EntryType::Regular),
        ("state/link", tar::EntryType::Symlink),
        ("state/device", tar::EntryType::Block),
    ] {
        let mut archive = tar::Builder::new(vec![]);
        let mut add = |name: &str, kind, bytes: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.as_gnu_mut().expect("gnu").name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(kind);
            header.set_size(bytes.len() as u64);
            header.set_mode(0o600);
            header.set_cksum();
            archive.append(&header, bytes).expect("added");
        };
        add("kiln-backup.json", tar::EntryType::Regular, &serde_json::to_vec(&about()).expect("json"));
        add(name, kind, b"");
        let bytes = archive.into_inner().expect("ended");
        fs::write(place.at("backup"), zstd::encode_all(&bytes[..], 1).expect("encoded")).expect("written");
        let told = place.restore().expect_err("refused");
        assert!(told.contains("damaged at "), "{told}");
        assert!(!place.at("escaped").exists() && !place.at("to").exists());
    }
}

#[test]
fn a_backup_of_a_later_kiln_says_so() {
    let place = Place::new();
    let later = About { format: FORMAT + 1, kiln: "9.0.0".into(), ..about() };
    Writer::begin(&place.at("backup"), &later, wanted()).and_then(Writer::finish).expect("written");
    let told = place.restore().expect_err("refused");
    assert!(told.contains(&format!("has format {} and was made by kiln 9.0.0", FORMAT + 1)), "{told}");
}

#[test]
fn what_is_not_ended_leaves_nothing_that_looks_whole() {
    let place = Place::new();
    let mut writer = place.begin();
    place.add(&mut writer, "s3/data/mixed");
    assert!(!place.at("backup").exists());
    let twice = Writer::begin(&place.at("backup"), &about(), wanted()).err().expect("refused");
    assert!(matches!(twice, BackupError::Busy(_)), "{twice}");
    // As a kill leaves it.
    let part = fs::read(place.at("backup.part")).expect("there");
    drop(writer);
    assert_eq!(fs::read_dir(place.dir.path()).expect("read").count(), 1, "only what is backed up");
    fs::write(place.at("backup.part"), part).expect("written");
    let told = restore(&place.at("backup.part"), &place.at("to"), &|_| {}).expect_err("refused").to_string();
    assert!(told.contains("damaged") || told.contains("no backup"), "{told}");
    // And the next one is not in its way.
    place.back_up();
    assert!(!place.at("backup.part").exists());
    place.restore().expect("restored");
}

#[test]
fn nothing_is_written_over() {
    let place = Place::new();
    fs::write(place.at("backup"), "somebody's").expect("written");
    assert!(matches!(Writer::begin(&place.at("backup"), &about(), wanted()), Err(BackupError::Exists(_))));
    fs::remove_file(place.at("backup")).expect("removed");
    let writer = place.begin();
    fs::write(place.at("backup"), "somebody's").expect("written");
    assert!(matches!(writer.finish(), Err(BackupError::Exists(_))), "also what came meanwhile");
    assert_eq!(fs::read(place.at("backup")).expect("there"), b"somebody's");
    fs::remove_file(place.at("backup")).expect("removed");
    place.back_up();
    fs::create_dir(place.at("to")).expect("made");
    fs::write(place.at("to/kiln.db"), "in use").expect("written");
    let told = place.restore().expect_err("refused");
    assert!(told.contains("is not empty (kiln.db is in it)"), "{told}");
    assert_eq!(fs::read(place.at("to/kiln.db")).expect("there"), b"in use");
    fs::remove_file(place.at("to/kiln.db")).expect("removed");
    place.restore().expect("an empty one is taken");
}

#[test]
fn a_file_that_is_written_to_meanwhile_is_told() {
    let place = Place::new();
    let from = place.at("from/s3/data/mixed");
    for change in [&b"more"[..], b""] {
        let mut writer = place.begin();
        let mut file = File::open(&from).expect("there");
        let told = writer.read_twice(&mut file, &from, Path::new("mixed"), || match change {
            b"" => File::options().write(true).open(&from).and_then(|f| f.set_len(1_000)).expect("cut"),
            more => File::options().append(true).open(&from).and_then(|mut f| f.write_all(more)).expect("written"),
        });
        assert!(matches!(told, Err(BackupError::Changed(_))), "{told:?}");
    }
}

#[test]
fn what_is_half_in_place_is_no_state_directory() {
    let place = Place::new();
    fs::create_dir(place.at("from/lost+found")).expect("made");
    fs::write(place.at("from/lost+found/1"), "found").expect("written");
    let mut writer = place.begin();
    for name in ["disk", "lost+found/1", "ssm.key"] {
        place.add(&mut writer, name);
    }
    writer.finish().expect("written");
    // The one thing that may be there is in the way of the backup's own.
    fs::create_dir_all(place.at("to/lost+found/here")).expect("made");
    let told = restore(&place.at("backup"), &place.at("to"), &|_| {}).expect_err("not all can be moved");
    assert!(matches!(told, BackupError::HalfPlaced { .. }), "{told}");
    assert!(place.at("to/disk").exists() && !place.at("to/ssm.key").exists());
    assert!(is_cut_off(&place.at("to")), "no kiln takes it for whole");
    let told = place.restore().expect_err("refused");
    assert!(told.contains("is not empty (disk is in it)"), "{told}");
}

#[test]
fn what_cannot_be_moved_at_all_leaves_the_directory_as_it_was() {
    let place = Place::new();
    fs::create_dir(place.at("from/lost+found")).expect("made");
    fs::write(place.at("from/lost+found/1"), "found").expect("written");
    let mut writer = place.begin();
    place.add(&mut writer, "lost+found/1");
    writer.finish().expect("written");
    fs::create_dir_all(place.at("to/lost+found/here")).expect("made");
    fs::set_permissions(place.at("to"), fs::Permissions::from_mode(0o750)).expect("opened");
    place.restore().expect_err("it cannot be moved");
    assert!(!is_cut_off(&place.at("to")));
    assert_eq!(fs::metadata(place.at("to")).expect("there").mode() & 0o777, 0o750);
}

#[test]
fn a_restore_that_is_refused_closes_nothing() {
    let place = Place::new();
    let size = place.back_up();
    fs::create_dir(place.at("to")).expect("made");
    fs::set_permissions(place.at("to"), fs::Permissions::from_mode(0o755)).expect("opened");
    let as_it_was = || {
        assert_eq!(fs::metadata(place.at("to")).expect("there").mode() & 0o777, 0o755);
        assert_eq!(fs::read_dir(place.at("to")).expect("read").count(), 0);
    };
    let whole = fs::read(place.at("backup")).expect("read");
    fs::write(place.at("backup"), &whole[..size as usize / 2]).expect("cut");
    place.restore().expect_err("damaged");
    as_it_was();
    fs::write(place.at("backup"), "something else").expect("written");
    place.restore().expect_err("no backup");
    as_it_was();
    fs::write(place.at("backup"), &whole).expect("written");
    place.restore().expect("restored");
    assert_eq!(fs::metadata(place.at("to")).expect("there").mode() & 0o777, 0o700);
}

#[test]
fn two_restores_into_one_directory_are_one() {
    let place = Place::new();
    place.back_up();
    let second = std::cell::RefCell::new(None);
    let in_the_middle = |_| {
        second.borrow_mut().get_or_insert_with(|| place.restore().expect_err("the first is at it"));
    };
    restore(&place.at("backup"), &place.at("to"), &in_the_middle).expect("the first goes on");
    let told = second.into_inner().expect("it was tried");
    assert!(told.contains("another kiln restore writes to"), "{told}");
    assert!(!is_cut_off(&place.at("to")) && place.at("to/ssm.key").exists());
}

/// Says yes that many times, and counts how often it is asked.
fn wanted_for(times: usize) -> (GoesOn, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    (Arc::new(move || count.fetch_add(1, Ordering::SeqCst) < times), asked)
}

#[test]
fn one_that_nobody_wants_any_more_ends_wherever_it_is_and_leaves_nothing() {
    let place = Place::new();
    let back_up = |goes_on| {
        let mut writer = Writer::begin(&place.at("backup"), &about(), goes_on)?;
        writer.folder(Path::new("s3/staging"))?;
        for name in ["ssm.key", "s3/data/mixed"] {
            let from = place.at("from").join(name);
            writer.file(&mut File::open(&from).expect("there"), &from, Path::new(name))?;
        }
        writer.finish()
    };
    let (always, asked) = wanted_for(usize::MAX);
    back_up(always).expect("made");
    fs::remove_file(place.at("backup")).expect("removed");
    let asked = asked.load(Ordering::SeqCst);
    assert!(asked > 10, "with every block, not every file: {asked}");
    for times in 0..asked {
        let told = back_up(wanted_for(times).0).expect_err("given up");
        assert!(matches!(told, BackupError::GivenUp(_)), "{times}: {told}");
        assert_eq!(fs::read_dir(place.dir.path()).expect("read").count(), 1, "{times}: only what is backed up");
    }
}

#[test]
fn one_that_has_its_name_is_made_though_nobody_wants_it_any_more() {
    let place = Place::new();
    let goes_on = Arc::new(AtomicUsize::new(1));
    let asked = goes_on.clone();
    let wanted: GoesOn = Arc::new(move || asked.load(Ordering::SeqCst) == 1);
    let mut writer = Writer::begin(&place.at("backup"), &about(), wanted).expect("begun");
    place.add(&mut writer, "ssm.key");
    let flush = |folder: &File| folder.sync_all();
    writer.finish_with(|| goes_on.store(0, Ordering::SeqCst), flush).expect("it is there");
    place.restore().expect("restored");
}

#[test]
fn a_name_that_may_not_last_is_taken_back() {
    let place = Place::new();
    let mut writer = place.begin();
    place.add(&mut writer, "ssm.key");
    let told = writer.finish_with(|| (), |_| Err(std::io::Error::other("a bad disk"))).expect_err("not flushed");
    assert!(told.to_string().contains("failed to flush"), "{told}");
    assert_eq!(fs::read_dir(place.dir.path()).expect("read").count(), 1, "only what is backed up");
}

#[test]
fn what_is_all_in_place_is_not_called_a_part() {
    let place = Place::new();
    let fails_at = |number: usize| {
        let (to, flushes) = (place.at(&format!("to-{number}")), AtomicUsize::new(0));
        fs::create_dir_all(to.join(read::RESTORING)).expect("made");
        fs::write(to.join(read::RESTORING).join("ssm.key"), "key").expect("written");
        let flush = |_: &File| match flushes.fetch_add(1, Ordering::SeqCst) + 1 == number {
            true => Err(std::io::Error::other("a bad disk")),
            false => Ok(()),
        };
        let told = read::place(&to.join(read::RESTORING), &to, &flush).expect_err("not flushed");
        assert!(to.join("ssm.key").exists());
        (told, is_cut_off(&to))
    };
    let (told, cut_off) = fails_at(1);
    assert!(matches!(told, BackupError::HalfPlaced { .. }) && cut_off, "{told}");
    let (told, cut_off) = fails_at(2);
    assert!(matches!(told, BackupError::Io { .. }) && !cut_off, "{told}");
    assert!(told.to_string().contains("flush the whole backup in"), "{told}");
}

#[test]
fn a_directory_that_cannot_be_locked_is_as_it_was() {
    let place = Place::new();
    let refused = |error: fn(&Path) -> BackupError| {
        let told = read::alone_in(&place.at("to"), |to| Err::<(), _>(error(to)));
        told.expect_err("refused");
    };
    let full = |to: &Path| BackupError::io("lock", to)(std::io::Error::other("no more locks"));
    refused(full);
    assert!(!place.at("to").exists(), "it was made for this");
    refused(|to| BackupError::Restoring(to.to_owned()));
    assert!(place.at("to").exists(), "it is somebody's");
    refused(full);
    assert!(place.at("to").exists(), "it was there before");
}
