//! Policy documents: read once, strictly, with every pattern compiled. What is not in the grammar
//! is an error with its place; an element that were ignored could be the one that denies.

use crate::{
    condition::{self, Test, one_or_more},
    grammar,
    json::Json,
    kind::DocumentKind,
    malformed::{MalformedPolicy, syntax, wrong},
    pattern::{ArnPattern, Pattern, Rules},
    principal::{self, Entry},
};

/// Whether a statement allows or denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// `Allow`.
    Allow,
    /// `Deny`.
    Deny,
}

/// How much a document is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strict {
    /// It was accepted before.
    Kept,
    /// All that AWS refuses.
    Form,
    /// And it must say the current version.
    Current,
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
        Self::read(text, kind, Strict::Form)
    }

    /// Parses a document that was accepted once. What is refused today may have been taken by an
    /// earlier version of this program: it is read as it stands.
    pub fn kept(text: &str, kind: DocumentKind) -> Result<Self, MalformedPolicy> {
        Self::read(text, kind, Strict::Kept)
    }

    /// Parses a managed policy, which must say the current version of the language: AWS takes the
    /// old one, and none at all, only of policies that are part of something.
    pub fn parse_managed(text: &str) -> Result<Self, MalformedPolicy> {
        Self::read(text, DocumentKind::Identity, Strict::Current)
    }

    /// In AWS's order, so that of several mistakes the same one is told: the form of the whole
    /// document, then the version, then what each part says.
    fn read(text: &str, kind: DocumentKind, strict: Strict) -> Result<Self, MalformedPolicy> {
        let json: Json = serde_json::from_str(text).map_err(|error| MalformedPolicy {
            message: match kind {
                DocumentKind::Identity => "Syntax errors in policy.".into(),
                DocumentKind::Resource | DocumentKind::Trust => "This policy contains invalid Json".into(),
            },
            place: String::new(),
            detail: error.to_string(),
        })?;
        let Json::Map(members) = json else {
            return Err(syntax("", "a policy is a JSON object"));
        };
        let (mut id, mut current, mut found) = (None, false, None);
        for (name, value) in &members {
            match (name.as_str(), value) {
                ("Version", Json::Text(version)) => match version.as_str() {
                    "2012-10-17" => current = true,
                    "2008-10-17" => {}
                    other => return Err(syntax("Version", format!("\"{other}\" is not a policy version"))),
                },
                ("Id", Json::Text(text)) => id = Some(text.clone()),
                ("Statement", Json::Map(_) | Json::List(_)) => found = Some(one_or_more(value)),
                ("Version" | "Id", _) => return Err(syntax(name, "must be text")),
                ("Statement", _) => return Err(syntax(name, "must be an object or a list of objects")),
                _ => return Err(syntax(name, "is not an element of a policy")),
            }
        }
        let found = found.filter(|found| !found.is_empty());
        let found = found.ok_or_else(|| syntax("Statement", "a policy has at least one statement"))?;
        let drafts: Vec<Draft<'_>> = found
            .iter()
            .enumerate()
            .map(|(index, statement)| Draft::read(statement, kind, current, format!("Statement[{index}]")))
            .collect::<Result<_, _>>()?;
        if strict == Strict::Current && !current {
            return Err(wrong("Policy document must be version 2012-10-17 or greater.", "Version"));
        }
        if strict != Strict::Kept {
            check(&drafts, kind)?;
        }
        let statements = drafts.into_iter().map(|draft| draft.finish(current)).collect::<Result<_, _>>()?;
        Ok(Self { id, statements })
    }

    /// The condition keys that its statements ask for, those of policy variables among them; as
    /// written, each once without regard to case.
    pub fn context_keys(&self) -> Vec<&str> {
        let mut keys: Vec<&str> = Vec::new();
        let mut see = |key| {
            if !keys.iter().any(|known: &&str| known.eq_ignore_ascii_case(key)) {
                keys.push(key);
            }
        };
        for statement in &self.statements {
            statement.conditions.iter().for_each(|test| test.asks_for(&mut see));
            for pattern in statement.resources.iter().flat_map(|listed| &listed.entries) {
                pattern.asks_for(&mut see);
            }
        }
        keys
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

/// A statement whose form is right; what it says is not looked at yet.
struct Draft<'a> {
    place: String,
    sid: Option<String>,
    effect: &'a str,
    principals: Option<Listed<Entry>>,
    actions: Option<Listed<&'a str>>,
    resources: Option<Listed<&'a str>>,
    conditions: Vec<Test>,
    /// A value of a condition that is none: told after the form of everything.
    bad_value: Option<String>,
}

