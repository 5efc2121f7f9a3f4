//! Delivery policies: how HTTP endpoints are tried, as JSON on topics and subscriptions. Source: Amazon SNS Developer
//! Guide, "Message delivery retries", section "Creating an HTTP/S delivery policy".

use crate::errors::invalid;
use kiln_delivery::{Growth, Policy};
use kiln_service_kit::Error;
use serde_json::{Map, Value as Json, json};

/// All retries together may take so long.
const LONGEST: u64 = 3_600;
/// What can be said of a retry policy, and its bounds.
const NUMBERS: [(&str, u64, u64); 6] = [
    ("minDelayTarget", 1, LONGEST),
    ("maxDelayTarget", 1, LONGEST),
    ("numRetries", 0, 100),
    ("numNoDelayRetries", 0, 100),
    ("numMinDelayRetries", 0, 100),
    ("numMaxDelayRetries", 0, 100),
];
const CONTENT_TYPES: [&str; 7] =
    ["text/plain", "text/css", "text/csv", "text/html", "text/xml", "application/json", "application/xml"];

/// The policy that holds: HTTP's part of it, with everything said.
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    retry: Map<String, Json>,
    throttle: Option<u64>,
    content_type: String,
    guaranteed: bool,
}

/// A topic's policy says its part under `http`, and whether subscriptions may say otherwise.
pub fn check_topic(text: &str) -> Result<Option<String>, Error> {
    checked(text, |json| {
        let mut inner = Map::new();
        for (key, value) in json {
            match key.as_str() {
                "http" => {
                    let http = object(value, "http")?;
                    for (key, value) in http {
                        match key.as_str() {
                            "defaultHealthyRetryPolicy" => check_retry(value)?,
                            "defaultThrottlePolicy" => check_throttle(value)?,
                            "defaultRequestPolicy" => check_request(value)?,
                            "disableSubscriptionOverrides" => check_flag(value, key)?,
                            other => return Err(unknown(other)),
                        }
                    }
                    inner = http.clone();
                }
                other => return Err(unknown(other)),
            }
        }
        effective(Some(&json!({"http": inner}).to_string()), None).map(drop)
    })
}

/// A subscription's says it directly.
pub fn check_subscription(text: &str) -> Result<Option<String>, Error> {
    checked(text, |json| {
        for (key, value) in json {
            match key.as_str() {
                "healthyRetryPolicy" => check_retry(value)?,
                "throttlePolicy" => check_throttle(value)?,
                "requestPolicy" => check_request(value)?,
                "sicklyRetryPolicy" if value.is_null() => {}
                "guaranteed" => check_flag(value, key)?,
                other => return Err(unknown(other)),
            }
        }
        effective(None, Some(&Json::Object(json.clone()).to_string())).map(drop)
    })
}

fn checked(text: &str, check: impl Fn(&Map<String, Json>) -> Result<(), Error>) -> Result<Option<String>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let json: Json = serde_json::from_str(text).map_err(|_| invalid("DeliveryPolicy: failed to parse JSON"))?;
    check(object(&json, "DeliveryPolicy")?)?;
    Ok(Some(text.to_owned()))
}

fn object<'j>(json: &'j Json, name: &str) -> Result<&'j Map<String, Json>, Error> {
    json.as_object().ok_or_else(|| invalid(format_args!("DeliveryPolicy: {name} must be an object")))
}

fn unknown(key: &str) -> Error {
    invalid(format_args!("DeliveryPolicy: unknown field {key}"))
}

fn check_flag(value: &Json, key: &str) -> Result<(), Error> {
    match value {
        Json::Bool(_) => Ok(()),
        _ => Err(invalid(format_args!("DeliveryPolicy: {key} must be a boolean"))),
    }
}

fn check_retry(value: &Json) -> Result<(), Error> {
    if value.is_null() {
        return Ok(());
    }
    for (key, value) in object(value, "healthyRetryPolicy")? {
        if key == "backoffFunction" {
            let known = ["linear", "arithmetic", "geometric", "exponential"];
            if !value.as_str().is_some_and(|name| known.contains(&name)) {
                return Err(invalid("DeliveryPolicy: healthyRetryPolicy.backoffFunction is invalid"));
            }
            continue;
        }
        let Some((_, least, most)) = NUMBERS.iter().find(|(name, ..)| name == key) else { return Err(unknown(key)) };
        if !value.as_u64().is_some_and(|number| (*least..=*most).contains(&number)) {
            let text = format!("healthyRetryPolicy.{key} must be between {least} and {most}");
            return Err(invalid(format_args!("DeliveryPolicy: {text}")));
        }
    }
    Ok(())
}

