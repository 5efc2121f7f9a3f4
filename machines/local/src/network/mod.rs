//! VPCs on this host: one network namespace each, which is the VPC's router.
//!
//! ```text
//!            ┌────────── router namespace of the VPC ──────────┐
//!  machine ──┤ veth ─ bridge of its subnet ─ forwarding ─ …    │
//!  machine ──┤ veth ─┘        (nftables: every packet)         ├─ slirp4netns ─ internet
//!            │ lo: 169.254.169.254, DNS, load balancers        │  (if a route leads there)
//!            └──────────────────────────────────────────────────┘
//! ```
//!
//! The host's own network is not touched: no routes, no addresses, no rules.
//! Two VPCs may use the same addresses.

pub mod cables;
mod firewall;
mod internet;
mod router;

pub use router::Router;
