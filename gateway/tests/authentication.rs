//! Temporary credentials at the door: their token, their end, and keys that were made inactive.

use kiln_gateway::{Directory, Gateway, Limits};
use kiln_protocol::ServiceModel;
use kiln_service_kit::{
    Access, Caller, Clock, Credential, Cx, Error, Grant, IdSource, PlatformBuilder, Service, Store, Timestamp,
};
use kiln_signing::{Body, RequestParts, Signer};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const START: i64 = 1_800_000_000_000;
const SECRET: &str = "secret";
const FORM: &[u8] = b"Action=Ping&Version=2026-01-01";

/// AWS has this operation and Kiln does not: whoever gets so far was let in.
static MODEL: ServiceModel =
    ServiceModel { api_version: "2026-01-01", operations: &["Ping"], ..ServiceModel::named("ping") };

/// `long`: a user's key; `idle`: one that was made inactive; `short`: a session's for an hour;
/// `over`: one whose hour has just passed.
#[derive(Default)]
struct Keys {
    /// Who was let in, and where.
    uses: Mutex<Vec<String>>,
}

impl Access for Keys {
    fn credential(&self, access_key: &str) -> Result<Option<Credential>, Error> {
        let session = matches!(access_key, "short" | "over");
        let end = if access_key == "short" { START + 3_600_000 } else { START };
        Ok(["long", "idle", "short", "over"].contains(&access_key).then(|| Credential {
            secret: SECRET.to_owned(),
            session_token: session.then(|| "token".to_owned()),
            expires: session.then_some(Timestamp(end)),
            active: access_key != "idle",
            caller: Caller::root("000000000000"),
        }))
    }

    fn exists(&self, _: &Caller) -> Result<bool, Error> {
        Ok(true)
    }

    fn names_somebody(&self, _: &str) -> Result<bool, Error> {
        Ok(true)
    }

    fn used(&self, caller: &Caller, service: &str, region: &str) {
        self.uses.lock().expect("no panic").push(format!("{} {service} {region}", caller.access_key));
    }

    fn authorize(&self, _: &Cx, _: &Grant<'_>) -> Result<(), Error> {
        Ok(())
    }
}

struct Given {
    address: std::net::SocketAddr,
    clock: Clock,
    keys: Arc<Keys>,
    _stop: watch::Sender<bool>,
}

async fn given() -> Given {
    let clock = Clock::simulated(Timestamp(START));
    let builder = PlatformBuilder::new(Store::in_memory(clock.clone()), clock.clone(), IdSource::seeded(1));
    let platform = builder.service(Service::new(&MODEL, &[])).build();
    let keys = Arc::<Keys>::default();
    platform.set_access(keys.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = watch::channel(false);
    let directory = Directory::new(platform.services()).expect("no two services are alike");
    let gateway = Gateway::new(platform, directory, vec![], Limits::default());
    tokio::spawn(async move { gateway.serve(listener, stopped).await });
    Given { address, clock, keys, _stop: stop }
}

impl Given {
    /// What a request is answered that is signed now with that key and token.
    async fn asks(&self, access_key_id: &str, session_token: Option<&str>) -> String {
        let signer = Signer { access_key_id, secret: SECRET, session_token, region: "us-east-1", service: "ping" };
        let headers = http::HeaderMap::from_iter([(http::header::HOST, http::HeaderValue::from_static("kiln"))]);
        let parts = RequestParts {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            authority: None,
            body: Body::Bytes(FORM),
        };
        let now = time::OffsetDateTime::from_unix_timestamp(self.clock.now().0 / 1_000).expect("a time");
        let signed = signer.sign(&parts, now).expect("signed");
        let mut request =
            format!("POST / HTTP/1.1\r\nHost: kiln\r\nConnection: close\r\nContent-Length: {}\r\n", FORM.len());
        for (name, value) in &signed {
            request += &format!("{name}: {}\r\n", value.to_str().expect("text"));
        }
        let mut stream = TcpStream::connect(self.address).await.expect("a connection");
        stream.write_all(&[request.as_bytes(), b"\r\n", FORM].concat()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        let code = answer.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
        code.map_or_else(|| answer.clone(), |(code, _)| code.to_owned())
    }
}

#[tokio::test]
async fn a_key_comes_with_its_token_and_no_other() {
    let given = given().await;
    assert_eq!(given.asks("long", None).await, "NotImplemented");
    assert_eq!(given.asks("short", Some("token")).await, "NotImplemented");
    for (key, token) in
        [("long", Some("token")), ("short", None), ("short", Some("other")), ("idle", None), ("nobody", None)]
    {
        assert_eq!(given.asks(key, token).await, "InvalidClientTokenId", "{key} {token:?}");
    }
    let uses = given.keys.uses.lock().expect("no panic").join(", ");
    assert_eq!(uses, "long ping us-east-1, short ping us-east-1");
}

#[tokio::test]
async fn temporary_credentials_end() {
    let given = given().await;
    assert_eq!(given.asks("over", Some("token")).await, "ExpiredToken");
    // Only who knew the secret learns that it has ended.
    assert_eq!(given.asks("over", Some("other")).await, "InvalidClientTokenId");
}
