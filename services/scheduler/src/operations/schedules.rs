//! CreateSchedule, UpdateSchedule, GetSchedule, DeleteSchedule, ListSchedules. Source: the API Reference.

use crate::PRINCIPAL;
use crate::errors::{bad_token, conflict, no_group, no_schedule, validation};
use crate::records::{Group, Schedule, Set, Target as Kept, schedule_id};
use crate::targets::{DEFAULT, group_arn, schedule, schedule_arn};
use crate::{tell, times};
use kiln_delivery::{Address, can_carry, may_assume};
use kiln_scheduler_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Timestamp, Tx, operation, paginate};
use serde_json::Value as Json;
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateSchedule: create_schedule(CreateScheduleRequest), on |cx, r| schedule(cx, r.group_name.as_deref(), &r.name)),
    operation!(DeleteSchedule: delete_schedule(DeleteScheduleRequest), on |cx, r| schedule(cx, r.group_name.as_deref(), &r.name)),
    operation!(GetSchedule: get_schedule(GetScheduleRequest), on |cx, r| schedule(cx, r.group_name.as_deref(), &r.name)),
    operation!(ListSchedules: list_schedules(ListSchedulesRequest), on |cx, r| schedule(cx, Some(r.group_name.as_deref().unwrap_or("*")), "*")),
    operation!(UpdateSchedule: update_schedule(UpdateScheduleRequest), on |cx, r| schedule(cx, r.group_name.as_deref(), &r.name)),
];

/// Schedules on a page.
const PAGE: usize = 100;

/// What is set by a request.
struct Given {
    expression: String,
    zone: Option<String>,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    window: FlexibleTimeWindow,
    state: Option<String>,
    description: Option<String>,
    after: Option<String>,
    key: Option<String>,
    target: Target,
}

async fn read(cx: &Cx, group: &str, given: Given) -> Result<Set, Error> {
    if given.key.is_some() {
        return Err(Error::not_built("scheduler: KmsKeyArn of schedules"));
    }
    let window = match (given.window.mode.as_str(), given.window.maximum_window_in_minutes) {
        ("OFF", None) => None,
        ("FLEXIBLE", Some(minutes)) => Some(minutes),
        ("OFF", Some(_)) => {
            return Err(validation(
                "MaximumWindowInMinutes must not be provided when flexible time window mode is OFF.",
            ));
        }
        _ => {
            return Err(validation(
                "MaximumWindowInMinutes must be provided when flexible time window mode is FLEXIBLE.",
            ));
        }
    };
    if let (Some(start), Some(end)) = (given.start, given.end)
        && end <= start
    {
        return Err(validation("The EndDate must be later than the StartDate."));
    }
    let set = Set {
        expression: given.expression,
        zone: given.zone,
        start: given.start,
        end: given.end,
        window,
        enabled: given.state.as_deref() != Some("DISABLED"),
        description: given.description,
        deletes_itself: given.after.as_deref() == Some("DELETE"),
        target: target(cx, group, given.target).await?,
    };
    times::read(&set)?;
    Ok(set)
}

