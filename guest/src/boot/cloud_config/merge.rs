//! How one `#cloud-config` document is merged into those before it. Pure.
//!
//! Every document says how *it* is merged: `merge_how` (or `merge_type`) in it, or the `Merge-Type`
//! (or `X-Merge-Type`) header of its part; otherwise its keys replace those before. Both ways of
//! writing are read: `list(append)+dict(recurse_array)` and lists of `{name, settings}`.
//!
//! A merger is found by the kind of the *older* value; where none is named for it, that one stays.
//!
//! Source: cloud-init's documentation, "Merging user data sections".

use serde_json::{Map, Value};

use super::super::yaml;

/// What holds where nothing is said.
const USUAL: &str = "dict(replace)+list()+str()";

/// How values of each kind are merged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mergers {
    dict: Option<Dict>,
    list: Option<List>,
    text: Option<Text>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Dict {
    replace: bool,
    recurse_list: bool,
    recurse_text: bool,
    allow_delete: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct List {
    method: Method,
    recurse_list: bool,
    recurse_text: bool,
    recurse_dict: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Append,
    Prepend,
    Replace,
    Keep,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Text {
    append: bool,
}

/// Merges `new` into `merged`, as the document or its part says.
pub fn into(merged: &mut Map<String, Value>, mut new: Map<String, Value>, header: Option<&str>) -> Result<(), String> {
    let mut mergers = Mergers::default();
    let how = match new.remove("merge_how") {
        None | Some(Value::Null) => new.remove("merge_type"),
        how => how,
    };
    let mut said = false;
    match how {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) => said |= mergers.read(&text)?,
        Some(Value::Array(items)) => {
            for item in &items {
                let (name, settings) = listed(item)?;
                mergers.add(&name, &settings)?;
                said = true;
            }
        }
        Some(_) => return Err("merge_how is neither text nor a list".to_owned()),
    }
    said |= mergers.read(header.unwrap_or(""))?;
    if !said {
        mergers.read(USUAL)?;
    }
    if mergers.dict.is_none() && !new.is_empty() {
        return Err("it does not say how its keys are merged, as dict(recurse_list) does; they are left out".to_owned());
    }
    // What cannot be merged is left out; what was there stays.
    if let Value::Object(map) = mergers.merge(Value::Object(merged.clone()), Value::Object(new))? {
        *merged = map;
    }
    Ok(())
}

/// `{name: list, settings: [append]}` or `[list, append]`.
fn listed(item: &Value) -> Result<(String, Vec<String>), String> {
    let wrong = || "an item of merge_how is {name, settings} or [name, setting …]".to_owned();
    let texts = |values: &[Value]| -> Result<Vec<String>, String> {
        values.iter().map(|value| value.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
    };
    match item {
        Value::Object(map) => {
            let name = map.get("name").and_then(Value::as_str).ok_or_else(wrong)?;
            let settings = map.get("settings").and_then(Value::as_array).ok_or_else(wrong)?;
            Ok((name.to_owned(), texts(settings)?))
        }
        Value::Array(items) => {
            let mut words = texts(items)?.into_iter();
            Ok((words.next().ok_or_else(wrong)?, words.collect()))
        }
        _ => Err(wrong()),
    }
}

impl Mergers {
    /// Reads `name(option,…)+name(…)`; whether there was one.
    fn read(&mut self, text: &str) -> Result<bool, String> {
        let mut any = false;
        for part in text.split('+').map(str::trim).filter(|part| !part.is_empty()) {
            let wrong = || format!("{part:?} does not say how to merge, as list(append) does");
            let (name, options) = part.strip_suffix(')').and_then(|part| part.split_once('(')).ok_or_else(wrong)?;
            let options: Vec<String> = options.split(',').map(str::to_owned).collect();
            self.add(name, &options)?;
            any = true;
        }
        Ok(any)
    }

    /// The first of a kind counts.
    fn add(&mut self, name: &str, options: &[String]) -> Result<(), String> {
        let options: Vec<String> = options.iter().map(|option| option.trim().to_ascii_lowercase()).collect();
        let has = |wanted: &str| options.iter().any(|option| option == wanted);
        let recurse_list = has("recurse_array") || has("recurse_list");
        let recurse_text = has("recurse_str");
        match name.trim().to_ascii_lowercase().as_str() {
            "dict" | "m_dict" => {
                let dict =
                    Dict { replace: has("replace"), recurse_list, recurse_text, allow_delete: has("allow_delete") };
                self.dict.get_or_insert(dict);
            }
            "list" | "m_list" => {
                let method = match () {
                    () if has("append") => Method::Append,
                    () if has("prepend") => Method::Prepend,
                    () if has("no_replace") && !has("replace") => Method::Keep,
                    () => Method::Replace,
                };
                self.list.get_or_insert(List { method, recurse_list, recurse_text, recurse_dict: has("recurse_dict") });
            }
            "str" | "m_str" => {
                self.text.get_or_insert(Text { append: has("append") });
            }
            other => return Err(format!("there is no way to merge called {other:?}: dict, list and str are")),
        }
        Ok(())
    }

    fn merge(&self, old: Value, new: Value) -> Result<Value, String> {
        if yaml::binary(&old).is_some() {
            return Ok(old);
        }
        match (old, self.dict, self.list, self.text) {
            (Value::Object(old), Some(how), _, _) => self.dicts(old, new, how),
            (Value::Array(old), _, Some(how), _) => self.lists(old, new, how),
            (Value::String(old), _, _, Some(how)) => match new {
                Value::String(new) if how.append => Ok(Value::String(old + &new)),
                _ if how.append => Err("only text can be appended to text".to_owned()),
                new => Ok(new),
            },
            (old, ..) => Ok(old),
        }
    }

    fn dicts(&self, mut old: Map<String, Value>, new: Value, how: Dict) -> Result<Value, String> {
        if yaml::binary(&new).is_some() {
            return Ok(Value::Object(old));
        }
        let Value::Object(new) = new else { return Ok(Value::Object(old)) };
        for (key, value) in new {
            let Some(before) = old.remove(&key) else {
                old.insert(key, value);
                continue;
            };
            if value.is_null() && how.allow_delete {
                continue;
            }
            let recurse = match &value {
                Value::Array(_) => how.recurse_list,
                Value::String(_) => how.recurse_text,
                Value::Object(_) => yaml::binary(&value).is_none(),
                _ => false,
            };
            let merged = match (how.replace, recurse) {
                (true, _) => value,
                (false, true) => self.merge(before, value)?,
                (false, false) => before,
            };
            old.insert(key, merged);
        }
        Ok(Value::Object(old))
    }

    fn lists(&self, mut old: Vec<Value>, new: Value, how: List) -> Result<Value, String> {
        let new = match new {
            Value::Array(new) => new,
            new if how.method == Method::Replace => return Ok(new),
            _ => return Err("only a list can be merged with a list".to_owned()),
        };
        match how.method {
            Method::Append => old.extend(new),
            Method::Prepend => old.splice(0..0, new).for_each(drop),
            Method::Keep => {}
            Method::Replace => {
                for (before, value) in old.iter_mut().zip(new) {
                    let recurse = match &value {
                        Value::Array(_) => how.recurse_list,
                        Value::String(_) => how.recurse_text,
                        Value::Object(_) => how.recurse_dict && yaml::binary(&value).is_none(),
                        _ => false,
                    };
                    *before = if recurse { self.merge(before.take(), value)? } else { value };
                }
            }
        }
        Ok(Value::Array(old))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn merged(old: Value, new: Value, header: Option<&str>) -> Result<Value, String> {
        let (Value::Object(mut old), Value::Object(new)) = (old, new) else { panic!("mappings") };
        into(&mut old, new, header).map(|()| Value::Object(old))
    }

    #[test]
    fn documents_say_how_they_are_merged() {
        let old = json!({"runcmd": ["a", "b"], "x": {"p": "1", "q": ["k"]}, "t": "T", "n": 1});
        let new = json!({"runcmd": ["c"], "x": {"p": "2", "q": ["l"], "r": 3}, "t": "U", "n": 2, "new": true});
        let all = |runcmd: Value, x: Value, t: &str, n: u8| {
            Ok(json!({"runcmd": runcmd, "x": x, "t": t, "n": n, "new": true}))
        };
        for (how, wanted) in [
            ("", all(json!(["c"]), json!({"p": "2", "q": ["l"], "r": 3}), "U", 2)),
            ("dict()", all(json!(["a", "b"]), json!({"p": "1", "q": ["k"], "r": 3}), "T", 1)),
            (
                "list(append)+dict(recurse_array)+str()",
                all(json!(["a", "b", "c"]), json!({"p": "1", "q": ["k", "l"], "r": 3}), "T", 1),
            ),
            (
                "LIST(Prepend) + dict(recurse_list,recurse_str)+str(append)",
                all(json!(["c", "a", "b"]), json!({"p": "12", "q": ["l", "k"], "r": 3}), "TU", 1),
            ),
            (
                "dict(recurse_array)+list(no_replace)",
                all(json!(["a", "b"]), json!({"p": "1", "q": ["k"], "r": 3}), "T", 1),
            ),
            ("dict(recurse_array)+list()", all(json!(["c", "b"]), json!({"p": "1", "q": ["l"], "r": 3}), "T", 1)),
        ] {
            assert_eq!(merged(old.clone(), new.clone(), Some(how)), wanted, "{how} in the header");
            let Value::Object(mut with) = new.clone() else { panic!() };
            with.insert("merge_how".into(), json!(how));
            assert_eq!(merged(old.clone(), Value::Object(with), None), wanted, "{how} inside");
        }
        let listed =
            json!({"merge_how": [{"name": "list", "settings": ["append"]}, ["dict", "recurse_list"]], "runcmd": ["c"]});
        assert_eq!(merged(old, listed, None).expect("merged")["runcmd"], json!(["a", "b", "c"]));
    }

    #[test]
    fn keys_can_be_deleted_and_nonsense_is_named() {
        let old = json!({"a": 1, "b": [1]});
        // Only lists are told how, so nothing of the mapping above them is taken; cloud-init does not say so.
        assert!(merged(old.clone(), json!({"b": [2]}), Some("list(append)")).expect_err("left out").contains("dict("));
        assert_eq!(merged(old.clone(), json!({"a": null}), Some("dict(allow_delete)")), Ok(json!({"b": [1]})));
        for (how, word) in [("set(x)", "\"set\""), ("append", "\"append\"")] {
            assert!(merged(old.clone(), json!({}), Some(how)).expect_err("refused").contains(word));
        }
        assert!(
            merged(json!({"a": {"b": ["x"]}}), json!({"a": {"b": "y"}}), Some("dict(recurse_str)+list(append)"))
                .is_err()
        );
        assert!(merged(old, json!({"merge_how": 5}), None).is_err());
    }
}
