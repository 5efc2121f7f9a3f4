//! Rolling updates with the real Auto Scaling and EC2 services, simulated machines and a clock that
//! moves only when everybody waits.

use kiln_autoscaling_shapes as asg;
use kiln_cloudformation_shapes::*;
use kiln_machines_spec::{BaseRecipe, MachineDriver, NoProgress};
use kiln_service_kit::{Error, Request};
use kiln_testkit::{Builder, Testkit, break_each_step};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const STACK: &str = "shop";

fn platform() -> Builder {
    Testkit::new(1).services([
        kiln_ec2::service(),
        kiln_autoscaling::service(),
        kiln_ssm::service(),
        kiln_cloudformation::service(),
    ])
}

/// A group whose instances run a release; sizes and attributes are given.
fn body(sizes: &str, attributes: &str) -> String {
    format!(
        r#"
Parameters:
  Base: {{Type: 'AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>', Default: /aws/service/debian/release/12/latest/amd64}}
  Release: {{Type: String, Default: one}}
Resources:
  Template:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      LaunchTemplateData: {{ImageId: !Ref Base, InstanceType: t3.micro, UserData: !Base64 {{Ref: Release}}}}
  Group:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties:
      {sizes}
      AvailabilityZones: !GetAZs ''
      LaunchTemplate: {{LaunchTemplateId: !Ref Template, Version: !GetAtt Template.LatestVersionNumber}}
{attributes}
Outputs:
  Group: {{Value: !Ref Group}}
"#
    )
}

fn rolling(members: &str) -> String {
    format!("    UpdatePolicy: {{AutoScalingRollingUpdate: {{{members}}}}}")
}

struct Shop {
    kit: Arc<Testkit>,
}

impl Shop {
    async fn given(body: &str) -> Shop {
        Shop::on(Arc::new(platform().start().await), body).await
    }

    async fn on(kit: Arc<Testkit>, body: &str) -> Shop {
        let base = kit.machines().ensure_base(&BaseRecipe::default(), Arc::new(NoProgress)).await.expect("an image");
        kiln_ec2::register_base(kit.platform(), &base).await.expect("EC2 knows the image");
        let shop = Shop { kit };
        let create =
            CreateStackRequest { stack_name: STACK.into(), template_body: Some(body.to_owned()), ..Default::default() };
        shop.call(create).await;
        assert_eq!(shop.settled().await, "CREATE_COMPLETE", "{:#?}", shop.story(0).await);
        shop
    }

    async fn call<R: Request>(&self, request: R) -> R::Response {
        self.try_call(request).await.unwrap_or_else(|error| panic!("{}: {error}", R::OPERATION))
    }

    async fn try_call<R: Request>(&self, request: R) -> Result<R::Response, Error> {
        self.kit.call(request).await
    }

    /// Begins an update to a release.
    async fn ship(&self, release: &str, body: &str) {
        let release = Parameter {
            parameter_key: Some("Release".into()),
            parameter_value: Some(release.into()),
            ..Default::default()
        };
        let update = UpdateStackRequest {
            stack_name: STACK.into(),
            template_body: Some(body.to_owned()),
            parameters: vec![release],
            ..Default::default()
        };
        self.call(update).await;
    }

    async fn status(&self) -> String {
        let request = DescribeStacksRequest { stack_name: Some(STACK.into()), next_token: None };
        self.call(request).await.stacks.remove(0).stack_status.expect("a stack has a status")
    }

    async fn settled(&self) -> String {
        let done = || async { !self.status().await.ends_with("IN_PROGRESS") };
        if self.kit.within(Duration::from_secs(7200), done).await.is_err() {
            panic!("the stack never settled: {:#?}", self.story(0).await);
        }
        self.status().await
    }

    async fn group(&self) -> asg::AutoScalingGroup {
        self.call(asg::DescribeAutoScalingGroupsRequest::default()).await.auto_scaling_groups.remove(0)
    }

    /// Instances in service: id and the version they were launched from.
    async fn serving(&self) -> Vec<(String, String)> {
        let members = self.group().await.instances.into_iter();
        let serving = members.filter(|member| member.lifecycle_state.as_deref() == Some("InService"));
        let version = |member: &asg::Instance| member.launch_template.as_ref().and_then(|made| made.version.clone());
        serving.filter_map(|member| Some((version(&member)?, member.instance_id?))).map(|(v, id)| (id, v)).collect()
    }

