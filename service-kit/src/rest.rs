//! What a service has to say of a call beside its operations, where it is asked by rules of its own: which requests
//! are its, what a host's name means, which signatures it takes beside those of version 4, what was asked for that no
//! operation is for; before the body is asked for, once the body is there, and in refusals. The gateway asks; S3
//! answers.

use crate::{Error, Operation, Platform, Streams, Timestamp};
use http::request::Parts;
use kiln_protocol::{Member, Route};
use kiln_signing::SigError;

/// What is wrong with a body on its way in, whatever is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFault {
    /// Nothing says how long it is.
    NoLength,
    /// It comes in HTTP's chunks, so that its length is known at its end only.
    HttpChunks,
    /// It is longer than so many bytes, which are the most for what is held in memory.
    TooLong(usize),
    /// It ends, or its frame does, before its time.
    Incomplete,
    /// Its sender sends nothing any more.
    TimedOut,
}

/// A signature that is not of version 4, as it was read. Like any it proves nothing until it is verified, and the
/// secret for that is looked up in between.
pub trait OtherSignature {
    /// Whose key it was made with.
    fn access_key_id(&self) -> &str;

    /// The session token that came along.
    fn session_token(&self) -> Option<&str>;

    /// Checks it against the key's secret and the time. What is wrong is said in the service's words.
    fn verify(&self, secret: &str, now: Timestamp) -> Result<(), Error>;
}

/// Headers for browsers, of an answer to a page of another origin.
pub type CrossOrigin = Vec<(&'static str, String)>;

/// The rules of one service's host names, paths, heads and bodies.
pub trait RestRules: Send + Sync {
    /// Whether a request that no signature calls another service's is this one's. `host` is in small letters,
    /// without a port.
    fn takes(&self, head: &Parts, host: &str) -> bool;

    /// The words for a signature that is refused, of the head or of a part of the body.
    fn refused_signature(&self, why: SigError) -> Error;

    /// The signature of another kind than version 4 that a request carries, where the service still takes it;
    /// an error if it is one that does not read.
    fn other_signature(&self, head: &Parts, host: &str) -> Option<Result<Box<dyn OtherSignature>, Error>>;

    /// The path that is asked for as the routes have it, with what the host's name says of it.
    fn path(&self, head: &Parts, host: &str) -> String;

    /// Why nothing at all is answered at this host.
    fn refuse_host(&self, host: &str) -> Option<Error>;

    /// The words for what no route is for. `path` is as [`RestRules::path`] gives it.
    fn no_route(&self, head: &Parts, path: &str) -> Error;

    /// Why a request is none of the operation that its route leads to.
    fn refuse_route(&self, head: &Parts, path: &str, route: &Route, operation: &Operation) -> Option<Error>;

    /// Whether what a head says of its body can be so at all. Asked before the body is.
    fn check_head(&self, operation: &Operation, said: &Streams) -> Result<(), Error>;

    /// Holds a body that was taken whole against what head and trailer say of it.
    fn check_body(&self, operation: &Operation, said: &Streams, body: &[u8]) -> Result<(), Error>;

    /// The words for a body that cannot be taken.
    fn bad_body(&self, fault: BodyFault) -> Error;

    /// The text of a header that came in, where the service writes it in another way than HTTP. `text` is as HTTP has
    /// it, each byte a character of ISO-8859-1. Nothing: that is it.
    fn read_header(&self, name: &str, text: &str) -> Option<String>;

    /// How the service writes a header's text that is not ASCII, in another way than HTTP. Nothing: as HTTP does.
    fn write_header(&self, name: &str, text: &str) -> Option<String>;

    /// The words for an answer of which a header is one that HTTP cannot have.
    fn bad_header(&self) -> Error;

    /// The words for a header or a key of the query whose value is not among those that the model has.
    /// Nothing: the protocol's own.
    fn bad_value(&self, member: &Member, given: &str) -> Option<Error>;

    /// A refusal from before the operation, with what the service tells even then. `bucket` is the
    /// first label of the path.
    fn refused(&self, platform: &Platform, operation: &str, bucket: &str, error: Error) -> Error;

    /// An error of input or validation in the service's words.
    fn in_words(&self, operation: &Operation, error: Error) -> Error;

    /// The answer to what a browser asks before it sends a page's request to another origin, where a request is that. It
    /// carries no signature. `path` is as [`RestRules::path`] gives it.
    fn preflight(&self, platform: &Platform, head: &Parts, path: &str) -> Option<Result<CrossOrigin, Error>>;

    /// The headers of any answer by which a browser lets a page of another origin read it.
    fn cross_origin(&self, platform: &Platform, head: &Parts, path: &str) -> CrossOrigin;

    /// A refusal with what only the head knows of it.
    fn completed(&self, head: &Parts, error: Error) -> Error;
}
