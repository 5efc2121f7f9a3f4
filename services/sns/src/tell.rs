//! Who is told what: of a publication a note for each subscription that wants it, of a subscription the question whether it
//! is wanted. What a note says is final here; how and when it is carried is `kiln-delivery`'s.

use crate::PRINCIPAL;
use crate::delivery_policy::effective;
use crate::envelope::{Confirmation, Published};
use crate::filter::Filter;
use crate::links::{certificate_url, link};
use crate::message::Message;
use crate::names::TopicName;
use crate::records::{Subscription, Topic};
use crate::signer::{Keys, Signer};
use crate::subscription_attributes::{dead_letters, filter};
use kiln_delivery::{Address, Note, Parcel, Policy, Reach, can_carry};
use kiln_service_kit::{Cx, Error, Timestamp};
use std::collections::HashMap;
use std::sync::Arc;

/// What SNS calls itself to endpoints.
const AGENT: &str = "Amazon Simple Notification Service Agent";
/// The subject of mails that have none.
const NO_SUBJECT: &str = "AWS Notification Message";

/// The version of a topic's signatures.
pub fn version(topic: &Topic) -> &str {
    topic.signature_version.as_deref().unwrap_or("1")
}

/// A message as it goes out to a topic's subscriptions.
pub struct Publication {
    pub message: Message,
    pub id: String,
}

/// The notes of some publications, for those subscriptions of the topic that want them.
/// And how many notifications filters held back.
pub async fn notes(
    cx: &Cx,
    name: &TopicName,
    topic: &Topic,
    publications: &[Publication],
) -> Result<(Vec<Note>, u64), Error> {
    let now = cx.now();
    let all = cx.store().list_prefix::<Subscription>(&name.scope, &name.subscriptions())?;
    let mut told: Vec<(Arc<Subscription>, Option<Filter>)> = vec![];
    for (_, subscription) in all {
        if subscription.pending.is_none() {
            let filter = filter(&subscription.attributes)?;
            told.push((subscription, filter));
        }
    }
    if told.is_empty() {
        return Ok((vec![], 0));
    }
    let signer = cx.part::<Signer>()?;
    let signs = |subscription: &Subscription| !subscription.attributes.raw && subscription.protocol != "email";
    // The key is made when the first message needs it.
    let keys = match told.iter().any(|(subscription, _)| signs(subscription)) {
        true => Some(signer.keys().await?),
        false => None,
    };
    let (mut notes, mut filtered) = (vec![], 0);
    for Publication { message, id } in publications {
        let published = Published { topic: name, message, id, at: now, version: version(topic) };
        let mut teller =
            Teller { signer: &signer, keys: keys.as_deref(), topic, published, signatures: HashMap::new() };
        let attributes = message.as_object();
        let mut bodies: HashMap<&str, Option<serde_json::Value>> = HashMap::new();
        for (subscription, filter) in &told {
            let text = message.text_for(&subscription.protocol);
            let wanted = match filter {
                None => true,
                Some(filter) if filter.on_body => {
                    filter.matches(bodies.entry(text).or_insert_with(|| serde_json::from_str(text).ok()).as_ref())
                }
                Some(filter) => filter.matches(Some(&attributes)),
            };
            match wanted {
                true => notes.push(teller.note(subscription, text)?),
                false => filtered += 1,
            }
        }
    }
    Ok((notes, filtered))
}

struct Teller<'t> {
    signer: &'t Signer,
    keys: Option<&'t Keys>,
    topic: &'t Topic,
    published: Published<'t>,
    /// Of each text one: it costs a millisecond.
    signatures: HashMap<String, String>,
}

