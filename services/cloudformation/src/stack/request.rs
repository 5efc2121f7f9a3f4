//! From a request to a [`Version`]: the template read and checked, parameters resolved, conditions
//! worked out. The same for CreateStack, UpdateStack and CreateChangeSet; nothing is made before it
//! has succeeded.

use crate::errors::{self, validation};
use crate::records::Version;
use crate::records::stack::Parameters;
use crate::stack::world::{Facts, Subject, When};
use crate::stack::{attributes, s3_url, schemas, world};
use kiln_cloudformation_shapes::{Parameter, RollbackConfiguration, Tag};
use kiln_delivery::{Address, can_carry};
use kiln_service_kit::{Caller, Cx, Error, Fault, Platform};
use kiln_sns_shapes::GetTopicAttributesRequest;
use kiln_template::{
    Evaluator, Fact, Graph, MAX_S3_BODY, Origin, Template, TemplateError, check_properties, resolve_parameters, schema,
};
use std::collections::{BTreeMap, BTreeSet};

/// Topics of one stack. Source: API Reference, CreateStack.
const MOST_TOPICS: usize = 5;

/// What the operations that lead to a new version have in common.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    pub template_body: Option<String>,
    pub template_url: Option<String>,
    pub use_previous_template: bool,
    pub parameters: Vec<Parameter>,
    pub capabilities: Vec<String>,
    pub tags: Vec<Tag>,
    pub resource_types: Vec<String>,
    pub notification_arns: Vec<String>,
    pub rollback_configuration: Option<RollbackConfiguration>,
    /// A change set is made of it, which somebody looks at first.
    pub reviewed: bool,
}

/// A version with its parsed template and what evaluating it has found out.
pub struct Prepared {
    pub version: Version,
    pub template: Template,
    /// Names of exports it uses, as far as they are known before anything is made.
    pub imports: BTreeSet<String>,
}

/// The body a request gives or points at, and which of the two.
pub async fn body(cx: &Cx, body: Option<&str>, url: Option<&str>) -> Result<(String, Origin), Error> {
    match (body, url) {
        (Some(_), Some(_)) => Err(validation("You cannot specify both Template Body and Template URL.")),
        (None, Some(url)) => Ok((s3_url::fetch(cx, "TemplateURL", url, MAX_S3_BODY).await?, Origin::S3)),
        (Some(body), None) => Ok((body.to_owned(), Origin::Direct)),
        (None, None) => Err(validation("Either Template URL or Template Body must be specified.")),
    }
}

/// Reads and checks a template that is given or pointed at, as far as that can be done without the texts of
/// its parameters.
pub async fn parse(cx: &Cx, given: Option<&str>, url: Option<&str>) -> Result<Template, Error> {
    let (body, origin) = body(cx, given, url).await?;
    Template::parse(&body, origin).map_err(errors::template)
}

impl Wish {
    /// Checks everything that can be checked before anything is made.
    pub async fn prepare(&self, cx: &Cx, stack: Subject<'_>, before: Option<&Version>) -> Result<Prepared, Error> {
        self.refuse_not_built()?;
        let (body, origin) = match (self.use_previous_template, before) {
            (true, _) if self.template_body.is_some() || self.template_url.is_some() => {
                return Err(validation(
                    "You cannot specify both usePreviousTemplate and Template Body / Template URL.",
                ));
            }
            (true, Some(before)) => (before.body.clone(), Origin::S3),
            (true, None) => return Err(validation("There is no previous template to use.")),
            (false, _) => body(cx, self.template_body.as_deref(), self.template_url.as_deref()).await?,
        };
        let pseudo = world::pseudo_texts(cx, stack);
        let texts = self.texts(before).into_iter().chain(pseudo.clone()).collect();
        let template = Template::parse_given(&body, origin, &texts).map_err(errors::template)?;
        schemas::validate(cx.platform(), &template).map_err(errors::template)?;
        self.check_resource_types(&template)?;
        self.check_capabilities(&template)?;
        let given = self.given(&template, before)?;
        let (values, facts) =
            world::settle(cx, When::Now, Facts::new(), |world| resolve_parameters(&template.parameters, &given, world))
                .await?;
        let secret = template.parameters.iter().filter(|(_, parameter)| parameter.no_echo);
        let mut version = Version {
            description: template.description.clone(),
            parameters: Parameters {
                no_echo: secret.map(|(name, _)| name.clone()).collect(),
                values: values.values,
                given: values.given,
                resolved: values.resolved,
            },
            body,
            tags: self.tags(before)?,
            capabilities: self.capabilities.clone(),
            notification_arns: self.notification_arns(cx, before).await?,
            needs: BTreeMap::new(),
            imports: None,
            pseudo,
        };
        crate::stack::parameters::check_existence(cx, &template, &version.parameters).await?;
        let (needs, facts) = world::evaluate(cx, When::Before, stack, &template, &version, facts, |evaluator| {
            schemas::check_built(cx.platform(), evaluator)?;
            check_all(cx.platform(), evaluator)
        })
        .await?;
        version.needs = needs;
        let imports = facts.keys().filter_map(|fact| match fact {
            Fact::Export(name) => Some(name.clone()),
            _ => None,
        });
        Ok(Prepared { imports: imports.collect(), version, template })
    }

