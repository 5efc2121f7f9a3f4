//! A query on its way through the events of its groups, and what it came to in the journal.

use crate::events::{Disk, Events, Running, Source, scan};
use crate::insights::{self, Rows, Run, Seen};
use crate::records::{LogGroup, Query, QueryStatus};
use crate::{keys, names};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kiln_service_kit::{Between, Blocks, Cx, Error, Position, Scope, Timestamp};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// Rows of queries, in the journal.
const ROWS: Blocks = Blocks("logs/rows");
/// Rows in a block.
const BLOCK: usize = 1_000;
/// How long a query may take. Source: CloudWatch Logs User Guide, "CloudWatch Logs quotas".
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// How a query ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    pub status: QueryStatus,
    pub rows: usize,
    pub scanned: u64,
    pub matched: u64,
    pub bytes: u64,
}

/// A group whose streams are read.
struct Part {
    disk: Disk,
    group: String,
    log: String,
    /// Names, and what their blocks are called.
    streams: Vec<(String, String)>,
    oldest: i64,
}

/// Where an event is, for GetLogRecord.
pub fn pointer(group: &str, stream: &str, at: i64, number: u64) -> String {
    URL_SAFE_NO_PAD.encode(format!("{group}:{stream}:{at:x}:{number:x}"))
}

/// Group, stream, time and number of what a pointer is to.
pub fn of_pointer(pointer: &str) -> Option<(String, String, i64, u64)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(pointer).ok()?).ok()?;
    let mut parts = text.split(':');
    let (group, stream) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let at = i64::from_str_radix(parts.next()?, 16).ok()?;
    Some((group, stream, at, u64::from_str_radix(parts.next()?, 16).ok()?))
}

/// Carries a query out, and keeps its rows.
pub async fn run(cx: &Cx, query: &Query, running: Arc<Running>) -> Result<Outcome, Error> {
    let mut parts = vec![];
    for name in &query.groups {
        // One that was deleted meanwhile has nothing.
        let Some(group) = cx.store().get::<LogGroup>(cx.scope(), name)? else { continue };
        let streams = names::streams(cx, name, "")?;
        let disk = match keys::disk(cx, &group).await {
            // A key that cannot be used is the caller's to mend; until then there is nothing to go through.
            Err(error) if !error.is_internal() => {
                tracing::info!(query = query.id, error = error.chain(), "a query's log group does not open");
                return Ok(Outcome { status: QueryStatus::Failed, rows: 0, scanned: 0, matched: 0, bytes: 0 });
            }
            disk => disk?,
        };
        parts.push(Part {
            disk,
            group: name.clone(),
            log: format!("{}:{name}", cx.account()),
            streams: streams.iter().map(|stream| (stream.name.clone(), stream.stream.clone())).collect(),
            oldest: group.oldest(cx.now()).unwrap_or(0),
        });
    }
    let (asked, now) = (query.clone(), cx.now());
    let work = Disk::without_keys(cx, cx.scope());
    let (counts, events) = (running.clone(), cx.part::<Events>()?);
    let (status, rows) = work.off(move |_| through(&events, &asked, &parts, now, &counts)).await?;
    let count = rows.len();
    keep(cx, &query.id, rows).await?;
    Ok(Outcome {
        status,
        rows: count,
        scanned: running.scanned.load(Relaxed),
        matched: running.matched.load(Relaxed),
        bytes: running.bytes.load(Relaxed),
    })
}

/// Blocks for as long as the query takes.
fn through(
    events: &Events,
    asked: &Query,
    parts: &[Part],
    now: Timestamp,
    running: &Running,
) -> Result<(QueryStatus, Rows), Error> {
    let unread = |e: insights::BadQuery| Error::internal(format!("query {} does not read: {e}", asked.id));
    let query = insights::Query::parse(&asked.text).map_err(unread)?;
    let mut run = Run::new(&query, now.millis(), asked.limit);
    let until = Instant::now() + LONGEST;
    let mut ended = None;
    let mut failed = None;
    // One that begins again counts again.
    [&running.scanned, &running.matched, &running.bytes].iter().for_each(|count| count.store(0, Relaxed));
    for part in parts {
        for (stream, blocks) in &part.streams {
            let _reading = events.reading(std::slice::from_ref(blocks));
            let source = Source { disk: &part.disk, stream: blocks };
            let on = |bytes: usize| {
                running.bytes.fetch_add(bytes as u64, Relaxed);
                if running.stop.load(Relaxed) {
                    ended = Some(QueryStatus::Cancelled);
                } else if Instant::now() >= until {
                    ended = Some(QueryStatus::Timeout);
                }
                ended.is_none()
            };
            let each = |event: &crate::events::Event<'_>| {
                running.scanned.fetch_add(1, Relaxed);
                let ptr = || pointer(&part.group, stream, event.at, event.number);
                let seen = Seen {
                    at: event.at,
                    ingested: event.ingested,
                    message: event.message,
                    stream,
                    log: &part.log,
                    ptr: &ptr,
                };
                run.event(seen).map_err(|e| {
                    failed = Some(e);
                    Error::internal(e)
                })
            };
            let from = asked.from.max(part.oldest);
            let done = scan(&source, from, asked.to.saturating_add(1), on, each);
            running.matched.store(run.matched, Relaxed);
            if failed.is_some() {
                return Ok((QueryStatus::Failed, vec![]));
            }
            done?;
            if let Some(status) = ended {
                return Ok((status, vec![]));
            }
        }
    }
    Ok(run.end().map_or((QueryStatus::Failed, vec![]), |rows| (QueryStatus::Complete, rows)))
}

fn place(number: usize) -> Position {
    Position::new(Timestamp::from_millis(0), format!("{number:08x}"))
}

async fn keep(cx: &Cx, id: &str, rows: Rows) -> Result<(), Error> {
    let journal = cx.history().journal().clone();
    let mut blocks = vec![];
    for (number, rows) in rows.chunks(BLOCK).enumerate() {
        let json = serde_json::to_vec(rows).map_err(|e| Error::failed("write rows of a query", e))?;
        blocks.push((place(number), json));
    }
    Ok(ROWS.append(&journal, cx.scope(), id, blocks).await?)
}

/// At most so many rows of a query from one on.
pub fn rows(cx: &Cx, id: &str, from: usize, most: usize) -> Result<Rows, Error> {
    let journal = cx.history().journal().clone();
    let between = Between { from: Some(place(from / BLOCK)), to: Some(place((from + most) / BLOCK + 1)) };
    let blocks = ROWS.read(&journal, cx.scope(), id, &between, false, most / BLOCK + 2)?;
    let mut rows: Rows = vec![];
    for (_, json) in blocks {
        rows.extend(serde_json::from_slice::<Rows>(&json).map_err(|e| Error::failed("read rows of a query", e))?);
    }
    Ok(rows.into_iter().skip(from % BLOCK).take(most).collect())
}

/// Removes the rows of a query.
pub fn forget(cx: &Cx, scope: &Scope, id: &str) -> Result<(), Error> {
    Ok(ROWS.remove(cx.history().journal(), scope, id, &Between::default())?)
}
