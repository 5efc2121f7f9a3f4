//! What a load balancer is told to be: plain data, replaced as a whole by `Balancer::apply`.
//!
//! The elbv2 service translates its records into these types; this crate knows no AWS wire
//! shapes. A config is complete: whatever it does not name any more is taken down (targets that
//! vanish are drained first). Applying the same config twice changes nothing.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use kiln_ids::IpNet;

/// One application load balancer, whole.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadBalancerConfig {
    /// The name everything else calls it by (its ARN).
    pub id: String,
    /// The DNS name clients use; fills `#{host}` when a request carries no host.
    pub dns_name: String,
    /// The address on the host where every listener's port is opened; `None`: only `handle`.
    pub listen_on: Option<IpAddr>,
    /// The VPC the targets live in; handed to the dialer.
    pub vpc_id: String,
    /// The enabled zones and, for each, the address the balancer speaks from.
    pub zones: Vec<ZoneConfig>,
    /// How long a connection may be silent (AWS's default: 60 s).
    pub idle_timeout: Duration,
    /// How long a client's connection may live (AWS's default: an hour). What is under way then is
    /// finished.
    pub client_keep_alive: Duration,
    /// Whether clients may speak HTTP/2.
    pub http2: bool,
    /// What is done to the headers of requests.
    pub request_headers: RequestHeaders,
    /// The ports it listens on.
    pub listeners: Vec<ListenerConfig>,
    /// The target groups its actions name.
    pub target_groups: Vec<TargetGroupConfig>,
}

/// What happens to the headers of requests; the default is AWS's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestHeaders {
    /// What happens to X-Forwarded-For.
    pub forwarded_for: ForwardedFor,
    /// The client's port is appended too.
    pub client_port: bool,
    /// `Host` goes on as it came: else a port other than 80 and 443 is added where it has none.
    pub keep_host: bool,
    /// Headers whose name holds anything but letters, digits and `-` are dropped.
    pub drop_invalid: bool,
}

/// AWS's modes for X-Forwarded-For.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedFor {
    /// The client's address is added to what came.
    #[default]
    Append,
    /// It goes on as it came.
    Preserve,
    /// It is taken away.
    Remove,
}

/// A zone the load balancer is enabled in.
#[derive(Clone, Debug, PartialEq)]
pub struct ZoneConfig {
    /// `us-east-1a`
    pub name: String,
    /// The address of the balancer's network interface there.
    pub source_ip: Option<IpAddr>,
}

/// A port and what happens to what arrives there.
#[derive(Clone, Debug, PartialEq)]
pub struct ListenerConfig {
    /// The port, 1–65535.
    pub port: u16,
    /// Who may connect, as address blocks: what the security groups let in from outside. `None`:
    /// everybody.
    pub clients: Option<Vec<IpNet>>,
    /// What is done when no rule matches.
    pub default_action: Action,
    /// The rules; the lowest priority that matches decides.
    pub rules: Vec<RuleConfig>,
}

/// One rule of a listener.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleConfig {
    /// Lower is looked at earlier.
    pub priority: u32,
    /// All must hold.
    pub conditions: Vec<Condition>,
    /// What is done then.
    pub action: Action,
}

/// What a rule looks at. Within one condition any value is enough. `*` stands for any run of
/// characters and `?` for exactly one, as in AWS.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// The path, without the query; case matters.
    PathPattern(Vec<String>),
    /// The host, without the port; case does not matter.
    HostHeader(Vec<String>),
    /// A header of this name with one of these values; case does not matter.
    HttpHeader {
        /// The header's name.
        name: String,
        /// The patterns.
        values: Vec<String>,
    },
    /// The path, by regular expressions that match somewhere in it; case matters.
    PathRegex(Vec<String>),
    /// The host as sent or without its port, by regular expressions; case does not matter.
    HostRegex(Vec<String>),
    /// A header of this name with a value in which one of these regular expressions matches.
    HeaderRegex {
        /// The header's name.
        name: String,
        /// The expressions; case matters.
        values: Vec<String>,
    },
    /// The method, exactly.
    RequestMethod(Vec<String>),
    /// A query parameter: key (any, if none) and value pattern; case does not matter.
    QueryString(Vec<(Option<String>, String)>),
    /// The client's address, as CIDR blocks.
    SourceIp(Vec<String>),
}

/// What is done with a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Send it to a target group, chosen by weight.
    Forward(Forward),
    /// Answer with a redirect.
    Redirect(Redirect),
    /// Answer with this.
    FixedResponse(FixedResponse),
}

/// The target groups of a forward action.
#[derive(Clone, Debug, PartialEq)]
pub struct Forward {
    /// Target group id and weight (0–999).
    pub target_groups: Vec<(String, u32)>,
    /// Target group stickiness: how long a client stays with the group it was given.
    pub stickiness: Option<Duration>,
}

/// A redirect; each part may use `#{protocol} #{host} #{port} #{path} #{query}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Redirect {
    /// `HTTP`, `HTTPS` or `#{protocol}`
    pub protocol: String,
    /// AWS's default: `#{host}`
    pub host: String,
    /// AWS's default: `#{port}`
    pub port: String,
    /// AWS's default: `/#{path}`
    pub path: String,
    /// AWS's default: `#{query}`
    pub query: String,
    /// 301 instead of 302.
    pub permanent: bool,
}

impl Default for Redirect {
    fn default() -> Self {
        Redirect {
            protocol: "#{protocol}".into(),
            host: "#{host}".into(),
            port: "#{port}".into(),
            path: "/#{path}".into(),
            query: "#{query}".into(),
            permanent: false,
        }
    }
}

