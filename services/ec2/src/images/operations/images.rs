//! Images: listing, taking them of instances, copying, registering, deregistering.

use crate::errors::{bad_token, missing_parameter, refuse};
use crate::filters::{Filters, flag, maybe, one};
use crate::images::disk_size::DiskSize;
use crate::images::image_lookup::{self, Found};
use crate::images::mappings::check_mappings;
use crate::images::records::{Image, ImageOrigin, ImageState, Snapshot, SnapshotState, public_scope};
use crate::images::targets::{IMAGE, SNAPSHOT};
use crate::instances::records::{Instance, InstanceState, Reason, Volume};
use crate::instances::targets::INSTANCE;
use crate::kinds;
use crate::tags;
use crate::targets::{Things, things};
use kiln_ec2_shapes::{
    self as shapes, BlockDeviceMapping, CopyImageRequest, CopyImageResponse, CreateImageRequest, CreateImageResponse,
    DeregisterImageRequest, DeregisterImageResponse, DescribeImagesRequest, DescribeImagesResponse, EbsBlockDevice,
    RegisterImageRequest, RegisterImageResponse, StateReason,
};
use kiln_ids::{ImageId, InstanceId, SnapshotId};
use kiln_service_kit::{
    Cx, Error, Operation, Remembered, Scope, Touched, Tx, operation, paginate, regions, request_hash,
};

pub const OPERATIONS: &[Operation] = &[
    operation!(CopyImage: copy_image(CopyImageRequest), on copied),
    operation!(CreateImage: create_image(CreateImageRequest),
        on things![INSTANCE instance_id, makes IMAGE, makes SNAPSHOT]),
    operation!(DeregisterImage: deregister_image(DeregisterImageRequest), on things![IMAGE image_id]),
    operation!(DescribeImages: describe_images(DescribeImagesRequest), on everything),
    operation!(RegisterImage: register_image(RegisterImageRequest), on things![SNAPSHOT block_device_mappings, makes IMAGE]),
];

/// The image that is copied is one of its own region.
fn copied(cx: &Cx, request: &CopyImageRequest) -> Touched {
    let mut things = Things::of(cx, request);
    things.touches(IMAGE.named(&cx.in_region(&request.source_region), &request.source_image_id)?);
    things.makes(&IMAGE);
    things.makes(&SNAPSHOT);
    things.done()
}

const FILTERS: &[&str] = &[
    "architecture",
    "block-device-mapping.delete-on-termination",
    "block-device-mapping.device-name",
    "block-device-mapping.encrypted",
    "block-device-mapping.snapshot-id",
    "block-device-mapping.volume-size",
    "block-device-mapping.volume-type",
    "creation-date",
    "description",
    "ena-support",
    "free-tier-eligible",
    "hypervisor",
    "image-allowed",
    "image-id",
    "image-type",
    "is-public",
    "kernel-id",
    "manifest-location",
    "name",
    "owner-alias",
    "owner-id",
    "platform",
    "product-code",
    "product-code.type",
    "ramdisk-id",
    "root-device-name",
    "root-device-type",
    "source-image-id",
    "source-image-region",
    "source-instance-id",
    "sriov-net-support",
    "state",
    "state-reason-code",
    "state-reason-message",
    "virtualization-type",
];

