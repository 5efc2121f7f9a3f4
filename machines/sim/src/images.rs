//! Simulated images: names of layers, and no bytes.

use crate::SimDriver;
use kiln_machines_spec::*;
use sha2::{Digest, Sha256};

impl SimDriver {
    /// An image of these layers; the one that is there, where they are the same.
    pub(crate) fn add_image(
        &self,
        name: &str,
        layers: Vec<LayerRef>,
        entry: Entry,
        source: ImageSource,
    ) -> ImageManifest {
        let mut digest = Sha256::new();
        for layer in &layers {
            digest.update(&layer.digest.0);
        }
        let id: String = digest.finalize().iter().map(|b| format!("{b:02x}")).collect();
        let manifest = ImageManifest {
            id: ImageId::new(format!("sha256-{id}")),
            name: name.to_owned(),
            layers,
            entry,
            architecture: "amd64".to_owned(),
            source,
            created_ms: self.now(),
        };
        self.world.lock().images.entry(manifest.id.clone()).or_insert(manifest).clone()
    }
}
