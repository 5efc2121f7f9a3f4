//! What is taken for a CORS configuration, in S3's words.

use super::Rule;
use crate::errors::{invalid_request, malformed_xml};
use kiln_s3_shapes::CORSRule;
use kiln_service_kit::Error;

/// Source: Amazon S3 User Guide, "Elements of a CORS configuration".
const MOST: usize = 100;
const LONGEST_ID: usize = 255;
/// S3's bound for the whole document, by the texts in it.
const MOST_BYTES: usize = 64 << 10;
const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];

/// The rules that a document is.
pub fn check(given: &[CORSRule]) -> Result<Vec<Rule>, Error> {
    if given.is_empty() || given.len() > MOST {
        return Err(malformed_xml());
    }
    let texts = given.iter().flat_map(|rule| {
        [&rule.allowed_headers, &rule.allowed_methods, &rule.allowed_origins, &rule.expose_headers]
            .into_iter()
            .flatten()
    });
    if texts.map(String::len).sum::<usize>() > MOST_BYTES {
        return Err(invalid_request("The CORS configuration is larger than 64 KB"));
    }
    given.iter().map(rule).collect()
}

fn rule(given: &CORSRule) -> Result<Rule, Error> {
    if given.allowed_methods.is_empty() || given.allowed_origins.is_empty() {
        return Err(malformed_xml());
    }
    if given.id.as_ref().is_some_and(|id| id.len() > LONGEST_ID) {
        return Err(invalid_request("ID length should not exceed allowed limit of 255"));
    }
    if let Some(method) = given.allowed_methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
        let text = format!("Found unsupported HTTP method in CORS config. Unsupported method is {method}");
        return Err(invalid_request(&text));
    }
    for (name, texts) in [("AllowedOrigin", &given.allowed_origins), ("AllowedHeader", &given.allowed_headers)] {
        if let Some(text) = texts.iter().find(|text| text.matches('*').count() > 1) {
            return Err(invalid_request(&format!("{name} \"{text}\" can not have more than one wildcard.")));
        }
    }
    if let Some(text) = given.expose_headers.iter().find(|text| text.contains('*')) {
        let text = format!(
            "ExposeHeader \"{text}\" contains wildcard. We currently do not support wildcard for ExposeHeader."
        );
        return Err(invalid_request(&text));
    }
    // They go into headers of answers as they are.
    let all = given.allowed_headers.iter().chain(&given.allowed_origins).chain(&given.expose_headers);
    if all.into_iter().any(|text| !text.bytes().all(|byte| (b' '..=b'~').contains(&byte))) {
        return Err(invalid_request("A CORS rule can have printable ASCII only"));
    }
    Ok(Rule {
        id: given.id.clone(),
        origins: given.allowed_origins.clone(),
        methods: given.allowed_methods.clone(),
        headers: given.allowed_headers.clone(),
        exposed: given.expose_headers.clone(),
        max_age: given.max_age_seconds,
    })
}
