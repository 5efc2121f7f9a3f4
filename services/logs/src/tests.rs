//! The service through its public operations, on a store in memory.

use kiln_logs_shapes::*;
use kiln_service_kit::*;
use std::sync::Arc;

const ACCOUNT: &str = "000000000000";

fn given() -> Cx {
    let clock = Clock::system();
    let store = Store::in_memory(clock.clone());
    on(store, clock, None)
}

fn on(store: Store, clock: Clock, journal: Option<Journal>) -> Cx {
    let mut builder = PlatformBuilder::new(store, clock.clone(), IdSource::seeded(1))
        .service(crate::service())
        .part(crate::Events::default());
    if let Some(journal) = journal {
        builder = builder.journal(journal);
    }
    Cx::new(builder.build(), Scope::new(ACCOUNT, "us-east-1"), Caller::root(ACCOUNT), "test")
}

async fn stream(cx: &Cx, group: &str, name: &str) {
    let made = cx.call(CreateLogGroupRequest { log_group_name: group.to_owned(), ..Default::default() }).await;
    if let Err(error) = made {
        assert!(error.is("ResourceAlreadyExistsException"), "{error}");
    }
    let asked = CreateLogStreamRequest { log_group_name: group.to_owned(), log_stream_name: name.to_owned() };
    cx.call(asked).await.expect("made");
}

async fn put(cx: &Cx, group: &str, stream: &str, events: Vec<(i64, String)>) -> Result<PutLogEventsResponse, Error> {
    let event = |(timestamp, message)| InputLogEvent { timestamp, message };
    cx.call(PutLogEventsRequest {
        log_group_name: group.to_owned(),
        log_stream_name: stream.to_owned(),
        log_events: events.into_iter().map(event).collect(),
        ..Default::default()
    })
    .await
}

/// Batches in any order, of one event and of many, overlapping by much; every page size; both ways; on disk and in memory.
#[tokio::test]
async fn pages_give_every_event_once_whatever_overlaps() {
    let dir = tempfile::tempdir().expect("a folder");
    for journal in [None, Some(Journal::open(&dir.path().join("journal")).expect("opened"))] {
        let clock = Clock::system();
        let cx = on(Store::in_memory(clock.clone()), clock, journal);
        let start = cx.now().millis() - 3_600_000;
        let mut state: u64 = 3;
        let mut below = |most: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % most
        };
        let mut all: Vec<(i64, String)> = vec![];
        for name in ["a", "b"] {
            stream(&cx, "g", name).await;
            for _ in 0..70 {
                let mut batch: Vec<(i64, String)> = vec![];
                for _ in 0..1 + below(6) {
                    batch.push((start + below(400) as i64, format!("{name}{}", all.len() + batch.len())));
                }
                batch.sort_by_key(|(at, _)| *at);
                all.extend(batch.iter().cloned());
                put(&cx, "g", name, batch).await.expect("put");
            }
        }
        let mut expected = all.clone();
        expected.sort();
        for limit in [1, 7, 10_000] {
            let mut found = vec![];
            let mut next_token = None;
            loop {
                let asked = FilterLogEventsRequest {
                    log_group_name: Some("g".to_owned()),
                    limit: Some(limit),
                    next_token,
                    ..Default::default()
                };
                let page = cx.call(asked).await.expect("a page");
                assert!(page.events.len() <= limit as usize);
                found.extend(
                    page.events.into_iter().map(|e| (e.timestamp.expect("a time"), e.message.expect("a message"))),
                );
                next_token = page.next_token;
                if next_token.is_none() {
                    break;
                }
            }
            assert!(found.windows(2).all(|two| two[0].0 <= two[1].0), "in the order of their times");
            found.sort();
            assert_eq!(found, expected, "pages of {limit}");
        }
        let mut found = vec![];
        let mut next_token: Option<String> = None;
        loop {
            let asked = GetLogEventsRequest {
                log_group_name: Some("g".to_owned()),
                log_stream_name: "a".to_owned(),
                limit: Some(9),
                next_token: next_token.clone(),
                ..Default::default()
            };
            let page = cx.call(asked).await.expect("a page");
            let some = page.events.into_iter().map(|e| (e.timestamp.expect("a time"), e.message.expect("a message")));
            found.splice(0..0, some);
            if page.next_backward_token == next_token {
                break;
            }
            next_token = page.next_backward_token;
        }
        assert!(found.windows(2).all(|two| two[0].0 <= two[1].0), "in the order of their times");
        found.sort();
        let of_a: Vec<_> = expected.iter().filter(|(_, message)| message.starts_with('a')).cloned().collect();
        assert_eq!(found, of_a);
    }
}

