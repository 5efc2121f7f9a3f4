//! Notes on a road that the test lays.

use crate::*;
use futures_util::FutureExt;
use kiln_service_kit::*;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What each target does, and what came to it: time, target, body.
#[derive(Default)]
struct Laid {
    does: Mutex<BTreeMap<String, Does>>,
    came: Mutex<Vec<(Timestamp, String, String)>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Does {
    Take,
    Fail,
    Refuse,
    Hang,
    Panic,
}

#[async_trait]
impl Road for Laid {
    async fn carry(&self, platform: &Arc<Platform>, _: &Scope, waiting: &Undelivered) -> Carried {
        let to = waiting.note.to.lane().to_owned();
        self.came.lock().push((platform.clock().now(), to.clone(), waiting.note.parcel.body.clone()));
        let does = self.does.lock().get(&to).copied().unwrap_or(Does::Take);
        match does {
            Does::Take => Carried::Taken,
            Does::Fail => Carried::Later("not now".to_owned()),
            Does::Refuse => Carried::Never("no".to_owned()),
            Does::Hang => {
                tokio::time::sleep(Duration::from_secs(15)).await;
                Carried::Later("no answer".to_owned())
            }
            Does::Panic => panic!("on purpose"),
        }
    }
}

impl Laid {
    fn came(&self, to: &str) -> usize {
        self.came.lock().iter().filter(|(_, at, _)| at == to).count()
    }
}

const HOME: (&str, &str) = ("000000000000", "us-east-1");

fn platform(store: Store, clock: Clock) -> Arc<Platform> {
    let mut service = Service::new(&kiln_sns_shapes::SERVICE, &[]);
    service.keeps = vec![Kept::of::<Mail>()];
    PlatformBuilder::new(store, clock, IdSource::seeded(1)).service(service).build()
}

fn given() -> (Arc<Platform>, Arc<Laid>) {
    let clock = Clock::simulated(Timestamp::parse("2026-01-01T00:00:00Z").unwrap());
    let platform = platform(Store::in_memory(clock.clone()), clock);
    let road = Arc::new(Laid::default());
    Carrier::begin(platform.clone(), road.clone());
    (platform, road)
}

fn queue(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{name}")
}

fn note(to: &str, body: &str) -> Note {
    Note {
        to: can_carry(&queue(to)).expect("a queue"),
        by: "sns.amazonaws.com".to_owned(),
        source_arn: "arn:aws:sns:us-east-1:000000000000:t".to_owned(),
        parcel: Parcel::of(body),
        policy: Policy::HTTP,
        dead_letter: None,
    }
}

async fn tell(platform: &Platform, notes: impl IntoIterator<Item = Note>) -> Result<(), Error> {
    let scope = Scope::new(HOME.0, HOME.1);
    let notes: Vec<Note> = notes.into_iter().collect();
    platform.store().write(|tx| notes.into_iter().try_for_each(|note| deliver(tx, &scope, note))).await
}

fn waits(platform: &Platform) -> usize {
    platform.store().list_everywhere::<Undelivered>().expect("reads").len()
}

async fn after(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_is_gone_and_nothing_of_a_failed_transaction_is_told() {
    let (platform, road) = given();
    tell(&platform, [note("a", "one"), note("b", "two")]).await.expect("noted");
    let scope = Scope::new(HOME.0, HOME.1);
    let failed = platform.store().write::<(), Error>(|tx| {
        deliver(tx, &scope, note("a", "never"))?;
        Err(Error::internal("the fact is not so"))
    });
    failed.await.expect_err("the transaction fails");
    after(1).await;
    let bodies: Vec<String> = road.came.lock().iter().map(|(_, _, body)| body.clone()).collect();
    assert_eq!(bodies, ["one", "two"]);
    assert_eq!(waits(&platform), 0);
    assert_eq!(platform.store().list_everywhere::<Load>().unwrap().len(), 0, "nothing is counted any more");
}

#[tokio::test(start_paused = true)]
async fn it_is_tried_as_the_policy_says_and_goes_to_the_dead_letter_queue_then() {
    let (platform, road) = given();
    road.does.lock().insert(queue("a"), Does::Fail);
    let letter = Some(queue("dead"));
    tell(&platform, [Note { dead_letter: letter.clone(), ..note("a", "one") }, note("a", "two")]).await.expect("noted");
    after(30).await;
    let kept = platform.store().list_everywhere::<Undelivered>().unwrap();
    assert!(kept.iter().all(|(_, _, waiting)| waiting.tries == 2 && waiting.failed.as_deref() == Some("not now")));
    after(60).await;
    assert_eq!(road.came(&queue("a")), 8, "one attempt and three retries each");
    let times: Vec<i64> = road
        .came
        .lock()
        .iter()
        .filter(|(_, _, body)| body == "one")
        .map(|(at, _, _)| at.millis() % 3_600_000)
        .collect();
    for two in times[..4].windows(2) {
        assert!((16_000..=20_100).contains(&(two[1] - two[0])), "{times:?}");
    }
    assert_eq!((road.came(&queue("dead")), waits(&platform)), (1, 0));
    // What is refused for good is not tried again.
    road.does.lock().insert(queue("a"), Does::Refuse);
    tell(&platform, [Note { dead_letter: letter, ..note("a", "three") }]).await.expect("noted");
    after(1).await;
    assert_eq!((road.came(&queue("a")), road.came(&queue("dead")), waits(&platform)), (9, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_is_given_up_whatever_tries_are_left() {
    let (platform, road) = given();
    road.does.lock().insert(queue("a"), Does::Fail);
    let policy = Policy { after: 1_000, oldest: Some(70_000), ..Policy::HTTP };
    tell(&platform, [Note { policy, ..note("a", "one") }]).await.expect("noted");
    after(300).await;
    assert_eq!(waits(&platform), 0);
    assert!((4..=5).contains(&road.came(&queue("a"))), "{}", road.came(&queue("a")));
}

#[tokio::test(start_paused = true)]
async fn targets_that_hang_or_break_hold_up_nobody_else() {
    let (platform, road) = given();
    let hanging: Vec<String> = (0..300).map(|number| format!("hangs-{number}")).collect();
    let url = |name: &str| format!("http://192.0.2.1/{name}");
    let http = |name: &str| Note { to: Address::http(&url(name), Reach::Host).unwrap(), ..note("x", name) };
    road.does.lock().extend(hanging.iter().map(|name| (url(name), Does::Hang)));
    road.does.lock().insert(queue("breaks"), Does::Panic);
    tell(&platform, hanging.iter().map(|name| http(name)).chain([note("breaks", "x")])).await.expect("noted");
    tell(&platform, (0..100).map(|number| note("good", &number.to_string()))).await.expect("noted");
    after(1).await;
    assert_eq!(road.came(&queue("good")), 100);
    tell(&platform, [http("good")]).await.expect("noted");
    after(35).await;
    assert_eq!(road.came(&url("good")), 1, "it has waited for those that were not known to hang, and no longer");
    assert!(road.came(&queue("breaks")) > 10, "a broken attempt is made again");
}

#[tokio::test(start_paused = true)]
async fn a_mail_lies_in_the_mailbox_once() {
    let (platform, road) = given();
    let to = Address::Mailbox("ops@example.com".to_owned());
    let parcel =
        Parcel { subject: Some("burning".to_owned()), sender: Some("t".to_owned()), ..Parcel::of("m-1 is on fire") };
    tell(&platform, [Note { to, parcel, ..note("x", "") }]).await.expect("noted");
    after(1).await;
    let mails = mailbox(platform.history(), 10).expect("reads");
    assert_eq!(mails.len(), 1);
    let Mail { to, subject, body, from, .. } = &mails[0];
    assert_eq!([to, subject, body, from], ["ops@example.com", "burning", "m-1 is on fire", "t"]);
    assert_eq!((waits(&platform), road.came.lock().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn one_target_that_takes_nothing_is_told_no_more_and_the_others_are() {
    let (platform, road) = given();
    road.does.lock().insert(queue("full"), Does::Fail);
    let large = "x".repeat(256 << 10);
    let mut noted = 0;
    let refused = loop {
        match tell(&platform, [note("full", &large)]).await {
            Ok(()) => noted += 1,
            Err(error) => break error,
        }
        assert!(noted < 100, "never full");
    };
    assert_eq!((noted, refused.status, &*refused.code), (63, 429, "Throttled"));
    // Of what has happened anyway that one is left out, and the transaction goes on.
    let scope = Scope::new(HOME.0, HOME.1);
    let (more, small) = (note("full", &large), note("good", "small"));
    let left_out = platform.store().write(|tx| {
        let left_out = [deliver_if_it_fits(tx, &scope, more)?, deliver_if_it_fits(tx, &scope, small)?];
        Ok::<_, Error>(left_out.map(|error| error.map(|error| error.code.into_owned())))
    });
    assert_eq!(left_out.await.expect("written"), [Some("Throttled".to_owned()), None]);
    after(1).await;
    assert_eq!((road.came(&queue("good")), waits(&platform)), (1, 63));
    tell(&platform, [note("good", &large)]).await.expect("another target has room");
    after(1).await;
    assert_eq!(road.came(&queue("good")), 2);
    let huge = tell(&platform, [note("good", &"x".repeat(3 << 20))]).await.expect_err("too large");
    assert!(huge.is("InvalidParameter"));
}

/// Everything that waits is taken up by the next carrier, with its tries.
#[tokio::test(start_paused = true)]
async fn a_start_goes_on_where_the_last_one_ended() {
    let (first, road) = given();
    road.does.lock().insert(queue("a"), Does::Fail);
    tell(&first, [note("a", "one")]).await.expect("noted");
    after(1).await;
    let second = platform(first.store().clone(), first.clock().clone());
    let laid = Arc::new(Laid::default());
    Carrier::begin(second.clone(), laid.clone());
    after(1).await;
    assert_eq!(laid.came(&queue("a")), 0, "not before it is due");
    after(40).await;
    assert_eq!((laid.came(&queue("a")) + road.came(&queue("a")) >= 2, waits(&second)), (true, 0));
    start(second).now_or_never().expect("at once").expect("starts");
}

#[test]
fn what_nobody_carries_is_refused_by_name() {
    for (arn, named) in [
        ("arn:aws:lambda:us-east-1:000000000000:function:f", "functions"),
        ("arn:aws:logs:us-east-1:000000000000:log-group:g", "log groups"),
        ("arn:aws:autoscaling:us-east-1:000000000000:scalingPolicy:x", "Auto Scaling policies"),
        ("arn:aws:automate:us-east-1:ec2:stop", "EC2 actions"),
        ("arn:aws:sqs:us-east-1:000000000000:q.fifo", "FIFO queues"),
        ("arn:aws:sns:us-east-1:000000000000:t.fifo", "FIFO topics"),
        ("arn:aws:batch:us-east-1:000000000000:job/x", "targets of batch"),
    ] {
        let error = can_carry(arn).expect_err(arn);
        assert!(error.is("NotImplemented") && error.message.contains(named), "{error}");
    }
    assert!(can_carry("queue").is_err_and(|error| error.is("InvalidParameter")));
    assert!(Address::http("https://example.com/", Reach::Host).is_err_and(|error| error.is("NotImplemented")));
    for wrong in ["ftp://example.com", "example.com", "http://", "http://169.254.169.254/", "http://[fe80::1]/"] {
        assert!(Address::http(wrong, Reach::Host).is_err(), "{wrong}");
    }
}
