//! Policy documents: read once, strictly, with every pattern compiled. What is not in the grammar
//! is an error with its place; an element that were ignored could be the one that denies.

use thiserror::Error;

use crate::{
    condition::{self, Test, one_or_more},
    json::Json,
    pattern::{ArnPattern, Pattern, Rules},
    principal::{self, Entry},
};

/// What a document is for; it decides which elements it must and must not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentKind {
    /// Identity policies, permissions boundaries, session and service control policies.
    Identity,
    /// A policy on a resource, such as a bucket.
    Resource,
    /// Who may assume a role.
    Trust,
}

/// Whether a statement allows or denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// `Allow`.
    Allow,
    /// `Deny`.
    Deny,
}

/// What is wrong with a document. Shown, it is AWS's message followed by the place.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}{}", place_and_detail(.place, .detail))]
pub struct MalformedPolicy {
    /// The message AWS gives under `MalformedPolicyDocument`.
    pub message: String,
    /// Where, such as `Statement[2].Action`; empty for the document as a whole.
    pub place: String,
    /// What exactly, if there is more to say than the message does.
    pub detail: String,
}

fn place_and_detail(place: &str, detail: &str) -> String {
    match (place, detail) {
        ("", "") => String::new(),
        ("", only) | (only, "") => format!(" ({only})"),
        _ => format!(" ({place}: {detail})"),
    }
}

fn wrong(message: impl Into<String>, place: impl Into<String>) -> MalformedPolicy {
    MalformedPolicy { message: message.into(), place: place.into(), detail: String::new() }
}

fn syntax(place: impl Into<String>, detail: impl Into<String>) -> MalformedPolicy {
    MalformedPolicy { message: "Syntax errors in policy.".into(), place: place.into(), detail: detail.into() }
}

/// A parsed policy document.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The `Id` element.
    pub id: Option<String>,
    /// The statements, in order.
    pub statements: Vec<Statement>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// The `Sid` element.
    pub sid: Option<String>,
    /// Allow or deny.
    pub effect: Effect,
    pub(crate) principals: Option<Listed<Entry>>,
    pub(crate) actions: Listed<Pattern>,
    pub(crate) resources: Option<Listed<ArnPattern>>,
    pub(crate) conditions: Vec<Test>,
}

/// The entries of an element, or of its `Not…` form.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Listed<T> {
    pub not: bool,
    pub entries: Vec<T>,
}

impl Document {
    /// Parses a document. How long it may be is for the caller to say.
    pub fn parse(text: &str, kind: DocumentKind) -> Result<Self, MalformedPolicy> {
        let json: Json = serde_json::from_str(text).map_err(|error| MalformedPolicy {
            message: "This policy contains invalid Json".into(),
            place: String::new(),
            detail: error.to_string(),
        })?;
        let Json::Map(members) = json else {
            return Err(syntax("", "a policy is a JSON object"));
        };
        let (mut id, mut variables, mut statements) = (None, false, None);
        for (name, value) in &members {
            match (name.as_str(), value) {
                ("Version", Json::Text(version)) => match version.as_str() {
                    "2012-10-17" => variables = true,
                    "2008-10-17" => {}
                    other => return Err(syntax("Version", format!("\"{other}\" is not a policy version"))),
                },
                ("Id", Json::Text(text)) => id = Some(text.clone()),
                ("Statement", Json::Map(_) | Json::List(_)) => statements = Some(one_or_more(value)),
                ("Version" | "Id", _) => return Err(syntax(name, "must be text")),
                ("Statement", _) => return Err(syntax(name, "must be an object or a list of objects")),
                _ => return Err(syntax(name, "is not an element of a policy")),
            }
        }
        let found = statements.filter(|found| !found.is_empty());
        let found = found.ok_or_else(|| syntax("Statement", "a policy has at least one statement"))?;
        let mut statements: Vec<Statement> = Vec::with_capacity(found.len());
        for (index, statement) in found.iter().enumerate() {
            let place = format!("Statement[{index}]");
            let statement = Statement::parse(statement, kind, variables, &place)?;
            let taken = |sid: &String| statements.iter().any(|each| each.sid.as_ref() == Some(sid));
            if statement.sid.as_ref().is_some_and(taken) {
                return Err(wrong("Statement IDs (SID) in a single policy must be unique.", format!("{place}.Sid")));
            }
            statements.push(statement);
        }
        Ok(Self { id, statements })
    }

    /// The user, role and session ARNs named as principals, for the caller to check that they
    /// exist.
    pub fn principal_arns(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().filter_map(|statement| statement.principals.as_ref()).flat_map(|listed| {
            listed.entries.iter().filter_map(|entry| match entry {
                Entry::Arn(arn) => Some(arn.as_str()),
                _ => None,
            })
        })
    }
}

