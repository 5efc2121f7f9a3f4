//! Calls as events: each management call that changes something is "AWS API Call via CloudTrail" on the default bus of
//! where the trail has it, with the trail's record as its detail. Source: EventBridge User Guide, "AWS service events
//! delivered via AWS CloudTrail": calls that only read are told to rules of another state, which kiln refuses by name.
//!
//! What is told comes after the call: a kiln that is killed in between has the record in the trail and tells nobody, and
//! where more come than can be told, those are left out and the log says how many. AWS documents no more than "best
//! effort" for them.

use crate::names::DEFAULT;
use crate::rules::{Held, could_want};
use kiln_service_kit::{Error, Events, Happening, Platform, Scope, Store, ToldEvent, TrailRecord};
use serde::Deserialize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use tokio::sync::mpsc;

const DETAIL_TYPE: &str = "AWS API Call via CloudTrail";

/// Calls that wait to be told, at most.
const MOST_WAITING: usize = 1_000;

/// What of a record decides whether anybody wants it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Known {
    event_source: String,
    read_only: bool,
}

/// Listens to the trail for as long as the platform lives.
pub fn listen(platform: &Arc<Platform>) {
    let (tell, told) = mpsc::channel(MOST_WAITING);
    let left_out = Arc::new(AtomicU64::new(0));
    tokio::spawn(run(Arc::downgrade(platform), told, left_out.clone()));
    let (held, store) = (Held::of(platform), platform.store().clone());
    platform.trail().set_listener(Arc::new(move |record| {
        let scope = Scope::new(record.account.as_str(), record.region.as_str());
        match is_wanted(&held, &store, &scope, record) {
            Ok(false) => {}
            Ok(true) => {
                if tell.try_send(record.clone()).is_err() {
                    left_out.fetch_add(1, Ordering::Relaxed);
                }
            }
            Err(error) => tracing::error!(error = error.chain(), "no rule is asked about a call"),
        }
    }));
}

/// Whether a rule could be about a call. The record is not read where there is no rule at all: every call comes by here.
fn is_wanted(held: &Held, store: &Store, scope: &Scope, record: &TrailRecord) -> Result<bool, Error> {
    if held.rules(store, scope, DEFAULT)?.is_none() {
        return Ok(false);
    }
    let Some(source) = source(record) else { return Ok(false) };
    let known = [
        ("source", source.as_str()),
        ("detail-type", DETAIL_TYPE),
        ("account", record.account.as_str()),
        ("region", record.region.as_str()),
    ];
    could_want(held, store, scope, &known)
}

/// The `source` of its event; none: it only reads, or it is none of a service's.
fn source(record: &TrailRecord) -> Option<String> {
    let known: Known = serde_json::from_str(&record.event)
        .inspect_err(|error| tracing::error!(%error, "a record of the trail is damaged"))
        .ok()?;
    let service = known.event_source.strip_suffix(".amazonaws.com")?;
    (!known.read_only).then(|| format!("aws.{service}"))
}

async fn run(platform: Weak<Platform>, mut told: mpsc::Receiver<TrailRecord>, left_out: Arc<AtomicU64>) {
    while let Some(record) = told.recv().await {
        let Some(platform) = platform.upgrade() else { return };
        if let Err(error) = tell(&platform, &record).await {
            tracing::error!(error = error.chain(), event = record.event_id, "a call is told to nobody");
        }
        let lost = left_out.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!("{lost} calls are told to nobody: more came than could be told");
        }
    }
}

async fn tell(platform: &Arc<Platform>, record: &TrailRecord) -> Result<(), Error> {
    let Some(source) = source(record) else { return Ok(()) };
    let held = Held::of(platform);
    let scope = Scope::new(record.account.as_str(), record.region.as_str());
    let happening = Happening { resources: vec![], detail: record.json()? };
    let event = ToldEvent { source: &source, detail_type: DETAIL_TYPE, at: record.at, happening };
    platform.store().write(|tx| held.tell(tx, &scope, event)).await
}
