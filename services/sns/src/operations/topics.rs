//! Source: the service's API Reference, ListTopics.

use crate::records::Topic as Kept;
use kiln_service_kit::{Cx, Error, Operation, operation};
use kiln_sns_shapes::*;

pub const OPERATIONS: &[Operation] = &[operation!(ListTopics: list_topics(ListTopicsRequest), on everything)];

/// Nothing makes one yet: an answer would be made up.
async fn list_topics(cx: &Cx, _: ListTopicsRequest) -> Result<ListTopicsResponse, Error> {
    let kept = cx.store().list::<Kept>(cx.scope())?.len();
    Err(Error::not_built(format!("sns:ListTopics (there are {kept})")))
}
