//! The data plane of application load balancers: listeners, rules, weights, stickiness, health
//! checks, drain.
//!
//! It is told what to be ([`Balancer::apply`]) and says how its targets are ([`Balancer::health`],
//! [`Balancer::subscribe`]); it knows no AWS service and no machine. Read down the modules to
//! follow a request: `listen` -> `serve` -> `forward` (`rules`, `lb`, `group`, `target`) ->
//! `upstream`; and a check: `checks` -> `health` -> `group`.

mod answers;
mod attempt;
mod balancer;
mod body;
mod checks;
mod choose;
mod config;
mod connections;
mod counters;
mod dial;
mod forward;
mod group;
mod headers;
mod health;
mod idle;
mod lb;
mod listen;
mod redirect;
mod request_body;
mod rules;
mod serve;
mod settings;
mod sticky;
mod tally;
mod target;
mod upgrade;
mod upstream;
mod via;
mod weight;

pub use balancer::{Balancer, LoadBalancerCounters, NoSuchLoadBalancer, Options, Ports};
pub use body::Body;
pub use config::{
    Action, Algorithm, ApplyError, AtLeast, Condition, FixedResponse, Forward, ForwardedFor, HealthCheckConfig,
    ListenerConfig, LoadBalancerConfig, Redirect, RequestHeaders, RuleConfig, TargetConfig, TargetGroupConfig,
    ZoneConfig,
};
pub use counters::CountersSnapshot;
pub use dial::{Dialer, Duplex, HostDialer, Stream};
pub use health::{Health, HealthChange, HealthState, Reason, TargetHealth};
pub use rules::regexes;
pub use tally::{Own, Sent, Taken, Times};
