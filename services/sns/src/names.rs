//! ARNs of topics and subscriptions, and names of topics. Source: Amazon SNS API Reference, CreateTopic.

use crate::errors::{closed, invalid, no_subscription, no_topic};
use crate::records::{Subscription, Topic};
use kiln_service_kit::{Arn, Cx, Error, Scope, Store, StoreError, Tx};
use std::sync::Arc;

/// 256 letters, digits, hyphens and underscores. A name that ends in `.fifo` is one of a FIFO topic.
pub fn check_name(name: &str) -> Result<(), Error> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let bare = name.strip_suffix(".fifo").unwrap_or(name);
    match !bare.is_empty() && name.len() <= 256 && bare.chars().all(good) {
        true => Ok(()),
        false => Err(invalid("Topic Name")),
    }
}

/// A topic that a caller named: where it is kept, and by which name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicName {
    pub scope: Scope,
    pub name: String,
    pub arn: String,
}

impl TopicName {
    /// Reads an ARN. Topics of another region are asked for there.
    pub fn parse(cx: &Cx, arn: &str) -> Result<Self, Error> {
        let bad = |reason: &str| invalid(format_args!("TopicArn Reason: {reason}"));
        let parsed: Arn = arn.parse().map_err(|_| bad("An ARN must have at least 6 elements, not 1"))?;
        let account = parsed.account();
        if parsed.service() != "sns" || account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
            return Err(invalid("TopicArn"));
        }
        check_name(parsed.resource()).map_err(|_| invalid("TopicArn"))?;
        if parsed.region() != cx.region() {
            return Err(invalid("TopicArn"));
        }
        let scope = Scope::new(account, parsed.region());
        Ok(Self { scope, name: parsed.resource().to_owned(), arn: arn.to_owned() })
    }

    /// One of this account and region.
    pub fn own(cx: &Cx, name: &str) -> Self {
        Self { scope: cx.scope().clone(), name: name.to_owned(), arn: cx.arn("sns", name) }
    }

    /// The topic; that of another account only where the call was let in to it.
    pub fn find(&self, cx: &Cx) -> Result<Arc<Topic>, Error> {
        self.check_owner(cx)?;
        cx.store().get::<Topic>(&self.scope, &self.name)?.ok_or_else(no_topic)
    }

    /// The same in a transaction.
    pub fn find_in(&self, cx: &Cx, tx: &Tx<'_>) -> Result<Arc<Topic>, Error> {
        self.check_owner(cx)?;
        tx.get::<Topic>(&self.scope, &self.name)?.ok_or_else(no_topic)
    }

    fn check_owner(&self, cx: &Cx) -> Result<(), Error> {
        match *self.scope.account == *cx.account() || cx.is_let_in(&self.arn, &self.scope.account) {
            true => Ok(()),
            false => Err(closed()),
        }
    }

    /// How the ids begin of its subscriptions.
    pub fn subscriptions(&self) -> String {
        format!("{}/", self.name)
    }

    /// The ARN of one of its subscriptions.
    pub fn subscription_arn(&self, id: &str) -> String {
        format!("{}:{id}", self.arn)
    }
}

/// A subscription that a caller named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionName {
    pub topic: TopicName,
    /// Its id in the store.
    pub id: String,
}

impl SubscriptionName {
    /// Reads an ARN.
    pub fn parse(cx: &Cx, arn: &str) -> Result<Self, Error> {
        let bad = || invalid("SubscriptionArn");
        let (topic, id) = arn.rsplit_once(':').ok_or_else(bad)?;
        let topic = TopicName::parse(cx, topic).map_err(|_| {
            let reason = format!("An ARN must have at least 6 elements, not {}", arn.split(':').count());
            if arn.split(':').count() < 6 { invalid(format_args!("SubscriptionArn Reason: {reason}")) } else { bad() }
        })?;
        if id.len() != 36 || !id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') {
            return Err(bad());
        }
        let id = format!("{}{id}", topic.subscriptions());
        Ok(Self { topic, id })
    }

    /// The subscription; only for the topic's owner and its own.
    pub fn find(&self, cx: &Cx) -> Result<Arc<Subscription>, Error> {
        let found = get(cx.store(), &self.topic.scope, &self.id)?.filter(|it| !it.has_lapsed(cx.now()));
        self.judged(cx, found)
    }

    /// The same in a transaction.
    pub fn find_in(&self, cx: &Cx, tx: &Tx<'_>) -> Result<Arc<Subscription>, Error> {
        let found = tx.get::<Subscription>(&self.topic.scope, &self.id)?.filter(|it| !it.has_lapsed(tx.now()));
        self.judged(cx, found)
    }

    fn judged(&self, cx: &Cx, found: Option<Arc<Subscription>>) -> Result<Arc<Subscription>, Error> {
        let of_topic = *self.topic.scope.account == *cx.account();
        match found {
            Some(subscription) if of_topic || subscription.owner == cx.account() => Ok(subscription),
            None if of_topic => Err(no_subscription()),
            _ => Err(closed()),
        }
    }
}

fn get(store: &Store, scope: &Scope, id: &str) -> Result<Option<Arc<Subscription>>, StoreError> {
    store.get::<Subscription>(scope, id)
}
