//! The state of the attached target groups themselves.

use super::{Draft, Seen, Step};
use crate::records::{TargetGroup, TargetGroupState};

pub fn plan(seen: &Seen, draft: &mut Draft) {
    for TargetGroup { arn, state } in &seen.group.target_groups {
        if *state == TargetGroupState::Removing {
            let still = seen.members.iter().any(|m| m.registered.contains(arn) || m.draining.contains(arn));
            if !still {
                draft.steps.push(Step::DropTargetGroup { arn: arn.clone() });
            }
            continue;
        }
        let all = seen.in_service().all(|m| m.registered.contains(arn) || m.left_out.contains(arn));
        let one_healthy = seen.in_service().any(|m| seen.target(arn, m) == Some("healthy"));
        let next = match (one_healthy, all) {
            (true, _) => TargetGroupState::InService,
            (false, true) => TargetGroupState::Added,
            (false, false) => TargetGroupState::Adding,
        };
        // Once in service a target group stays so, as on AWS: health is told elsewhere.
        if next != *state && *state != TargetGroupState::InService && !(next == TargetGroupState::Adding) {
            draft.steps.push(Step::SetTargetGroup { arn: arn.clone(), state: next });
        }
    }
}
