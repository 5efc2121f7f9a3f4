//! Where images come from: a recipe, an archive, a registry, a folder.

use super::layers::PackOptions;
use super::store::{ARCHITECTURE, ImageStore};
use super::{base, oci};
use crate::host::files;
use kiln_machines_spec::{BaseRecipe, DriverResult, Entry, ImageId, ImageManifest, ImageSource, Progress};
use std::path::Path;

impl ImageStore {
    /// The base image of a recipe.
    pub fn base(&self, recipe: &BaseRecipe, progress: &dyn Progress) -> DriverResult<ImageManifest> {
        let _building = self.building.lock();
        let digest = base::digest(recipe)?;
        let kept = self.root.join("bases").join(format!("{digest}.json"));
        if let Some(id) = files::read_json::<ImageId>(&kept)? {
            match self.get(&id) {
                Ok(image) => return Ok(image),
                Err(e) if e.is_not_found() => {}
                Err(e) => return Err(e),
            }
        }
        let _adding = self.adding();
        let layer = base::build(self, recipe, progress)?;
        let source = ImageSource::Base { recipe: digest };
        let name = format!("debian-{}", recipe.suite);
        let image = self.keep(&name, vec![layer], Entry::Systemd, ARCHITECTURE, source)?;
        files::write_json(&kept, &image.id)?;
        Ok(image)
    }

    /// Takes in an OCI layout or docker archive.
    pub fn import(&self, path: &Path, name: &str, progress: &dyn Progress) -> DriverResult<ImageManifest> {
        let _adding = self.adding();
        oci::import(self, path, name, progress)
    }

    /// Takes in an image of a registry.
    pub fn import_from_registry(
        &self,
        reference: &str,
        credentials: Option<&Path>,
        name: &str,
        progress: &dyn Progress,
    ) -> DriverResult<ImageManifest> {
        let _adding = self.adding();
        oci::import_from_registry(self, reference, credentials, name, progress)
    }

    /// Packs a folder into an image.
    pub fn import_directory(&self, path: &Path, name: &str, entry: Entry) -> DriverResult<ImageManifest> {
        let _adding = self.adding();
        let layer = self.pack(path, PackOptions::default())?;
        let from = path.display().to_string();
        let source = ImageSource::Directory { from };
        self.keep(name, vec![layer], entry, ARCHITECTURE, source)
    }
}