    async fn versions(&self) -> Vec<String> {
        let mut versions: Vec<String> = self.serving().await.into_iter().map(|(_, version)| version).collect();
        versions.sort();
        versions
    }

    async fn sizes(&self) -> (i32, i32, i32) {
        let group = self.group().await;
        let size = |size: Option<i32>| size.expect("a group has sizes");
        (size(group.min_size), size(group.desired_capacity), size(group.max_size))
    }

    /// The fewest that were in service until the stack has settled.
    async fn fewest(&self) -> usize {
        let mut fewest = usize::MAX;
        while self.status().await.ends_with("IN_PROGRESS") {
            fewest = fewest.min(self.serving().await.len());
            self.kit.advance(Duration::from_millis(50)).await;
        }
        fewest
    }

    /// What the events say of the group from the `since`th on; instances by letters in the order they are named.
    async fn story(&self, since: usize) -> Vec<String> {
        let mut all = vec![];
        let mut next_token = None;
        loop {
            let request = DescribeStackEventsRequest { stack_name: STACK.into(), next_token };
            let answer = self.call(request).await;
            all.extend(answer.stack_events);
            next_token = answer.next_token;
            if next_token.is_none() {
                break;
            }
        }
        all.reverse();
        let mut known: Vec<String> = vec![];
        let line = |event: StackEvent| {
            let status = event.resource_status.unwrap_or_default();
            match event.resource_status_reason {
                Some(reason) => format!("{status}: {}", plain(&reason, &mut known)),
                None => status,
            }
        };
        all.into_iter()
            .filter(|event| event.logical_resource_id.as_deref() == Some("Group"))
            .map(line)
            .skip(since)
            .collect()
    }

    async fn signal(&self, id: &str, success: bool) -> Result<SignalResourceResponse, Error> {
        let request = SignalResourceRequest {
            stack_name: STACK.into(),
            logical_resource_id: "Group".into(),
            unique_id: id.into(),
            status: if success { "SUCCESS" } else { "FAILURE" }.into(),
        };
        self.try_call(request).await
    }

    /// Waits for an event of the group.
    async fn until(&self, text: &str, times: usize) {
        let told = || async { self.story(0).await.iter().filter(|line| line.contains(text)).count() >= times };
        if self.kit.within(Duration::from_secs(3600), told).await.is_err() {
            panic!("{text}: {:#?}", self.story(0).await);
        }
    }

    /// Lets every new instance tell how it is as soon as it serves, until the stack has settled: those of one
    /// version do not work.
    async fn telling(&self, broken: &str) -> String {
        let mut told: BTreeSet<String> = self.serving().await.into_iter().map(|(id, _)| id).collect();
        while self.status().await.ends_with("IN_PROGRESS") {
            for (id, made_from) in self.serving().await {
                if !told.contains(&id) && self.signal(&id, made_from != broken).await.is_ok() {
                    told.insert(id);
                }
            }
            self.kit.advance(Duration::from_millis(200)).await;
        }
        self.status().await
    }
}

/// Ids of instances as letters.
fn plain(text: &str, known: &mut Vec<String>) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("i-") {
        plain.push_str(&rest[..at]);
        let id: String = rest[at..].chars().take(19).collect();
        let number = known.iter().position(|other| *other == id).unwrap_or_else(|| {
            known.push(id.clone());
            known.len() - 1
        });
        plain.push(char::from(b'a' + u8::try_from(number).expect("few instances")));
        rest = &rest[at + id.len()..];
    }
    plain + rest
}

