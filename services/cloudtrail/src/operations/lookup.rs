//! LookupEvents: the account's management events in a region, newest first. Source: AWS CloudTrail API Reference.

use crate::errors::{bad_token, throttled, time_range};
use crate::filter::Filter;
use crate::shown::shown;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kiln_cloudtrail_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Place, Timestamp, TrailRecord, Wanted, operation};
use std::time::Duration;

pub const OPERATIONS: &[Operation] = &[operation!(LookupEvents: lookup_events(LookupEventsRequest), on everything)];

/// How far back it goes.
const HISTORY: Duration = Duration::from_secs(90 * 24 * 60 * 60);
const DEFAULT: i32 = 50;

/// Records that one call looks at: some 35 MB. A page may then have fewer events than asked for, or none, and a token.
const LOOK: usize = 50_000;

async fn lookup_events(cx: &Cx, request: LookupEventsRequest) -> Result<LookupEventsResponse, Error> {
    let trail = cx.platform().trail();
    let now = cx.now();
    if !trail.may_look(cx.scope(), now) {
        return Err(throttled());
    }
    if request.event_category.is_some() {
        return Err(Error::not_built("cloudtrail: Insights events (EventCategory)"));
    }
    let filter = Filter::read(&request.lookup_attributes)?;
    let (from, to) = (request.start_time, request.end_time);
    if let (Some(from), Some(to)) = (from, to)
        && from > to
    {
        return Err(time_range());
    }
    let behind = request.next_token.as_deref().map(place_of).transpose()?;
    let oldest = from.unwrap_or(Timestamp(0)).max(Timestamp(now.0 - HISTORY.as_millis() as i64));
    let limit = request.max_results.unwrap_or(DEFAULT) as usize;
    let (account, region) = (cx.account().to_owned(), cx.region().to_owned());
    let wanted = move |record: &TrailRecord| {
        // Records show whole seconds, and that is what times are compared with.
        let at = Timestamp(record.at.0.div_euclid(1_000) * 1_000);
        // Calls that end together may stand in another order than their times.
        if record.at + Duration::from_secs(60) < oldest {
            return Wanted::Enough;
        }
        let mine = record.account == account && record.region == region;
        match mine && at >= oldest && to.is_none_or(|to| at <= to) && filter.holds(&record.event) {
            true => Wanted::Yes,
            false => Wanted::No,
        }
    };
    let found = trail.find(cx.platform().history(), now, behind, (LOOK, limit), wanted).await?;
    let events = found.records.iter().map(shown).collect::<Result<_, _>>()?;
    Ok(LookupEventsResponse { events, next_token: found.next.as_ref().map(token_of) })
}

fn token_of(place: &Place) -> String {
    URL_SAFE_NO_PAD.encode(format!("t1:{place}"))
}

fn place_of(token: &str) -> Result<Place, Error> {
    let text = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.as_deref().and_then(|text| text.strip_prefix("t1:")?.parse().ok()).ok_or_else(bad_token)
}
