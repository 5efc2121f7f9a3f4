//! Nobody is judged by another path in the place of what cannot be read.

use super::{code, platform, root};
use crate::records::{AccessKey, Group, everywhere};
use kiln_iam_shapes::*;
use kiln_service_kit::{Caller, CallerKind, Record, StoreError};
use serde::{Deserialize, Serialize};

/// What stands in the place of a group or an access key and does not read as one.
#[derive(Clone, Serialize, Deserialize)]
struct Damaged<const KEY: bool> {}

impl<const KEY: bool> Record for Damaged<KEY> {
    const KIND: &'static str = if KEY { AccessKey::KIND } else { Group::KIND };
}

#[tokio::test]
async fn nobody_is_judged_without_what_cannot_be_read() {
    let platform = platform().await;
    let cx = root(&platform);
    cx.call(CreateUserRequest { user_name: "ann".to_owned(), ..Default::default() }).await.expect("made");
    let ann = cx.as_caller(Caller {
        arn: format!("arn:aws:iam::{}:user/ann", cx.account()),
        kind: CallerKind::User { name: "ann".to_owned() },
        ..Caller::root(cx.account())
    });
    let group = GetGroupRequest { group_name: "Crew".to_owned(), ..Default::default() };
    let key = GetAccessKeyLastUsedRequest { access_key_id: "AKIADAMAGED000000000".to_owned() };
    assert_eq!(code(ann.call(group.clone()).await), "AccessDenied", "of what is not there, by its name");
    assert_eq!(code(ann.call(key.clone()).await), "AccessDenied");

    let damaged = cx.store().write::<_, StoreError>(|tx| {
        tx.put(&cx.global_scope(), "crew", Damaged::<false> {})?;
        tx.put(&everywhere(), &key.access_key_id, Damaged::<true> {})
    });
    damaged.await.expect("written");
    let told = ann.call(group).await.expect_err("nobody is judged").chain();
    assert!(told.contains("crew"), "{told}");
    let told = ann.call(key).await.expect_err("nobody is judged").chain();
    assert!(told.contains("AKIADAMAGED000000000"), "{told}");
}
