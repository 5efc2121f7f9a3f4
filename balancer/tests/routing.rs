//! Which target group, and which target, gets a request.

use std::time::Duration;

use http::Request;
use kiln_balancer::*;

use crate::world::*;

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_looked_at_by_priority_and_the_default_comes_last() {
    let (shop, cart) = (named("shop").await, named("cart").await);
    let groups = vec![group("shop", &[shop.address]), group("cart", &[cart.address])];
    let world = World::with(2, groups, |c| {
        let rule = |priority, condition, action| RuleConfig { priority, conditions: vec![condition], action };
        c.listeners[0].rules = vec![
            rule(20, Condition::PathPattern(vec!["/cart/closed".into()]), Action::Redirect(Redirect::default())),
            rule(10, Condition::PathPattern(vec!["/cart/*".into()]), forward(&[("cart", 1)])),
            rule(
                30,
                Condition::HostHeader(vec!["*.example.org".into()]),
                Action::FixedResponse(FixedResponse {
                    status: 410,
                    content_type: Some("text/plain".into()),
                    body: "gone".into(),
                }),
            ),
        ];
    })
    .await
    .healthy()
    .await;
    assert_eq!(world.get("/").await.text(), "shop");
    assert_eq!(world.get("/cart/closed").await.text(), "cart");
    let fixed = world.ask(Request::get("/").header("host", "old.example.org")).await;
    assert_eq!((fixed.status, fixed.text()), (410, "gone"));
    assert_eq!(fixed.headers["content-type"], "text/plain");
    assert_eq!(fixed.headers["server"], "awselb/2.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_name_the_new_place() {
    let world = World::with(2, vec![], |c| {
        c.listeners[0].default_action = Action::Redirect(Redirect {
            protocol: "HTTPS".into(),
            port: "443".into(),
            permanent: true,
            ..Default::default()
        });
    })
    .await;
    let answer = world.get("/a/b?c=d").await;
    assert_eq!(answer.status, 301);
    assert_eq!(answer.headers["location"], "https://shop.elb.localhost:443/a/b?c=d");
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_of_target_groups_are_kept_exactly() {
    let (blue, green) = (named("blue").await, named("green").await);
    let groups = vec![group("blue", &[blue.address]), group("green", &[green.address])];
    let world = World::with(2, groups, |c| {
        c.listeners[0].default_action = forward(&[("blue", 95), ("green", 5)]);
    })
    .await
    .healthy()
    .await;
    let mut answers = Vec::new();
    for _ in 0..200 {
        answers.push(world.get("/").await);
    }
    assert_eq!(tally(&answers)["green"], 10); // 200 × 5 %
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_of_a_group_take_turns() {
    let servers = [named("a").await, named("b").await, named("c").await];
    let addresses: Vec<_> = servers.iter().map(|s| s.address).collect();
    let world = World::new(vec![group("g", &addresses)]).await.healthy().await;
    let mut answers = Vec::new();
    for _ in 0..30 {
        answers.push(world.get("/").await);
    }
    let tally = tally(&answers);
    assert_eq!((tally["a"], tally["b"], tally["c"]), (10, 10, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_least_busy_target_is_taken_when_asked_for() {
    let slow = http_server(|request: Request<_>| async move {
        if request.uri().path() == "/slow" {
            tokio::time::sleep(Duration::from_secs(600)).await;
        }
        text("slow")
    })
    .await;
    let quick = named("quick").await;
    let mut g = group("g", &[slow.address, quick.address]);
    g.algorithm = Algorithm::LeastOutstandingRequests;
    let world = World::new(vec![g]).await.healthy().await;
    // Occupy the slow one: ask for /slow until it hangs there. Only what came to the quick one is answered.
    let busy = || world.balancer.health("g").unwrap().iter().any(|t| t.port == slow.address.port() && t.in_flight == 1);
    let mut asked = Vec::new();
    while !busy() {
        assert!(asked.len() < 100, "nothing is ever sent to the slow target");
        let request = Request::get("/slow").body(Default::default()).unwrap();
        let one = tokio::spawn(send(world.address(), request));
        eventually("the request has come to a target", || busy() || one.is_finished()).await;
        asked.push(one);
    }
    for _ in 0..10 {
        assert_eq!(world.get("/").await.text(), "quick");
    }
    asked.iter().for_each(|one| one.abort());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sticky_client_stays_with_its_target_and_group() {
    let servers = [named("a").await, named("b").await];
    let canary = named("canary").await;
    let addresses: Vec<_> = servers.iter().map(|s| s.address).collect();
    let mut main = group("main", &addresses);
    main.stickiness = Some(Duration::from_secs(60));
    let world = World::with(2, vec![main, group("canary", &[canary.address])], |c| {
        c.listeners[0].default_action = Action::Forward(Forward {
            target_groups: vec![("main".into(), 1), ("canary".into(), 1)],
            stickiness: Some(Duration::from_secs(60)),
        });
    })
    .await
    .healthy()
    .await;
    let mut first = world.get("/").await;
    while first.text() == "canary" {
        first = world.get("/").await;
    }
    let cookies: Vec<_> =
        first.headers.get_all("set-cookie").iter().map(|c| c.to_str().unwrap().split(';').next().unwrap()).collect();
    let names: Vec<_> = cookies.iter().map(|c| c.split('=').next().unwrap()).collect();
    assert_eq!(names, ["AWSALB", "AWSALBCORS", "AWSALBTG", "AWSALBTGCORS"]);
    for _ in 0..10 {
        let again = world.ask(Request::get("/").header("cookie", cookies.join("; "))).await;
        assert_eq!(again.text(), first.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_that_makes_no_sense_is_refused_and_changes_nothing() {
    let server = named("a").await;
    let world = World::new(vec![group("g", &[server.address])]).await.healthy().await;
    let mut unknown = world.config.clone();
    unknown.listeners[0].default_action = forward(&[("nowhere", 1)]);
    let error = world.balancer.apply(unknown).unwrap_err().to_string();
    assert!(error.contains("nowhere"), "{error}");
    let mut matcher = world.config.clone();
    matcher.target_groups[0].health_check.matcher = "fine".into();
    let error = world.balancer.apply(matcher).unwrap_err().to_string();
    assert!(error.contains("matcher \"fine\""), "{error}");
    let mut stolen = world.config.clone();
    stolen.id = "lb/other".into();
    let error = world.balancer.apply(stolen).unwrap_err().to_string();
    assert!(error.contains("already used by load balancer lb/shop"), "{error}");
    assert_eq!(world.get("/").await.text(), "a");

    let mut taken = LoadBalancerConfig::new("lb/second");
    taken.listeners = vec![ListenerConfig {
        port: world.port,
        clients: None,
        default_action: Action::Redirect(Redirect::default()),
        rules: vec![],
    }];
    let error = world.balancer.apply(taken).unwrap_err();
    assert!(matches!(error, ApplyError::Listen { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_load_balancer_answers_no_more_and_frees_its_port() {
    let server = named("a").await;
    let world = World::new(vec![group("g", &[server.address])]).await.healthy().await;
    assert_eq!(world.balancer.load_balancers(), [(LB.to_owned(), vec![world.address()])]);
    world.balancer.remove(LB);
    world.balancer.remove(LB);
    assert!(world.balancer.health("g").is_none());
    eventually("the port is free", || std::net::TcpListener::bind(world.address()).is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_not_let_in_gets_no_answer_until_it_is() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut world = World::with(2, vec![], |c| c.listeners[0].clients = Some(vec![])).await;
    let at = |world: &World| world.balancer.admits(LB, world.port, LOCAL);
    assert!(!at(&world));
    let mut refused = tokio::net::TcpStream::connect(world.address()).await.unwrap();
    // Closed or reset, but never served.
    assert_eq!(refused.read(&mut [0; 16]).await.unwrap_or(0), 0);
    world.change(|c| c.listeners[0].clients = Some(vec!["0.0.0.0/0".parse().unwrap()]));
    assert!(at(&world));
    assert_eq!(world.get("/").await.text(), "default");
    // Taken away again, it ends what is open.
    let mut open = tokio::net::TcpStream::connect(world.address()).await.unwrap();
    // It is let in: a request on it is answered.
    open.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut answer = vec![];
    while !answer.ends_with(b"default") {
        assert_ne!(open.read_buf(&mut answer).await.unwrap(), 0, "{answer:?}");
    }
    world.change(|c| c.listeners[0].clients = Some(vec![]));
    let read = tokio::time::timeout(Duration::from_secs(5), open.read(&mut [0; 16])).await;
    assert_eq!(read.expect("the connection is ended").unwrap_or(0), 0);
}
