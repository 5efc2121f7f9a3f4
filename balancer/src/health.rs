//! A target's health as AWS words it, and the rules by which checks change it. Pure: checks and
//! the time come in, states go out.
//!
//! ```text
//! initial --one pass--> healthy <--healthy_threshold passes-- unhealthy
//!    |                     |---unhealthy_threshold failures------^
//!    '--failing for unhealthy_threshold × interval---------------^
//! any --deregistered--> draining --no request left, or delay over--> unused
//! any --machine died--> unused (Target.InvalidState) --a check passes--> healthy
//! ```

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::HealthCheckConfig;

/// AWS's `TargetHealth.State`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HealthState {
    /// Registered, not yet known to answer.
    Initial,
    /// Gets requests.
    Healthy,
    /// Gets requests only when no target is healthy.
    Unhealthy,
    /// Finishing its requests.
    Draining,
    /// Gets no requests and is not checked, or its machine is dead.
    Unused,
}

impl HealthState {
    /// The word AWS uses.
    pub fn as_str(self) -> &'static str {
        match self {
            HealthState::Initial => "initial",
            HealthState::Healthy => "healthy",
            HealthState::Unhealthy => "unhealthy",
            HealthState::Draining => "draining",
            HealthState::Unused => "unused",
        }
    }
}

impl fmt::Display for HealthState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a target is in its state: AWS's `TargetHealth.Reason`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No check has been sent yet.
    RegistrationInProgress,
    /// Checks were sent, none has passed.
    InitialHealthChecking,
    /// The answer came with this status.
    ResponseCodeMismatch(u16),
    /// No answer in time.
    Timeout,
    /// No connection, or an answer that is not HTTP.
    FailedHealthChecks,
    /// The balancer itself could not check.
    InternalError,
    /// Deregistered, finishing its requests.
    DeregistrationInProgress,
    /// Deregistered.
    NotRegistered,
    /// No listener of a load balancer sends requests to the target group.
    NotInUse,
    /// The load balancer is not enabled in the target's zone.
    ZoneNotEnabled,
    /// The machine stopped or died.
    InvalidState,
}

impl Reason {
    /// AWS's reason code.
    pub fn code(&self) -> &'static str {
        match self {
            Reason::RegistrationInProgress => "Elb.RegistrationInProgress",
            Reason::InitialHealthChecking => "Elb.InitialHealthChecking",
            Reason::ResponseCodeMismatch(_) => "Target.ResponseCodeMismatch",
            Reason::Timeout => "Target.Timeout",
            Reason::FailedHealthChecks => "Target.FailedHealthChecks",
            Reason::InternalError => "Elb.InternalError",
            Reason::DeregistrationInProgress => "Target.DeregistrationInProgress",
            Reason::NotRegistered => "Target.NotRegistered",
            Reason::NotInUse | Reason::ZoneNotEnabled => "Target.NotInUse",
            Reason::InvalidState => "Target.InvalidState",
        }
    }

    /// AWS's description.
    pub fn description(&self) -> String {
        match self {
            Reason::RegistrationInProgress => "Target registration is in progress".into(),
            Reason::InitialHealthChecking => "Initial health checks in progress".into(),
            Reason::ResponseCodeMismatch(code) => {
                format!("Health checks failed with these codes: [{code}]")
            }
            Reason::Timeout => "Request timed out".into(),
            Reason::FailedHealthChecks => "Health checks failed".into(),
            Reason::InternalError => "Health checks failed due to an internal error".into(),
            Reason::DeregistrationInProgress => "Target deregistration is in progress".into(),
            Reason::NotRegistered => "Target is not registered to the target group".into(),
            Reason::NotInUse => "Target group is not configured to receive traffic from the load balancer".into(),
            Reason::ZoneNotEnabled => {
                "Target is in an Availability Zone that is not enabled for the load balancer".into()
            }
            Reason::InvalidState => "Target is in the terminated or stopped state".into(),
        }
    }
}

/// A state with its reason (none when healthy).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Health {
    /// The state.
    pub state: HealthState,
    /// Why, unless it is healthy.
    pub reason: Option<Reason>,
}

impl Health {
    pub(crate) const HEALTHY: Health = Health { state: HealthState::Healthy, reason: None };

    pub(crate) fn of(state: HealthState, reason: Reason) -> Self {
        Health { state, reason: Some(reason) }
    }
}

/// What `Balancer::health` says about one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetHealth {
    /// The id it was registered by.
    pub id: String,
    /// Its address.
    pub ip: IpAddr,
    /// Its port.
    pub port: u16,
    /// Its zone.
    pub zone: String,
    /// The port that is checked.
    pub health_check_port: u16,
    /// How it is.
    pub health: Health,
    /// Requests it is answering now.
    pub in_flight: usize,
}

/// A change, as sent to subscribers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthChange {
    /// The load balancer.
    pub load_balancer: String,
    /// The target group.
    pub target_group: String,
    /// The target's id.
    pub target: String,
    /// The target's port.
    pub port: u16,
    /// Before.
    pub from: Health,
    /// After.
    pub to: Health,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CheckResult {
    Pass,
    Fail(Reason),
}

/// The checked part of a target's life: initial, healthy, unhealthy (and dead).
#[derive(Clone, Debug)]
pub(crate) struct Tracker {
    pub health: Health,
    since: Instant,
    passes: u32,
    failures: u32,
}

impl Tracker {
    pub(crate) fn new(now: Instant) -> Self {
        Tracker {
            health: Health::of(HealthState::Initial, Reason::RegistrationInProgress),
            since: now,
            passes: 0,
            failures: 0,
        }
    }

    /// The machine is dead: nothing is known about it until a check passes again.
    pub(crate) fn dead(&mut self, now: Instant) {
        self.enter(Health::of(HealthState::Unused, Reason::InvalidState), now);
    }

