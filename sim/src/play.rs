//! Plays a script against all services and tells the story.

mod balancers;
mod images;
mod stacks;

use crate::script::{self, Command, Expectation};
use crate::services;
use async_trait::async_trait;
use kiln_autoscaling_shapes as asg;
use kiln_ec2_shapes as ec2;
use kiln_elbv2::{DataPlane, Dialer, Options, Ports, Stream, dial_error};
use kiln_machines_sim::SimDriver;
use kiln_machines_spec::{BaseRecipe, DriverError, MachineDriver, MachineId, NoProgress, VpcId, ZoneName};
use kiln_service_kit::Error;
use kiln_sqs::Messages;
use kiln_testkit::{Builder, Testkit, simulate};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// What came of a script.
pub struct Played {
    /// What happened, with times.
    pub story: String,
    /// The first expectation or call that failed.
    pub failure: Option<String>,
}

/// All services of a kiln, on simulated machines.
pub fn platform() -> Builder {
    Testkit::new(1).services(services::services()).part(|builder, machines| {
        // Nothing of the host's, whose ports and kernel have a time of their own.
        let options = Options { ports: Ports::OfNoHost, workers: 0, ..Options::default() };
        let plane = DataPlane::with_dialer(Arc::new(machines.clone()), Arc::new(InMemory(machines.clone())), options);
        let messages = Messages::in_memory().expect("SQLite in memory");
        builder
            .part(plane.expect("without threads of its own there is nothing to start"))
            .part(messages)
            .part(kiln_logs::Events::default())
    })
}

/// Connections of load balancers to simulated machines.
struct InMemory(SimDriver);

#[async_trait]
impl Dialer for InMemory {
    async fn dial(&self, vpc: &str, from: Option<IpAddr>, to: SocketAddr, timeout: Duration) -> io::Result<Stream> {
        let SocketAddr::V4(to) = to else { return Err(io::ErrorKind::Unsupported.into()) };
        let from = match from {
            Some(IpAddr::V4(ip)) => Some(ip),
            _ => None,
        };
        let dialled = self.0.dial_in_memory(&VpcId::new(vpc), from, to, timeout).await;
        dialled.map(Stream::Memory).map_err(dial_error)
    }
}

/// Plays a script; `Err` when it cannot be read.
pub fn play(text: &str) -> Result<Played, String> {
    let commands = script::parse(text)?;
    Ok(simulate(async {
        let kit = platform().start().await;
        let mut player = Player::new(&kit);
        let mut failure = None;
        for (line, command) in &commands {
            kit.story().say(&format!("> {line}"));
            let outcome = player.command(command).await;
            player.tell().await;
            if let Err(error) = outcome {
                kit.story().say(&format!("FAILED: {error}"));
                failure = Some(format!("{line}: {error}"));
                break;
            }
        }
        Played { story: kit.story().text(), failure }
    }))
}

/// An instance as its group describes it.
struct Member {
    id: String,
    state: String,
    zone: String,
}

/// Plays commands on a platform of the test's own.
pub struct Player<'a> {
    kit: &'a Testkit,
    /// Activities and events, by their ids.
    told: BTreeSet<String>,
    groups: Vec<String>,
    /// Their ids.
    stacks: Vec<String>,
    balancers: BTreeMap<String, balancers::Balancer>,
    images: BTreeMap<String, images::Image>,
}

impl<'a> Player<'a> {
    pub fn new(kit: &'a Testkit) -> Self {
        let (told, groups, stacks) = (BTreeSet::new(), vec![], vec![]);
        Self { kit, told, groups, stacks, balancers: BTreeMap::new(), images: BTreeMap::new() }
    }

    pub async fn command(&mut self, command: &Command) -> Result<(), String> {
        match command {
            Command::Group { name, image, min, desired, max } => {
                self.group(name, image.as_deref(), *min, *desired, *max).await
            }
            Command::CreateStack { name, template } => self.create_stack(name, template).await,
            Command::UpdateStack { name, template } => self.update_stack(name, template).await,
            Command::DeleteStack { name } => self.delete_stack(name).await,
            Command::Balancer { name, group } => self.balancer(name, group).await,
            Command::DeleteBalancer { name } => self.delete_balancer(name).await,
            Command::Answers { name, all, status } => self.answers(name, *all, *status).await,
            Command::TakeImage { name, group } => self.take_image(name, group).await,
            Command::DeleteImage { name } => self.delete_image(name).await,
            Command::Desired { name, capacity } => {
                let request = asg::SetDesiredCapacityRequest {
                    auto_scaling_group_name: name.clone(),
                    desired_capacity: *capacity,
                    honor_cooldown: None,
                };
                self.kit.call(request).await.map(drop).map_err(shown)
            }
            Command::Kill { name, count } => {
                let serving = self.in_service(name, None).await?;
                let count = count.unwrap_or(serving.len());
                if serving.len() < count {
                    return Err(format!("only {} are in service", serving.len()));
                }
                serving.iter().take(count).try_for_each(|id| self.kit.kill(id).map_err(|e| e.chain()))
            }
            Command::SwitchOff { name } => {
                let serving = self.in_service(name, None).await?;
                let id = serving.first().ok_or("none is in service")?;
                self.kit.story().say(&format!("fate: {id} switches itself off"));
                self.kit.machines().power_off(&MachineId::new(id.as_str())).map_err(|e| e.chain())
            }
            Command::FailLaunches { count, text } => {
                for _ in 0..*count {
                    self.kit.machines().fail_next_launch(DriverError::failed("make the machine", text.clone()));
                }
                Ok(())
            }
            Command::NoRoom { count } => {
                for _ in 0..*count {
                    self.kit.machines().fail_next_launch(DriverError::Capacity("no memory is left".to_owned()));
                }
                Ok(())
            }
            Command::Zone { zone, up } => {
                self.kit.machines().power_zone(&ZoneName::new(zone.as_str()), *up);
                Ok(())
            }
            Command::Process { name, process, resume } => self.process(name, process, *resume).await,
            Command::Delete { name } => {
                let request = asg::DeleteAutoScalingGroupRequest {
                    auto_scaling_group_name: name.clone(),
                    force_delete: Some(true),
                };
                self.kit.call(request).await.map(drop).map_err(shown)
            }
            Command::Tick(time) => {
                self.kit.advance(*time).await;
                Ok(())
            }
            Command::Settle => {
                self.kit.settle().await;
                Ok(())
            }
            Command::Expect { what, within } => self.expect(what, *within).await,
        }
    }

