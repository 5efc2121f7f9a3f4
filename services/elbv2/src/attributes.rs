//! Attributes of load balancers, target groups and listeners: names, defaults, limits.
//!
//! An attribute either has its effect, or only its default is taken: anything else would be a
//! promise that nobody keeps. Source: the API Reference's LoadBalancerAttribute,
//! TargetGroupAttribute and ListenerAttribute.

use crate::errors;
use kiln_service_kit::Error;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::time::Duration;

/// One attribute.
pub struct Attribute {
    pub key: &'static str,
    pub default: &'static str,
    takes: Takes,
}

enum Takes {
    Bool,
    /// Least and most.
    Number(u32, u32),
    /// Off (0), or least and most.
    OffOr(u32, u32),
    /// Off by a word, or least and most.
    WordOr(&'static str, u32, u32),
    /// What Kiln has built, and what AWS has besides.
    OneOf(&'static [&'static str], &'static [&'static str]),
    /// What Kiln has built of numbers that AWS has: least and most.
    Built(&'static [&'static str], u32, u32),
    /// Anything: it says nothing as long as what it belongs to is off.
    Text,
    /// Only the default: Kiln has not built the rest.
    Default,
}

/// No number of targets is asked for.
const OFF: &str = "off";

/// Characters of a value that is a text: those of the longest S3 key.
const MOST_CHARACTERS: usize = 1024;

/// A kind's attributes.
pub struct Table {
    /// As error messages name it.
    what: &'static str,
    pub rows: &'static [Attribute],
}

const fn row(key: &'static str, default: &'static str, takes: Takes) -> Attribute {
    Attribute { key, default, takes }
}