impl<'a> Draft<'a> {
    fn read(json: &'a Json, kind: DocumentKind, variables: bool, place: String) -> Result<Self, MalformedPolicy> {
        let Json::Map(members) = json else {
            return Err(syntax(place, "a statement is a JSON object"));
        };
        let (mut sid, mut effect, mut bad_value) = (None, None, None);
        let (mut principals, mut actions, mut resources) = (None, None, None);
        let mut conditions = Vec::new();
        for (name, value) in members {
            let place = format!("{place}.{name}");
            let not = name.starts_with("Not");
            match name.as_str() {
                "Sid" => match value {
                    Json::Text(text) => sid = Some(text.clone()).filter(|text| !text.is_empty()),
                    _ => return Err(syntax(place, "must be text")),
                },
                "Effect" => match value {
                    Json::Text(text) if ["allow", "deny"].contains(&&*text.to_lowercase()) => effect = Some(&**text),
                    _ => return Err(syntax(place, "must be Allow or Deny")),
                },
                "Principal" | "NotPrincipal" => {
                    if kind == DocumentKind::Identity {
                        return Err(wrong("Policy document should not specify a principal.", place));
                    }
                    let entries = principal::parse(value).map_err(|message| wrong(message, place.as_str()))?;
                    once(&mut principals, Listed { not, entries }, &place)?;
                }
                "Action" | "NotAction" => once(&mut actions, Listed { not, entries: texts(value, &place)? }, &place)?,
                "Resource" | "NotResource" => {
                    if kind == DocumentKind::Trust {
                        return Err(wrong("Has prohibited field Resource", place));
                    }
                    once(&mut resources, Listed { not, entries: texts(value, &place)? }, &place)?;
                }
                "Condition" => {
                    let read = condition::parse(value, variables);
                    let read = read.map_err(|(inner, detail)| syntax(format!("{place}{inner}"), detail))?;
                    (conditions, bad_value) = (read.tests, read.bad_value.map(|inner| format!("{place}{inner}")));
                }
                _ => return Err(syntax(place, "is not an element of a statement")),
            }
        }
        let effect = effect.ok_or_else(|| match kind {
            DocumentKind::Identity => syntax(place.as_str(), "has no Effect"),
            _ => wrong("Missing required field Effect cannot be empty!", place.as_str()),
        })?;
        Ok(Self { place, sid, effect, principals, actions, resources, conditions, bad_value })
    }

    fn finish(self, variables: bool) -> Result<Statement, MalformedPolicy> {
        let place = &self.place;
        let rules = Rules { wildcards: true, variables: false, ignore_case: true };
        let actions = self.actions.ok_or_else(|| wrong("Policy statement must contain actions.", place.as_str()))?;
        let compile = |text: &str| Pattern::compile(text, rules).map_err(|detail| syntax(place.as_str(), detail));
        let entries = actions.entries.into_iter().map(compile).collect::<Result<_, _>>()?;
        let actions = Listed { not: actions.not, entries };
        let resources = match self.resources {
            None => None,
            Some(listed) => {
                let compile = |text: &str| {
                    let place = format!("{place}.{}", if listed.not { "NotResource" } else { "Resource" });
                    let pattern =
                        ArnPattern::compile(text, variables, true).map_err(|detail| syntax(&*place, detail))?;
                    match &pattern {
                        ArnPattern::Plain(plain) if !plain.is_everything() => Err(grammar::not_an_arn(text, place)),
                        _ => Ok(pattern),
                    }
                };
                let entries = listed.entries.into_iter().map(compile).collect::<Result<_, _>>()?;
                Some(Listed { not: listed.not, entries })
            }
        };
        let effect = if self.effect == "Allow" { Effect::Allow } else { Effect::Deny };
        Ok(Statement {
            sid: self.sid,
            effect,
            principals: self.principals,
            actions,
            resources,
            conditions: self.conditions,
        })
    }
}

