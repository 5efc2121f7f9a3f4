//! Queries of Logs Insights. Source: CloudWatch Logs API Reference, StartQuery, GetQueryResults.

use crate::asked;
use crate::errors::{bad_token, invalid, not_there};
use crate::events::Events;
use crate::insights::{BadQuery, Query as Text};
use crate::names::{self, of_identifier};
use crate::records::{Query, QueryStatus};
use crate::{keys, targets};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kiln_logs_shapes::*;
use kiln_service_kit::{Cx, Error, Map, Operation, Target, operation, paginate};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

pub const OPERATIONS: &[Operation] = &[
    operation!(DescribeQueries: describe_queries(DescribeQueriesRequest), on everything),
    operation!(GetLogRecord: get_log_record(GetLogRecordRequest), on |cx, r| match asked::of_pointer(&r.log_record_pointer) {
        Some((group, ..)) => targets::group(cx, &group),
        None => Ok(Target::everything()),
    }),
    operation!(GetQueryResults: get_query_results(GetQueryResultsRequest), on everything),
    operation!(ListLogGroupsForQuery: list_log_groups_for_query(ListLogGroupsForQueryRequest), on everything),
    operation!(StartQuery: start_query(StartQueryRequest), on |cx, r| {
        targets::groups(cx, r.log_group_name.iter().chain(&r.log_group_names).chain(&r.log_group_identifiers))
    }),
    operation!(StopQuery: stop_query(StopQueryRequest), on everything),
];

/// Groups of a query.
const MOST_GROUPS: usize = 50;
/// Queries of an account that have not ended. Source: "CloudWatch Logs quotas".
const MOST_AT_ONCE: usize = 100;
/// Queries of a week that are kept.
const MOST_KEPT: usize = 10_000;
/// Rows of an answer.
const PAGE: i32 = 10_000;

/// Reads a query; what is not built is refused by its name.
pub fn parse(text: &str) -> Result<Text, Error> {
    Text::parse(text).map_err(|error| match error {
        BadQuery { not_built: Some(command), .. } => Error::not_built(format!("logs: the query command {command}")),
        error => Error::sender("MalformedQueryException", error.to_string()),
    })
}

pub fn refuse_language(language: &Option<String>) -> Result<(), Error> {
    match language.as_deref() {
        None | Some("CWLI") => Ok(()),
        Some(other) => Err(Error::not_built(format!("logs: queries in {other}"))),
    }
}

async fn start_query(cx: &Cx, request: StartQueryRequest) -> Result<StartQueryResponse, Error> {
    refuse_language(&request.query_language)?;
    let given: Vec<&String> =
        match (&request.log_group_name, request.log_group_names.as_slice(), request.log_group_identifiers.as_slice()) {
            (Some(name), [], []) => vec![name],
            (None, names, []) if !names.is_empty() => names.iter().collect(),
            (None, [], identifiers) if !identifiers.is_empty() => identifiers.iter().collect(),
            _ => {
                let text = "Exactly one of logGroupName, logGroupNames and logGroupIdentifiers must be specified.";
                return Err(invalid(text));
            }
        };
    if given.len() > MOST_GROUPS {
        return Err(invalid(format!("A query can be of at most {MOST_GROUPS} log groups.")));
    }
    if request.start_time > request.end_time {
        return Err(invalid("Query's start time is after its end time."));
    }
    parse(&request.query_string)?;
    let mut groups = vec![];
    for given in given {
        let name = of_identifier(cx, given)?;
        names::group(cx, name)?;
        groups.push(name.to_owned());
    }
    groups.sort();
    groups.dedup();
    let query = Query {
        id: cx.ids().uuid(),
        text: request.query_string,
        groups,
        from: request.start_time.saturating_mul(1000),
        // The whole second is within.
        to: request.end_time.saturating_mul(1000).saturating_add(999),
        limit: request.limit.unwrap_or(PAGE) as usize,
        created: cx.now(),
        caller: cx.caller().arn.clone(),
        status: QueryStatus::Scheduled,
        ended: None,
        rows: 0,
        matched: 0,
        scanned: 0,
        bytes: 0,
    };
    let id = query.id.clone();
    cx.store()
        .write::<_, Error>(|tx| {
            let all = tx.list::<Query>(cx.scope())?;
            let open = all.iter().filter(|(_, query)| query.status == QueryStatus::Scheduled).count();
            if open >= MOST_AT_ONCE || all.len() >= MOST_KEPT {
                return Err(Error::sender("LimitExceededException", "Account maximum query concurrency exceeded."));
            }
            Ok(tx.put(cx.scope(), &query.id.clone(), query)?)
        })
        .await?;
    Ok(StartQueryResponse { query_id: Some(id) })
}