pub const LOAD_BALANCER: Table = Table {
    what: "Load balancer",
    rows: &[
        row("access_logs.s3.enabled", "false", Takes::Default),
        row("access_logs.s3.bucket", "", Takes::Text),
        row("access_logs.s3.prefix", "", Takes::Text),
        row("connection_logs.s3.enabled", "false", Takes::Default),
        row("connection_logs.s3.bucket", "", Takes::Text),
        row("connection_logs.s3.prefix", "", Takes::Text),
        row("health_check_logs.s3.enabled", "false", Takes::Default),
        row("health_check_logs.s3.bucket", "", Takes::Text),
        row("health_check_logs.s3.prefix", "", Takes::Text),
        row("client_keep_alive.seconds", "3600", Takes::Number(60, 604_800)),
        row("deletion_protection.enabled", "false", Takes::Bool),
        row("idle_timeout.timeout_seconds", "60", Takes::Number(1, 4000)),
        row("ipv6.deny_all_igw_traffic", "false", Takes::Default),
        row("load_balancing.cross_zone.enabled", "true", Takes::Default),
        row(
            "routing.http.desync_mitigation_mode",
            "defensive",
            Takes::OneOf(&["defensive"], &["monitor", "strictest"]),
        ),
        row("routing.http.drop_invalid_header_fields.enabled", "false", Takes::Bool),
        row("routing.http.preserve_host_header.enabled", "false", Takes::Bool),
        row("routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "false", Takes::Default),
        row("routing.http.xff_client_port.enabled", "false", Takes::Bool),
        row("routing.http.xff_header_processing.mode", "append", Takes::OneOf(&["append", "preserve", "remove"], &[])),
        row("routing.http2.enabled", "true", Takes::Bool),
        row("waf.fail_open.enabled", "false", Takes::Default),
        row("zonal_shift.config.enabled", "false", Takes::Default),
    ],
};

pub const TARGET_GROUP: Table = Table {
    what: "Target group",
    rows: &[
        row("deregistration_delay.timeout_seconds", "300", Takes::Number(0, 3600)),
        row("load_balancing.algorithm.anomaly_mitigation", "off", Takes::Default),
        row(
            "load_balancing.algorithm.type",
            "round_robin",
            Takes::OneOf(&["round_robin", "least_outstanding_requests"], &["weighted_random"]),
        ),
        // It is always on for application load balancers here.
        row(
            "load_balancing.cross_zone.enabled",
            "use_load_balancer_configuration",
            Takes::OneOf(&["use_load_balancer_configuration", "true"], &["false"]),
        ),
        row("slow_start.duration_seconds", "0", Takes::OffOr(30, 900)),
        row("stickiness.app_cookie.cookie_name", "", Takes::Default),
        row("stickiness.app_cookie.duration_seconds", "86400", Takes::Number(1, 604_800)),
        row("stickiness.enabled", "false", Takes::Bool),
        row("stickiness.lb_cookie.duration_seconds", "86400", Takes::Number(1, 604_800)),
        row("stickiness.type", "lb_cookie", Takes::Default),
        // Names lead to the load balancer wherever its targets are ill.
        row(
            "target_group_health.dns_failover.minimum_healthy_targets.count",
            "1",
            Takes::Built(&["1", "off"], 1, 1000),
        ),
        row("target_group_health.dns_failover.minimum_healthy_targets.percentage", "off", Takes::Default),
        row("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1", Takes::Number(1, 1000)),
        row(
            "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
            "off",
            Takes::WordOr(OFF, 1, 100),
        ),
    ],
};

pub const LISTENER: Table = Table {
    what: "Listener",
    rows: &[
        row("routing.http.response.access_control_allow_credentials.header_value", "", Takes::Default),
        row("routing.http.response.access_control_allow_headers.header_value", "", Takes::Default),
        row("routing.http.response.access_control_allow_methods.header_value", "", Takes::Default),
        row("routing.http.response.access_control_allow_origin.header_value", "", Takes::Default),
        row("routing.http.response.access_control_expose_headers.header_value", "", Takes::Default),
        row("routing.http.response.access_control_max_age.header_value", "", Takes::Default),
        row("routing.http.response.content_security_policy.header_value", "", Takes::Default),
        row("routing.http.response.server.enabled", "true", Takes::Default),
        row("routing.http.response.strict_transport_security.header_value", "", Takes::Default),
        row("routing.http.response.x_content_type_options.header_value", "", Takes::Default),
        row("routing.http.response.x_frame_options.header_value", "", Takes::Default),
    ],
};

/// A load balancer's attributes, for its record.
pub fn of_load_balancer<'de, D: Deserializer<'de>>(record: D) -> Result<BTreeMap<String, String>, D::Error> {
    LOAD_BALANCER.read(record)
}

/// A target group's attributes, for its record.
pub fn of_target_group<'de, D: Deserializer<'de>>(record: D) -> Result<BTreeMap<String, String>, D::Error> {
    TARGET_GROUP.read(record)
}

impl Table {
    /// Puts the given values into `kept`; all or none.
    pub fn set(
        &self,
        kept: &mut BTreeMap<String, String>,
        given: impl IntoIterator<Item = (Option<String>, Option<String>)>,
    ) -> Result<(), Error> {
        let mut next = kept.clone();
        let mut seen = vec![];
        for (key, value) in given {
            let key = key.ok_or_else(|| errors::invalid(format!("{} attribute key must be specified", self.what)))?;
            let value = value.unwrap_or_default();
            let row = self
                .rows
                .iter()
                .find(|row| row.key == key)
                .ok_or_else(|| errors::invalid(format!("{} attribute key '{key}' is not recognized", self.what)))?;
            if seen.contains(&row.key) {
                return Err(errors::invalid(format!(
                    "{} attribute key '{key}' is specified more than once",
                    self.what
                )));
            }
            seen.push(row.key);
            self.check(row, &value)?;
            next.insert(key, value);
        }
        *kept = next;
        Ok(())
    }

    fn check(&self, row: &Attribute, value: &str) -> Result<(), Error> {
        let number = || value.parse::<u32>().ok();
        let refuse = |must: String| {
            let text = format!("{} attribute value '{value}' for key '{}' {must}", self.what, row.key);
            Err(errors::bad_configuration(text))
        };
        match row.takes {
            Takes::Bool if matches!(value, "true" | "false") => Ok(()),
            Takes::Bool => refuse("must be 'true' or 'false'".into()),
            Takes::Number(least, most) if number().is_some_and(|n| (least..=most).contains(&n)) => Ok(()),
            Takes::Number(least, most) => refuse(format!("must be between {least} and {most}")),
            Takes::OffOr(least, most) if number().is_some_and(|n| n == 0 || (least..=most).contains(&n)) => Ok(()),
            Takes::OffOr(least, most) => refuse(format!("must be 0 or between {least} and {most}")),
            Takes::WordOr(word, least, most)
                if value == word || number().is_some_and(|n| (least..=most).contains(&n)) =>
            {
                Ok(())
            }
            Takes::WordOr(word, least, most) => refuse(format!("must be {word} or between {least} and {most}")),
            Takes::OneOf(built, _) if built.contains(&value) => Ok(()),
            Takes::OneOf(built, others) if !others.contains(&value) => {
                refuse(format!("must be one of {}", [built, others].concat().join(", ")))
            }
            Takes::Built(built, ..) if built.contains(&value) => Ok(()),
            Takes::Built(_, least, most) if !number().is_some_and(|n| (least..=most).contains(&n)) => {
                refuse(format!("must be off or between {least} and {most}"))
            }
            Takes::Text if value.len() <= MOST_CHARACTERS => Ok(()),
            Takes::Text => refuse(format!("must have at most {MOST_CHARACTERS} characters")),
            Takes::Default if value == row.default => Ok(()),
            Takes::OneOf(..) | Takes::Built(..) | Takes::Default => {
                Err(Error::not_built(format!("elasticloadbalancing: attribute {}={value}", row.key)))
            }
        }
    }

    /// All attributes with their values.
    pub fn all(&self, kept: &BTreeMap<String, String>) -> Vec<(String, String)> {
        self.rows.iter().map(|row| (row.key.to_owned(), self.text(kept, row.key).to_owned())).collect()
    }

    fn text<'a>(&self, kept: &'a BTreeMap<String, String>, key: &str) -> &'a str {
        match kept.get(key) {
            Some(value) => value,
            None => self.rows.iter().find(|row| row.key == key).map_or("", |row| row.default),
        }
    }

    /// A value that says yes or no.
    pub fn is_on(&self, kept: &BTreeMap<String, String>, key: &str) -> bool {
        self.text(kept, key) == "true"
    }

    /// A value in seconds.
    pub fn seconds(&self, kept: &BTreeMap<String, String>, key: &str) -> Duration {
        Duration::from_secs(
            self.text(kept, key).parse().expect("attributes in seconds were checked when they were set and read"),
        )
    }

    /// A value that is a number, or off: zero.
    pub fn number(&self, kept: &BTreeMap<String, String>, key: &str) -> usize {
        match self.text(kept, key) {
            OFF => 0,
            number => number.parse().expect("attributes that are numbers were checked when they were set and read"),
        }
    }

    /// Attributes as a record holds them. Where one that is a number or a duration says something else, the record does
    /// not read: no balancer is told of another value in its place.
    fn read<'de, D: Deserializer<'de>>(&self, record: D) -> Result<BTreeMap<String, String>, D::Error> {
        let kept = BTreeMap::<String, String>::deserialize(record)?;
        let is_number = |value: &str| value.parse::<u32>().is_ok();
        for row in self.rows {
            let Some(value) = kept.get(row.key) else { continue };
            let reads = match row.takes {
                Takes::Number(..) | Takes::OffOr(..) => is_number(value),
                Takes::WordOr(word, ..) => value == word || is_number(value),
                _ => true,
            };
            if !reads {
                return Err(D::Error::custom(format!("{} attribute {}={value:?} is no number", self.what, row.key)));
            }
        }
        Ok(kept)
    }

    /// Whether a value is this one.
    pub fn is(&self, kept: &BTreeMap<String, String>, key: &str, value: &str) -> bool {
        self.text(kept, key) == value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_whose_number_is_none_does_not_read() {
        let count = "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count";
        let percentage = "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage";
        let read = |key: &str, value: &str| of_target_group(serde_json::json!({key: value}));
        for (key, value, number) in [(count, "7", 7), (percentage, "off", 0), (percentage, "50", 50)] {
            assert_eq!(TARGET_GROUP.number(&read(key, value).expect("it reads"), key), number, "{key}={value}");
        }
        assert_eq!(TARGET_GROUP.number(&BTreeMap::new(), count), 1, "the default");
        for (key, value) in [(count, "off"), (count, "x"), (percentage, "-1"), ("slow_start.duration_seconds", "")] {
            let told = read(key, value).expect_err("it does not read").to_string();
            assert!(told.contains(key), "{told}");
        }
        let told = of_load_balancer(serde_json::json!({"idle_timeout.timeout_seconds": "soon"})).expect_err("refused");
        assert!(told.to_string().contains("idle_timeout.timeout_seconds=\"soon\" is no number"), "{told}");
    }

    #[test]
    fn values_are_checked_and_what_has_no_effect_is_refused() {
        let mut kept = BTreeMap::new();
        let mut set = |key: &str, value: &str| {
            LOAD_BALANCER
                .set(&mut kept, [(Some(key.to_owned()), Some(value.to_owned()))])
                .map_err(|e| e.code.to_string())
        };
        assert_eq!(set("idle_timeout.timeout_seconds", "120"), Ok(()));
        assert_eq!(set("idle_timeout.timeout_seconds", "0").unwrap_err(), "InvalidConfigurationRequest");
        assert_eq!(set("idle_timeout.timeout_seconds", "x").unwrap_err(), "InvalidConfigurationRequest");
        assert_eq!(set("access_logs.s3.enabled", "false"), Ok(()));
        assert_eq!(set("access_logs.s3.bucket", "logs"), Ok(()), "it is off, as Terraform may well say");
        assert_eq!(set("access_logs.s3.enabled", "true").unwrap_err(), "NotImplemented");
        assert_eq!(set("routing.http.xff_header_processing.mode", "x").unwrap_err(), "InvalidConfigurationRequest");
        assert_eq!(set("routing.http.xff_header_processing.mode", "remove"), Ok(()));
        assert_eq!(set("no.such", "true").unwrap_err(), "ValidationError");
        assert_eq!(LOAD_BALANCER.seconds(&kept, "idle_timeout.timeout_seconds"), Duration::from_secs(120));
        assert!(LOAD_BALANCER.is_on(&kept, "routing.http2.enabled"));
        let mut group = BTreeMap::new();
        let mut set = |key: &str, value: &str| {
            let key = format!("target_group_health.{key}");
            TARGET_GROUP.set(&mut group, [(Some(key), Some(value.to_owned()))]).map_err(|e| e.code.to_string())
        };
        let routing = "unhealthy_state_routing.minimum_healthy_targets";
        let dns = "dns_failover.minimum_healthy_targets";
        assert_eq!(set(&format!("{routing}.count"), "2"), Ok(()));
        assert_eq!(set(&format!("{routing}.count"), "off").unwrap_err(), "InvalidConfigurationRequest");
        assert_eq!(set(&format!("{routing}.percentage"), "50"), Ok(()));
        assert_eq!(set(&format!("{routing}.percentage"), "off"), Ok(()));
        assert_eq!(set(&format!("{routing}.percentage"), "101").unwrap_err(), "InvalidConfigurationRequest");
        assert_eq!((set(&format!("{dns}.count"), "1"), set(&format!("{dns}.count"), "off")), (Ok(()), Ok(())));
        assert_eq!(set(&format!("{dns}.count"), "2").unwrap_err(), "NotImplemented");
        assert_eq!(set(&format!("{dns}.count"), "many").unwrap_err(), "InvalidConfigurationRequest");
        assert_eq!(set(&format!("{dns}.percentage"), "50").unwrap_err(), "NotImplemented");
        let weighted = (Some("load_balancing.algorithm.type".to_owned()), Some("weighted_random".to_owned()));
        assert!(TARGET_GROUP.set(&mut group, [weighted]).unwrap_err().is("NotImplemented"));
    }
}
