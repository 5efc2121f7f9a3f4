//! The service through its public operations, on a store in memory with iam, queues and event buses beside it, and what comes
//! of it when time passes: each test leads the controller itself.

use crate::controllers::schedule::Schedules;
use crate::records::Schedule;
use kiln_events_shapes as events;
use kiln_iam_shapes as iam;
use kiln_scheduler_shapes::*;
use kiln_service_kit::{
    AnyController, Caller, Chaos, Clock, Cx, Error, IdSource, Name, PlatformBuilder, RootCredential, Scope, Store,
    Timestamp,
};
use kiln_sqs_shapes as sqs;
use serde_json::{Value as Json, json};
use std::time::Duration;

const ACCOUNT: &str = "000000000000";
const ROLE: &str = "arn:aws:iam::000000000000:role/teller";

async fn given() -> Cx {
    let clock = Clock::simulated(Timestamp::parse("2026-01-01T00:00:00Z").expect("a time"));
    let store = Store::in_memory(clock.clone());
    let ids = IdSource::seeded(1);
    let messages = kiln_sqs::Messages::in_memory().expect("messages in memory");
    let root_key = kiln_sealing::RootKey::new(&ids);
    let signer = kiln_sns::Signer::new(None, &ids, "http://127.0.0.1:4566");
    let platform = PlatformBuilder::new(store, clock, ids)
        .part(root_key)
        .part(signer)
        .part(messages)
        .part(RootCredential { access_key: "AKIAEXAMPLE".to_owned(), secret: "secret".to_owned() })
        .service(kiln_iam::service())
        .service(kiln_sqs::service())
        .service(kiln_sns::service())
        .service(kiln_events::service())
        .service(crate::service())
        .build();
    for service in platform.services() {
        for start in &service.start {
            start(platform.clone()).await.expect("starts");
        }
    }
    let cx = Cx::new(platform, Scope::new(ACCOUNT, "us-east-1"), Caller::root(ACCOUNT), "test");
    role(&cx, "teller", "scheduler.amazonaws.com").await;
    cx.call(sqs::CreateQueueRequest { queue_name: "q".into(), ..Default::default() }).await.expect("made");
    cx
}

async fn role(cx: &Cx, name: &str, trusts: &str) {
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": trusts}, "Action": "sts:AssumeRole"}]});
    let made = iam::CreateRoleRequest {
        role_name: name.into(),
        assume_role_policy_document: trust.to_string(),
        ..Default::default()
    };
    cx.call(made).await.expect("made");
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["sqs:SendMessage", "events:PutEvents"], "Resource": "*"}]});
    let put = iam::PutRolePolicyRequest {
        role_name: name.into(),
        policy_name: "p".into(),
        policy_document: policy.to_string(),
    };
    cx.call(put).await.expect("put");
}

fn schedule(name: &str, expression: &str) -> CreateScheduleRequest {
    CreateScheduleRequest {
        name: name.into(),
        schedule_expression: expression.into(),
        flexible_time_window: FlexibleTimeWindow { mode: "OFF".into(), maximum_window_in_minutes: None },
        target: Target {
            arn: format!("arn:aws:sqs:us-east-1:{ACCOUNT}:q"),
            role_arn: ROLE.into(),
            input: Some(r#"{"at":"<aws.scheduler.scheduled-time>"}"#.into()),
            ..Default::default()
        },
        ..Default::default()
    }
}

/// Lets the time pass, and the controller look at a schedule as the runner would.
async fn pass(cx: &Cx, id: &str, seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let itself = Cx::for_service(cx.platform().clone(), cx.scope().clone(), crate::PRINCIPAL);
    let pass = AnyController::pass(&Schedules, &itself, &Name::new(cx.scope(), id), &|_| Chaos::Twice).await;
    assert_eq!(pass.error, None);
    tokio::time::sleep(Duration::from_millis(100)).await;
}

async fn came(cx: &Cx) -> Vec<String> {
    let asked = sqs::ReceiveMessageRequest {
        queue_url: format!("http://x/{ACCOUNT}/q"),
        max_number_of_messages: Some(10),
        visibility_timeout: Some(40_000),
        ..Default::default()
    };
    let all = cx.call(asked).await.expect("received").messages;
    let at = |body: String| {
        let json: Json = serde_json::from_str(&body).unwrap_or_else(|e| panic!("{e}: {body}"));
        json["at"].as_str().unwrap_or(&body).to_owned()
    };
    all.into_iter().filter_map(|message| message.body).map(at).collect()
}

fn code<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    answer.expect_err("must be refused").code.into_owned()
}

