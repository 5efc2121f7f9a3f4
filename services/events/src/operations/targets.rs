//! PutTargets, RemoveTargets, ListTargetsByRule. Source: the API Reference; "Amazon EventBridge quotas": five targets for each
//! rule. A target that nobody carries to is refused by name, when it is put.

use super::rules::found;
use crate::PRINCIPAL;
use crate::errors::{bad_token, no_rule, over_limit, validation};
use crate::names::BusName;
use crate::path::Path;
use crate::records::{Input, Retry, Rule, Target as Kept};
use crate::rules::changed;
use crate::targets;
use crate::tell::{GREATEST_AGE, MOST_ATTEMPTS, bus_of};
use crate::transform;
use kiln_delivery::can_carry;
use kiln_events_shapes::*;
use kiln_service_kit::{Arn, Cx, Error, Operation, Target as Touches, operation, paginate};
use serde_json::Value as Json;

pub const OPERATIONS: &[Operation] = &[
    operation!(ListTargetsByRule: list_targets_by_rule(ListTargetsByRuleRequest),
        on |cx, r| targets::rule(cx, r.event_bus_name.as_deref(), &r.rule)),
    operation!(PutTargets: put_targets(PutTargetsRequest), on put_on),
    operation!(RemoveTargets: remove_targets(RemoveTargetsRequest), on |cx, r| targets::rule(cx, r.event_bus_name.as_deref(), &r.rule)),
];

const MOST: usize = 5;
/// Targets on a page.
const PAGE: usize = 100;
/// Paths of a transformer. Source: the API Reference, InputTransformer.
const MOST_PATHS: usize = 100;

fn put_on(cx: &Cx, request: &PutTargetsRequest) -> Result<Touches, Error> {
    let rule = targets::rule(cx, request.event_bus_name.as_deref(), &request.rule)?;
    Ok(request.targets.iter().fold(rule, |rule, target| rule.with("events:TargetArn", &target.arn)))
}

/// A target as it is kept, if it can be carried out.
fn read(cx: &Cx, target: &Target) -> Result<Kept, Error> {
    for (given, what) in [
        (target.kinesis_parameters.is_some(), "KinesisParameters"),
        (target.run_command_parameters.is_some(), "RunCommandParameters"),
        (target.ecs_parameters.is_some(), "EcsParameters"),
        (target.batch_parameters.is_some(), "BatchParameters"),
        (target.sqs_parameters.is_some(), "SqsParameters (FIFO queues)"),
        (target.http_parameters.is_some(), "HttpParameters"),
        (target.redshift_data_parameters.is_some(), "RedshiftDataParameters"),
        (target.sage_maker_pipeline_parameters.is_some(), "SageMakerPipelineParameters"),
        (target.app_sync_parameters.is_some(), "AppSyncParameters"),
    ] {
        if given {
            return Err(Error::not_built(format!("events: {what} of targets")));
        }
    }
    let malformed = || validation("Provided Arn is not in correct format.");
    target.arn.parse::<Arn>().map_err(|_| malformed())?;
    match bus_of(cx, &target.arn) {
        Some(_) => {
            for (given, what) in [
                (target.role_arn.is_some(), "RoleArn"),
                (target.retry_policy.is_some(), "RetryPolicy"),
                (target.dead_letter_config.is_some(), "DeadLetterConfig"),
            ] {
                if given {
                    return Err(Error::not_built(format!("events: {what} of targets that are event buses")));
                }
            }
            if target.input.is_some() || target.input_path.is_some() || target.input_transformer.is_some() {
                return Err(validation("Event bus targets get the event as it is: no input can be given."));
            }
        }
        None => drop(can_carry(&target.arn)?),
    }
    if let Some(role) = &target.role_arn {
        let service = ("iam:PassedToService", PRINCIPAL.to_owned());
        cx.authorize("iam:PassRole", std::slice::from_ref(role), &[service])?;
    }
    let dead_letter = target.dead_letter_config.as_ref().and_then(|config| config.arn.clone());
    if let Some(queue) = &dead_letter {
        let is_queue = queue.parse::<Arn>().is_ok_and(|arn| arn.service() == "sqs");
        if !is_queue {
            return Err(validation(format!("DeadLetterConfig Arn {queue} is not that of a queue.")));
        }
        can_carry(queue)?;
    }
    let retry = target
        .retry_policy
        .as_ref()
        .map(|policy| Retry { attempts: policy.maximum_retry_attempts, age: policy.maximum_event_age_in_seconds });
    if let Some(Retry { attempts, age }) = &retry
        && (attempts.is_some_and(|n| !(0..=MOST_ATTEMPTS).contains(&n))
            || age.is_some_and(|n| !(60..=GREATEST_AGE).contains(&n)))
    {
        return Err(validation("RetryPolicy is out of its bounds."));
    }
    Ok(Kept { arn: target.arn.clone(), role: target.role_arn.clone(), input: input(target)?, dead_letter, retry })
}

