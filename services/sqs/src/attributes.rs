//! Attributes of a queue as a request gives them: AWS's names, ranges and refusals. Source: SQS API Reference, CreateQueue
//! and SetQueueAttributes.

use crate::errors::{attribute_name, attribute_value};
use crate::policy;
use crate::settings::{Allow, Fifo, NUMBERS, Redrive, Settings};
use kiln_service_kit::{Cx, Error, Map, Scope};

/// What can be read and not be set.
const READ_ONLY: [&str; 6] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
];

/// What can be set, beside the numbers.
const OTHERS: [&str; 10] = [
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "Policy",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
];

impl Settings {
    /// Takes attributes over, of a queue of that name that is there or is being made.
    pub fn take(&mut self, cx: &Cx, scope: &Scope, name: &str, attributes: &Map<String>) -> Result<(), Error> {
        for (attribute, text) in attributes {
            self.take_one(cx, scope, name, attribute, text)?;
        }
        match self.fifo {
            Some(Fifo { limit_per_group: true, per_group: false, .. }) => Err(attribute_value("FifoThroughputLimit")),
            _ => Ok(()),
        }
    }

    fn take_one(&mut self, cx: &Cx, scope: &Scope, name: &str, attribute: &str, text: &str) -> Result<(), Error> {
        if let Some(number) = NUMBERS.iter().find(|number| number.name == attribute) {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            let value: Option<i64> = text.parse().ok().filter(|_| digits);
            let value = value.filter(|value| (number.least..=number.most).contains(value));
            *(number.of)(self) = value.ok_or_else(|| attribute_value(attribute))?;
            return Ok(());
        }
        let is_fifo = self.fifo.is_some();
        match attribute {
            "FifoQueue" if !is_fifo => Err(attribute_name(attribute)),
            // What it is, it stays.
            "FifoQueue" => {
                if flag(attribute, text)? {
                    Ok(())
                } else {
                    Err(attribute_value(attribute))
                }
            }
            "ContentBasedDeduplication" | "DeduplicationScope" | "FifoThroughputLimit" => {
                let fifo = self.fifo.as_mut().ok_or_else(|| attribute_name(attribute))?;
                match (attribute, text) {
                    ("ContentBasedDeduplication", text) => fifo.content_based = flag(attribute, text)?,
                    ("DeduplicationScope", "queue" | "messageGroup") => fifo.per_group = text == "messageGroup",
                    ("FifoThroughputLimit", "perQueue" | "perMessageGroupId") => {
                        fifo.limit_per_group = text == "perMessageGroupId";
                    }
                    _ => return Err(attribute_value(attribute)),
                }
                Ok(())
            }
            "Policy" => {
                self.policy = given(text).map(|text| policy::check(cx, text)).transpose()?;
                Ok(())
            }
            "RedrivePolicy" => {
                let read = |text| Redrive::read(cx, scope, name, is_fifo, text);
                self.redrive = given(text).map(read).transpose()?;
                Ok(())
            }
            "RedriveAllowPolicy" => {
                self.redrive_allow = given(text).map(|text| Allow::read(cx, text)).transpose()?;
                Ok(())
            }
            "SqsManagedSseEnabled" => {
                self.managed_sse = flag(attribute, text)?;
                Ok(())
            }
            "KmsMasterKeyId" if text.is_empty() => Ok(()),
            "KmsMasterKeyId" => Err(Error::not_built("sqs: the queue attribute KmsMasterKeyId")),
            // The default, which says nothing without a key.
            "KmsDataKeyReusePeriodSeconds" if matches!(text, "" | "300") => Ok(()),
            "KmsDataKeyReusePeriodSeconds" => {
                Err(Error::not_built("sqs: the queue attribute KmsDataKeyReusePeriodSeconds"))
            }
            _ => Err(attribute_name(attribute)),
        }
    }
}

/// Whether a name is one of an attribute's.
pub fn is_attribute(name: &str) -> bool {
    READ_ONLY.contains(&name) || OTHERS.contains(&name) || NUMBERS.iter().any(|number| number.name == name)
}

/// An empty text takes away what was there.
fn given(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.trim().is_empty())
}

fn flag(attribute: &str, text: &str) -> Result<bool, Error> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(attribute_value(attribute)),
    }
}
