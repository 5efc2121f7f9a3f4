//! What a target is told when the time has come. Source: EventBridge Scheduler User Guide, "Managing targets", "Adding context
//! attributes" and "Retry policy and dead-letter queue".

use crate::PRINCIPAL;
use crate::records::Schedule;
use crate::targets::{group_arn, schedule_arn};
use kiln_delivery::{Address, Attribute, Growth, Letter, Note, Parcel, Policy, can_carry};
use kiln_service_kit::{Arn, Cx, Error, Timestamp};
use serde_json::json;

/// Source: the API Reference, RetryPolicy.
const MOST_ATTEMPTS: i32 = 185;
const GREATEST_AGE: i32 = 86_400;

/// Where a target's ARN leads to.
pub fn address(arn: &str) -> Result<Address, Error> {
    if arn.contains(":aws-sdk:") {
        return Err(Error::not_built(format!("scheduler: universal targets ({arn})")));
    }
    match arn.parse::<Arn>() {
        Ok(parsed) if parsed.service() == "events" && parsed.resource().starts_with("event-bus/") => {
            Ok(Address::Bus(arn.to_owned()))
        }
        _ => can_carry(arn),
    }
}

pub fn note(cx: &Cx, schedule: &Schedule, at: Timestamp) -> Result<Note, Error> {
    let (group, target) = (group_arn(cx, &schedule.group), &schedule.set.target);
    let arn = schedule_arn(cx, &schedule.group, &schedule.name);
    let id = cx.ids().uuid();
    let body = match &target.input {
        Some(input) => input
            .replace("<aws.scheduler.schedule-arn>", &arn)
            .replace("<aws.scheduler.scheduled-time>", &at.iso8601())
            .replace("<aws.scheduler.execution-id>", &id),
        None if target.event.is_some() => "{}".to_owned(),
        None => json!({
            "version": "0", "id": id, "detail-type": "Scheduled Event", "source": "aws.scheduler",
            "account": cx.account(), "time": at.iso8601(), "region": cx.region(), "resources": [arn], "detail": "{}",
        })
        .to_string(),
    };
    let letter = vec![
        Attribute::text("SCHEDULE_ARN", &arn),
        Attribute::text("TARGET_ARN", &target.arn),
        Attribute::text("SCHEDULED_TIME", at.iso8601()),
        Attribute::text("EXECUTION_ID", &id),
    ];
    let event = target
        .event
        .iter()
        .flat_map(|(source, kind)| [Attribute::text("source", source), Attribute::text("detail-type", kind)]);
    let attempts = target.attempts.unwrap_or(MOST_ATTEMPTS).clamp(0, MOST_ATTEMPTS).unsigned_abs();
    let age = target.age.unwrap_or(GREATEST_AGE).clamp(0, GREATEST_AGE).unsigned_abs();
    Ok(Note {
        to: address(&target.arn)?,
        by: PRINCIPAL.to_owned(),
        // Roles and queues know it by its group.
        source_arn: group,
        parcel: Parcel {
            role: Some(target.role.clone()),
            attributes: event.collect(),
            letter: Some(Letter { attributes: letter }),
            ..Parcel::of(body)
        },
        policy: Policy {
            immediate: 0,
            before: 0,
            backoff: attempts,
            after: 0,
            least: 1_000,
            greatest: 1_000 << attempts.saturating_sub(1).min(9),
            growth: Growth::Exponential,
            oldest: Some(u64::from(age) * 1_000),
            per_second: None,
        },
        dead_letter: target.dead_letter.clone(),
    })
}
