//! `{{resolve:secretsmanager:…}}` and `{{resolve:ssm-secure:…}}`: references whose values nobody keeps.
//!
//! Working a resource out leaves them as they stand, so that they are what is stored, compared and shown; their values
//! take their place in the request to the resource's type alone ([`fill`]). Source: AWS CloudFormation User Guide, "Get a
//! secret or secret value from Secrets Manager" and "Get a secure string value from Systems Manager Parameter Store".

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const START: &str = "{{resolve:";
const END: &str = "}}";

/// What a reference means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretReference {
    /// A secret, or the value of one key of its JSON.
    SecretsManager {
        /// Name or ARN.
        secret: String,
        /// None: the whole text.
        json_key: Option<String>,
        /// A staging label.
        stage: Option<String>,
        /// A version's id.
        version: Option<String>,
    },
    /// A SecureString of the parameter store.
    SsmSecure {
        /// Its name.
        name: String,
        /// None: the latest.
        version: Option<u64>,
    },
}

/// Where AWS lets `ssm-secure` stand: types and paths of properties. Source: the second page, "Resources that support
/// dynamic parameter patterns for secure strings".
const SECURE: [(&str, &str); 13] = [
    ("AWS::DirectoryService::MicrosoftAD", "Password"),
    ("AWS::DirectoryService::SimpleAD", "Password"),
    ("AWS::ElastiCache::ReplicationGroup", "AuthToken"),
    ("AWS::IAM::User", "LoginProfile/Password"),
    ("AWS::KinesisFirehose::DeliveryStream", "RedshiftDestinationConfiguration/Password"),
    ("AWS::OpsWorks::App", "AppSource/Password"),
    ("AWS::OpsWorks::Stack", "CustomCookbooksSource/Password"),
    ("AWS::OpsWorks::Stack", "RdsDbInstances/DbPassword"),
    ("AWS::RDS::DBCluster", "MasterUserPassword"),
    ("AWS::RDS::DBInstance", "MasterUserPassword"),
    ("AWS::Redshift::Cluster", "MasterUserPassword"),
    ("AWS::DMS::Endpoint", "Password"),
    ("AWS::DMS::Endpoint", "MongoDbSettings/Password"),
];

impl SecretReference {
    /// Reads what stands between `{{resolve:` and `}}`. None: it is a reference of another kind. `Err` is AWS's sentence.
    pub fn parse(reference: &str) -> Option<Result<Self, String>> {
        let (service, rest) = reference.split_once(':').unwrap_or((reference, ""));
        let wrong =
            || format!("Incorrect format is used in the following dynamic reference: [{START}{reference}{END}]");
        match service {
            "secretsmanager" => Some(Self::secret(rest).ok_or_else(wrong)),
            "ssm-secure" => Some(Self::secure(rest).ok_or_else(wrong)),
            _ => None,
        }
    }

    fn secret(rest: &str) -> Option<Self> {
        let parts: Vec<&str> = rest.split(':').collect();
        // An ARN has seven parts of its own.
        let of_id = if parts[0] == "arn" { 7 } else { 1 };
        if parts.len() < of_id || parts.len() > of_id + 4 {
            return None;
        }
        let (id, more) = parts.split_at(of_id);
        let part = |at: usize| more.get(at).copied().filter(|part| !part.is_empty()).map(str::to_owned);
        let secret = id.join(":");
        let is_text = part(0).is_none_or(|kind| kind == "SecretString");
        let (stage, version) = (part(2), part(3));
        let good = !secret.is_empty() && is_text && !(stage.is_some() && version.is_some());
        good.then(|| Self::SecretsManager { secret, json_key: part(1), stage, version })
    }

    fn secure(rest: &str) -> Option<Self> {
        let (name, version) = match rest.rsplit_once(':') {
            Some((name, version)) => (name, Some(version.parse().ok()?)),
            None => (rest, None),
        };
        (!name.is_empty()).then(|| Self::SsmSecure { name: name.to_owned(), version })
    }
}

/// Whether a text has such a reference.
pub fn has_one(text: &str) -> bool {
    text.contains(START) && pieces(text).any(|piece| matches!(piece, Piece::Reference(..)))
}

/// All that stand in a value, each once, as they are written between `{{resolve:` and `}}`.
pub fn secret_references(value: &Value) -> BTreeMap<String, SecretReference> {
    let mut found = BTreeMap::new();
    each_text(value, &mut vec![], &mut |_, text| {
        for piece in pieces(text) {
            if let Piece::Reference(written, Ok(reference)) = piece {
                found.insert(written.to_owned(), reference);
            }
        }
    });
    found
}

/// Where `ssm-secure` stands and must not: paths of properties.
pub fn not_secure_here(resource_type: &str, properties: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    each_text(properties, &mut vec![], &mut |path, text| {
        let plain: Vec<&str> = path.iter().map(String::as_str).filter(|name| name.parse::<usize>().is_err()).collect();
        let path = plain.join("/");
        let has = pieces(text).any(|piece| matches!(piece, Piece::Reference(_, Ok(SecretReference::SsmSecure { .. }))));
        if has && !SECURE.contains(&(resource_type, path.as_str())) {
            found.insert(path);
        }
    });
    found
}