/// Many small batches leave few blocks, in one order.
#[tokio::test]
async fn small_batches_become_large_blocks() {
    let cx = given();
    stream(&cx, "g", "s").await;
    let start = cx.now().millis() - 1_000;
    for n in 0..300 {
        put(&cx, "g", "s", vec![(start + n, format!("m{n}"))]).await.expect("put");
    }
    let journal = cx.history().journal().clone();
    let blocks = crate::events::BLOCKS;
    let streams = blocks.streams(&journal, None, 10).expect("listed");
    let [(scope, name)] = streams.as_slice() else { panic!("{streams:?}") };
    let all = blocks.positions(&journal, scope, name, &Default::default(), false, 1_000).expect("listed");
    assert!(all.len() < 40, "{} blocks", all.len());
}

/// `logs:PutLogEvents` by a service: closed without a policy, open where it says so, for whom and which group.
#[tokio::test(start_paused = true)]
async fn a_service_writes_where_a_policy_lets_it() {
    let clock = Clock::simulated(Timestamp::parse("2026-01-01T00:00:00Z").expect("a time"));
    let store = Store::in_memory(clock.clone());
    let platform: Arc<Platform> = PlatformBuilder::new(store, clock, IdSource::seeded(1))
        .part(kiln_sealing::RootKey::new(&IdSource::seeded(1)))
        .part(crate::Events::default())
        .part(RootCredential { access_key: "AKIAROOT".to_owned(), secret: "root".to_owned() })
        .service(kiln_iam::service())
        .service(crate::service())
        .build();
    for start in platform.services().iter().flat_map(|service| &service.start) {
        start(platform.clone()).await.expect("started");
    }
    let cx = Cx::new(platform, Scope::new(ACCOUNT, "us-east-1"), Caller::root(ACCOUNT), "test");
    for group in ["open", "closed"] {
        stream(&cx, group, "s").await;
    }
    let events = cx.as_service("events.amazonaws.com").on_behalf_of("arn:aws:events:us-east-1:000000000000:rule/r");
    let told = async |group: &str, cx: &Cx| put(cx, group, "s", vec![(cx.now().millis(), "m".to_owned())]).await;
    assert!(told("open", &events).await.expect_err("no policy").is("AccessDeniedException"));
    let document = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},
        "Action":["logs:CreateLogStream","logs:PutLogEvents"],"Resource":"arn:aws:logs:us-east-1:000000000000:log-group:open:*",
        "Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:events:*:*:rule/r"}}}}"#;
    cx.call(PutResourcePolicyRequest {
        policy_name: Some("events".to_owned()),
        policy_document: Some(document.to_owned()),
        ..Default::default()
    })
    .await
    .expect("put");
    told("open", &events).await.expect("the policy lets it in");
    let asked = CreateLogStreamRequest { log_group_name: "open".to_owned(), log_stream_name: "new".to_owned() };
    events.call(asked).await.expect("the policy lets it in");
    assert!(told("closed", &events).await.expect_err("another group").is("AccessDeniedException"));
    let others = cx.as_service("es.amazonaws.com");
    assert!(told("open", &others).await.expect_err("another service").is("AccessDeniedException"));
    let for_another = events.on_behalf_of("arn:aws:events:us-east-1:000000000000:rule/x");
    assert!(told("open", &for_another).await.expect_err("another rule").is("AccessDeniedException"));
    told("closed", &cx).await.expect("the account's own root user needs none");
}
