//! Input transformers: a template whose `<names>` are filled with what paths find in the event. Source: Amazon EventBridge
//! User Guide, "Amazon EventBridge input transformation". Pure.
//!
//! Within quotes a value is written as text (a string without quotes of its own, all else as JSON, both escaped, so that
//! what comes of it is JSON again); outside of them as JSON. What a path does not find is nothing within quotes, and
//! `null` outside.

use crate::event::Event;
use crate::path::Path;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Names that paths cannot have: what EventBridge knows without them.
const OWN: [&str; 5] = [
    "aws.events.rule-arn",
    "aws.events.rule-name",
    "aws.events.event.ingestion-time",
    "aws.events.event",
    "aws.events.event.json",
];

/// Where a template's pieces come from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece<'t> {
    Text(&'t str),
    Name { name: &'t str, in_quotes: bool },
}

fn pieces(template: &str) -> Vec<Piece<'_>> {
    let (mut pieces, mut begin, mut in_quotes, mut escaped) = (vec![], 0, false, false);
    let mut at = 0;
    while let Some(character) = template[at..].chars().next() {
        let next = at + character.len_utf8();
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_quotes = !in_quotes,
            '<' => {
                if let Some(name) = placeholder(&template[next..]) {
                    pieces.push(Piece::Text(&template[begin..at]));
                    pieces.push(Piece::Name { name, in_quotes });
                    begin = next + name.len() + 1;
                    at = begin;
                    continue;
                }
            }
            _ => {}
        }
        at = next;
    }
    pieces.push(Piece::Text(&template[begin..]));
    pieces
}

/// The name that ends with `>`.
fn placeholder(rest: &str) -> Option<&str> {
    let (name, _) = rest.split_once('>')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (!name.is_empty() && name.chars().all(plain)).then_some(name)
}

/// Whether a transformer can be one; why not.
pub fn check(paths: &BTreeMap<String, String>, template: &str) -> Result<(), String> {
    for (name, path) in paths {
        if name.starts_with("AWS") || name.starts_with("aws.") {
            return Err(format!("InputPathsMap key {name} must not start with AWS"));
        }
        if Path::parse(path).is_none() {
            return Err(format!("InputPath {path} is not a valid JSON path"));
        }
    }
    let mut filled = String::new();
    for piece in pieces(template) {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Name { name, in_quotes } => {
                if !paths.contains_key(name) && !OWN.contains(&name) {
                    return Err(format!("InputTemplate contains a placeholder <{name}> that is not in InputPathsMap"));
                }
                filled.push_str(if in_quotes { "x" } else { "null" });
            }
        }
    }
    // One JSON value, or lines of them.
    let values = serde_json::Deserializer::from_str(&filled).into_iter::<Json>().collect::<Result<Vec<_>, _>>();
    match values {
        Ok(values) if !values.is_empty() => Ok(()),
        Ok(_) => Err("InputTemplate is empty".to_owned()),
        Err(error) => Err(format!("InputTemplate is not valid JSON: {error}")),
    }
}

/// What a rule knows of itself.
pub struct Of<'a> {
    pub rule_arn: &'a str,
    pub rule_name: &'a str,
    pub ingested: &'a str,
}

