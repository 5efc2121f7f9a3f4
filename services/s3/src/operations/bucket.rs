//! Buckets: making, finding, listing and removing them.

use super::{bucket, check_region};
use crate::arn::bucket_arn;
use crate::canonical::owner;
use crate::described::refuse;
use crate::errors;
use crate::files::ObjectFiles;
use crate::records::{
    Bucket as Record, LifecycleRun, Marker, Object, Ownership, Part, PublicAccess, Upload, Version, all_buckets, within,
};
use crate::targets::{of_bucket, of_bucket_by, of_new_bucket};
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Target, operation, paginate, regions};
use std::ops::Bound;

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateBucket: create_bucket(CreateBucketRequest),
        on |cx, r| of_new_bucket(cx, &r.bucket, &r.object_ownership)),
    operation!(DeleteBucket: delete_bucket(DeleteBucketRequest), on |cx, r| of_bucket(cx, &r.bucket)),
    operation!(GetBucketLocation: get_bucket_location(GetBucketLocationRequest), on |cx, r| of_bucket(cx, &r.bucket)),
    operation!(HeadBucket: head_bucket(HeadBucketRequest), on |cx, r| of_bucket_by(cx, &r.bucket, "s3:ListBucket")),
    operation!(ListBuckets: list_buckets(ListBucketsRequest), on |cx, _| Target::new(bucket_arn(cx, "*")).by("s3:ListAllMyBuckets")),
];

/// The region that needs no location constraint, and takes a second CreateBucket for a success.
const FIRST_REGION: &str = "us-east-1";

async fn create_bucket(cx: &Cx, input: CreateBucketRequest) -> Result<CreateBucketResponse, Error> {
    check_name(&input.bucket)?;
    let ownership = input.object_ownership.as_deref().map_or(Some(Ownership::default()), Ownership::named);
    let ownership = ownership.ok_or_else(errors::malformed_xml)?;
    check_bucket_acl(&input, ownership)?;
    check_region(cx)?;
    let wanted = input.create_bucket_configuration.unwrap_or_default();
    refuse(&[
        ("ObjectLockEnabledForBucket", input.object_lock_enabled_for_bucket == Some(true)),
        ("directory buckets", wanted.location.is_some() || wanted.bucket.is_some()),
        ("BucketNamespace", input.bucket_namespace.as_deref().is_some_and(|namespace| namespace != "global")),
    ])?;
    let tags = crate::tagging::of_new_bucket(cx, &wanted.tags)?;
    let region = region(cx, wanted.location_constraint.as_deref())?;
    let name = input.bucket;
    // Of the first region only the path, as ever.
    let location = if region == FIRST_REGION { format!("/{name}") } else { super::address(cx, &name, "") };
    let record = Record {
        name: name.clone(),
        owner: cx.account().to_owned(),
        region,
        created: cx.now(),
        tags,
        versioning: None,
        public_access: PublicAccess::of_a_new_bucket(),
        policy: None,
        bucket_key: false,
        kms: None,
        ownership,
        cors: vec![],
        lifecycle: None,
        notifications: vec![],
        event_bridge: false,
        said: Default::default(),
    };
    cx.store()
        .write(|tx| {
            match tx.get::<Record>(&all_buckets(), &name)? {
                None => tx.put(&all_buckets(), &name, record)?,
                Some(there) if there.owner != cx.account() => return Err(errors::already_exists(&name)),
                Some(there) if there.region == FIRST_REGION && record.region == FIRST_REGION => {}
                Some(_) => return Err(errors::owned_by_you(&name)),
            }
            Ok(())
        })
        .await?;
    Ok(CreateBucketResponse { location: Some(location), bucket_arn: Some(bucket_arn(cx, &name)) })
}

/// Where the bucket is to live. A request to the first region may name any other; one to another region
/// must name that.
fn region(cx: &Cx, constraint: Option<&str>) -> Result<String, Error> {
    // A URL of version 2 of the signature names none.
    let asked = if cx.region().is_empty() { FIRST_REGION } else { cx.region() };
    let constraint = constraint.map(|constraint| if constraint == "EU" { "eu-west-1" } else { constraint });
    match constraint.filter(|constraint| !constraint.is_empty()) {
        None if asked == FIRST_REGION => Ok(asked.to_owned()),
        None => Err(errors::illegal_location(
            "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.",
        )),
        Some(constraint) if constraint == asked && asked != FIRST_REGION => Ok(constraint.to_owned()),
        Some(constraint) if asked == FIRST_REGION => {
            let known = regions::region(constraint).filter(|known| known.name != FIRST_REGION);
            let known = known.filter(|known| known.partition == regions::partition_of(asked));
            known.map(|known| known.name.to_owned()).ok_or_else(|| errors::invalid_location(constraint))
        }
        Some(constraint) => Err(errors::illegal_location(&format!(
            "The {constraint} location constraint is incompatible for the region specific endpoint this request was sent to."
        ))),
    }
}

