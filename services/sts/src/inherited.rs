//! What a new session takes over from the one that begins it: transitive tags and the source
//! identity, which nobody can shake off by assuming the next role. Source: AWS IAM User Guide,
//! "Pass session tags in AWS STS" and "Monitor and control actions taken with assumed roles".

use kiln_service_kit::{CallerKind, Cx, Error};
use kiln_sts_shapes::AssumeRoleRequest;

/// Tags and source identity of the session to be.
pub struct Inherited {
    pub tags: Vec<(String, String)>,
    pub transitive: Vec<String>,
    pub source_identity: Option<String>,
}

impl Inherited {
    /// What the request gives and the caller's session passes on.
    pub fn of(cx: &Cx, input: &AssumeRoleRequest) -> Result<Self, Error> {
        let (mut tags, mut transitive, before) = match &cx.caller().kind {
            CallerKind::Role { session_tags, transitive_tags, source_identity, .. } => {
                let kept = session_tags.iter().filter(|(key, _)| transitive_tags.contains(key)).cloned().collect();
                (kept, transitive_tags.clone(), source_identity.clone())
            }
            _ => (vec![], vec![], None),
        };
        for tag in &input.tags {
            let same = |(key, _): &&(String, String)| key.eq_ignore_ascii_case(&tag.key);
            if let Some((key, _)) = tags.iter().find(same) {
                let text = match transitive.contains(key) {
                    true => {
                        format!("The tag {key} was set as transitive by an earlier session and cannot be set again.")
                    }
                    false => "Duplicate tag keys found. Please note that Tag keys are case insensitive.".to_owned(),
                };
                return Err(Error::sender("InvalidParameterValue", text));
            }
            if starts_with_aws(&tag.key) {
                let text = "Tag keys beginning with aws: are reserved for AWS use.";
                return Err(Error::sender("InvalidParameterValue", text));
            }
            tags.push((tag.key.clone(), tag.value.clone()));
        }
        for key in &input.transitive_tag_keys {
            if !input.tags.iter().any(|tag| tag.key == *key) {
                let text = format!("The transitive tag key {key} is not among the session tags of the request.");
                return Err(Error::sender("InvalidParameterValue", text));
            }
            transitive.push(key.clone());
        }
        Ok(Self { tags, transitive, source_identity: source_identity(cx, input, before)? })
    }
}

/// Once set it stays.
fn source_identity(cx: &Cx, input: &AssumeRoleRequest, before: Option<String>) -> Result<Option<String>, Error> {
    match (before, &input.source_identity) {
        (_, Some(given)) if starts_with_aws(given) => {
            Err(Error::sender("ValidationError", "SourceIdentity cannot begin with aws:."))
        }
        (Some(before), Some(given)) if before != *given => {
            let text = format!(
                "User: {} is not authorized to perform: sts:SetSourceIdentity on resource: {}: the source identity of \
                 the session cannot be changed",
                cx.caller().arn,
                input.role_arn
            );
            Err(Error::sender("AccessDenied", text).with_status(403))
        }
        (before, given) => Ok(before.or_else(|| given.clone())),
    }
}

fn starts_with_aws(text: &str) -> bool {
    text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
}
