//! How buckets and objects are named.

use kiln_service_kit::Cx;

/// `arn:aws:s3:::bucket`, or of a key in it.
pub fn bucket_arn(cx: &Cx, resource: &str) -> String {
    format!("arn:{}:s3:::{resource}", cx.partition())
}
