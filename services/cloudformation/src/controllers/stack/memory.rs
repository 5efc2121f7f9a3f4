//! What the controller remembers between passes and may lose: when to look again, parsed templates.

use crate::records::Version;
use kiln_service_kit::{Error, Timestamp};
use kiln_template::Template;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// How often a call that fails on the platform's side is tried before the resource fails.
pub const MOST_FAILURES: u32 = 5;

/// When a resource is to be looked at again.
#[derive(Debug, Clone, PartialEq)]
pub struct Poll {
    pub next: Timestamp,
    pub why: String,
    times: u32,
}

/// A template and what it was understood from.
struct Parsed {
    body: String,
    given: BTreeMap<String, String>,
    template: Arc<Template>,
}

#[derive(Default)]
pub struct Memory {
    polls: Mutex<HashMap<String, BTreeMap<String, Poll>>>,
    failures: Mutex<HashMap<(String, String), u32>>,
    templates: Mutex<HashMap<String, Parsed>>,
}

impl Memory {
    pub fn polls(&self, stack: &str) -> BTreeMap<String, Poll> {
        self.polls.lock().get(stack).cloned().unwrap_or_else(BTreeMap::new)
    }

    /// Looks again after 50 ms, then twice as long each time, at most a second.
    pub fn later(&self, stack: &str, logical_id: &str, now: Timestamp, why: String) {
        let mut polls = self.polls.lock();
        let of_stack = polls.entry(stack.to_owned()).or_default();
        let times = of_stack.get(logical_id).map_or(0, |poll| poll.times + 1);
        let wait = Duration::from_millis((50u64 << times.min(5)).min(1000));
        of_stack.insert(logical_id.to_owned(), Poll { next: now + wait, why, times });
    }

    /// What a stack waits for may have come: it looks at once.
    pub fn look_at_once(&self, stack: &str) {
        for poll in self.polls.lock().get_mut(stack).into_iter().flat_map(BTreeMap::values_mut) {
            poll.next = Timestamp::from_millis(0);
        }
    }

    /// The resource has come on: forget how long it took.
    pub fn came_on(&self, stack: &str, logical_id: &str) {
        if let Some(of_stack) = self.polls.lock().get_mut(stack) {
            of_stack.remove(logical_id);
        }
        self.failures.lock().remove(&(stack.to_owned(), logical_id.to_owned()));
    }

    /// Counts a failure on the platform's side; whether there were too many.
    pub fn failed_too_often(&self, stack: &str, logical_id: &str) -> bool {
        let mut failures = self.failures.lock();
        let count = failures.entry((stack.to_owned(), logical_id.to_owned())).or_default();
        *count += 1;
        *count >= MOST_FAILURES
    }

    pub fn forget_stack(&self, stack: &str) {
        self.polls.lock().remove(stack);
        self.templates.lock().remove(stack);
        self.failures.lock().retain(|(of, _), _| of != stack);
    }

    /// A stack's template, parsed once.
    pub fn template(
        &self,
        stack: &str,
        version: &Version,
        parse: impl FnOnce() -> Result<Template, Error>,
    ) -> Result<Arc<Template>, Error> {
        let given = &version.parameters.given;
        if let Some(known) = self.templates.lock().get(stack)
            && (&known.body, &known.given) == (&version.body, given)
        {
            return Ok(known.template.clone());
        }
        let template = Arc::new(parse()?);
        let parsed = Parsed { body: version.body.clone(), given: given.clone(), template: template.clone() };
        self.templates.lock().insert(stack.to_owned(), parsed);
        Ok(template)
    }
}
