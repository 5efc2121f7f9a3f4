//! Settings of a bucket that have one state here: whoever sets them to that is right and told so, and whoever
//! asks for more is refused by name. What AWS then shows to have been said is kept ([`crate::records::Said`]).

use super::bucket;
use super::settings::change;
use crate::canonical::owner;
use crate::described::refuse;
use crate::errors;
use crate::records::{Ownership, Said};
use crate::targets::{of_bucket, of_bucket_by, of_kept, with_acl};
use crate::versions;
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(DeleteBucketOwnershipControls: delete_ownership(DeleteBucketOwnershipControlsRequest),
        on |cx, r| of_bucket_by(cx, &r.bucket, "s3:PutBucketOwnershipControls")),
    operation!(DeleteBucketReplication: delete_replication(DeleteBucketReplicationRequest),
        on |cx, r| of_bucket_by(cx, &r.bucket, "s3:PutReplicationConfiguration")),
    operation!(DeleteBucketWebsite: delete_website(DeleteBucketWebsiteRequest), on |cx, r| of_bucket(cx, &r.bucket)),
    operation!(PutBucketAccelerateConfiguration: put_accelerate(PutBucketAccelerateConfigurationRequest),
        on |cx, r| of_bucket_by(cx, &r.bucket, "s3:PutAccelerateConfiguration")),
    operation!(PutBucketAcl: put_bucket_acl(PutBucketAclRequest),
        on |cx, r| Ok::<_, Error>(with_acl(of_bucket(cx, &r.bucket)?, &r.acl))),
    operation!(PutBucketLogging: put_logging(PutBucketLoggingRequest), on |cx, r| of_bucket(cx, &r.bucket)),
    operation!(PutBucketOwnershipControls: put_ownership(PutBucketOwnershipControlsRequest),
        on |cx, r| of_bucket(cx, &r.bucket)),
    operation!(PutBucketRequestPayment: put_payment(PutBucketRequestPaymentRequest),
        on |cx, r| of_bucket(cx, &r.bucket)),
    operation!(PutObjectAcl: put_object_acl(PutObjectAclRequest),
        on |cx, r| Ok::<_, Error>(with_acl(
            of_kept(cx, &r.bucket, &r.key, &r.version_id, ["s3:PutObjectAcl", "s3:PutObjectVersionAcl"])?, &r.acl))),
];

/// A deletion of what no bucket can have: there is nothing to do.
macro_rules! nothing_to_delete {
    ($($name:ident: $request:ident => $response:ident;)*) => { $(
        async fn $name(cx: &Cx, input: $request) -> Result<$response, Error> {
            bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
            Ok($response {})
        }
    )* };
}

nothing_to_delete! {
    delete_replication: DeleteBucketReplicationRequest => DeleteBucketReplicationResponse;
    delete_website: DeleteBucketWebsiteRequest => DeleteBucketWebsiteResponse;
}

async fn say(cx: &Cx, bucket: &str, say: impl FnOnce(&mut Said)) -> Result<(), Error> {
    change(cx, bucket, |bucket| {
        say(&mut bucket.said);
        Ok(())
    })
    .await
}

async fn put_accelerate(
    cx: &Cx,
    input: PutBucketAccelerateConfigurationRequest,
) -> Result<PutBucketAccelerateConfigurationResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let status = input.accelerate_configuration.status.ok_or_else(errors::malformed_xml)?;
    refuse(&[("transfer acceleration", status != "Suspended")])?;
    if bucket.name.contains('.') {
        let text = "S3 Transfer Acceleration is not supported for buckets with periods (.) in their names";
        return Err(errors::invalid_request(text));
    }
    say(cx, &bucket.name, |said| said.acceleration = true).await?;
    Ok(PutBucketAccelerateConfigurationResponse {})
}

async fn put_logging(cx: &Cx, input: PutBucketLoggingRequest) -> Result<PutBucketLoggingResponse, Error> {
    bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    refuse(&[("LoggingEnabled", input.bucket_logging_status.logging_enabled.is_some())])?;
    Ok(PutBucketLoggingResponse {})
}