fn check_throttle(value: &Json) -> Result<(), Error> {
    if value.is_null() {
        return Ok(());
    }
    for (key, value) in object(value, "throttlePolicy")? {
        match key.as_str() {
            "maxReceivesPerSecond"
                if value.as_u64().is_some_and(|number| (1..=u64::from(u32::MAX)).contains(&number)) => {}
            "maxReceivesPerSecond" if value.is_null() => {}
            "maxReceivesPerSecond" => {
                return Err(invalid("DeliveryPolicy: throttlePolicy.maxReceivesPerSecond must be 1 or more"));
            }
            other => return Err(unknown(other)),
        }
    }
    Ok(())
}

fn check_request(value: &Json) -> Result<(), Error> {
    if value.is_null() {
        return Ok(());
    }
    for (key, value) in object(value, "requestPolicy")? {
        let text = value.as_str().unwrap_or_default();
        let bare = text.split(';').next().unwrap_or_default().trim();
        match key.as_str() {
            "headerContentType" if CONTENT_TYPES.contains(&bare) && text.bytes().all(|b| (32..127).contains(&b)) => {}
            "headerContentType" => {
                return Err(invalid("DeliveryPolicy: requestPolicy.headerContentType is invalid"));
            }
            other => return Err(unknown(other)),
        }
    }
    Ok(())
}

/// What holds for a subscription: its own where it says something and the topic lets it, else the topic's, else SNS's.
///
/// # Errors
/// The retries would take longer than an hour, or the greatest delay is less than the least.
pub fn effective(topic: Option<&str>, subscription: Option<&str>) -> Result<Effective, Error> {
    let read = |text: &str| serde_json::from_str::<Json>(text).map_err(|e| Error::failed("read a delivery policy", e));
    let topic = topic.map(read).transpose()?.unwrap_or_default();
    let http = &topic["http"];
    let overridden = http["disableSubscriptionOverrides"].as_bool() != Some(true);
    let own = subscription.filter(|_| overridden).map(read).transpose()?.unwrap_or_default();
    let first = |one: &str, other: &str| match &own[one] {
        Json::Null => http[other].clone(),
        said => said.clone(),
    };
    let mut retry = json!({
        "minDelayTarget": 20, "maxDelayTarget": 20, "numRetries": 3, "numMaxDelayRetries": 0, "numNoDelayRetries": 0,
        "numMinDelayRetries": 0, "backoffFunction": "linear",
    });
    if let (Json::Object(said), Json::Object(all)) =
        (first("healthyRetryPolicy", "defaultHealthyRetryPolicy"), &mut retry)
    {
        all.extend(said);
    }
    let Json::Object(retry) = retry else { return Err(Error::internal("a retry policy is no object")) };
    let effective = Effective {
        retry,
        throttle: first("throttlePolicy", "defaultThrottlePolicy")["maxReceivesPerSecond"].as_u64(),
        content_type: first("requestPolicy", "defaultRequestPolicy")["headerContentType"]
            .as_str()
            .unwrap_or("text/plain; charset=UTF-8")
            .to_owned(),
        guaranteed: own["guaranteed"].as_bool() == Some(true),
    };
    effective.check()?;
    Ok(effective)
}

impl Effective {
    fn number(&self, key: &str) -> u64 {
        self.retry.get(key).and_then(Json::as_u64).unwrap_or_default()
    }

    fn check(&self) -> Result<(), Error> {
        if self.number("maxDelayTarget") < self.number("minDelayTarget") {
            let text = "healthyRetryPolicy.maxDelayTarget must not be less than healthyRetryPolicy.minDelayTarget";
            return Err(invalid(format_args!("DeliveryPolicy: {text}")));
        }
        let phases =
            self.number("numNoDelayRetries") + self.number("numMinDelayRetries") + self.number("numMaxDelayRetries");
        if phases > self.number("numRetries") {
            return Err(invalid("DeliveryPolicy: healthyRetryPolicy.numRetries must cover the retries of all phases"));
        }
        let policy = self.policy();
        let whole: u64 = (1..=policy.retries()).filter_map(|retry| policy.delay(retry, 0)).map(|d| d.as_secs()).sum();
        match whole > LONGEST {
            true => Err(invalid("DeliveryPolicy: the total time of retries must not be more than 3600 seconds")),
            false => Ok(()),
        }
    }

