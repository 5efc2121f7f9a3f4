//! What callers read when something is refused: S3's codes, statuses and words.

use kiln_service_kit::{BodyFault, Error, Timestamp};

fn error(status: u16, code: &'static str, message: &str) -> Error {
    Error::sender(code, message).with_status(status)
}

/// A body that cannot be taken, whatever is in it.
pub fn bad_body(fault: BodyFault) -> Error {
    match fault {
        BodyFault::NoLength => error(411, "MissingContentLength", "You must provide the Content-Length HTTP header."),
        BodyFault::HttpChunks => {
            let text = "A header you provided implies functionality that is not implemented";
            error(501, "NotImplemented", text).with("Header", "Transfer-Encoding")
        }
        BodyFault::TooLong(most) => error(400, "MaxMessageLengthExceeded", "Your request was too big.")
            .with("MaxMessageLengthBytes", most.to_string()),
        BodyFault::Incomplete => error(400, "IncompleteBody", "The request body terminated unexpectedly"),
        BodyFault::TimedOut => {
            let text =
                "Your socket connection to the server was not read from or written to within the timeout period.";
            error(400, "RequestTimeout", text)
        }
    }
}

pub fn no_such_bucket(bucket: &str) -> Error {
    error(404, "NoSuchBucket", "The specified bucket does not exist").with("BucketName", bucket)
}

pub fn no_such_key(key: &str) -> Error {
    error(404, "NoSuchKey", "The specified key does not exist.").with("Key", key)
}

pub fn no_such_version(key: &str, version: &str) -> Error {
    error(404, "NoSuchVersion", "The specified version does not exist.").with("Key", key).with("VersionId", version)
}

/// What is asked for is a delete marker, which can only be deleted.
pub fn is_a_marker(version: &str, made: Timestamp) -> Error {
    let text = "The specified method is not allowed against this resource.";
    let refused = error(405, "MethodNotAllowed", text).with("ResourceType", "DeleteMarker");
    behind_a_marker(refused, version).with("Allow", "DELETE").with("Last-Modified", made.http_date())
}

/// With the headers that tell of a delete marker.
pub fn behind_a_marker(error: Error, version: &str) -> Error {
    error.with("x-amz-delete-marker", "true").with("x-amz-version-id", version)
}

pub fn no_such_upload(upload: &str) -> Error {
    let text = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.";
    error(404, "NoSuchUpload", text).with("UploadId", upload)
}

/// Too much waits to be told already of what happens to objects.
pub fn slow_down() -> Error {
    error(503, "SlowDown", "Please reduce your request rate.")
}

pub fn access_denied() -> Error {
    error(403, "AccessDenied", "Access Denied")
}

pub fn invalid_bucket_name(bucket: &str) -> Error {
    error(400, "InvalidBucketName", "The specified bucket is not valid.").with("BucketName", bucket)
}

pub fn owned_by_you(bucket: &str) -> Error {
    let text = "Your previous request to create the named bucket succeeded and you already own it.";
    error(409, "BucketAlreadyOwnedByYou", text).with("BucketName", bucket)
}

pub fn already_exists(bucket: &str) -> Error {
    let text = "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.";
    error(409, "BucketAlreadyExists", text).with("BucketName", bucket)
}

pub fn not_empty(bucket: &str, why: &str) -> Error {
    let text = match why {
        "" => "The bucket you tried to delete is not empty".to_owned(),
        why => format!("The bucket you tried to delete is not empty.{why}"),
    };
    error(409, "BucketNotEmpty", &text).with("BucketName", bucket)
}

/// The bucket is elsewhere: clients read the region and ask again there.
pub fn wrong_region(asked: &str, region: &str) -> Error {
    let text = format!("The authorization header is malformed; the region '{asked}' is wrong; expecting '{region}'");
    error(400, "AuthorizationHeaderMalformed", &text).with("Region", region)
}

pub fn invalid_location(region: &str) -> Error {
    error(400, "InvalidLocationConstraint", "The specified location-constraint is not valid")
        .with("LocationConstraint", region)
}

pub fn illegal_location(text: &str) -> Error {
    error(400, "IllegalLocationConstraintException", text)
}

pub fn invalid_argument(name: &str, value: &str, message: &str) -> Error {
    error(400, "InvalidArgument", message).with("ArgumentName", name).with("ArgumentValue", value)
}

pub fn invalid_request(message: &str) -> Error {
    error(400, "InvalidRequest", message)
}

pub fn bad_digest(what: &str) -> Error {
    error(400, "BadDigest", &format!("The {what} you specified did not match the calculated checksum."))
}

pub fn invalid_checksum(header: &str) -> Error {
    error(400, "InvalidRequest", &format!("Value for {header} header is invalid."))
}

pub fn bad_md5(wanted: &str, calculated: &str) -> Error {
    let text = "The Content-MD5 you specified did not match what we received.";
    error(400, "BadDigest", text).with("ExpectedDigest", wanted).with("CalculatedDigest", calculated)
}

pub fn invalid_digest(given: &str) -> Error {
    error(400, "InvalidDigest", "The Content-MD5 you specified was invalid.").with("Content-MD5", given)
}

