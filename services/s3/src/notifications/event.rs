//! What can happen to an object, and which of it a rule is about. Source: Amazon S3 User Guide, "Event notification types
//! and destinations" and "Configuring event notifications using object key name filtering".

use serde::{Deserialize, Serialize};

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    Put,
    Copied,
    Completed,
    Deleted,
    Marked,
    /// By a rule of its bucket's lifecycle.
    Expired,
    ExpiredBehindMarker,
    Tagged,
    Untagged,
}

impl Event {
    /// AWS's name, as messages have it; rules have `s3:` before it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Put => "ObjectCreated:Put",
            Self::Copied => "ObjectCreated:Copy",
            Self::Completed => "ObjectCreated:CompleteMultipartUpload",
            Self::Deleted => "ObjectRemoved:Delete",
            Self::Marked => "ObjectRemoved:DeleteMarkerCreated",
            Self::Expired => "LifecycleExpiration:Delete",
            Self::ExpiredBehindMarker => "LifecycleExpiration:DeleteMarkerCreated",
            Self::Tagged => "ObjectTagging:Put",
            Self::Untagged => "ObjectTagging:Delete",
        }
    }

    /// The version of the message's structure.
    pub fn version(self) -> &'static str {
        match self {
            Self::Put | Self::Copied | Self::Completed | Self::Deleted | Self::Marked => "2.1",
            Self::Expired | Self::ExpiredBehindMarker | Self::Tagged | Self::Untagged => "2.3",
        }
    }

    /// Whether the lifecycle did it, and no caller.
    pub fn is_of_lifecycle(self) -> bool {
        matches!(self, Self::Expired | Self::ExpiredBehindMarker)
    }
}

/// What it happened to.
#[derive(Debug, Default)]
pub struct Thing<'t> {
    pub key: &'t str,
    /// Of what is there now.
    pub size: Option<u64>,
    pub etag: Option<&'t str>,
    pub version: Option<&'t str>,
}

/// Where a rule's messages go, by ARN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum To {
    Queue(String),
    Topic(String),
}

impl To {
    pub fn arn(&self) -> &str {
        match self {
            Self::Queue(arn) | Self::Topic(arn) => arn,
        }
    }
}

/// One of a bucket's rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    pub id: String,
    pub to: To,
    /// As they were put: `s3:ObjectCreated:*`.
    pub events: Vec<String>,
    /// How the key begins and ends; nothing: no filter was put.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suffix: Option<String>,
}

impl Rule {
    pub fn wants(&self, event: Event, key: &str) -> bool {
        self.events.iter().any(|wanted| covers(wanted, &format!("s3:{}", event.name())))
            && self.prefix.as_deref().is_none_or(|prefix| key.starts_with(prefix))
            && self.suffix.as_deref().is_none_or(|suffix| key.ends_with(suffix))
    }

    /// An event of each that they have in common, where some key is wanted by both.
    pub fn overlap<'r>(&'r self, other: &'r Self) -> Option<(&'r str, &'r str)> {
        let begins = |a: &Option<String>, b: &Option<String>| {
            let (a, b) = (a.as_deref().unwrap_or(""), b.as_deref().unwrap_or(""));
            a.starts_with(b) || b.starts_with(a)
        };
        let ends = |a: &Option<String>, b: &Option<String>| {
            let (a, b) = (a.as_deref().unwrap_or(""), b.as_deref().unwrap_or(""));
            a.ends_with(b) || b.ends_with(a)
        };
        if !begins(&self.prefix, &other.prefix) || !ends(&self.suffix, &other.suffix) {
            return None;
        }
        let pairs = self.events.iter().flat_map(|a| other.events.iter().map(move |b| (a.as_str(), b.as_str())));
        pairs.into_iter().find(|(a, b)| covers(a, b) || covers(b, a))
    }
}

/// Whether an event that a rule names is that one, or a family that it is of.
pub fn covers(wanted: &str, event: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(family) => event.starts_with(family),
        None => wanted == event,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(events: &[&str], prefix: &str, suffix: &str) -> Rule {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Rule {
            id: "r".into(),
            to: To::Queue("arn:aws:sqs:us-east-1:000000000000:q".into()),
            events: events.iter().map(|event| event.to_string()).collect(),
            prefix: some(prefix),
            suffix: some(suffix),
        }
    }

    #[test]
    fn a_rule_wants_its_events_of_its_keys() {
        let created = rule(&["s3:ObjectCreated:*", "s3:ObjectRemoved:Delete"], "images/", ".jpg");
        assert!(created.wants(Event::Put, "images/a.jpg"));
        assert!(created.wants(Event::Completed, "images/a.jpg"));
        assert!(created.wants(Event::Deleted, "images/a.jpg"));
        assert!(!created.wants(Event::Marked, "images/a.jpg"));
        assert!(!created.wants(Event::Put, "images/a.png"));
        assert!(!created.wants(Event::Put, "a.jpg"));
    }

    #[test]
    fn rules_overlap_where_one_key_would_be_told_twice() {
        let overlap = |a: Rule, b: Rule| a.overlap(&b).is_some();
        let put = ["s3:ObjectCreated:Put"];
        assert!(overlap(rule(&put, "", ""), rule(&["s3:ObjectCreated:*"], "", "")));
        assert!(overlap(rule(&put, "images", ""), rule(&put, "images/jpg", "")));
        assert!(overlap(rule(&put, "images", ".jpg"), rule(&put, "", "jpg")));
        assert!(!overlap(rule(&put, "images", ".jpg"), rule(&put, "images", ".png")));
        assert!(!overlap(rule(&put, "a", ""), rule(&put, "b", "")));
        assert!(!overlap(rule(&put, "", ""), rule(&["s3:ObjectRemoved:*"], "", "")));
    }
}
