//! YAML text to a JSON value, read the way cloud-config authors expect.
//!
//! Cloud-config is read by a YAML 1.1 reader everywhere else, so `yes` and `on`
//! are booleans here too. A plain number with a leading zero stays text: it is a
//! file mode, and its meaning is lost once it is a number.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

/// Most nodes a document may have once its aliases are followed.
const MOST_NODES: usize = 100_000;
/// Deepest nesting.
const DEEPEST: usize = 64;

/// Reads the first document of `text`; an empty one is null.
pub fn parse(text: &str) -> Result<Value, String> {
    let mut reader = Reader { parser: Parser::new_from_str(text), anchors: HashMap::new(), nodes: 0 };
    loop {
        match reader.next()? {
            Event::DocumentStart(_) => {
                let first = reader.next()?;
                return reader.value(first, 0);
            }
            Event::StreamEnd => return Ok(Value::Null),
            _ => {}
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    anchors: HashMap<usize, (Value, usize)>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Event<'a>, String> {
        match self.parser.next_event() {
            Some(Ok((event, _))) => Ok(event),
            Some(Err(cause)) => Err(format!("malformed YAML: {cause}")),
            None => Err("malformed YAML: it ends too early".to_owned()),
        }
    }

    fn count(&mut self, nodes: usize, depth: usize) -> Result<(), String> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MOST_NODES {
            return Err(format!("the YAML has more than {MOST_NODES} nodes"));
        }
        if depth > DEEPEST {
            return Err(format!("the YAML nests deeper than {DEEPEST}"));
        }
        Ok(())
    }

    fn value(&mut self, event: Event<'a>, depth: usize) -> Result<Value, String> {
        self.count(1, depth)?;
        let before = self.nodes;
        let (value, anchor) = match event {
            Event::Alias(id) => {
                let (value, nodes) =
                    self.anchors.get(&id).cloned().ok_or("malformed YAML: an alias names no anchor")?;
                self.count(nodes, depth)?;
                return Ok(value);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let value = match tag {
                    Some(tag) if tag.suffix == "binary" => {
                        return Err("YAML !!binary is not supported".to_owned());
                    }
                    Some(_) => Value::String(text.into_owned()),
                    None if style == ScalarStyle::Plain => plain(&text),
                    None => Value::String(text.into_owned()),
                };
                (value, anchor)
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        Event::SequenceEnd => break,
                        item => items.push(self.value(item, depth + 1)?),
                    }
                }
                (Value::Array(items), anchor)
            }
            Event::MappingStart(anchor, _) => (self.mapping(depth)?, anchor),
            other => return Err(format!("malformed YAML: unexpected {other:?}")),
        };
        if anchor != 0 {
            let nodes = self.nodes - before + 1;
            self.anchors.insert(anchor, (value.clone(), nodes));
        }
        Ok(value)
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, String> {
        let mut map = Map::new();
        let mut merged = Vec::new();
        loop {
            let key = match self.next()? {
                Event::MappingEnd => break,
                key => self.value(key, depth + 1)?,
            };
            let event = self.next()?;
            let value = self.value(event, depth + 1)?;
            match key {
                Value::String(key) if key == "<<" => merged.push(value),
                Value::String(key) => {
                    map.insert(key, value);
                }
                Value::Null | Value::Bool(_) | Value::Number(_) => {
                    map.insert(key.to_string(), value);
                }
                _ => return Err("malformed YAML: a key must be a plain value".to_owned()),
            }
        }
        for source in merged {
            let sources = match source {
                Value::Array(items) => items,
                other => vec![other],
            };
            for source in sources {
                let Value::Object(source) = source else {
                    return Err("malformed YAML: `<<` needs a mapping".to_owned());
                };
                for (key, value) in source {
                    map.entry(key).or_insert(value);
                }
            }
        }
        Ok(Value::Object(map))
    }
}

fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => {
            return Value::Bool(true);
        }
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    let digits = text.trim_start_matches(['-', '+']);
    let padded = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    if padded || !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return Value::String(text.to_owned());
    }
    if let Ok(number) = text.parse::<i64>() {
        return Value::from(number);
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Value::from(number),
        _ => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cloud_config_reads_as_its_authors_expect() {
        let text = "\
#cloud-config
package_update: yes
runcmd:
  - echo one
  - [sh, -c, 'echo two']
  - |
    echo three
    echo four
write_files:
  - {path: /etc/x, permissions: 0644, count: 3, share: 0.5}
";
        assert_eq!(
            parse(text),
            Ok(json!({
                "package_update": true,
                "runcmd": ["echo one", ["sh", "-c", "echo two"], "echo three\necho four\n"],
                "write_files": [
                    {"path": "/etc/x", "permissions": "0644", "count": 3, "share": 0.5}
                ],
            }))
        );
    }

    #[test]
    fn aliases_and_merge_keys_are_followed() {
        let text = "base: &b {a: 1, c: 2}\nuse: {<<: *b, a: 5}\nagain: *b\n";
        assert_eq!(parse(text), Ok(json!({"base": {"a":1,"c":2}, "use": {"a":5,"c":2}, "again": {"a":1,"c":2}})));
    }

    #[test]
    fn malformed_and_exploding_documents_are_errors() {
        assert!(parse("a: [1, 2").is_err());
        assert!(parse("a: b: c").is_err());
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..9 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(",");
            bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        let error = parse(&bomb).expect_err("refused");
        assert!(error.contains("more than"), "{error}");
        assert!(parse(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn an_empty_document_is_null() {
        assert_eq!(parse("#cloud-config\n"), Ok(Value::Null));
    }
}