    /// The base image's id; it is there from the first time on that somebody asks for it.
    async fn base_image(&self) -> Result<String, String> {
        let driver = self.kit.machines();
        let base = driver.ensure_base(&BaseRecipe::default(), Arc::new(NoProgress)).await.map_err(|e| e.chain())?;
        kiln_ec2::register_base(self.kit.platform(), &base).await.map_err(shown)
    }

    async fn group(&mut self, name: &str, image: Option<&str>, min: i32, desired: i32, max: i32) -> Result<(), String> {
        let image = match image {
            Some(image) => self.image_id(image)?.to_owned(),
            None => self.base_image().await?,
        };
        let data = ec2::RequestLaunchTemplateData {
            image_id: Some(image),
            instance_type: Some("t3.micro".to_owned()),
            ..Default::default()
        };
        let template = ec2::CreateLaunchTemplateRequest {
            launch_template_name: format!("{name}-template"),
            launch_template_data: data,
            ..Default::default()
        };
        self.kit.call(template).await.map_err(shown)?;
        let template = asg::LaunchTemplateSpecification {
            launch_template_name: Some(format!("{name}-template")),
            version: Some("$Latest".to_owned()),
            ..Default::default()
        };
        let request = asg::CreateAutoScalingGroupRequest {
            auto_scaling_group_name: name.to_owned(),
            launch_template: Some(template),
            min_size: min,
            max_size: max,
            desired_capacity: Some(desired),
            vpc_zone_identifier: Some(self.subnets().await?.join(",")),
            ..Default::default()
        };
        self.kit.call(request).await.map_err(shown)?;
        self.groups.push(name.to_owned());
        Ok(())
    }

    /// The default subnets of the first three zones.
    async fn subnets(&self) -> Result<Vec<String>, String> {
        let answer = self.kit.call(ec2::DescribeSubnetsRequest::default()).await.map_err(shown)?;
        let zones = ["a", "b", "c"].map(|zone| format!("us-east-1{zone}"));
        let here = |subnet: &ec2::Subnet| subnet.availability_zone.as_ref().is_some_and(|zone| zones.contains(zone));
        let ids = answer.subnets.into_iter().filter(here).filter_map(|subnet| subnet.subnet_id).collect();
        Ok(ids)
    }

    async fn process(&self, name: &str, process: &str, resume: bool) -> Result<(), String> {
        let (group, processes) = (name.to_owned(), vec![process.to_owned()]);
        let outcome = if resume {
            let request = asg::ResumeProcessesRequest { auto_scaling_group_name: group, scaling_processes: processes };
            self.kit.call(request).await.map(drop)
        } else {
            let request = asg::SuspendProcessesRequest { auto_scaling_group_name: group, scaling_processes: processes };
            self.kit.call(request).await.map(drop)
        };
        outcome.map_err(shown)
    }

    async fn expect(&self, what: &Expectation, within: Option<Duration>) -> Result<(), String> {
        let is_so = || async { self.seen(what).await.is_ok_and(|seen| seen.is_none()) };
        match self.kit.within(within.unwrap_or(Duration::ZERO), is_so).await {
            Ok(took) if took.is_zero() => Ok(()),
            Ok(took) => {
                self.kit.story().say(&format!("so it is after {:.1} s", took.as_secs_f64()));
                Ok(())
            }
            Err(_) => Err(self.seen(what).await?.unwrap_or_else(|| "it is so just now".to_owned())),
        }
    }