    /// Starts over, as if just registered.
    pub(crate) fn restart(&mut self, now: Instant) {
        *self = Tracker::new(now);
    }

    fn enter(&mut self, health: Health, now: Instant) {
        *self = Tracker { health, since: now, passes: 0, failures: 0 };
    }

    /// A check came back.
    pub(crate) fn observe(&mut self, result: CheckResult, config: &HealthCheckConfig, now: Instant) {
        match (self.health.state, result) {
            (HealthState::Healthy, CheckResult::Pass) => self.failures = 0,
            (HealthState::Healthy, CheckResult::Fail(reason)) => {
                self.failures += 1;
                if self.failures >= config.unhealthy_threshold {
                    self.enter(Health::of(HealthState::Unhealthy, reason), now);
                }
            }
            (HealthState::Unhealthy, CheckResult::Pass) => {
                self.passes += 1;
                if self.passes >= config.healthy_threshold {
                    self.enter(Health::HEALTHY, now);
                }
            }
            (HealthState::Unhealthy, CheckResult::Fail(reason)) => {
                self.passes = 0;
                self.health.reason = Some(reason);
            }
            (HealthState::Initial | HealthState::Unused, CheckResult::Pass) => {
                self.enter(Health::HEALTHY, now);
            }
            (HealthState::Initial, CheckResult::Fail(reason)) => {
                if now >= self.since + initial_patience(config) {
                    self.enter(Health::of(HealthState::Unhealthy, reason), now);
                } else {
                    self.health.reason = Some(Reason::InitialHealthChecking);
                }
            }
            (HealthState::Unused | HealthState::Draining, CheckResult::Fail(_))
            | (HealthState::Draining, CheckResult::Pass) => {}
        }
    }

    /// How long to wait before the next check. A new target is probed quickly: AWS would wait a
    /// whole interval, Kiln wants the replacement of a dead machine in service at once.
    pub(crate) fn next_check_in(&self, config: &HealthCheckConfig) -> Duration {
        match self.health.state {
            HealthState::Initial => QUICK_PROBE.min(config.interval),
            _ => config.interval,
        }
    }
}

/// From one probe of a new target to the next.
pub(crate) const QUICK_PROBE: Duration = Duration::from_millis(50);

/// How long a new target may fail before it counts as unhealthy: as long as AWS's own checks
/// would take to find out.
fn initial_patience(config: &HealthCheckConfig) -> Duration {
    config.interval * config.unhealthy_threshold
}

/// The statuses a check accepts: `200`, `200,202`, `200-299`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Matcher(Vec<(u16, u16)>);

impl Matcher {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let code = |s: &str| s.trim().parse::<u16>().ok().filter(|c| (200..=599).contains(c));
        let ranges = text
            .split(',')
            .map(|part| match part.split_once('-') {
                Some((low, high)) => Some((code(low)?, code(high)?)).filter(|(l, h)| l <= h),
                None => code(part).map(|c| (c, c)),
            })
            .collect::<Option<Vec<_>>>()?;
        Some(Matcher(ranges))
    }

    pub(crate) fn accepts(&self, status: u16) -> bool {
        self.0.iter().any(|(low, high)| (*low..=*high).contains(&status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CheckResult::{Fail, Pass};

    fn config() -> HealthCheckConfig {
        HealthCheckConfig {
            interval: Duration::from_secs(10),
            healthy_threshold: 3,
            unhealthy_threshold: 2,
            ..Default::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_pass_is_enough_for_a_new_target() {
        let (config, now) = (config(), Instant::now());
        let mut t = Tracker::new(now);
        assert_eq!(t.health.reason, Some(Reason::RegistrationInProgress));
        t.observe(Fail(Reason::FailedHealthChecks), &config, now);
        assert_eq!(t.health, Health::of(HealthState::Initial, Reason::InitialHealthChecking));
        assert_eq!(t.next_check_in(&config), QUICK_PROBE);
        t.observe(Pass, &config, now);
        assert_eq!(t.health, Health::HEALTHY);
        assert_eq!(t.next_check_in(&config), config.interval);
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_target_that_never_answers_is_unhealthy_after_threshold_times_interval() {
        let (config, now) = (config(), Instant::now());
        let mut t = Tracker::new(now);
        for ms in (0..20_000).step_by(50) {
            t.observe(Fail(Reason::Timeout), &config, now + Duration::from_millis(ms));
            assert_eq!(t.health.state, HealthState::Initial, "after {ms} ms");
        }
        t.observe(Fail(Reason::Timeout), &config, now + Duration::from_secs(20));
        assert_eq!(t.health, Health::of(HealthState::Unhealthy, Reason::Timeout));
    }

    #[tokio::test(start_paused = true)]
    async fn thresholds_count_in_a_row() {
        let (config, now) = (config(), Instant::now());
        let mut t = Tracker::new(now);
        let mut story = Vec::new();
        let bad = || Fail(Reason::ResponseCodeMismatch(500));
        for result in [Pass, bad(), Pass, bad(), bad(), Pass, Pass, bad(), Pass, Pass, Pass] {
            t.observe(result, &config, now);
            story.push(t.health.state);
        }
        use HealthState::{Healthy as H, Unhealthy as U};
        assert_eq!(story, [H, H, H, H, U, U, U, U, U, U, H]);
    }

    #[test]
    fn matchers() {
        let m = Matcher::parse("200-204,302").unwrap();
        assert!(m.accepts(200) && m.accepts(204) && m.accepts(302));
        assert!(!m.accepts(205) && !m.accepts(301));
        for bad in ["", "abc", "99", "300-200", "200-", "200;201"] {
            assert_eq!(Matcher::parse(bad), None, "{bad:?}");
        }
    }
}