fn input(target: &Target) -> Result<Input, Error> {
    let wrong = |why: &str| validation(format!("Invalid input for target {}: {why}", target.id));
    match (&target.input, &target.input_path, &target.input_transformer) {
        (None, None, None) => Ok(Input::Event),
        (Some(text), None, None) => match serde_json::from_str::<Json>(text) {
            Ok(_) => Ok(Input::Constant(text.clone())),
            Err(_) => Err(wrong("JSON syntax error in input")),
        },
        (None, Some(path), None) => match Path::parse(path) {
            Some(_) => Ok(Input::Path(path.clone())),
            None => Err(wrong(&format!("{path} is not a valid JSON path"))),
        },
        (None, None, Some(transformer)) => {
            let paths = transformer.input_paths_map.iter().map(|(name, path)| (name.clone(), path.clone())).collect();
            if transformer.input_paths_map.len() > MOST_PATHS {
                return Err(wrong("more than 100 input paths"));
            }
            let template = transformer.input_template.clone();
            transform::check(&paths, &template).map_err(|why| wrong(&why))?;
            Ok(Input::Transformed { paths, template })
        }
        _ => Err(validation(format!(
            "Only one of Input, InputPath, or InputTransformer must be provided for target {}.",
            target.id
        ))),
    }
}

async fn put_targets(cx: &Cx, request: PutTargetsRequest) -> Result<PutTargetsResponse, Error> {
    let bus = BusName::parse_own(cx, request.event_bus_name.as_deref())?;
    // One that is not there is told of before what is wrong with its targets.
    found(cx, &bus, &request.rule)?;
    let given = request
        .targets
        .iter()
        .map(|target| Ok((target.id.clone(), read(cx, target)?)))
        .collect::<Result<Vec<_>, Error>>()?;
    cx.store()
        .write(|tx| {
            bus.check(tx)?;
            let id = bus.rule_id(&request.rule);
            let rule = tx.get::<Rule>(cx.scope(), &id)?.ok_or_else(|| no_rule(&request.rule, &bus.name))?;
            let mut rule = (*rule).clone();
            rule.targets.extend(given.iter().cloned());
            if rule.targets.len() > MOST {
                return Err(over_limit("The requested resource exceeds the maximum number allowed."));
            }
            tx.put(cx.scope(), &id, rule)?;
            changed(tx, cx, &bus)
        })
        .await?;
    Ok(PutTargetsResponse { failed_entry_count: Some(0), failed_entries: vec![] })
}

async fn remove_targets(cx: &Cx, request: RemoveTargetsRequest) -> Result<RemoveTargetsResponse, Error> {
    let bus = BusName::parse_own(cx, request.event_bus_name.as_deref())?;
    let failed = cx
        .store()
        .write::<_, Error>(|tx| {
            bus.check(tx)?;
            let id = bus.rule_id(&request.rule);
            let rule = tx.get::<Rule>(cx.scope(), &id)?.ok_or_else(|| no_rule(&request.rule, &bus.name))?;
            let mut rule = (*rule).clone();
            let missing: Vec<String> =
                request.ids.iter().filter(|id| rule.targets.remove(*id).is_none()).cloned().collect();
            if missing.len() < request.ids.len() {
                tx.put(cx.scope(), &id, rule)?;
                changed(tx, cx, &bus)?;
            }
            Ok(missing)
        })
        .await?;
    let entry = |id: String| RemoveTargetsResultEntry {
        error_message: Some(format!("Rule {} does not have a target with the Id {id}.", request.rule)),
        error_code: Some("ResourceNotFoundException".to_owned()),
        target_id: Some(id),
    };
    Ok(RemoveTargetsResponse {
        failed_entry_count: Some(failed.len() as i32),
        failed_entries: failed.into_iter().map(entry).collect(),
    })
}

async fn list_targets_by_rule(cx: &Cx, request: ListTargetsByRuleRequest) -> Result<ListTargetsByRuleResponse, Error> {
    let bus = BusName::parse_own(cx, request.event_bus_name.as_deref())?;
    let rule = found(cx, &bus, &request.rule)?;
    let all: Vec<(&String, &Kept)> = rule.targets.iter().collect();
    let limit = request.limit.map_or(PAGE, |limit| limit as usize);
    let page = paginate(all, |(id, _)| id, request.next_token.as_deref(), limit, bad_token)?;
    let targets = page.items.into_iter().map(|(id, kept)| shown(id, kept)).collect();
    Ok(ListTargetsByRuleResponse { targets, next_token: page.next_token })
}

fn shown(id: &str, kept: &Kept) -> Target {
    let (mut input, mut input_path, mut input_transformer) = (None, None, None);
    match &kept.input {
        Input::Event => {}
        Input::Constant(text) => input = Some(text.clone()),
        Input::Path(path) => input_path = Some(path.clone()),
        Input::Transformed { paths, template } => {
            input_transformer = Some(InputTransformer {
                input_paths_map: paths.iter().map(|(name, path)| (name.clone(), path.clone())).collect(),
                input_template: template.clone(),
            });
        }
    }
    Target {
        id: id.to_owned(),
        arn: kept.arn.clone(),
        role_arn: kept.role.clone(),
        input,
        input_path,
        input_transformer,
        dead_letter_config: kept.dead_letter.clone().map(|arn| DeadLetterConfig { arn: Some(arn) }),
        retry_policy: kept.retry.as_ref().map(|retry| RetryPolicy {
            maximum_retry_attempts: retry.attempts,
            maximum_event_age_in_seconds: retry.age,
        }),
        ..Default::default()
    }
}
