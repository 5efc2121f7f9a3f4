//! S3: buckets and objects, durable, with bodies that stream from the wire to a file and back.
//!
//! ```text
//! PutObject ── authorized by its head ── body ─► file (hashed, sealed, on the disk) ─► record
//! GetObject ── record ─► file, range by range ─► body
//! ```
//! [`files`] says how the two are kept in step, [`records`] what is kept of each thing.

mod arn;
mod checksum;
mod conditions;
mod copy_source;
mod described;
mod door;
mod encryption;
mod errors;
mod files;
mod integrity;
mod operations;
mod policy;
mod receive;
mod records;
mod resources;
mod source;
mod span;
mod tagging;
mod targets;
mod uploads;
mod versions;
mod walk;
mod words;

#[cfg(test)]
mod tests;

pub use files::{Hold, ObjectFiles};

use kiln_service_kit::{BoxFuture, Error, Platform, Service, records};
use std::collections::HashSet;
use std::sync::Arc;

/// Source: Amazon S3 User Guide, "Amazon S3 CloudTrail events", object-level actions.
const DATA_EVENTS: &[&str] = &[
    "AbortMultipartUpload",
    "CompleteMultipartUpload",
    "CopyObject",
    "CreateMultipartUpload",
    "DeleteObject",
    "DeleteObjectTagging",
    "DeleteObjects",
    "GetObject",
    "GetObjectAcl",
    "GetObjectAttributes",
    "GetObjectTagging",
    "HeadBucket",
    "HeadObject",
    "ListMultipartUploads",
    "ListObjectVersions",
    "ListObjects",
    "ListObjectsV2",
    "ListParts",
    "PutObject",
    "PutObjectAcl",
    "PutObjectTagging",
    "UploadPart",
    "UploadPartCopy",
];

/// The service.
pub fn service() -> Service {
    let mut service = Service::new(
        &kiln_s3_shapes::SERVICE,
        &[
            operations::access::OPERATIONS,
            operations::accepted::OPERATIONS,
            operations::attributes::OPERATIONS,
            operations::bucket::OPERATIONS,
            operations::configuration::OPERATIONS,
            operations::copy::OPERATIONS,
            operations::delete::OPERATIONS,
            operations::get::OPERATIONS,
            operations::list::OPERATIONS,
            operations::multipart::OPERATIONS,
            operations::parts::OPERATIONS,
            operations::complete::OPERATIONS,
            operations::policy::OPERATIONS,
            operations::put::OPERATIONS,
            operations::settings::OPERATIONS,
            operations::tags::OPERATIONS,
            operations::versions::OPERATIONS,
        ],
    );
    service.data_events = DATA_EVENTS;
    service.routes = kiln_s3_shapes::ROUTES;
    service.rest = Some(&door::Rules);
    service.owns = true;
    service.resources = vec![Arc::new(resources::bucket::Bucket), Arc::new(resources::bucket_policy::BucketPolicy)];
    service.start = vec![sweep];
    service.records =
        records![records::Bucket, records::Marker, records::Object, records::Part, records::Upload, records::Version];
    service
}

/// Removes files that no record names: what a kiln that was killed left behind.
fn sweep(platform: Arc<Platform>) -> BoxFuture<'static, Result<(), Error>> {
    Box::pin(async move {
        // A platform without a disk (the simulation) keeps no objects.
        let Ok(files) = platform.part::<ObjectFiles>() else { return Ok(()) };
        let named = match named(&platform) {
            Ok(named) => named,
            Err(error) => {
                tracing::error!(
                    error = error.chain(),
                    "it is not known which files of S3 are left over: none is removed"
                );
                return Ok(());
            }
        };
        let removed = files.sweep(&named);
        let removed = removed.map_err(|e| Error::failed("tidy the files of S3", e))?;
        if removed > 0 {
            tracing::info!(removed, "files that no object has were removed");
        }
        Ok(())
    })
}

/// The files that records name. A record that does not read may name any: then nothing is removed.
fn named(platform: &Platform) -> Result<HashSet<String>, Error> {
    let store = platform.store().whole();
    let mut named = HashSet::new();
    for (_, _, object) in store.list_everywhere::<records::Object>()? {
        named.extend(object.pieces.iter().map(|piece| piece.file.clone()));
    }
    for (_, _, row) in store.list_everywhere::<records::Version>()? {
        if let records::Kept::Object(object) = &row.what {
            named.extend(object.pieces.iter().map(|piece| piece.file.clone()));
        }
    }
    for (_, _, part) in store.list_everywhere::<records::Part>()? {
        named.insert(part.piece.file.clone());
    }
    Ok(named)
}
