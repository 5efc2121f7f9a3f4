//! What happened, as text: what the test said, what controllers did, met and wait for.

use crate::names::Names;
use kiln_clock::{Clock, Timestamp};
use kiln_service_kit::{Name, Pass};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Characters of a step that are told.
const MOST: usize = 160;

/// Collects lines; clones share them.
#[derive(Clone)]
pub struct Story {
    clock: Clock,
    begin: Timestamp,
    told: Arc<Mutex<Told>>,
}

#[derive(Default)]
struct Told {
    names: Names,
    lines: Vec<String>,
    waits: BTreeMap<(&'static str, Name), String>,
    deeds: u64,
}

impl Story {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { begin: clock.now(), clock, told: Arc::default() }
    }

    /// Adds a line.
    pub fn say(&self, text: &str) {
        let at = self.clock.now().since(self.begin);
        let mut told = self.told.lock();
        let text = told.names.plain(text);
        told.lines.push(format!("{:>9.3}  {text}", at.as_secs_f64()));
    }

    /// The text with random ids as they are called in the story.
    pub fn plain(&self, text: &str) -> String {
        self.told.lock().names.plain(text)
    }

    /// Tells of a finished pass when it did, met or waits for something new.
    pub(crate) fn pass(&self, controller: &'static str, name: &Name, pass: &Pass) {
        let who = format!("{controller} {}", name.id);
        for step in &pass.steps {
            // Names first: half an id has none.
            self.say(&format!("{who}: {}", short(&self.plain(step))));
        }
        if let Some(error) = &pass.error {
            self.say(&format!("{who}: FAILED {}", error.chain()));
        }
        if !pass.steps.is_empty() || pass.error.is_some() {
            self.told.lock().deeds += 1;
        }
        let waits = pass.report.as_ref().and_then(|r| r.waiting_for.as_ref());
        let waits = waits.filter(|_| pass.steps.is_empty() && pass.error.is_none());
        let waits = waits.map(|w| match w.until {
            Some(until) => format!("{} (until {:.3})", w.what, until.since(self.begin).as_secs_f64()),
            None => w.what.clone(),
        });
        let key = (controller, name.clone());
        let before = match &waits {
            Some(text) => self.told.lock().waits.insert(key, text.clone()),
            None => self.told.lock().waits.remove(&key),
        };
        if let Some(text) = waits
            && before.as_ref() != Some(&text)
        {
            self.say(&format!("{who}: waits for {text}"));
        }
    }

    /// How many passes did or met something.
    pub(crate) fn deeds(&self) -> u64 {
        self.told.lock().deeds
    }

    /// All lines.
    pub fn text(&self) -> String {
        let told = self.told.lock();
        told.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }
}

/// A step's causes and texts can be long; what they came to is told elsewhere.
fn short(step: &str) -> String {
    match step.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &step[..at]),
        None => step.to_owned(),
    }
}
