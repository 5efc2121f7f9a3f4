//! Events of a stream, or those of a group that are meant. Source: CloudWatch Logs API Reference, GetLogEvents,
//! FilterLogEvents.

use crate::errors::{bad_token, invalid, not_there};
use crate::events::{Events, Found, Place};
use crate::names::{self, either, stream_id};
use crate::pattern::Pattern;
use crate::records::{LogGroup, LogStream};
use crate::{keys, targets};
use kiln_logs_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(FilterLogEvents: filter_log_events(FilterLogEventsRequest),
        on |cx, r| targets::either(cx, &r.log_group_name, &r.log_group_identifier)),
    operation!(GetLogEvents: get_log_events(GetLogEventsRequest), on |cx, r| {
        let group = either(cx, &r.log_group_name, &r.log_group_identifier)?;
        targets::stream(cx, group, &r.log_stream_name)
    }),
];

const MOST: i32 = 10_000;

/// The times that are asked for, without what is expired; up to and without the second.
fn times(cx: &Cx, group: &LogGroup, start: Option<i64>, end: i64) -> (i64, i64) {
    (start.unwrap_or(0).max(group.oldest(cx.now()).unwrap_or(0)), end)
}

fn refuse_unmask(unmask: Option<bool>) -> Result<(), Error> {
    match unmask {
        Some(true) => Err(Error::not_built("logs: unmasking, since nothing is masked")),
        _ => Ok(()),
    }
}

/// `f/…` goes on behind an event, `b/…` before one.
fn token(direction: char, (at, number): Place) -> String {
    format!("{direction}/{at:016x}{number:016x}/s")
}

fn read_token(token: &str) -> Option<(char, Place)> {
    let (direction, rest) = token.split_once('/')?;
    let place = rest.strip_suffix("/s")?;
    if !matches!(direction, "f" | "b") || place.len() != 32 || !place.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let (at, number) = place.split_at(16);
    let at = i64::from_str_radix(at, 16).ok()?;
    Some((if direction == "f" { 'f' } else { 'b' }, (at, u64::from_str_radix(number, 16).ok()?)))
}

async fn get_log_events(cx: &Cx, request: GetLogEventsRequest) -> Result<GetLogEventsResponse, Error> {
    refuse_unmask(request.unmask)?;
    let name = either(cx, &request.log_group_name, &request.log_group_identifier)?;
    let (group, stream) = names::stream(cx, name, &request.log_stream_name)?;
    let given = request.next_token.as_deref().map(|token| read_token(token).ok_or_else(bad_token)).transpose()?;
    let backwards = match given {
        Some((direction, _)) => direction == 'b',
        None => !request.start_from_head.unwrap_or(false),
    };
    let (from, to) = times(cx, &group, request.start_time, request.end_time.unwrap_or(i64::MAX));
    let limit = request.limit.unwrap_or(MOST) as usize;
    let disk = keys::disk(cx, &group).await?;
    let after = given.map(|(_, place)| place);
    let asked = (from, to, after, backwards, limit);
    let page = cx.part::<Events>()?.page(&disk, vec![stream.stream.clone()], asked, |_| true).await?;
    let place = |found: Option<&Found>| found.map(|found| (found.at, found.number));
    // Where nothing is, both lead to where one was.
    let here = after.unwrap_or((from.max(1) - 1, u64::MAX));
    let (first, last) = (place(page.events.first()).unwrap_or(here), place(page.events.last()).unwrap_or(here));
    let shown = |found: Found| OutputLogEvent {
        timestamp: Some(found.at),
        message: Some(found.message),
        ingestion_time: Some(found.ingested),
    };
    Ok(GetLogEventsResponse {
        events: page.events.into_iter().map(shown).collect(),
        next_forward_token: Some(token('f', last)),
        next_backward_token: Some(token('b', first)),
    })
}

async fn filter_log_events(cx: &Cx, request: FilterLogEventsRequest) -> Result<FilterLogEventsResponse, Error> {
    refuse_unmask(request.unmask)?;
    let group = names::group(cx, either(cx, &request.log_group_name, &request.log_group_identifier)?)?;
    let pattern =
        Pattern::parse(request.filter_pattern.as_deref().unwrap_or("")).map_err(|e| invalid(e.to_string()))?;
    let streams = meant(cx, &group, &request)?;
    let after = match request.next_token.as_deref() {
        None => None,
        Some(token) => match read_token(token) {
            Some(('f', place)) => Some(place),
            _ => return Err(bad_token()),
        },
    };
    let end = request.end_time.map_or(i64::MAX, |end| end.saturating_add(1));
    let (from, to) = times(cx, &group, request.start_time, end);
    let limit = request.limit.unwrap_or(MOST) as usize;
    let disk = keys::disk(cx, &group).await?;
    let names = streams.iter().map(|stream| stream.stream.clone()).collect();
    let meant = move |message: &str| pattern.matches(message);
    let page = cx.part::<Events>()?.page(&disk, names, (from, to, after, false, limit), meant).await?;
    let shown = |found: Found| FilteredLogEvent {
        log_stream_name: Some(streams[found.stream].name.clone()),
        timestamp: Some(found.at),
        message: Some(found.message),
        ingestion_time: Some(found.ingested),
        event_id: Some(format!("{:020}{:036}", found.at.max(0), found.number)),
    };
    Ok(FilterLogEventsResponse {
        next_token: page.more.map(|place| token('f', place)),
        events: page.events.into_iter().map(shown).collect(),
        searched_log_streams: vec![],
    })
}

/// The streams of a group that are searched.
fn meant(cx: &Cx, group: &LogGroup, request: &FilterLogEventsRequest) -> Result<Vec<Arc<LogStream>>, Error> {
    let named = &request.log_stream_names;
    match &request.log_stream_name_prefix {
        Some(_) if !named.is_empty() => {
            Err(invalid("logStreamNames and logStreamNamePrefix cannot both be specified."))
        }
        None if !named.is_empty() => {
            let mut streams = vec![];
            for name in named {
                let stream = cx.store().get::<LogStream>(cx.scope(), &stream_id(&group.name, name))?;
                streams.push(stream.ok_or_else(|| not_there("log stream"))?);
            }
            // One that is named twice is searched once.
            streams.sort_by(|a, b| a.name.cmp(&b.name));
            streams.dedup_by(|a, b| a.name == b.name);
            Ok(streams)
        }
        prefix => names::streams(cx, &group.name, prefix.as_deref().unwrap_or("")),
    }
}
