//! A platform in memory with a clock that moves when everybody waits.

use super::fakes::{Fake, World};
use kiln_cloudformation_shapes::*;
use kiln_reconcile::{Hooks, Runner};
use kiln_s3::ObjectFiles;
use kiln_s3_shapes::{CreateBucketRequest, PutObjectRequest};
use kiln_service_kit::*;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

pub struct Given {
    pub cx: Cx,
    pub world: Arc<World>,
    pub runner: Option<Runner>,
    files: ObjectFiles,
    /// Where the objects of S3 lie.
    _folder: tempfile::TempDir,
    store: Store,
    clock: Clock,
    ids: IdSource,
}

pub fn given() -> Given {
    given_with(Hooks::default())
}

pub fn given_with(hooks: Hooks) -> Given {
    let clock = Clock::simulated(Timestamp::from_epoch_seconds(1_767_323_045));
    let ids = IdSource::seeded(1);
    let store = Store::in_memory(clock.clone());
    let world = Arc::new(World::default());
    let folder = tempfile::tempdir().expect("a folder of the test's own");
    let files = ObjectFiles::open(folder.path(), &ids).expect("an empty folder");
    let (cx, runner) = start(&store, &clock, &ids, &files, &world, hooks);
    Given { cx, world, runner: Some(runner), files, _folder: folder, store, clock, ids }
}

/// Every step is carried out twice.
pub fn every_step_twice() -> Hooks {
    let chaos = |_: &'static str, _: &Name, _: &str| Chaos::Twice;
    Hooks { chaos: Some(Arc::new(chaos)), on_pass: None }
}

/// Every step of every stack is broken the first time, in this way.
pub fn every_step_broken_once(kind: Chaos) -> Hooks {
    let seen: Mutex<BTreeSet<String>> = Mutex::default();
    let chaos = move |_: &'static str, name: &Name, step: &str| {
        if seen.lock().insert(format!("{} {step}", name.id)) { kind } else { Chaos::None }
    };
    Hooks { chaos: Some(Arc::new(chaos)), on_pass: None }
}

fn start(
    store: &Store,
    clock: &Clock,
    ids: &IdSource,
    files: &ObjectFiles,
    world: &Arc<World>,
    hooks: Hooks,
) -> (Cx, Runner) {
    let mut service = crate::service();
    for name in [
        "AWS::EC2::VPC",
        "AWS::EC2::InternetGateway",
        "AWS::EC2::VPCGatewayAttachment",
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::KeyPair",
        "AWS::IAM::Role",
    ] {
        service.resources.push(Arc::new(Fake(name, world.clone())));
    }
    let platform = PlatformBuilder::new(store.clone(), clock.clone(), ids.clone())
        .service(service)
        .service(kiln_ssm::service())
        .part(files.clone())
        .service(kiln_s3::service())
        .build();
    let runner = Runner::start(platform.clone(), hooks);
    let cx = Cx::new(platform, Scope::new("000000000000", "us-east-1"), Caller::root("000000000000"), "test");
    (cx, runner)
}

impl Given {
    /// The process dies and another one starts on what is on disk.
    pub fn restart(&mut self) {
        self.runner = None;
        let (cx, runner) = start(&self.store, &self.clock, &self.ids, &self.files, &self.world, Hooks::default());
        (self.cx, self.runner) = (cx, Some(runner));
    }

    pub async fn create(&self, name: &str, body: &str) -> Result<String, Error> {
        let request =
            CreateStackRequest { stack_name: name.into(), template_body: Some(body.into()), ..Default::default() };
        self.create_with(request).await
    }

    pub async fn create_with(&self, request: CreateStackRequest) -> Result<String, Error> {
        let name = request.stack_name.clone();
        self.cx.call(request).await?;
        Ok(self.settled(&name).await)
    }

    /// Puts a text into the bucket `templates`; its URL.
    pub async fn put(&self, key: &str, text: &str) -> String {
        let bucket = CreateBucketRequest { bucket: "templates".into(), ..Default::default() };
        self.cx.call(bucket).await.expect("the bucket is made, or is there");
        let object = PutObjectRequest {
            bucket: "templates".into(),
            key: key.into(),
            body: Some(Blob(text.as_bytes().to_vec())),
            ..Default::default()
        };
        self.cx.call(object).await.expect("the object is stored");
        format!("https://s3.amazonaws.com/templates/{key}")
    }

    pub async fn update(&self, name: &str, body: &str) -> Result<String, Error> {
        self.cx.call(update(name, body)).await?;
        Ok(self.settled(name).await)
    }

    pub async fn delete(&self, name: &str) -> Result<String, Error> {
        let id = self.stack(name).await.stack_id.expect("a stack has an id");
        self.cx.call(DeleteStackRequest { stack_name: name.into(), ..Default::default() }).await?;
        Ok(self.settled(&id).await)
    }

    pub async fn stack(&self, name: &str) -> Stack {
        let request = DescribeStacksRequest { stack_name: Some(name.into()), next_token: None };
        self.cx.call(request).await.expect("the stack is there").stacks.remove(0)
    }

    /// Waits until nothing is in progress; the status.
    pub async fn settled(&self, name: &str) -> String {
        for _ in 0..100_000 {
            let status = self.stack(name).await.stack_status.expect("a stack has a status");
            if !status.ends_with("IN_PROGRESS") {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{name} never settled: {:?}", self.story(name).await);
    }

    pub async fn until(&self, name: &str, event: &str) {
        for _ in 0..10_000 {
            if self.story(name).await.iter().any(|line| line.contains(event)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{event} never happened: {:?}", self.story(name).await);
    }

    /// The events in the order they happened: `Vpc CREATE_COMPLETE (reason)`.
    pub async fn story(&self, name: &str) -> Vec<String> {
        let mut all = vec![];
        let mut next_token = None;
        loop {
            let request = DescribeStackEventsRequest { stack_name: name.into(), next_token };
            let answer = self.cx.call(request).await.expect("the stack has events");
            all.extend(answer.stack_events);
            match answer.next_token {
                Some(token) => next_token = Some(token),
                None => break,
            }
        }
        all.reverse();
        let text = |text: Option<String>| text.expect("every event has it");
        let ids: BTreeSet<String> = all.iter().map(|event| text(event.event_id.clone())).collect();
        assert_eq!(ids.len(), all.len(), "each event has an id of its own: {ids:?}");
        let line = |event: StackEvent| {
            let reason = event.resource_status_reason.map(|reason| format!(" ({reason})"));
            let (id, status) = (text(event.logical_resource_id), text(event.resource_status));
            format!("{id} {status}{}", reason.unwrap_or_default())
        };
        all.into_iter().map(line).collect()
    }

    /// The events since a line of the story.
    pub async fn story_since(&self, name: &str, count: usize) -> Vec<String> {
        self.story(name).await.split_off(count)
    }

    pub async fn outputs(&self, name: &str) -> Vec<(String, String)> {
        let outputs = self.stack(name).await.outputs.into_iter();
        outputs.filter_map(|output| Some((output.output_key?, output.output_value?))).collect()
    }
}

pub fn update(name: &str, body: &str) -> UpdateStackRequest {
    UpdateStackRequest { stack_name: name.into(), template_body: Some(body.into()), ..Default::default() }
}

pub fn code<T: std::fmt::Debug>(answer: Result<T, Error>) -> (String, String) {
    let error = answer.expect_err("must be refused");
    (error.code.into_owned(), error.message)
}
