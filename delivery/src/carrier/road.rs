//! How a note gets to its target: the real roads, and that tests lay their own.

use super::carried::Carried;
use super::{http, inside};
use crate::{Address, Undelivered};
use kiln_service_kit::{Error, Fault, Platform, Scope, async_trait};
use std::sync::Arc;

/// Who makes attempts; tests bring their own.
#[async_trait]
pub trait Road: Send + Sync + 'static {
    /// Makes one. It ends within a bound of its own.
    async fn carry(&self, platform: &Arc<Platform>, scope: &Scope, waiting: &Undelivered) -> Carried;
}

/// The real ones.
pub struct Roads;

#[async_trait]
impl Road for Roads {
    async fn carry(&self, platform: &Arc<Platform>, scope: &Scope, waiting: &Undelivered) -> Carried {
        match &waiting.note.to {
            Address::Queue(arn) => told(inside::to_queue(platform, scope, &waiting.note, arn).await),
            Address::Topic(arn) => told(inside::to_topic(platform, scope, &waiting.note, arn).await),
            Address::Bus(arn) => told(inside::to_bus(platform, scope, &waiting.note, arn).await),
            Address::Http { url, reach } => http::post(url, *reach, &waiting.note.parcel).await,
            // The carrier puts it into the mailbox itself, with the note's end.
            Address::Mailbox(_) => Carried::Later("a mail has no road".to_owned()),
        }
    }
}

/// A call that is refused for the caller's fault would be refused again, but for being too early or too often.
fn told(answer: Result<(), Error>) -> Carried {
    let Err(error) = answer else { return Carried::Taken };
    let text = error.chain();
    let again = error.fault == Fault::Receiver && !error.is("NotImplemented")
        || error.status == 429
        || error.code.contains("Throttl");
    if again { Carried::Later(text) } else { Carried::Never(text) }
}
