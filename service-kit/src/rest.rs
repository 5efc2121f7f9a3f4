//! What a REST service has to say of a call beside its operations: before the body is asked for, once the
//! body is there, and in refusals. The gateway asks; S3 answers.

use crate::{Error, Operation, Platform, Streams};
use kiln_protocol::Member;

/// The rules of one service's head and body.
pub trait RestRules: Send + Sync {
    /// Whether what a head says of its body can be so at all. Asked before the body is.
    fn check_head(&self, operation: &Operation, said: &Streams) -> Result<(), Error>;

    /// Holds a body that was taken whole against what head and trailer say of it.
    fn check_body(&self, operation: &Operation, said: &Streams, body: &[u8]) -> Result<(), Error>;

    /// The words for a header or a key of the query whose value is not among those that the model has.
    /// Nothing: the protocol's own.
    fn bad_value(&self, member: &Member, given: &str) -> Option<Error>;

    /// A refusal from before the operation, with what the service tells even then. `bucket` is the
    /// first label of the path.
    fn refused(&self, platform: &Platform, operation: &str, bucket: &str, error: Error) -> Error;
}
