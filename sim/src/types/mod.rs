//! What holds for every CloudFormation type that is served, whichever service has it: one thing of each stands in
//! `types.yaml`, with a name of its own, all that takes a second call and every property that is served; a type that
//! is served and not in it fails the tests. What its things need is in `base.yaml`.

mod half_made;
mod held;
mod read_back;
mod same;

use crate::play::platform;
use kiln_cloudformation_shapes as cfn;
use kiln_ec2_shapes as ec2;
use kiln_kms_shapes as kms;
use kiln_s3::ObjectFiles;
use kiln_s3_shapes as s3;
use kiln_service_kit::{Blob, Caller, CallerKind, Cx, Error, Grant, IdSource, Op};
use kiln_sns::Signer;
use kiln_ssm::SealingKey;
use kiln_testkit::{Judge, Testkit};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const CHILD: &str = "Parameters: {Vpc: {Type: String}}\nResources: {G: {Type: AWS::EC2::SecurityGroup, Properties: \
                     {GroupName: own, GroupDescription: g, VpcId: !Ref Vpc}}}";

/// Records that tell of the past, or of the stack itself.
const REMEMBERED: [&str; 6] = [
    "cloudformation/",
    "kit/client-token",
    "iam/last-used",
    "iam/deletion-task",
    "autoscaling/activity",
    "events/generation",
];

/// The stack's owner.
fn ada(kit: &Testkit) -> Caller {
    let account = kit.scope().account.to_string();
    let kind = CallerKind::User { name: "ada".to_owned() };
    let arn = format!("arn:aws:iam::{account}:user/ada");
    Caller { account, arn, user_id: "AIDAADA".to_owned(), access_key: String::new(), kind }
}

/// The calls of a stack's.
#[derive(Default)]
struct Calls {
    /// The number of the call that is refused, from 0.
    refused: Option<usize>,
    made: Vec<String>,
}

/// Lets everybody do everything, but for one call of a stack's.
fn but_for_one(calls: Arc<Mutex<Calls>>) -> impl Fn(&Cx, &Grant<'_>) -> Result<(), Error> + Send + Sync {
    move |cx, grant| {
        let mut calls = calls.lock();
        // What the test itself asks for has another request id.
        if !cx.caller().arn.ends_with("user/ada") || cx.request_id() == ASKED {
            return Ok(());
        }
        calls.made.push(grant.action.to_owned());
        match calls.refused == Some(calls.made.len() - 1) {
            true => Err(Error::sender("AccessDenied", format!("{} is refused this once", grant.action))),
            false => Ok(()),
        }
    }
}

/// The id of the test's own requests.
const ASKED: &str = "00000000-0000-4000-8000-000000000000";

struct World {
    kit: Testkit,
    calls: Arc<Mutex<Calls>>,
    read: u64,
    there: BTreeSet<String>,
    /// Ids of things that are shown as gone for a while, as on AWS.
    gone: BTreeSet<String>,
}

impl World {
    async fn new(folder: &std::path::Path) -> World {
        let files = ObjectFiles::open(folder, &IdSource::seeded(1)).expect("an empty folder");
        let kit = platform()
            .part(|builder, _| builder.open(false).part(files).part(SealingKey::new(&IdSource::seeded(1))))
            .part(|builder, _| builder.part(Signer::new(None, &IdSource::seeded(2), "http://127.0.0.1:4566")))
            .start()
            .await;
        crate::broken_steps::base_image(&kit).await;
        let calls = Arc::<Mutex<Calls>>::default();
        kit.platform().set_access(Arc::new(Judge(but_for_one(calls.clone()))));
        let mut world = World { kit, calls, read: 0, there: BTreeSet::new(), gone: BTreeSet::new() };
        let bucket = "templates".to_owned();
        world.kit.call(s3::CreateBucketRequest { bucket: bucket.clone(), ..Default::default() }).await.expect("made");
        let body = Some(Blob(CHILD.as_bytes().to_vec()));
        let put = s3::PutObjectRequest { bucket, key: "child".to_owned(), body, ..Default::default() };
        world.kit.call(put).await.expect("stored");
        world.create("base", &base()).await;
        assert_eq!(world.settled("base").await, "CREATE_COMPLETE", "{:#?}", world.failures("base").await);
        world
    }

    async fn create(&mut self, name: &str, body: &str) {
        let create = cfn::CreateStackRequest {
            stack_name: name.to_owned(),
            template_body: Some(body.to_owned()),
            capabilities: vec!["CAPABILITY_NAMED_IAM".to_owned()],
            ..Default::default()
        };
        let asked = self.kit.cx().as_caller(ada(&self.kit)).call(create).await;
        asked.unwrap_or_else(|error| panic!("{name}: {error}\n{body}"));
    }