impl Teller<'_> {
    fn note(&mut self, subscription: &Subscription, text: &str) -> Result<Note, Error> {
        let name = self.published.topic;
        let unsubscribe = link(
            self.signer,
            &[("Action", "Unsubscribe"), ("SubscriptionArn", &name.subscription_arn(&subscription.id))],
        );
        let message = self.published.message;
        let mut parcel = Parcel::default();
        match subscription.protocol.as_str() {
            "email" => {
                parcel.body = mail(text, &unsubscribe);
                parcel.subject = Some(message.subject.clone().unwrap_or_else(|| NO_SUBJECT.to_owned()));
                parcel.sender = Some(sender(self.topic));
            }
            "email-json" => {
                parcel.body = self.enveloped(text, &unsubscribe)?;
                parcel.subject = Some(message.subject.clone().unwrap_or_else(|| NO_SUBJECT.to_owned()));
                parcel.sender = Some(sender(self.topic));
            }
            _ if subscription.attributes.raw => {
                parcel.body = text.to_owned();
                parcel.attributes = message.attributes.clone();
            }
            _ => parcel.body = self.enveloped(text, &unsubscribe)?,
        }
        let effective = effective(self.topic.delivery_policy.as_deref(), subscription.attributes.delivery.as_deref())?;
        if subscription.protocol == "http" {
            // Attributes of raw messages do not go to HTTP endpoints.
            parcel.attributes.clear();
            parcel.headers = headers("Notification", self.published.id, name, effective.content_type());
            parcel.headers.push(("x-amz-sns-subscription-arn".to_owned(), name.subscription_arn(&subscription.id)));
            if subscription.attributes.raw {
                parcel.headers.push(("x-amz-sns-rawdelivery".to_owned(), "true".to_owned()));
            }
        }
        let redrive = subscription.attributes.redrive.as_deref();
        Ok(Note {
            dead_letter: redrive.map(|text| dead_letters(text, name)).transpose()?,
            policy: policy(subscription, effective.policy()),
            ..note(subscription, name, parcel)?
        })
    }

    fn enveloped(&mut self, text: &str, unsubscribe: &str) -> Result<String, Error> {
        let keys = self.keys.ok_or_else(|| Error::internal("a message is to be signed and there is no key"))?;
        if !self.signatures.contains_key(text) {
            self.signatures.insert(text.to_owned(), self.published.sign(keys, text)?);
        }
        let signature = &self.signatures[text];
        self.published.notification(text, signature, &certificate_url(self.signer, keys), unsubscribe)
    }
}

/// The question whether a subscription is wanted, with the token to answer it.
pub async fn confirmation(
    cx: &Cx,
    name: &TopicName,
    topic: &Topic,
    subscription: &Subscription,
    token: &str,
    at: Timestamp,
) -> Result<Note, Error> {
    let signer = cx.part::<Signer>()?;
    let subscribe = link(&signer, &[("Action", "ConfirmSubscription"), ("TopicArn", &name.arn), ("Token", token)]);
    let id = cx.ids().uuid();
    let mut parcel = Parcel::default();
    let asked = Confirmation { topic: name, id: &id, token, at, version: version(topic), subscribe_url: &subscribe };
    if subscription.protocol == "email" {
        parcel.body = format!(
            "You have chosen to subscribe to the topic:\n{}\n\nTo confirm this subscription, visit the link below (if this \
             was a mistake, nothing needs to be done):\n{subscribe}\n",
            name.arn
        );
    } else {
        let keys = signer.keys().await?;
        parcel.body = asked.written(&keys, &certificate_url(&signer, &keys))?;
    }
    if subscription.protocol.starts_with("email") {
        parcel.subject = Some("AWS Notification - Subscription Confirmation".to_owned());
        parcel.sender = Some(sender(topic));
    }
    let effective = effective(topic.delivery_policy.as_deref(), subscription.attributes.delivery.as_deref())?;
    if subscription.protocol == "http" {
        parcel.headers = headers("SubscriptionConfirmation", &id, name, effective.content_type());
    }
    Ok(Note { policy: policy(subscription, effective.policy()), ..note(subscription, name, parcel)? })
}

fn note(subscription: &Subscription, name: &TopicName, parcel: Parcel) -> Result<Note, Error> {
    Ok(Note {
        to: address(&subscription.protocol, &subscription.endpoint, subscription.reach.unwrap_or(Reach::Outside))?,
        by: PRINCIPAL.to_owned(),
        source_arn: name.arn.clone(),
        parcel,
        policy: Policy::INSIDE,
        dead_letter: None,
    })
}

fn policy(subscription: &Subscription, http: Policy) -> Policy {
    match subscription.protocol.as_str() {
        "http" => http,
        "sqs" => Policy::INSIDE,
        _ => Policy::MAIL,
    }
}

/// Where a subscription's messages go.
pub fn address(protocol: &str, endpoint: &str, reach: Reach) -> Result<Address, Error> {
    match protocol {
        "sqs" => can_carry(endpoint),
        "http" => Address::http(endpoint, reach),
        "email" | "email-json" => Ok(Address::Mailbox(endpoint.to_owned())),
        other => Err(Error::not_built(format!("the protocol {other} of sns subscriptions"))),
    }
}

fn headers(kind: &str, id: &str, name: &TopicName, content_type: &str) -> Vec<(String, String)> {
    let all = [
        ("x-amz-sns-message-type", kind),
        ("x-amz-sns-message-id", id),
        ("x-amz-sns-topic-arn", &name.arn),
        ("content-type", content_type),
        ("user-agent", AGENT),
    ];
    all.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

fn sender(topic: &Topic) -> String {
    let name = if topic.display_name.is_empty() { "AWS Notifications" } else { &topic.display_name };
    format!("{name} <no-reply@sns.amazonaws.com>")
}

fn mail(text: &str, unsubscribe: &str) -> String {
    format!(
        "{text}\n\n--\nIf you wish to stop receiving notifications from this topic, visit the link below to \
         unsubscribe:\n{unsubscribe}\n"
    )
}
