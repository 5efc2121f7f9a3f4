//! An alarm: what is wanted and what state it is in; its id in the store is its name.

use kiln_cloudwatch_shapes::MetricDataQuery;
use kiln_service_kit::{Cx, Keys, Record, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An alarm of either type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    pub name: String,
    pub description: Option<String>,
    pub actions_enabled: bool,
    pub ok_actions: Vec<String>,
    pub alarm_actions: Vec<String>,
    pub insufficient_data_actions: Vec<String>,
    pub tags: BTreeMap<String, String>,
    pub configured: Timestamp,
    pub state: State,
    /// What it looks at, as it is looked up by: metrics, and the names of other alarms.
    pub watches: Vec<String>,
    pub what: What,
}

impl Record for Alarm {
    const KIND: &'static str = "cloudwatch/alarm";
    const KEYS: &'static [&'static str] = &["watches"];

    fn keys(&self) -> Keys {
        self.watches.iter().map(|watched| ("watches", watched.clone())).collect()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub value: StateValue,
    pub reason: String,
    pub reason_data: Option<String>,
    /// When anything of it changed last, and when its value did.
    pub updated: Timestamp,
    pub transitioned: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateValue {
    #[serde(rename = "OK")]
    Ok,
    #[serde(rename = "ALARM")]
    Alarm,
    #[serde(rename = "INSUFFICIENT_DATA")]
    InsufficientData,
}

impl StateValue {
    pub fn text(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Ok, Self::Alarm, Self::InsufficientData].into_iter().find(|value| value.text() == text)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum What {
    Metric(MetricAlarm),
    Composite(Composite),
}

/// What an alarm on a metric or an expression compares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricAlarm {
    pub metric: Option<OfMetric>,
    /// Empty where it is one metric.
    #[serde(with = "kiln_protocol::stored")]
    pub metrics: Vec<MetricDataQuery>,
    /// Of the metric or of what the expression gives, in seconds.
    pub period: i64,
    pub evaluation_periods: i64,
    pub datapoints_to_alarm: Option<i64>,
    pub threshold: f64,
    pub comparison: String,
    pub treat_missing_data: Option<String>,
    pub low_samples: Option<String>,
}

/// One metric and what of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OfMetric {
    pub namespace: String,
    pub name: String,
    pub dimensions: Vec<(String, String)>,
    /// One of the two.
    pub statistic: Option<String>,
    pub extended_statistic: Option<String>,
    pub unit: Option<String>,
}

impl OfMetric {
    pub fn stat(&self) -> &str {
        self.statistic.as_deref().or(self.extended_statistic.as_deref()).unwrap_or("Average")
    }
}

/// What an alarm on other alarms says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Composite {
    pub rule: String,
    pub suppressor: Option<String>,
    /// Seconds.
    pub wait: Option<i64>,
    pub extension: Option<i64>,
    /// Actions of the state that it is in, which were not taken.
    pub suppressed: Option<Suppressed>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suppressed {
    pub by: SuppressedBy,
    /// When the wait or the extension ends.
    pub until: Option<Timestamp>,
    /// The state that was before.
    pub from: StateValue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SuppressedBy {
    Alarm,
    WaitPeriod,
    ExtensionPeriod,
}

impl Alarm {
    pub fn arn(&self, cx: &Cx) -> String {
        arn(cx, &self.name)
    }

    pub fn is_composite(&self) -> bool {
        matches!(self.what, What::Composite(_))
    }

    /// As AWS calls its type.
    pub fn kind(&self) -> &'static str {
        if self.is_composite() { "CompositeAlarm" } else { "MetricAlarm" }
    }

    /// What is to be done when it comes to a state.
    pub fn actions(&self, value: StateValue) -> &[String] {
        match value {
            StateValue::Ok => &self.ok_actions,
            StateValue::Alarm => &self.alarm_actions,
            StateValue::InsufficientData => &self.insufficient_data_actions,
        }
    }
}

/// `arn:aws:cloudwatch:region:account:alarm:name`
pub fn arn(cx: &Cx, name: &str) -> String {
    cx.arn("cloudwatch", &format!("alarm:{name}"))
}