/// The value with the values of references in their place; those that are not known stay.
pub fn fill(value: &mut Value, known: &BTreeMap<String, String>) {
    match value {
        Value::String(text) if text.contains(START) => {
            *text = pieces(text)
                .map(|piece| match piece {
                    Piece::Text(text) => text.to_owned(),
                    Piece::Reference(written, _) => {
                        known.get(written).cloned().unwrap_or_else(|| format!("{START}{written}{END}"))
                    }
                })
                .collect();
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, known)),
        Value::Object(members) => members.values_mut().for_each(|member| fill(member, known)),
        _ => {}
    }
}

fn each_text(value: &Value, path: &mut Vec<String>, told: &mut impl FnMut(&[String], &str)) {
    let mut within = |name: String, value: &Value| {
        path.push(name);
        each_text(value, path, told);
        path.pop();
    };
    match value {
        Value::Array(items) => items.iter().enumerate().for_each(|(at, item)| within(at.to_string(), item)),
        Value::Object(members) => members.iter().for_each(|(name, member)| within(name.clone(), member)),
        Value::String(text) if text.contains(START) => told(path, text),
        _ => {}
    }
}

enum Piece<'t> {
    Text(&'t str),
    /// A secret's.
    Reference(&'t str, Result<SecretReference, String>),
}

/// A text as what stands between its references to secrets, and these.
fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    let mut held = None;
    std::iter::from_fn(move || {
        if let Some(piece) = held.take() {
            return Some(piece);
        }
        if rest.is_empty() {
            return None;
        }
        let mut from = 0;
        while let Some(start) = rest[from..].find(START).map(|at| from + at) {
            let inner = start + START.len();
            let Some(end) = rest[inner..].find(END).map(|at| inner + at) else { break };
            if let Some(reference) = SecretReference::parse(&rest[inner..end]) {
                let (before, written) = (&rest[..start], &rest[inner..end]);
                rest = &rest[end + END.len()..];
                let piece = Piece::Reference(written, reference);
                if before.is_empty() {
                    return Some(piece);
                }
                held = Some(piece);
                return Some(Piece::Text(before));
            }
            from = inner;
        }
        Some(Piece::Text(std::mem::take(&mut rest)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn secret(reference: &str) -> (String, Option<String>, Option<String>, Option<String>) {
        match SecretReference::parse(reference).expect("a secret's").expect("well formed") {
            SecretReference::SecretsManager { secret, json_key, stage, version } => (secret, json_key, stage, version),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_documented_form_is_read() {
        let some = |text: &str| Some(text.to_owned());
        let name = || "db".to_owned();
        assert_eq!(secret("secretsmanager:db"), (name(), None, None, None));
        assert_eq!(secret("secretsmanager:db:SecretString"), (name(), None, None, None));
        assert_eq!(secret("secretsmanager:db:SecretString:user"), (name(), some("user"), None, None));
        assert_eq!(secret("secretsmanager:db:SecretString::AWSPREVIOUS"), (name(), None, some("AWSPREVIOUS"), None));
        assert_eq!(secret("secretsmanager:db:SecretString:user::v1"), (name(), some("user"), None, some("v1")));
        let arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:db-abcdef";
        assert_eq!(secret(&format!("secretsmanager:{arn}")), (arn.to_owned(), None, None, None));
        assert_eq!(
            secret(&format!("secretsmanager:{arn}:SecretString:user")),
            (arn.to_owned(), some("user"), None, None)
        );
        for wrong in
            ["", ":SecretString", "db:SecretBinary", "db:SecretString:k:s:v", "db:SecretString:k:s:v:x", "arn:aws"]
        {
            let parsed = SecretReference::parse(&format!("secretsmanager:{wrong}")).expect("a secret's");
            assert!(parsed.is_err(), "{wrong}: {parsed:?}");
        }
        let secure = SecretReference::SsmSecure { name: "/a".to_owned(), version: Some(3) };
        assert_eq!(SecretReference::parse("ssm-secure:/a:3"), Some(Ok(secure)));
        assert_eq!(SecretReference::parse("ssm:/a:3"), None);
    }

    #[test]
    fn values_take_the_place_of_references_and_nothing_else_changes() {
        let value = json!({"A": ["u={{resolve:secretsmanager:db:SecretString:user}};p={{resolve:secretsmanager:pw}}!"], "B": "{{resolve:ssm:x}} {{ {{resolve:"});
        let found = secret_references(&value);
        assert_eq!(found.keys().collect::<Vec<_>>(), ["secretsmanager:db:SecretString:user", "secretsmanager:pw"]);
        let known = BTreeMap::from([("secretsmanager:pw".to_owned(), "a{{resolve:secretsmanager:pw}}".to_owned())]);
        let mut filled = value.clone();
        fill(&mut filled, &known);
        assert_eq!(
            filled["A"][0],
            "u={{resolve:secretsmanager:db:SecretString:user}};p=a{{resolve:secretsmanager:pw}}!"
        );
        assert_eq!(filled["B"], value["B"]);
    }

    #[test]
    fn secure_strings_stand_where_aws_lets_them() {
        let with = |value: Value| value;
        let good = with(json!({"LoginProfile": {"Password": "{{resolve:ssm-secure:/a}}"}}));
        assert!(not_secure_here("AWS::IAM::User", &good).is_empty());
        let bad =
            with(json!({"Value": "{{resolve:ssm-secure:/a:1}}", "Tags": [{"Value": "{{resolve:ssm-secure:/a}}"}]}));
        let found = not_secure_here("AWS::SSM::Parameter", &bad);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["Tags/Value", "Value"]);
    }
}
