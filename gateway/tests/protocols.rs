//! One service, asked in every protocol that it speaks: the call is named, read, answered and refused in the
//! caller's.

use kiln_gateway::{Directory, Gateway, Limits};
use kiln_protocol::{Error, Location, Protocol, Route, ServiceModel, member, operations, shape};
use kiln_service_kit::{Clock, Cx, IdSource, Operation, PlatformBuilder, Service, Store, Timestamp, operation};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

static MODEL: ServiceModel = ServiceModel {
    target_prefix: "ToyBox",
    api_version: "2026-01-01",
    xml_namespace: "https://toy.test/",
    protocol: Protocol::Cbor,
    protocols: &[Protocol::Cbor, Protocol::Json10, Protocol::Query, Protocol::RestJson],
    query_errors: Some(&[("NoSuchToy", "Toy.Missing")]),
    operations: &["EchoToy", "OldToy"],
    ..ServiceModel::named("toy")
};

static ROUTES: &[Route] = &[
    Route { operation: "EchoToy", method: "PUT", uri: "/toys/{Id}/{Path+}", query: &["times"], headers: &[] },
    Route { operation: "OldToy", method: "GET", uri: "/old/{Id}", query: &[], headers: &[] },
];

shape! {
    pub struct EchoToyRequest {
        id: String = member("Id").required().max(6).location(Location::Uri("Id")),
        path: Option<String> = member("Path").location(Location::Uri("Path")),
        times: i64 = member("Times").required().location(Location::Query("times")),
        note: Option<String> = member("Note"),
    }
    pub struct EchoToyResponse {
        said: String = member("Said").required(),
    }
}

operations! {
    MODEL;
    "EchoToy": EchoToyRequest => EchoToyResponse, "PUT" "/toys/{Id}/{Path+}" 202, ["NoSuchToy" 404];
}

static ROWS: &[Operation] = &[operation!(EchoToy: echo_toy(EchoToyRequest), open)];

async fn echo_toy(_: &Cx, request: EchoToyRequest) -> Result<EchoToyResponse, Error> {
    if request.id == "none" {
        return Err(Error::sender("NoSuchToy", "There is no such toy.").with_status(404));
    }
    assert_ne!(request.id, "breaks", "this toy breaks");
    if request.id == "broken" {
        let disk = std::io::Error::other("/var/lib/kiln/toys/7: input/output error");
        return Err(Error::failed("read a toy", disk));
    }
    let EchoToyRequest { id, path, times, note } = request;
    Ok(EchoToyResponse { said: format!("{id} {} {times} {}", path.unwrap_or_default(), note.unwrap_or_default()) })
}

fn toy() -> Service {
    static ALL: &[&[Operation]] = &[ROWS];
    let mut service = Service::new(&MODEL, ALL);
    service.routes = ROUTES;
    service
}