/// The template filled. `json` is the event as it is matched.
pub fn transformed(
    paths: &BTreeMap<String, String>,
    template: &str,
    event: &Event,
    json: &Json,
    of: &Of<'_>,
) -> String {
    let mut text = String::new();
    for piece in pieces(template) {
        match piece {
            Piece::Text(piece) => text.push_str(piece),
            Piece::Name { name, in_quotes } => {
                let own = |value: &str| Some(Json::String(value.to_owned()));
                // Whole events keep the order of their members.
                let whole = match name {
                    "aws.events.event" => Some(event.envelope()),
                    "aws.events.event.json" => Some(event.text()),
                    _ => None,
                };
                let value = match name {
                    "aws.events.rule-arn" => own(of.rule_arn),
                    "aws.events.rule-name" => own(of.rule_name),
                    "aws.events.event.ingestion-time" => own(of.ingested),
                    name => {
                        let path = paths.get(name).and_then(|path| Path::parse(path));
                        path.and_then(|path| path.of(json).cloned())
                    }
                };
                let written = match (whole, value) {
                    (Some(whole), _) if in_quotes => escaped(&whole),
                    (Some(whole), _) => whole,
                    (None, Some(Json::String(value))) if in_quotes => escaped(&value),
                    (None, Some(value)) if in_quotes => escaped(&value.to_string()),
                    (None, Some(value)) => value.to_string(),
                    (None, None) if in_quotes => String::new(),
                    (None, None) => "null".to_owned(),
                };
                text.push_str(&written);
            }
        }
    }
    text
}

/// As it stands between quotes.
fn escaped(text: &str) -> String {
    let quoted = Json::String(text.to_owned()).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln_service_kit::Timestamp;
    use serde_json::json;

    fn of(template: &str, paths: &[(&str, &str)]) -> String {
        let detail = json!({"instance-id": "i-1", "state": "a \"b\"", "n": [1, 2], "o": {"k": "v"}});
        let event = Event {
            id: "e".into(),
            source: "s".into(),
            detail_type: "t".into(),
            account: "1".into(),
            region: "r".into(),
            time: Timestamp::from_millis(0),
            resources: vec!["arn:x".into()],
            detail_text: detail.to_string(),
            detail,
        };
        let paths = paths.iter().map(|(name, path)| ((*name).to_owned(), (*path).to_owned())).collect();
        check(&paths, template).unwrap_or_else(|why| panic!("{why}: {template}"));
        let of = Of { rule_arn: "arn:rule", rule_name: "rule", ingested: "now" };
        transformed(&paths, template, &event, &event.json(), &of)
    }

    #[test]
    fn names_are_filled_within_and_outside_of_quotes() {
        let paths = [("id", "$.detail.instance-id"), ("state", "$.detail.state"), ("n", "$.detail.n"), ("none", "$.x")];
        for (template, filled) in [
            (r#""instance <id> is <state>""#, r#""instance i-1 is a \"b\"""#),
            (
                r#"{"id": <id>, "n": <n>, "m": "<none>", "o": <none>}"#,
                r#"{"id": "i-1", "n": [1,2], "m": "", "o": null}"#,
            ),
            ("\"first <id>\"\n\"second <n>\"", "\"first i-1\"\n\"second [1,2]\""),
            (r#"{"r": "<aws.events.rule-name>", "a": <aws.events.rule-arn>}"#, r#"{"r": "rule", "a": "arn:rule"}"#),
            (r#""a < b > c \"<id>\"""#, r#""a < b > c \"i-1\"""#),
        ] {
            assert_eq!(of(template, &paths), filled, "{template}");
        }
        let whole: Json = serde_json::from_str(&of("<aws.events.event.json>", &[])).unwrap();
        assert_eq!((&whole["detail"]["o"]["k"], &whole["version"]), (&json!("v"), &json!("0")));
        let head: Json = serde_json::from_str(&of("<aws.events.event>", &[])).unwrap();
        assert!(head.get("detail").is_none() && head["source"] == "s");
    }

    #[test]
    fn what_would_be_no_json_is_refused() {
        let paths: BTreeMap<String, String> = [("id".to_owned(), "$.id".to_owned())].into();
        for wrong in ["Hello <id>", "", r#"{"a": <id>"#, r#"{"a": <other>}"#, r#""unclosed <id>"#] {
            check(&paths, wrong).expect_err(wrong);
        }
        check(&[("aws.x".to_owned(), "$.id".to_owned())].into(), "\"x\"").expect_err("a reserved name");
        check(&[("x".to_owned(), "id".to_owned())].into(), "\"x\"").expect_err("no path");
    }
}
