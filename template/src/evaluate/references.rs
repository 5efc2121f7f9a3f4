//! What stands for something else: parameters, pseudo parameters, resources and their attributes.

use super::Evaluator;
use crate::error::{At, Result, TemplateError};
use crate::lookup::{Answer, unknown};
use serde_json::Value;

impl Evaluator<'_> {
    /// `Ref`; `None` is `AWS::NoValue`.
    pub(super) fn reference(&self, name: &str, at: &At<'_>) -> Result<Option<Value>> {
        if let Some(value) = self.parameters.values.get(name) {
            return Ok(Some(value.clone()));
        }
        let text = match name {
            "AWS::NoValue" => return Ok(None),
            "AWS::NotificationARNs" => {
                let list = self.pseudo.notification_arns.iter().cloned().map(Value::String).collect();
                return Ok(Some(Value::Array(list)));
            }
            "AWS::AccountId" => &self.pseudo.account_id,
            "AWS::Region" => &self.pseudo.region,
            "AWS::Partition" => &self.pseudo.partition,
            "AWS::URLSuffix" => &self.pseudo.url_suffix,
            "AWS::StackName" => &self.pseudo.stack_name,
            "AWS::StackId" => &self.pseudo.stack_id,
            _ => {
                self.must_be_active(name, at)?;
                return answer(self.lookup.reference(name), at).map(Some);
            }
        };
        Ok(Some(Value::String(text.clone())))
    }

    /// `Fn::GetAtt`.
    pub(super) fn attribute(&self, resource: &str, attribute: &str, at: &At<'_>) -> Result<Value> {
        self.must_be_active(resource, at)?;
        answer(self.lookup.attribute(resource, attribute), at)
    }

    fn must_be_active(&self, name: &str, at: &At<'_>) -> Result<()> {
        match self.template.resources.get(name) {
            Some(resource) if self.is_active(resource) => Ok(()),
            _ => {
                let path = at.path();
                let block = path.split('/').next().unwrap_or("Resources");
                Err(at.error(format!(
                    "Template format error: Unresolved resource dependencies [{name}] in the {block} block of the template"
                )))
            }
        }
    }
}

/// What the world answers, at the place where it is asked.
pub(super) fn answer(answer: Result<Answer, String>, at: &At<'_>) -> Result<Value, TemplateError> {
    match answer {
        Ok(Answer::Known(value)) => Ok(value),
        Ok(Answer::NotYet) => Ok(unknown()),
        Err(message) => Err(at.error(message)),
    }
}