/// `private` is what holds anyway; of a bucket that has lists no other is built.
fn check_bucket_acl(input: &CreateBucketRequest, ownership: Ownership) -> Result<(), Error> {
    let grants = [&input.grant_full_control, &input.grant_read, &input.grant_read_acp, &input.grant_write];
    let granted = grants.iter().any(|grant| grant.is_some()) || input.grant_write_acp.is_some();
    match input.acl.as_deref() {
        Some(_) if granted => {
            Err(errors::invalid_request("Specifying both Canned ACLs and Header Grants is not allowed"))
        }
        None | Some("private") if !granted => Ok(()),
        _ if ownership == Ownership::Enforced => Err(errors::no_acls_with_ownership()),
        _ => refuse(&[("access control lists", true)]),
    }
}

/// AWS's rules for general purpose buckets' names.
fn check_name(name: &str) -> Result<(), Error> {
    let edge = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = name.as_bytes();
    let plain = bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'));
    let reserved = ["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|start| name.starts_with(start))
        || ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"].iter().any(|end| name.ends_with(end));
    let good = (3..=63).contains(&name.len())
        && plain
        && edge(bytes.first())
        && edge(bytes.last())
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
        && !reserved;
    if good { Ok(()) } else { Err(errors::invalid_bucket_name(name)) }
}

async fn delete_bucket(cx: &Cx, input: DeleteBucketRequest) -> Result<DeleteBucketResponse, Error> {
    let found = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let scope = within(&found.name);
    let pieces = cx
        .store()
        .write(|tx| {
            super::still_there(tx, &found.name)?;
            let objects = !tx.range::<Object>(&scope, Bound::Unbounded, 1)?.is_empty();
            let versions = !tx.range::<Marker>(&scope, Bound::Unbounded, 1)?.is_empty()
                || !tx.range::<Version>(&scope, Bound::Unbounded, 1)?.is_empty();
            if versions {
                return Err(errors::not_empty(&found.name, " You must delete all versions in the bucket."));
            }
            if objects {
                return Err(errors::not_empty(&found.name, ""));
            }
            // Uploads that nobody completed go with the bucket.
            for (id, _) in tx.list::<Upload>(&scope)? {
                tx.delete::<Upload>(&scope, &id);
            }
            let mut pieces = vec![];
            for (id, part) in tx.list::<Part>(&scope)? {
                pieces.push(part.piece.clone());
                tx.delete::<Part>(&scope, &id);
            }
            tx.delete::<LifecycleRun>(&scope, LifecycleRun::ID);
            tx.delete::<Record>(&all_buckets(), &found.name);
            Ok(pieces)
        })
        .await?;
    cx.part::<ObjectFiles>()?.remove(&pieces).await;
    Ok(DeleteBucketResponse {})
}

async fn get_bucket_location(cx: &Cx, input: GetBucketLocationRequest) -> Result<GetBucketLocationResponse, Error> {
    // Asked from any region: it is how the right one is found.
    check_region(cx)?;
    let found = super::in_any_region(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    Ok(GetBucketLocationResponse {
        location_constraint: Some(found.region.clone()).filter(|region| region != FIRST_REGION),
    })
}

async fn head_bucket(cx: &Cx, input: HeadBucketRequest) -> Result<HeadBucketResponse, Error> {
    let found = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    Ok(HeadBucketResponse {
        bucket_arn: Some(bucket_arn(cx, &found.name)),
        bucket_region: Some(found.region.clone()),
        access_point_alias: Some(false),
        ..Default::default()
    })
}

async fn list_buckets(cx: &Cx, input: ListBucketsRequest) -> Result<ListBucketsResponse, Error> {
    check_region(cx)?;
    let prefix = input.prefix.as_deref().unwrap_or("");
    let mine = cx.store().by_key::<Record>(&all_buckets(), "owner", cx.account())?;
    let mine = mine.into_iter().map(|(_, bucket)| bucket).filter(|bucket| bucket.name.starts_with(prefix));
    let in_region =
        mine.filter(|bucket| input.bucket_region.as_ref().is_none_or(|region| *region == bucket.region)).collect();
    let most = usize::try_from(input.max_buckets.unwrap_or(10_000)).unwrap_or(1);
    let token = input.continuation_token.as_deref();
    let bad = || {
        errors::invalid_argument(
            "continuation-token",
            token.unwrap_or(""),
            "The continuation token provided is incorrect",
        )
    };
    let page = paginate(in_region, |bucket| &bucket.name, token, most, bad)?;
    let buckets = page.items.iter().map(|bucket| Bucket {
        name: Some(bucket.name.clone()),
        creation_date: Some(bucket.created),
        bucket_region: Some(bucket.region.clone()),
        bucket_arn: Some(bucket_arn(cx, &bucket.name)),
    });
    Ok(ListBucketsResponse {
        buckets: buckets.collect(),
        owner: Some(owner(cx.account())),
        continuation_token: page.next_token,
        prefix: input.prefix,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_aws_takes() {
        let long = "a".repeat(63);
        for good in ["abc", "my-bucket.1", "0ab", long.as_str()] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        let longer = "a".repeat(64);
        for bad in ["ab", "Abc", "-abc", "abc-", "a..b", "192.168.1.1", "xn--abc", "abc_d", "x-s3alias", &longer] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