    async fn status(&self, name: &str) -> String {
        let asked = cfn::DescribeStacksRequest { stack_name: Some(name.to_owned()), next_token: None };
        match self.kit.call(asked).await {
            Ok(mut found) => found.stacks.remove(0).stack_status.expect("a status"),
            Err(_) => "GONE".to_owned(),
        }
    }

    async fn settled(&self, name: &str) -> String {
        let done = || async { !self.status(name).await.ends_with("IN_PROGRESS") };
        let settled = self.kit.within(Duration::from_secs(3 * 3600), done).await;
        assert!(settled.is_ok(), "{name} never settled: {:#?}", self.failures(name).await);
        self.status(name).await
    }

    async fn delete(&self, name: &str) {
        let delete = cfn::DeleteStackRequest { stack_name: name.to_owned(), ..Default::default() };
        self.kit.cx().as_caller(ada(&self.kit)).call(delete).await.expect("begun");
        assert_eq!(self.settled(name).await, "GONE", "{:#?}", self.failures(name).await);
    }

    /// The resource's events: status, id and reason.
    async fn failures(&self, name: &str) -> Vec<String> {
        let asked = cfn::DescribeStackEventsRequest { stack_name: name.to_owned(), next_token: None };
        let events = self.kit.call(asked).await.map(|answer| answer.stack_events).unwrap_or_default();
        let text = |text: Option<String>| text.unwrap_or_default();
        let line = |e: cfn::StackEvent| {
            let id = text(e.physical_resource_id);
            format!("{} {id} {}", text(e.resource_status), text(e.resource_status_reason))
        };
        events.into_iter().map(line).collect()
    }

    /// Every record that stands for a thing.
    async fn things(&mut self) -> BTreeSet<String> {
        self.kit.settle().await;
        for commit in self.kit.store().changes_since(self.read).expect("all is kept") {
            self.read = commit.sequence;
            for change in &commit.changes {
                let key = format!("{} {} {}", change.kind, change.scope.region, change.id);
                match change.op {
                    Op::Put => self.there.insert(key),
                    Op::Delete => self.there.remove(&key),
                };
            }
        }
        let mut things = self.there.clone();
        things.retain(|key| !REMEMBERED.iter().any(|kind| key.starts_with(kind)));
        let asked = ec2::DescribeInstancesRequest::default();
        let found = self.kit.call(asked).await.expect("described").reservations;
        for instance in found.into_iter().flat_map(|reservation| reservation.instances) {
            if instance.state.and_then(|state| state.name).as_deref() == Some("terminated") {
                self.gone.extend(instance.instance_id);
            }
        }
        let asked = ec2::DescribeNatGatewaysRequest::default();
        for nat in self.kit.call(asked).await.expect("described").nat_gateways {
            if nat.state.as_deref() == Some("deleted") {
                self.gone.extend(nat.nat_gateway_id);
            }
        }
        // A key that is deleted waits for it.
        for key in self.kit.call(kms::ListKeysRequest::default()).await.expect("listed").keys {
            let asked = kms::DescribeKeyRequest { key_id: key.key_id.expect("an id"), ..Default::default() };
            let key = self.kit.call(asked).await.expect("described").key_metadata.expect("a key");
            if key.key_state.as_deref() == Some("PendingDeletion") {
                self.gone.extend(key.key_id);
            }
        }
        things.retain(|key| !self.gone.iter().any(|id| key.ends_with(id)));
        things
    }
}

/// The base with everything exported by its logical id.
fn base() -> String {
    let mut body = include_str!("base.yaml").to_owned();
    let (_, resources) = include_str!("base.yaml").split_once("\nResources:\n").expect("it has resources");
    let (resources, _) = resources.split_once("\nOutputs:\n").expect("it has outputs");
    for id in resources.lines().filter_map(|line| line.trim().split_once(':')).map(|(id, _)| id) {
        body.push_str(&format!("  {id}: {{Value: !Ref {id}, Export: {{Name: {id}}}}}\n"));
    }
    body
}

/// The things, one per type.
fn kinds() -> Vec<(&'static str, String)> {
    let lines = include_str!("types.yaml").lines().filter(|line| line.starts_with("  A: "));
    lines
        .map(|line| {
            let (_, rest) = line.split_once("Type: ").expect("a type");
            let kind = rest.trim_start_matches('\'').split(['\'', ',', '}']).next().expect("a type");
            (kind, format!("Resources:\n{line}\n"))
        })
        .collect()
}
