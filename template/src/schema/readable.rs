//! Properties as a type's read tells them, made what its schema says: scalars of the right kind, no members that
//! the schema does not know, nothing write-only.

use super::check::{boolean, integer, number};
use super::{Kind, Property, ResourceSchema};
use crate::functions::scalar_text;
use serde_json::{Map, Value};

impl ResourceSchema {
    /// The readable part of properties.
    pub fn readable(&self, properties: Value) -> Value {
        self.part(&self.properties, properties, &mut vec![])
    }

    fn part(&self, property: &Property, value: Value, path: &mut Vec<String>) -> Value {
        let Some(property) = self.follow(property) else { return value };
        let was = &value;
        match (&property.kind, value.clone()) {
            (Kind::Object(object), Value::Object(members)) => {
                let mut kept = Map::new();
                for (name, value) in members {
                    path.push(name.clone());
                    let known = object.members.get(&name);
                    match known {
                        Some(_) if self.write_only.iter().any(|hidden| is_at(hidden, path)) => {}
                        Some(known) => drop(kept.insert(name, self.part(known, value, path))),
                        None if object.open && object.members.is_empty() => drop(kept.insert(name, value)),
                        None => {}
                    }
                    path.pop();
                }
                Value::Object(kept)
            }
            (Kind::List { of, .. }, Value::Array(items)) => {
                path.push("*".to_owned());
                let items = items.into_iter().map(|item| self.part(of, item, path)).collect();
                path.pop();
                Value::Array(items)
            }
            (Kind::Map(of), Value::Object(members)) => {
                Value::Object(members.into_iter().map(|(name, value)| (name, self.part(of, value, path))).collect())
            }
            (Kind::String, Value::Number(_) | Value::Bool(_)) => {
                scalar_text(was).map_or_else(|| was.clone(), Value::from)
            }
            (Kind::Integer, Value::String(_)) => integer(was).map_or_else(|| was.clone(), Value::from),
            (Kind::Number, Value::String(_)) => number(was).map_or_else(|| was.clone(), Value::Number),
            (Kind::Boolean, Value::String(_)) => boolean(was).map_or_else(|| was.clone(), Value::from),
            (_, value) => value,
        }
    }
}

/// Whether a path of the facts is this one.
fn is_at(known: &str, path: &[String]) -> bool {
    known.split('/').eq(path.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use crate::facts;
    use serde_json::json;

    #[test]
    fn what_is_read_has_the_schemas_kinds_and_nothing_that_is_write_only() {
        let all = facts::all();
        let group = &all["AWS::AutoScaling::AutoScalingGroup"];
        let hook = json!({"LifecycleHookName": "h", "HeartbeatTimeout": "30", "GlobalTimeout": 3000});
        let told = json!({
            "MinSize": 1, "CapacityRebalance": "true", "InstanceId": "i-1", "Unknown": 1,
            "LifecycleHookSpecificationList": [hook],
        });
        let read = json!({
            "MinSize": "1", "CapacityRebalance": true,
            "LifecycleHookSpecificationList": [{"LifecycleHookName": "h", "HeartbeatTimeout": 30}],
        });
        assert_eq!(group.readable(told), read);
        let rules = json!({"SecurityGroupIngress": [{"FromPort": 80, "SourceSecurityGroupName": "g"}]});
        let shown = json!({"SecurityGroupIngress": [{"FromPort": 80}]});
        assert_eq!(all["AWS::EC2::SecurityGroup"].readable(rules), shown);
        let map = json!({"Tags": {"a": "b"}, "Description": "hidden"});
        assert_eq!(all["AWS::SSM::Parameter"].readable(map), json!({"Tags": {"a": "b"}}));
    }
}
