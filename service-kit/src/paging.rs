//! Pages of a listing. The token names the last item given, so that a page is right even when
//! things come and go between two calls.

use crate::Error;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

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
    let after = match token {
        None => None,
        Some(token) => {
            let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| bad_token())?;
            let text = String::from_utf8(bytes).map_err(|_| bad_token())?;
            Some(text.strip_prefix("k1:").ok_or_else(&bad_token)?.to_owned())
        }
    };
    let mut rest: Vec<T> = match after {
        None => items,
        Some(after) => items.into_iter().filter(|item| key(item) > after.as_str()).collect(),
    };
    let limit = limit.max(1);
    let next_token = (rest.len() > limit).then(|| URL_SAFE_NO_PAD.encode(format!("k1:{}", key(&rest[limit - 1]))));
    rest.truncate(limit);
    Ok(Page { items: rest, next_token })
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
