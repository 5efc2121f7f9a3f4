//! Pages as KMS gives them: a marker, and whether there is more.

use crate::errors::bad_marker;
use kiln_service_kit::{Error, paginate};

/// Items of a page, the marker of the next, and whether there is one.
pub type Page<T> = (Vec<T>, Option<String>, Option<bool>);

/// A page of items that are sorted by `key`; `usual` many where the request says nothing.
pub fn page<T>(
    items: Vec<T>,
    key: impl Fn(&T) -> &str,
    marker: &Option<String>,
    limit: Option<i32>,
    usual: usize,
) -> Result<Page<T>, Error> {
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usual);
    let page = paginate(items, key, marker.as_deref(), limit, bad_marker)?;
    let more = page.next_token.is_some();
    Ok((page.items, page.next_token, Some(more)))
}