fn find(cx: &Cx, id: &str) -> Result<Arc<Query>, Error> {
    let missing = || Error { message: format!("Query {id} does not exist."), ..not_there("query") };
    cx.store().get::<Query>(cx.scope(), id)?.ok_or_else(missing)
}

/// What it is now: one that is carried out runs.
fn status(events: &Events, query: &Query) -> &'static str {
    match query.status {
        QueryStatus::Scheduled if events.running(&query.id).is_some() => "Running",
        status => status.name(),
    }
}

fn token_of(at: usize) -> String {
    URL_SAFE_NO_PAD.encode(format!("rows:{at}"))
}

fn read_token(token: &str) -> Result<usize, Error> {
    let text = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.and_then(|text| text.strip_prefix("rows:")?.parse().ok()).ok_or_else(bad_token)
}

async fn get_query_results(cx: &Cx, request: GetQueryResultsRequest) -> Result<GetQueryResultsResponse, Error> {
    let query = find(cx, &request.query_id)?;
    let events = cx.part::<Events>()?;
    let from = request.next_token.as_deref().map(read_token).transpose()?.unwrap_or(0);
    let most = request.max_items.filter(|most| *most > 0).unwrap_or(PAGE) as usize;
    let rows = match query.status {
        QueryStatus::Complete => {
            let (of_task, id) = (cx.clone(), query.id.clone());
            let disk = crate::events::Disk::without_keys(cx, cx.scope());
            disk.off(move |_| asked::rows(&of_task, &id, from, most)).await?
        }
        _ => vec![],
    };
    let behind = from.saturating_add(rows.len());
    let (scanned, matched, bytes) = match events.running(&query.id) {
        Some(running) => (running.scanned.load(Relaxed), running.matched.load(Relaxed), running.bytes.load(Relaxed)),
        None => (query.scanned, query.matched, query.bytes),
    };
    let row = |fields: Vec<(String, String)>| {
        let field = |(field, value)| ResultField { field: Some(field), value: Some(value) };
        fields.into_iter().map(field).collect()
    };
    Ok(GetQueryResultsResponse {
        query_language: Some("CWLI".to_owned()),
        results: rows.into_iter().map(row).collect(),
        statistics: Some(QueryStatistics {
            records_matched: Some(matched as f64),
            records_scanned: Some(scanned as f64),
            bytes_scanned: Some(bytes as f64),
            log_groups_scanned: Some(query.groups.len() as f64),
            ..Default::default()
        }),
        status: Some(status(&events, &query).to_owned()),
        next_token: (behind < query.rows).then(|| token_of(behind)),
        ..Default::default()
    })
}

async fn stop_query(cx: &Cx, request: StopQueryRequest) -> Result<StopQueryResponse, Error> {
    let query = find(cx, &request.query_id)?;
    let ended = || invalid(format!("Query with queryId {} is not running.", query.id));
    cx.store()
        .write(|tx| {
            let mut query = (*tx.get::<Query>(cx.scope(), &query.id)?.ok_or_else(ended)?).clone();
            if query.status != QueryStatus::Scheduled {
                return Err(ended());
            }
            query.status = QueryStatus::Cancelled;
            query.ended = Some(tx.now());
            tx.put(cx.scope(), &query.id.clone(), query)?;
            Ok(())
        })
        .await?;
    if let Some(running) = cx.part::<Events>()?.running(&query.id) {
        running.stop.store(true, Relaxed);
    }
    Ok(StopQueryResponse { success: Some(true) })
}