async fn target(cx: &Cx, group: &str, target: Target) -> Result<Kept, Error> {
    for (given, what) in [
        (target.ecs_parameters.is_some(), "EcsParameters"),
        (target.kinesis_parameters.is_some(), "KinesisParameters"),
        (target.sage_maker_pipeline_parameters.is_some(), "SageMakerPipelineParameters"),
        (target.sqs_parameters.is_some(), "SqsParameters (FIFO queues)"),
    ] {
        if given {
            return Err(Error::not_built(format!("scheduler: {what} of targets")));
        }
    }
    let address = tell::address(&target.arn).map_err(|error| match error.is("InvalidParameter") {
        true => validation(format!("Provided Arn is not in correct format: {}", target.arn)),
        false => error,
    })?;
    if target.input.as_deref().is_some_and(|input| input.contains("<aws.scheduler.attempt-number>")) {
        return Err(Error::not_built("scheduler: <aws.scheduler.attempt-number> in an input"));
    }
    let event = match (&address, target.event_bridge_parameters) {
        (Address::Bus(_), Some(event)) => {
            if event.source.starts_with("aws.") || event.source.starts_with('$') {
                return Err(validation("The Source of an event must not begin with aws. or be a path."));
            }
            let is_object = |input: &String| serde_json::from_str::<Json>(input).is_ok_and(|json| json.is_object());
            if !target.input.as_ref().is_none_or(is_object) {
                return Err(validation("The Input of an event bus target must be a JSON object."));
            }
            Some((event.source, event.detail_type))
        }
        (Address::Bus(_), None) => {
            return Err(validation("EventBridgeParameters must be provided for an event bus target."));
        }
        (_, Some(_)) => return Err(validation("EventBridgeParameters are for event bus targets only.")),
        (_, None) => None,
    };
    let service = ("iam:PassedToService", PRINCIPAL.to_owned());
    cx.authorize("iam:PassRole", std::slice::from_ref(&target.role_arn), &[service])?;
    may_assume(cx, PRINCIPAL, &group_arn(cx, group), &target.role_arn).await.map_err(|error| {
        match error.is("AccessDenied") {
            true => {
                validation("The execution role you provide must allow AWS EventBridge Scheduler to assume the role.")
            }
            false => error,
        }
    })?;
    let dead_letter = target.dead_letter_config.and_then(|config| config.arn);
    if let Some(queue) = &dead_letter {
        can_carry(queue)?;
    }
    let retry = target.retry_policy.as_ref();
    Ok(Kept {
        arn: target.arn,
        role: target.role_arn,
        input: target.input,
        dead_letter,
        attempts: retry.and_then(|retry| retry.maximum_retry_attempts),
        age: retry.and_then(|retry| retry.maximum_event_age_in_seconds),
        event,
    })
}

/// Refuses a group that is not there.
fn check_group(tx: &Tx<'_>, cx: &Cx, group: &str) -> Result<(), Error> {
    match group == DEFAULT || tx.get::<Group>(cx.scope(), group)?.is_some() {
        true => Ok(()),
        false => Err(no_group(group)),
    }
}

async fn create_schedule(cx: &Cx, request: CreateScheduleRequest) -> Result<CreateScheduleResponse, Error> {
    let group = request.group_name.unwrap_or_else(|| DEFAULT.to_owned());
    let set = read(
        cx,
        &group,
        Given {
            expression: request.schedule_expression,
            zone: request.schedule_expression_timezone,
            start: request.start_date,
            end: request.end_date,
            window: request.flexible_time_window,
            state: request.state,
            description: request.description,
            after: request.action_after_completion,
            key: request.kms_key_arn,
            target: request.target,
        },
    );
    let set = set.await?;
    let (name, token) = (request.name, request.client_token);
    cx.store()
        .write::<_, Error>(|tx| {
            check_group(tx, cx, &group)?;
            let id = schedule_id(&group, &name);
            if let Some(before) = tx.get::<Schedule>(cx.scope(), &id)? {
                return match before.token.is_some() && before.token == token {
                    true => Ok(()),
                    false => Err(conflict(format!("Schedule {name} already exists."))),
                };
            }
            let made = tx.now();
            let schedule = Schedule {
                name: name.clone(),
                group: group.clone(),
                made,
                modified: made,
                token: token.clone(),
                due: times::next(&set, made, made - std::time::Duration::from_secs(1), cx.ids())?,
                set: set.clone(),
            };
            Ok(tx.put(cx.scope(), &id, schedule)?)
        })
        .await?;
    Ok(CreateScheduleResponse { schedule_arn: Some(schedule_arn(cx, &group, &name)) })
}

async fn update_schedule(cx: &Cx, request: UpdateScheduleRequest) -> Result<UpdateScheduleResponse, Error> {
    let group = request.group_name.unwrap_or_else(|| DEFAULT.to_owned());
    let set = read(
        cx,
        &group,
        Given {
            expression: request.schedule_expression,
            zone: request.schedule_expression_timezone,
            start: request.start_date,
            end: request.end_date,
            window: request.flexible_time_window,
            state: request.state,
            description: request.description,
            after: request.action_after_completion,
            key: request.kms_key_arn,
            target: request.target,
        },
    );
    let set = set.await?;
    let name = request.name;
    cx.store()
        .write::<_, Error>(|tx| {
            check_group(tx, cx, &group)?;
            let id = schedule_id(&group, &name);
            let before = tx.get::<Schedule>(cx.scope(), &id)?.ok_or_else(|| no_schedule(&name))?;
            let now = tx.now();
            let due = times::next(&set, before.made, now, cx.ids())?;
            let schedule = Schedule { modified: now, due, set: set.clone(), ..(*before).clone() };
            Ok(tx.put(cx.scope(), &id, schedule)?)
        })
        .await?;
    Ok(UpdateScheduleResponse { schedule_arn: Some(schedule_arn(cx, &group, &name)) })
}

