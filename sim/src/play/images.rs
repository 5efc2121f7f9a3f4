//! Images in scripts.

use super::{Player, shown};
use kiln_ec2_shapes as ec2;

/// What a script knows of an image.
pub struct Image {
    id: String,
    /// Its state when this was last told.
    told: String,
}

impl Player<'_> {
    pub async fn take_image(&mut self, name: &str, group: &str) -> Result<(), String> {
        let serving = self.in_service(group, None).await?;
        let request = ec2::CreateImageRequest {
            instance_id: serving.first().ok_or("none is in service")?.clone(),
            name: name.to_owned(),
            no_reboot: Some(true),
            ..Default::default()
        };
        let id = self.kit.call(request).await.map_err(shown)?.image_id.ok_or("an image without an id")?;
        self.images.insert(name.to_owned(), Image { id, told: String::new() });
        Ok(())
    }

    pub async fn delete_image(&self, name: &str) -> Result<(), String> {
        let image = self.shown_image(name).await?.ok_or("it is gone already")?;
        let request = ec2::DeregisterImageRequest { image_id: self.image_id(name)?.to_owned(), ..Default::default() };
        self.kit.call(request).await.map_err(shown)?;
        let snapshots = image.block_device_mappings.into_iter().filter_map(|device| device.ebs?.snapshot_id);
        for snapshot_id in snapshots {
            let request = ec2::DeleteSnapshotRequest { snapshot_id, ..Default::default() };
            self.kit.call(request).await.map_err(shown)?;
        }
        Ok(())
    }

    /// The id of an image that the script has taken.
    pub fn image_id(&self, name: &str) -> Result<&str, String> {
        self.images.get(name).map(|image| image.id.as_str()).ok_or_else(|| format!("no image {name} was taken"))
    }

    async fn shown_image(&self, name: &str) -> Result<Option<ec2::Image>, String> {
        let id = self.image_id(name)?;
        let images = self.kit.call(ec2::DescribeImagesRequest::default()).await.map_err(shown)?.images;
        Ok(images.into_iter().find(|image| image.image_id.as_deref() == Some(id)))
    }

    /// `pending`, `available`, `failed`; `gone`.
    pub async fn image_state(&self, name: &str) -> Result<String, String> {
        let image = self.shown_image(name).await?;
        let Some(image) = image else { return Ok("gone".to_owned()) };
        image.state.ok_or_else(|| format!("{name} is described without its state"))
    }

    /// Tells how the images are that the script has taken, where that is news.
    pub async fn tell_of_images(&mut self) -> Result<(), String> {
        for name in self.images.keys().cloned().collect::<Vec<_>>() {
            let state = self.image_state(&name).await?;
            if let Some(image) = self.images.get_mut(&name).filter(|image| image.told != state) {
                self.kit.story().say(&format!("  image {name}: {state}"));
                image.told = state;
            }
        }
        Ok(())
    }
}
