//! To queues and topics: by their public operations, as the principal of the service that tells, for the thing that tells.
//! The policy of the queue or topic decides, as it would on a call from outside.

use crate::{Attribute, Undelivered};
use kiln_service_kit::{Arn, Blob, Cx, Error, Platform, Scope};
use std::sync::Arc;

async fn context(
    platform: &Arc<Platform>,
    scope: &Scope,
    waiting: &Undelivered,
    arn: &str,
) -> Result<(Cx, Arn), Error> {
    let arn: Arn = arn.parse().map_err(|e| Error::failed("read the ARN of a target", e))?;
    // The service acts in the account of the thing that tells, where the target is.
    let at = Scope::new(scope.account.clone(), arn.region());
    let cx = Cx::for_service(platform.clone(), at, &waiting.note.by).on_behalf_of(&waiting.note.source_arn);
    let cx = match &waiting.note.parcel.role {
        Some(role) => super::role::may_assume(&cx, &waiting.note.by, &waiting.note.source_arn, role).await?,
        None => cx,
    };
    Ok((cx, arn))
}

/// The value of an attribute: text, or bytes.
fn value(attribute: &Attribute) -> Result<(Option<String>, Option<Blob>), Error> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    match attribute.kind.split('.').next() {
        Some("Binary") => {
            let bytes = STANDARD.decode(&attribute.value);
            Ok((None, Some(Blob(bytes.map_err(|e| Error::failed("read a binary attribute", e))?))))
        }
        _ => Ok((Some(attribute.value.clone()), None)),
    }
}

/// Sends a message to a queue.
pub async fn to_queue(platform: &Arc<Platform>, scope: &Scope, waiting: &Undelivered, arn: &str) -> Result<(), Error> {
    use kiln_sqs_shapes::{MessageAttributeValue, SendMessageRequest};
    let (cx, arn) = context(platform, scope, waiting, arn).await?;
    let parcel = &waiting.note.parcel;
    let one = |attribute: &Attribute| {
        let (string_value, binary_value) = value(attribute)?;
        let data_type = attribute.kind.clone();
        let value = MessageAttributeValue { string_value, binary_value, data_type, ..Default::default() };
        Ok::<_, Error>((attribute.name.clone(), value))
    };
    let sent = cx.call(SendMessageRequest {
        queue_url: format!("http://sqs.localhost/{}/{}", arn.account(), arn.resource()),
        message_body: parcel.body.clone(),
        message_attributes: parcel.attributes.iter().map(one).collect::<Result<_, _>>()?,
        ..Default::default()
    });
    sent.await.map(drop)
}

/// Publishes to a topic.
pub async fn to_topic(platform: &Arc<Platform>, scope: &Scope, waiting: &Undelivered, arn: &str) -> Result<(), Error> {
    use kiln_sns_shapes::{MessageAttributeValue, PublishRequest};
    let (cx, arn) = context(platform, scope, waiting, arn).await?;
    let parcel = &waiting.note.parcel;
    let one = |attribute: &Attribute| {
        let (string_value, binary_value) = value(attribute)?;
        let data_type = attribute.kind.clone();
        Ok::<_, Error>((attribute.name.clone(), MessageAttributeValue { data_type, string_value, binary_value }))
    };
    let published = cx.call(PublishRequest {
        topic_arn: Some(arn.as_str().to_owned()),
        message: parcel.body.clone(),
        subject: parcel.subject.clone(),
        message_attributes: parcel.attributes.iter().map(one).collect::<Result<_, _>>()?,
        ..Default::default()
    });
    published.await.map(drop)
}

/// Puts an event on a bus: the body is its detail, the attributes `source` and `detail-type` say what it is.
pub async fn to_bus(platform: &Arc<Platform>, scope: &Scope, waiting: &Undelivered, arn: &str) -> Result<(), Error> {
    use kiln_events_shapes::{PutEventsRequest, PutEventsRequestEntry};
    let (cx, arn) = context(platform, scope, waiting, arn).await?;
    let parcel = &waiting.note.parcel;
    let said = |name: &str| parcel.attributes.iter().find(|a| a.name == name).map(|attribute| attribute.value.clone());
    let entry = PutEventsRequestEntry {
        event_bus_name: Some(arn.as_str().to_owned()),
        source: said("source"),
        detail_type: said("detail-type"),
        detail: Some(parcel.body.clone()),
        ..Default::default()
    };
    let answer = cx.call(PutEventsRequest { entries: vec![entry], endpoint_id: None }).await?;
    match answer.entries.into_iter().find_map(|entry| entry.error_code.map(|code| (code, entry.error_message))) {
        Some((code, message)) => Err(Error::sender(code, message.unwrap_or_default())),
        None => Ok(()),
    }
}