async fn delete_schedule(cx: &Cx, request: DeleteScheduleRequest) -> Result<DeleteScheduleResponse, Error> {
    let group = request.group_name.as_deref().unwrap_or(DEFAULT);
    cx.store()
        .write(|tx| {
            check_group(tx, cx, group)?;
            match tx.delete::<Schedule>(cx.scope(), &schedule_id(group, &request.name)) {
                true => Ok(()),
                false => Err(no_schedule(&request.name)),
            }
        })
        .await?;
    Ok(DeleteScheduleResponse {})
}

fn state(schedule: &Schedule) -> String {
    if schedule.set.enabled { "ENABLED" } else { "DISABLED" }.to_owned()
}

async fn get_schedule(cx: &Cx, request: GetScheduleRequest) -> Result<GetScheduleResponse, Error> {
    let group = request.group_name.as_deref().unwrap_or(DEFAULT);
    let found = cx.store().get::<Schedule>(cx.scope(), &schedule_id(group, &request.name))?;
    let schedule = found.ok_or_else(|| no_schedule(&request.name))?;
    let (set, target) = (&schedule.set, &schedule.set.target);
    let retry = target.attempts.is_some() || target.age.is_some();
    Ok(GetScheduleResponse {
        arn: Some(schedule_arn(cx, group, &schedule.name)),
        name: Some(schedule.name.clone()),
        group_name: Some(schedule.group.clone()),
        creation_date: Some(schedule.made),
        last_modification_date: Some(schedule.modified),
        schedule_expression: Some(set.expression.clone()),
        schedule_expression_timezone: Some(set.zone.clone().unwrap_or_else(|| "UTC".to_owned())),
        start_date: set.start,
        end_date: set.end,
        state: Some(state(&schedule)),
        description: set.description.clone(),
        action_after_completion: Some(if set.deletes_itself { "DELETE" } else { "NONE" }.to_owned()),
        flexible_time_window: Some(FlexibleTimeWindow {
            mode: if set.window.is_some() { "FLEXIBLE" } else { "OFF" }.to_owned(),
            maximum_window_in_minutes: set.window,
        }),
        target: Some(Target {
            arn: target.arn.clone(),
            role_arn: target.role.clone(),
            input: target.input.clone(),
            dead_letter_config: target.dead_letter.clone().map(|arn| DeadLetterConfig { arn: Some(arn) }),
            retry_policy: retry.then_some(RetryPolicy {
                maximum_retry_attempts: target.attempts,
                maximum_event_age_in_seconds: target.age,
            }),
            event_bridge_parameters: target
                .event
                .clone()
                .map(|(source, detail_type)| EventBridgeParameters { source, detail_type }),
            ..Default::default()
        }),
        ..Default::default()
    })
}

async fn list_schedules(cx: &Cx, request: ListSchedulesRequest) -> Result<ListSchedulesResponse, Error> {
    let prefix = request.group_name.as_deref().map_or_else(String::new, |group| schedule_id(group, ""));
    let mut all = cx.store().list_prefix::<Schedule>(cx.scope(), &prefix)?;
    let name = request.name_prefix.as_deref().unwrap_or("");
    all.retain(|(_, schedule)| {
        schedule.name.starts_with(name) && request.state.as_ref().is_none_or(|wanted| *wanted == state(schedule))
    });
    let limit = request.max_results.map_or(PAGE, |limit| limit as usize);
    let page = paginate(all, |(id, _)| id, request.next_token.as_deref(), limit, bad_token)?;
    let shown = |(_, schedule): &(_, Arc<Schedule>)| ScheduleSummary {
        arn: Some(schedule_arn(cx, &schedule.group, &schedule.name)),
        name: Some(schedule.name.clone()),
        group_name: Some(schedule.group.clone()),
        state: Some(state(schedule)),
        creation_date: Some(schedule.made),
        last_modification_date: Some(schedule.modified),
        target: Some(TargetSummary { arn: Some(schedule.set.target.arn.clone()) }),
    };
    Ok(ListSchedulesResponse { schedules: page.items.iter().map(shown).collect(), next_token: page.next_token })
}
