//! Pages of a listing. The token names the last item given, so that a page is right even when
//! things come and go between two calls.

use crate::{Cx, Error};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kiln_journal::{Entry, Position, Window};
use std::collections::BTreeMap;

/// Some items and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next_token: Option<String>,
}

/// Cuts a page out of `items`, which must be sorted by `key`. `bad_token` makes the service's own
/// error for a token that it did not give out.
pub fn paginate<T>(
    items: Vec<T>,
    key: impl Fn(&T) -> &str,
    token: Option<&str>,
    limit: usize,
    bad_token: impl Fn() -> Error,
) -> Result<Page<T>, Error> {
    let after = token.map(|token| key_of(token).ok_or_else(&bad_token)).transpose()?;
    let mut rest: Vec<T> = match after {
        None => items,
        Some(after) => items.into_iter().filter(|item| key(item) > after.as_str()).collect(),
    };
    let limit = limit.max(1);
    let next_token = (rest.len() > limit).then(|| token_of(key(&rest[limit - 1])));
    rest.truncate(limit);
    Ok(Page { items: rest, next_token })
}

/// Entries that are looked at in one go where not all are given.
const LOOK: usize = 256;

/// Which page of a stream somebody asked for.
pub struct Asked<'a> {
    pub stream: &'a str,
    /// Times and direction.
    pub window: Window,
    /// As an earlier page gave it.
    pub token: Option<&'a str>,
    /// Items in a page.
    pub limit: usize,
}

impl<'a> Asked<'a> {
    /// All of a stream, newest first.
    pub fn newest(stream: &'a str, token: Option<&'a str>, limit: usize) -> Asked<'a> {
        Asked { stream, window: Window::newest(None), token, limit }
    }
}

/// A page of what happened, read from the history no further than it needs: the entries of a stream that `keep`
/// wants, among those `also` that are not history yet (read before; one that is in both is given as it is in
/// history). Memory holds one page.
pub fn page_of<E: Entry>(
    cx: &Cx,
    asked: Asked<'_>,
    also: Vec<(Position, E)>,
    keep: impl Fn(&E) -> bool,
    bad_token: impl Fn() -> Error,
) -> Result<Page<E>, Error> {
    let token = asked.token;
    let after = token.map(|token| key_of(token).and_then(|key| key.parse().ok()).ok_or_else(&bad_token)).transpose()?;
    let mut window = Window { after, ..asked.window };
    let limit = asked.limit.max(1);
    let look = LOOK.max(limit + 1);
    let behind = |position: &Position| match (&window.after, window.newest_first) {
        (None, _) => true,
        (Some(after), true) => position < after,
        (Some(after), false) => position > after,
    };
    let mut kept: BTreeMap<Position, E> =
        also.into_iter().filter(|(position, entry)| behind(position) && keep(entry)).collect();
    let mut found = 0;
    loop {
        let some = cx.history().read::<E>(cx.scope(), asked.stream, &window, look)?;
        let last = some.len() < look;
        window.after = some.last().map(|(position, _)| position.clone());
        for (position, entry) in some {
            if keep(&entry) {
                kept.insert(position, entry);
                found += 1;
            }
        }
        if last || found > limit {
            break;
        }
    }
    let mut items: Vec<(Position, E)> = match window.newest_first {
        true => kept.into_iter().rev().take(limit + 1).collect(),
        false => kept.into_iter().take(limit + 1).collect(),
    };
    let next_token = (items.len() > limit).then(|| token_of(&items[limit - 1].0.to_string()));
    items.truncate(limit);
    Ok(Page { items: items.into_iter().map(|(_, entry)| entry).collect(), next_token })
}

fn token_of(key: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("k1:{key}"))
}

fn key_of(token: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    Some(text.strip_prefix("k1:")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_and_foreign_tokens_are_refused() {
        let bad = || Error::sender("InvalidNextToken", "The token is invalid.");
        let all: Vec<String> = (0..5).map(|n| format!("i-{n}")).collect();
        let mut seen = vec![];
        let mut token = None;
        for _ in 0..3 {
            let page = paginate(all.clone(), |s| s, token.as_deref(), 2, bad).expect("a good token");
            seen.extend(page.items);
            token = page.next_token;
        }
        assert_eq!((seen, token), (all.clone(), None));
        assert!(paginate(all, |s| s, Some("nonsense"), 2, bad).is_err());
    }
}