/// Sends one request, signed for the toy service in name only, as open mode takes it.
async fn asks(address: std::net::SocketAddr, first: &str, headers: &str, body: &[u8]) -> String {
    let credential =
        "AWS4-HMAC-SHA256 Credential=123456789012/20260101/us-east-1/toy/aws4_request, SignedHeaders=host, Signature=0";
    let length = body.len();
    let head = format!(
        "{first} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: {credential}\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(&[head.as_bytes(), body].concat()).await.expect("sent");
    let mut answer = vec![];
    stream.read_to_end(&mut answer).await.expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

async fn given() -> (std::net::SocketAddr, watch::Sender<bool>) {
    let clock = Clock::simulated(Timestamp(1_800_000_000_000));
    let builder = PlatformBuilder::new(Store::in_memory(clock.clone()), clock, IdSource::seeded(1)).open(true);
    let platform = builder.service(toy()).build();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = watch::channel(false);
    let directory = Directory::new(platform.services()).expect("no two services are alike");
    let gateway = Gateway::new(platform, directory, vec![], Limits::default());
    tokio::spawn(async move { gateway.serve(listener, stopped).await });
    (address, stop)
}

fn holds(answer: &str, parts: &[&str]) {
    let lower = answer.to_ascii_lowercase();
    for part in parts {
        assert!(lower.contains(&part.to_ascii_lowercase()), "{part:?} is not in: {answer}");
    }
}

const CBOR: &str = "smithy-protocol: rpc-v2-cbor\r\nContent-Type: application/cbor\r\n";
const JSON: &str = "X-Amz-Target: ToyBox.EchoToy\r\nContent-Type: application/x-amz-json-1.0\r\n";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

#[tokio::test]
async fn a_call_is_answered_in_the_protocol_it_came_in() {
    let (address, _stop) = given().await;
    // {"Id": "a", "Path": "b/c", "Times": 2, "Note": "n"}
    let cbor = b"\xa4\x62Id\x61a\x64Path\x63b/c\x65Times\x02\x64Note\x61n";
    let said = asks(address, "POST /service/ToyBox/operation/EchoToy", CBOR, cbor).await;
    holds(&said, &["200 ok", "smithy-protocol: rpc-v2-cbor", "application/cbor", "Said", "a b/c 2 n"]);
    let json = br#"{"Id":"a","Path":"b/c","Times":2,"Note":"n"}"#;
    let said = asks(address, "POST /", JSON, json).await;
    holds(&said, &["200 ok", "application/x-amz-json-1.0", r#"{"Said":"a b/c 2 n"}"#]);
    let form = b"Action=EchoToy&Version=2026-01-01&Id=a&Path=b%2Fc&Times=2&Note=n";
    let said = asks(address, "POST /", FORM, form).await;
    holds(&said, &["200 ok", "text/xml", "<Said>a b/c 2 n</Said>"]);
    let said = asks(address, "PUT /toys/a/b/c?times=2", "Content-Type: application/json\r\n", br#"{"Note":"n"}"#).await;
    holds(&said, &["202 accepted", "application/json", r#"{"Said":"a b/c 2 n"}"#]);
}

#[tokio::test]
async fn a_refusal_is_in_the_callers_protocol_too() {
    let (address, _stop) = given().await;
    let cbor = b"\xa2\x62Id\x64none\x65Times\x02";
    let said = asks(address, "POST /service/ToyBox/operation/EchoToy", CBOR, cbor).await;
    let of_then = "x-amzn-query-error: Toy.Missing;Sender";
    holds(&said, &["404 not found", "application/cbor", "__type", "NoSuchToy", of_then]);
    let said = asks(address, "POST /", JSON, br#"{"Id":"none","Times":2}"#).await;
    holds(&said, &["404 not found", r#""__type":"NoSuchToy""#, of_then]);
    let said = asks(address, "POST /", FORM, b"Action=EchoToy&Version=2026-01-01&Id=none&Times=2").await;
    holds(&said, &["404 not found", "<Code>Toy.Missing</Code>"]);
    let said = asks(address, "PUT /toys/none/x?times=2", "", b"").await;
    holds(&said, &["404 not found", "x-amzn-errortype: NoSuchToy"]);
    // The codes of validation are the protocol's, not the service's first.
    let said = asks(address, "POST /", FORM, b"Action=EchoToy&Version=2026-01-01&Id=toolong&Times=2").await;
    holds(&said, &["400 bad request", "<Code>ValidationError</Code>"]);
    let said = asks(address, "PUT /toys/a/x", "", b"").await;
    holds(&said, &["400 bad request", "x-amzn-errortype: ValidationException", "times"]);
}

/// What the log says.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panicked").extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn of_a_failure_inside_the_caller_reads_that_there_was_one_and_the_log_has_the_chain_by_the_request_s_id() {
    let said = Said::default();
    let writer = said.clone();
    let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _here = tracing::subscriber::set_default(log);
    let (address, _stop) = given().await;
    let answer = asks(address, "POST /", JSON, br#"{"Id":"broken","Times":2}"#).await;
    holds(
        &answer,
        &[
            "500 internal server error",
            r#""__type":"InternalFailure""#,
            "The request processing has failed because of an unknown error, exception or failure.",
        ],
    );
    assert!(!answer.contains("/var/lib") && !answer.contains("input/output"), "{answer}");
    let id = answer.lines().find_map(|line| line.strip_prefix("x-amzn-requestid: ")).expect("the answer has an id");
    let log = String::from_utf8(said.0.lock().expect("nobody panicked").clone()).expect("the log is text");
    let line = log.lines().find(|line| line.contains("a request failed")).expect("the log tells of it");
    let chain = "InternalFailure: failed to read a toy: /var/lib/kiln/toys/7: input/output error";
    assert!(line.contains(id) && line.contains(chain), "{line}");
}

#[tokio::test]
async fn an_operation_that_breaks_off_is_a_failed_call_in_the_log_too() {
    let said = Said::default();
    let writer = said.clone();
    let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _here = tracing::subscriber::set_default(log);
    let (address, _stop) = given().await;
    let answer = asks(address, "POST /", JSON, br#"{"Id":"breaks","Times":2}"#).await;
    holds(&answer, &["500 internal server error", r#""__type":"InternalFailure""#]);
    let log = String::from_utf8(said.0.lock().expect("nobody panicked").clone()).expect("the log is text");
    let line = log.lines().find(|line| line.contains("kiln::calls")).expect("the call is told");
    assert!(line.contains("EchoToy") && line.contains("InternalFailure"), "{line}");
}

#[tokio::test]
async fn a_path_that_no_operation_has_is_told_so() {
    let (address, _stop) = given().await;
    for (first, headers) in [
        ("PUT /toys/a", ""),
        ("DELETE /toys/a/b?times=1", ""),
        ("GET /", ""),
        ("POST /service/ToyBox/EchoToy", CBOR),
        ("PUT /service/ToyBox/operation/EchoToy", CBOR),
    ] {
        let said = asks(address, first, headers, b"").await;
        holds(&said, &["404 not found", "UnknownOperationException"]);
        assert!(!headers.is_empty() || said.contains("x-amzn-errortype"), "{said}");
    }
    let said = asks(address, "POST /service/ToyBox/operation/Other", CBOR, b"").await;
    holds(&said, &["application/cbor", "UnknownOperationException"]);
    let said = asks(address, "POST /service/Elsewhere/operation/Other", CBOR, b"").await;
    holds(&said, &["501 not implemented", "toy:Other"]);
    // AWS has it, and this kiln does not.
    let said = asks(address, "GET /old/x", "", b"").await;
    holds(&said, &["501 not implemented", "x-amzn-errortype: NotImplemented", "toy:OldToy"]);
}

#[test]
fn services_that_no_request_can_tell_apart_are_refused_by_name() {
    let error = Directory::new(&[toy(), toy()]).err().expect("one service is there twice");
    assert!(error.to_string().contains("toy and toy"), "{error}");
    static OTHER: ServiceModel = ServiceModel {
        signing_name: "toy",
        api_version: "2026-01-01",
        protocol: Protocol::RestJson,
        protocols: &[Protocol::RestJson],
        operations: &["EchoToy"],
        ..ServiceModel::named("other")
    };
    let mut other = Service::new(&OTHER, &[]);
    other.routes = ROUTES;
    let error = Directory::new(&[toy(), other]).err().expect("both have the route");
    assert!(error.to_string().starts_with("toy:EchoToy and other:EchoToy cannot be told apart"), "{error}");
}
