//! Load balancers in scripts.

use super::{Player, shown};
use kiln_autoscaling_shapes as asg;
use kiln_ec2_shapes as ec2;
use kiln_elbv2_shapes as elb;
use kiln_machines_sim::Answer;
use kiln_machines_spec::MachineId;
use std::collections::BTreeMap;

/// What a script knows of a load balancer.
pub struct Balancer {
    arn: String,
    target_group: String,
    /// How its targets were when this was last told.
    told: String,
}

impl Player<'_> {
    pub async fn balancer(&mut self, name: &str, group: &str) -> Result<(), String> {
        let vpcs = self.kit.call(ec2::DescribeVpcsRequest::default()).await.map_err(shown)?.vpcs;
        let request = elb::CreateTargetGroupRequest {
            name: name.to_owned(),
            protocol: Some("HTTP".to_owned()),
            port: Some(80),
            vpc_id: vpcs.into_iter().find_map(|vpc| vpc.vpc_id),
            health_check_interval_seconds: Some(5),
            health_check_timeout_seconds: Some(2),
            healthy_threshold_count: Some(2),
            unhealthy_threshold_count: Some(2),
            ..Default::default()
        };
        let made = self.kit.call(request).await.map_err(shown)?.target_groups.into_iter().next();
        let target_group = made.and_then(|made| made.target_group_arn).ok_or("a target group without an ARN")?;
        let request = elb::CreateLoadBalancerRequest {
            name: name.to_owned(),
            subnets: self.subnets().await?,
            scheme: Some("internal".to_owned()),
            ..Default::default()
        };
        let made = self.kit.call(request).await.map_err(shown)?.load_balancers.into_iter().next();
        let arn = made.and_then(|made| made.load_balancer_arn).ok_or("a load balancer without an ARN")?;
        let request = elb::CreateListenerRequest {
            load_balancer_arn: arn.clone(),
            protocol: Some("HTTP".to_owned()),
            port: Some(80),
            default_actions: vec![elb::Action {
                r#type: "forward".to_owned(),
                target_group_arn: Some(target_group.clone()),
                ..Default::default()
            }],
            ..Default::default()
        };
        self.kit.call(request).await.map_err(shown)?;
        let request = asg::AttachLoadBalancerTargetGroupsRequest {
            auto_scaling_group_name: group.to_owned(),
            target_group_arns: vec![target_group.clone()],
        };
        self.kit.call(request).await.map_err(shown)?;
        let request = asg::UpdateAutoScalingGroupRequest {
            auto_scaling_group_name: group.to_owned(),
            health_check_type: Some("ELB".to_owned()),
            health_check_grace_period: Some(0),
            ..Default::default()
        };
        self.kit.call(request).await.map_err(shown)?;
        self.balancers.insert(name.to_owned(), Balancer { arn, target_group, told: String::new() });
        Ok(())
    }

    pub async fn delete_balancer(&self, name: &str) -> Result<(), String> {
        let load_balancer_arn = self.balancer_of(name)?.arn.clone();
        let request = elb::DeleteLoadBalancerRequest { load_balancer_arn };
        self.kit.call(request).await.map(drop).map_err(shown)
    }

    /// What the program in machines of a group says from now on.
    pub async fn answers(&self, group: &str, all: bool, status: u16) -> Result<(), String> {
        let serving = self.in_service(group, None).await?;
        if serving.is_empty() {
            return Err("none is in service".to_owned());
        }
        for id in serving.iter().take(if all { usize::MAX } else { 1 }) {
            self.kit.story().say(&format!("fate: {id} answers {status}"));
            let set = self.kit.machines().set_answer(&MachineId::new(id.as_str()), Answer::Status(status));
            set.map_err(|e| e.chain())?;
        }
        Ok(())
    }

    fn balancer_of(&self, name: &str) -> Result<&Balancer, String> {
        self.balancers.get(name).ok_or_else(|| format!("there is no load balancer {name}"))
    }

    /// `active` and so on; `gone`.
    pub async fn balancer_state(&self, name: &str) -> Result<String, String> {
        let arn = &self.balancer_of(name)?.arn;
        let all = self.kit.call(elb::DescribeLoadBalancersRequest::default()).await.map_err(shown)?.load_balancers;
        let found = all.into_iter().find(|balancer| balancer.load_balancer_arn.as_ref() == Some(arn));
        let Some(found) = found else { return Ok("gone".to_owned()) };
        found.state.and_then(|state| state.code).ok_or_else(|| format!("{name} is described without its state"))
    }

    /// The states of the targets behind a load balancer.
    pub async fn health(&self, name: &str) -> Result<Vec<String>, String> {
        let target_group_arn = self.balancer_of(name)?.target_group.clone();
        let request = elb::DescribeTargetHealthRequest { target_group_arn, ..Default::default() };
        let health = self.kit.call(request).await.map_err(shown)?.target_health_descriptions;
        let states = health.into_iter().map(|target| target.target_health.and_then(|health| health.state));
        states.collect::<Option<_>>().ok_or_else(|| format!("a target of {name} is described without its state"))
    }

    /// Tells how targets are, where that is news.
    pub async fn tell_of_balancers(&mut self) -> Result<(), String> {
        for name in self.balancers.keys().cloned().collect::<Vec<_>>() {
            let mut by_state: BTreeMap<String, usize> = BTreeMap::new();
            for state in self.health(&name).await? {
                *by_state.entry(state).or_default() += 1;
            }
            let states: Vec<String> = by_state.into_iter().map(|(state, count)| format!("{count} {state}")).collect();
            let targets = if states.is_empty() { "no targets".to_owned() } else { states.join(", ") };
            let text = format!("  {name}: {}; {targets}", self.balancer_state(&name).await?);
            if let Some(balancer) = self.balancers.get_mut(&name).filter(|balancer| balancer.told != text) {
                self.kit.story().say(&text);
                balancer.told = text;
            }
        }
        Ok(())
    }
}
