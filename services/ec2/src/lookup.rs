//! Finding records by the ids of a request, with AWS's errors for those that are not there.

use crate::errors::{bad_token, invalid_combination, invalid_value};
use crate::filters::Filters;
use crate::tags::Tagged;
use kiln_service_kit::{CallerKind, Cx, Error, Page, Scope, Tx, paginate};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The record of an id in a transaction.
pub fn need<R: Tagged>(tx: &Tx, scope: &Scope, id: &str) -> Result<Arc<R>, Error> {
    R::THING.check(id)?;
    tx.get::<R>(scope, id)?.ok_or_else(|| R::THING.none(id))
}

/// The records that a describing call may mean: of its ids, or else of the ids and keys that its filters ask
/// for (`own` is the filter of ids), or else all; ordered by id. The filters are still to be applied.
///
/// A service that asks decides by what it is told: for it, one that does not read and may be meant is an
/// error.
pub fn asked<R: Tagged>(
    cx: &Cx,
    ids: &[String],
    filters: &Filters<'_>,
    own: &str,
) -> Result<Vec<(Arc<str>, Arc<R>)>, Error> {
    if !ids.is_empty() {
        return selected(cx, ids);
    }
    let mut found: BTreeMap<Arc<str>, Arc<R>> = BTreeMap::new();
    if let Some(ids) = filters.exact(own) {
        for id in ids {
            found.extend(cx.store().get::<R>(cx.scope(), id)?.map(|record| (Arc::from(id.as_str()), record)));
        }
        return Ok(found.into_iter().collect());
    }
    let Some((key, values)) = R::KEYS.iter().find_map(|key| Some((*key, filters.exact(key)?))) else {
        return selected(cx, ids);
    };
    for value in values {
        found.extend(match cx.caller().kind {
            CallerKind::Service { .. } => cx.store().whole().by_key::<R>(cx.scope(), key, value)?,
            _ => cx.store().by_key::<R>(cx.scope(), key, value)?,
        });
    }
    Ok(found.into_iter().collect())
}

/// The records of the ids of a describing call, or all when it names none; ordered by id.
pub fn selected<R: Tagged>(cx: &Cx, ids: &[String]) -> Result<Vec<(Arc<str>, Arc<R>)>, Error> {
    if ids.is_empty() {
        return Ok(cx.store().list::<R>(cx.scope())?);
    }
    let mut found: Vec<(Arc<str>, Arc<R>)> = vec![];
    let mut missing = vec![];
    for id in ids {
        R::THING.check(id)?;
        match cx.store().get::<R>(cx.scope(), id)? {
            Some(record) => found.push((Arc::from(id.as_str()), record)),
            None => missing.push(id.clone()),
        }
    }
    if !missing.is_empty() {
        return Err(R::THING.none_of(&missing));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found.dedup_by(|a, b| a.0 == b.0);
    Ok(found)
}

/// AWS's rules of a page: a size within bounds, and not together with ids. `ids_name` is what AWS
/// calls the parameter that holds them.
pub fn check_page(
    ids_name: &str,
    ids: &[String],
    size: Option<i32>,
    sizes: std::ops::RangeInclusive<i32>,
) -> Result<(), Error> {
    let Some(size) = size else { return Ok(()) };
    let expected = match size {
        _ if size < *sizes.start() => format!("greater than {}", sizes.start()),
        _ if size > *sizes.end() => format!("less than {}", sizes.end()),
        _ if ids.is_empty() => return Ok(()),
        _ => {
            return Err(invalid_combination(format!(
                "The parameter {ids_name} cannot be used with the parameter maxResults"
            )));
        }
    };
    Err(invalid_value(format!("Value ( {size} ) for parameter maxResults is invalid. Expecting a value {expected}.")))
}

/// A page of things ordered by their ids; all of them when no size is asked for.
pub fn page<T>(items: Vec<(Arc<str>, T)>, token: Option<&str>, size: Option<i32>) -> Result<Page<T>, Error> {
    let limit = size.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(1));
    let page = paginate(items, |(id, _)| id, token, limit, bad_token)?;
    Ok(Page { items: page.items.into_iter().map(|(_, item)| item).collect(), next_token: page.next_token })
}
