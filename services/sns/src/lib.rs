//! Simple Notification Service: topics and who is told of what is published to them.
//!
//! ```text
//! Publish ── which subscriptions' filters match ── one note for each, in one transaction ──> delivery/
//!               (filter/)                             (tell.rs: envelope, signature, policy)
//! Subscribe ── confirmed at once, or a token by the same road ──> ConfirmSubscription, or the link (door.rs)
//! ```
//! What happens to a note from then on is `kiln-delivery`'s, which this service starts.

mod delivery_policy;
mod door;
mod envelope;
mod errors;
mod filter;
mod links;
mod message;
mod meter;
mod names;
mod operations;
mod policy;
mod records;
mod resources;
mod signer;
mod subscription_attributes;
mod targets;
mod tell;

#[cfg(test)]
mod tests;

pub use door::answer;
pub use links::DOOR_PATH;
pub use meter::Published;
pub use signer::Signer;

use kiln_service_kit::{Kept, Service, records};
use std::sync::Arc;

/// The principal that it acts as towards others.
pub(crate) const PRINCIPAL: &str = "sns.amazonaws.com";

/// Source: Amazon SNS Developer Guide, "Logging AWS SNS API calls using AWS CloudTrail".
const DATA_EVENTS: &[&str] = &["Publish", "PublishBatch"];

/// The service.
pub fn service() -> Service {
    let mut service = Service::new(
        &kiln_sns_shapes::SERVICE,
        &[
            operations::topics::OPERATIONS,
            operations::attributes::OPERATIONS,
            operations::permissions::OPERATIONS,
            operations::subscribe::OPERATIONS,
            operations::subscriptions::OPERATIONS,
            operations::publish::OPERATIONS,
            operations::tags::OPERATIONS,
        ],
    );
    service.data_events = DATA_EVENTS;
    service.records = records![
        records::Topic,
        records::Subscription,
        kiln_delivery::Undelivered,
        kiln_delivery::Load,
        kiln_delivery::Mailbox
    ];
    service.keeps = vec![Kept::of::<kiln_delivery::Mail>()];
    service.resources = vec![
        Arc::new(resources::subscription::Subscription),
        Arc::new(resources::topic::Topic),
        Arc::new(resources::topic_policy::TopicPolicy),
    ];
    service.start = vec![kiln_delivery::start, meter::start];
    service.owns = true;
    service
}
