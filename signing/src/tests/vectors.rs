//! Against botocore, in both directions. `generate-vectors.py` made the data.

use serde_json::Value;

use super::{Request, at};
use crate::{Kind, SigError, Signer};

pub(super) const NOW: &str = "20260131T123456Z";

pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().expect("vectors.json has this member")
}

pub(super) fn load() -> (Value, Vec<(String, Request)>) {
    let all: Value = serde_json::from_str(include_str!("data/vectors.json")).expect("valid JSON");
    let requests = all["requests"].as_array().expect("a list").iter().map(|one| {
        let mut request = Request {
            method: text(one, "method").into(),
            path: text(one, "path").into(),
            query: text(one, "query").into(),
            headers: Default::default(),
            body: text(one, "body").into(),
        };
        for (name, value) in one["headers"].as_object().expect("a map") {
            request.set(name, value.as_str().expect("a string"));
        }
        (text(one, "name").to_owned(), request)
    });
    let requests = requests.collect();
    (all, requests)
}

#[test]
fn what_botocore_signed_verifies() {
    let (all, requests) = load();
    assert_eq!(requests.len(), 12);
    for (index, (name, request)) in requests.iter().enumerate() {
        let claim = request.check(text(&all, "secret"), at(NOW)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected = &all["requests"][index];
        assert_eq!(claim.access_key_id, text(&all, "access_key_id"), "{name}");
        assert_eq!(claim.session_token.as_deref(), expected["token"].as_str(), "{name}");
        claim.expect_scope(text(expected, "service"), Some(text(expected, "region"))).expect(name);
        assert_eq!(matches!(claim.kind, Kind::Presigned { .. }), name.starts_with("presigned"));
    }
}

#[test]
fn we_sign_as_botocore_does() {
    let (all, requests) = load();
    for (index, (name, request)) in requests.iter().enumerate() {
        if name.starts_with("presigned") {
            continue;
        }
        let signer = Signer {
            access_key_id: text(&all, "access_key_id"),
            secret: text(&all, "secret"),
            session_token: all["requests"][index]["token"].as_str(),
            region: text(&all["requests"][index], "region"),
            service: text(&all["requests"][index], "service"),
        };
        let mut bare = request.clone();
        for header in ["authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"] {
            bare.headers.remove(header);
        }
        let added = signer.sign(&bare.parts(), at(NOW)).expect(name);
        assert_eq!(added["authorization"], request.headers["authorization"], "{name}");
    }
}

#[test]
fn what_we_presign_verifies_until_it_expires() {
    let mut request = Request {
        method: "GET".into(),
        path: "/".into(),
        query: "Action=GetCallerIdentity&Version=2011-06-15".into(),
        headers: Default::default(),
        body: Vec::new(),
    };
    request.set("host", "localhost:4566");
    let signer = Signer {
        access_key_id: "AKIA1",
        secret: "s",
        session_token: Some("t/+="),
        region: "us-east-1",
        service: "sts",
    };
    request.query = signer.presign(&request.parts(), at(NOW), 600).expect("signs");
    let claim = request.check("s", at("20260131T124456Z")).expect("good for 600 s");
    assert_eq!(claim.kind, Kind::Presigned { expires: Some(600) });
    assert_eq!(claim.session_token.as_deref(), Some("t/+="));
    let late = request.check("s", at("20260131T124457Z"));
    assert!(matches!(late, Err(SigError::Expired { presigned: true, .. })), "{late:?}");
}