/// A fixed answer.
#[derive(Clone, Debug, PartialEq)]
pub struct FixedResponse {
    /// 2xx, 4xx or 5xx
    pub status: u16,
    /// `text/plain`, …
    pub content_type: Option<String>,
    /// At most 1,024 bytes in AWS; the caller checks.
    pub body: String,
}

/// How the next target of a group is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// One after another.
    RoundRobin,
    /// The one with the fewest requests in flight.
    LeastOutstandingRequests,
}

/// A target group and its registered targets. Protocol is HTTP/1.1.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetGroupConfig {
    /// The name everything else calls it by (its ARN).
    pub id: String,
    /// What is registered.
    pub targets: Vec<TargetConfig>,
    /// How targets are checked.
    pub health_check: HealthCheckConfig,
    /// How long requests in flight may go on after a target leaves (AWS's default: 300 s).
    pub deregistration_delay: Duration,
    /// `lb_cookie` stickiness (AWSALB) and its duration.
    pub stickiness: Option<Duration>,
    /// A new target's share grows from little to full over this time; zero: off.
    pub slow_start: Duration,
    /// How the next target is chosen.
    pub algorithm: Algorithm,
    /// With fewer healthy targets than this, ill ones get requests too (fail open).
    pub healthy_at_least: AtLeast,
}

/// A number of a group's targets; the greater of the two counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtLeast {
    /// So many.
    pub count: usize,
    /// So many of a hundred; zero: no matter.
    pub percent: usize,
}

impl AtLeast {
    /// Whether `some` of `all` are fewer.
    pub(crate) fn is_more_than(self, some: usize, all: usize) -> bool {
        some < self.count || some * 100 < self.percent * all
    }
}

/// A registered target.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetConfig {
    /// The instance id or address it was registered by.
    pub id: String,
    /// Where it answers, inside the VPC.
    pub ip: IpAddr,
    /// And on which port.
    pub port: u16,
    /// The zone it lives in.
    pub zone: String,
    /// Deregistered, finishing its requests. (A target left out of the next config drains too.)
    pub draining: bool,
}

/// How a target's health is looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthCheckConfig {
    /// The path (and query) asked for.
    pub path: String,
    /// `None`: the target's own port (`traffic-port`).
    pub port: Option<u16>,
    /// Time from one check to the next.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Passes in a row that make an unhealthy target healthy.
    pub healthy_threshold: u32,
    /// Failures in a row that make a healthy target unhealthy.
    pub unhealthy_threshold: u32,
    /// `200`, `200,202` or `200-299`.
    pub matcher: String,
}

impl Default for HealthCheckConfig {
    /// AWS's defaults for application load balancers.
    fn default() -> Self {
        HealthCheckConfig {
            path: "/".into(),
            port: None,
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            healthy_threshold: 5,
            unhealthy_threshold: 2,
            matcher: "200".into(),
        }
    }
}

impl TargetGroupConfig {
    /// A group with AWS's defaults and no targets.
    pub fn new(id: impl Into<String>) -> Self {
        TargetGroupConfig {
            id: id.into(),
            targets: Vec::new(),
            health_check: HealthCheckConfig::default(),
            deregistration_delay: Duration::from_secs(300),
            stickiness: None,
            slow_start: Duration::ZERO,
            algorithm: Algorithm::RoundRobin,
            healthy_at_least: AtLeast { count: 1, percent: 0 },
        }
    }
}

impl LoadBalancerConfig {
    /// A load balancer with AWS's defaults and no listeners.
    pub fn new(id: impl Into<String>) -> Self {
        LoadBalancerConfig {
            id: id.into(),
            dns_name: String::new(),
            listen_on: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            vpc_id: String::new(),
            zones: Vec::new(),
            idle_timeout: Duration::from_secs(60),
            client_keep_alive: Duration::from_secs(3600),
            http2: true,
            request_headers: RequestHeaders::default(),
            listeners: Vec::new(),
            target_groups: Vec::new(),
        }
    }
}

impl Forward {
    /// Everything to one group.
    pub fn to(target_group: impl Into<String>) -> Self {
        Forward { target_groups: vec![(target_group.into(), 1)], stickiness: None }
    }
}

impl TargetConfig {
    /// A target known by its address.
    pub fn at(ip: IpAddr, port: u16) -> Self {
        TargetConfig { id: ip.to_string(), ip, port, zone: String::new(), draining: false }
    }
}

/// Why a config was refused or could not be put to work.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// An action names a target group that the config does not hold.
    #[error(
        "load balancer {load_balancer}: an action names target group {target_group}, which is not in the configuration"
    )]
    UnknownTargetGroup {
        /// The load balancer.
        load_balancer: String,
        /// The name that leads nowhere.
        target_group: String,
    },
    /// A value that has no meaning.
    #[error("load balancer {load_balancer}: {what} {value:?} is not valid")]
    BadValue {
        /// The load balancer.
        load_balancer: String,
        /// Which value.
        what: &'static str,
        /// As given.
        value: String,
    },
    /// The target group is served by another load balancer.
    #[error("target group {target_group} is already used by load balancer {used_by}")]
    TargetGroupInUse {
        /// The group.
        target_group: String,
        /// Its load balancer.
        used_by: String,
    },
    /// A listener's port could not be opened. Everything else of the config is in force, and
    /// applying it again tries again.
    #[error("load balancer {load_balancer}: failed to listen on {address}")]
    Listen {
        /// The load balancer.
        load_balancer: String,
        /// Where.
        address: std::net::SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
}
