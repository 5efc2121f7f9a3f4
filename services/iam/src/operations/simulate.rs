//! What would be decided: the same evaluation as at every call, asked for by name. Source: AWS IAM
//! API Reference, SimulateCustomPolicy and SimulatePrincipalPolicy.

use crate::parsed::Parsed;
use crate::rights::Rights;
use crate::{documents, errors, listing};
use kiln_iam_shapes::*;
use kiln_policy::{Decision, DocumentKind, Keys, Policies, Principal, Request, Verdict, evaluate};
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(SimulateCustomPolicy: simulate_custom_policy(SimulateCustomPolicyRequest), on everything),
    operation!(SimulatePrincipalPolicy: simulate_principal_policy(SimulatePrincipalPolicyRequest), on source),
];

fn source(_: &Cx, input: &SimulatePrincipalPolicyRequest) -> Vec<String> {
    vec![input.policy_source_arn.clone()]
}

/// What both operations ask in common.
struct Question {
    actions: Vec<String>,
    resources: Vec<String>,
    context: Vec<ContextEntry>,
    marker: Option<String>,
    max: Option<i32>,
}

type Results = Result<(Vec<EvaluationResult>, Option<bool>, Option<String>), Error>;

fn check(texts: &[String]) -> Result<(), Error> {
    texts.iter().try_for_each(|text| documents::check(text, DocumentKind::Identity))
}

fn refuse_unbuilt(operation: &str, given: [(bool, &str); 4]) -> Result<(), Error> {
    match given.into_iter().find(|(given, _)| *given) {
        Some((_, what)) => Err(Error::not_built(format!("iam:{operation} with {what}"))),
        None => Ok(()),
    }
}

async fn simulate_custom_policy(
    _: &Cx,
    input: SimulateCustomPolicyRequest,
) -> Result<SimulateCustomPolicyResponse, Error> {
    refuse_unbuilt(
        "SimulateCustomPolicy",
        [
            (input.resource_policy.is_some(), "ResourcePolicy"),
            (input.resource_owner.is_some(), "ResourceOwner"),
            (input.caller_arn.is_some(), "CallerArn"),
            (input.resource_handling_option.is_some(), "ResourceHandlingOption"),
        ],
    )?;
    check(&input.policy_input_list)?;
    check(&input.permissions_boundary_policy_input_list)?;
    let boundary = input.permissions_boundary_policy_input_list.first();
    let rights = Rights::of_texts(&Parsed::default(), &input.policy_input_list, boundary)?;
    let question = Question {
        actions: input.action_names,
        resources: input.resource_arns,
        context: input.context_entries,
        marker: input.marker,
        max: input.max_items,
    };
    let (evaluation_results, is_truncated, marker) = decide(None, &rights, question)?;
    Ok(SimulateCustomPolicyResponse { evaluation_results, is_truncated, marker })
}

async fn simulate_principal_policy(
    cx: &Cx,
    input: SimulatePrincipalPolicyRequest,
) -> Result<SimulatePrincipalPolicyResponse, Error> {
    refuse_unbuilt(
        "SimulatePrincipalPolicy",
        [
            (input.resource_policy.is_some(), "ResourcePolicy"),
            (input.resource_owner.is_some(), "ResourceOwner"),
            (input.caller_arn.is_some(), "CallerArn"),
            (input.resource_handling_option.is_some(), "ResourceHandlingOption"),
        ],
    )?;
    check(&input.policy_input_list)?;
    check(&input.permissions_boundary_policy_input_list)?;
    let parsed = Parsed::default();
    let (principal, mut rights) = principal(cx, &parsed, &input.policy_source_arn)?;
    let boundary = input.permissions_boundary_policy_input_list.first();
    rights.add_texts(&parsed, &input.policy_input_list, boundary)?;
    let question = Question {
        actions: input.action_names,
        resources: input.resource_arns,
        context: input.context_entries,
        marker: input.marker,
        max: input.max_items,
    };
    let (evaluation_results, is_truncated, marker) = decide(Some(&principal), &rights, question)?;
    Ok(SimulatePrincipalPolicyResponse { evaluation_results, is_truncated, marker })
}

/// The user or role of that ARN.
fn principal(cx: &Cx, parsed: &Parsed, arn: &str) -> Result<(Principal, Rights), Error> {
    let missing = || errors::missing(format!("The entity {arn} cannot be found."));
    let account = cx.account().to_owned();
    let scope = cx.global_scope();
    let own = arn.strip_prefix(&format!("arn:{}:iam::{account}:", cx.partition())).ok_or_else(missing)?;
    let (kind, path) = own.split_once('/').ok_or_else(missing)?;
    let name = path.rsplit('/').next().unwrap_or(path).to_owned();
    let arn = arn.to_owned();
    match kind {
        "user" => {
            let (id, rights) = Rights::of_user(cx.store(), parsed, &scope, &name)?.ok_or_else(missing)?;
            Ok((Principal::User { arn, account, name, id }, rights))
        }
        "role" => {
            let (role, rights) = Rights::of_role(cx.store(), parsed, &scope, &name)?.ok_or_else(missing)?;
            let session = format!("arn:{}:sts::{account}:assumed-role/{name}/simulated", cx.partition());
            Ok((Principal::Session { arn: session, role_arn: arn, account, id: role.id.clone() }, rights))
        }
        "group" => Err(Error::not_built("iam:SimulatePrincipalPolicy of a group")),
        _ => Err(missing()),
    }
}

