//! HTTP in: from bytes on the port to a call of an operation, and back. A list of named phases:
//!
//! ```text
//! listen -> take the body (bounded) -> name the call -> authenticate -> decode -> invoke -> encode
//!                                        |                                (validate, authorize,
//!                                        |                                 handle, log: service-kit)
//!                                        +-- a host or path that is no API's -> HostHandler
//!                                            (load balancers, wait conditions)
//! ```
//!
//! Every phase that can refuse does so with an AWS error in the protocol the caller speaks.

mod answer;
mod authenticate;
mod body;
mod decode;
mod listen;
mod name;

pub use answer::Body;
pub use listen::{Gateway, HostHandler, Limits};
