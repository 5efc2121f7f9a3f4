//! Properties of a resource as they are read from the thing itself: nothing is written for what is not there, and
//! tags that belong to AWS (`aws:…`) are left out, as registry schemas have it.

use kiln_protocol::{Shape, stored};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

/// What [`ResourceType::read`](crate::ResourceType::read) gives.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Properties(Map<String, Json>);

impl Properties {
    /// One property; none is written where `value` is null.
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).expect("texts, numbers and lists of them always have a JSON form");
        if !value.is_null() {
            self.0.insert(name.to_owned(), value);
        }
        self
    }

    /// A list; an empty one says nothing and is not written.
    pub fn with_list<T: Serialize>(self, name: &str, items: impl IntoIterator<Item = T>) -> Self {
        let items: Vec<T> = items.into_iter().collect();
        match items.is_empty() {
            true => self,
            false => self.with(name, items),
        }
    }

    /// A property whose members have the names of a modelled structure's; empty lists in it are left out.
    pub fn with_shape<T: Shape>(self, name: &str, value: &T) -> Self {
        let value = given(stored::to_json(value));
        match &value {
            Json::Object(members) if members.is_empty() => self,
            Json::Array(items) if items.is_empty() => self,
            _ => self.with(name, value),
        }
    }

    /// `Tags` as a list of keys and values.
    pub fn with_tags(self, tags: impl IntoIterator<Item = (Option<String>, Option<String>)>) -> Self {
        let own = tags.into_iter().filter_map(|(key, value)| Some((key?, value.unwrap_or_default())));
        let own = own.filter(|(key, _)| !key.starts_with("aws:"));
        self.with_list("Tags", own.map(|(key, value)| json!({"Key": key, "Value": value})))
    }

    /// The value of a property.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.0.get(name)
    }

    /// As JSON: an object.
    pub fn into_json(self) -> Json {
        Json::Object(self.0)
    }
}

/// Without nulls, empty lists and empty structures.
pub fn given(value: Json) -> Json {
    let says = |value: &Json| match value {
        Json::Null => false,
        Json::Array(items) => !items.is_empty(),
        Json::Object(members) => !members.is_empty(),
        _ => true,
    };
    match value {
        Json::Object(members) => {
            let members = members.into_iter().map(|(name, value)| (name, given(value)));
            Json::Object(members.filter(|(_, value)| says(value)).collect())
        }
        Json::Array(items) => Json::Array(items.into_iter().map(given).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_not_written() {
        let some = |text: &str| Some(text.to_owned());
        let tags = [(some("aws:cloudformation:stack-name"), some("s")), (some("a"), some("b")), (some("c"), None)];
        let read = Properties::default()
            .with("Name", "n")
            .with("Size", None::<i32>)
            .with_list("Groups", Vec::<String>::new())
            .with_list("Users", ["ada"])
            .with_tags(tags);
        let tags = json!([{"Key": "a", "Value": "b"}, {"Key": "c", "Value": ""}]);
        assert_eq!(read.into_json(), json!({"Name": "n", "Users": ["ada"], "Tags": tags}));
        assert_eq!(given(json!({"a": [], "b": {"c": null}, "d": [{"e": []}], "f": 0})), json!({"d": [{}], "f": 0}));
    }
}
