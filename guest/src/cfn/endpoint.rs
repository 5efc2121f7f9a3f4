//! Calls to CloudFormation from inside the machine.
//!
//! There are no keys: the endpoint knows the machine by the address it calls
//! from, as the metadata service does. It comes from the seed, or from `--url`.

use serde_json::{Value, json};

use crate::http;
use crate::seed::Seed;

/// CloudFormation, as this machine reaches it.
#[derive(Debug)]
pub struct Endpoint {
    url: String,
    instance: String,
}

/// What CloudFormation says of a resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Its metadata.
    pub metadata: Option<Value>,
    /// The id of what it stands for.
    pub physical_id: Option<String>,
}

impl Endpoint {
    /// From the seed, with `url` in its place when given.
    pub fn new(url: Option<&str>, seed: Result<Seed, String>) -> Result<Endpoint, String> {
        let seed = seed?;
        let known = seed.endpoint.as_deref().or(seed.environment.get("AWS_ENDPOINT_URL").map(String::as_str));
        let url = url.or(known).ok_or("this machine's seed names no CloudFormation endpoint; give one with --url")?;
        Ok(Endpoint { url: url.to_owned(), instance: seed.instance_id })
    }

    /// The `Metadata` of a resource.
    pub fn metadata(&self, stack: &str, resource: &str) -> Result<Value, String> {
        let found = self.described(stack, resource)?;
        Ok(found.metadata.unwrap_or_else(|| json!({})))
    }