    fn refuse_not_built(&self) -> Result<(), Error> {
        if self.rollback_configuration.as_ref().is_some_and(|wanted| {
            !wanted.rollback_triggers.is_empty() || wanted.monitoring_time_in_minutes.unwrap_or(0) > 0
        }) {
            return Err(Error::not_built("RollbackConfiguration (its alarms need cloudwatch)"));
        }
        Ok(())
    }

    /// `ResourceTypes` limits what the template may hold.
    fn check_resource_types(&self, template: &Template) -> Result<(), Error> {
        let allowed = |name: &str| {
            self.resource_types.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => pattern == name,
            })
        };
        let outside: Vec<&str> = template.resource_types().into_iter().filter(|name| !allowed(name)).collect();
        match self.resource_types.is_empty() || outside.is_empty() {
            true => Ok(()),
            false => Err(validation(format!("Resource types {outside:?} are not among the allowed ResourceTypes."))),
        }
    }

    fn check_capabilities(&self, template: &Template) -> Result<(), Error> {
        let has = |wanted: &str| self.capabilities.iter().any(|given| given == wanted);
        let mut missing = vec![];
        // What a transform makes is acknowledged, or looked at in a change set.
        if template.language_extensions && !self.reviewed && !has("CAPABILITY_AUTO_EXPAND") {
            missing.push("CAPABILITY_AUTO_EXPAND");
        }
        if let Some((wanted, _)) = template.required_capabilities()
            && !has(wanted)
            && !has("CAPABILITY_NAMED_IAM")
        {
            missing.push(wanted);
        }
        match missing.is_empty() {
            true => Ok(()),
            false => {
                let message = format!("Requires capabilities : [{}]", missing.join(", "));
                Err(Error::sender("InsufficientCapabilitiesException", message))
            }
        }
    }

    /// The texts of parameters that are sure before the template is understood.
    fn texts(&self, before: Option<&Version>) -> BTreeMap<String, String> {
        let text = |parameter: &Parameter| {
            let name = parameter.parameter_key.clone()?;
            let earlier = || before.and_then(|before| before.parameters.given.get(&name)).cloned();
            let value = match parameter.use_previous_value {
                Some(true) => earlier(),
                _ => parameter.parameter_value.clone(),
            };
            Some((name, value?))
        };
        self.parameters.iter().filter_map(text).collect()
    }

    /// The parameters' texts, with those that stay as they are filled in.
    fn given(&self, template: &Template, before: Option<&Version>) -> Result<BTreeMap<String, String>, Error> {
        let mut given = BTreeMap::new();
        for parameter in &self.parameters {
            let Some(name) = parameter.parameter_key.clone() else {
                return Err(validation("Parameter keys must not be empty."));
            };
            let value = match (parameter.use_previous_value.unwrap_or(false), &parameter.parameter_value) {
                // Some clients send both, the value empty.
                (true, Some(value)) if !value.is_empty() => {
                    return Err(validation(format!(
                        "Invalid input for parameter key {name}. Cannot specify usePreviousValue as true and non empty \
                         value for a parameter"
                    )));
                }
                (true, _) => match before.and_then(|before| before.parameters.given.get(&name)) {
                    Some(value) => value.clone(),
                    None if template.parameters.get(&name).is_some_and(|declared| declared.default.is_some()) => {
                        continue;
                    }
                    None => {
                        return Err(validation(format!(
                            "Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for a \
                             parameter key not in the previous template"
                        )));
                    }
                },
                (false, Some(value)) => value.clone(),
                (false, None) => {
                    return Err(validation(format!(
                        "Invalid input for parameter key {name}. Either usePreviousValue or a value must be given"
                    )));
                }
            };
            if given.insert(name.clone(), value).is_some() {
                return Err(validation(format!("Parameter '{name}' is specified more than once")));
            }
        }
        Ok(given)
    }

    /// Topics that are told; left out they stay as they are. One that is not there is refused.
    async fn notification_arns(&self, cx: &Cx, before: Option<&Version>) -> Result<Vec<String>, Error> {
        if let (true, Some(before)) = (self.notification_arns.is_empty(), before) {
            return Ok(before.notification_arns.clone());
        }
        if self.notification_arns.len() > MOST_TOPICS {
            return Err(validation(format!("There can be {MOST_TOPICS} NotificationARNs at most.")));
        }
        for arn in &self.notification_arns {
            match can_carry(arn) {
                Ok(Address::Topic(_)) => {}
                Err(error) if error.is("NotImplemented") => return Err(error),
                _ => return Err(validation(format!("Invalid notification ARN: {arn}"))),
            }
            // Another account's is told if its policy says so; one of this account is looked at as the account itself.
            if arn.split(':').nth(4) != Some(cx.account()) {
                continue;
            }
            let looks = cx.as_caller(Caller::root(cx.account()));
            match looks.call(GetTopicAttributesRequest { topic_arn: arn.clone() }).await {
                Err(error) if error.status == 404 => {
                    return Err(validation(format!("Notification topic {arn} does not exist.")));
                }
                looked => drop(looked?),
            }
        }
        Ok(self.notification_arns.clone())
    }

    /// The stack's tags; left out they stay as they are.
    fn tags(&self, before: Option<&Version>) -> Result<BTreeMap<String, String>, Error> {
        if let (true, Some(before)) = (self.tags.is_empty(), before) {
            return Ok(before.tags.clone());
        }
        let mut tags = BTreeMap::new();
        for tag in &self.tags {
            if tag.key.to_ascii_lowercase().starts_with("aws:") {
                return Err(validation("aws: prefixed tag key names are not allowed for external use."));
            }
            if tags.insert(tag.key.clone(), tag.value.clone()).is_some() {
                return Err(validation(format!("Duplicate tag key {}", tag.key)));
            }
        }
        Ok(tags)
    }
}

