//! PutLogEvents. Source: CloudWatch Logs API Reference, PutLogEvents; CloudWatch Logs User Guide, "CloudWatch Logs quotas".

use crate::errors::invalid;
use crate::events::{self, Events, New};
use crate::names;
use crate::records::{Discarded, LogStream};
use crate::{keys, metrics, targets};
use kiln_logs_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[operation!(PutLogEvents: put_log_events(PutLogEventsRequest),
        on |cx, r| targets::written(cx, &r.log_group_name, &r.log_stream_name))];

const MOST_BYTES: usize = 1_048_576;
/// What each event counts beside its message.
const OVERHEAD: usize = 26;
const OLDEST: i64 = 14 * 24 * 3600 * 1000;
const NEWEST: i64 = 2 * 3600 * 1000;
const SPAN: i64 = 24 * 3600 * 1000;

async fn put_log_events(cx: &Cx, request: PutLogEventsRequest) -> Result<PutLogEventsResponse, Error> {
    if request.entity.is_some() {
        return Err(Error::not_built("logs:PutLogEvents with an entity"));
    }
    let given = request.log_events;
    let size: usize = given.iter().map(|event| event.message.len() + OVERHEAD).sum();
    if size > MOST_BYTES {
        return Err(invalid(format!("Upload too large: {size} bytes exceeds limit of {MOST_BYTES}")));
    }
    if given.windows(2).any(|two| two[0].timestamp > two[1].timestamp) {
        return Err(invalid("Log events in a single PutLogEvents request must be in chronological order."));
    }
    let (group, stream) = names::stream(cx, &request.log_group_name, &request.log_stream_name)?;
    let now = cx.now();
    let too_old = given.iter().take_while(|event| event.timestamp < now.millis() - OLDEST).count();
    let expired =
        group.oldest(now).map_or(0, |oldest| given.iter().take_while(|event| event.timestamp < oldest).count());
    let too_new = given.iter().take_while(|event| event.timestamp <= now.millis() + NEWEST).count();
    let rejected = RejectedLogEventsInfo {
        too_new_log_event_start_index: (too_new < given.len()).then_some(too_new as i32),
        too_old_log_event_end_index: (too_old > 0).then_some(too_old as i32),
        // What is too old anyway is not told of twice.
        expired_log_event_end_index: (expired > too_old).then_some(expired as i32),
    };
    let rejects = too_new < given.len() || too_old > 0 || expired > 0;
    let (from, to) = (too_old.max(expired), too_new);
    let taken = given.into_iter().take(to).skip(from);
    let new: Vec<New> = taken.map(|event| (event.timestamp, event.message)).collect();
    if let [(first, _), .., (last, _)] = new.as_slice()
        && last - first > SPAN
    {
        return Err(invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        ));
    }
    if !new.is_empty() {
        let disk = keys::disk(cx, &group).await?;
        let under = group.key().map(|_| group.keys.len() - 1);
        events::put(&cx.part::<Events>()?, &disk, cx.ids(), &stream.stream, &new, under, now).await?;
        still_there(cx, &request.log_group_name, &stream).await?;
        metrics::told(cx, &group, &new).await;
    }
    Ok(PutLogEventsResponse { rejected_log_events_info: rejects.then_some(rejected), ..Default::default() })
}

/// A stream that was deleted meanwhile has events again, which nobody would remove.
async fn still_there(cx: &Cx, group: &str, stream: &LogStream) -> Result<(), Error> {
    let id = names::stream_id(group, &stream.name);
    let same = |kept: &LogStream| kept.stream == stream.stream;
    if cx.store().get::<LogStream>(cx.scope(), &id)?.is_some_and(|kept| same(&kept)) {
        return Ok(());
    }
    cx.store()
        .write::<_, Error>(|tx| {
            tx.put(cx.scope(), &stream.stream, Discarded { stream: stream.stream.clone() })?;
            Ok(())
        })
        .await?;
    Err(crate::errors::not_there("log stream"))
}