    /// In the words of deliveries.
    pub fn policy(&self) -> Policy {
        let count = |key: &str| u32::try_from(self.number(key)).unwrap_or(100);
        let (immediate, before, after) =
            (count("numNoDelayRetries"), count("numMinDelayRetries"), count("numMaxDelayRetries"));
        Policy {
            immediate,
            before,
            backoff: count("numRetries").saturating_sub(immediate + before + after),
            after,
            least: self.number("minDelayTarget") * 1_000,
            greatest: self.number("maxDelayTarget") * 1_000,
            growth: match self.retry.get("backoffFunction").and_then(Json::as_str) {
                Some("exponential") => Growth::Exponential,
                Some("geometric") => Growth::Geometric,
                Some("arithmetic") => Growth::Arithmetic,
                _ => Growth::Linear,
            },
            // Each attempt may take its time, too.
            oldest: None,
            per_second: self.throttle.map(|most| u32::try_from(most).unwrap_or(u32::MAX)),
        }
    }

    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// As GetSubscriptionAttributes shows it.
    pub fn of_subscription(&self) -> String {
        json!({
            "healthyRetryPolicy": self.retry,
            "sicklyRetryPolicy": null,
            "throttlePolicy": self.throttle.map(|most| json!({"maxReceivesPerSecond": most})),
            "requestPolicy": {"headerContentType": self.content_type},
            "guaranteed": self.guaranteed,
        })
        .to_string()
    }

    /// As GetTopicAttributes shows it.
    pub fn of_topic(&self, topic: Option<&str>) -> String {
        let disabled = topic.and_then(|text| serde_json::from_str::<Json>(text).ok());
        let disabled = disabled.is_some_and(|json| json["http"]["disableSubscriptionOverrides"] == true);
        let mut http = json!({
            "defaultHealthyRetryPolicy": self.retry,
            "disableSubscriptionOverrides": disabled,
            "defaultRequestPolicy": {"headerContentType": self.content_type},
        });
        if let Some(most) = self.throttle {
            http["defaultThrottlePolicy"] = json!({"maxReceivesPerSecond": most});
        }
        json!({"http": http}).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_s_policy_holds_unless_the_topic_forbids_it() {
        let topic = r#"{"http":{"defaultHealthyRetryPolicy":{"numRetries":5},"disableSubscriptionOverrides":false}}"#;
        let own =
            r#"{"healthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":2,"numRetries":4,"numNoDelayRetries":1}}"#;
        let policy = effective(Some(topic), Some(own)).unwrap().policy();
        assert_eq!((policy.immediate, policy.backoff, policy.least, policy.greatest), (1, 3, 1_000, 2_000));
        let forbids = topic.replace("false", "true");
        assert_eq!(effective(Some(&forbids), Some(own)).unwrap().policy().retries(), 5);
        assert_eq!(effective(None, None).unwrap().policy().retries(), 3);
    }

    #[test]
    fn what_is_out_of_bounds_is_refused() {
        for wrong in [
            "[]",
            "{",
            r#"{"healthyRetryPolicy":{"numRetries":101}}"#,
            r#"{"healthyRetryPolicy":{"minDelayTarget":0}}"#,
            r#"{"healthyRetryPolicy":{"minDelayTarget":30,"maxDelayTarget":20}}"#,
            r#"{"healthyRetryPolicy":{"numRetries":2,"numNoDelayRetries":3}}"#,
            r#"{"healthyRetryPolicy":{"numRetries":100,"minDelayTarget":3600,"maxDelayTarget":3600}}"#,
            r#"{"healthyRetryPolicy":{"backoffFunction":"random"}}"#,
            r#"{"throttlePolicy":{"maxReceivesPerSecond":0}}"#,
            r#"{"requestPolicy":{"headerContentType":"image/png"}}"#,
            r#"{"requestPolicy":{"headerContentType":"text/plain\r\nx: y"}}"#,
            r#"{"other":1}"#,
        ] {
            let refused = check_subscription(wrong).expect_err(wrong);
            assert!(refused.is("InvalidParameter"), "{wrong}: {refused}");
        }
        check_topic(r#"{"http":{"defaultThrottlePolicy":{"maxReceivesPerSecond":5}}}"#).expect("good");
        assert!(check_topic(r#"{"healthyRetryPolicy":{}}"#).is_err());
    }
}
