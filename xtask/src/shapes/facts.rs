//! The facts Kiln keeps of a service's model, in botocore's own words so that one type reads both.
//!
//! Whatever is not named here (documentation above all) is dropped on reading, and [`Model::keep`]
//! drops every shape the served operations do not reach.

use crate::Result;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

/// A JSON object that keeps its order: members of a structure stand as the model has them.
#[derive(Debug, Clone, PartialEq)]
pub struct Ordered<T>(pub Vec<(String, T)>);

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self(vec![])
    }
}

impl<T> Ordered<T> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Serialize> Serialize for Ordered<T> {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Ordered<T>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Ordered<T>, A::Error> {
                let mut entries = vec![];
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Ordered(entries))
            }
        }
        from.deserialize_map(Entries(PhantomData))
    }
}

fn is_false(b: &bool) -> bool {
    !b
}

/// A service's model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The botocore release the facts were read from.
    #[serde(default)]
    pub botocore: String,
    pub metadata: Metadata,
    /// Names of all the model's operations, served or not.
    #[serde(default)]
    pub all_operations: Vec<String>,
    /// What a request must have to mean an operation; of all operations, REST protocols only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    pub operations: BTreeMap<String, Operation>,
    pub shapes: BTreeMap<String, Shape>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    pub api_version: String,
    pub endpoint_prefix: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_name: Option<String>,
    pub protocol: String,
    /// All that it speaks, `protocol` among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protocols: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xml_namespace: Option<String>,
    /// There, whatever is in it: it spoke the query protocol once, and tells the codes of then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws_query_compatible: Option<serde_json::Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    pub http: Http,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Ref>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Ref>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Ref>,
    #[serde(default, skip_serializing)]
    pub deprecated: bool,
}

/// A REST operation's method and path, and the query keys and headers that it requires.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Route {
    pub operation: String,
    pub method: String,
    pub uri: String,
    pub query: Vec<String>,
    pub headers: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Http {
    pub method: String,
    pub request_uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_code: Option<u16>,
}

/// What is said of a member where it is used, rather than of its type.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ref {
    pub shape: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp_format: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub flattened: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub sensitive: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub idempotency_token: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shape {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<String>,
    #[serde(default, skip_serializing_if = "Ordered::is_empty")]
    pub members: Ordered<Ref>,
    /// Of a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<Ref>,
    /// Of a map.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Ref>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Ref>,
    #[serde(rename = "enum", default, skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<serde_json::Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<serde_json::Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub flattened: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub sensitive: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp_format: Option<String>,
    /// The member that is the whole body, in the REST protocols.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorTrait>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub exception: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub fault: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorTrait {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status_code: Option<u16>,
}

impl Shape {
    /// Every use of another shape.
    fn refs(&self) -> impl Iterator<Item = &Ref> {
        let members = self.members.0.iter().map(|(_, r)| r);
        members.chain(&self.member).chain(&self.key).chain(&self.value)
    }
}

/// A path without the names of its labels: `/{Id}/{Path+}` is `/{}/{+}`.
fn without_names(uri: &str) -> String {
    let mut parts = uri.split('{');
    let first = parts.next().unwrap_or("").to_owned();
    parts.fold(first, |path, part| {
        let (name, rest) = part.split_once('}').unwrap_or(("", part));
        path + if name.ends_with('+') { "{+}" } else { "{}" } + rest
    })
}

impl Model {
    /// The shape of that name.
    pub fn shape(&self, name: &str) -> Result<&Shape> {
        self.shapes.get(name).ok_or_else(|| format!("the model has no shape {name}"))
    }

    /// All shapes reachable from `start`, themselves included.
    pub fn reach<'a>(&'a self, start: impl IntoIterator<Item = &'a str>) -> Result<BTreeSet<&'a str>> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&str> = start.into_iter().collect();
        while let Some(name) = open.pop() {
            if seen.insert(name) {
                open.extend(self.shape(name)?.refs().map(|r| r.shape.as_str()));
            }
        }
        Ok(seen)
    }

    /// Only what the operations of `served` reach.
    pub fn keep(mut self, botocore: &str, served: &[&str]) -> Result<Model> {
        self.botocore = botocore.to_string();
        self.all_operations = self.operations.keys().cloned().collect();
        self.routes = self.all_routes()?;
        for name in served {
            if !self.operations.contains_key(*name) {
                return Err(format!("{name} has a row, and the model does not have it"));
            }
        }
        self.operations.retain(|name, _| served.contains(&name.as_str()));
        let start = self.operations.values().flat_map(|o| o.input.iter().chain(&o.output).chain(&o.errors));
        let reached: BTreeSet<String> =
            self.reach(start.map(|r| r.shape.as_str()))?.into_iter().map(String::from).collect();
        self.shapes.retain(|name, _| reached.contains(name));
        Ok(self)
    }

    /// None for protocols whose requests name their operation. What only old clients use keeps its route, unless
    /// what came after it has the same (S3's `GetBucketLifecycle`).
    fn all_routes(&self) -> Result<Vec<Route>> {
        let mut routes = vec![];
        if !self.metadata.protocol.starts_with("rest-") {
            return Ok(routes);
        }
        let mut taken = BTreeSet::new();
        let (old, new): (Vec<_>, Vec<_>) = self.operations.iter().partition(|(_, operation)| operation.deprecated);
        for (name, operation) in new.into_iter().chain(old) {
            let (mut query, mut headers) = (vec![], vec![]);
            if let Some(input) = &operation.input {
                let shape = self.shape(&input.shape)?;
                for (member, of) in shape.members.0.iter().filter(|(member, _)| shape.required.contains(member)) {
                    let wire = of.location_name.as_ref().unwrap_or(member).clone();
                    match of.location.as_deref() {
                        Some("querystring") => query.push(wire),
                        Some("header") => headers.push(wire),
                        _ => {}
                    }
                }
            }
            let Http { method, request_uri, .. } = operation.http.clone();
            if !taken.insert((method.clone(), without_names(&request_uri), query.clone(), headers.clone()))
                && operation.deprecated
            {
                continue;
            }
            routes.push(Route { operation: name.clone(), method, uri: request_uri, query, headers });
        }
        routes.sort_by(|one, other| one.operation.cmp(&other.operation));
        Ok(routes)
    }

    /// The committed form: one line per operation and shape, so that a difference reads well.
    pub fn to_text(&self) -> Result<String> {
        fn json(value: &impl Serialize) -> Result<String> {
            serde_json::to_string(value).map_err(|e| format!("failed to write a model: {e}"))
        }
        fn lines<T: Serialize>(map: &BTreeMap<String, T>) -> Result<String> {
            let lines: Result<Vec<String>> =
                map.iter().map(|(k, v)| Ok(format!("    {}: {}", json(k)?, json(v)?))).collect();
            Ok(lines?.join(",\n"))
        }
        let routes: Result<Vec<String>> = self.routes.iter().map(|route| Ok(format!("    {}", json(route)?))).collect();
        let routes = match routes?.join(",\n") {
            none if none.is_empty() => none,
            routes => format!("  \"routes\": [\n{routes}\n  ],\n"),
        };
        Ok(format!(
            "{{\n  \"botocore\": {},\n  \"metadata\": {},\n  \"all_operations\": {},\n{routes}  \"operations\": {{\n{}\n  }},\n  \"shapes\": {{\n{}\n  }}\n}}\n",
            json(&self.botocore)?,
            json(&self.metadata)?,
            json(&self.all_operations)?,
            lines(&self.operations)?,
            lines(&self.shapes)?,
        ))
    }
}
