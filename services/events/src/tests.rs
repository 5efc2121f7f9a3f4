//! The service through its public operations, on a store in memory with iam, queues and topics beside it, and what comes of
//! it when time passes.

use kiln_events_shapes::*;
use kiln_service_kit::{
    Caller, Clock, Cx, Error, Happening, IdSource, Platform, PlatformBuilder, RootCredential, Scope, Store, Timestamp,
};
use kiln_sqs_shapes as sqs;
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::time::Duration;

const ACCOUNT: &str = "000000000000";
const OTHERS: &str = "999988887777";

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
        .service(crate::service())
        .build();
    for service in platform.services() {
        for start in &service.start {
            start(platform.clone()).await.expect("starts");
        }
    }
    of(&platform, ACCOUNT)
}

/// The root user of an account.
fn of(platform: &Arc<Platform>, account: &str) -> Cx {
    Cx::new(platform.clone(), Scope::new(account, "us-east-1"), Caller::root(account), "test")
}

/// A queue that the service may send to.
async fn queue(cx: &Cx, name: &str) -> String {
    let arn = cx.arn("sqs", name);
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn,
        "Condition": {"ArnLike": {"aws:SourceArn": cx.arn("events", "rule/*")}},
    }]});
    let attributes = [("Policy".to_owned(), policy.to_string())].into_iter().collect();
    let made = sqs::CreateQueueRequest { queue_name: name.to_owned(), attributes, ..Default::default() };
    cx.call(made).await.expect("made");
    arn
}

async fn received(cx: &Cx, name: &str) -> Vec<sqs::Message> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let asked = sqs::ReceiveMessageRequest {
        queue_url: format!("http://x/{}/{name}", cx.account()),
        max_number_of_messages: Some(10),
        message_attribute_names: vec!["All".to_owned()],
        ..Default::default()
    };
    cx.call(asked).await.expect("received").messages
}

async fn bodies(cx: &Cx, name: &str) -> Vec<Json> {
    let all = received(cx, name).await.into_iter().filter_map(|message| message.body);
    all.map(|body| serde_json::from_str(&body).unwrap_or_else(|e| panic!("{e}: {body}"))).collect()
}

async fn rule(cx: &Cx, bus: Option<&str>, name: &str, pattern: Json, targets: Vec<Target>) -> Result<(), Error> {
    let bus = bus.map(str::to_owned);
    let put = PutRuleRequest {
        name: name.to_owned(),
        event_pattern: Some(pattern.to_string()),
        event_bus_name: bus.clone(),
        ..Default::default()
    };
    cx.call(put).await?;
    cx.call(PutTargetsRequest { rule: name.to_owned(), event_bus_name: bus, targets }).await.map(drop)
}

fn target(id: &str, arn: &str) -> Target {
    Target { id: id.to_owned(), arn: arn.to_owned(), ..Default::default() }
}

fn entry(source: &str, detail: Json) -> PutEventsRequestEntry {
    PutEventsRequestEntry {
        source: Some(source.to_owned()),
        detail_type: Some("Order".to_owned()),
        detail: Some(detail.to_string()),
        ..Default::default()
    }
}

async fn put(cx: &Cx, entries: Vec<PutEventsRequestEntry>) -> PutEventsResponse {
    cx.call(PutEventsRequest { entries, endpoint_id: None }).await.expect("taken")
}

fn code<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    answer.expect_err("must be refused").code.into_owned()
}

#[tokio::test(start_paused = true)]
async fn an_event_reaches_the_targets_of_the_rules_that_match_it() {
    let cx = given().await;
    let arn = queue(&cx, "q").await;
    rule(
        &cx,
        None,
        "big",
        json!({"source": ["shop"], "detail": {"sum": [{"numeric": [">", 10]}]}}),
        vec![target("1", &arn)],
    )
    .await
    .expect("put");
    let answer =
        put(&cx, vec![entry("shop", json!({"sum": 11})), entry("shop", json!({"sum": 9})), entry("other", json!({}))])
            .await;
    assert_eq!(answer.failed_entry_count, Some(0));
    let got = bodies(&cx, "q").await;
    let [event] = got.as_slice() else { panic!("one: {got:?}") };
    assert_eq!(
        *event,
        json!({
            "version": "0", "id": answer.entries[0].event_id, "detail-type": "Order", "source": "shop", "account": ACCOUNT,
            "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": [], "detail": {"sum": 11},
        })
    );
    // Not while it is disabled, and again when it is enabled.
    cx.call(DisableRuleRequest { name: "big".into(), event_bus_name: None }).await.expect("disabled");
    put(&cx, vec![entry("shop", json!({"sum": 12}))]).await;
    assert_eq!(bodies(&cx, "q").await, [] as [Json; 0]);
    cx.call(EnableRuleRequest { name: "big".into(), event_bus_name: None }).await.expect("enabled");
    put(&cx, vec![entry("shop", json!({"sum": 13}))]).await;
    assert_eq!(bodies(&cx, "q").await[0]["detail"], json!({"sum": 13}));
}

