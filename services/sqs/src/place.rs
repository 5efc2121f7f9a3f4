//! Where a queue is: its URL, its ARN, and the record that either leads to.
//!
//! A URL follows the host that the request came by and has no region: that is the one the request is signed for.

use crate::errors::{access_denied, bad_address, no_queue};
use crate::records::Queue;
use kiln_service_kit::{Cx, Error, Scope};
use std::sync::Arc;

/// A queue that was found, and whose it is.
#[derive(Debug, Clone)]
pub struct Found {
    pub scope: Scope,
    pub queue: Arc<Queue>,
}

/// The URL of a queue of an account, for whoever asks.
pub fn url(cx: &Cx, account: &str, name: &str) -> String {
    let host = cx.request_host().unwrap_or("sqs.localhost");
    format!("http://{host}/{account}/{name}")
}

/// The ARN of a queue in a scope.
pub fn arn(cx: &Cx, scope: &Scope, name: &str) -> String {
    format!("arn:{}:sqs:{}:{}:{name}", cx.partition(), scope.region, scope.account)
}

/// Account and name in a queue's URL: the last two parts of its path.
pub fn of_url<'u>(cx: &Cx, url: &'u str) -> Result<(Scope, &'u str), Error> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or(rest).trim_end_matches('/');
    let mut parts = rest.rsplit('/');
    let (name, account) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let digits = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    match digits && !name.is_empty() {
        true => Ok((Scope::new(account, cx.region()), name)),
        false => Err(bad_address(url)),
    }
}

/// Account, region and name in a queue's ARN; none where it is no queue's of this partition.
pub fn of_arn<'a>(cx: &Cx, arn: &'a str) -> Option<(Scope, &'a str)> {
    let mut parts = arn.splitn(6, ':');
    let start = [parts.next()?, parts.next()?, parts.next()?];
    let (region, account, name) = (parts.next()?, parts.next()?, parts.next()?);
    let is_queue = start == ["arn", cx.partition(), "sqs"] && !region.is_empty() && account.len() == 12;
    (is_queue && !name.is_empty()).then(|| (Scope::new(account, region), name))
}

/// The queue that a URL leads to; another account's only where this call was let in to it.
pub fn find(cx: &Cx, url: &str) -> Result<Found, Error> {
    let (scope, name) = of_url(cx, url)?;
    let queue = cx.store().get::<Queue>(&scope, name)?.ok_or_else(|| no_queue(cx))?;
    if *scope.account != *cx.account() && !cx.is_let_in(&arn(cx, &scope, name), &scope.account) {
        return Err(access_denied());
    }
    Ok(Found { scope, queue })
}

/// The same for what only the queue's own account can do.
pub fn own(cx: &Cx, url: &str) -> Result<Found, Error> {
    let found = find(cx, url)?;
    if *found.scope.account == *cx.account() { Ok(found) } else { Err(access_denied()) }
}
