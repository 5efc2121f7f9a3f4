//! PutEvents and TestEventPattern. Source: the API Reference; the user guide, "Sending events with PutEvents" and "Handling
//! failures with PutEvents".
//!
//! Events are matched before the transaction that notes what they lead to, so that it holds up nobody; it is done again
//! where a rule changed meanwhile.

use crate::errors::{bad_pattern, validation};
use crate::event::Event;
use crate::names::BusName;
use crate::records::Generation;
use crate::rules::Held;
use crate::targets;
use crate::tell::Told;
use kiln_delivery::deliver;
use kiln_events_shapes::*;
use kiln_patterns::Pattern;
use kiln_service_kit::{Cx, Error, Operation, Target, operation};
use serde_json::Value as Json;

pub const OPERATIONS: &[Operation] = &[
    operation!(PutEvents: put_events(PutEventsRequest), on put_on),
    operation!(TestEventPattern: test_event_pattern(TestEventPatternRequest), on everything),
];

/// Bytes of all entries. Source: "Calculating PutEvents event entry size".
const LARGEST: usize = 256 * 1024;
/// What a time counts.
const TIME: usize = 14;

/// The bus of each entry, with what is said of the event.
fn put_on(cx: &Cx, request: &PutEventsRequest) -> Result<Vec<Target>, Error> {
    let each = request.entries.iter().map(|entry| {
        let target = targets::bus(cx, entry.event_bus_name.as_deref())?;
        let source = entry.source.iter().fold(target, |target, source| target.with("events:source", source));
        Ok(entry.detail_type.iter().fold(source, |target, kind| target.with("events:detail-type", kind)))
    });
    each.collect()
}

fn size(entry: &PutEventsRequestEntry) -> usize {
    let texts =
        [&entry.source, &entry.detail_type, &entry.detail].into_iter().flatten().map(String::len).sum::<usize>();
    let time = if entry.time.is_some() { TIME } else { 0 };
    time + texts + entry.resources.iter().map(String::len).sum::<usize>()
}

/// Why an entry is not taken: a code and words.
type Refused = (&'static str, String);

fn event(cx: &Cx, entry: &PutEventsRequestEntry) -> Result<(BusName, Event), Refused> {
    let needed = |what: &str, given: &Option<String>| match given.as_deref() {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(("InvalidArgument", format!("Parameter {what} is not valid. Reason: {what} is a required argument."))),
    };
    let source = needed("Source", &entry.source)?;
    let detail_type = needed("DetailType", &entry.detail_type)?;
    let detail_text = needed("Detail", &entry.detail)?;
    if source.starts_with("aws.") {
        return Err(("NotAuthorizedForSourceException", "Not authorized for the source.".to_owned()));
    }
    let malformed = || ("MalformedDetail", "Detail is malformed.".to_owned());
    let detail: Json = serde_json::from_str(&detail_text).map_err(|_| malformed())?;
    if !detail.is_object() {
        return Err(malformed());
    }
    let bus = BusName::parse(cx, entry.event_bus_name.as_deref())
        .and_then(|bus| bus.check(cx.store()).map(|_| bus))
        .map_err(|error| ("ResourceNotFoundException", error.message.to_string()))?;
    let event = Event {
        id: cx.ids().uuid(),
        source,
        detail_type,
        account: cx.account().to_owned(),
        region: bus.scope.region.to_string(),
        time: entry.time.unwrap_or_else(|| cx.now()),
        resources: entry.resources.clone(),
        detail,
        detail_text,
    };
    Ok((bus, event))
}

async fn put_events(cx: &Cx, request: PutEventsRequest) -> Result<PutEventsResponse, Error> {
    if request.endpoint_id.is_some() {
        return Err(Error::not_built("events: PutEvents with EndpointId (global endpoints)"));
    }
    if request.entries.iter().any(|entry| entry.trace_header.is_some()) {
        return Err(Error::not_built("events: TraceHeader (X-Ray)"));
    }
    if request.entries.iter().map(size).sum::<usize>() > LARGEST {
        return Err(validation("Total size of the entries in the request is over the limit."));
    }
    for entry in &request.entries {
        // Another account's bus takes what its policy lets in; the row has asked.
        if let Ok(bus) = BusName::parse(cx, entry.event_bus_name.as_deref())
            && *bus.scope.account != *cx.account()
            && !cx.is_let_in(&bus.arn, &bus.scope.account)
        {
            let text = format!("Not authorized to perform: events:PutEvents on resource: {}", bus.arn);
            return Err(Error::sender("AccessDeniedException", text));
        }
    }
    let events: Vec<Result<(BusName, Event), Refused>> = request.entries.iter().map(|entry| event(cx, entry)).collect();
    let taken: Vec<(&BusName, &Event, Json)> =
        events.iter().flatten().map(|(bus, event)| (bus, event, event.json())).collect();
    let held = Held::of(cx.platform());
    loop {
        let mut told = Told::default();
        for (bus, event, json) in &taken {
            told.event(cx, &held, cx.store(), bus, event, json)?;
        }
        if told.notes.is_empty() || noted(cx, told).await? {
            break;
        }
    }
    let entry = |event: Result<(BusName, Event), Refused>| match event {
        Ok((_, event)) => PutEventsResultEntry { event_id: Some(event.id), ..Default::default() },
        Err((code, message)) => PutEventsResultEntry {
            error_code: Some(code.to_owned()),
            error_message: Some(message),
            ..Default::default()
        },
    };
    let entries: Vec<PutEventsResultEntry> = events.into_iter().map(entry).collect();
    let failed = entries.iter().filter(|entry| entry.error_code.is_some()).count();
    Ok(PutEventsResponse { failed_entry_count: Some(failed as i32), entries })
}

/// Notes all of it, if the rules are still those that were matched; whether they were.
async fn noted(cx: &Cx, told: Told) -> Result<bool, Error> {
    cx.store()
        .write(|tx| {
            for (scope, bus, id) in &told.by {
                let now = tx.get::<Generation>(scope, bus)?;
                if now.as_ref().map(|generation| &generation.id) != id.as_ref() {
                    return Ok(false);
                }
            }
            for (scope, note) in &told.notes {
                deliver(tx, scope, note.clone()).map_err(|error| match error.is("Throttled") {
                    true => Error::sender("ThrottlingException", "Rate exceeded").with_status(429),
                    false => error,
                })?;
            }
            Ok(true)
        })
        .await
}

async fn test_event_pattern(_: &Cx, request: TestEventPatternRequest) -> Result<TestEventPatternResponse, Error> {
    let pattern = Pattern::parse(&request.event_pattern).map_err(|error| bad_pattern(&error))?;
    let wrong = |why: &str| validation(format!("Parameter Event is not valid. Reason: {why}"));
    let event: Json = serde_json::from_str(&request.event).map_err(|_| wrong("it is not valid JSON"))?;
    // Source: the API Reference: the members that an event must have.
    for member in ["id", "detail-type", "source", "account", "time", "region"] {
        if event.get(member).is_none() {
            return Err(wrong(&format!("{member} is a required member")));
        }
    }
    Ok(TestEventPatternResponse { result: Some(pattern.matches(&event)) })
}
