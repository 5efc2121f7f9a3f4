//! Resource policies: what is taken for one, and what of them is heard.

use crate::errors::invalid;
use crate::names::group_arn;
use crate::records::ResourcePolicy;
use kiln_policy::{Document, DocumentKind};
use kiln_service_kit::{Cx, Error};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// Checks a policy. Source: PutResourcePolicy.
pub fn check(text: &str) -> Result<(), Error> {
    let malformed = |_| invalid("Invalid resource policy: the policy document is malformed.");
    serde_json::from_str::<Json>(text).map_err(|e| malformed(e.to_string()))?;
    Document::parse(text, DocumentKind::Resource).map(drop).map_err(|e| malformed(e.to_string()))
}

/// All policies that are heard about a group, as one document: those of the account, and the group's own.
pub fn heard(cx: &Cx, group: &str) -> Result<Option<Arc<str>>, Error> {
    let own = group_arn(cx, group);
    let mut statements = vec![];
    for (_, policy) in cx.store().list::<ResourcePolicy>(cx.scope())? {
        if policy.resource.as_ref().is_some_and(|resource| *resource != own) {
            continue;
        }
        let document: Json =
            serde_json::from_str(&policy.document).map_err(|e| Error::failed("read a resource policy of logs", e))?;
        match document.get("Statement") {
            Some(Json::Array(all)) => statements.extend(all.iter().cloned()),
            Some(one) => statements.push(one.clone()),
            None => {}
        }
    }
    // Statements of several policies may have one Sid.
    for (n, statement) in statements.iter_mut().enumerate() {
        statement["Sid"] = json!(format!("Statement{n}"));
    }
    let document = json!({"Version": "2012-10-17", "Statement": statements});
    Ok((!statements.is_empty()).then(|| document.to_string().into()))
}
