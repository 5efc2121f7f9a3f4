//! Log streams. Source: CloudWatch Logs API Reference.

use crate::errors::{already_there, bad_token, invalid, not_there};
use crate::events::{Disk, Events, StreamStats};
use crate::names::{self, either, stream_arn, stream_id};
use crate::records::{Discarded, LogGroup, LogStream as Kept};
use crate::targets;
use kiln_logs_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Position, Timestamp, Tx, operation, paginate};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateLogStream: create_log_stream(CreateLogStreamRequest),
        on |cx, r| targets::written(cx, &r.log_group_name, &r.log_stream_name)),
    operation!(DeleteLogStream: delete_log_stream(DeleteLogStreamRequest),
        on |cx, r| targets::stream(cx, &r.log_group_name, &r.log_stream_name)),
    operation!(DescribeLogStreams: describe_log_streams(DescribeLogStreamsRequest),
        on |cx, r| targets::either(cx, &r.log_group_name, &r.log_group_identifier)),
];

async fn create_log_stream(cx: &Cx, request: CreateLogStreamRequest) -> Result<CreateLogStreamResponse, Error> {
    let id = stream_id(&request.log_group_name, &request.log_stream_name);
    let stream = Kept { name: request.log_stream_name.clone(), stream: cx.ids().uuid(), created: cx.now() };
    cx.store()
        .write(|tx| {
            tx.get::<LogGroup>(cx.scope(), &request.log_group_name)?.ok_or_else(|| not_there("log group"))?;
            match tx.get::<Kept>(cx.scope(), &id)? {
                Some(_) => Err(already_there("log stream")),
                None => Ok(tx.put(cx.scope(), &id, stream)?),
            }
        })
        .await?;
    Ok(CreateLogStreamResponse {})
}

/// Takes a stream away; its events are noted to be removed.
pub fn discard(tx: &mut Tx<'_>, cx: &Cx, id: &str, stream: &Kept) -> Result<(), Error> {
    tx.put(cx.scope(), &stream.stream, Discarded { stream: stream.stream.clone() })?;
    tx.delete::<Kept>(cx.scope(), id);
    Ok(())
}

async fn delete_log_stream(cx: &Cx, request: DeleteLogStreamRequest) -> Result<DeleteLogStreamResponse, Error> {
    let id = stream_id(&request.log_group_name, &request.log_stream_name);
    cx.store()
        .write::<_, Error>(|tx| {
            tx.get::<LogGroup>(cx.scope(), &request.log_group_name)?.ok_or_else(|| not_there("log group"))?;
            let stream = tx.get::<Kept>(cx.scope(), &id)?.ok_or_else(|| not_there("log stream"))?;
            discard(tx, cx, &id, &stream)
        })
        .await?;
    Ok(DeleteLogStreamResponse {})
}

async fn describe_log_streams(
    cx: &Cx,
    request: DescribeLogStreamsRequest,
) -> Result<DescribeLogStreamsResponse, Error> {
    let group = names::group(cx, either(cx, &request.log_group_name, &request.log_group_identifier)?)?;
    let by_time = request.order_by.as_deref() == Some("LastEventTime");
    let falling = request.descending.unwrap_or(false);
    if by_time && request.log_stream_name_prefix.is_some() {
        return Err(invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let prefix = request.log_stream_name_prefix.as_deref().unwrap_or("");
    let streams = names::streams(cx, &group.name, prefix)?;
    let mut keyed: Vec<(String, Arc<Kept>)> = vec![];
    let named = |name: &str| if falling { Position::named(Timestamp(0), name).tie } else { name.to_owned() };
    match by_time {
        false => keyed.extend(streams.into_iter().map(|stream| (named(&stream.name), stream))),
        true => {
            for (stream, stats) in stats(cx, &group, streams).await? {
                let at = stats.last.map_or(0, |last| last.max(0) as u64 + 1);
                let at = if falling { u64::MAX - at } else { at };
                keyed.push((format!("{at:016x}{}", named(&stream.name)), stream));
            }
        }
    }
    keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
    let limit = request.limit.unwrap_or(50) as usize;
    let page = paginate(keyed, |(key, _)| key, request.next_token.as_deref(), limit, bad_token)?;
    let some = page.items.into_iter().map(|(_, stream)| stream).collect();
    let shown = |(stream, stats): (Arc<Kept>, StreamStats)| LogStream {
        log_stream_name: Some(stream.name.clone()),
        creation_time: Some(stream.created.millis()),
        first_event_timestamp: stats.first,
        last_event_timestamp: stats.last,
        last_ingestion_time: stats.ingested,
        arn: Some(stream_arn(cx, &group.name, &stream.name)),
        // Since June 2019 AWS says so of every stream.
        stored_bytes: Some(0),
        ..Default::default()
    };
    let log_streams = stats(cx, &group, some).await?.into_iter().map(shown).collect();
    Ok(DescribeLogStreamsResponse { log_streams, next_token: page.next_token })
}

/// Streams with what they have; of what is expired nothing is told.
async fn stats(cx: &Cx, group: &LogGroup, streams: Vec<Arc<Kept>>) -> Result<Vec<(Arc<Kept>, StreamStats)>, Error> {
    let events = cx.part::<Events>()?;
    let oldest = group.oldest(cx.now()).unwrap_or(i64::MIN);
    Disk::without_keys(cx, cx.scope())
        .off(move |disk| {
            let each = |stream: Arc<Kept>| {
                let mut stats = events.stats(disk, &stream.stream)?;
                if stats.last.is_some_and(|last| last < oldest) {
                    stats = StreamStats { ingested: stats.ingested, ..StreamStats::default() };
                }
                stats.first = stats.first.map(|first| first.max(oldest));
                Ok((stream, stats))
            };
            streams.into_iter().map(each).collect()
        })
        .await
}
