//! YAML text to a JSON value, read the way cloud-config authors expect.
//!
//! Cloud-config is read by a YAML 1.1 reader everywhere else, so `yes` and `on`
//! are booleans here too. A plain number with a leading zero stays text: it is a
//! file mode, and its meaning is lost once it is a number. `!!binary` is kept as
//! a mapping of one impossible key ([`bytes`] reads it); tags of other programs are
//! refused, as the safe readers do.

use std::collections::HashMap;

use base64::Engine;
use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

/// Most nodes a document may have once its aliases are followed.
const MOST_NODES: usize = 100_000;
/// Deepest nesting.
const DEEPEST: usize = 64;

/// The one key of a `!!binary` value. A key of YAML text holds no NUL.
const BINARY: &str = "\0binary";

/// The base64 text of a `!!binary` value.
pub fn binary(value: &Value) -> Option<&str> {
    value.as_object()?.get(BINARY)?.as_str()
}

/// What a text or `!!binary` value stands for.
pub fn bytes(value: &Value) -> Option<Vec<u8>> {
    match (value, binary(value)) {
        // It was decoded once when it was read.
        (_, Some(text)) => base64::engine::general_purpose::STANDARD.decode(text).ok(),
        (Value::String(text), None) => Some(text.clone().into_bytes()),
        _ => None,
    }
}

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
                let value = match tag.as_ref().map(|tag| (tag.handle.as_str(), tag.suffix.as_str())) {
                    None if style == ScalarStyle::Plain => plain(&text),
                    None | Some(("", "!")) => Value::String(text.into_owned()),
                    Some(("tag:yaml.org,2002:" | "!!", kind)) => tagged(kind, &text)?,
                    Some((handle, suffix)) => return Err(format!("the YAML tag {handle}{suffix} is not supported")),
                };
                (value, anchor)
            }
            Event::SequenceStart(_, Some(tag)) | Event::MappingStart(_, Some(tag))
                if !matches!(tag.suffix.as_str(), "seq" | "map") =>
            {
                return Err(format!("the YAML tag {}{} is not supported", tag.handle, tag.suffix));
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

fn tagged(kind: &str, text: &str) -> Result<Value, String> {
    let wrong = || format!("malformed YAML: {text:?} is no !!{kind}");
    match (kind, plain(text)) {
        ("str", _) => Ok(Value::String(text.to_owned())),
        ("null", value @ Value::Null) | ("bool", value @ Value::Bool(_)) => Ok(value),
        ("int", Value::Number(number)) if !number.is_f64() => Ok(Value::Number(number)),
        ("float", Value::Number(number)) => Ok(Value::Number(number)),
        ("binary", _) => {
            let compact: String = text.split_ascii_whitespace().collect();
            let valid = base64::engine::general_purpose::STANDARD.decode(&compact);
            valid.map_err(|_| "malformed YAML: a !!binary value is not base64".to_owned())?;
            Ok(Value::Object(Map::from_iter([(BINARY.to_owned(), Value::String(compact))])))
        }
        ("null" | "bool" | "int" | "float", _) => Err(wrong()),
        _ => Err(format!("the YAML tag !!{kind} is not supported")),
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
    fn tags_are_followed_or_refused() {
        let value = parse("a: !!binary |\n  aGVs\n  bG8=\nb: !!str 5\nc: !!int \"7\"\nd: ! x\n").expect("valid");
        assert_eq!(bytes(&value["a"]), Some(b"hello".to_vec()));
        assert_eq!((&value["b"], &value["c"], &value["d"]), (&json!("5"), &json!(7), &json!("x")));
        for wrong in ["a: !!binary '*'", "a: !vault x", "a: !!int x", "a: !!set {b}", "a: !!timestamp 2001-12-14"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_empty_document_is_null() {
        assert_eq!(parse("#cloud-config\n"), Ok(Value::Null));
    }
}
