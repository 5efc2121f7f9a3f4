//! What becomes of a key: rotated, deleted, with a clock that is moved.

use super::{code, decrypt, decrypted, encrypted, given, key};
use crate::controllers::key::Keys;
use kiln_kms_shapes::*;
use kiln_service_kit::{AnyController, Chaos, Cx};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The clock moves, and the controller looks at every key.
async fn pass(cx: &Cx, time: Duration) {
    tokio::time::advance(time).await;
    for name in AnyController::all(&Keys, cx.store()).expect("listed") {
        let passed = Keys.pass(cx, &name, &|_| Chaos::None).await;
        assert!(passed.error.is_none(), "{:?}", passed.error);
    }
}

async fn rotations(cx: &Cx, key: &str) -> Vec<String> {
    let asked = ListKeyRotationsRequest { key_id: key.to_owned(), ..Default::default() };
    let listed = cx.call(asked).await.expect("listed").rotations;
    listed.into_iter().filter_map(|one| one.rotation_type).collect()
}

#[tokio::test(start_paused = true)]
async fn a_key_is_deleted_when_it_has_waited_and_not_before() {
    let cx = given().await;
    let id = key(&cx).await;
    cx.call(CreateAliasRequest { alias_name: "alias/shop".into(), target_key_id: id.clone() }).await.expect("made");
    let blob = encrypted(&cx, "alias/shop", "words").await;
    let asked = ScheduleKeyDeletionRequest { key_id: id.clone(), pending_window_in_days: Some(7) };
    cx.call(asked.clone()).await.expect("scheduled");
    pass(&cx, 7 * DAY - Duration::from_secs(60)).await;
    assert_eq!(code(cx.call(decrypt(&blob)).await), "KMSInvalidStateException", "still there");
    cx.call(CancelKeyDeletionRequest { key_id: id.clone() }).await.expect("taken back");
    pass(&cx, 2 * DAY).await;
    cx.call(EnableKeyRequest { key_id: id.clone() }).await.expect("still there");
    assert_eq!(decrypted(&cx, &blob).await, "words");

    cx.call(asked).await.expect("scheduled");
    pass(&cx, 7 * DAY + Duration::from_secs(60)).await;
    let describe = DescribeKeyRequest { key_id: id.clone(), ..Default::default() };
    assert_eq!(code(cx.call(describe).await), "NotFoundException");
    assert_eq!(code(cx.call(decrypt(&blob)).await), "AccessDeniedException", "nothing opens it any more");
    assert!(cx.call(ListAliasesRequest::default()).await.expect("listed").aliases.is_empty());
    assert!(cx.call(ListKeysRequest::default()).await.expect("listed").keys.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_key_rotates_by_its_schedule_and_old_ciphertexts_still_decrypt() {
    let cx = given().await;
    let id = key(&cx).await;
    let first = encrypted(&cx, &id, "first").await;
    cx.call(RotateKeyOnDemandRequest { key_id: id.clone() }).await.expect("rotated");
    assert_eq!(rotations(&cx, &id).await, ["ON_DEMAND"]);
    let second = encrypted(&cx, &id, "second").await;
    let asked = EnableKeyRotationRequest { key_id: id.clone(), rotation_period_in_days: Some(90) };
    cx.call(asked).await.expect("enabled");
    let status = cx.call(GetKeyRotationStatusRequest { key_id: id.clone() }).await.expect("told");
    assert_eq!((status.key_rotation_enabled, status.rotation_period_in_days), (Some(true), Some(90)));
    pass(&cx, 89 * DAY).await;
    assert_eq!(rotations(&cx, &id).await, ["ON_DEMAND"]);
    pass(&cx, 2 * DAY).await;
    assert_eq!(rotations(&cx, &id).await, ["ON_DEMAND", "AUTOMATIC"]);
    let third = encrypted(&cx, &id, "third").await;
    for (blob, text) in [(&first, "first"), (&second, "second"), (&third, "third")] {
        assert_eq!(decrypted(&cx, blob).await, text);
    }
    let materials = [&first, &second, &third].map(|blob| crate::blob::head(&blob.0).expect("a blob").material);
    assert_eq!(materials, [0, 1, 2]);

    // Disabled it is not rotated; enabled again it is, at once, when its time has gone by.
    cx.call(DisableKeyRequest { key_id: id.clone() }).await.expect("disabled");
    pass(&cx, 100 * DAY).await;
    assert_eq!(rotations(&cx, &id).await.len(), 2);
    cx.call(EnableKeyRequest { key_id: id.clone() }).await.expect("enabled");
    pass(&cx, Duration::ZERO).await;
    assert_eq!(rotations(&cx, &id).await.len(), 3);
    cx.call(DisableKeyRotationRequest { key_id: id.clone() }).await.expect("disabled");
    pass(&cx, 200 * DAY).await;
    assert_eq!(rotations(&cx, &id).await.len(), 3);

    for _ in 1..25 {
        cx.call(RotateKeyOnDemandRequest { key_id: id.clone() }).await.expect("rotated");
    }
    assert_eq!(code(cx.call(RotateKeyOnDemandRequest { key_id: id }).await), "LimitExceededException");
}
