//! What a message may be, and what is kept of it. Source: SQS API Reference, SendMessage; SQS Developer Guide, "Amazon
//! SQS message metadata" and "Amazon SQS message quotas".

use crate::digest;
use crate::errors::{missing, parameter, value};
use crate::messages::{Attribute, Kept, NewMessage};
use crate::settings::Settings;
use base64::{Engine, engine::general_purpose::STANDARD};
use kiln_service_kit::{Cx, Error, Map};
use kiln_sqs_shapes::{MessageAttributeValue, MessageSystemAttributeValue, SendMessageBatchRequestEntry};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Attributes of one message.
const MOST_ATTRIBUTES: usize = 10;
/// Bytes of an attribute's name, and of its type.
const LONGEST_NAME: usize = 256;
/// Characters of a group's or a deduplication id.
const LONGEST_ID: usize = 128;
/// Seconds that a message can be delayed.
const LONGEST_DELAY: i32 = 900;

/// A message that is sent, as one request or one entry of a batch has it.
pub struct Draft<'r> {
    pub body: &'r str,
    pub delay: Option<i32>,
    pub attributes: &'r Map<MessageAttributeValue>,
    pub system: &'r Map<MessageSystemAttributeValue>,
    pub deduplication: Option<&'r str>,
    pub group: Option<&'r str>,
}

impl<'r> From<&'r SendMessageBatchRequestEntry> for Draft<'r> {
    fn from(entry: &'r SendMessageBatchRequestEntry) -> Self {
        Self {
            body: &entry.message_body,
            delay: entry.delay_seconds,
            attributes: &entry.message_attributes,
            system: &entry.message_system_attributes,
            deduplication: entry.message_deduplication_id.as_deref(),
            group: entry.message_group_id.as_deref(),
        }
    }
}

/// What clients check of a message that was taken.
#[derive(Debug, Clone)]
pub struct Digests {
    pub body: String,
    pub attributes: Option<String>,
    pub system: Option<String>,
}

impl Draft<'_> {
    /// Bytes that count.
    pub fn size(&self) -> usize {
        let of = |attribute: &MessageAttributeValue| {
            let text = attribute.string_value.as_ref().map_or(0, String::len);
            let binary = attribute.binary_value.as_ref().map_or(0, |binary| binary.0.len());
            attribute.data_type.len() + text + binary
        };
        self.body.len() + self.attributes.iter().map(|(name, value)| name.len() + of(value)).sum::<usize>()
    }

    /// Checks it for a queue with these settings.
    pub fn check(&self, cx: &Cx, settings: &Settings) -> Result<(NewMessage, Digests), Error> {
        if self.body.is_empty() {
            return Err(missing("MessageBody"));
        }
        if self.size() > usize::try_from(settings.maximum_size).unwrap_or(0) {
            let most = settings.maximum_size;
            let text =
                format!("One or more parameters are invalid. Reason: Message must be shorter than {most} bytes.");
            return Err(parameter(text));
        }
        if !self.body.chars().all(is_allowed) {
            return Err(Error::sender("InvalidMessageContents", ALLOWED));
        }
        let attributes = attributes(self.attributes)?;
        let trace = trace(self.system)?;
        let delay = self.delay(settings)?;
        for (id, of) in [(self.deduplication, "MessageDeduplicationId"), (self.group, "MessageGroupId")] {
            if let Some(id) = id {
                check_id(id, of)?;
            }
        }
        let (deduplication, same) = self.sameness(settings)?;
        let md5 = digest::of_text(self.body);
        let system = trace.as_ref().map(|trace| Attribute {
            kind: "String".to_owned(),
            text: Some(trace.clone()),
            binary: None,
        });
        let digests = Digests {
            body: md5.clone(),
            attributes: digest::of_attributes(attributes.iter().map(|(name, value)| (name.as_str(), value))),
            system: digest::of_attributes(system.iter().map(|value| (TRACE, value))),
        };
        let kept = Kept {
            id: cx.ids().uuid(),
            body: self.body.to_owned(),
            md5,
            attributes,
            sender: cx.caller().user_id.clone(),
            trace,
            group: self.group.map(str::to_owned),
            deduplication,
            sealed: settings.managed_sse,
        };
        Ok((NewMessage { kept, delay, same }, digests))
    }

    /// Milliseconds that it is delayed by itself.
    fn delay(&self, settings: &Settings) -> Result<i64, Error> {
        let delay = match self.delay {
            None if settings.fifo.is_some() => 0,
            None => settings.delay,
            Some(delay) if settings.fifo.is_some() && delay != 0 => {
                return Err(value(delay, "DelaySeconds", WRONG_TYPE));
            }
            Some(delay) if !(0..=LONGEST_DELAY).contains(&delay) => {
                let reason = format!("DelaySeconds must be >= 0 and <= {LONGEST_DELAY}.");
                return Err(value(delay, "DelaySeconds", reason));
            }
            Some(delay) => i64::from(delay),
        };
        Ok(delay * 1_000)
    }

    /// Of a FIFO queue's message: its deduplication id, and what makes another the same.
    fn sameness(&self, settings: &Settings) -> Result<(Option<String>, Option<Vec<u8>>), Error> {
        let Some(fifo) = settings.fifo else {
            if let Some(id) = self.deduplication {
                return Err(value(id, "MessageDeduplicationId", WRONG_TYPE));
            }
            return match self.group {
                Some(_) => Err(Error::not_built("sqs: MessageGroupId of a standard queue (fair queues)")),
                None => Ok((None, None)),
            };
        };
        let group = self.group.ok_or_else(|| missing("MessageGroupId"))?;
        let id = match self.deduplication {
            Some(id) => id.to_owned(),
            None if fifo.content_based => hex::encode(Sha256::digest(self.body.as_bytes())),
            None => {
                let text = "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId \
                            provided explicitly";
                return Err(parameter(text));
            }
        };
        let scope = if fifo.per_group { group } else { "" };
        // The length keeps a group and an id apart that another pair would spell alike.
        let key = format!("{}:{scope}{id}", scope.len());
        Ok((Some(id), Some(key.into_bytes())))
    }
}

