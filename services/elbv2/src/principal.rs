//! As whom the service acts.

/// The principal of its controllers, and who its interfaces belong to.
pub const PRINCIPAL: &str = "elasticloadbalancing.amazonaws.com";
