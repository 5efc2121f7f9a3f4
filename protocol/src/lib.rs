//! The wire, once. Every AWS protocol and the validator walk the same static shape tables; none of
//! them knows any operation.
//!
//! ```text
//! bytes --decode--> Value --validate--> Value --Shape::from_value--> struct
//! struct --Shape::into_value--> Value --encode--> bytes
//! ```
//!
//! Shape tables come from [`shape!`], generated from AWS's service models by `cargo xtask shapes`.
//! Chosen over serde derives per type and protocol for compile time, binary size and because one
//! table also serves validation, redaction and documentation.

mod bounds;
pub mod cbor;
pub mod ec2;
mod error;
mod form;
pub mod json;
mod model;
pub mod pattern;
pub mod query;
pub mod rest;
mod router;
mod scalar;
mod shape;
pub mod stored;
mod typed;
mod validate;
mod value;
mod wire;
mod xml;

pub use error::{Error, Fault, Inner, chain};
pub use json::redact;
pub use model::{Http, OperationShapes, Protocol, REST_XML, Request, Route, ServiceModel};
pub use router::{Demands, Found, Labels, RouteError, Router};
pub use shape::{Kind, Limits, Location, Member, StructShape, TimeFormat, member};
#[doc(hidden)]
pub use typed::wrong;
pub use typed::{Shape, StructTyped};
pub use validate::validate;
pub use value::{Blob, Map, Value};
pub use wire::{Encoded, encode_error, encode_response};

#[doc(hidden)]
pub use kiln_clock::Timestamp;
