//! How many may stand at a door: bounds on the connections of every listener of this process, so that
//! nobody takes the descriptors of all.
//!
//! ```text
//! descriptors of the process ── share of each kind of door ── of each place (a VPC, a load balancer)
//!                                                                 ── of each client's address there
//! accept ── Door::admit(address) ── a Ticket, kept as long as the connection ── or: closed at once, counted
//! ```
//!
//! One mechanism for all: the API, its door in each VPC, metadata, DNS, load balancers. The shares together
//! are less than the whole, so that a kind of door that is full neither closes another nor keeps machines
//! from being made. Clients at loopback have no bound of their own: one address is every user of the host.
//!
//! Descriptors belong to the process, and so do these counts: they are not passed around.
//!
//! Turned down: making newcomers wait instead of refusing them. The queue in front of a door is as easily
//! filled, and whoever waits there does not learn why.

mod door;
mod kinds;
mod patient;
mod seldom;

pub use door::{Door, Figure, Ticket, figures};
pub use kinds::{API, API_IN_VPC, BALANCER, BALANCER_IN_VPC, DNS, Kind, METADATA, raise_limit};
pub use patient::Patient;
pub use seldom::Seldom;
