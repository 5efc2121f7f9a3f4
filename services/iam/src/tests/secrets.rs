use super::{platform, root};
use crate::records::{AccessKey, Secret, everywhere};
use crate::secrets::seal_all;
use kiln_iam_shapes::*;
use kiln_service_kit::Error;

#[tokio::test]
async fn a_secret_is_sealed_in_the_database_and_what_was_open_is_sealed_at_the_next_start() {
    let platform = platform().await;
    let (cx, access) = (root(&platform), platform.access().expect("iam was started"));
    cx.call(CreateUserRequest { user_name: "ann".to_owned(), ..Default::default() }).await.expect("made");
    let made = cx.call(CreateAccessKeyRequest { user_name: Some("ann".to_owned()) }).await.expect("made");
    let made = made.access_key.expect("a key");
    let (id, secret) = (made.access_key_id.expect("an id"), made.secret_access_key.expect("a secret"));
    let kept = || cx.store().get::<AccessKey>(&everywhere(), &id).expect("read").expect("there");
    let is_sealed = || {
        let record = serde_json::to_string(&*kept()).expect("JSON");
        assert_eq!(access.credential(&id).expect("read").expect("known").secret, secret);
        matches!(kept().secret, Secret::Sealed { .. }) && !record.contains(&secret)
    };
    assert!(is_sealed());
    assert!(!format!("{:?}", kept()).contains(&secret));

    // As an earlier version wrote it.
    let mut old = serde_json::to_value(&*kept()).expect("JSON");
    old["secret"] = secret.clone().into();
    let old: AccessKey = serde_json::from_value(old).expect("it is read");
    cx.store().write::<_, Error>(|tx| Ok(tx.put(&everywhere(), &id, old)?)).await.expect("written");
    assert!(!is_sealed(), "and yet it is good");
    seal_all(&platform).await.expect("sealed");
    assert!(is_sealed());

    // One that was put elsewhere on the disk is good for nothing.
    let other = AccessKey { id: "AKIAOTHER".to_owned(), ..(*kept()).clone() };
    cx.store().write::<_, Error>(|tx| Ok(tx.put(&everywhere(), "AKIAOTHER", other)?)).await.expect("written");
    assert!(access.credential("AKIAOTHER").is_err(), "a secret is bound to its access key");
}
