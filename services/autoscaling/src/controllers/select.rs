//! Which instances go when there are too many: first the fullest zone, then the termination
//! policies in their order. Source: "Configure termination policies for Amazon EC2 Auto Scaling".

use super::place::Spread;
use crate::records::{Group, Health, Member};
use kiln_service_kit::Timestamp;
use std::cmp::Ordering;

/// The policies Kiln knows; a Lambda function's ARN is refused when a group is made.
pub const POLICIES: [&str; 7] = [
    "OldestInstance",
    "NewestInstance",
    "OldestLaunchConfiguration",
    "ClosestToNextInstanceHour",
    "Default",
    "OldestLaunchTemplate",
    "AllocationStrategy",
];

/// `n` of the candidates, the first to go first. Unhealthy ones go before all others.
pub fn select<'a>(
    group: &Group,
    candidates: &[&'a Member],
    mut spread: Spread,
    n: usize,
    now: Timestamp,
) -> Vec<&'a Member> {
    let mut left: Vec<&Member> = candidates.to_vec();
    let mut chosen = vec![];
    while chosen.len() < n {
        let fullness = |m: &&Member| (m.health == Health::Unhealthy, spread.fullness(group, &m.zone));
        let Some(most) = left.iter().map(fullness).max() else { break };
        let first = left
            .iter()
            .enumerate()
            .filter(|(_, m)| fullness(m) == most)
            .min_by(|(_, a), (_, b)| by_policies(group, a, b, now).then_with(|| a.id.cmp(&b.id)));
        let Some((at, _)) = first else { break };
        let member = left.remove(at);
        spread.remove(&member.zone);
        chosen.push(member);
    }
    chosen
}

fn by_policies(group: &Group, a: &Member, b: &Member, now: Timestamp) -> Ordering {
    let policies = group.termination_policies.iter().map(String::as_str);
    // Whatever the policies leave equal is settled as Default does.
    policies.chain(["Default"]).fold(Ordering::Equal, |so_far, policy| {
        so_far.then_with(|| match policy {
            "OldestInstance" => a.launched.cmp(&b.launched),
            "NewestInstance" => b.launched.cmp(&a.launched),
            "OldestLaunchConfiguration" => by_configuration(group, a, b),
            "OldestLaunchTemplate" => by_template(group, a, b),
            "ClosestToNextInstanceHour" => to_next_hour(a, now).cmp(&to_next_hour(b, now)),
            // There is one purchase option and one instance type, so no strategy to return to.
            "AllocationStrategy" => Ordering::Equal,
            _ => by_configuration(group, a, b)
                .then_with(|| by_template(group, a, b))
                .then_with(|| to_next_hour(a, now).cmp(&to_next_hour(b, now))),
        })
    })
}

/// Instances of a launch configuration that is not the group's go first, then the longest there.
fn by_configuration(group: &Group, a: &Member, b: &Member) -> Ordering {
    let key = |m: &Member| (m.configuration.is_none(), m.configuration == group.launch_configuration);
    key(a).cmp(&key(b))
}

/// Instances of another template go first, then the oldest version.
fn by_template(group: &Group, a: &Member, b: &Member) -> Ordering {
    let current = group.launch_template.as_ref().map(|t| &t.id);
    let key = |m: &Member| {
        let version = m.template.as_ref().and_then(|t| t.version.parse::<u64>().ok());
        (m.template.as_ref().map(|t| &t.id) == current, version)
    };
    key(a).cmp(&key(b))
}

/// Milliseconds until its next full hour.
fn to_next_hour(member: &Member, now: Timestamp) -> u128 {
    const HOUR: u128 = 3_600_000;
    HOUR - now.since(member.launched).as_millis() % HOUR
}