/// Works every resource out as far as it can be and checks its properties; gives the graph's edges.
fn check_all(
    platform: &Platform,
    evaluator: &Evaluator<'_>,
) -> Result<BTreeMap<String, BTreeSet<String>>, TemplateError> {
    let graph = Graph::of(evaluator.template(), Some(evaluator.conditions()))?;
    let mut wrong = vec![];
    let mut place = None;
    let mut not_served = None;
    for id in graph.creation_order() {
        let resource = evaluator.resource(&id)?;
        attributes::check(platform, &id, &resource)?;
        let schema = schemas::of(&resource.resource_type)?;
        // What nobody has is told before what is not built.
        not_served = not_served.or_else(|| schemas::check_served(platform, &id, &resource).err());
        if let Err(violations) = check_properties(schema, &resource.properties) {
            place = place.or_else(|| Some(evaluator.template().property_place(&id, &violations.first()?.path)));
            wrong.push(format!(
                "Properties validation failed for resource {id} with message: {}",
                schema::violations_text(&violations)
            ));
        }
    }
    if let Some(place) = place {
        return Err(TemplateError { place, ..TemplateError::plain(wrong.join("; ")) });
    }
    if let Some(not_served) = not_served {
        return Err(not_served);
    }
    Graph::check_outputs(evaluator.template(), evaluator.conditions())?;
    evaluator.outputs()?;
    Ok(graph.all_needs().clone())
}

/// Whether a failure is the caller's doing.
pub fn is_refusal(error: &Error) -> bool {
    error.fault == Fault::Sender
}
