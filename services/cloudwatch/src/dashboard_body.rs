//! What a dashboard's body must be. Source: the API Reference, "Dashboard body structure and syntax". What keeps it from
//! being shown is an error; what would be shown otherwise than meant a warning.

use serde_json::{Value as Json, json};

/// Where something is wrong, and what.
pub type Messages = Vec<(String, String)>;

#[derive(Debug, Default, PartialEq)]
pub struct Checked {
    pub errors: Messages,
    pub warnings: Messages,
}

const TYPES: [&str; 6] = ["metric", "text", "log", "alarm", "explorer", "custom"];
/// Widgets of a dashboard, and metrics of a widget.
const MOST_WIDGETS: usize = 500;
const MOST_METRICS: usize = 500;

/// Looks a body through.
pub fn check(body: &str) -> Checked {
    let mut checked = Checked::default();
    let mut wrong = |path: &str, text: String| checked.errors.push((path.to_owned(), text));
    let Ok(Json::Object(body)) = serde_json::from_str::<Json>(body) else {
        wrong("", "The field DashboardBody must be a valid JSON object".to_owned());
        return checked;
    };
    let widgets = match body.get("widgets") {
        Some(Json::Array(widgets)) => widgets,
        Some(_) => {
            wrong("/widgets", "Should be array".to_owned());
            return checked;
        }
        None => {
            wrong("", "Should have required property 'widgets'".to_owned());
            return checked;
        }
    };
    if widgets.len() > MOST_WIDGETS {
        wrong("/widgets", format!("Should NOT have more than {MOST_WIDGETS} items"));
        return checked;
    }
    for (n, found) in widgets.iter().enumerate() {
        widget(&format!("/widgets/{n}"), found, &mut checked);
    }
    checked
}

fn widget(path: &str, found: &Json, checked: &mut Checked) {
    let mut wrong = |at: &str, text: String| checked.errors.push((format!("{path}{at}"), text));
    let Json::Object(found) = found else { return wrong("", "Should be object".to_owned()) };
    let kind = match found.get("type") {
        Some(Json::String(kind)) if TYPES.contains(&kind.as_str()) => kind.as_str(),
        Some(_) => {
            return wrong("/type", format!("Should be equal to one of the allowed values: {}", TYPES.join(", ")));
        }
        None => return wrong("", "Should have required property 'type'".to_owned()),
    };
    for (name, least, most) in [("x", 0, 23), ("y", 0, i64::MAX), ("width", 1, 24), ("height", 1, 1_000)] {
        let fits = |value: &Json| value.as_i64().is_some_and(|value| (least..=most).contains(&value));
        if found.get(name).is_some_and(|value| !fits(value)) {
            wrong(&format!("/{name}"), format!("Should be an integer between {least} and {most}"));
        }
    }
    let properties = match found.get("properties") {
        Some(Json::Object(properties)) => properties,
        Some(_) => return wrong("/properties", "Should be object".to_owned()),
        None => return wrong("", "Should have required property 'properties'".to_owned()),
    };
    let needs =
        |name: &str| (!properties.contains_key(name)).then(|| format!("Should have required property '{name}'"));
    match kind {
        "text" => {
            if let Some(text) = needs("markdown") {
                wrong("/properties", text);
            }
        }
        "alarm" => {
            if let Some(text) = needs("alarms") {
                wrong("/properties", text);
            }
        }
        "log" => {
            if let Some(text) = needs("query") {
                wrong("/properties", text);
            }
        }
        "metric" => {
            let annotated = properties.contains_key("annotations");
            match properties.get("metrics") {
                None if annotated => {}
                None => wrong("/properties", "Should have required property 'metrics'".to_owned()),
                Some(Json::Array(metrics)) if metrics.len() <= MOST_METRICS => {
                    for (n, metric) in metrics.iter().enumerate() {
                        if !metric.is_array() {
                            wrong(&format!("/properties/metrics/{n}"), "Should be array".to_owned());
                        }
                    }
                }
                Some(Json::Array(_)) => {
                    wrong("/properties/metrics", format!("Should NOT have more than {MOST_METRICS} items"));
                }
                Some(_) => wrong("/properties/metrics", "Should be array".to_owned()),
            }
            if !properties.contains_key("region") {
                checked
                    .warnings
                    .push((format!("{path}/properties"), "Should have required property 'region'".to_owned()));
            }
        }
        _ => {}
    }
}

/// Messages as the error's text has them.
pub fn shown(messages: &[(String, String)]) -> String {
    let all: Vec<Json> =
        messages.iter().take(20).map(|(path, message)| json!({"dataPath": path, "message": message})).collect();
    serde_json::to_string_pretty(&all).expect("texts always have a JSON form")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let errors = |body: &str| check(body).errors.into_iter().map(|(path, _)| path).collect::<Vec<_>>();
        assert_eq!(errors("nonsense"), [""]);
        assert_eq!(errors("[]"), [""]);
        assert_eq!(errors("{}"), [""]);
        assert_eq!(errors(r#"{"widgets": {}}"#), ["/widgets"]);
        assert_eq!(errors(r#"{"widgets": []}"#), [""; 0]);
        assert_eq!(
            errors(r#"{"widgets": [{"type": "nope"}, 1, {"type": "text"}]}"#),
            ["/widgets/0/type", "/widgets/1", "/widgets/2"]
        );
        let metric = r#"{"widgets": [{"type": "metric", "width": 30, "properties": {"metrics": [1]}}]}"#;
        assert_eq!(errors(metric), ["/widgets/0/width", "/widgets/0/properties/metrics/0"]);
        let fine = r#"{"widgets": [{"type": "metric", "x": 0, "y": 0, "width": 6, "height": 6,
            "properties": {"metrics": [["shop", "Requests"]], "period": 60}}, {"type": "text", "properties": {"markdown": "x"}}]}"#;
        let checked = check(fine);
        assert_eq!((checked.errors.len(), checked.warnings.len()), (0, 1));
    }
}
