//! Noting what happened, in the transaction that made it happen.

use super::event::{Event, Rule, Thing, To};
use super::{PRINCIPAL, bus, message};
use crate::arn::bucket_arn;
use crate::errors;
use crate::records::Bucket;
use kiln_delivery::{Address, Note, Parcel, Policy, deliver};
use kiln_service_kit::{Cx, Error, Scope, Tx};

/// The subject of messages to topics.
const SUBJECT: &str = "Amazon S3 Notification";

/// Tells an event to whom the bucket's rules name for it.
///
/// # Errors
/// Too much waits to be told already (`SlowDown`): nothing of the transaction may be kept.
pub fn tell(tx: &mut Tx<'_>, cx: &Cx, bucket: &Bucket, event: Event, thing: &Thing<'_>) -> Result<(), Error> {
    if bucket.event_bridge {
        let (sequence, number) = tx.place();
        bus::emit(tx, cx, bucket, event, thing, &format!("{sequence:014X}{number:04X}"))?;
    }
    let scope = Scope::new(bucket.owner.as_str(), bucket.region.as_str());
    for rule in bucket.notifications.iter().filter(|rule| rule.wants(event, thing.key)) {
        let (sequence, number) = tx.place();
        let body = message::of(cx, bucket, rule, event, thing, &format!("{sequence:014X}{number:04X}"));
        deliver(tx, &scope, note(cx, bucket, rule, body)).map_err(in_s3s_words)?;
    }
    Ok(())
}

/// Of a message for a rule's target.
pub fn note(cx: &Cx, bucket: &Bucket, rule: &Rule, body: String) -> Note {
    let to = match &rule.to {
        To::Queue(arn) => Address::Queue(arn.clone()),
        To::Topic(arn) => Address::Topic(arn.clone()),
    };
    let subject = matches!(rule.to, To::Topic(_)).then(|| SUBJECT.to_owned());
    Note {
        to,
        by: PRINCIPAL.to_owned(),
        source_arn: bucket_arn(cx, &bucket.name),
        parcel: Parcel { subject, ..Parcel::of(body) },
        policy: Policy::INSIDE,
        dead_letter: None,
    }
}

fn in_s3s_words(error: Error) -> Error {
    if error.is("Throttled") { errors::slow_down() } else { error }
}
