//! Images that come with Kiln: the base image, and what the user imports. Public, the same id in
//! every account and region, and after every restart, as the id is made from the driver's digest.

use crate::images::records::{Image, ImageOrigin, ImageState, Snapshot, SnapshotState, public_scope};
use kiln_ids::{ImageId, SnapshotId};
use kiln_machines_spec::ImageManifest;
use kiln_service_kit::Timestamp;
use kiln_service_kit::{Error, Platform};
use sha2::{Digest, Sha256};

/// The account that owns Debian's own images at AWS; the base image is shown as its.
const DEBIAN: &str = "136693071363";

/// The size AWS's Debian images have, in GiB.
const ROOT_GIB: i32 = 8;

/// Makes the base image known as a public image and returns its id. Twice is fine.
pub async fn register_base(platform: &Platform, manifest: &ImageManifest) -> Result<String, Error> {
    let made = Timestamp::from_millis(i64::try_from(manifest.created_ms).unwrap_or(0));
    let day: String = made.iso8601().chars().take(10).filter(char::is_ascii_digit).collect();
    let image = Provided {
        name: format!("debian-12-{}-{day}-{}", manifest.architecture, &digits(manifest, "name", 4)),
        description: "Debian 12, built on this host by Kiln".to_owned(),
        owner: DEBIAN.to_owned(),
        owner_alias: Some("amazon".to_owned()),
    };
    register(platform, manifest, image).await
}

/// Makes an imported image known as a public image owned by the home account; returns its id.
pub async fn register_import(platform: &Platform, manifest: &ImageManifest) -> Result<String, Error> {
    let image = Provided {
        name: manifest.name.clone(),
        description: "Imported into Kiln".to_owned(),
        owner: platform.home().account.to_string(),
        owner_alias: None,
    };
    register(platform, manifest, image).await
}

struct Provided {
    name: String,
    description: String,
    owner: String,
    owner_alias: Option<String>,
}

async fn register(platform: &Platform, manifest: &ImageManifest, provided: Provided) -> Result<String, Error> {
    let wrong = |e: kiln_ids::BadId| Error::failed("make an id", e);
    let id: ImageId = format!("ami-{}", digits(manifest, "ami", 17)).parse().map_err(wrong)?;
    let snapshot: SnapshotId = format!("snap-{}", digits(manifest, "snap", 17)).parse().map_err(wrong)?;
    let scope = public_scope();
    platform
        .store()
        .write(|tx| {
            if tx.get::<Image>(&scope, &id)?.is_some_and(|image| image.name == provided.name) {
                return Ok(());
            }
            let kept = Snapshot {
                id: snapshot.clone(),
                volume: None,
                description: format!("The root disk of {id}"),
                owner: provided.owner.clone(),
                owner_alias: provided.owner_alias.clone(),
                size_gib: ROOT_GIB,
                architecture: architecture(manifest).to_owned(),
                state: SnapshotState::Completed,
                state_message: None,
                machine_image: Some(manifest.id.to_string()),
                bytes: Some(manifest.bytes()),
                started: tx.now(),
                completed: Some(tx.now()),
                tags: Default::default(),
            };
            tx.put(&scope, &snapshot, kept)?;
            let image = Image {
                id: id.clone(),
                name: provided.name,
                description: Some(provided.description),
                owner: provided.owner,
                owner_alias: provided.owner_alias,
                architecture: architecture(manifest).to_owned(),
                root_device: "/dev/xvda".to_owned(),
                size_gib: ROOT_GIB,
                volume_type: "gp3".to_owned(),
                snapshot,
                state: ImageState::Available,
                reason: None,
                machine_image: Some(manifest.id.to_string()),
                origin: ImageOrigin::Provided,
                public: true,
                launch_accounts: vec![],
                imds_v2: false,
                ena_support: true,
                sriov_net_support: None,
                created: tx.now(),
                tags: Default::default(),
            };
            Ok::<_, Error>(tx.put(&scope, &id, image)?)
        })
        .await?;
    Ok(id.to_string())
}

/// AWS's name of the image's architecture.
pub fn architecture(manifest: &ImageManifest) -> &'static str {
    match manifest.architecture.as_str() {
        "arm64" | "aarch64" => "arm64",
        _ => "x86_64",
    }
}

/// Hexadecimal digits that stand for a manifest, different per purpose.
fn digits(manifest: &ImageManifest, purpose: &str, count: usize) -> String {
    let digest = Sha256::digest(format!("{purpose} {}", manifest.id));
    hex::encode(digest)[..count].to_owned()
}
