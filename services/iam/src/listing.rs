//! Iam's pages: `Marker`, `MaxItems` (100 by default, at most 1,000), `IsTruncated`.

use crate::errors::bad_marker;
use kiln_service_kit::{Error, paginate};

/// Items, whether there are more, and the marker to go on with.
pub type Listed<T> = (Vec<T>, Option<bool>, Option<String>);

/// A page of `items`, which are sorted by `key` here.
pub fn page<T>(
    mut items: Vec<T>,
    key: impl Fn(&T) -> &str,
    marker: Option<&str>,
    max: Option<i32>,
) -> Result<Listed<T>, Error> {
    items.sort_by(|a, b| key(a).cmp(key(b)));
    let limit = usize::try_from(max.unwrap_or(100)).unwrap_or(100);
    let page = paginate(items, key, marker, limit, bad_marker)?;
    Ok((page.items, Some(page.next_token.is_some()), page.next_token))
}
