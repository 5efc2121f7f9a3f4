//! What a registry says that an image is made of, and how much of that is taken.

use super::reference::is_hex;
use kiln_machines_spec::{DriverError, DriverResult};
use serde::Deserialize;

/// Largest manifest, config or token answer.
pub const MOST_TEXT: u64 = 4 << 20;
/// Largest image, as it is sent: 32 GiB.
pub const MOST_BYTES: u64 = 32 << 30;
/// Most layers of an image.
const MOST_LAYERS: usize = 256;

/// A manifest of an image, or of the images for several platforms.
#[derive(Deserialize)]
pub struct Manifest {
    #[serde(default, rename = "schemaVersion")]
    pub schema: u32,
    pub config: Option<Blob>,
    #[serde(default)]
    pub layers: Vec<Blob>,
    #[serde(default)]
    pub manifests: Vec<Blob>,
}

/// What lies in the registry under its digest: a config, a layer, another manifest.
#[derive(Deserialize)]
pub struct Blob {
    #[serde(default, rename = "mediaType")]
    media_type: String,
    pub digest: String,
    pub size: u64,
    #[serde(default)]
    urls: Vec<String>,
    pub platform: Option<Platform>,
}

/// What an image is made for.
#[derive(Deserialize)]
pub struct Platform {
    pub architecture: String,
    pub os: String,
}

impl Blob {
    /// The digest's own digits.
    pub fn hex(&self) -> DriverResult<&str> {
        let hex = self.digest.strip_prefix("sha256:").filter(|hex| is_hex(hex));
        hex.ok_or_else(|| DriverError::Invalid(format!("{:?} is no sha256 digest", self.digest)))
    }
}

/// Refuses what is too large and what lies elsewhere, before any of it is fetched.
pub fn check(manifest: &Manifest, config: &Blob) -> DriverResult<()> {
    if manifest.layers.len() > MOST_LAYERS {
        return Err(DriverError::Invalid(format!("the image has more than {MOST_LAYERS} layers")));
    }
    let total = manifest.layers.iter().try_fold(config.size, |sum, layer| sum.checked_add(layer.size));
    if total.is_none_or(|total| total > MOST_BYTES) || config.size > MOST_TEXT {
        return Err(DriverError::Invalid(format!("the image is larger than {MOST_BYTES} bytes, or its config is")));
    }
    for layer in &manifest.layers {
        if !layer.urls.is_empty() || ["foreign", "nondistributable"].iter().any(|w| layer.media_type.contains(w)) {
            let text =
                format!("the layer {} lies outside of the registry (a foreign layer): not supported", layer.digest);
            return Err(DriverError::Invalid(text));
        }
        layer.hex()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_and_enormous_layers_are_refused_before_anything_is_fetched() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let read = |layer: serde_json::Value| -> Manifest {
            let text =
                serde_json::json!({"schemaVersion": 2, "config": {"digest": digest, "size": 2}, "layers": [layer]});
            serde_json::from_value(text).expect("a manifest")
        };
        let tried = |layer| {
            let manifest = read(layer);
            check(&manifest, manifest.config.as_ref().expect("a config"))
        };
        assert!(tried(serde_json::json!({"digest": digest, "size": 5})).is_ok());
        for layer in [
            serde_json::json!({"digest": digest, "size": 5, "urls": ["https://x/"]}),
            serde_json::json!({"digest": digest, "size": 5, "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"}),
            serde_json::json!({"digest": digest, "size": MOST_BYTES}),
            serde_json::json!({"digest": digest, "size": u64::MAX}),
            serde_json::json!({"digest": "sha512:x", "size": 5}),
        ] {
            assert!(tried(layer.clone()).is_err(), "{layer}");
        }
    }
}
