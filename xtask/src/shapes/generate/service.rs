//! `service.rs`: the facts of the service, and which request belongs to which operation.

use super::{Generator, HEADER};
use crate::Result;
use crate::shapes::facts::{Route, Shape};
use std::collections::BTreeMap;

/// Services whose requests and ARNs have no region.
const GLOBAL: &[&str] = &["iam"];
/// The namespace of answers that botocore's model leaves out: the S3 API Reference shows it in every answer.
const NAMESPACES: &[(&str, &str)] = &[("s3", "http://s3.amazonaws.com/doc/2006-03-01/")];
/// Services whose errors stand alone in their XML, which botocore's models do not say.
const BARE_ERRORS: &[&str] = &["s3"];

/// Kiln's name of a protocol.
fn protocol(name: &str, json_version: Option<&str>) -> Result<&'static str> {
    Ok(match (name, json_version) {
        ("query", _) => "Query",
        ("ec2", _) => "Ec2",
        ("json", Some("1.0")) => "Json10",
        ("json", Some("1.1") | None) => "Json11",
        ("rest-json", _) => "RestJson",
        ("rest-xml", _) => "RestXml",
        ("smithy-rpc-v2-cbor", _) => "Cbor",
        (other, _) => return Err(format!("unknown protocol {other}")),
    })
}

impl Generator<'_> {
    /// Whether the service spoke the query protocol once and tells its codes of then.
    fn was_query(&self) -> bool {
        self.model.metadata.aws_query_compatible.is_some()
    }

    /// The codes of then that are others than the errors' names.
    fn query_errors(&self) -> String {
        if !self.was_query() {
            return "None".to_owned();
        }
        let code = |shape: &Shape| shape.error.as_ref().and_then(|error| error.code.clone());
        let codes = self.model.shapes.iter().filter_map(|(name, shape)| Some((name.clone(), code(shape)?)));
        let codes = codes.chain(self.quirks.query_codes());
        let pairs: Vec<String> =
            codes.filter(|(name, code)| name != code).map(|(name, code)| format!("({name:?}, {code:?})")).collect();
        format!("Some(&[{}])", pairs.join(", "))
    }

    /// The text of `service.rs`.
    pub fn service_file(&self, folder: &str) -> Result<String> {
        let meta = &self.model.metadata;
        let protocol = protocol(&meta.protocol, meta.json_version.as_deref())?;
        let mut protocols = vec![protocol];
        for other in &meta.protocols {
            let other = self::protocol(other, meta.json_version.as_deref())?;
            if !protocols.contains(&other) {
                protocols.push(other);
            }
        }
        let query_namespace = self.quirks.query_namespace();
        if query_namespace.is_some() && !protocols.contains(&"Query") {
            protocols.push("Query");
        }
        let protocols: Vec<String> = protocols.iter().map(|name| format!("Protocol::{name}")).collect();
        let signing = meta.signing_name.as_deref().unwrap_or(&meta.endpoint_prefix);
        let operations: Vec<String> = self.model.all_operations.iter().map(|o| format!("{o:?}")).collect();
        let left_out = NAMESPACES.iter().find(|(name, _)| *name == folder).map(|(_, namespace)| *namespace);
        let namespace = meta.xml_namespace.as_deref().or(left_out).or(query_namespace.as_deref());
        let mut text = format!(
            "{HEADER}\nuse crate::*;\nuse kiln_protocol::{{Protocol, ServiceModel, operations}};\n\n\
             /// Facts of the service's model.\n\
             pub static SERVICE: ServiceModel = ServiceModel {{\n\
             name: {folder:?}, signing_name: {signing:?}, endpoint_prefix: {:?}, target_prefix: {:?}, api_version: {:?},\n\
             xml_namespace: {:?}, protocol: Protocol::{protocol}, protocols: &[{}], global: {}, bare_errors: {}, \
             query_errors: {}, operations: &[{}],\n}};\n\n\
             operations! {{\n    SERVICE;\n",
            meta.endpoint_prefix,
            meta.target_prefix.as_deref().unwrap_or(""),
            meta.api_version,
            namespace.unwrap_or(""),
            protocols.join(", "),
            GLOBAL.contains(&folder),
            BARE_ERRORS.contains(&folder),
            self.query_errors(),
            operations.join(", "),
        );
        for (name, operation) in &self.model.operations {
            let mut errors = BTreeMap::new();
            for error in &operation.errors {
                let shape = self.model.shape(&error.shape)?;
                let wire = shape.error.clone().unwrap_or_default();
                let status = wire.http_status_code.unwrap_or(if shape.fault { 500 } else { 400 });
                // With two names for it, the code of today: several errors may have had one code.
                let code = wire.code.filter(|_| !self.was_query());
                errors.insert(code.unwrap_or_else(|| error.shape.clone()), status);
            }
            let errors: Vec<String> = errors.iter().map(|(code, status)| format!("{code:?} {status}")).collect();
            text.push_str(&format!(
                "    {name:?}: {name}Request => {name}Response, {:?} {:?} {}, [{}];\n",
                operation.http.method,
                operation.http.request_uri,
                self.quirks.status(&format!("{name}Response")).or(operation.http.response_code).unwrap_or(200),
                errors.join(", "),
            ));
        }
        text.push_str("}\n");
        if !self.model.routes.is_empty() {
            text.push_str("\n/// What a request must have to mean an operation, of all the model's operations.\n");
            text.push_str("pub static ROUTES: &[kiln_protocol::Route] = &[\n");
            for route in self.model.routes.iter().filter(|route| self.quirks.has_route(&route.operation)) {
                let Route { operation, method, uri, query, headers } = route;
                text.push_str(&format!(
                    "    kiln_protocol::Route {{ operation: {operation:?}, method: {method:?}, uri: {uri:?}, query: &{query:?}, headers: &{headers:?} }},\n"
                ));
            }
            text.push_str("];\n");
        }
        Ok(text)
    }
}