#[tokio::test(start_paused = true)]
async fn instances_are_replaced_batch_by_batch_while_enough_serve() {
    let body = body(
        "MinSize: 2\n      MaxSize: 4\n      DesiredCapacity: 3",
        &rolling("MinInstancesInService: 3, MaxBatchSize: 1"),
    );
    let shop = Shop::given(&body).await;
    let before: BTreeSet<String> = shop.serving().await.into_iter().map(|(id, _)| id).collect();
    let count = shop.story(0).await.len();
    shop.ship("two", &body).await;
    assert!(shop.fewest().await >= 3);
    assert_eq!(shop.settled().await, "UPDATE_COMPLETE", "{:#?}", shop.story(0).await);
    assert_eq!(shop.versions().await, ["2", "2", "2"]);
    assert!(shop.serving().await.iter().all(|(id, _)| !before.contains(id)));
    assert_eq!(shop.sizes().await, (2, 3, 4));
    assert_eq!(
        shop.story(count).await,
        [
            "UPDATE_IN_PROGRESS",
            "UPDATE_IN_PROGRESS: Rolling update initiated. Terminating 3 obsolete instance(s) in batches of 1, while keeping at least 3 instance(s) in service.",
            "UPDATE_IN_PROGRESS: Temporarily setting autoscaling group MinSize and DesiredCapacity to 4.",
            "UPDATE_IN_PROGRESS: Terminating instance(s) [a]; replacing with 1 new instance(s).",
            "UPDATE_IN_PROGRESS: Successfully terminated instance(s) [a] (Progress 33%).",
            "UPDATE_IN_PROGRESS: Terminating instance(s) [b]; replacing with 1 new instance(s).",
            "UPDATE_IN_PROGRESS: Successfully terminated instance(s) [b] (Progress 67%).",
            "UPDATE_IN_PROGRESS: Terminating instance(s) [c]; replacing with 0 new instance(s).",
            "UPDATE_IN_PROGRESS: Successfully terminated instance(s) [c] (Progress 100%).",
            "UPDATE_COMPLETE",
        ]
    );
}

const SIGNALS: &str = "WaitOnResourceSignals: true, PauseTime: PT10M";