async fn describe_images(cx: &Cx, request: DescribeImagesRequest) -> Result<DescribeImagesResponse, Error> {
    let filters = Filters::read(&request.filters, FILTERS)?;
    let mut images: Vec<Found> = match request.image_ids.as_slice() {
        [] => image_lookup::visible(cx)?,
        ids => image_lookup::all_of(cx, ids)?,
    };
    images.retain(|(_, image)| {
        owned(cx, image, &request.owners) && executable(cx, image, &request.executable_users) && {
            let source = match &image.origin {
                ImageOrigin::Instance { instance, .. } => Some(instance.to_string()),
                _ => None,
            };
            let copied = match &image.origin {
                ImageOrigin::Copy { image, region } => Some((image, region)),
                _ => None,
            };
            filters.accept(&image.tags, |name| match name {
                "architecture" => one(&image.architecture),
                "block-device-mapping.delete-on-termination" => flag(true),
                "block-device-mapping.device-name" => one(&image.root_device),
                "block-device-mapping.encrypted" => flag(false),
                "block-device-mapping.snapshot-id" => one(&image.snapshot),
                "block-device-mapping.volume-size" => one(image.size_gib),
                "block-device-mapping.volume-type" => one(&image.volume_type),
                "creation-date" => one(image.created.iso8601_millis()),
                "description" => maybe(image.description.as_ref()),
                "ena-support" => flag(image.ena_support),
                "hypervisor" => one("xen"),
                "image-id" => one(&image.id),
                "image-type" => one("machine"),
                "is-public" => flag(image.public),
                "name" => one(&image.name),
                "owner-alias" => maybe(image.owner_alias.as_ref()),
                "owner-id" => one(&image.owner),
                "root-device-name" => one(&image.root_device),
                "root-device-type" => one("ebs"),
                "source-image-id" => maybe(copied.map(|(image, _)| image)),
                "source-image-region" => maybe(copied.map(|(_, region)| region)),
                "source-instance-id" => maybe(source.as_ref()),
                "sriov-net-support" => maybe(image.sriov_net_support.as_ref()),
                "state-reason-code" => maybe(image.reason.as_ref().map(|r| &r.code)),
                "state-reason-message" => maybe(image.reason.as_ref().map(|r| &r.message)),
                "state" => one(image.state.name()),
                "virtualization-type" => one("hvm"),
                _ => vec![],
            })
        }
    });
    images.sort_by(|a, b| a.1.id.cmp(&b.1.id));
    images.dedup_by(|a, b| a.1.id == b.1.id);
    let limit = request.max_results.map_or(usize::MAX, |n| n.max(1) as usize);
    let page = paginate(images, |(_, i)| i.id.as_str(), request.next_token.as_deref(), limit, bad_token)?;
    Ok(DescribeImagesResponse {
        next_token: page.next_token,
        images: page.items.iter().map(|(_, image)| shown(image)).collect(),
    })
}

fn owned(cx: &Cx, image: &Image, owners: &[String]) -> bool {
    owners.is_empty()
        || owners.iter().any(|owner| match owner.as_str() {
            "self" => image.owner == cx.account(),
            other => image.owner == other || image.owner_alias.as_deref() == Some(other),
        })
}

fn executable(cx: &Cx, image: &Image, users: &[String]) -> bool {
    users.is_empty()
        || users.iter().any(|user| match user.as_str() {
            "all" => image.public,
            "self" => image.launch_accounts.iter().any(|account| account == cx.account()),
            account => image.launch_accounts.iter().any(|a| a == account),
        })
}

/// An image's one disk.
pub fn mapping(image: &Image) -> BlockDeviceMapping {
    BlockDeviceMapping {
        device_name: Some(image.root_device.clone()),
        ebs: Some(EbsBlockDevice {
            delete_on_termination: Some(true),
            snapshot_id: Some(image.snapshot.to_string()),
            volume_size: Some(image.size_gib),
            volume_type: Some(image.volume_type.clone()),
            encrypted: Some(false),
            ..EbsBlockDevice::default()
        }),
        ..BlockDeviceMapping::default()
    }
}

