//! Too few, too many, or unevenly spread.

use super::{Draft, Seen, Step};
use crate::controllers::cause;
use crate::controllers::place::Spread;
use crate::controllers::select::select;
use crate::records::{Health, Lifecycle, Member, Process};
use kiln_service_kit::Timestamp;

/// Launches under way at the same time.
const LAUNCHES_AT_ONCE: usize = 50;

pub fn plan(seen: &Seen, now: Timestamp, draft: &mut Draft) {
    let group = &seen.group;
    draft.steps.extend(group.launches.iter().map(|launch| Step::Launch { number: launch.number }));
    if group.deleting {
        return;
    }
    let staying: Vec<&Member> = seen.members.iter().filter(|m| m.counts() && !draft.leaving.contains(&m.id)).collect();
    let counted = staying.len() + group.launches.iter().filter(|launch| !launch.rebalance).count();
    let desired = usize::try_from(group.desired).unwrap_or(0);
    let spread = Spread::of(group, staying.iter().copied());
    if counted < desired {
        more(seen, counted, desired, spread, now, draft);
    } else if counted > desired {
        fewer(seen, &staying, counted, desired, spread, now, draft);
    } else {
        let owed = group.to_replace != 0 && draft.unhealthy == 0;
        if group.reason.is_some() || owed {
            draft.steps.push(Step::ForgetReason);
        }
        balance(seen, &staying, spread, now, draft);
    }
}

/// Whether a launch may be decided now; says what it waits for if not.
fn may_launch(seen: &Seen, now: Timestamp, draft: &mut Draft) -> bool {
    if seen.group.is_suspended(Process::Launch) {
        draft.wait("Launch to be resumed", None);
        return false;
    }
    if draft.steps.iter().any(|step| matches!(step, Step::FailLaunch { .. })) {
        // What this failure says about when and where to try again is not written down yet; the
        // next pass follows at once.
        return false;
    }
    match seen.group.launch_not_before {
        Some(until) if until > now => {
            draft.wait("another try to launch after a failed one", Some(until));
            false
        }
        _ => true,
    }
}

fn more(seen: &Seen, counted: usize, desired: usize, mut spread: Spread, now: Timestamp, draft: &mut Draft) {
    if !may_launch(seen, now, draft) {
        return;
    }
    let group = &seen.group;
    let room = LAUNCHES_AT_ONCE.saturating_sub(group.launches.len());
    let n = (desired - counted).min(room);
    let places: Vec<_> = std::iter::from_fn(|| spread.next(group, now)).take(n).collect();
    if places.is_empty() {
        draft.wait("launches under way", None);
        return;
    }
    // An instance that leaves with this plan is not in the group's record yet.
    let owed = usize::try_from(group.to_replace).unwrap_or(0) + draft.unhealthy;
    let cause = match places.len() <= owed {
        true => cause::replaced(now),
        false => cause::join(group.reason.as_deref(), cause::started(counted, desired, now)),
    };
    let (first, replaces) = (group.launch_count + 1, places.len().min(owed));
    draft.steps.push(Step::DecideLaunches { first, places, cause, rebalance: false, replaces });
}

fn fewer(
    seen: &Seen,
    staying: &[&Member],
    counted: usize,
    desired: usize,
    spread: Spread,
    now: Timestamp,
    draft: &mut Draft,
) {
    let group = &seen.group;
    if group.is_suspended(Process::Terminate) {
        draft.wait("Terminate to be resumed", None);
        return;
    }
    let serving: Vec<&Member> = staying.iter().copied().filter(|m| m.lifecycle == Lifecycle::InService).collect();
    // Those that are still on their way in do not serve yet: never go below desired for them.
    let healthy = serving.iter().filter(|m| m.health == Health::Healthy).count();
    let sick = serving.len() - healthy;
    let n = (counted - desired).min(sick + healthy.saturating_sub(desired));
    let candidates: Vec<&Member> = serving.into_iter().filter(|m| !m.protected).collect();
    let chosen = select(group, &candidates, spread, n, now);
    if chosen.len() < n {
        draft.wait("scale-in protection of the remaining instances to be lifted", None);
    } else if n < counted - desired {
        draft.wait("instances on their way into service", None);
    }
    for member in chosen {
        let instance = member.id.clone();
        let cause = cause::join(group.reason.as_deref(), cause::shrunk(counted, desired, &instance, now));
        draft.leaving.insert(instance.clone());
        draft.steps.push(Step::BeginTermination { instance, why: None, cause });
    }
}

/// Launches one where there are too few; the next pass then takes one away where there are too
/// many. Only in a group at rest.
fn balance(seen: &Seen, staying: &[&Member], mut spread: Spread, now: Timestamp, draft: &mut Draft) {
    let group = &seen.group;
    let at_rest = group.launches.is_empty()
        && seen.members.len() == staying.len()
        && staying.iter().all(|m| m.lifecycle == Lifecycle::InService);
    if !at_rest || group.is_suspended(Process::AzRebalance) || group.is_suspended(Process::Terminate) {
        return;
    }
    let (avoided, open): (Vec<&String>, Vec<&String>) =
        group.zones.iter().partition(|zone| group.trouble(zone, now).is_some());
    let Some(zone) = spread.unbalanced(group, open.into_iter()) else {
        if let Some(zone) = spread.unbalanced(group, avoided.into_iter()) {
            let until = group.trouble(&zone, now).map(|trouble| trouble.until);
            draft.wait(format!("another try to launch in {zone} after a failed one"), until);
        }
        return;
    };
    // Without one that may go, the group would only grow.
    let full = |m: &&&Member| spread.fullness(group, &m.zone) > spread.fullness(group, &zone);
    if !staying.iter().filter(full).any(|m| !m.protected) || !may_launch(seen, now, draft) {
        return;
    }
    let cause = cause::rebalanced(&zone, now);
    draft.steps.push(Step::DecideLaunches {
        first: group.launch_count + 1,
        places: vec![spread.take(group, zone)],
        cause,
        rebalance: true,
        replaces: 0,
    });
}
