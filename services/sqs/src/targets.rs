//! What calls touch, for policies: queues, with their tags, their owner and the policy that is on them. Source: Service
//! Authorization Reference, "Actions, resources, and condition keys for Amazon SQS".

use crate::place::{arn, of_arn, of_url};
use crate::policy::owned;
use crate::records::Queue;
use kiln_service_kit::{Cx, Error, Map, Scope, Target};

/// A queue that others may be let in to, by its URL.
pub fn queue(cx: &Cx, url: &str) -> Result<Target, Error> {
    let (scope, name) = of_url(cx, url)?;
    of(cx, &scope, name, true)
}

/// A queue that only its own account can do this to, by its URL.
pub fn own_queue(cx: &Cx, url: &str) -> Result<Target, Error> {
    let (scope, name) = of_url(cx, url)?;
    of(cx, &scope, name, false)
}

/// A queue by its name and, where it is given, its account.
pub fn named(cx: &Cx, name: &str, account: Option<&str>) -> Result<Target, Error> {
    of(cx, &Scope::new(account.unwrap_or(cx.account()), cx.region()), name, true)
}

/// A queue of one's own by its ARN. One that is none's matches no policy but `*`, and the call itself says so.
pub fn by_arn(cx: &Cx, written: &str) -> Result<Target, Error> {
    match of_arn(cx, written) {
        Some((scope, name)) => of(cx, &scope, name, false),
        None => Ok(Target::new(written)),
    }
}

/// A queue that is being made, with the tags that it is given.
pub fn made(cx: &Cx, name: &str, tags: &Map<String>) -> Result<Vec<Target>, Error> {
    let target = Target::new(arn(cx, cx.scope(), name));
    let given = target.clone().given_tags(tags.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let tagged = (!tags.is_empty()).then(|| given.clone().by("sqs:TagQueue"));
    Ok([given].into_iter().chain(tagged).collect())
}

/// A queue. One that is not there is nobody's; the call itself says that it is not.
fn of(cx: &Cx, scope: &Scope, name: &str, for_others: bool) -> Result<Target, Error> {
    let target = Target::new(arn(cx, scope, name));
    Ok(match cx.store().get::<Queue>(scope, name)? {
        Some(queue) => target.tagged("sqs", &queue.tags).of(owned(cx, scope, &queue, for_others)),
        None => target,
    })
}
