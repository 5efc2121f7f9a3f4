//! Templates: those of stacks, and what is said of one before it is used.

use super::{arn_of, change_sets, stack_of};
use crate::stack::request::parse;
use crate::stack::schemas;
use kiln_cloudformation_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Touched, operation};
use kiln_template::Template;

pub const OPERATIONS: &[Operation] = &[
    operation!(GetTemplate: get_template(GetTemplateRequest),
        on |cx, r| of_either(cx, &r.change_set_name, &r.stack_name)),
    operation!(GetTemplateSummary: get_template_summary(GetTemplateSummaryRequest),
        on |cx, r| of_stack(cx, &r.stack_name)),
    operation!(ValidateTemplate: validate_template(ValidateTemplateRequest), on everything),
];

/// A stack, where one is named.
fn of_stack(cx: &Cx, name: &Option<String>) -> Touched {
    name.as_ref().map_or_else(|| Ok(vec![]), |name| arn_of(cx, name))
}

/// The stack of the change set, where one is named: its ARN counts more than the stack beside it.
fn of_either(cx: &Cx, set: &Option<String>, stack: &Option<String>) -> Touched {
    match set {
        Some(set) => change_sets::stack_of_set(cx, set, stack.as_deref()),
        None => of_stack(cx, stack),
    }
}

async fn get_template(cx: &Cx, request: GetTemplateRequest) -> Result<GetTemplateResponse, Error> {
    let version = match (&request.change_set_name, &request.stack_name) {
        (Some(set), stack) => Some(change_sets::find(cx, set, stack.as_deref())?.version.clone()),
        (None, Some(name)) => stack_of(cx, name)?.shown().cloned(),
        (None, None) => return Err(crate::errors::validation("Either StackName or ChangeSetName must be given.")),
    };
    let Some(version) = version else {
        return Ok(GetTemplateResponse { template_body: Some(String::new()), stages_available: vec![] });
    };
    let mut stages_available = vec!["Original".to_owned()];
    let extended = version.template().map_err(crate::errors::template)?.language_extensions;
    match (extended, request.template_stage.as_deref()) {
        // Without a transform both stages are the same.
        (false, _) => stages_available.push("Processed".to_owned()),
        (true, Some("Processed")) => {
            return Err(Error::not_built("the Processed stage of a template with a Transform"));
        }
        (true, _) => {}
    }
    Ok(GetTemplateResponse { template_body: Some(version.body.clone()), stages_available })
}

/// The transforms a template declares.
fn transforms(template: &Template) -> Vec<String> {
    template.language_extensions.then(|| "AWS::LanguageExtensions".to_owned()).into_iter().collect()
}

fn capabilities(template: &Template) -> (Vec<String>, Option<String>) {
    match template.required_capabilities() {
        None => (vec![], None),
        Some((capability, types)) => (
            vec![capability.to_owned()],
            Some(format!("The following resource(s) require capabilities: [{}]", types.join(", "))),
        ),
    }
}

async fn get_template_summary(
    cx: &Cx,
    request: GetTemplateSummaryRequest,
) -> Result<GetTemplateSummaryResponse, Error> {
    if request.stack_set_name.is_some() {
        return Err(Error::not_built("cloudformation stack sets"));
    }
    let template = match &request.stack_name {
        Some(name) => match stack_of(cx, name)?.shown() {
            Some(version) => version.template().map_err(crate::errors::template)?,
            None => return Err(crate::errors::validation("The stack has no template yet.")),
        },
        None => parse(cx, request.template_body.as_deref(), request.template_url.as_deref()).await?,
    };
    let (capabilities, capabilities_reason) = capabilities(&template);
    let parameters = template.parameters.iter().map(|(name, declared)| ParameterDeclaration {
        parameter_key: Some(name.clone()),
        default_value: declared.default.clone(),
        parameter_type: Some(declared.type_name.clone()),
        no_echo: Some(declared.no_echo),
        description: declared.description.clone(),
        parameter_constraints: Some(ParameterConstraints { allowed_values: declared.allowed_values.clone() }),
    });
    let unknown: Vec<String> = template
        .resource_types()
        .into_iter()
        .filter(|name| cx.platform().resource_type(name).is_none() && schemas::not_built(name).is_none())
        .map(str::to_owned)
        .collect();
    let as_warnings = request
        .template_summary_config
        .as_ref()
        .and_then(|config| config.treat_unrecognized_resource_types_as_warnings)
        .unwrap_or(false);
    if !unknown.is_empty() && !as_warnings {
        return Err(crate::errors::validation(format!(
            "Template format error: Unrecognized resource types: [{}]",
            unknown.join(", ")
        )));
    }
    Ok(GetTemplateSummaryResponse {
        parameters: parameters.collect(),
        description: template.description.clone(),
        capabilities,
        capabilities_reason,
        resource_types: template.resource_types().into_iter().map(str::to_owned).collect(),
        version: Some("2010-09-09".to_owned()),
        metadata: template.metadata.as_ref().map(|metadata| metadata.to_string()),
        declared_transforms: transforms(&template),
        warnings: as_warnings.then_some(Warnings { unrecognized_resource_types: unknown }),
        ..Default::default()
    })
}

async fn validate_template(cx: &Cx, request: ValidateTemplateRequest) -> Result<ValidateTemplateResponse, Error> {
    let template = parse(cx, request.template_body.as_deref(), request.template_url.as_deref()).await?;
    schemas::validate(cx.platform(), &template).map_err(crate::errors::template)?;
    let (capabilities, capabilities_reason) = capabilities(&template);
    let parameters = template.parameters.iter().map(|(name, declared)| TemplateParameter {
        parameter_key: Some(name.clone()),
        default_value: declared.default.clone(),
        no_echo: Some(declared.no_echo),
        description: declared.description.clone(),
    });
    Ok(ValidateTemplateResponse {
        parameters: parameters.collect(),
        description: template.description.clone(),
        capabilities,
        capabilities_reason,
        declared_transforms: transforms(&template),
    })
}
