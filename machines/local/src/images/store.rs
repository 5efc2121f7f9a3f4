//! Images as a whole: kept, listed, removed, and made ready for a machine. Where they come from: `sources`.

use super::layers::{Layers, PackOptions};
use crate::host::files;
use kiln_machines_spec::{
    DriverError, DriverResult, Entry, ImageId, ImageManifest, ImageSource, LayerDigest, LayerRef,
};
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The images of one state directory.
pub struct ImageStore {
    pub(super) root: PathBuf,
    layers: Layers,
    /// One base image is built at a time.
    pub(super) building: Mutex<()>,
    /// Shared by who adds an image, so that a removal does not take a layer away
    /// before the manifest that names it is written.
    adding: RwLock<()>,
}

impl ImageStore {
    /// Those under `root`, whose layers are mounted under `mounted_at`.
    pub fn open(root: &Path, mounted_at: &Path) -> DriverResult<Self> {
        for dir in ["manifests", "bases"] {
            files::make_dir(&root.join(dir))?;
        }
        Ok(Self {
            root: root.to_owned(),
            layers: Layers::open(root, mounted_at)?,
            building: Mutex::new(()),
            adding: RwLock::new(()),
        })
    }

    fn manifest_file(&self, id: &ImageId) -> DriverResult<PathBuf> {
        if !id.is_safe() {
            return Err(DriverError::Invalid(format!("{id:?} is no image id")));
        }
        Ok(self.root.join("manifests").join(format!("{id}.json")))
    }

    /// One image.
    pub fn get(&self, id: &ImageId) -> DriverResult<ImageManifest> {
        let found = files::read_json(&self.manifest_file(id)?)?;
        found.ok_or_else(|| DriverError::not_found("image", id))
    }

    /// Every image.
    pub fn list(&self) -> DriverResult<Vec<ImageManifest>> {
        let mut all = Vec::new();
        let dir = self.root.join("manifests");
        for name in files::names_in(&dir)? {
            if name.ends_with(".json") {
                all.extend(files::read_json(&dir.join(name))?);
            }
        }
        Ok(all)
    }

    /// Keeps an image; one with the same content keeps its first name and time.
    pub fn keep(
        &self,
        name: &str,
        layers: Vec<LayerRef>,
        entry: Entry,
        architecture: &str,
        source: ImageSource,
    ) -> DriverResult<ImageManifest> {
        let digests: Vec<&LayerDigest> = layers.iter().map(|l| &l.digest).collect();
        let content = serde_json::to_vec(&(&digests, &entry, architecture))
            .map_err(|e| DriverError::failed("describe the image", e))?;
        let digest = hex::encode(Sha256::digest(&content));
        let id = ImageId(format!("img-{}", &digest[..32]));
        if let Ok(known) = self.get(&id) {
            return Ok(known);
        }
        let manifest = ImageManifest {
            id,
            name: name.to_owned(),
            layers,
            entry,
            architecture: architecture.to_owned(),
            source,
            created_ms: files::now_ms(),
        };
        files::write_json(&self.manifest_file(&manifest.id)?, &manifest)?;
        Ok(manifest)
    }

    /// Held from before a layer is made until the image that has it is kept.
    pub fn adding(&self) -> RwLockReadGuard<'_, ()> {
        // A removal that waits must not stop others from adding meanwhile.
        self.adding.read_recursive()
    }

    /// Makes a layer of a folder.
    pub fn pack(&self, dir: &Path, options: PackOptions) -> DriverResult<LayerRef> {
        self.layers.pack(dir, options)
    }

    /// Size of a layer that is kept.
    pub fn layer_size(&self, digest: &LayerDigest) -> DriverResult<u64> {
        self.layers.size(digest)
    }

    /// A new folder for half-made things.
    pub fn work_dir(&self, what: &str) -> DriverResult<PathBuf> {
        self.layers.work_dir(what)
    }

    /// Reads every byte and compares.
    pub fn verify(&self, id: &ImageId) -> DriverResult<()> {
        let manifest = self.get(id)?;
        let mut layers = manifest.layers.iter();
        layers.try_for_each(|l| self.layers.check(id.as_str(), &l.digest))
    }

    /// Mounts the layers; their folders, from the uppermost to the lowest.
    pub fn mount(&self, image: &ImageId, layers: &[LayerDigest]) -> DriverResult<Vec<PathBuf>> {
        let upwards = layers.iter().rev();
        upwards.map(|digest| self.layers.mount(image.as_str(), digest)).collect()
    }

    /// Unmounts what no machine needs.
    pub fn unmount_except(&self, needed: &BTreeSet<LayerDigest>) -> DriverResult<()> {
        self.layers.unmount_except(needed)
    }

    /// Removes an image, and those of its layers that neither another image nor
    /// a machine (`needed`) has. Fine if there is none.
    pub fn delete(&self, id: &ImageId, needed: &BTreeSet<LayerDigest>) -> DriverResult<()> {
        let _alone = self.adding.write();
        files::remove_all(&self.manifest_file(id)?)?;
        let mut needed = needed.clone();
        for image in self.list()? {
            needed.extend(image.layers.into_iter().map(|l| l.digest));
        }
        self.layers.unmount_except(&needed)?;
        self.layers.delete_except(&needed)
    }
}

/// This host's architecture in the words of OCI and EC2's images.
pub const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
