//! The instance metadata service: what a machine finds at http://169.254.169.254.
//!
//! ```text
//! listeners   one TCP listener inside each network that is on the host
//! world       who calls: VPC + source address -> interface -> instance, read anew each time
//! tokens      IMDSv2 session tokens, in memory, bound to one instance
//! answer      pure: world + request -> answer            (tree: the categories and listings)
//! group       the state an instance's Auto Scaling group brings it to, from autoscaling
//! role        credentials of the instance profile's role, from sts
//! ```
//!
//! The bridge filter lets no packet pass with a source address that is not its sender's, so the
//! address says who calls. Records are read at every request: ModifyInstanceMetadataOptions, new
//! tags or a new profile hold at once. A restart of Kiln forgets the tokens; clients then get 401
//! and ask for a new one, as they must when one expires.
//!
//! The hop limit of `HttpPutResponseHopLimit` is set on the packets that carry a token. X-Forwarded-For
//! refuses a token, as on AWS; it is not looked at elsewhere.
//!
//! Different from AWS: signatures of the identity document, spot, recommendations, `system`,
//! instance-monitoring and the categories of things Kiln has not (Wavelength, placement groups, IPv6,
//! product codes, kernels) are not found; an instance that was detached from its Auto Scaling group
//! has no target state (AWS: `Detached`); credentials live an hour and are made anew 20 minutes
//! before their end (AWS: six hours); one instance has at most 1,000 live tokens.
//!
//! Source: Amazon EC2 User Guide, "Use instance metadata to manage your EC2 instance"; Amazon EC2
//! Auto Scaling User Guide, "Retrieve the target lifecycle state through instance metadata".

mod answer;
mod group;
mod listeners;
mod role;
mod tokens;
mod tree;
mod world;

#[cfg(test)]
mod tests;

pub use listeners::start;
pub use world::caller;
