//! Keys of KMS.

use kiln_kms_shapes as kms;
use kiln_service_kit::Blob;
use kiln_testkit::{Broken, Testkit, break_each_step};
use std::sync::OnceLock;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A key is rotated by its schedule, and what it encrypted before still decrypts; it is deleted once it has waited.
pub fn rotates_and_goes() -> &'static Broken {
    static DONE: OnceLock<Broken> = OnceLock::new();
    let services = || Testkit::new(1).services([kiln_kms::service()]);
    DONE.get_or_init(|| {
        break_each_step(services, |kit| async move {
            let made = kit.call(kms::CreateKeyRequest::default()).await.expect("made").key_metadata.expect("a key");
            let key_id = made.key_id.expect("an id");
            let alias_name = "alias/shop".to_owned();
            kit.call(kms::CreateAliasRequest { alias_name, target_key_id: key_id.clone() }).await.expect("made");
            let plaintext = Blob(b"words".to_vec());
            let asked = kms::EncryptRequest { key_id: key_id.clone(), plaintext, ..Default::default() };
            let ciphertext_blob = kit.call(asked).await.expect("encrypted").ciphertext_blob;
            let asked = kms::EnableKeyRotationRequest { key_id: key_id.clone(), rotation_period_in_days: Some(90) };
            kit.call(asked).await.expect("enabled");
            kit.settle().await;
            kit.jump(90 * DAY).await;
            kit.settle().await;
            let asked = kms::ListKeyRotationsRequest { key_id: key_id.clone(), ..Default::default() };
            let rotations = kit.call(asked).await.expect("listed").rotations.len();
            let asked = kms::DecryptRequest { ciphertext_blob, ..Default::default() };
            let opened = kit.call(asked.clone()).await.expect("decrypted").plaintext == Some(Blob(b"words".to_vec()));

            let schedule = kms::ScheduleKeyDeletionRequest { key_id: key_id.clone(), pending_window_in_days: Some(7) };
            kit.call(schedule).await.expect("scheduled");
            kit.settle().await;
            kit.jump(6 * DAY).await;
            kit.settle().await;
            let waits = kit.call(asked.clone()).await.expect_err("it waits").code;
            kit.jump(DAY).await;
            kit.settle().await;
            let gone = kit.call(asked).await.expect_err("it is gone").code;
            let aliases = kit.call(kms::ListAliasesRequest::default()).await.expect("listed").aliases.len();
            format!("{rotations} rotation, opened {opened}, then {waits}, then {gone}, {aliases} aliases")
        })
    })
}
