//! JSON 1.0 and 1.1 bodies, and every other place where a modelled value is JSON (rest-json
//! bodies, the store, the log).
//!
//! serde_json does the grammar; [`read`] and [`write`] walk the shape table in its place of a
//! type, so bytes become a [`Value`] (and back) with no tree in between.

mod read;
mod trail;
mod write;

pub use trail::{Side, trail};
pub use write::{encode, redact};

use crate::{Error, StructShape, Value};
pub(crate) use read::{Reader, State};
pub(crate) use write::{Writer, WriterStyle};

/// The structure in a body. An empty body is an empty structure; members the table does not know
/// are skipped; of two members with one name the last counts.
pub fn decode(body: &[u8], shape: &'static StructShape) -> Result<Value, Error> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Struct(vec![Value::Absent; shape.members.len()]));
    }
    read::decode(body, shape)
}
