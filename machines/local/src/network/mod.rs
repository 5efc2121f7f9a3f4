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
//! From the host one comes in at public addresses, which are the host's loopback (`door`).
//! The host's own network is not touched: no routes, no addresses, no rules (one entry says that its
//! loopback is itself, see `host/netlink/neighbours.rs`). Two VPCs may use the same addresses.
//!
//! Nobody is believed who is not asked, and nobody is asked: who has which address is known from the
//! VPC's description, at the bridges (forwarding entries, `cables`), at the router (neighbours,
//! `router`) and inside the machines (one neighbour, the router).

mod acls;
pub mod cables;
mod door;
mod firewall;
mod internet;
mod router;

pub use door::Door;
pub use router::Router;
