//! Iam by its public operations, on a store in memory.

mod access;
mod groups_and_users;
mod last_used;
mod on_resources;
mod policies;
mod resources;
mod roles;
mod secrets;
mod targets;

use kiln_service_kit::{
    Caller, CallerKind, Clock, Cx, Error, IdSource, Platform, PlatformBuilder, RootCredential, Scope, Store, Timestamp,
};
use std::sync::Arc;

pub const ACCOUNT: &str = "111122223333";
pub const ALLOW_ALL: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
pub const EC2_TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;

/// A platform with iam alone, started.
pub async fn platform() -> Arc<Platform> {
    let clock = Clock::simulated(Timestamp(1_700_000_000_000));
    let platform = PlatformBuilder::new(Store::in_memory(clock.clone()), clock, IdSource::seeded(1))
        .service(crate::service())
        .home(Scope::new(ACCOUNT, "us-east-1"))
        .part(kiln_sealing::RootKey::new(&IdSource::seeded(1)))
        .part(RootCredential { access_key: "AKIAROOT".to_owned(), secret: "root".to_owned() })
        .build();
    for start in platform.services().iter().flat_map(|service| service.start.iter()) {
        start(platform.clone()).await.expect("iam starts");
    }
    platform
}

/// The root user's context.
pub fn root(platform: &Arc<Platform>) -> Cx {
    Cx::new(platform.clone(), Scope::new(ACCOUNT, "us-east-1"), Caller::root(ACCOUNT), "req")
}

/// The context of whoever has that access key.
pub fn with_key(platform: &Arc<Platform>, access_key: &str) -> Cx {
    let access = platform.access().expect("iam was started");
    let found = access.credential(access_key).expect("credentials can be read").expect("a known key");
    root(platform).as_caller(found.caller)
}

/// The context of a session of that role.
pub fn session(cx: &Cx, role: &kiln_iam_shapes::Role, session_policies: &[&str]) -> Cx {
    let (name, id) = (role.role_name.clone().expect("a name"), role.role_id.clone().expect("an id"));
    cx.as_caller(Caller {
        account: ACCOUNT.to_owned(),
        arn: format!("arn:aws:sts::{ACCOUNT}:assumed-role/{name}/s1"),
        user_id: format!("{id}:s1"),
        access_key: "ASIASESSION".to_owned(),
        kind: CallerKind::Role {
            role_name: name,
            session_name: "s1".to_owned(),
            session_policies: session_policies.iter().map(|&p| p.to_owned()).collect(),
            session_tags: vec![("team".to_owned(), "blue".to_owned())],
            transitive_tags: vec![],
            source_identity: None,
        },
    })
}

/// Code and message of a refusal.
pub fn refused<T: std::fmt::Debug>(answer: Result<T, Error>) -> (String, String) {
    let error = answer.expect_err("a refusal");
    (error.code.into_owned(), error.message)
}

/// The code of a refusal.
pub fn code<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    refused(answer).0
}
