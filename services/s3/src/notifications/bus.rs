//! What is told to EventBridge, where a bucket says so: everything, to the default bus of its owner, whose rules choose.
//! Source: Amazon S3 User Guide, "EventBridge event message structure".

use super::event::{Event, Thing};
use crate::arn::bucket_arn;
use crate::records::Bucket;
use kiln_service_kit::{Caller, CallerKind, Cx, Error, Happening, Scope, Tx};
use serde_json::{Value as Json, json};

const SOURCE: &str = "aws.s3";

impl Event {
    fn detail_type(self) -> &'static str {
        match self {
            Self::Put | Self::Copied | Self::Completed => "Object Created",
            Self::Deleted | Self::Marked | Self::Expired | Self::ExpiredBehindMarker => "Object Deleted",
            Self::Tagged => "Object Tags Added",
            Self::Untagged => "Object Tags Deleted",
        }
    }

    /// What did it; nothing of what has no reason.
    fn reason(self) -> Option<&'static str> {
        match self {
            Self::Put => Some("PutObject"),
            Self::Copied => Some("CopyObject"),
            Self::Completed => Some("CompleteMultipartUpload"),
            Self::Deleted | Self::Marked => Some("DeleteObject"),
            Self::Expired | Self::ExpiredBehindMarker => Some("Lifecycle Expiration"),
            Self::Tagged | Self::Untagged => None,
        }
    }

    fn deletion(self) -> Option<&'static str> {
        match self {
            Self::Deleted | Self::Expired => Some("Permanently Deleted"),
            Self::Marked | Self::ExpiredBehindMarker => Some("Delete Marker Created"),
            _ => None,
        }
    }
}

/// Says on the bus what happened.
pub fn emit(
    tx: &mut Tx<'_>,
    cx: &Cx,
    bucket: &Bucket,
    event: Event,
    thing: &Thing<'_>,
    sequencer: &str,
) -> Result<(), Error> {
    // The owner's bus, whoever did it.
    let at = Scope::new(bucket.owner.as_str(), bucket.region.as_str());
    let of_owner = Cx::for_service(cx.platform().clone(), at, super::PRINCIPAL);
    of_owner.emit(tx, SOURCE, event.detail_type(), || Happening {
        resources: vec![bucket_arn(&of_owner, &bucket.name)],
        detail: detail(cx, bucket, event, thing, sequencer),
    })
}

fn detail(cx: &Cx, bucket: &Bucket, event: Event, thing: &Thing<'_>, sequencer: &str) -> Json {
    let mut object = json!({"key": thing.key});
    let ordered = Some(sequencer).filter(|_| event.reason().is_some());
    for (name, value) in [
        ("size", thing.size.map(Json::from)),
        ("etag", thing.etag.map(Json::from)),
        ("version-id", thing.version.filter(|_| bucket.versioning.is_some()).map(Json::from)),
        ("sequencer", ordered.map(Json::from)),
    ] {
        if let Some(value) = value {
            object[name] = value;
        }
    }
    let requester = match cx.caller() {
        _ if event.is_of_lifecycle() => super::PRINCIPAL,
        Caller { kind: CallerKind::Service { name }, .. } => name,
        Caller { account, .. } => account,
    };
    let mut detail = json!({
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": object,
        "request-id": cx.request_id(),
        "requester": requester,
    });
    for (name, value) in [
        ("source-ip-address", cx.source_ip().map(|ip| ip.to_string())),
        ("reason", event.reason().map(str::to_owned)),
        ("deletion-type", event.deletion().map(str::to_owned)),
    ] {
        if let Some(value) = value {
            detail[name] = Json::from(value);
        }
    }
    detail
}