pub fn digest_demanded() -> Error {
    invalid_request("Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
}

pub fn missing_body() -> Error {
    error(400, "MissingRequestBodyError", "Request Body is empty")
}

pub fn malformed_trailer() -> Error {
    let text =
        "The request contained trailing data that was not well-formed or did not conform to our published schema.";
    error(400, "MalformedTrailerError", text)
}

pub fn too_large(most: u64) -> Error {
    error(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
        .with("MaxSizeAllowed", most.to_string())
}

pub fn too_small() -> Error {
    error(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
}

pub fn key_too_long() -> Error {
    error(400, "KeyTooLongError", "Your key is too long").with("MaxSizeAllowed", "1024")
}

pub fn metadata_too_large() -> Error {
    let text = "Your metadata headers exceed the maximum allowed metadata size";
    error(400, "MetadataTooLarge", text).with("MaxSizeAllowed", "2048")
}

pub fn precondition_failed(condition: &'static str) -> Error {
    let text = "At least one of the pre-conditions you specified did not hold";
    error(412, "PreconditionFailed", text).with("Condition", condition)
}

/// With the headers that an answer without a body still has.
pub fn not_modified(etag: &str, modified: String) -> Error {
    error(304, "NotModified", "Not Modified").with("ETag", format!("\"{etag}\"")).with("Last-Modified", modified)
}

pub fn invalid_range(asked: &str, size: u64) -> Error {
    error(416, "InvalidRange", "The requested range is not satisfiable")
        .with("RangeRequested", asked)
        .with("ActualObjectSize", size.to_string())
}

pub fn invalid_part_number(asked: i32, parts: usize) -> Error {
    error(416, "InvalidPartNumber", "The requested partnumber is not satisfiable")
        .with("PartNumberRequested", asked.to_string())
        .with("ActualPartCount", parts.to_string())
}

pub fn invalid_part(upload: &str, number: i32) -> Error {
    let text = "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.";
    error(400, "InvalidPart", text).with("UploadId", upload).with("PartNumber", number.to_string())
}

pub fn invalid_part_order(upload: &str) -> Error {
    let text =
        "The list of parts was not in ascending order. The parts list must be specified in order by part number.";
    error(400, "InvalidPartOrder", text).with("UploadId", upload)
}

pub fn malformed_xml() -> Error {
    let text = "The XML you provided was not well-formed or did not validate against our published schema";
    error(400, "MalformedXML", text)
}

pub fn malformed_policy(message: &str) -> Error {
    error(400, "MalformedPolicy", message)
}

pub fn no_such_policy(bucket: &str) -> Error {
    not_configured("NoSuchBucketPolicy", "The bucket policy does not exist", bucket)
}

/// The policy of a bucket is its own account's alone to read and change.
pub fn not_the_owner() -> Error {
    error(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        .with("ResourceType", "BUCKETPOLICY")
}

pub fn invalid_tag(message: &str, key: &str) -> Error {
    error(400, "InvalidTag", message).with("TagKey", key)
}

pub fn no_acls() -> Error {
    error(400, "AccessControlListNotSupported", "The bucket does not allow ACLs")
}

pub fn no_acls_with_ownership() -> Error {
    let text = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting";
    error(400, "InvalidBucketAclWithObjectOwnership", text)
}

pub fn invalid_encryption_algorithm(given: &str) -> Error {
    let text = "The Encryption request you specified is not valid. Supported value: AES256.";
    error(400, "InvalidEncryptionAlgorithmError", text)
        .with("ArgumentName", "x-amz-server-side-encryption")
        .with("ArgumentValue", given)
}

/// Of what lies under a key of KMS.
pub fn version_4_demanded() -> Error {
    let text = "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4.";
    error(400, "InvalidArgument", text)
}

/// What a browser asks before a page's request is not let through.
pub fn cors_refused(text: &str, method: &str) -> Error {
    error(403, "AccessForbidden", text).with("Method", method)
}

/// It does not say what is to be let through.
pub fn bad_preflight(text: &str) -> Error {
    error(400, "BadRequest", text)
}

/// A header in a form that S3 does not take here.
pub fn not_taken(header: &str, why: &str) -> Error {
    error(501, "NotImplemented", "A header you provided implies functionality that is not implemented")
        .with("Header", header)
        .with("additionalMessage", why)
}

/// Nothing of that kind was ever set on the bucket, and nothing can be set: codes as AWS has them.
pub fn not_configured(code: &'static str, message: &str, bucket: &str) -> Error {
    error(404, code, message).with("BucketName", bucket)
}

/// One clear answer for a disk that takes no more. Not among AWS's, whose disks do not fill; no status
/// that clients would try again at.
pub fn disk_full() -> Error {
    let text = "The disk under kiln's state directory is full. Nothing was stored. Make room there and try again.";
    Error::receiver("InsufficientStorage", text).with_status(507)
}

pub fn invalid_storage_class(given: &str) -> Error {
    error(400, "InvalidStorageClass", "The storage class you specified is not valid")
        .with("StorageClassRequested", given)
}

pub fn invalid_owner(given: &str) -> Error {
    let text = format!("The value of the expected bucket owner parameter must be an AWS Account ID... [{given}]");
    error(400, "InvalidBucketOwnerAWSAccountID", &text)
}
