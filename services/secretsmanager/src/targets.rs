//! What calls touch, for policies: secrets, with their tags, their owner and the policy that is on them. Source: Service
//! Authorization Reference, "Actions, resources, and condition keys for AWS Secrets Manager".

use crate::names::{self, Named};
use crate::policy::owned;
use kiln_secretsmanager_shapes::{CreateSecretRequest, Tag};
use kiln_service_kit::{Cx, Error, Target};

/// A secret that a request names. One that is not there matches policies by the ARN that it would have.
pub fn secret(cx: &Cx, given: &str) -> Result<Target, Error> {
    let target = match names::look(cx, cx.store(), given)? {
        Some(found) => {
            let owner = owned(cx, &found.scope, &found.secret);
            let arn = found.arn(cx);
            Target::new(&*arn)
                .tagged("secretsmanager", &found.secret.tags)
                .of(owner)
                .with("secretsmanager:SecretId", arn)
        }
        None => {
            let arn = match names::parse(cx, given) {
                Some(Named::Name(name)) => names::arn_of(cx, cx.scope(), name),
                Some(Named::Arn(..)) | None => given.to_owned(),
            };
            Target::new(&*arn).with("secretsmanager:SecretId", arn)
        }
    };
    Ok(target)
}

/// A secret that is to be made: a name is known, and tags.
pub fn made(cx: &Cx, request: &CreateSecretRequest) -> Vec<Target> {
    let mut target =
        Target::new(names::arn_of(cx, cx.scope(), &request.name)).with("secretsmanager:Name", &request.name);
    if let Some(description) = &request.description {
        target = target.with("secretsmanager:Description", description);
    }
    if let Some(key) = &request.kms_key_id {
        target = target.with("secretsmanager:KmsKeyId", key);
    }
    let target = given(target, &request.tags);
    match request.tags.is_empty() {
        true => vec![target],
        false => vec![target.clone(), target.by("secretsmanager:TagResource")],
    }
}

/// With the tags that the request gives.
pub fn given(target: Target, tags: &[Tag]) -> Target {
    let pairs =
        tags.iter().map(|tag| (tag.key.as_deref().unwrap_or_default(), tag.value.as_deref().unwrap_or_default()));
    target.given_tags(pairs)
}
