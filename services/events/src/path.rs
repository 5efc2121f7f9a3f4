//! JSON paths of inputs: dots, brackets with a number or a quoted name. Source: Amazon EventBridge User Guide, "Amazon
//! EventBridge input transformation" and the API Reference, InputPath. Pure.

use serde_json::Value as Json;

/// A path that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    At(usize),
}

impl Path {
    /// None: it is no path, or one with wildcards, filters or slices, which EventBridge's input paths do not have.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.strip_prefix('$')?;
        let mut steps = vec![];
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                let name = &after[..end];
                let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ':' | '/' | '@');
                if name.is_empty() || !name.chars().all(plain) {
                    return None;
                }
                steps.push(Step::Name(name.to_owned()));
                rest = &after[end..];
            } else {
                let after = rest.strip_prefix('[')?;
                let (inside, behind) = after.split_once(']')?;
                let quoted = ['\'', '"'].iter().find_map(|q| inside.strip_prefix(*q)?.strip_suffix(*q));
                steps.push(match quoted {
                    Some(name) => Step::Name(name.to_owned()),
                    None if inside.bytes().all(|b| b.is_ascii_digit()) => Step::At(inside.parse().ok()?),
                    None => return None,
                });
                rest = behind;
            }
        }
        Some(Self(steps))
    }

    /// What is there.
    pub fn of<'j>(&self, json: &'j Json) -> Option<&'j Json> {
        self.0.iter().try_fold(json, |json, step| match step {
            Step::Name(name) => json.get(name),
            Step::At(index) => json.get(index),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Path;
    use serde_json::json;

    #[test]
    fn paths_lead_to_members_and_elements() {
        let event = json!({"detail": {"a-b": [{"c": 1}, {"c": 2}], "x y": 3}});
        for (path, found) in [
            ("$", Some(&event)),
            ("$.detail.a-b[1].c", Some(&json!(2))),
            ("$.detail['x y']", Some(&json!(3))),
            ("$['detail'].none", None),
            ("$.detail.a-b[7]", None),
        ] {
            assert_eq!(Path::parse(path).expect(path).of(&event), found, "{path}");
        }
        for wrong in ["", "detail", "$detail", "$.", "$.a..b", "$.a[", "$.a[*]", "$.a[?(@.b)]", "$.a b"] {
            assert_eq!(Path::parse(wrong), None, "{wrong}");
        }
    }
}
