//! Snapshots: those behind images. A snapshot of a running disk alone is not built.

use crate::errors::bad_token;
use crate::filters::{Filters, flag, maybe, one};
use crate::images::records::{DiscardedImage, Image, Snapshot, SnapshotState, public_scope};
use crate::images::targets::SNAPSHOT;
use crate::kinds;
use crate::tags;
use crate::targets::things;
use kiln_ec2_shapes::{
    self as shapes, DeleteSnapshotRequest, DeleteSnapshotResponse, DescribeSnapshotsRequest, DescribeSnapshotsResponse,
};
use kiln_ids::SnapshotId;
use kiln_service_kit::{Cx, Error, Operation, Scope, Tx, operation, paginate};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(DeleteSnapshot: delete_snapshot(DeleteSnapshotRequest), on things![SNAPSHOT snapshot_id]),
    operation!(DescribeSnapshots: describe_snapshots(DescribeSnapshotsRequest), on everything),
];

const FILTERS: &[&str] = &[
    "description",
    "encrypted",
    "owner-alias",
    "owner-id",
    "progress",
    "snapshot-id",
    "start-time",
    "status",
    "storage-tier",
    "transfer-type",
    "volume-id",
    "volume-size",
];

async fn describe_snapshots(cx: &Cx, request: DescribeSnapshotsRequest) -> Result<DescribeSnapshotsResponse, Error> {
    let filters = Filters::read(&request.filters, FILTERS)?;
    let mut all: Vec<Arc<Snapshot>> = vec![];
    for scope in [cx.scope().clone(), public_scope()] {
        all.extend(cx.store().list::<Snapshot>(&scope)?.into_iter().map(|(_, snapshot)| snapshot));
    }
    for id in &request.snapshot_ids {
        kinds::SNAPSHOT.parse::<SnapshotId>(id)?;
        if !all.iter().any(|snapshot| *snapshot.id == **id) {
            return Err(kinds::SNAPSHOT.none(id));
        }
    }
    let owns = |snapshot: &Snapshot, owner: &str| match owner {
        "self" => snapshot.owner == cx.account(),
        other => snapshot.owner == other || snapshot.owner_alias.as_deref() == Some(other),
    };
    all.retain(|s| {
        let named = request.snapshot_ids.is_empty() || request.snapshot_ids.iter().any(|id| *s.id == **id);
        let owned = request.owner_ids.is_empty() || request.owner_ids.iter().any(|owner| owns(s, owner));
        let restorable = &request.restorable_by_user_ids;
        let restorable = restorable.is_empty() || restorable.iter().any(|user| user == "all" || owns(s, user));
        named
            && owned
            && restorable
            && filters.accept(&s.tags, |name| match name {
                "description" => one(&s.description),
                "encrypted" => flag(false),
                "owner-alias" => maybe(s.owner_alias.as_ref()),
                "owner-id" => one(&s.owner),
                "progress" => maybe(progress(s)),
                "snapshot-id" => one(&s.id),
                "start-time" => one(s.started.iso8601_millis()),
                "status" => one(s.state.name()),
                "storage-tier" => one("standard"),
                "volume-id" => one(volume(s)),
                "volume-size" => one(s.size_gib),
                _ => vec![],
            })
    });
    all.sort_by(|a, b| a.id.cmp(&b.id));
    let limit = request.max_results.map_or(usize::MAX, |n| n.max(5) as usize);
    let page = paginate(all, |s| s.id.as_str(), request.next_token.as_deref(), limit, bad_token)?;
    Ok(DescribeSnapshotsResponse {
        next_token: page.next_token,
        snapshots: page.items.iter().map(|snapshot| shown(snapshot)).collect(),
    })
}

fn volume(snapshot: &Snapshot) -> String {
    snapshot.volume.as_ref().map_or_else(|| "vol-ffffffff".to_owned(), ToString::to_string)
}

/// Only the two ends are known; nothing in between is made up.
fn progress(snapshot: &Snapshot) -> Option<&'static str> {
    match snapshot.state {
        SnapshotState::Pending => Some("0%"),
        SnapshotState::Completed => Some("100%"),
        SnapshotState::Error => None,
    }
}

fn shown(snapshot: &Snapshot) -> shapes::Snapshot {
    shapes::Snapshot {
        owner_alias: snapshot.owner_alias.clone(),
        tags: tags::shown(&snapshot.tags),
        storage_tier: Some("standard".to_owned()),
        completion_time: snapshot.completed,
        full_snapshot_size_in_bytes: snapshot.bytes.and_then(|b| i64::try_from(b).ok()),
        snapshot_id: Some(snapshot.id.to_string()),
        volume_id: Some(volume(snapshot)),
        state: Some(snapshot.state.name().to_owned()),
        state_message: snapshot.state_message.clone(),
        start_time: Some(snapshot.started),
        progress: progress(snapshot).map(str::to_owned),
        owner_id: Some(snapshot.owner.clone()),
        description: Some(snapshot.description.clone()),
        volume_size: Some(snapshot.size_gib),
        encrypted: Some(false),
        ..shapes::Snapshot::default()
    }
}

async fn delete_snapshot(cx: &Cx, request: DeleteSnapshotRequest) -> Result<DeleteSnapshotResponse, Error> {
    kinds::SNAPSHOT.parse::<SnapshotId>(&request.snapshot_id)?;
    cx.store()
        .write(|tx| {
            let id = &request.snapshot_id;
            for scope in [cx.scope().clone(), public_scope()] {
                let Some(snapshot) = tx.get::<Snapshot>(&scope, id)? else { continue };
                if snapshot.owner != cx.account() {
                    break;
                }
                return delete(tx, &scope, id);
            }
            Err(kinds::SNAPSHOT.none(id))
        })
        .await?;
    Ok(DeleteSnapshotResponse::default())
}

/// Removes a snapshot that no image needs, and has the driver's copy looked at.
pub fn delete(tx: &mut Tx, scope: &Scope, id: &str) -> Result<(), Error> {
    let users = tx.by_key_everywhere::<Image>("snapshot", id)?;
    if let Some((_, image, _)) = users.first() {
        return Err(Error::sender(
            "InvalidSnapshot.InUse",
            format!("The snapshot {id} is currently in use by {image}"),
        ));
    }
    if let Some(snapshot) = tx.get::<Snapshot>(scope, id)?
        && let Some(machine_image) = &snapshot.machine_image
    {
        let at = tx.now();
        tx.put(&public_scope(), machine_image, DiscardedImage { at })?;
    }
    tx.delete::<Snapshot>(scope, id);
    Ok(())
}