/// Values must be of the type that they are said to have; conditions then read them as they read
/// any. AWS's documents give `InvalidInput` for values of parameters, and no words for this one.
fn check_context(entries: &[ContextEntry]) -> Result<(), Error> {
    for entry in entries {
        let Some(kind) = &entry.context_key_type else { continue };
        let name = entry.context_key_name.as_deref().unwrap_or("without a name");
        kiln_policy::check_type(kind, &entry.context_key_values)
            .map_err(|why| errors::invalid_input(format!("Context key {name}: {why}.")))?;
    }
    Ok(())
}

/// One result for each action on each resource. Without a principal, policies are looked at for
/// nobody in particular, and what they ask about the caller is a missing key like any other.
fn decide(principal: Option<&Principal>, rights: &Rights, question: Question) -> Results {
    check_context(&question.context)?;
    let everything = vec!["*".to_owned()];
    let resources = if question.resources.is_empty() { &everything } else { &question.resources };
    let asked_for = rights.context_keys();
    // Policies of one's own decide for it, as for any user.
    let nobody = Principal::User { arn: String::new(), account: String::new(), name: String::new(), id: String::new() };
    let mut results = vec![];
    for action in &question.actions {
        for resource in resources {
            let mut request = Request::new(principal.unwrap_or(&nobody).clone(), action, vec![resource.clone()])
                .principal_tags(rights.tags.iter().map(|(k, v)| (k.as_str(), v.as_str())));
            if principal.is_none() {
                request.keys = Keys::default();
            }
            for entry in &question.context {
                let Some(key) = &entry.context_key_name else { continue };
                let values: Vec<&str> = entry.context_key_values.iter().map(String::as_str).collect();
                request = request.with_all(key, &values);
            }
            let missing: Vec<String> = asked_for.iter().filter(|key| !request.keys.has(key)).cloned().collect();
            let decision = rights.with(|policies| evaluate(&request, &policies));
            // Whether the boundary allows it is told beside the decision, whatever decided.
            let by_boundary = rights.with(|policies| match policies.boundary {
                None => None,
                Some(boundary) => {
                    let alone = [boundary];
                    Some(evaluate(&request, &Policies { identity: &alone, ..Policies::default() }).is_allowed())
                }
            });
            let order = format!("{:06}", results.len());
            results.push((order, shown(action, resource, &decision, by_boundary, missing)));
        }
    }
    let (page, is_truncated, marker) =
        listing::page(results, |(order, _)| order, question.marker.as_deref(), question.max)?;
    Ok((page.into_iter().map(|(_, result)| result).collect(), is_truncated, marker))
}

fn shown(
    action: &str,
    resource: &str,
    decision: &Decision,
    by_boundary: Option<bool>,
    missing: Vec<String>,
) -> EvaluationResult {
    let verdict = match decision.verdict {
        Verdict::Allow => "allowed",
        Verdict::ExplicitDeny => "explicitDeny",
        Verdict::ImplicitDeny => "implicitDeny",
    };
    let matched = decision
        .statement
        .iter()
        .map(|place| Statement { source_policy_id: Some(place.policy.clone()), ..Default::default() });
    let matched_statements: Vec<Statement> = matched.collect();
    let permissions_boundary_decision_detail =
        by_boundary.map(|allowed| PermissionsBoundaryDecisionDetail { allowed_by_permissions_boundary: Some(allowed) });
    let whole = EvaluationResult {
        eval_action_name: Some(action.to_owned()),
        eval_resource_name: Some(resource.to_owned()),
        eval_decision: Some(verdict.to_owned()),
        matched_statements: matched_statements.clone(),
        permissions_boundary_decision_detail: permissions_boundary_decision_detail.clone(),
        ..Default::default()
    };
    // What is missing is told beside the resource where one is named.
    match resource {
        "*" => EvaluationResult { missing_context_values: missing, ..whole },
        named => EvaluationResult {
            resource_specific_results: vec![ResourceSpecificResult {
                eval_resource_name: Some(named.to_owned()),
                eval_resource_decision: Some(verdict.to_owned()),
                matched_statements,
                missing_context_values: missing,
                permissions_boundary_decision_detail,
                ..Default::default()
            }],
            ..whole
        },
    }
}