#[tokio::test(start_paused = true)]
async fn a_rate_begins_at_once_and_goes_on() {
    let cx = given().await;
    cx.call(schedule("s", "rate(1 minute)")).await.expect("made");
    pass(&cx, "default/s", 0).await;
    assert_eq!(came(&cx).await, ["2026-01-01T00:00:00Z"], "told once, though every step runs twice");
    pass(&cx, "default/s", 30).await;
    assert_eq!(came(&cx).await, [""; 0]);
    pass(&cx, "default/s", 30).await;
    assert_eq!(came(&cx).await, ["2026-01-01T00:01:00Z"]);
    // What was due while nobody looked is told once.
    pass(&cx, "default/s", 600).await;
    pass(&cx, "default/s", 0).await;
    assert_eq!(came(&cx).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_time_is_told_in_its_zone_and_the_schedule_goes() {
    let cx = given().await;
    let once = CreateScheduleRequest {
        schedule_expression_timezone: Some("Europe/Berlin".into()),
        action_after_completion: Some("DELETE".into()),
        ..schedule("s", "at(2026-01-01T01:10:00)")
    };
    cx.call(once).await.expect("made");
    pass(&cx, "default/s", 599).await;
    assert_eq!(came(&cx).await, [""; 0]);
    pass(&cx, "default/s", 2).await;
    assert_eq!(came(&cx).await, ["2026-01-01T00:10:00Z"]);
    pass(&cx, "default/s", 0).await;
    assert_eq!(
        code(cx.call(GetScheduleRequest { name: "s".into(), group_name: None }).await),
        "ResourceNotFoundException"
    );
}

#[tokio::test(start_paused = true)]
async fn dates_bound_it_and_a_window_puts_it_off() {
    let cx = given().await;
    let at = |text: &str| Some(Timestamp::parse(text).expect("a time"));
    let bounded = CreateScheduleRequest {
        start_date: at("2026-01-01T00:05:00Z"),
        end_date: at("2026-01-01T00:10:00Z"),
        flexible_time_window: FlexibleTimeWindow { mode: "FLEXIBLE".into(), maximum_window_in_minutes: Some(3) },
        ..schedule("s", "rate(10 minutes)")
    };
    cx.call(bounded).await.expect("made");
    let kept = cx.store().get::<Schedule>(cx.scope(), "default/s").expect("reads").expect("there");
    let (due, told) = kept.due.expect("a time");
    assert_eq!(due, at("2026-01-01T00:05:00Z").unwrap());
    assert!(told >= due && told.since(due) < Duration::from_secs(180), "{told}");
    pass(&cx, "default/s", 300 + 180).await;
    assert_eq!(came(&cx).await, ["2026-01-01T00:05:00Z"]);
    pass(&cx, "default/s", 3_600).await;
    assert_eq!(came(&cx).await, [""; 0], "after its end there is no more");
}

#[tokio::test(start_paused = true)]
async fn a_bus_gets_an_event_as_the_role() {
    let cx = given().await;
    let queue = format!("arn:aws:sqs:us-east-1:{ACCOUNT}:q");
    let open = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage", "Resource": queue}]});
    let attributes = [("Policy".to_owned(), open.to_string())].into_iter().collect();
    cx.call(sqs::SetQueueAttributesRequest { queue_url: format!("http://x/{ACCOUNT}/q"), attributes })
        .await
        .expect("set");
    let rule = events::PutRuleRequest {
        name: "r".into(),
        event_pattern: Some(r#"{"source":["clock"]}"#.into()),
        ..Default::default()
    };
    cx.call(rule).await.expect("put");
    let target =
        events::Target { id: "1".into(), arn: queue, input_path: Some("$.detail".into()), ..Default::default() };
    cx.call(events::PutTargetsRequest { rule: "r".into(), event_bus_name: None, targets: vec![target] })
        .await
        .expect("put");
    let mut to_bus = schedule("s", "rate(1 hour)");
    to_bus.target.arn = format!("arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default");
    assert_eq!(code(cx.call(to_bus.clone()).await), "ValidationException");
    to_bus.target.event_bridge_parameters =
        Some(EventBridgeParameters { source: "clock".into(), detail_type: "tick".into() });
    cx.call(to_bus).await.expect("made");
    pass(&cx, "default/s", 0).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(came(&cx).await, ["2026-01-01T00:00:00Z"]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_is_refused() {
    let cx = given().await;
    role(&cx, "other", "ec2.amazonaws.com").await;
    let with = |change: fn(&mut CreateScheduleRequest)| {
        let mut request = schedule("s", "rate(1 minute)");
        change(&mut request);
        cx.call(request)
    };
    for (answer, expected) in [
        (with(|r| r.schedule_expression = "rate(1 minutes)".into()).await, "ValidationException"),
        (with(|r| r.schedule_expression_timezone = Some("Mars".into())).await, "ValidationException"),
        (with(|r| r.target.role_arn = "arn:aws:iam::000000000000:role/other".into()).await, "ValidationException"),
        (with(|r| r.target.role_arn = "arn:aws:iam::000000000000:role/none".into()).await, "ValidationException"),
        (with(|r| r.group_name = Some("none".into())).await, "ResourceNotFoundException"),
        (with(|r| r.flexible_time_window.mode = "FLEXIBLE".into()).await, "ValidationException"),
        (with(|r| r.target.arn = "arn:aws:scheduler:::aws-sdk:ec2:stopInstances".into()).await, "NotImplemented"),
        (with(|r| r.target.arn = "arn:aws:lambda:us-east-1:000000000000:function:f".into()).await, "NotImplemented"),
        (with(|r| r.kms_key_arn = Some("arn:aws:kms:us-east-1:000000000000:key/k".into())).await, "NotImplemented"),
    ] {
        assert_eq!(code(answer), expected);
    }
    let first = CreateScheduleRequest { client_token: Some("t".into()), ..schedule("s", "rate(1 day)") };
    cx.call(first.clone()).await.expect("made");
    cx.call(first).await.expect("the same call again");
    assert_eq!(code(cx.call(schedule("s", "rate(1 day)")).await), "ConflictException");
}
