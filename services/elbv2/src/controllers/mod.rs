//! The service's controllers: one makes load balancers be what their records say, one follows how
//! targets are.

mod load_balancer;
mod target_health;

pub use load_balancer::LoadBalancers;
pub use target_health::{Health, follow_health};