async fn put_ownership(
    cx: &Cx,
    input: PutBucketOwnershipControlsRequest,
) -> Result<PutBucketOwnershipControlsResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let [rule] = &input.ownership_controls.rules[..] else { return Err(errors::malformed_xml()) };
    let ownership = Ownership::named(&rule.object_ownership).ok_or_else(errors::malformed_xml)?;
    change(cx, &bucket.name, |bucket| {
        bucket.ownership = ownership;
        bucket.said.no_ownership = false;
        Ok(())
    })
    .await?;
    Ok(PutBucketOwnershipControlsResponse {})
}

/// Objects are their writers' then, and lists could be set; there are still none but the owner's ([`check_acl`]).
async fn delete_ownership(
    cx: &Cx,
    input: DeleteBucketOwnershipControlsRequest,
) -> Result<DeleteBucketOwnershipControlsResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    say(cx, &bucket.name, |said| said.no_ownership = true).await?;
    Ok(DeleteBucketOwnershipControlsResponse {})
}

async fn put_payment(cx: &Cx, input: PutBucketRequestPaymentRequest) -> Result<PutBucketRequestPaymentResponse, Error> {
    bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    refuse(&[("requests that the requester pays", input.request_payment_configuration.payer != "BucketOwner")])?;
    Ok(PutBucketRequestPaymentResponse {})
}

async fn put_bucket_acl(cx: &Cx, input: PutBucketAclRequest) -> Result<PutBucketAclResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let grants = [&input.grant_full_control, &input.grant_read, &input.grant_read_acp, &input.grant_write];
    let granted = grants.iter().any(|grant| grant.is_some()) || input.grant_write_acp.is_some();
    let asked = Asked { canned: input.acl.as_deref(), granted, document: input.access_control_policy.as_ref() };
    check_acl(&asked, &bucket.owner, bucket.has_lists())?;
    Ok(PutBucketAclResponse {})
}

async fn put_object_acl(cx: &Cx, input: PutObjectAclRequest) -> Result<PutObjectAclResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    versions::find(cx.store(), &bucket.name, &input.key, input.version_id.as_deref())?;
    let grants = [&input.grant_full_control, &input.grant_read, &input.grant_read_acp, &input.grant_write];
    let granted = grants.iter().any(|grant| grant.is_some()) || input.grant_write_acp.is_some();
    let asked = Asked { canned: input.acl.as_deref(), granted, document: input.access_control_policy.as_ref() };
    check_acl(&asked, &bucket.owner, bucket.has_lists())?;
    Ok(PutObjectAclResponse::default())
}

/// A list that somebody wants to set.
struct Asked<'a> {
    canned: Option<&'a str>,
    /// By headers.
    granted: bool,
    document: Option<&'a AccessControlPolicy>,
}

/// Where the bucket's owner owns all objects, S3 takes one list only, which says so. With other ownership
/// controls, or none, it would take any: that of the owner alone is what holds here.
fn check_acl(asked: &Asked<'_>, account: &str, free: bool) -> Result<(), Error> {
    let ways = usize::from(asked.canned.is_some()) + usize::from(asked.granted) + usize::from(asked.document.is_some());
    if ways == 0 {
        let text = "Your request was missing a required header";
        return Err(Error::sender("MissingSecurityHeader", text));
    }
    if ways > 1 {
        let text = "Specifying both Canned ACLs and Header Grants is not allowed";
        return Err(errors::invalid_request(text));
    }
    let holds = match (asked.canned, asked.document) {
        (Some("bucket-owner-full-control"), _) => true,
        (Some("private" | "bucket-owner-read"), _) => free,
        (None, Some(list)) => is_the_owners(list, account),
        _ => false,
    };
    match (holds, free) {
        (true, _) => Ok(()),
        (false, true) => refuse(&[("access control lists", true)]),
        (false, false) => Err(errors::no_acls()),
    }
}

fn is_the_owners(list: &AccessControlPolicy, account: &str) -> bool {
    let id = owner(account).id;
    let is_theirs = |grant: &Grant| {
        grant.permission.as_deref() == Some("FULL_CONTROL") && grant.grantee.as_ref().is_some_and(|g| g.id == id)
    };
    list.grants.len() == 1 && list.grants.iter().all(is_theirs)
}
