//! Secrets of Secrets Manager.

use kiln_secretsmanager_shapes as secrets;
use kiln_testkit::{Broken, Testkit, break_each_step};
use std::sync::OnceLock;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A deleted secret waits, and is had back; deleted again it goes once its window is over, and its name is free.
pub fn goes() -> &'static Broken {
    static DONE: OnceLock<Broken> = OnceLock::new();
    let services = || Testkit::new(1).services([kiln_kms::service(), kiln_secretsmanager::service()]);
    DONE.get_or_init(|| {
        break_each_step(services, |kit| async move {
            let create = || secrets::CreateSecretRequest {
                name: "db".to_owned(),
                secret_string: Some("words".to_owned()),
                ..Default::default()
            };
            kit.call(create()).await.expect("made");
            let secret_id = || "db".to_owned();
            let delete = || secrets::DeleteSecretRequest {
                secret_id: secret_id(),
                recovery_window_in_days: Some(7),
                ..Default::default()
            };
            kit.call(delete()).await.expect("deleted");
            kit.settle().await;
            kit.jump(6 * DAY).await;
            kit.settle().await;
            kit.call(secrets::RestoreSecretRequest { secret_id: secret_id() }).await.expect("had back");
            kit.settle().await;
            kit.jump(2 * DAY).await;
            kit.settle().await;
            let get = || secrets::GetSecretValueRequest { secret_id: secret_id(), ..Default::default() };
            let value = kit.call(get()).await.expect("read").secret_string.expect("a text");
            kit.call(delete()).await.expect("deleted again");
            let taken = kit.call(create()).await.expect_err("its name is taken").code;
            kit.jump(7 * DAY).await;
            kit.settle().await;
            let gone = kit.call(get()).await.expect_err("it is gone").code;
            kit.call(create()).await.expect("its name is free");
            format!("{value}, then {taken}, then {gone}")
        })
    })
}
