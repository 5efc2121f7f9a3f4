//! The rules of a bus, read once and kept in memory as an index until one of them changes.
//!
//! A change of rules writes a new generation in its transaction; whoever matches reads which one holds (from the store or
//! within a transaction) and takes the index of that one, or makes it. Generations are names that are never used twice,
//! so that an index of a transaction that came to nothing is nobody's.

use crate::PRINCIPAL;
use crate::names::{BusName, DEFAULT, Looks};
use crate::records::{Generation, Rule};
use kiln_patterns::{Index, Pattern};
use kiln_service_kit::{Cx, Error, Platform, Rows, Scope, Store, StoreError, Tx};
use parking_lot::Mutex;
use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Weak};

/// Rules of a bus that may have patterns. Source: "Amazon EventBridge quotas", rules: 300 for each event bus; kiln takes
/// a thousand.
pub const MOST_RULES: usize = 1_000;

/// A store, or a transaction on it, that rules are read from.
pub trait Reads: Looks {
    fn rules(&self, scope: &Scope, prefix: &str) -> Result<Rows<Rule>, StoreError>;
}

impl Reads for Store {
    fn rules(&self, scope: &Scope, prefix: &str) -> Result<Rows<Rule>, StoreError> {
        self.list_prefix(scope, prefix)
    }
}

impl Reads for Tx<'_> {
    fn rules(&self, scope: &Scope, prefix: &str) -> Result<Rows<Rule>, StoreError> {
        self.list_prefix(scope, prefix)
    }
}

/// The enabled rules of a bus that have patterns.
pub type Rules = Index<Arc<Rule>>;

/// What is held of all buses.
pub struct Held {
    /// Whose it is: held by it, so not to be held.
    platform: Weak<Platform>,
    rules: Mutex<HashMap<(Scope, String), (String, Arc<Rules>)>>,
}

impl Held {
    /// That of a platform; who asks first installs it.
    pub fn of(platform: &Arc<Platform>) -> Arc<Self> {
        let events = platform.events().map(|events| events as Arc<dyn Any + Send + Sync>);
        match events.and_then(|events| events.downcast::<Self>().ok()) {
            Some(held) => held,
            None => {
                let held = Arc::new(Self { platform: Arc::downgrade(platform), rules: Mutex::default() });
                platform.set_events(held.clone());
                held
            }
        }
    }

    /// The context of this service acting by itself; none: the platform is gone.
    pub fn context(&self, scope: &Scope) -> Option<Cx> {
        Some(Cx::for_service(self.platform.upgrade()?, scope.clone(), PRINCIPAL))
    }

    /// The rules of a bus, and which generation they are; none: it never had one.
    pub fn rules(&self, reads: &impl Reads, scope: &Scope, bus: &str) -> Result<Option<(String, Arc<Rules>)>, Error> {
        let Some(generation) = reads.look::<Generation>(scope, bus)? else { return Ok(None) };
        let key = (scope.clone(), bus.to_owned());
        if let Some((id, rules)) = self.rules.lock().get(&key)
            && *id == generation.id
        {
            return Ok(Some((id.clone(), rules.clone())));
        }
        let mut patterns = vec![];
        for (_, rule) in reads.rules(scope, &format!("{bus}/"))? {
            if let (Some(pattern), true) = (&rule.pattern, rule.enabled) {
                let pattern = Pattern::parse(pattern).map_err(|e| Error::failed("read the pattern of a rule", e))?;
                patterns.push((rule, pattern));
            }
        }
        let rules = Arc::new(Index::new(patterns));
        self.rules.lock().insert(key, (generation.id.clone(), rules.clone()));
        Ok(Some((generation.id.clone(), rules)))
    }
}

/// Notes that the rules of a bus are others from now on.
pub fn changed(tx: &mut Tx<'_>, cx: &Cx, bus: &BusName) -> Result<(), Error> {
    let id = cx.ids().uuid();
    Ok(tx.put(&bus.scope, &bus.name, Generation { id })?)
}

/// Whether the default bus of a scope could have a rule about events of that source and type.
pub fn could_want(held: &Held, reads: &impl Reads, scope: &Scope, known: &[(&str, &str)]) -> Result<bool, Error> {
    Ok(held.rules(reads, scope, DEFAULT)?.is_some_and(|(_, rules)| rules.could_match(known)))
}
