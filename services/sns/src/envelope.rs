//! What subscribers read: the JSON of notifications and of confirmations, with its signature. Source: Amazon SNS Developer
//! Guide, "Parsing Amazon SNS message formats" and "Verifying the signatures of Amazon SNS messages".

use crate::message::Message;
use crate::names::TopicName;
use crate::signer::Keys;
use kiln_service_kit::{Error, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;

/// A message's members, in the order that SNS writes them in.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<'e> {
    r#type: &'static str,
    message_id: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'e str>,
    topic_arn: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'e str>,
    message: &'e str,
    #[serde(rename = "SubscribeURL", skip_serializing_if = "Option::is_none")]
    subscribe_url: Option<&'e str>,
    timestamp: &'e str,
    signature_version: &'e str,
    signature: &'e str,
    #[serde(rename = "SigningCertURL")]
    signing_cert_url: &'e str,
    #[serde(rename = "UnsubscribeURL", skip_serializing_if = "Option::is_none")]
    unsubscribe_url: Option<&'e str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    message_attributes: BTreeMap<&'e str, Attribute<'e>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute<'e> {
    r#type: &'e str,
    value: &'e str,
}

/// What all notifications of one publication have in common.
pub struct Published<'p> {
    pub topic: &'p TopicName,
    pub message: &'p Message,
    pub id: &'p str,
    pub at: Timestamp,
    /// `1` (SHA1) or `2` (SHA256).
    pub version: &'p str,
}

impl Published<'_> {
    /// The signature of a notification with this text.
    pub fn sign(&self, keys: &Keys, text: &str) -> Result<String, Error> {
        let at = self.at.iso8601_millis();
        let mut members = vec![("Message", text), ("MessageId", self.id)];
        members.extend(self.message.subject.as_deref().map(|subject| ("Subject", subject)));
        members.extend([("Timestamp", at.as_str()), ("TopicArn", &self.topic.arn), ("Type", "Notification")]);
        keys.sign(self.version, &to_sign(&members))
    }

    /// A notification.
    pub fn notification(&self, text: &str, signature: &str, cert: &str, unsubscribe: &str) -> Result<String, Error> {
        let of = |a: &'_ kiln_delivery::Attribute| -> (String, String, String) {
            (a.name.clone(), a.kind.clone(), a.value.clone())
        };
        let attributes: Vec<_> = self.message.attributes.iter().map(of).collect();
        written(&Envelope {
            r#type: "Notification",
            message_id: self.id,
            token: None,
            topic_arn: &self.topic.arn,
            subject: self.message.subject.as_deref(),
            message: text,
            subscribe_url: None,
            timestamp: &self.at.iso8601_millis(),
            signature_version: self.version,
            signature,
            signing_cert_url: cert,
            unsubscribe_url: Some(unsubscribe),
            message_attributes: attributes
                .iter()
                .map(|(name, kind, value)| (name.as_str(), Attribute { r#type: kind, value }))
                .collect(),
        })
    }
}

/// The question whether somebody wants to be told of a topic.
pub struct Confirmation<'c> {
    pub topic: &'c TopicName,
    pub id: &'c str,
    pub token: &'c str,
    pub at: Timestamp,
    pub version: &'c str,
    pub subscribe_url: &'c str,
}

impl Confirmation<'_> {
    /// Signed, as it is told.
    pub fn written(&self, keys: &Keys, cert: &str) -> Result<String, Error> {
        let at = self.at.iso8601_millis();
        let message = format!(
            "You have chosen to subscribe to the topic {}.\nTo confirm the subscription, visit the SubscribeURL included in this message.",
            self.topic.arn
        );
        let members = [
            ("Message", message.as_str()),
            ("MessageId", self.id),
            ("SubscribeURL", self.subscribe_url),
            ("Timestamp", &at),
            ("Token", self.token),
            ("TopicArn", &self.topic.arn),
            ("Type", "SubscriptionConfirmation"),
        ];
        let signature = keys.sign(self.version, &to_sign(&members))?;
        written(&Envelope {
            r#type: "SubscriptionConfirmation",
            message_id: self.id,
            token: Some(self.token),
            topic_arn: &self.topic.arn,
            subject: None,
            message: &message,
            subscribe_url: Some(self.subscribe_url),
            timestamp: &at,
            signature_version: self.version,
            signature: &signature,
            signing_cert_url: cert,
            unsubscribe_url: None,
            message_attributes: BTreeMap::new(),
        })
    }
}

/// Names and values, each on a line.
fn to_sign(members: &[(&str, &str)]) -> String {
    members.iter().map(|(name, value)| format!("{name}\n{value}\n")).collect()
}

fn written(envelope: &Envelope<'_>) -> Result<String, Error> {
    serde_json::to_string_pretty(envelope).map_err(|e| Error::failed("write a notification", e))
}
