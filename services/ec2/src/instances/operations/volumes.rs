//! Volumes: the root disks of instances, listed truthfully. Disks of their own are not built.

use crate::filters::{Filters, flag, one};
use crate::instances::records::{Instance, Volume};
use crate::instances::targets::VOLUME;
use crate::kinds;
use crate::lookup;
use crate::tags;
use crate::targets::things;
use kiln_ec2_shapes::{
    self as shapes, AttributeBooleanValue, DescribeVolumeAttributeRequest, DescribeVolumeAttributeResponse,
    DescribeVolumeStatusRequest, DescribeVolumeStatusResponse, DescribeVolumesModificationsRequest,
    DescribeVolumesModificationsResponse, DescribeVolumesRequest, DescribeVolumesResponse, VolumeAttachment,
    VolumeStatusDetails, VolumeStatusInfo, VolumeStatusItem,
};
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(DescribeVolumeAttribute: describe_volume_attribute(DescribeVolumeAttributeRequest),
        on things![VOLUME volume_id]),
    operation!(DescribeVolumeStatus: describe_volume_status(DescribeVolumeStatusRequest), on everything),
    operation!(DescribeVolumes: describe_volumes(DescribeVolumesRequest), on everything),
    operation!(DescribeVolumesModifications: describe_volumes_modifications(DescribeVolumesModificationsRequest),
        on everything),
];

const STATUS_FILTERS: &[&str] = &[
    "action.code",
    "action.description",
    "action.event-id",
    "availability-zone",
    "event.description",
    "event.event-id",
    "event.event-type",
    "event.not-after",
    "event.not-before",
    "volume-status.details-name",
    "volume-status.details-status",
    "volume-status.status",
];

const FILTERS: &[&str] = &[
    "attachment.attach-time",
    "attachment.delete-on-termination",
    "attachment.device",
    "attachment.instance-id",
    "attachment.status",
    "availability-zone",
    "availability-zone-id",
    "create-time",
    "encrypted",
    "fast-restored",
    "multi-attach-enabled",
    "operator.managed",
    "operator.principal",
    "size",
    "snapshot-id",
    "status",
    "volume-id",
    "volume-type",
];

async fn describe_volumes(cx: &Cx, request: DescribeVolumesRequest) -> Result<DescribeVolumesResponse, Error> {
    let filters = Filters::read(&request.filters, FILTERS)?;
    let mut chosen = vec![];
    for (id, volume) in lookup::selected::<Volume>(cx, &request.volume_ids)? {
        let attached = attached(cx, &volume)?;
        let passes = filters.accept(&volume.tags, |name| match name {
            "attachment.attach-time" => one(volume.attached.iso8601_millis()),
            "attachment.delete-on-termination" => flag(volume.delete_on_termination),
            "attachment.device" => one(&volume.device),
            "attachment.instance-id" => one(&volume.instance),
            "attachment.status" => one(if attached { "attached" } else { "attaching" }),
            "availability-zone" => one(&volume.zone),
            "availability-zone-id" => crate::filters::maybe(crate::zones::zone_id(cx.region(), &volume.zone)),
            "create-time" => one(volume.created.iso8601_millis()),
            "encrypted" | "multi-attach-enabled" => flag(false),
            "size" => one(volume.size_gib),
            "snapshot-id" => one(&volume.snapshot),
            "status" => one(if attached { "in-use" } else { "creating" }),
            "volume-id" => one(&volume.id),
            "volume-type" => one(&volume.volume_type),
            _ => vec![],
        });
        if passes {
            chosen.push((id, shown(cx, &volume, attached)));
        }
    }
    let page = lookup::page(chosen, request.next_token.as_deref(), request.max_results)?;
    Ok(DescribeVolumesResponse { next_token: page.next_token, volumes: page.items })
}