impl Statement {
    fn parse(json: &Json, kind: DocumentKind, variables: bool, place: &str) -> Result<Self, MalformedPolicy> {
        let Json::Map(members) = json else {
            return Err(syntax(place, "a statement is a JSON object"));
        };
        let mut sid = None;
        let mut effect = None;
        let (mut principals, mut actions, mut resources) = (None, None, None);
        let mut conditions = Vec::new();
        for (name, value) in members {
            let place = format!("{place}.{name}");
            let not = name.starts_with("Not");
            match name.as_str() {
                "Sid" => sid = read_sid(value, kind, &place)?,
                "Effect" => effect = Some(read_effect(value, &place)?),
                "Principal" | "NotPrincipal" => {
                    if kind == DocumentKind::Identity {
                        return Err(wrong("Policy document should not specify a principal.", place));
                    }
                    let entries = principal::parse(value).map_err(|message| wrong(message, place.as_str()))?;
                    once(&mut principals, Listed { not, entries }, &place)?;
                }
                "Action" | "NotAction" => {
                    once(&mut actions, Listed { not, entries: read_actions(value, kind, &place)? }, &place)?;
                }
                "Resource" | "NotResource" => {
                    if kind == DocumentKind::Trust {
                        return Err(wrong("Has prohibited field Resource", place));
                    }
                    let entries = read_resources(value, variables, &place)?;
                    once(&mut resources, Listed { not, entries }, &place)?;
                }
                "Condition" => {
                    conditions = condition::parse(value, variables)
                        .map_err(|(inner, detail)| syntax(format!("{place}{inner}"), detail))?;
                }
                _ => return Err(syntax(place, "is not an element of a statement")),
            }
        }
        let effect = effect.ok_or_else(|| wrong("Missing required field Effect cannot be empty!", place))?;
        let actions = actions
            .filter(|listed: &Listed<Pattern>| !listed.entries.is_empty())
            .ok_or_else(|| wrong("Policy statement must contain actions.", place))?;
        if kind != DocumentKind::Identity && principals.is_none() {
            return Err(wrong("Missing required field Principal cannot be empty!", place));
        }
        let has_resources = resources.as_ref().is_some_and(|listed: &Listed<ArnPattern>| !listed.entries.is_empty());
        if kind != DocumentKind::Trust && !has_resources {
            return Err(wrong("Policy statement must contain resources.", place));
        }
        Ok(Self { sid, effect, principals, actions, resources, conditions })
    }
}

/// An element and its `Not…` form exclude each other.
fn once<T>(slot: &mut Option<T>, value: T, place: &str) -> Result<(), MalformedPolicy> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(syntax(place, "an element and its Not form cannot both be there")),
    }
}

fn read_sid(value: &Json, kind: DocumentKind, place: &str) -> Result<Option<String>, MalformedPolicy> {
    let Json::Text(text) = value else { return Err(syntax(place, "must be text")) };
    // Resource policies may have other characters in it.
    if kind != DocumentKind::Resource && !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        let message = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular \
                       expression [0-9A-Za-z]*";
        return Err(wrong(message, place));
    }
    Ok(Some(text.clone()).filter(|text| !text.is_empty()))
}

fn read_effect(value: &Json, place: &str) -> Result<Effect, MalformedPolicy> {
    match value {
        Json::Text(text) if text == "Allow" => Ok(Effect::Allow),
        Json::Text(text) if text == "Deny" => Ok(Effect::Deny),
        Json::Text(text) => Err(wrong(format!("Invalid effect: {text}"), place)),
        _ => Err(syntax(place, "must be Allow or Deny")),
    }
}

fn texts<'a>(value: &'a Json, place: &'a str) -> impl Iterator<Item = Result<&'a str, MalformedPolicy>> {
    one_or_more(value).iter().map(move |each| match each {
        Json::Text(text) => Ok(text.as_str()),
        _ => Err(syntax(place, "must be text or a list of texts")),
    })
}

fn read_actions(value: &Json, kind: DocumentKind, place: &str) -> Result<Vec<Pattern>, MalformedPolicy> {
    let rules = Rules { wildcards: true, variables: false, ignore_case: true };
    let mut actions = Vec::new();
    for text in texts(value, place) {
        let text = text?;
        let vendor = text.split_once(':').map(|(vendor, _)| vendor);
        if kind == DocumentKind::Trust && !vendor.is_some_and(|vendor| vendor.eq_ignore_ascii_case("sts")) {
            return Err(wrong("AssumeRole policy may only specify STS AssumeRole actions.", place));
        }
        match vendor {
            None if text == "*" => {}
            Some(vendor) if vendor.contains(|each: char| !each.is_ascii_alphanumeric() && each != '-') => {
                return Err(wrong(format!("Vendor {vendor} is not valid"), place));
            }
            Some(vendor) if !vendor.is_empty() && text.len() > vendor.len() + 1 => {}
            _ => {
                let message = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";
                return Err(wrong(message, place));
            }
        }
        actions.push(Pattern::compile(text, rules).map_err(|detail| syntax(place, detail))?);
    }
    Ok(actions)
}

fn read_resources(value: &Json, variables: bool, place: &str) -> Result<Vec<ArnPattern>, MalformedPolicy> {
    let mut resources = Vec::new();
    for text in texts(value, place) {
        let text = text?;
        let pattern = ArnPattern::compile(text, variables, true).map_err(|detail| syntax(place, detail))?;
        if matches!(&pattern, ArnPattern::Plain(plain) if !plain.is_everything()) {
            return Err(wrong(format!("Resource {text} must be in ARN format or \"*\"."), place));
        }
        resources.push(pattern);
    }
    Ok(resources)
}
