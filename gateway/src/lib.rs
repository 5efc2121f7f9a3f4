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
//! Services and operations are found in a [`Directory`] that is built at start. The calls of a service with
//! rules of its own (bodies too large to take, host names that are a part of what is asked for, signatures of another
//! kind) go their own way (`rest`); what is special to the service it says itself (`RestRules`). No service is named
//! here (`cargo xtask layers` sees to it).
//!
//! In open mode web pages are kept out (`pages`).
//!
//! Every phase that can refuse does so with an AWS error in the protocol the caller speaks.

mod answer;
mod authenticate;
mod body;
mod call;
mod chunked;
mod client;
mod decode;
mod directory;
mod finish;
mod header_text;
mod limits;
mod listen;
mod name;
mod pages;
mod refusals;
mod rest;
mod shared;

pub use answer::Body;
pub use authenticate::Authenticator;
pub use client::{Client, host_of};
pub use directory::{Directory, DirectoryError};
pub use limits::Limits;
pub use listen::{Gateway, HostHandler};
