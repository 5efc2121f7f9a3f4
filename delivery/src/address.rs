//! What a note can be addressed to. Kinds that nobody carries yet are refused by name, when the rule, the alarm or the
//! subscription is made.

use crate::Reach;
use kiln_service_kit::{Arn, Error};
use serde::{Deserialize, Serialize};

/// The longest URL that is taken.
const LONGEST_URL: usize = 2_048;

/// Where a note goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Address {
    /// An SQS queue, by its ARN.
    Queue(String),
    /// An SNS topic, by its ARN.
    Topic(String),
    /// An event bus, by its ARN. [`can_carry`] does not give one: who tells a bus something must say what the event is.
    Bus(String),
    /// An HTTP endpoint, and who named it: that says where kiln may connect to.
    Http { url: String, reach: Reach },
    /// A mailbox of this host: nothing leaves it.
    Mailbox(String),
}

impl Address {
    /// What notes to the same place have in common, within an account.
    pub fn lane(&self) -> &str {
        match self {
            Self::Queue(to) | Self::Topic(to) | Self::Bus(to) | Self::Mailbox(to) | Self::Http { url: to, .. } => to,
        }
    }

    /// Whether it is a part of kiln itself.
    pub fn is_inside(&self) -> bool {
        !matches!(self, Self::Http { .. })
    }

    /// An endpoint that a caller named.
    ///
    /// # Errors
    /// It is no URL of an endpoint, or one of `https`, which is not built; the words are for a developer, the service
    /// wraps them in its own.
    pub fn http(url: &str, reach: Reach) -> Result<Self, Error> {
        let wrong = |why: &str| Error::sender("InvalidParameter", why.to_owned());
        if url.len() > LONGEST_URL {
            return Err(wrong("the URL is too long"));
        }
        if url.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://")) {
            return Err(Error::not_built("delivery to https endpoints (http is served)"));
        }
        let parsed: http::Uri = url.parse().map_err(|_| wrong("it is no URL"))?;
        if parsed.scheme_str() != Some("http") || parsed.host().is_none_or(str::is_empty) {
            return Err(wrong("it is no http URL with a host"));
        }
        reach.check_written(parsed.host().unwrap_or_default())?;
        Ok(Self::Http { url: url.to_owned(), reach })
    }
}

/// The address that an ARN names; whoever makes a rule with targets asks before it keeps one.
///
/// # Errors
/// Not an ARN (`InvalidParameter`), or one of a kind that nobody carries to (`NotImplemented`, by name).
pub fn can_carry(arn: &str) -> Result<Address, Error> {
    let parsed: Arn = arn.parse().map_err(|_| Error::sender("InvalidParameter", format!("Invalid ARN: {arn}")))?;
    let refuse = |what: &str| Err(Error::not_built(format!("delivery to {what} ({arn})")));
    match parsed.service() {
        "sqs" if parsed.resource().ends_with(".fifo") => refuse("FIFO queues"),
        "sqs" => Ok(Address::Queue(arn.to_owned())),
        "sns" if parsed.resource().ends_with(".fifo") => refuse("FIFO topics"),
        "sns" if !parsed.resource().contains(':') => Ok(Address::Topic(arn.to_owned())),
        "sns" => refuse("subscriptions and platform endpoints"),
        "lambda" => refuse("functions"),
        "logs" => refuse("log groups"),
        "autoscaling" => refuse("Auto Scaling policies"),
        "automate" | "ec2" => refuse("EC2 actions"),
        "states" => refuse("state machines"),
        "firehose" | "kinesis" => refuse("streams"),
        "events" => refuse("event buses"),
        "ssm" | "ssm-incidents" => refuse("Systems Manager's actions"),
        other => refuse(&format!("targets of {other}")),
    }
}