#[tokio::test(start_paused = true)]
async fn each_batch_waits_for_its_signals() {
    let sizes = "MinSize: 1\n      MaxSize: 3\n      DesiredCapacity: 2";
    let body = body(sizes, &rolling(&format!("MinInstancesInService: 1, {SIGNALS}")));
    let shop = Shop::given(&body).await;
    let early = shop.signal("i-00000000000000000", true).await.expect_err("nothing waits for it");
    assert!(early.message.contains("can not be signaled"), "{early}");
    let count = shop.story(0).await.len();
    shop.ship("two", &body).await;
    assert_eq!(shop.telling("").await, "UPDATE_COMPLETE");
    assert_eq!(shop.versions().await, ["2", "2"]);
    assert_eq!(shop.sizes().await, (1, 2, 3));
    assert_eq!(
        shop.story(count).await,
        [
            "UPDATE_IN_PROGRESS",
            "UPDATE_IN_PROGRESS: Rolling update initiated. Terminating 2 obsolete instance(s) in batches of 1, while keeping at least 1 instance(s) in service. Waiting on resource signals with a timeout of PT10M when new instances are added to the autoscaling group.",
            "UPDATE_IN_PROGRESS: Temporarily setting autoscaling group MinSize and DesiredCapacity to 2.",
            "UPDATE_IN_PROGRESS: Terminating instance(s) [a]; replacing with 1 new instance(s).",
            "UPDATE_IN_PROGRESS: Successfully terminated instance(s) [a] (Progress 50%).",
            "UPDATE_IN_PROGRESS: New instance(s) added to autoscaling group - Waiting on 1 resource signal(s) with a timeout of PT10M.",
            "UPDATE_IN_PROGRESS: Received SUCCESS signal with UniqueId b",
            "UPDATE_IN_PROGRESS: Terminating instance(s) [c]; replacing with 1 new instance(s).",
            "UPDATE_IN_PROGRESS: Successfully terminated instance(s) [c] (Progress 100%).",
            "UPDATE_IN_PROGRESS: New instance(s) added to autoscaling group - Waiting on 1 resource signal(s) with a timeout of PT10M.",
            "UPDATE_IN_PROGRESS: Received SUCCESS signal with UniqueId d",
            "UPDATE_COMPLETE",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_release_that_says_nothing_is_rolled_back() {
    let sizes = "MinSize: 2\n      MaxSize: 4";
    let body = body(sizes, &rolling(&format!("MinInstancesInService: 2, {SIGNALS}")));
    let shop = Shop::given(&body).await;
    let before = shop.serving().await;
    let count = shop.story(0).await.len();
    shop.ship("two", &body).await;
    let began = shop.kit.now();
    // None of the old ones goes: the new one never says that it works.
    assert_eq!(shop.fewest().await, 2);
    assert_eq!(shop.status().await, "UPDATE_ROLLBACK_COMPLETE", "{:#?}", shop.story(count).await);
    assert!(shop.kit.now().since(began) >= Duration::from_secs(600));
    assert_eq!(shop.serving().await, before);
    assert_eq!(shop.sizes().await, (2, 2, 4));
    assert_eq!(
        shop.story(count).await,
        [
            "UPDATE_IN_PROGRESS",
            "UPDATE_IN_PROGRESS: Rolling update initiated. Terminating 2 obsolete instance(s) in batches of 1, while keeping at least 2 instance(s) in service. Waiting on resource signals with a timeout of PT10M when new instances are added to the autoscaling group.",
            "UPDATE_IN_PROGRESS: Temporarily setting autoscaling group MinSize and DesiredCapacity to 3.",
            "UPDATE_IN_PROGRESS: New instance(s) added to autoscaling group - Waiting on 1 resource signal(s) with a timeout of PT10M.",
            "UPDATE_IN_PROGRESS: Failed to receive 1 resource signal(s) for the current batch.  Each resource signal timeout is counted as a FAILURE.",
            "UPDATE_FAILED: Received 0 SUCCESS signal(s) out of 2.  Unable to satisfy 100% MinSuccessfulInstancesPercent requirement",
            "UPDATE_IN_PROGRESS",
            "UPDATE_IN_PROGRESS: Rolling update initiated. Terminating 1 obsolete instance(s) in batches of 1, while keeping at least 2 instance(s) in service. Waiting on resource signals with a timeout of PT10M when new instances are added to the autoscaling group.",
            "UPDATE_IN_PROGRESS: Temporarily setting autoscaling group MinSize and DesiredCapacity to 3.",
            "UPDATE_IN_PROGRESS: Terminating instance(s) [a]; replacing with 0 new instance(s).",
            "UPDATE_IN_PROGRESS: Successfully terminated instance(s) [a] (Progress 100%).",
            "UPDATE_COMPLETE",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_signal_is_enough_and_the_way_back_rolls_too() {
    let sizes = "MinSize: 1\n      MaxSize: 3\n      DesiredCapacity: 3";
    let policy = format!("MaxBatchSize: 2, {SIGNALS}, SuspendProcesses: [AZRebalance, HealthCheck]");
    let body = body(sizes, &rolling(&policy));
    let shop = Shop::given(&body).await;
    let suspends = |processes: &[&str]| {
        let scaling_processes = processes.iter().map(|name| (*name).to_owned()).collect();
        let group = shop.group();
        async move {
            let auto_scaling_group_name = group.await.auto_scaling_group_name.expect("a name");
            asg::SuspendProcessesRequest { auto_scaling_group_name, scaling_processes }
        }
    };
    // What the user suspended stays suspended.
    shop.call(suspends(&["HealthCheck"]).await).await;
    let count = shop.story(0).await.len();
    shop.ship("two", &body).await;
    shop.until("Waiting on 2 resource signal(s)", 1).await;
    let new: Vec<_> = shop.serving().await.into_iter().filter(|(_, version)| version == "2").collect();
    let processes = |group: asg::AutoScalingGroup| -> Vec<String> {
        group.suspended_processes.into_iter().filter_map(|process| process.process_name).collect()
    };
    assert_eq!(processes(shop.group().await), ["HealthCheck", "AZRebalance"]);
    shop.signal(&new[0].0, true).await.expect("it waits");
    let other = shop.signal(&new[0].0, false).await.expect_err("it said otherwise before");
    assert!(other.message.contains("was already received"), "{other}");
    shop.signal(&new[1].0, false).await.expect("it waits");
    assert_eq!(shop.telling("2").await, "UPDATE_ROLLBACK_COMPLETE", "{:#?}", shop.story(count).await);
    assert_eq!(shop.versions().await, ["1", "1", "1"]);
    assert_eq!(shop.sizes().await, (1, 3, 3));
    assert_eq!(processes(shop.group().await), ["HealthCheck"]);
    let story = shop.story(count).await;
    let failed = "UPDATE_FAILED: Received 1 FAILURE signal(s) out of 3.  Unable to satisfy 100% MinSuccessfulInstancesPercent requirement";
    let at = story.iter().position(|line| line == failed).unwrap_or_else(|| panic!("{story:#?}"));
    assert_eq!(
        story[at + 2],
        "UPDATE_IN_PROGRESS: Rolling update initiated. Terminating 2 obsolete instance(s) in batches of 2. Waiting on resource signals with a timeout of PT10M when new instances are added to the autoscaling group."
    );
}

#[tokio::test(start_paused = true)]
async fn a_part_of_the_signals_may_be_enough() {
    let sizes = "MinSize: 1\n      MaxSize: 4\n      DesiredCapacity: 2";
    let policy = format!("MaxBatchSize: 1, MinInstancesInService: 1, MinSuccessfulInstancesPercent: 50, {SIGNALS}");
    let body = body(sizes, &rolling(&policy));
    let shop = Shop::given(&body).await;
    let count = shop.story(0).await.len();
    shop.ship("two", &body).await;
    shop.until("Waiting on 1 resource signal(s)", 1).await;
    // The first says nothing, the second that it works, under a name of its own.
    shop.until("Waiting on 1 resource signal(s)", 2).await;
    shop.signal("web.internal", true).await.expect("it waits");
    assert_eq!(shop.settled().await, "UPDATE_COMPLETE", "{:#?}", shop.story(count).await);
    assert_eq!(shop.versions().await, ["2", "2"]);
    let story = shop.story(count).await;
    assert!(story.iter().any(|line| line.contains("Failed to receive 1 resource signal(s)")), "{story:#?}");
}

#[tokio::test(start_paused = true)]
async fn it_pauses_between_batches_and_can_be_cancelled() {
    let sizes = "MinSize: 2\n      MaxSize: 3";
    let body = body(sizes, &rolling("MinInstancesInService: 1, PauseTime: PT5M"));
    let shop = Shop::given(&body).await;
    let count = shop.story(0).await.len();
    shop.ship("two", &body).await;
    let began = shop.kit.now();
    assert_eq!(shop.settled().await, "UPDATE_COMPLETE");
    let took = shop.kit.now().since(began);
    assert!((600..660).contains(&took.as_secs()), "{took:?}");
    let story = shop.story(count).await;
    assert!(
        story[1].ends_with("Pausing for PT5M when new instances are added to the autoscaling group."),
        "{story:#?}"
    );
    let pause = "UPDATE_IN_PROGRESS: New instance(s) added to autoscaling group - Pausing for PT5M.";
    assert_eq!(story.iter().filter(|line| *line == pause).count(), 2, "{story:#?}");
    // The one that was replaced already comes back, after a pause.
    shop.ship("three", &body).await;
    shop.until(pause, 3).await;
    shop.call(CancelUpdateStackRequest { stack_name: STACK.into(), ..Default::default() }).await;
    assert_eq!(shop.settled().await, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(shop.versions().await, ["2", "2"]);
    assert_eq!(shop.sizes().await, (2, 2, 3));
    let story = shop.story(count).await;
    assert!(story.contains(&"UPDATE_FAILED: Resource update cancelled".to_owned()), "{story:#?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_group_cannot_hold_is_refused_when_it_comes_to_it() {
    let sizes = "MinSize: 2\n      MaxSize: 2";
    let body = body(sizes, &rolling("MinInstancesInService: 2"));
    let shop = Shop::given(&body).await;
    let (before, count) = (shop.serving().await, shop.story(0).await.len());
    shop.ship("two", &body).await;
    assert_eq!(shop.settled().await, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(shop.serving().await, before);
    let why = "UPDATE_FAILED: MinInstancesInService must be less than the autoscaling group's MaxSize";
    assert_eq!(shop.story(count).await[1], why);
}

/// A release that works, and one that does not: its first instance says so.
#[test]
fn it_comes_to_the_same_end_whatever_step_breaks() {
    let sizes = "MinSize: 1\n      MaxSize: 2";
    let body = body(sizes, &rolling(&format!("MinInstancesInService: 1, SuspendProcesses: [AZRebalance], {SIGNALS}")));
    let broken = break_each_step(platform, |kit| {
        let body = body.clone();
        async move {
            let shop = Shop::on(kit, &body).await;
            let mut told = vec![];
            for release in ["2", "3"] {
                shop.ship(release, &body).await;
                told.push(shop.telling("3").await);
                told.push(format!("{:?} {:?}", shop.versions().await, shop.sizes().await));
                told.push(format!("{:?}", shop.group().await.suspended_processes));
            }
            // The ids of instances differ, and a signal may come before or after the batch is told of.
            let mut story: Vec<String> =
                shop.story(0).await.into_iter().map(|line| line.replace(char::is_lowercase, "")).collect();
            story.sort();
            told.extend(story);
            told.join("\n")
        }
    });
    assert!(broken.steps.iter().any(|step| step.contains("cloudformation/stack")), "{:#?}", broken.steps);
}