fn shown(image: &Image) -> shapes::Image {
    let (source_instance, source_image, source_region) = match &image.origin {
        ImageOrigin::Instance { instance, .. } => (Some(instance.to_string()), None, None),
        ImageOrigin::Copy { image, region } => (None, Some(image.to_string()), Some(region.clone())),
        _ => (None, None, None),
    };
    shapes::Image {
        platform_details: Some("Linux/UNIX".to_owned()),
        usage_operation: Some("RunInstances".to_owned()),
        block_device_mappings: vec![mapping(image)],
        description: image.description.clone(),
        ena_support: Some(image.ena_support),
        sriov_net_support: image.sriov_net_support.clone(),
        hypervisor: Some("xen".to_owned()),
        image_owner_alias: image.owner_alias.clone(),
        name: Some(image.name.clone()),
        root_device_name: Some(image.root_device.clone()),
        root_device_type: Some("ebs".to_owned()),
        state_reason: image
            .reason
            .as_ref()
            .map(|r| StateReason { code: Some(r.code.clone()), message: Some(r.message.clone()) }),
        tags: tags::shown(&image.tags),
        virtualization_type: Some("hvm".to_owned()),
        imds_support: image.imds_v2.then(|| "v2.0".to_owned()),
        source_instance_id: source_instance,
        source_image_id: source_image,
        source_image_region: source_region,
        image_id: Some(image.id.to_string()),
        image_location: Some(format!("{}/{}", image.owner_alias.as_ref().unwrap_or(&image.owner), image.name)),
        state: Some(image.state.name().to_owned()),
        owner_id: Some(image.owner.clone()),
        creation_date: Some(image.created.iso8601_millis()),
        public: Some(image.public),
        architecture: Some(image.architecture.clone()),
        image_type: Some("machine".to_owned()),
        ..shapes::Image::default()
    }
}

/// AWS's rule for image names.
fn check_name(name: &str) -> Result<(), Error> {
    let good = |c: char| c.is_ascii_alphanumeric() || "()[] ./-'@_".contains(c);
    if (3..=128).contains(&name.chars().count()) && name.chars().all(good) {
        return Ok(());
    }
    Err(Error::sender(
        "InvalidAMIName.Malformed",
        "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', '-', '/' and '_'",
    ))
}

fn check_free(tx: &Tx, cx: &Cx, name: &str) -> Result<(), Error> {
    match tx.by_key::<Image>(cx.scope(), "name", name)?.first() {
        None => Ok(()),
        Some((id, _)) => {
            Err(Error::sender("InvalidAMIName.Duplicate", format!("AMI name {name} is already in use by AMI {id}")))
        }
    }
}

async fn create_image(cx: &Cx, request: CreateImageRequest) -> Result<CreateImageResponse, Error> {
    refuse(
        "CreateImage",
        &[
            ("BlockDeviceMappings", !request.block_device_mappings.is_empty()),
            ("SnapshotLocation local", request.snapshot_location.as_deref() == Some("local")),
        ],
    )?;
    check_name(&request.name)?;
    kinds::INSTANCE.parse::<InstanceId>(&request.instance_id)?;
    let among = ["image", "snapshot"];
    let image_tags = tags::specified_among(cx, &request.tag_specifications, &kinds::IMAGE, &among)?;
    let snapshot_tags = tags::specified_among(cx, &request.tag_specifications, &kinds::SNAPSHOT, &among)?;
    let id = cx
        .store()
        .write(|tx| {
            let found = tx.get::<Instance>(cx.scope(), &request.instance_id)?;
            let mut instance = match found {
                Some(instance) => Instance::clone(&instance),
                None => return Err(kinds::INSTANCE.none(&request.instance_id)),
            };
            if !matches!(instance.state, InstanceState::Running | InstanceState::Stopped) {
                return Err(Error::sender(
                    "IncorrectInstanceState",
                    format!(
                        "The instance '{}' is not in a state from which an image can be made: it is {}.",
                        instance.id,
                        instance.state.name()
                    ),
                ));
            }
            if let Some(other) = &instance.captured_by {
                return Err(Error::sender(
                    "IncorrectInstanceState",
                    format!("The instance '{}' is just being made into the image {other}.", instance.id),
                ));
            }
            check_free(tx, cx, &request.name)?;
            let volume = tx.get::<Volume>(cx.scope(), &instance.volume)?;
            let size_gib = volume.as_ref().map_or(8, |v| v.size_gib);
            let volume_type = volume.as_ref().map_or_else(|| "gp3".to_owned(), |v| v.volume_type.clone());
            let id = ImageId::new(cx.ids());
            let snapshot = Snapshot {
                id: SnapshotId::new(cx.ids()),
                volume: Some(instance.volume.clone()),
                description: format!("Created by CreateImage({}) for {id}", instance.id),
                owner: cx.account().to_owned(),
                owner_alias: None,
                size_gib,
                architecture: instance.architecture.clone(),
                state: SnapshotState::Pending,
                state_message: None,
                machine_image: None,
                bytes: None,
                started: tx.now(),
                completed: None,
                tags: snapshot_tags.clone(),
            };
            let image = Image {
                id: id.clone(),
                name: request.name.clone(),
                description: request.description.clone(),
                owner: cx.account().to_owned(),
                owner_alias: None,
                architecture: instance.architecture.clone(),
                root_device: instance.root_device.clone(),
                size_gib,
                volume_type,
                snapshot: snapshot.id.clone(),
                state: ImageState::Pending,
                reason: None,
                machine_image: None,
                origin: ImageOrigin::Instance {
                    instance: instance.id.clone(),
                    reboot: instance.state == InstanceState::Running && request.no_reboot != Some(true),
                },
                public: false,
                launch_accounts: vec![],
                imds_v2: false,
                ena_support: instance.options.ena_support,
                sriov_net_support: None,
                created: tx.now(),
                tags: image_tags.clone(),
            };
            instance.captured_by = Some(id.clone());
            let instance_id = instance.id.clone();
            let snapshot_id = snapshot.id.clone();
            tx.put(cx.scope(), &instance_id, instance)?;
            tx.put(cx.scope(), &snapshot_id, snapshot)?;
            tx.put(cx.scope(), &id, image)?;
            Ok(id)
        })
        .await?;
    Ok(CreateImageResponse { image_id: Some(id.to_string()) })
}

