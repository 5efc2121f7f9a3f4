//! What the generated code says of a whole service, and what ties a request to its operation.

use crate::{StructShape, StructTyped};

/// AWS's wire protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Query,
    Ec2,
    Json10,
    Json11,
    RestJson,
    RestXml,
    Cbor,
}

/// Signing names of AWS's services that speak REST with XML, served or not: of those that are not, no model says how
/// they are to be refused. `check_with_botocore.py` holds it against all models.
pub const REST_XML: [&str; 3] = ["cloudfront", "route53", "s3"];

/// Facts of a service's model.
pub struct ServiceModel {
    /// The folder name, e.g. `autoscaling`.
    pub name: &'static str,
    /// Name in credential scopes and IAM actions, e.g. `elasticloadbalancing`.
    pub signing_name: &'static str,
    /// First label of its host names, e.g. `monitoring`.
    pub endpoint_prefix: &'static str,
    /// `X-Amz-Target` prefix of the JSON protocols; empty otherwise.
    pub target_prefix: &'static str,
    /// e.g. `2016-11-15`.
    pub api_version: &'static str,
    pub xml_namespace: &'static str,
    /// The protocol of answers when the request leaves a choice; one of `protocols`.
    pub protocol: Protocol,
    /// All that it speaks. Each call is answered in the one it came in.
    pub protocols: &'static [Protocol],
    /// Whether ARNs and requests have no region (iam).
    pub global: bool,
    /// Whether an error stands alone in its XML, `<Error>` at the root and ids of its own beside it (s3;
    /// Smithy: `restXml`'s `noErrorWrapping`).
    pub bare_errors: bool,
    /// Of a service that spoke the query protocol before its newer ones: the codes that its errors had there, by
    /// their names now, where these differ (Smithy: `awsQueryCompatible`, `awsQueryError`). Answers in the newer
    /// protocols tell the old code too. Its operations give errors by their names now. Nothing: it has one way
    /// to call them.
    pub query_errors: Option<&'static [(&'static str, &'static str)]>,
    /// Every operation of AWS's model, served by Kiln or not, sorted.
    pub operations: &'static [&'static str],
}

impl ServiceModel {
    /// A service of that name of which nothing more is known: it speaks the query protocol and has no operation. Models
    /// that no botocore has (tests', the one that stands in for none) are filled in from it.
    pub const fn named(name: &'static str) -> Self {
        Self {
            name,
            signing_name: name,
            endpoint_prefix: name,
            target_prefix: "",
            api_version: "",
            xml_namespace: "",
            protocol: Protocol::Query,
            protocols: &[Protocol::Query],
            global: false,
            bare_errors: false,
            query_errors: None,
            operations: &[],
        }
    }

    /// What its actions begin with in policies: the signing name, but for CloudWatch (Service Authorization Reference).
    pub fn action_prefix(&self) -> &'static str {
        match self.signing_name {
            "monitoring" => "cloudwatch",
            name => name,
        }
    }

    /// The code that an error has in the query protocol.
    pub fn query_code<'c>(&self, code: &'c str) -> &'c str {
        let old = self.query_errors.unwrap_or_default().iter().find(|(name, _)| *name == code);
        old.map_or(code, |(_, old)| old)
    }
}

/// Method and path of an operation for the REST protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Http {
    pub method: &'static str,
    pub uri: &'static str,
    /// Status of a successful answer.
    pub status: u16,
}

/// What a REST request must have to mean an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    pub operation: &'static str,
    pub method: &'static str,
    /// With labels and, after `?`, keys that tell it from others (`/{Bucket}?acl`).
    pub uri: &'static str,
    /// Query keys without which it would be another operation.
    pub query: &'static [&'static str],
    pub headers: &'static [&'static str],
}

/// The input of an operation; generated for each.
pub trait Request: StructTyped + Send + 'static {
    type Response: StructTyped + Send + 'static;
    const SERVICE: &'static ServiceModel;
    /// e.g. `RunInstances`.
    const OPERATION: &'static str;
    const HTTP: Http;
    /// Error codes the model names, with their HTTP status.
    const ERRORS: &'static [(&'static str, u16)];
}

/// What an operation takes and gives, for whoever walks all operations of a service.
pub struct OperationShapes {
    /// e.g. `RunInstances`.
    pub name: &'static str,
    pub input: &'static StructShape,
    pub output: &'static StructShape,
}

/// Ties the requests of a service to its operations; written by `cargo xtask shapes`.
///
/// ```text
/// operations! {
///     SERVICE;
///     "CreateVpc": CreateVpcRequest => CreateVpcResponse, "POST" "/" 200, ["SomeError" 400];
/// }
/// ```
#[macro_export]
macro_rules! operations {
    ($service:path; $($name:literal: $request:ty => $response:ty,
        $method:literal $uri:literal $status:literal, [$($code:literal $http:literal),*];)*) => {
        /// The operations with tables, in order.
        pub static OPERATIONS: &[$crate::OperationShapes] = &[$($crate::OperationShapes {
            name: $name,
            input: <$request as $crate::StructTyped>::SHAPE,
            output: <$response as $crate::StructTyped>::SHAPE,
        }),*];
        $(
        impl $crate::Request for $request {
            type Response = $response;
            const SERVICE: &'static $crate::ServiceModel = &$service;
            const OPERATION: &'static str = $name;
            const HTTP: $crate::Http = $crate::Http { method: $method, uri: $uri, status: $status };
            const ERRORS: &'static [(&'static str, u16)] = &[$(($code, $http)),*];
        }
    )* };
}