/// Whether the machine whose upper layer it is has been made.
fn attached(cx: &Cx, volume: &Volume) -> Result<bool, Error> {
    Ok(cx.store().get::<Instance>(cx.scope(), &volume.instance)?.is_some_and(|instance| instance.launched))
}

fn shown(cx: &Cx, volume: &Volume, attached: bool) -> shapes::Volume {
    shapes::Volume {
        availability_zone_id: crate::zones::zone_id(cx.region(), &volume.zone),
        iops: volume.iops,
        tags: tags::shown(&volume.tags),
        volume_type: Some(volume.volume_type.clone()),
        multi_attach_enabled: Some(false),
        throughput: volume.throughput,
        volume_id: Some(volume.id.to_string()),
        size: Some(volume.size_gib),
        snapshot_id: Some(volume.snapshot.to_string()),
        availability_zone: Some(volume.zone.clone()),
        state: Some(if attached { "in-use" } else { "creating" }.to_owned()),
        create_time: Some(volume.created),
        attachments: vec![VolumeAttachment {
            delete_on_termination: Some(volume.delete_on_termination),
            volume_id: Some(volume.id.to_string()),
            instance_id: Some(volume.instance.to_string()),
            device: Some(volume.device.clone()),
            state: Some(if attached { "attached" } else { "attaching" }.to_owned()),
            attach_time: Some(volume.attached),
            ..VolumeAttachment::default()
        }],
        encrypted: Some(false),
        ..shapes::Volume::default()
    }
}

async fn describe_volume_status(
    cx: &Cx,
    request: DescribeVolumeStatusRequest,
) -> Result<DescribeVolumeStatusResponse, Error> {
    let filters = Filters::read(&request.filters, STATUS_FILTERS)?;
    let mut items = vec![];
    for (id, volume) in lookup::selected::<Volume>(cx, &request.volume_ids)? {
        // Nobody reads every block to say that a disk is good.
        let passes = filters.accept(&volume.tags, |name| match name {
            "availability-zone" => one(&volume.zone),
            "volume-status.details-name" => one("io-enabled"),
            "volume-status.details-status" | "volume-status.status" => one("insufficient-data"),
            // There are no actions and no events.
            _ => vec![],
        });
        if passes {
            let details = VolumeStatusDetails {
                name: Some("io-enabled".to_owned()),
                status: Some("insufficient-data".to_owned()),
            };
            let status = VolumeStatusInfo { details: vec![details], status: Some("insufficient-data".to_owned()) };
            let item = VolumeStatusItem {
                availability_zone: Some(volume.zone.clone()),
                volume_id: Some(volume.id.to_string()),
                volume_status: Some(status),
                ..VolumeStatusItem::default()
            };
            items.push((id, item));
        }
    }
    let page = lookup::page(items, request.next_token.as_deref(), request.max_results)?;
    Ok(DescribeVolumeStatusResponse { next_token: page.next_token, volume_statuses: page.items })
}

async fn describe_volume_attribute(
    cx: &Cx,
    request: DescribeVolumeAttributeRequest,
) -> Result<DescribeVolumeAttributeResponse, Error> {
    kinds::VOLUME.check(&request.volume_id)?;
    if cx.store().get::<Volume>(cx.scope(), &request.volume_id)?.is_none() {
        return Err(kinds::VOLUME.none(&request.volume_id));
    }
    let auto = (request.attribute == "autoEnableIO").then_some(AttributeBooleanValue { value: Some(false) });
    Ok(DescribeVolumeAttributeResponse {
        auto_enable_io: auto,
        product_codes: vec![],
        volume_id: Some(request.volume_id),
    })
}

/// ModifyVolume is not built, so there is no modification to list.
async fn describe_volumes_modifications(
    cx: &Cx,
    request: DescribeVolumesModificationsRequest,
) -> Result<DescribeVolumesModificationsResponse, Error> {
    lookup::selected::<Volume>(cx, &request.volume_ids)?;
    Ok(DescribeVolumesModificationsResponse::default())
}