/// What the statements say, part by part, as AWS goes through them.
fn check(drafts: &[Draft<'_>], kind: DocumentKind) -> Result<(), MalformedPolicy> {
    for draft in drafts {
        if !["Allow", "Deny"].contains(&draft.effect) {
            return Err(legacy(format!("{}.Effect", draft.place)));
        }
        if let Some(place) = &draft.bad_value {
            return Err(legacy(place.as_str()));
        }
    }
    let mut bad_resource = None;
    for draft in drafts {
        let Some(listed) = &draft.resources else { continue };
        let place = format!("{}.{}", draft.place, if listed.not { "NotResource" } else { "Resource" });
        // Of several, AWS tells of the one that sorts first.
        let mut sorted = listed.entries.clone();
        sorted.sort_unstable();
        let found = sorted.iter().find_map(|text| grammar::bad_resource(text, &place));
        match bad_resource.or(found) {
            None if listed.entries.iter().any(|text| grammar::is_half_an_arn(text)) => return Err(legacy(place)),
            bad => bad_resource = bad,
        }
    }
    let mut sids: Vec<&String> = Vec::new();
    for draft in drafts {
        let place = || format!("{}.Sid", draft.place);
        let Some(sid) = &draft.sid else { continue };
        // Resource policies may have other characters in it.
        if kind != DocumentKind::Resource && !sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            let message = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular \
                           expression [0-9A-Za-z]*";
            return Err(wrong(message, place()));
        }
        if sids.contains(&sid) {
            return Err(wrong("Statement IDs (SID) in a single policy must be unique.", place()));
        }
        sids.push(sid);
    }
    if let Some(draft) = drafts.iter().find(|draft| draft.actions.as_ref().is_none_or(|a| a.entries.is_empty())) {
        return Err(wrong("Policy statement must contain actions.", draft.place.as_str()));
    }
    if let Some(bad) = bad_resource {
        return Err(bad);
    }
    for draft in drafts {
        let Some(listed) = &draft.actions else { continue };
        let place = format!("{}.{}", draft.place, if listed.not { "NotAction" } else { "Action" });
        listed.entries.iter().try_for_each(|action| grammar::check_action(action, kind, &place))?;
    }
    for draft in drafts {
        let names_nobody = draft.principals.as_ref().is_none_or(|listed| listed.entries.is_empty());
        if kind != DocumentKind::Identity && names_nobody {
            return Err(wrong("Missing required field Principal cannot be empty!", draft.place.as_str()));
        }
        if kind != DocumentKind::Trust && draft.resources.as_ref().is_none_or(|r| r.entries.is_empty()) {
            return Err(wrong("Policy statement must contain resources.", draft.place.as_str()));
        }
    }
    Ok(())
}

/// What AWS says of values that an older parser of its own does not understand.
fn legacy(place: impl Into<String>) -> MalformedPolicy {
    wrong("The policy failed legacy parsing", place)
}

/// An element and its `Not…` form exclude each other.
fn once<T>(slot: &mut Option<T>, value: T, place: &str) -> Result<(), MalformedPolicy> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(syntax(place, "an element and its Not form cannot both be there")),
    }
}

fn texts<'a>(value: &'a Json, place: &str) -> Result<Vec<&'a str>, MalformedPolicy> {
    one_or_more(value)
        .iter()
        .map(|each| match each {
            Json::Text(text) => Ok(text.as_str()),
            _ => Err(syntax(place, "must be text or a list of texts")),
        })
        .collect()
}
