//! What templates ask of the world: exports, zones, values of the parameter store. The template
//! engine is pure, so it is run again and again until nothing is missing.

use crate::errors;
use crate::records::{Resource, Stack, Version};
use kiln_ec2_shapes::DescribeAvailabilityZonesRequest;
use kiln_service_kit::{Cx, Error, regions};
use kiln_ssm_shapes::GetParameterRequest;
use kiln_template::{Answer, Evaluator, Fact, Prefetched, Pseudo, Template, TemplateError};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is known of the world.
pub type Facts = BTreeMap<Fact, Result<Answer, String>>;

/// When a template is worked out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// For what is done now: an export that is not there is an error.
    Now,
    /// Before anything is made: an export that is not there may come to be; the operation fails if it is not there
    /// when it begins.
    Before,
}

/// Runs `work` until it wants nothing more that can be fetched. Resources that are not there stay
/// "not known yet".
pub async fn settle<T>(
    cx: &Cx,
    when: When,
    mut facts: Facts,
    work: impl Fn(&Prefetched) -> Result<T, TemplateError>,
) -> Result<(T, Facts), Error> {
    loop {
        let wanted = {
            let world = Prefetched::new(facts);
            let outcome = work(&world);
            let wanted = world.take_wanted();
            facts = world.facts;
            let can_fetch = |fact: &Fact| !matches!(fact, Fact::Reference(_) | Fact::Attribute(..));
            let wanted: Vec<Fact> = wanted.into_iter().filter(can_fetch).collect();
            if wanted.is_empty() {
                return outcome.map(|value| (value, facts)).map_err(errors::template);
            }
            wanted
        };
        for fact in wanted {
            let answer = match (&fact, fetch(cx, &fact).await?) {
                (Fact::Export(_), Err(_)) if when == When::Before => Ok(Answer::NotYet),
                (_, answer) => answer,
            };
            facts.insert(fact, answer);
        }
    }
}

/// Runs `work` with an evaluator of a version of a stack.
pub async fn evaluate<T>(
    cx: &Cx,
    when: When,
    stack: Subject<'_>,
    template: &Template,
    version: &Version,
    facts: Facts,
    work: impl Fn(&Evaluator<'_>) -> Result<T, TemplateError>,
) -> Result<(T, Facts), Error> {
    let pseudo = pseudo(cx, stack, &version.notification_arns);
    let values = version.parameters.values();
    settle(cx, when, facts, |world| work(&Evaluator::new(template, &pseudo, &values, world)?)).await
}

/// The stack that a template is worked out for.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub id: &'a str,
    pub name: &'a str,
}

impl<'a> From<&'a Stack> for Subject<'a> {
    fn from(stack: &'a Stack) -> Self {
        Self { id: &stack.id, name: &stack.name }
    }
}

/// What is known of a stack's resources: physical ids and attributes of all that are there.
pub fn facts(resources: &BTreeMap<String, Arc<Resource>>) -> Facts {
    let mut facts = Facts::new();
    for (id, resource) in resources {
        let Some(live) = &resource.live else { continue };
        let Some(physical_id) = &live.physical_id else { continue };
        facts.insert(Fact::Reference(id.clone()), Ok(Answer::text(physical_id.clone())));
        for (name, value) in live.attributes.value() {
            facts.insert(Fact::Attribute(id.clone(), name), Ok(Answer::Known(value)));
        }
    }
    facts
}

/// The pseudo parameters.
pub fn pseudo(cx: &Cx, stack: Subject<'_>, notification_arns: &[String]) -> Pseudo {
    Pseudo {
        account_id: cx.account().to_owned(),
        region: cx.region().to_owned(),
        partition: cx.partition().to_owned(),
        url_suffix: cx.platform().partition_of(cx.region()).dns_suffix.to_owned(),
        stack_name: stack.name.to_owned(),
        stack_id: stack.id.to_owned(),
        notification_arns: notification_arns.to_vec(),
    }
}

/// Those that are texts, by name.
pub fn pseudo_texts(cx: &Cx, stack: Subject<'_>) -> BTreeMap<String, String> {
    let pseudo = pseudo(cx, stack, &[]);
    [
        ("AWS::AccountId", pseudo.account_id),
        ("AWS::Partition", pseudo.partition),
        ("AWS::Region", pseudo.region),
        ("AWS::StackId", pseudo.stack_id),
        ("AWS::StackName", pseudo.stack_name),
        ("AWS::URLSuffix", pseudo.url_suffix),
    ]
    .map(|(name, text)| (name.to_owned(), text))
    .into()
}

/// One fact. The inner `Err` is why there is no such thing; the outer one that it could not be asked.
async fn fetch(cx: &Cx, fact: &Fact) -> Result<Result<Answer, String>, Error> {
    match fact {
        Fact::Reference(_) | Fact::Attribute(..) => Ok(Ok(Answer::NotYet)),
        Fact::Export(name) => {
            for (_, stack) in cx.store().whole().by_key::<Stack>(cx.scope(), "export", name)? {
                if let Some(output) = stack.exports().find(|output| output.export_name.as_ref() == Some(name)) {
                    return Ok(Ok(Answer::text(output.value.clone())));
                }
            }
            Ok(Err(crate::stack::exports::missing(name)))
        }
        Fact::AvailabilityZones(region) => {
            let region = if region.is_empty() { cx.region() } else { region };
            if regions::region(region).is_none() {
                return Ok(Err(format!("Template error: {region} in Fn::GetAZs is not a region")));
            }
            match cx.in_region(region).call(DescribeAvailabilityZonesRequest::default()).await {
                Ok(answer) => {
                    let mut zones: Vec<String> =
                        answer.availability_zones.into_iter().filter_map(|zone| zone.zone_name).collect();
                    zones.sort();
                    Ok(Ok(Answer::Known(Json::Array(zones.into_iter().map(Json::String).collect()))))
                }
                Err(error) => refused(error),
            }
        }
        Fact::SsmParameter(name, version) => {
            let name = match version {
                Some(version) => format!("{name}:{version}"),
                None => name.clone(),
            };
            let request = GetParameterRequest { name: name.clone(), with_decryption: Some(false) };
            let parameter = match cx.call(request).await {
                Ok(answer) => answer.parameter,
                Err(error) => return refused(error),
            };
            match parameter {
                Some(found) if found.r#type.as_deref() == Some("SecureString") => {
                    Ok(Err(format!("SecureString parameters cannot be referenced here: {name}")))
                }
                Some(found) => match found.value {
                    Some(value) => Ok(Ok(Answer::text(value))),
                    None => Err(Error::internal(format!("parameter {name} has no value"))),
                },
                None => Err(Error::internal("GetParameter answered without a parameter")),
            }
        }
    }
}

/// A refusal is a fact about the world; trouble on the platform's side is not.
fn refused(error: Error) -> Result<Result<Answer, String>, Error> {
    match error.fault {
        kiln_service_kit::Fault::Sender => Ok(Err(error.message)),
        kiln_service_kit::Fault::Receiver => Err(error),
    }
}
