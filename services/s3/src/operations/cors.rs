//! Which pages of other origins may talk to a bucket ([`crate::cors`]): set, read, removed.

use super::bucket;
use super::settings::change;
use crate::cors::{Rule, check};
use crate::errors;
use crate::targets::of_bucket_by;
use kiln_s3_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(DeleteBucketCors: delete_cors(DeleteBucketCorsRequest),
        on |cx, r| of_bucket_by(cx, &r.bucket, "s3:PutBucketCORS")),
    operation!(GetBucketCors: get_cors(GetBucketCorsRequest),
        on |cx, r| of_bucket_by(cx, &r.bucket, "s3:GetBucketCORS")),
    operation!(PutBucketCors: put_cors(PutBucketCorsRequest),
        on |cx, r| of_bucket_by(cx, &r.bucket, "s3:PutBucketCORS")),
];

async fn put_cors(cx: &Cx, input: PutBucketCorsRequest) -> Result<PutBucketCorsResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    let rules = check(&input.cors_configuration.cors_rules)?;
    set(cx, &bucket.name, rules).await?;
    Ok(PutBucketCorsResponse {})
}

async fn get_cors(cx: &Cx, input: GetBucketCorsRequest) -> Result<GetBucketCorsResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    if bucket.cors.is_empty() {
        let text = "The CORS configuration does not exist";
        return Err(errors::not_configured("NoSuchCORSConfiguration", text, &bucket.name));
    }
    let shown = |rule: &Rule| CORSRule {
        id: rule.id.clone(),
        allowed_headers: rule.headers.clone(),
        allowed_methods: rule.methods.clone(),
        allowed_origins: rule.origins.clone(),
        expose_headers: rule.exposed.clone(),
        max_age_seconds: rule.max_age,
    };
    Ok(GetBucketCorsResponse { cors_rules: bucket.cors.iter().map(shown).collect() })
}

async fn delete_cors(cx: &Cx, input: DeleteBucketCorsRequest) -> Result<DeleteBucketCorsResponse, Error> {
    let bucket = bucket(cx, &input.bucket, input.expected_bucket_owner.as_ref())?;
    set(cx, &bucket.name, vec![]).await?;
    Ok(DeleteBucketCorsResponse {})
}

async fn set(cx: &Cx, bucket: &str, rules: Vec<Rule>) -> Result<(), Error> {
    change(cx, bucket, |bucket| {
        bucket.cors = rules;
        Ok(())
    })
    .await
}