async fn describe_queries(cx: &Cx, request: DescribeQueriesRequest) -> Result<DescribeQueriesResponse, Error> {
    refuse_language(&request.query_language)?;
    let events = cx.part::<Events>()?;
    let found = cx.store().list::<Query>(cx.scope())?;
    let mut keyed: Vec<(String, Arc<Query>)> = found
        .into_iter()
        .filter(|(_, query)| request.log_group_name.as_ref().is_none_or(|name| query.groups.contains(name)))
        .filter(|(_, query)| request.status.as_deref().is_none_or(|wanted| status(&events, query) == wanted))
        // The newest first.
        .map(|(id, query)| (format!("{:016x}{id}", u64::MAX - query.created.millis().max(0) as u64), query))
        .collect();
    keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
    let limit = request.max_results.unwrap_or(1_000) as usize;
    let page = paginate(keyed, |(key, _)| key, request.next_token.as_deref(), limit, bad_token)?;
    let shown = |(_, query): (String, Arc<Query>)| QueryInfo {
        query_language: Some("CWLI".to_owned()),
        query_id: Some(query.id.clone()),
        query_string: Some(query.text.clone()),
        status: Some(status(&events, &query).to_owned()),
        create_time: Some(query.created.millis()),
        log_group_name: query.groups.first().cloned(),
        query_duration: query.ended.map(|ended| ended.millis() - query.created.millis()),
        bytes_scanned: Some(query.bytes as f64),
        user_identity: Some(query.caller.clone()),
    };
    Ok(DescribeQueriesResponse { queries: page.items.into_iter().map(shown).collect(), next_token: page.next_token })
}

async fn list_log_groups_for_query(
    cx: &Cx,
    request: ListLogGroupsForQueryRequest,
) -> Result<ListLogGroupsForQueryResponse, Error> {
    let query = find(cx, &request.query_id)?;
    let limit = request.max_results.unwrap_or(500) as usize;
    let page = paginate(query.groups.clone(), |name| name, request.next_token.as_deref(), limit, bad_token)?;
    let arns = page.items.iter().map(|name| names::group_arn(cx, name)).collect();
    Ok(ListLogGroupsForQueryResponse { log_group_identifiers: arns, next_token: page.next_token })
}

async fn get_log_record(cx: &Cx, request: GetLogRecordRequest) -> Result<GetLogRecordResponse, Error> {
    if request.unmask == Some(true) {
        return Err(Error::not_built("logs: unmasking, since nothing is masked"));
    }
    let pointer = request.log_record_pointer;
    let bad = || invalid("The specified log record pointer is invalid.");
    let (group_name, stream_name, at, number) = asked::of_pointer(&pointer).ok_or_else(bad)?;
    let (group, stream) = names::stream(cx, &group_name, &stream_name)?;
    let missing = || Error { message: "The log record does not exist.".to_owned(), ..not_there("log record") };
    if group.oldest(cx.now()).is_some_and(|oldest| at < oldest) {
        return Err(missing());
    }
    let disk = keys::disk(cx, &group).await?;
    let after = number.checked_sub(1).map(|number| (at, number));
    let asked = (at, at.saturating_add(1), after, false, 1);
    let page = cx.part::<Events>()?.page(&disk, vec![stream.stream.clone()], asked, |_| true).await?;
    let event = page.events.into_iter().find(|event| event.number == number).ok_or_else(missing)?;
    let mut log_record: Map<String> = Map::new();
    let mut put = |name: &str, value: String| {
        log_record.insert(name.to_owned(), value);
    };
    put("@ptr", pointer);
    put("@timestamp", at.to_string());
    put("@ingestionTime", event.ingested.to_string());
    put("@logStream", stream_name);
    put("@log", format!("{}:{group_name}", cx.account()));
    if let Some(json) = crate::pattern::json_of(&event.message) {
        flatten("", &json, 0, &mut put);
    }
    put("@message", event.message);
    Ok(GetLogRecordResponse { log_record })
}

/// Members of members a field shows; deeper ones stand in it as JSON.
const DEEPEST: usize = 10;

fn flatten(name: &str, json: &serde_json::Value, depth: usize, put: &mut impl FnMut(&str, String)) {
    let within = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match json {
        serde_json::Value::Object(members) if depth < DEEPEST => {
            members.iter().for_each(|(key, value)| flatten(&within(key), value, depth + 1, put));
        }
        serde_json::Value::Array(all) if depth < DEEPEST => {
            all.iter().enumerate().for_each(|(n, value)| flatten(&within(&n.to_string()), value, depth + 1, put));
        }
        serde_json::Value::String(text) => put(name, text.clone()),
        serde_json::Value::Null => {}
        other => put(name, other.to_string()),
    }
}
