//! Rolling updates with the real Auto Scaling and EC2 services, simulated machines and a clock that
//! moves only when everybody waits.

use kiln_autoscaling_shapes as asg;
use kiln_cloudformation_shapes::*;
use kiln_machines_spec::{BaseRecipe, MachineDriver, NoProgress};
use kiln_service_kit::{Error, Request};
use kiln_testkit::{Builder, Testkit};
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
    kit: Testkit,
}

impl Shop {
    async fn given(body: &str) -> Shop {
        let kit = platform().start().await;
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
