//! One layer: made from a folder, named by its digest, checked, mounted.

use crate::host::child::{self, Surroundings};
use crate::host::{files, mounts};
use kiln_machines_spec::{DriverError, DriverResult, LayerDigest, LayerRef};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Everything in a layer may name its moment; this stands for "whenever".
pub const FIXED_TIME: u64 = 1_704_067_200;

/// The layers of one state directory.
pub struct Layers {
    files: PathBuf,
    work: PathBuf,
    mounted_at: PathBuf,
    mounted: Mutex<BTreeSet<LayerDigest>>,
    serial: AtomicU64,
}

/// How a folder becomes a layer.
#[derive(Default)]
pub struct PackOptions {
    /// Give every file this time (else each keeps its own).
    pub one_time: bool,
    /// Paths (relative, as regular expressions) that are left out.
    pub leave_out: Vec<String>,
    /// A detached mount to read through, put on the folder given.
    pub through: Option<Arc<OwnedFd>>,
}

/// What a layer's file looked like when its digest was checked.
#[derive(Serialize, Deserialize, PartialEq)]
struct Seen {
    size: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Seen {
    fn of(meta: &fs::Metadata) -> Self {
        Self {
            size: meta.size(),
            inode: meta.ino(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

impl Layers {
    /// Those under `images`, mounted under `mounted_at`.
    pub fn open(images: &Path, mounted_at: &Path) -> DriverResult<Self> {
        let layers = Self {
            files: images.join("layers"),
            work: images.join("work"),
            mounted_at: mounted_at.to_owned(),
            mounted: Mutex::default(),
            serial: AtomicU64::new(0),
        };
        files::remove_all(&layers.work)?;
        for dir in [&layers.files, &layers.work, &layers.mounted_at] {
            files::make_dir(dir)?;
        }
        let found = mounts::mounts_under(mounted_at).map_err(|e| DriverError::failed("read the mount table", e))?;
        let names = found.iter().filter_map(|p| p.file_name());
        *layers.mounted.lock() = names.map(|n| LayerDigest::new(n.to_string_lossy())).collect();
        Ok(layers)
    }

    /// A new folder for half-made things.
    pub fn work_dir(&self, what: &str) -> DriverResult<PathBuf> {
        let n = self.serial.fetch_add(1, Ordering::Relaxed);
        let dir = self.work.join(format!("{what}-{n}"));
        files::make_dir(&dir)?;
        Ok(dir)
    }

    fn file(&self, digest: &LayerDigest) -> PathBuf {
        self.files.join(format!("{digest}.erofs"))
    }

    fn seen_file(&self, digest: &LayerDigest) -> PathBuf {
        self.files.join(format!("{digest}.seen"))
    }

    /// Makes a layer of a folder. The same folder gives the same layer.
    pub fn pack(&self, dir: &Path, options: PackOptions) -> DriverResult<LayerRef> {
        let doing = format!("pack {} into a layer", dir.display());
        let work = self.work_dir("pack")?;
        let made = work.join("layer");
        let mut mkfs = child::command("mkfs.erofs")?;
        mkfs.args(["--quiet", "-zlz4", "-U", "00000000-0000-0000-0000-000000000000"]);
        mkfs.arg(format!("-T{FIXED_TIME}"));
        if !options.one_time {
            mkfs.arg("--preserve-mtime");
        }
        for pattern in &options.leave_out {
            mkfs.arg(format!("--exclude-regex={pattern}"));
        }
        mkfs.arg(&made).arg(dir);
        let mut around = Surroundings { dies_with_kiln: true, ..Surroundings::default() };
        if let Some(tree) = options.through {
            let at = mounts::c_path(dir).map_err(|e| DriverError::failed(&doing, e))?;
            around.mounts.push((tree, at));
        }
        around.apply(&mut mkfs);
        let packed = child::run(&mut mkfs, &doing, b"").and_then(|_| self.take_in(&made));
        files::remove_all(&work)?;
        packed
    }

    /// Names a finished file by its digest and keeps it.
    fn take_in(&self, made: &Path) -> DriverResult<LayerRef> {
        let doing = || format!("keep the layer {}", made.display());
        let failed = |e| DriverError::failed(doing(), e);
        let digest = digest_of(made)?;
        let file = File::open(made).map_err(failed)?;
        file.set_permissions(fs::Permissions::from_mode(0o400)).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        let kept = self.file(&digest);
        if !self.is_as_seen(&digest) {
            fs::rename(made, &kept).map_err(failed)?;
            let meta = fs::metadata(&kept).map_err(failed)?;
            files::write_json(&self.seen_file(&digest), &Seen::of(&meta))?;
        }
        Ok(LayerRef { digest, bytes })
    }

    /// Size of a layer's file.
    pub fn size(&self, digest: &LayerDigest) -> DriverResult<u64> {
        let meta = fs::metadata(self.file(digest));
        let meta = meta.map_err(|e| DriverError::failed(format!("look at layer {digest}"), e))?;
        Ok(meta.len())
    }

    fn is_as_seen(&self, digest: &LayerDigest) -> bool {
        let Ok(meta) = fs::metadata(self.file(digest)) else {
            return false;
        };
        let seen = files::read_json::<Seen>(&self.seen_file(digest));
        matches!(seen, Ok(Some(seen)) if seen == Seen::of(&meta))
    }

    /// Reads the whole layer and compares its digest.
    pub fn check(&self, image: &str, digest: &LayerDigest) -> DriverResult<()> {
        let corrupt = |actual: String| DriverError::CorruptLayer {
            image: image.to_owned(),
            layer: digest.to_string(),
            actual,
            remedy: "delete the image and build or import it again".to_owned(),
        };
        let file = self.file(digest);
        if !file.exists() {
            return Err(corrupt("unknown: the file is missing".to_owned()));
        }
        let actual = digest_of(&file)?;
        if &actual != digest {
            files::remove_all(&self.seen_file(digest))?;
            return Err(corrupt(actual.to_string()));
        }
        let meta = fs::metadata(&file).map_err(|e| DriverError::failed(format!("look at {}", file.display()), e))?;
        files::write_json(&self.seen_file(digest), &Seen::of(&meta))
    }

    /// The folder at which a layer is mounted. A layer whose file was touched
    /// since it was last checked is read whole first.
    pub fn mount(&self, image: &str, digest: &LayerDigest) -> DriverResult<PathBuf> {
        let at = self.mounted_at.join(digest.as_str());
        let mut mounted = self.mounted.lock();
        if mounted.contains(digest) && self.is_as_seen(digest) {
            return Ok(at);
        }
        if !self.is_as_seen(digest) {
            self.check(image, digest)?;
        }
        if !mounted.contains(digest) {
            files::make_dir(&at)?;
            mounts::mount_erofs(&self.file(digest), &at).map_err(|e| mount_error(digest, e))?;
            mounted.insert(digest.clone());
        }
        Ok(at)
    }

    /// Unmounts every layer but those still needed.
    pub fn unmount_except(&self, needed: &BTreeSet<LayerDigest>) -> DriverResult<()> {
        let mut mounted = self.mounted.lock();
        let idle: Vec<_> = mounted.difference(needed).cloned().collect();
        for digest in idle {
            let at = self.mounted_at.join(digest.as_str());
            mounts::unmount(&at).map_err(|e| DriverError::failed(format!("unmount layer {digest}"), e))?;
            files::remove_all(&at)?;
            mounted.remove(&digest);
        }
        Ok(())
    }

    /// Removes the files of every layer but those still needed.
    pub fn delete_except(&self, needed: &BTreeSet<LayerDigest>) -> DriverResult<()> {
        for name in files::names_in(&self.files)? {
            let digest = name.split('.').next().unwrap_or(&name);
            if !needed.contains(&LayerDigest::from(digest)) {
                files::remove_all(&self.files.join(&name))?;
            }
        }
        Ok(())
    }
}

fn mount_error(digest: &LayerDigest, error: io::Error) -> DriverError {
    let from_where = error.raw_os_error() == Some(nix::libc::ENOTBLK);
    let doing = if from_where {
        format!(
            "mount layer {digest}: the state directory is on a file system (tmpfs or another) that cannot hold \
             images; choose one on ext4, xfs or btrfs"
        )
    } else {
        format!("mount layer {digest}")
    };
    DriverError::failed(doing, error)
}

/// `sha256-…` of a file.
pub fn digest_of(file: &Path) -> DriverResult<LayerDigest> {
    let failed = |e| DriverError::failed(format!("read {}", file.display()), e);
    let mut reader = File::open(file).map_err(failed)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0u8; 1 << 20];
    loop {
        match reader.read(&mut buffer).map_err(failed)? {
            0 => break,
            n => hash.update(&buffer[..n]),
        }
    }
    Ok(LayerDigest(format!("sha256-{}", hex::encode(hash.finalize()))))
}
