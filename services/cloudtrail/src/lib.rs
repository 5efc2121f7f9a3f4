//! CloudTrail, so far its event history: every management call of the last 90 days, which the kit writes down
//! (`service-kit/src/trail`). Trails to buckets are refused by name.

mod errors;
mod filter;
mod operations;
mod shown;
mod things;

#[cfg(test)]
mod tests;

use kiln_service_kit::Service;

/// The service.
pub fn service() -> Service {
    Service::new(&kiln_cloudtrail_shapes::SERVICE, &[operations::lookup::OPERATIONS])
}
