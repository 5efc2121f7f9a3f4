//! A stack with a group, and what tests see of it and do to it.

use kiln_autoscaling_shapes as asg;
use kiln_cloudformation_shapes::*;
use kiln_machines_spec::{BaseRecipe, MachineDriver, NoProgress};
use kiln_service_kit::{Error, Request};
use kiln_testkit::{Builder, Testkit};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

pub const STACK: &str = "shop";

/// Members of a policy that waits for signals.
pub const SIGNALS: &str = "WaitOnResourceSignals: true, PauseTime: PT10M";

pub fn platform() -> Builder {
    Testkit::new(1).services([
        kiln_ec2::service(),
        kiln_autoscaling::service(),
        kiln_ssm::service(),
        kiln_cloudformation::service(),
    ])
}

/// A group whose instances run a release; sizes and attributes are given.
pub fn body(sizes: &str, attributes: &str) -> String {
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

pub fn rolling(members: &str) -> String {
    format!("    UpdatePolicy: {{AutoScalingRollingUpdate: {{{members}}}}}")
}

pub struct Shop {
    pub kit: Arc<Testkit>,
}

impl Shop {
    pub async fn given(body: &str) -> Shop {
        Shop::on(Arc::new(platform().start().await), body).await
    }

    pub async fn on(kit: Arc<Testkit>, body: &str) -> Shop {
        let shop = Shop::begun_on(kit, body).await;
        assert_eq!(shop.settled().await, "CREATE_COMPLETE", "{:#?}", shop.story(0).await);
        shop
    }

    /// The stack is begun, and may wait for signals.
    pub async fn begun(body: &str) -> Shop {
        Shop::begun_on(Arc::new(platform().start().await), body).await
    }

    async fn begun_on(kit: Arc<Testkit>, body: &str) -> Shop {
        let base = kit.machines().ensure_base(&BaseRecipe::default(), Arc::new(NoProgress)).await.expect("an image");
        kiln_ec2::register_base(kit.platform(), &base).await.expect("EC2 knows the image");
        let shop = Shop { kit };
        let template_body = Some(body.to_owned());
        shop.call(CreateStackRequest { stack_name: STACK.into(), template_body, ..Default::default() }).await;
        shop
    }

    pub async fn call<R: Request>(&self, request: R) -> R::Response {
        self.try_call(request).await.unwrap_or_else(|error| panic!("{}: {error}", R::OPERATION))
    }

    async fn try_call<R: Request>(&self, request: R) -> Result<R::Response, Error> {
        self.kit.call(request).await
    }

    /// Begins an update to a release.
    pub async fn ship(&self, release: &str, body: &str) {
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

    pub async fn status(&self) -> String {
        let request = DescribeStacksRequest { stack_name: Some(STACK.into()), next_token: None };
        self.call(request).await.stacks.remove(0).stack_status.expect("a stack has a status")
    }

    pub async fn settled(&self) -> String {
        let done = || async { !self.status().await.ends_with("IN_PROGRESS") };
        if self.kit.within(Duration::from_secs(7200), done).await.is_err() {
            panic!("the stack never settled: {:#?}", self.story(0).await);
        }
        self.status().await
    }

    /// The newest group.
    pub async fn group(&self) -> asg::AutoScalingGroup {
        let mut all = self.call(asg::DescribeAutoScalingGroupsRequest::default()).await.auto_scaling_groups;
        all.sort_by_key(|group| group.created_time);
        all.pop().unwrap_or_default()
    }

    pub async fn groups(&self) -> usize {
        self.call(asg::DescribeAutoScalingGroupsRequest::default()).await.auto_scaling_groups.len()
    }

    pub async fn until_serving(&self, n: usize) {
        let so = || async { self.serving().await.len() == n };
        self.kit.until("instances in service", Duration::from_secs(60), so).await;
    }

    /// Instances in service: id and the version they were launched from.
    pub async fn serving(&self) -> Vec<(String, String)> {
        let members = self.group().await.instances.into_iter();
        let serving = members.filter(|member| member.lifecycle_state.as_deref() == Some("InService"));
        let version = |member: &asg::Instance| member.launch_template.as_ref().and_then(|made| made.version.clone());
        serving.filter_map(|member| Some((version(&member)?, member.instance_id?))).map(|(v, id)| (id, v)).collect()
    }

    pub async fn versions(&self) -> Vec<String> {
        let mut versions: Vec<String> = self.serving().await.into_iter().map(|(_, version)| version).collect();
        versions.sort();
        versions
    }

    pub async fn sizes(&self) -> (i32, i32, i32) {
        let group = self.group().await;
        let size = |size: Option<i32>| size.expect("a group has sizes");
        (size(group.min_size), size(group.desired_capacity), size(group.max_size))
    }

    /// The fewest that were in service until the stack has settled.
    pub async fn fewest(&self) -> usize {
        let mut fewest = usize::MAX;
        while self.status().await.ends_with("IN_PROGRESS") {
            fewest = fewest.min(self.serving().await.len());
            self.kit.advance(Duration::from_millis(50)).await;
        }
        fewest
    }

    /// What the events say of the group from the `since`th on; instances by letters in the order they are named.
    pub async fn story(&self, since: usize) -> Vec<String> {
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

    pub async fn signal(&self, id: &str, success: bool) -> Result<SignalResourceResponse, Error> {
        let request = SignalResourceRequest {
            stack_name: STACK.into(),
            logical_resource_id: "Group".into(),
            unique_id: id.into(),
            status: if success { "SUCCESS" } else { "FAILURE" }.into(),
        };
        self.try_call(request).await
    }

    /// Waits for an event of the group.
    pub async fn until(&self, text: &str, times: usize) {
        let told = || async { self.story(0).await.iter().filter(|line| line.contains(text)).count() >= times };
        if self.kit.within(Duration::from_secs(3600), told).await.is_err() {
            panic!("{text}: {:#?}", self.story(0).await);
        }
    }

    /// Lets every new instance tell how it is as soon as it serves, until the stack has settled: those of one
    /// version do not work.
    pub async fn telling(&self, broken: &str) -> String {
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
