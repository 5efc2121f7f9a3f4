//! Temporary credentials.

use kiln_iam_shapes as iam;
use kiln_sts_shapes as sts;
use kiln_testkit::{Broken, Testkit, break_each_step};
use std::sync::OnceLock;
use std::time::Duration;

/// Temporary credentials end and are forgotten.
pub fn ends() -> &'static Broken {
    static DONE: OnceLock<Broken> = OnceLock::new();
    let services = || Testkit::new(1).services([kiln_iam::service(), kiln_sts::service()]);
    DONE.get_or_init(|| {
        break_each_step(services, |kit| async move {
            let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}"#;
            let role = iam::CreateRoleRequest {
                role_name: "visitor".to_owned(),
                assume_role_policy_document: trust.to_owned(),
                ..Default::default()
            };
            kit.call(role).await.expect("made");
            let request = sts::AssumeRoleRequest {
                role_arn: "arn:aws:iam::000000000000:role/visitor".to_owned(),
                role_session_name: "guest".to_owned(),
                ..Default::default()
            };
            kit.call(request).await.expect("assumed");
            let sessions = || kit.platform().reports().iter().filter(|(c, ..)| *c == "sts/expiry").count();
            kit.settle().await;
            let mut told = vec![sessions()];
            // An hour of life, a day of memory.
            kit.advance(Duration::from_secs(26 * 3600)).await;
            kit.settle().await;
            told.push(sessions());
            format!("{told:?}")
        })
    })
}