async fn copy_image(cx: &Cx, request: CopyImageRequest) -> Result<CopyImageResponse, Error> {
    refuse(
        "CopyImage",
        &[
            ("Encrypted", request.encrypted == Some(true)),
            ("KmsKeyId", request.kms_key_id.is_some()),
            ("DestinationOutpostArn", request.destination_outpost_arn.is_some()),
            ("DestinationAvailabilityZone", request.destination_availability_zone.is_some()),
            ("DestinationAvailabilityZoneId", request.destination_availability_zone_id.is_some()),
            ("SnapshotCopyCompletionDurationMinutes", request.snapshot_copy_completion_duration_minutes.is_some()),
        ],
    )?;
    check_name(&request.name)?;
    if regions::region(&request.source_region).is_none_or(|region| region.partition.name != cx.partition()) {
        let text = format!("Value ({}) for parameter SourceRegion is invalid.", request.source_region);
        return Err(crate::errors::invalid_value(text));
    }
    let there = cx.in_region(&request.source_region);
    let (from, source) = image_lookup::find(&there, &request.source_image_id)?;
    let (_, machine_image) = image_lookup::launchable(&there, &request.source_image_id)?;
    let among = ["image", "snapshot"];
    let mut image_tags = tags::specified_among(cx, &request.tag_specifications, &kinds::IMAGE, &among)?;
    let snapshot_tags = tags::specified_among(cx, &request.tag_specifications, &kinds::SNAPSHOT, &among)?;
    if request.copy_image_tags == Some(true) {
        for (key, value) in source.tags.iter().filter(|(key, _)| !tags::is_reserved(key)) {
            image_tags.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    let bytes = image_lookup::snapshot_of(cx, &from, &source)?.and_then(|s| s.bytes);
    let hash = request_hash(&CopyImageRequest { client_token: None, ..request.clone() });
    let id = cx
        .store()
        .write(|tx| {
            let token = request.client_token.as_deref();
            if let Some(token) = token
                && let Some(id) = Remembered::find(tx, cx, "CopyImage", token, &hash)?
            {
                return Ok(id);
            }
            check_free(tx, cx, &request.name)?;
            let id = ImageId::new(cx.ids());
            // Layers are immutable and named by digest: a copy shares them, so it is done at once.
            let snapshot = Snapshot {
                id: SnapshotId::new(cx.ids()),
                volume: None,
                description: format!(
                    "Copied for DestinationAmi {id} from SourceAmi {} for SourceSnapshot {}.",
                    source.id, source.snapshot
                ),
                owner: cx.account().to_owned(),
                owner_alias: None,
                size_gib: source.size_gib,
                architecture: source.architecture.clone(),
                state: SnapshotState::Completed,
                state_message: None,
                machine_image: Some(machine_image.clone()),
                bytes,
                started: tx.now(),
                completed: Some(tx.now()),
                tags: snapshot_tags.clone(),
            };
            let image = Image {
                id: id.clone(),
                name: request.name.clone(),
                description: request.description.clone().or_else(|| source.description.clone()),
                owner: cx.account().to_owned(),
                owner_alias: None,
                snapshot: snapshot.id.clone(),
                machine_image: Some(machine_image.clone()),
                origin: ImageOrigin::Copy { image: source.id.clone(), region: request.source_region.clone() },
                public: false,
                launch_accounts: vec![],
                created: tx.now(),
                tags: image_tags.clone(),
                ..Image::clone(&source)
            };
            let snapshot_id = snapshot.id.clone();
            tx.put(cx.scope(), &snapshot_id, snapshot)?;
            tx.put(cx.scope(), &id, image)?;
            if let Some(token) = token {
                Remembered::keep(tx, cx, "CopyImage", token, &hash, &id)?;
            }
            Ok::<_, Error>(id.to_string())
        })
        .await?;
    Ok(CopyImageResponse { image_id: Some(id) })
}

async fn register_image(cx: &Cx, request: RegisterImageRequest) -> Result<RegisterImageResponse, Error> {
    // Some clients send what they were not given as empty.
    let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    refuse(
        "RegisterImage",
        &[
            ("ImageLocation", given(&request.image_location)),
            ("BillingProducts", !request.billing_products.is_empty()),
            ("BootMode", given(&request.boot_mode)),
            ("TpmSupport", given(&request.tpm_support)),
            ("UefiData", given(&request.uefi_data)),
            ("KernelId", given(&request.kernel_id)),
            ("RamdiskId", given(&request.ramdisk_id)),
            ("VirtualizationType paravirtual", request.virtualization_type.as_deref() == Some("paravirtual")),
        ],
    )?;
    let names = request.block_device_mappings.iter().any(|mapping| mapping.virtual_name.is_some());
    refuse("RegisterImage", &[("BlockDeviceMappings.VirtualName", names)])?;
    check_name(&request.name)?;
    let [root] = request.block_device_mappings.as_slice() else {
        return Err(match request.block_device_mappings.is_empty() {
            true => missing_parameter("BlockDeviceMapping"),
            false => Error::not_built("ec2:RegisterImage with more than one block device"),
        });
    };
    let device = root.device_name.clone().ok_or_else(|| missing_parameter("DeviceName"))?;
    if request.root_device_name.as_ref().is_some_and(|name| *name != device) {
        return Err(Error::sender(
            "InvalidBlockDeviceMapping",
            "The root device name must be that of the snapshot's block device.",
        ));
    }
    check_mappings("RegisterImage", &request.block_device_mappings)?;
    let ebs = root.ebs.clone().unwrap_or_default();
    let Some(snapshot_id) = ebs.snapshot_id.as_deref() else {
        return Err(Error::not_built("ec2:RegisterImage without a snapshot"));
    };
    let tags = tags::specified(cx, &request.tag_specifications, &kinds::IMAGE)?;
    let id = cx
        .store()
        .write(|tx| {
            check_free(tx, cx, &request.name)?;
            let found = match tx.get::<Snapshot>(cx.scope(), snapshot_id)? {
                Some(found) => Some(found),
                None => tx.get::<Snapshot>(&public_scope(), snapshot_id)?,
            };
            let snapshot = found.ok_or_else(|| kinds::SNAPSHOT.none(snapshot_id))?;
            if snapshot.state != SnapshotState::Completed {
                return Err(Error::sender(
                    "IncorrectState",
                    format!("The snapshot '{snapshot_id}' is not completed: it is {}.", snapshot.state.name()),
                ));
            }
            let volume_type = ebs.volume_type.clone().unwrap_or_else(|| "gp2".to_owned());
            let size = DiskSize {
                wanted: ebs.volume_size,
                usual: snapshot.size_gib,
                snapshot: &snapshot.id,
                snapshot_gib: snapshot.size_gib,
                volume_type: &volume_type,
            };
            let id = ImageId::new(cx.ids());
            let image = Image {
                id: id.clone(),
                name: request.name.clone(),
                description: request.description.clone(),
                owner: cx.account().to_owned(),
                owner_alias: None,
                architecture: request.architecture.clone().unwrap_or_else(|| snapshot.architecture.clone()),
                root_device: device.clone(),
                size_gib: size.gib()?,
                volume_type,
                snapshot: snapshot.id.clone(),
                state: ImageState::Available,
                reason: None,
                machine_image: snapshot.machine_image.clone(),
                origin: ImageOrigin::Registered,
                public: false,
                launch_accounts: vec![],
                imds_v2: request.imds_support.as_deref() == Some("v2.0"),
                ena_support: request.ena_support == Some(true),
                sriov_net_support: request.sriov_net_support.clone(),
                created: tx.now(),
                tags: tags.clone(),
            };
            tx.put(cx.scope(), &id, image)?;
            Ok(id)
        })
        .await?;
    Ok(RegisterImageResponse { image_id: Some(id.to_string()) })
}

/// The caller's own image of that id, as the transaction sees it. An import belongs to the home
/// account though it is kept in the public scope.
pub fn own(tx: &Tx, cx: &Cx, id: &str) -> Result<(Scope, Image), Error> {
    kinds::IMAGE.parse::<ImageId>(id)?;
    for scope in [cx.scope().clone(), public_scope()] {
        if let Some(image) = tx.get::<Image>(&scope, id)? {
            if image.owner == cx.account() {
                return Ok((scope, Image::clone(&image)));
            }
            return Err(Error::sender("AuthFailure", format!("Not authorized for image:{id}")).with_status(403));
        }
    }
    Err(image_lookup::none(id))
}

async fn deregister_image(cx: &Cx, request: DeregisterImageRequest) -> Result<DeregisterImageResponse, Error> {
    let with_snapshots = request.delete_associated_snapshots == Some(true);
    let gone = cx
        .store()
        .write(|tx| {
            let (scope, image) = own(tx, cx, &request.image_id)?;
            if let ImageOrigin::Instance { instance, .. } = &image.origin
                && image.state == ImageState::Pending
                && let Some(held) = tx.get::<Instance>(cx.scope(), instance)?
                && held.captured_by.as_ref() == Some(&image.id)
            {
                return Err(Error::sender(
                    "IncorrectState",
                    format!("The image '{}' is being made: wait until it is available or failed.", image.id),
                ));
            }
            tx.delete::<Image>(&scope, &image.id);
            let mut gone = vec![];
            if with_snapshots {
                crate::images::operations::snapshots::delete(tx, &scope, &image.snapshot)?;
                gone.push(image.snapshot.to_string());
            }
            Ok(gone)
        })
        .await?;
    let results = gone
        .into_iter()
        .map(|id| shapes::DeleteSnapshotReturnCode { snapshot_id: Some(id), return_code: Some("success".to_owned()) });
    Ok(DeregisterImageResponse { r#return: Some(true), delete_snapshot_results: results.collect() })
}

/// What a failed image shows.
pub fn failed(text: &str) -> Reason {
    Reason::new("Client.InternalError", text)
}
