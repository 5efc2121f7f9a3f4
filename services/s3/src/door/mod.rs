//! How S3 is asked: by hosts that name a bucket, by parts of a bucket that stand in the query, by requests that
//! nobody signed, or that are signed as clients once did (`version_2`). The gateway hands on what it cannot know ([`RestRules`]); no operation gets to see most of this.

mod address;
mod meant;
mod metadata_text;
mod origin;
mod part;
mod refusal;
mod signature;
mod version_2;

use crate::records::{Bucket, all_buckets};
use crate::{errors, integrity, words};
use http::request::Parts;
use kiln_protocol::{Kind, Route};
use kiln_s3_shapes::ROUTES;
use kiln_service_kit::{
    BodyFault, CrossOrigin, Error, Location, Member, Operation, OtherSignature, Platform, RestRules, Streams,
};
use kiln_signing::SigError;

/// S3's rules.
pub struct Rules;

impl RestRules for Rules {
    fn takes(&self, head: &Parts, host: &str) -> bool {
        meant::takes(head, host)
    }

    fn refused_signature(&self, why: SigError) -> Error {
        signature::refused(&why)
    }

    fn other_signature(&self, head: &Parts, host: &str) -> Option<Result<Box<dyn OtherSignature>, Error>> {
        let read = version_2::read(head, host)?;
        Some(read.map(|signed| Box::new(signed) as Box<dyn OtherSignature>))
    }

    fn path(&self, head: &Parts, host: &str) -> String {
        address::full_path(head, host)
    }

    fn refuse_host(&self, host: &str) -> Option<Error> {
        address::website_of(host).map(refusal::no_website)
    }

    fn no_route(&self, head: &Parts, path: &str) -> Error {
        refusal::no_route(ROUTES, head, path)
    }

    fn refuse_route(&self, head: &Parts, path: &str, route: &Route, operation: &Operation) -> Option<Error> {
        let part = part::other(ROUTES, route, head.uri.query().unwrap_or(""), operation.input)?;
        Some(refusal::not_allowed(ROUTES, head.method.as_str(), path, &part))
    }

    fn check_head(&self, operation: &Operation, said: &Streams) -> Result<(), Error> {
        integrity::check_head(operation, said)
    }

    fn check_body(&self, operation: &Operation, said: &Streams, body: &[u8]) -> Result<(), Error> {
        integrity::check_body(operation, said, body)
    }

    fn bad_body(&self, fault: BodyFault) -> Error {
        errors::bad_body(fault)
    }

    fn read_header(&self, name: &str, text: &str) -> Option<String> {
        metadata_text::value_read(name, text)
    }

    fn write_header(&self, name: &str, text: &str) -> Option<String> {
        metadata_text::value_written(name, text)
    }

    fn bad_header(&self) -> Error {
        Error::sender("InvalidArgument", "Header value cannot be represented using ISO-8859-1.")
    }

    fn bad_value(&self, member: &Member, given: &str) -> Option<Error> {
        words::bad_value(member, given)
    }

    /// Also who may not look at a bucket is told where it is: clients ask so before they sign.
    fn refused(&self, platform: &Platform, operation: &str, bucket: &str, error: Error) -> Error {
        if operation != "HeadBucket" || error.status != 403 {
            return error;
        }
        match platform.store().get::<Bucket>(&all_buckets(), bucket) {
            Ok(Some(found)) => error.with("x-amz-bucket-region", found.region.clone()),
            _ => error,
        }
    }

    fn in_words(&self, operation: &Operation, error: Error) -> Error {
        let is_document = |m: &Member| m.location == Location::Payload && matches!((m.kind)(), Kind::Struct(_));
        refusal::in_s3s_words(error, operation.input.members.iter().any(is_document))
    }

    fn preflight(&self, platform: &Platform, head: &Parts, path: &str) -> Option<Result<CrossOrigin, Error>> {
        origin::preflight(platform, head, path)
    }

    fn cross_origin(&self, platform: &Platform, head: &Parts, path: &str) -> CrossOrigin {
        origin::cross_origin(platform, head, path)
    }

    fn completed(&self, head: &Parts, error: Error) -> Error {
        refusal::completed(error, head)
    }
}
