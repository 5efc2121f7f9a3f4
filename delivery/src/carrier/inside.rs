//! To queues and topics: by their public operations, as the principal of the service that tells, for the thing that tells.
//! The policy of the queue or topic decides, as it would on a call from outside.

use crate::Undelivered;
use kiln_service_kit::{Arn, Cx, Error, Platform, Scope};
use std::sync::Arc;

fn context(platform: &Arc<Platform>, scope: &Scope, waiting: &Undelivered, arn: &str) -> Result<(Cx, Arn), Error> {
    let arn: Arn = arn.parse().map_err(|e| Error::failed("read the ARN of a target", e))?;
    // The service acts in the account of the thing that tells, where the target is.
    let at = Scope::new(scope.account.clone(), arn.region());
    let cx = Cx::for_service(platform.clone(), at, &waiting.note.by).on_behalf_of(&waiting.note.source_arn);
    Ok((cx, arn))
}

/// Sends a message to a queue.
pub async fn to_queue(platform: &Arc<Platform>, scope: &Scope, waiting: &Undelivered, arn: &str) -> Result<(), Error> {
    let _ = context(platform, scope, waiting, arn)?;
    Err(Error::not_built("sqs:SendMessage"))
}

/// Publishes to a topic.
pub async fn to_topic(platform: &Arc<Platform>, scope: &Scope, waiting: &Undelivered, arn: &str) -> Result<(), Error> {
    let _ = context(platform, scope, waiting, arn)?;
    Err(Error::not_built("sns:Publish"))
}
