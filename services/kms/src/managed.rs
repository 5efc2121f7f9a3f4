//! AWS managed keys: one for each service and account, made when it is first asked for by its alias. Only through its
//! service can it be used, by everybody of the account whom the service serves: so says its policy, and nobody can
//! change it. Source: AWS KMS Developer Guide, "AWS managed keys", and the policies that AWS gives them.

use crate::material;
use crate::records::{Alias, Key, Rotation, State};
use kiln_service_kit::{Cx, Error};
use serde_json::json;
use std::collections::BTreeMap;

/// Services, and what AWS says of their keys.
const SERVICES: [(&str, &str); 5] = [
    ("s3", "Default key that protects my S3 objects when no other key is defined"),
    ("secretsmanager", "Default key that protects my Secrets Manager data when no other key is defined"),
    ("sns", "Default key that protects my SNS data when no other key is defined"),
    ("sqs", "Default key that protects my SQS messages when no other key is defined"),
    ("ssm", "Default key that protects my SSM parameters when no other key is defined"),
];

/// The service that an alias is of; none for an alias of a customer, or of a service that is none here.
pub fn service_of(alias: &str) -> Option<&'static str> {
    let name = alias.strip_prefix("alias/aws/")?;
    SERVICES.iter().map(|(service, _)| *service).find(|service| *service == name)
}

/// Makes the key of a service, once.
pub async fn make(cx: &Cx, service: &'static str) -> Result<(), Error> {
    // Also in a dry run: it is there as soon as somebody looks.
    let cx = cx.for_good();
    let alias = format!("alias/aws/{service}");
    if cx.store().get::<Alias>(cx.scope(), &alias)?.is_some() {
        return Ok(());
    }
    let id = cx.ids().uuid();
    let now = cx.now();
    let about = SERVICES.iter().find(|(name, _)| *name == service).map_or("", |(_, about)| about);
    let key = Key {
        id: id.clone(),
        created: now,
        description: about.to_owned(),
        policy: policy(&cx, service),
        tags: BTreeMap::new(),
        state: State::Enabled,
        managed_by: Some(service.to_owned()),
        rotation: Some(Rotation::every(Rotation::DEFAULT_DAYS, now)),
        materials: vec![material::new(&cx, cx.scope(), &id, None)?],
    };
    cx.store()
        .write(|tx| {
            // Two came at once.
            if tx.get::<Alias>(cx.scope(), &alias)?.is_none() {
                tx.put(cx.scope(), &id, key)?;
                tx.put(cx.scope(), &alias, Alias { name: alias.clone(), key: id.clone(), created: now, updated: now })?;
            }
            Ok(())
        })
        .await
}

/// Through the service everybody of the account may use it; its description and policy the account may read.
fn policy(cx: &Cx, service: &str) -> String {
    let (account, region) = (cx.account(), cx.region());
    json!({
        "Version": "2012-10-17",
        "Id": format!("auto-{service}-1"),
        "Statement": [
            {
                "Sid": format!("Allow access through {service} for all principals in the account that are authorized to use it"),
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey"],
                "Resource": "*",
                "Condition": {"StringEquals": {
                    "kms:CallerAccount": account,
                    "kms:ViaService": format!("{service}.{region}.amazonaws.com"),
                }},
            },
            {
                "Sid": "Allow direct access to key metadata to the account",
                "Effect": "Allow",
                "Principal": {"AWS": format!("arn:{}:iam::{account}:root", cx.partition())},
                "Action": ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"],
                "Resource": "*",
            },
        ],
    })
    .to_string()
}