/// The one system attribute that is sent.
pub const TRACE: &str = "AWSTraceHeader";

const WRONG_TYPE: &str = "The request include parameter that is not valid for this queue type.";

const ALLOWED: &str = "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | \
                       #xE000 to #xFFFD | #x10000 to #x10FFFF";

fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

pub fn check_id(id: &str, of: &str) -> Result<(), Error> {
    let good = !id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(|byte| byte.is_ascii_graphic());
    let reason = || format!("{of} can only include alphanumeric and punctuation characters. 1 to 128 in length.");
    if good { Ok(()) } else { Err(value(id, of, reason())) }
}

fn attributes(given: &Map<MessageAttributeValue>) -> Result<BTreeMap<String, Attribute>, Error> {
    if given.len() > MOST_ATTRIBUTES {
        let count = given.len();
        let text = format!("Number of message attributes [{count}] exceeds the allowed maximum [{MOST_ATTRIBUTES}].");
        return Err(parameter(text));
    }
    given.iter().map(|(name, value)| Ok((name.clone(), attribute(name, value)?))).collect()
}

fn attribute(name: &str, given: &MessageAttributeValue) -> Result<Attribute, Error> {
    check_name(name)?;
    if !given.string_list_values.is_empty() || !given.binary_list_values.is_empty() {
        let text =
            format!("Message (user) attribute '{name}': list values in message (user) attributes are not supported.");
        return Err(parameter(text));
    }
    let kind = given.data_type.as_str();
    if kind.len() > LONGEST_NAME {
        return Err(parameter("Message (user) attribute types must be shorter than 256 Bytes"));
    }
    let base = kind.split('.').next().unwrap_or(kind);
    let empty = || {
        let text = format!("Message (user) attribute '{name}' must contain a non-empty value of type '{base}'.");
        parameter(text)
    };
    match (base, &given.string_value, &given.binary_value) {
        ("String" | "Number", Some(_), Some(_)) | ("Binary", Some(_), Some(_)) => {
            Err(parameter(format!("Message (user) attribute '{name}' has multiple values.")))
        }
        ("String" | "Number", Some(text), None) if !text.is_empty() => {
            if !text.chars().all(is_allowed) {
                return Err(parameter(ALLOWED));
            }
            if base == "Number" && !is_number(text) {
                let text = format!("Can't cast the value of message (user) attribute '{name}' to a number.");
                return Err(parameter(text));
            }
            Ok(Attribute { kind: kind.to_owned(), text: Some(text.clone()), binary: None })
        }
        ("Binary", None, Some(binary)) if !binary.0.is_empty() => {
            Ok(Attribute { kind: kind.to_owned(), text: None, binary: Some(STANDARD.encode(&binary.0)) })
        }
        ("String" | "Number" | "Binary", ..) => Err(empty()),
        _ => {
            let text = format!(
                "The type of message (user) attribute '{name}' is invalid. You must use only the following supported \
                 type prefixes: Binary, Number, String."
            );
            Err(parameter(text))
        }
    }
}

/// Up to 38 digits of precision, between -10^128 and 10^126.
fn is_number(text: &str) -> bool {
    let good = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
    let number: Option<f64> = Some(text).filter(|text| text.chars().all(good)).and_then(|text| text.parse().ok());
    let digits = text.split(['e', 'E']).next().unwrap_or("").bytes().filter(u8::is_ascii_digit);
    let digits = digits.skip_while(|digit| *digit == b'0').count();
    number.is_some_and(|number| number.is_finite() && number.abs() <= 1e128) && digits <= 38
}

fn check_name(name: &str) -> Result<(), Error> {
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Err(parameter("Message (user) attribute names must be shorter than 256 Bytes"));
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)) {
        let text = "Message (user) attributes name can only contain upper and lower score characters, digits, periods, \
                    hyphens and underscores. ";
        return Err(parameter(text));
    }
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("aws.") || lower.starts_with("amazon.") || name.starts_with('.') || name.ends_with('.') {
        let text = "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These strings are \
                    reserved for internal use. Additionally, they cannot start or end with '.'.";
        return Err(parameter(text));
    }
    match name.contains("..") {
        true => Err(parameter("Message (user) attribute name can not have successive '.' characters.")),
        false => Ok(()),
    }
}

/// The header of a trace, the only system attribute that can be sent.
fn trace(given: &Map<MessageSystemAttributeValue>) -> Result<Option<String>, Error> {
    let mut trace = None;
    for (name, attribute) in given {
        if name != TRACE {
            let text = format!("Message system attribute name '{name}' is invalid.");
            return Err(parameter(text));
        }
        let good = attribute.data_type == "String"
            && attribute.binary_value.is_none()
            && attribute.string_list_values.is_empty()
            && attribute.binary_list_values.is_empty();
        let text =
            attribute.string_value.as_ref().filter(|text| good && !text.is_empty() && text.chars().all(is_allowed));
        let text = text.filter(|text| text.len() <= LONGEST_TRACE);
        let wrong =
            || parameter(format!("Message system attribute '{TRACE}' must be a trace header of type 'String'."));
        trace = Some(text.ok_or_else(wrong)?.clone());
    }
    Ok(trace)
}

/// Bytes of a trace header; X-Ray's are some hundred.
const LONGEST_TRACE: usize = 1_024;