#[tokio::test(start_paused = true)]
async fn targets_get_what_their_inputs_say() {
    let cx = given().await;
    let arn = queue(&cx, "q").await;
    let transformer = InputTransformer {
        input_paths_map: [("id".to_owned(), "$.detail.id".to_owned())].into_iter().collect(),
        input_template: r#"{"order": <id>, "text": "order <id> by <aws.events.rule-name>"}"#.to_owned(),
    };
    let targets = vec![
        Target { input: Some(r#"{"constant":1}"#.into()), ..target("constant", &arn) },
        Target { input_path: Some("$.detail".into()), ..target("path", &arn) },
        Target { input_transformer: Some(transformer), ..target("template", &arn) },
    ];
    rule(&cx, None, "r", json!({"source": ["shop"]}), targets).await.expect("put");
    put(&cx, vec![entry("shop", json!({"id": "o-1"}))]).await;
    let mut got: Vec<String> = bodies(&cx, "q").await.iter().map(Json::to_string).collect();
    got.sort();
    assert_eq!(got, [r#"{"constant":1}"#, r#"{"id":"o-1"}"#, r#"{"order":"o-1","text":"order o-1 by r"}"#,]);
    let both = Target { input: Some("1".into()), input_path: Some("$".into()), ..target("x", &arn) };
    assert_eq!(code(rule(&cx, None, "r", json!({"source": ["shop"]}), vec![both]).await), "ValidationException");
    let six = (0..6).map(|n| target(&n.to_string(), &arn)).collect();
    assert_eq!(code(rule(&cx, None, "r", json!({"source": ["shop"]}), six).await), "LimitExceededException");
    let function = target("f", "arn:aws:lambda:us-east-1:000000000000:function:f");
    assert_eq!(code(rule(&cx, None, "r", json!({"source": ["shop"]}), vec![function]).await), "NotImplemented");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_delivered_becomes_a_dead_letter_that_says_why() {
    let cx = given().await;
    let letters = queue(&cx, "letters").await;
    let nobody = cx.arn("sqs", "nobody");
    let config = DeadLetterConfig { arn: Some(letters) };
    let to = Target { dead_letter_config: Some(config), ..target("1", &nobody) };
    rule(&cx, None, "r", json!({"source": ["shop"]}), vec![to]).await.expect("put");
    put(&cx, vec![entry("shop", json!({"id": 1}))]).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let got = received(&cx, "letters").await;
    let [letter] = got.as_slice() else { panic!("one: {got:?}") };
    let said = |name: &str| {
        letter.message_attributes.get(name).and_then(|value| value.string_value.clone()).unwrap_or_default()
    };
    assert_eq!(said("RULE_ARN"), cx.arn("events", "rule/r"));
    assert_eq!((said("TARGET_ARN"), said("ERROR_CODE").as_str()), (nobody, "NO_RESOURCE"));
    assert!(letter.body.as_deref().is_some_and(|body| body.contains(r#""detail":{"id":1}"#)), "{letter:?}");
}

#[tokio::test(start_paused = true)]
async fn entries_that_are_wrong_are_told_one_by_one() {
    let cx = given().await;
    let without = |change: fn(&mut PutEventsRequestEntry)| {
        let mut entry = entry("shop", json!({}));
        change(&mut entry);
        entry
    };
    let answer = put(
        &cx,
        vec![
            entry("shop", json!({})),
            without(|entry| entry.source = None),
            without(|entry| entry.detail_type = None),
            without(|entry| entry.detail = Some("[1]".into())),
            without(|entry| entry.source = Some("aws.ec2".into())),
            without(|entry| entry.event_bus_name = Some("nowhere".into())),
        ],
    )
    .await;
    assert_eq!(answer.failed_entry_count, Some(5));
    let codes: Vec<&str> = answer.entries.iter().map(|entry| entry.error_code.as_deref().unwrap_or("")).collect();
    assert_eq!(
        codes,
        [
            "",
            "InvalidArgument",
            "InvalidArgument",
            "MalformedDetail",
            "NotAuthorizedForSourceException",
            "ResourceNotFoundException",
        ]
    );
    let large = entry("shop", json!({"x": "y".repeat(256 * 1024)}));
    assert_eq!(
        code(cx.call(PutEventsRequest { entries: vec![large], endpoint_id: None }).await),
        "ValidationException"
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_service_emits_is_told_with_its_own_transaction() {
    let cx = given().await;
    let arn = queue(&cx, "q").await;
    let emit = |fails: bool, source: &'static str| {
        let cx = cx.clone();
        async move {
            let mut asked = false;
            let done = cx.store().write::<_, Error>(|tx| {
                cx.emit(tx, source, "EC2 Instance State-change Notification", || {
                    asked = true;
                    Happening {
                        resources: vec!["arn:i-1".into()],
                        detail: json!({"instance-id": "i-1", "state": "running"}),
                    }
                })?;
                if fails { Err(Error::internal("no")) } else { Ok(()) }
            });
            let _ = done.await;
            asked
        }
    };
    assert!(!emit(false, "aws.ec2").await, "nothing is made where nobody listens");
    rule(&cx, None, "r", json!({"source": ["aws.ec2"], "detail": {"state": ["running"]}}), vec![target("1", &arn)])
        .await
        .expect("put");
    assert!(!emit(false, "aws.s3").await, "no rule could want it");
    assert!(emit(true, "aws.ec2").await, "what did not happen is not told");
    assert!(emit(false, "aws.ec2").await);
    let got = bodies(&cx, "q").await;
    let [event] = got.as_slice() else { panic!("one: {got:?}") };
    assert_eq!((&event["source"], &event["resources"]), (&json!("aws.ec2"), &json!(["arn:i-1"])));
}

#[tokio::test(start_paused = true)]
async fn another_account_s_bus_takes_what_its_policy_lets_in() {
    let cx = given().await;
    let other = of(cx.platform(), OTHERS);
    other.call(CreateEventBusRequest { name: "theirs".into(), ..Default::default() }).await.expect("made");
    let arn = queue(&other, "q").await;
    rule(&other, Some("theirs"), "all", json!({"source": [{"prefix": ""}]}), vec![target("1", &arn)])
        .await
        .expect("put");
    let bus = other.arn("events", "event-bus/theirs");
    rule(&cx, None, "on", json!({"source": ["shop"]}), vec![target("bus", &bus)]).await.expect("put");
    let direct = || PutEventsRequestEntry { event_bus_name: Some(bus.clone()), ..entry("direct", json!({})) };
    let refused = cx.call(PutEventsRequest { entries: vec![direct()], endpoint_id: None }).await;
    assert!(refused.expect_err("no policy lets it in").status >= 400);
    put(&cx, vec![entry("shop", json!({"n": 1}))]).await;
    assert_eq!(bodies(&other, "q").await, [] as [Json; 0]);
    let permission = PutPermissionRequest {
        event_bus_name: Some("theirs".into()),
        action: Some("events:PutEvents".into()),
        principal: Some(ACCOUNT.into()),
        statement_id: Some("them".into()),
        ..Default::default()
    };
    other.call(permission).await.expect("permitted");
    put(&cx, vec![entry("shop", json!({"n": 2})), direct()]).await;
    let mut got = bodies(&other, "q").await;
    got.sort_by_key(|event| event["source"].to_string());
    assert_eq!(got.len(), 2, "{got:?}");
    // It is the same event, of the account that it is of.
    assert_eq!((&got[1]["account"], &got[1]["detail"]), (&json!(ACCOUNT), &json!({"n": 2})));
    assert_eq!(got[0]["source"], "direct");
    let taken = RemovePermissionRequest {
        event_bus_name: Some("theirs".into()),
        statement_id: Some("them".into()),
        ..Default::default()
    };
    other.call(taken).await.expect("removed");
    put(&cx, vec![entry("shop", json!({"n": 3}))]).await;
    assert_eq!(bodies(&other, "q").await, [] as [Json; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_is_changed_matches_what_it_says_now() {
    let cx = given().await;
    let arn = queue(&cx, "q").await;
    rule(&cx, None, "r", json!({"source": ["one"]}), vec![target("1", &arn)]).await.expect("put");
    put(&cx, vec![entry("one", json!({}))]).await;
    rule(&cx, None, "r", json!({"source": ["two"]}), vec![])
        .await
        .expect_err("a target is needed; the rule itself is put");
    put(&cx, vec![entry("one", json!({})), entry("two", json!({}))]).await;
    let mut sources: Vec<String> = bodies(&cx, "q").await.iter().map(|event| event["source"].to_string()).collect();
    sources.sort();
    assert_eq!(sources, [r#""one""#, r#""two""#]);
}

#[tokio::test(start_paused = true)]
async fn a_test_of_a_pattern_says_whether_it_matches() {
    let cx = given().await;
    let event = json!({"id": "1", "detail-type": "t", "source": "s", "account": "1", "time": "2026-01-01T00:00:00Z", "region": "r", "resources": [], "detail": {"a": 1}});
    let test = |pattern: Json, event: &Json| {
        cx.call(TestEventPatternRequest { event_pattern: pattern.to_string(), event: event.to_string() })
    };
    assert_eq!(test(json!({"detail": {"a": [1]}}), &event).await.unwrap().result, Some(true));
    assert_eq!(test(json!({"detail": {"a": [2]}}), &event).await.unwrap().result, Some(false));
    let error = test(json!({"detail": {"a": 2}}), &event).await.expect_err("no pattern");
    assert!(
        error.is("InvalidEventPatternException") && error.message.starts_with("Event pattern is not valid. Reason: ")
    );
    assert_eq!(code(test(json!({"detail": {"a": [2]}}), &json!({"id": "1"})).await), "ValidationException");
}
