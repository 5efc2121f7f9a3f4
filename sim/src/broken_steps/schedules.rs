//! Rules and schedules that are due.

use kiln_events_shapes as events;
use kiln_iam_shapes as iam;
use kiln_scheduler_shapes as scheduler;
use kiln_service_kit::IdSource;
use kiln_sns::Signer;
use kiln_sqs::Messages;
use kiln_sqs_shapes as sqs;
use kiln_testkit::{Broken, Testkit, break_each_step};
use std::sync::OnceLock;
use std::time::Duration;

const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";

/// A rule and a schedule tell a queue, each time once; the schedule was for one time and goes.
pub fn come() -> &'static Broken {
    static DONE: OnceLock<Broken> = OnceLock::new();
    let services = || {
        let services = [
            kiln_iam::service(),
            kiln_sqs::service(),
            kiln_sns::service(),
            kiln_events::service(),
            kiln_scheduler::service(),
        ];
        let signer = || Signer::new(None, &IdSource::seeded(2), "http://127.0.0.1:4566");
        let messages = || Messages::in_memory().expect("SQLite in memory");
        Testkit::new(1).services(services).part(move |builder, _| builder.part(messages()).part(signer()))
    };
    DONE.get_or_init(|| {
        break_each_step(services, |kit| async move {
            let policy = format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"events.amazonaws.com"}},"Action":"sqs:SendMessage","Resource":"{QUEUE}"}}]}}"#
            );
            let attributes = [("Policy".to_owned(), policy)].into_iter().collect();
            let made = sqs::CreateQueueRequest { queue_name: "q".to_owned(), attributes, ..Default::default() };
            let queue_url = kit.call(made).await.expect("made").queue_url.expect("a URL");
            rule(&kit).await;
            schedule(&kit).await;
            kit.advance(Duration::from_secs(130)).await;
            kit.settle().await;
            let receive = sqs::ReceiveMessageRequest {
                queue_url,
                max_number_of_messages: Some(10),
                visibility_timeout: Some(600),
                ..Default::default()
            };
            let mut told: Vec<String> =
                kit.call(receive).await.expect("received").messages.into_iter().filter_map(|it| it.body).collect();
            told.sort();
            let left = kit.call(scheduler::ListSchedulesRequest::default()).await.expect("listed").schedules.len();
            format!("{told:?}, {left} schedules left")
        })
    })
}

/// Each minute.
async fn rule(kit: &Testkit) {
    let put = events::PutRuleRequest {
        name: "tick".to_owned(),
        schedule_expression: Some("rate(1 minute)".to_owned()),
        ..Default::default()
    };
    kit.call(put).await.expect("put");
    let target = events::Target {
        id: "1".to_owned(),
        arn: QUEUE.to_owned(),
        input: Some(r#""tick""#.to_owned()),
        ..Default::default()
    };
    let put = events::PutTargetsRequest { rule: "tick".to_owned(), event_bus_name: None, targets: vec![target] };
    kit.call(put).await.expect("put");
}

/// Once, a minute from now.
async fn schedule(kit: &Testkit) {
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"scheduler.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let role = iam::CreateRoleRequest {
        role_name: "teller".to_owned(),
        assume_role_policy_document: trust.to_owned(),
        ..Default::default()
    };
    let role_arn = kit.call(role).await.expect("made").role.and_then(|role| role.arn).expect("an ARN");
    let may = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sqs:SendMessage","Resource":"*"}]}"#;
    let put = iam::PutRolePolicyRequest {
        role_name: "teller".to_owned(),
        policy_name: "p".to_owned(),
        policy_document: may.to_owned(),
    };
    kit.call(put).await.expect("put");
    let at = (kit.now() + Duration::from_secs(60)).iso8601();
    let request = scheduler::CreateScheduleRequest {
        name: "once".to_owned(),
        schedule_expression: format!("at({})", at.trim_end_matches('Z')),
        action_after_completion: Some("DELETE".to_owned()),
        flexible_time_window: scheduler::FlexibleTimeWindow { mode: "OFF".to_owned(), ..Default::default() },
        target: scheduler::Target {
            arn: QUEUE.to_owned(),
            role_arn,
            input: Some("once".to_owned()),
            ..Default::default()
        },
        ..Default::default()
    };
    kit.call(request).await.expect("made");
}
