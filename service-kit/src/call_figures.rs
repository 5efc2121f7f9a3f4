//! How many calls there were, of what kind, and how long they took.
//!
//! Only calls of operations that Kiln serves get here, and who calls and how it ended are words of ours: so
//! the rows are bounded by the services' own lists, whatever is asked for from outside.

use crate::{Caller, CallerKind, Error, Fault};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::time::Duration;

/// Upper bounds of the buckets, in seconds: from an answer out of memory to the slowest operation there is.
const BOUNDS: [f64; 10] = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 1.0, 10.0, 60.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    service: &'static str,
    operation: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    service: &'static str,
    operation: &'static str,
    /// `client`, or `service` where one of Kiln's own services asked.
    origin: &'static str,
    /// `ok`, `refused` (the request was at fault), `not_built` or `failed` (Kiln was).
    outcome: &'static str,
}

/// A histogram with our bounds.
#[derive(Clone)]
struct Durations;

impl MetricConstructor<Histogram> for Durations {
    fn new_metric(&self) -> Histogram {
        Histogram::new(BOUNDS)
    }
}

/// Counters of all calls since the start, by service and operation. Clones share them.
#[derive(Clone)]
pub struct CallFigures {
    calls: Family<Answered, Counter>,
    durations: Family<Asked, Histogram, Durations>,
}

impl Default for CallFigures {
    fn default() -> Self {
        Self { calls: Family::default(), durations: Family::new_with_constructor(Durations) }
    }
}

impl CallFigures {
    pub(crate) fn count(
        &self,
        (service, operation): (&'static str, &'static str),
        caller: &Caller,
        error: Option<&Error>,
        took: Duration,
    ) {
        let origin = if matches!(caller.kind, CallerKind::Service { .. }) { "service" } else { "client" };
        let outcome = outcome(error);
        self.calls.get_or_create(&Answered { service, operation, origin, outcome }).inc();
        self.durations.get_or_create(&Asked { service, operation }).observe(took.as_secs_f64());
    }

    /// Puts them on a page.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Calls that ended, by operation, who asked and how it ended";
        registry.register("kiln_calls", help, self.calls.clone());
        let help = "Time from the decoded request to the answer";
        registry.register_with_unit("kiln_call_duration", help, Unit::Seconds, self.durations.clone());
    }
}

fn outcome(error: Option<&Error>) -> &'static str {
    match error {
        None => "ok",
        Some(error) if error.status == 501 => "not_built",
        Some(error) if error.fault == Fault::Sender => "refused",
        Some(_) => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_counted_once_under_who_asked_and_how_it_ended() {
        let figures = CallFigures::default();
        let (root, service) = (Caller::root("000000000000"), Caller::service("a.amazonaws.com", "000000000000"));
        let count = |caller, error: Option<&Error>| {
            figures.count(("sts", "GetCallerIdentity"), caller, error, Duration::from_micros(200));
        };
        count(&root, None);
        count(&root, None);
        count(&service, None);
        count(&root, Some(&Error::sender("AccessDenied", "no")));
        count(&root, Some(&Error::internal("broken")));
        count(&root, Some(&Error::not_built("sts:Other")));
        let mut registry = Registry::default();
        figures.register(&mut registry);
        let mut page = String::new();
        prometheus_client::encoding::prometheus_text::encode(&mut page, &registry).expect("text");
        let mut calls: Vec<&str> = page.lines().filter(|line| line.starts_with("kiln_calls_total{")).collect();
        calls.sort_unstable();
        let line = |origin, outcome, n| {
            format!(
                "kiln_calls_total{{service=\"sts\",operation=\"GetCallerIdentity\",origin=\"{origin}\",outcome=\"{outcome}\"}} {n}"
            )
        };
        let wanted = [
            line("client", "failed", 1),
            line("client", "not_built", 1),
            line("client", "ok", 2),
            line("client", "refused", 1),
            line("service", "ok", 1),
        ];
        assert_eq!(calls, wanted, "{page}");
        let labels = "service=\"sts\",operation=\"GetCallerIdentity\"";
        assert!(page.contains(&format!("kiln_call_duration_seconds_count{{{labels}}} 6\n")), "{page}");
        assert!(page.contains(&format!("kiln_call_duration_seconds_bucket{{{labels},le=\"0.0001\"}} 0\n")), "{page}");
        assert!(page.contains(&format!("kiln_call_duration_seconds_bucket{{{labels},le=\"0.0003\"}} 6\n")), "{page}");
    }
}
