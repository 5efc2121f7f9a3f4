//! Names of buses and rules, and their ARNs. Source: Service Authorization Reference, "Actions, resources, and condition
//! keys for Amazon EventBridge".

use crate::errors::no_bus;
use crate::records::Bus;
use kiln_service_kit::{Arn, Cx, Error, Record, Scope, StoreError, Tx};
use std::sync::Arc;

pub const DEFAULT: &str = "default";

/// A bus that a request names, by name or ARN; the account's default one where it names none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusName {
    pub scope: Scope,
    pub name: String,
    pub arn: String,
}

impl BusName {
    pub fn own(cx: &Cx, name: &str) -> Self {
        Self { scope: cx.scope().clone(), name: name.to_owned(), arn: cx.arn("events", &format!("event-bus/{name}")) }
    }

    /// # Errors
    /// It is an ARN of something else.
    pub fn parse(cx: &Cx, given: Option<&str>) -> Result<Self, Error> {
        let Some(given) = given else { return Ok(Self::own(cx, DEFAULT)) };
        if !given.starts_with("arn:") {
            return Ok(Self::own(cx, given));
        }
        let arn: Arn = given.parse().map_err(|_| no_bus(given))?;
        match arn.resource().strip_prefix("event-bus/") {
            Some(name) if arn.service() == "events" => Ok(Self {
                scope: Scope::new(arn.account(), arn.region()),
                name: name.to_owned(),
                arn: given.to_owned(),
            }),
            _ => Err(no_bus(given)),
        }
    }

    /// The same of the caller's account and region: rules and settings.
    ///
    /// # Errors
    /// It is another's.
    pub fn parse_own(cx: &Cx, given: Option<&str>) -> Result<Self, Error> {
        let name = Self::parse(cx, given)?;
        match name.scope == *cx.scope() {
            true => Ok(name),
            false => {
                Err(Error::not_built(format!("events: rules on a bus of another account or region ({})", name.arn)))
            }
        }
    }

    /// The id of a rule on it.
    pub fn rule_id(&self, rule: &str) -> String {
        rule_id(&self.name, rule)
    }

    /// Refuses a bus that is not there.
    pub fn check(&self, reads: &impl Looks) -> Result<Option<Arc<Bus>>, Error> {
        match reads.look::<Bus>(&self.scope, &self.name)? {
            None if self.name != DEFAULT => Err(no_bus(&self.name)),
            found => Ok(found),
        }
    }
}

/// A store or a transaction on it.
pub trait Looks {
    fn look<R: Record>(&self, scope: &Scope, id: &str) -> Result<Option<Arc<R>>, StoreError>;
}

impl Looks for Tx<'_> {
    fn look<R: Record>(&self, scope: &Scope, id: &str) -> Result<Option<Arc<R>>, StoreError> {
        self.get(scope, id)
    }
}

impl Looks for kiln_service_kit::Store {
    fn look<R: Record>(&self, scope: &Scope, id: &str) -> Result<Option<Arc<R>>, StoreError> {
        self.get(scope, id)
    }
}

pub fn rule_id(bus: &str, rule: &str) -> String {
    format!("{bus}/{rule}")
}

/// `rule/NAME` on the default bus, `rule/BUS/NAME` on another.
pub fn rule_arn(partition: &str, scope: &Scope, bus: &str, rule: &str) -> String {
    let name = if bus == DEFAULT { rule.to_owned() } else { format!("{bus}/{rule}") };
    format!("arn:{partition}:events:{}:{}:rule/{name}", scope.region, scope.account)
}

/// What an ARN of this account and region names: a bus, or a bus and a rule on it.
pub fn thing(cx: &Cx, arn: &str) -> Option<(String, Option<String>)> {
    if let Some(bus) = arn.strip_prefix(&cx.arn("events", "event-bus/")) {
        return Some((bus.to_owned(), None));
    }
    let rule = arn.strip_prefix(&cx.arn("events", "rule/"))?;
    let (bus, rule) = rule.rsplit_once('/').unwrap_or((DEFAULT, rule));
    Some((bus.to_owned(), Some(rule.to_owned())))
}