    /// A resource, or nothing when the stack has none of that name.
    pub fn resource(&self, stack: &str, resource: &str) -> Result<Option<Resource>, String> {
        match self.described(stack, resource) {
            Ok(found) => Ok(Some(found)),
            // AWS's words: "Resource X does not exist for stack Y".
            Err(problem) if problem.contains("ValidationError: Resource ") => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    fn described(&self, stack: &str, resource: &str) -> Result<Resource, String> {
        let answer =
            self.call(&[("Action", "DescribeStackResource"), ("StackName", stack), ("LogicalResourceId", resource)])?;
        let metadata = element(&answer, "Metadata").map(|text| {
            serde_json::from_str(&text).map_err(|cause| format!("the metadata of {resource} is not JSON: {cause}"))
        });
        Ok(Resource { metadata: metadata.transpose()?, physical_id: element(&answer, "PhysicalResourceId") })
    }

    /// Signals a resource.
    pub fn signal(&self, stack: &str, resource: &str, success: bool, id: Option<&str>) -> Result<(), String> {
        self.call(&[
            ("Action", "SignalResource"),
            ("StackName", stack),
            ("LogicalResourceId", resource),
            ("UniqueId", id.unwrap_or(&self.instance)),
            ("Status", status(success)),
        ])
        .map(drop)
    }

    fn call(&self, fields: &[(&str, &str)]) -> Result<String, String> {
        let form: Vec<String> = fields
            .iter()
            .chain(&[("Version", "2010-05-15")])
            .map(|(name, value)| format!("{name}={}", http::encode(value)))
            .collect();
        let kind = "application/x-www-form-urlencoded; charset=utf-8";
        let answer = http::send("POST", &self.url, kind, form.join("&").as_bytes())?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        if answer.status == 200 {
            return Ok(text);
        }
        let said = |name| element(&text, name).unwrap_or_else(|| "not said".to_owned());
        Err(format!("{} was refused with status {}: {}: {}", fields[0].1, answer.status, said("Code"), said("Message")))
    }
}

/// Signals a wait condition through its pre-signed URL.
pub fn signal_url(url: &str, success: bool, id: &str, reason: Option<&str>, data: Option<&str>) -> Result<(), String> {
    let body = json!({
        "Status": status(success),
        "UniqueId": id,
        "Reason": reason.unwrap_or(""),
        "Data": data.unwrap_or(""),
    })
    .to_string();
    if url.starts_with("https://") {
        return curl_put(url, &body);
    }
    let answer = http::send("PUT", url, "", body.as_bytes())?;
    if (200..300).contains(&answer.status) {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    Err(format!("the signal was refused with status {}: {}", answer.status, text.trim()))
}

fn curl_put(url: &str, body: &str) -> Result<(), String> {
    let status = std::process::Command::new("curl")
        .args(["-fsS", "--max-time", "60", "-X", "PUT", "-H", "Content-Type:"])
        .args(["--data-binary", body, "--", url])
        .status()
        .map_err(|cause| format!("cannot start curl: {cause}"))?;
    if status.success() { Ok(()) } else { Err(format!("the signal was not taken: curl ended with {status}")) }
}

fn status(success: bool) -> &'static str {
    if success { "SUCCESS" } else { "FAILURE" }
}

/// The text of the first element called `name`.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(unescape(text))
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let known = after.split_once(';').and_then(|(entity, tail)| {
            let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok();
            let character = match entity {
                "lt" => '<',
                "gt" => '>',
                "amp" => '&',
                "quot" => '"',
                "apos" => '\'',
                _ => {
                    let digits = entity.strip_prefix('#')?;
                    let code = match digits.strip_prefix('x') {
                        Some(hex) => number(hex, 16)?,
                        None => number(digits, 10)?,
                    };
                    char::from_u32(code)?
                }
            };
            Some((character, tail))
        });
        match known {
            Some((character, tail)) => {
                out.push(character);
                rest = tail;
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    /// Answers one request with `answer` and returns what was asked.
    fn serve(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let served = std::thread::spawn(move || {
            let (mut link, _) = listener.accept().expect("a client");
            let mut request = Vec::new();
            let mut byte = [0];
            let done = |request: &[u8]| {
                let text = String::from_utf8_lossy(request).into_owned();
                text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
                    let length = head.split("Content-Length: ").nth(1);
                    let length = length.and_then(|rest| rest.lines().next()?.parse().ok());
                    length == Some(body.len())
                })
            };
            while !done(&request) && link.read(&mut byte).expect("readable") == 1 {
                request.push(byte[0]);
            }
            link.write_all(answer.as_bytes()).expect("writable");
            String::from_utf8(request).expect("text")
        });
        (url, served)
    }

    fn endpoint(url: &str) -> Endpoint {
        Endpoint { url: url.to_owned(), instance: "i-1".to_owned() }
    }

    #[test]
    fn a_signal_is_a_signal_resource_call() {
        let (url, served) = serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        endpoint(&url).signal("my stack", "Group", false, None).expect("taken");
        let request = served.join().expect("served");
        assert!(
            request.ends_with(
                "Action=SignalResource&StackName=my%20stack&LogicalResourceId=Group\
             &UniqueId=i-1&Status=FAILURE&Version=2010-05-15"
            ),
            "{request}"
        );
    }

    #[test]
    fn a_refusal_is_an_error_with_its_code() {
        let (url, served) = serve(
            "HTTP/1.1 400 Bad\r\nConnection: close\r\n\r\n<ErrorResponse><Error><Code>ValidationError</Code><Message>no stack</Message></Error></ErrorResponse>",
        );
        let error = endpoint(&url).signal("s", "r", true, None).expect_err("refused");
        served.join().expect("served");
        assert_eq!(error, "SignalResource was refused with status 400: ValidationError: no stack");
    }

    #[test]
    fn metadata_is_json_inside_xml() {
        let (url, served) = serve(
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<R><Metadata>{&quot;a&quot;:&quot;&#x3C;&amp;lt;&quot;}</Metadata></R>",
        );
        let metadata = endpoint(&url).metadata("s", "r").expect("answered");
        served.join().expect("served");
        assert_eq!(metadata, json!({"a": "<&lt;"}));
    }

    #[test]
    fn a_wait_condition_gets_its_json() {
        let (url, served) = serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        signal_url(&format!("{url}x?y=z"), true, "one", Some("done"), None).expect("taken");
        let request = served.join().expect("served");
        assert!(request.starts_with("PUT /x?y=z HTTP/1.1\r\n"), "{request}");
        assert!(request.ends_with(r#"{"Data":"","Reason":"done","Status":"SUCCESS","UniqueId":"one"}"#), "{request}");
    }

    #[test]
    fn a_machine_without_an_endpoint_says_so() {
        let seed = serde_json::from_str(r#"{"instance_id":"i-1"}"#).expect("a seed");
        let error = Endpoint::new(None, Ok(seed)).expect_err("no endpoint");
        assert!(error.contains("--url"), "{error}");
    }
}