    /// What is there instead of what is expected, if anything.
    async fn seen(&self, what: &Expectation) -> Result<Option<String>, String> {
        let unless = |wanted: &str, seen: String| (seen != wanted).then_some(seen);
        Ok(match what {
            Expectation::InService { name, count, zone } => {
                let serving = self.in_service(name, zone.as_deref()).await?.len();
                (serving != *count).then(|| format!("{serving} in service"))
            }
            Expectation::Launched { name, count } => {
                let launched = self.launched(name).await?;
                (launched != *count).then(|| format!("{launched} launched"))
            }
            Expectation::Stack { name, status } => unless(status, self.stack_status(name).await?),
            Expectation::Balancer { name, state } => unless(state, self.balancer_state(name).await?),
            Expectation::Healthy { name, count } => {
                let states = self.health(name).await?;
                let healthy = states.iter().filter(|state| *state == "healthy").count();
                (healthy != *count).then(|| format!("{states:?}"))
            }
            Expectation::Image { name, state } => unless(state, self.image_state(name).await?),
            Expectation::ImagesOnTheHost(count) => {
                let there = self.kit.machines().images().await.map_err(|e| e.chain())?.len();
                (there != *count).then(|| format!("{there} images"))
            }
        })
    }

    /// The group's instances in the order in which it lists them; `None`: there is no such group.
    async fn members(&self, name: &str) -> Result<Option<Vec<Member>>, String> {
        let request = asg::DescribeAutoScalingGroupsRequest {
            auto_scaling_group_names: vec![name.to_owned()],
            ..Default::default()
        };
        let groups = self.kit.call(request).await.map_err(shown)?.auto_scaling_groups;
        let Some(group) = groups.into_iter().next() else { return Ok(None) };
        let lacks = |what: &str| format!("an instance of {name} is described without its {what}");
        let members = group.instances.into_iter().map(|instance| {
            Ok(Member {
                id: instance.instance_id.ok_or_else(|| lacks("id"))?,
                state: instance.lifecycle_state.ok_or_else(|| lacks("state"))?,
                zone: instance.availability_zone.ok_or_else(|| lacks("zone"))?,
            })
        });
        members.collect::<Result<_, String>>().map(Some)
    }

    /// How many of the group's launches ended well.
    async fn launched(&self, name: &str) -> Result<usize, String> {
        let request = asg::DescribeScalingActivitiesRequest {
            auto_scaling_group_name: Some(name.to_owned()),
            ..Default::default()
        };
        let activities = self.kit.call(request).await.map_err(shown)?.activities;
        let is_one = |a: &&asg::Activity| {
            a.status_code.as_deref() == Some("Successful")
                && a.description.as_deref().is_some_and(|text| text.starts_with("Launching"))
        };
        Ok(activities.iter().filter(is_one).count())
    }

    /// Ids of those in service.
    pub async fn in_service(&self, name: &str, zone: Option<&str>) -> Result<Vec<String>, String> {
        let members = self.members(name).await?.ok_or_else(|| format!("there is no group {name}"))?;
        let serving = members.into_iter().filter(|m| m.state == "InService");
        Ok(serving.filter(|m| zone.is_none_or(|zone| m.zone == zone)).map(|m| m.id).collect())
    }

    /// Tells of activities and events since, and how groups, stacks, load balancers and images are now.
    pub async fn tell(&mut self) {
        for outcome in [self.tell_of_stacks().await, self.tell_of_balancers().await, self.tell_of_images().await] {
            if let Err(error) = outcome {
                self.kit.story().say(&format!("cannot look: {error}"));
            }
        }
        for name in self.groups.clone() {
            if let Err(error) = self.tell_of(&name).await {
                self.kit.story().say(&format!("cannot look at {name}: {error}"));
            }
        }
    }

    async fn tell_of(&mut self, name: &str) -> Result<(), String> {
        let story = self.kit.story();
        let Some(members) = self.members(name).await? else {
            self.groups.retain(|group| group != name);
            story.say(&format!("  {name}: gone"));
            return Ok(());
        };
        let request = asg::DescribeScalingActivitiesRequest {
            auto_scaling_group_name: Some(name.to_owned()),
            ..Default::default()
        };
        let mut activities = self.kit.call(request).await.map_err(shown)?.activities;
        let text = |member: &Option<String>| member.clone().unwrap_or_default();
        // Those of one moment have no order of their own.
        activities.sort_by_key(|a| (a.start_time, a.end_time, story.plain(&text(&a.description))));
        for activity in activities {
            if activity.end_time.is_none() || !self.told.insert(text(&activity.activity_id)) {
                continue;
            }
            let (status, description) = (text(&activity.status_code), text(&activity.description));
            story.say(&format!("  activity of {name}: {status}: {description}"));
            story.say(&format!("    {}", text(&activity.cause)));
        }
        let mut by_state: BTreeMap<(String, String), usize> = BTreeMap::new();
        for member in members {
            *by_state.entry((member.state, member.zone)).or_default() += 1;
        }
        let states: Vec<String> =
            by_state.into_iter().map(|((state, zone), count)| format!("{count} {state} in {zone}")).collect();
        let states = if states.is_empty() { "no instances".to_owned() } else { states.join(", ") };
        story.say(&format!("  {name}: {states}"));
        Ok(())
    }
}

fn shown(error: Error) -> String {
    error.chain()
}
