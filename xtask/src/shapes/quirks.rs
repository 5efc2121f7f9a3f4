//! `quirks.json`: where the model is not the whole truth. Each correction says why.
//!
//! ```json
//! { "ModifySubnetRequest.Tags": { "optional_list": true, "why": "absent keeps, empty clears" } }
//! ```

use crate::Result;
use serde::Deserialize;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// One correction, of one member of one generated structure.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quirk {
    /// The list or map tells absent from empty.
    #[serde(default)]
    pub optional_list: bool,
    /// Not required, though the model says so.
    #[serde(default)]
    pub optional: bool,
    /// Required, though the model does not say so.
    #[serde(default)]
    pub required: bool,
    /// The service takes what the model's pattern does not.
    #[serde(default)]
    pub no_pattern: bool,
    /// The list or map is left out of answers when it is empty.
    #[serde(default)]
    pub omits_empty: bool,
    /// An empty text is a value of its own (ec2 takes empty parameters for none).
    #[serde(default)]
    pub keeps_empty: bool,
    /// The service itself judges the value: what the model's enumeration does not have is answered in
    /// words of its own.
    #[serde(default)]
    pub any_value: bool,
    /// Of an operation's response (`"PutBucketTaggingResponse"`): the status that it really has.
    pub status: Option<u16>,
    /// Of a whole structure (`"ListObjectsV2Response"`): the root element of its XML, which botocore's
    /// models do not have.
    pub root: Option<String>,
    /// Of an operation: it is asked at hosts of its own, where no path leads to it here.
    #[serde(default)]
    pub no_route: bool,
    /// Of a list or map of the model (`"TagMap"`), by its own name: its key in query requests and its element in their
    /// answers, flattened. For services whose model in botocore has forgotten that they speak the query protocol.
    pub query: Option<String>,
    /// Of such a map: what its keys and values are called.
    pub entry: Option<(String, String)>,
    /// Of an error of the model, by its own name: its code in the query protocol.
    pub query_code: Option<String>,
    /// Of the service (`"service"`): it speaks the query protocol too; the namespace of its answers there.
    pub query_namespace: Option<String>,
    /// The proof.
    pub why: String,
}

/// All corrections of a service.
pub struct Quirks {
    by_member: BTreeMap<String, Quirk>,
    used: RefCell<BTreeSet<String>>,
}

impl Quirks {
    /// From the text of `quirks.json`.
    pub fn parse(text: &str) -> Result<Quirks> {
        let by_member: BTreeMap<String, Quirk> =
            serde_json::from_str(text).map_err(|e| format!("failed to parse quirks.json: {e}"))?;
        if let Some((member, _)) = by_member.iter().find(|(_, q)| q.why.trim().is_empty()) {
            return Err(format!("quirks.json: {member} does not say why"));
        }
        Ok(Quirks { by_member, used: RefCell::default() })
    }

    /// The correction of a member, if there is one.
    pub fn of(&self, structure: &str, member: &str) -> Quirk {
        let key = format!("{structure}.{member}");
        let Some(quirk) = self.by_member.get(&key) else { return Quirk::default() };
        self.used.borrow_mut().insert(key);
        quirk.clone()
    }

    /// What the query protocol calls a list or map, and what its entries' keys and values.
    pub fn query(&self, shape: &str) -> Option<(String, Option<(String, String)>)> {
        let quirk = self.by_member.get(shape)?;
        let found = (quirk.query.clone()?, quirk.entry.clone());
        self.used.borrow_mut().insert(shape.to_owned());
        Some(found)
    }

    /// The codes that errors have in the query protocol, by their names.
    pub fn query_codes(&self) -> Vec<(String, String)> {
        let codes = self.by_member.iter().filter_map(|(name, quirk)| Some((name.clone(), quirk.query_code.clone()?)));
        let codes: Vec<_> = codes.collect();
        self.used.borrow_mut().extend(codes.iter().map(|(name, _)| name.clone()));
        codes
    }

    /// The namespace of answers in the query protocol, where the service speaks it and its model does not say so.
    pub fn query_namespace(&self) -> Option<String> {
        let namespace = self.by_member.get("service")?.query_namespace.clone()?;
        self.used.borrow_mut().insert("service".to_owned());
        Some(namespace)
    }

    /// The root element of a structure, where it has one of its own.
    pub fn root(&self, structure: &str) -> Option<String> {
        let root = self.by_member.get(structure)?.root.clone();
        self.used.borrow_mut().insert(structure.to_owned());
        root
    }

    /// The status of an operation's answer, where the model's is not the real one.
    pub fn status(&self, response: &str) -> Option<u16> {
        let status = self.by_member.get(response)?.status?;
        self.used.borrow_mut().insert(response.to_owned());
        Some(status)
    }

    /// Whether a path leads to the operation.
    pub fn has_route(&self, operation: &str) -> bool {
        let without = self.by_member.get(operation).is_some_and(|quirk| quirk.no_route);
        if without {
            self.used.borrow_mut().insert(operation.to_owned());
        }
        !without
    }

    /// Fails for corrections of members that do not exist.
    pub fn all_used(&self) -> Result<()> {
        match self.by_member.keys().find(|k| !self.used.borrow().contains(*k)) {
            Some(unused) => Err(format!("quirks.json corrects {unused}, which is not generated")),
            None => Ok(()),
        }
    }
}
