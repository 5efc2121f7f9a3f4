//! What must be refused, and what AWS's clients are told then.

use super::{
    Request, at,
    vectors::{NOW, load, text},
};
use crate::{Body, Family, SigError, Verifier, parse, verify};

fn named(name: &str) -> (String, Request) {
    let (all, requests) = load();
    let found = requests.into_iter().find(|(each, _)| each == name).expect("a known vector");
    (text(&all, "secret").to_owned(), found.1)
}

#[test]
fn any_change_breaks_the_signature() {
    let (all, requests) = load();
    let secret = text(&all, "secret");
    let refused = |name: &str, what: &str, request: &Request| {
        let result = request.check(secret, at(NOW));
        assert!(result.is_err(), "{name}: {what} went unnoticed");
    };
    for (name, request) in &requests {
        assert_eq!(request.check("another secret", at(NOW)), Err(SigError::SignatureDoesNotMatch), "{name}");
        let changed = |change: fn(&mut Request)| {
            let mut copy = request.clone();
            change(&mut copy);
            copy
        };
        refused(name, "method", &changed(|r| r.method = "PATCH".into()));
        refused(name, "path", &changed(|r| r.path.push_str("/x")));
        refused(name, "query", &changed(|r| r.query.push_str("&extra=1")));
        refused(name, "host", &changed(|r| r.set("host", "elsewhere:4566")));
        refused(name, "added x-amz header", &changed(|r| r.set("x-amz-added", "1")));
        if name != "presigned s3" {
            refused(name, "body", &changed(|r| r.body.push(b'!')));
        }
        for header in request.headers.keys() {
            let mut copy = request.clone();
            copy.set(header.as_str(), "changed");
            refused(name, header.as_str(), &copy);
        }
        let claim = parse(&request.parts()).expect("parses");
        for field in 0..4 {
            let mut other = claim.clone();
            match field {
                0 => other.region = "eu-north-1".into(),
                1 => other.service = "kms".into(),
                2 => other.day = "20260130".into(),
                _ => other.signature[31] ^= 1,
            }
            let result = verify(&other, &request.parts(), secret, at(NOW));
            assert!(result.is_err(), "{name}: claim field {field}");
        }
    }
}

#[test]
fn clocks_may_differ_by_five_minutes_and_fifteen_for_s3() {
    let (secret, sts) = named("sts query post");
    for good in ["20260131T123956Z", "20260131T122956Z"] {
        sts.check(&secret, at(good)).expect("five minutes are allowed");
    }
    let old = sts.check(&secret, at("20260131T123957Z")).expect_err("too old");
    assert_eq!(
        old.answer(Family::Query).message,
        "Signature expired: 20260131T123456Z is now earlier than 20260131T123457Z \
         (20260131T123957Z - 5 min.)"
    );
    let early = sts.check(&secret, at("20260131T122955Z")).expect_err("too early");
    assert_eq!(
        early.answer(Family::Json).message,
        "Signature not yet current: 20260131T123456Z is still later than 20260131T123455Z \
         (20260131T122955Z + 5 min.)"
    );
    let (secret, s3) = named("s3 object");
    s3.check(&secret, at("20260131T124956Z")).expect("fifteen minutes are allowed");
    let old = s3.check(&secret, at("20260131T124957Z")).expect_err("too old");
    assert!(matches!(old, SigError::Expired { seconds: 900, presigned: false, .. }), "{old:?}");
}

#[test]
fn each_family_has_its_own_words() {
    use Family::{Ec2, Json, Query, RestJson};
    let expired = SigError::Expired { signed: at(NOW), now: at(NOW), seconds: 1, presigned: true };
    let table = [
        (SigError::MissingAuthenticationToken, Query, "MissingAuthenticationToken", 403),
        (SigError::MissingAuthenticationToken, Json, "MissingAuthenticationTokenException", 400),
        (SigError::InvalidClientTokenId, Query, "InvalidClientTokenId", 403),
        (SigError::InvalidClientTokenId, Json, "UnrecognizedClientException", 400),
        (SigError::InvalidClientTokenId, RestJson, "UnrecognizedClientException", 403),
        (SigError::InvalidClientTokenId, Ec2, "AuthFailure", 401),
        (SigError::SignatureDoesNotMatch, Query, "SignatureDoesNotMatch", 403),
        (SigError::SignatureDoesNotMatch, Json, "InvalidSignatureException", 400),
        (SigError::SignatureDoesNotMatch, Ec2, "AuthFailure", 401),
        (SigError::IncompleteSignature("x".into()), Query, "IncompleteSignature", 400),
        (SigError::ExpiredToken, Query, "ExpiredToken", 403),
        (SigError::ExpiredToken, Json, "ExpiredTokenException", 400),
        (SigError::ExpiredToken, Ec2, "RequestExpired", 400),
        (expired.clone(), Query, "SignatureDoesNotMatch", 403),
        (expired.clone(), Ec2, "RequestExpired", 400),
        (SigError::UnsupportedAlgorithm("Basic".into()), Query, "IncompleteSignature", 400),
    ];
    for (error, family, code, status) in table {
        let answer = error.answer(family);
        assert_eq!((answer.code, answer.status), (code, status), "{error:?} for {family:?}");
    }
}

#[test]
fn malformed_claims_are_answered_never_panicked_on() {
    let (_, good) = named("sts query post");
    let table: [(&str, SigError); 6] = [
        ("Basic dXNlcg==", SigError::UnsupportedAlgorithm("Basic".into())),
        (
            "AWS4-HMAC-SHA256 Credential=a/20260131/r/s/aws4_request",
            SigError::IncompleteSignature(
                "Authorization header requires 'Signature' parameter. Authorization header \
                 requires 'SignedHeaders' parameter."
                    .into(),
            ),
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=00",
            SigError::IncompleteSignature(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term, got 'a/b'"
                    .into(),
            ),
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/20260131/r/s/aws5, SignedHeaders=host, Signature=00",
            SigError::WrongScope(
                "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5'.".into(),
            ),
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/20260130/r/s/aws4_request, SignedHeaders=host, \
             Signature=00",
            SigError::WrongScope(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date \
                 from HTTP: '20260130' != '20260131', from '20260131T123456Z'."
                    .into(),
            ),
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/20260131/r/s/aws4_request, SignedHeaders=host, \
             Signature=zz",
            SigError::SignatureDoesNotMatch,
        ),
    ];
    for (header, expected) in table {
        let mut request = good.clone();
        request.set("authorization", header);
        assert_eq!(parse(&request.parts()), Err(expected), "{header}");
    }
    // Every prefix and every one-byte change of a good header: an error or a claim, no panic.
    let value = good.headers["authorization"].to_str().expect("ASCII").to_owned();
    for end in 0..value.len() {
        for text in [value[..end].to_owned(), format!("{}/{}", &value[..end], &value[end + 1..])] {
            let mut request = good.clone();
            request.set("authorization", &text);
            assert!(request.check("x", at(NOW)).is_err());
        }
    }
    let mut bare = good.clone();
    bare.headers.remove("authorization");
    assert_eq!(parse(&bare.parts()), Err(SigError::MissingAuthenticationToken));
}

#[test]
fn presigned_parameters_are_checked() {
    let (secret, good) = named("presigned s3");
    let with = |from: &str, to: &str| {
        let mut request = good.clone();
        assert!(request.query.contains(from), "{} has no {from}", request.query);
        request.query = request.query.replace(from, to);
        request.check(&secret, at(NOW)).expect_err("must be refused")
    };
    let bad = |error: SigError| matches!(error, SigError::BadQueryParameters(_));
    assert!(bad(with("X-Amz-Expires=3600", "X-Amz-Expires=604801")));
    assert!(bad(with("X-Amz-Expires=3600", "X-Amz-Expires=-1")));
    assert_eq!(with("X-Amz-Expires=3600", "X-Amz-Expires=3601"), SigError::SignatureDoesNotMatch);
    assert!(bad(with("X-Amz-Date=2026", "X-Amz-Date=x")));
    let without = "AWS query-string parameters must include 'X-Amz-SignedHeaders'.";
    assert_eq!(
        with("X-Amz-SignedHeaders=host", "X-Amz-SignedHeader=host"),
        SigError::BadQueryParameters(without.into())
    );
}

#[test]
fn unsigned_and_streaming_payloads_are_for_s3_only() {
    for marker in ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"] {
        let (secret, mut request) = named("sts query post");
        request.set("x-amz-content-sha256", marker);
        let mut claim = parse(&request.parts()).expect("parses");
        claim.signed_headers.push("x-amz-content-sha256".into());
        let result = verify(&claim, &request.parts(), &secret, at(NOW));
        assert_eq!(result, Err(SigError::PayloadMarker(marker.into())));
    }
}

#[test]
fn a_body_nobody_read_needs_a_signed_digest() {
    let (secret, sts) = named("sts query post");
    let (_, s3) = named("s3 object");
    let unread = |request: &Request| {
        let mut parts = request.parts();
        parts.body = Body::NotRead;
        verify(&parse(&parts).expect("parses"), &parts, &secret, at(NOW))
    };
    assert_eq!(unread(&sts), Err(SigError::BodyMismatch));
    assert_eq!(unread(&s3), Ok(()));
}

#[test]
fn scope_is_checked_when_the_service_is_known() {
    let (_, sts) = named("sts query post");
    let claim = parse(&sts.parts()).expect("parses");
    assert_eq!(claim.expect_scope("sts", None), Ok(()));
    let message = |service, region| {
        let error = claim.expect_scope(service, region).expect_err("wrong");
        error.answer(Family::Query).message
    };
    assert_eq!(message("iam", None), "Credential should be scoped to correct service: 'iam'.");
    assert_eq!(message("sts", Some("eu-west-1")), "Credential should be scoped to a valid region, not 'us-east-1'.");
}

#[test]
fn the_key_cache_is_bounded_and_never_outlives_a_secret() {
    let (secret, request) = named("sts query post");
    let verifier = Verifier::new();
    let claim = parse(&request.parts()).expect("parses");
    let check = |secret: &str| verifier.verify(&claim, &request.parts(), secret, at(NOW));
    assert_eq!(check(&secret), Ok(()));
    assert_eq!(check("rotated"), Err(SigError::SignatureDoesNotMatch));
    assert_eq!(check(&secret), Ok(()));
    for number in 0..5000 {
        let mut made_up = claim.clone();
        made_up.credential = format!("AKIA{number}/20260131/us-east-1/sts/aws4_request");
        made_up.access_key_id = format!("AKIA{number}");
        let result = verifier.verify(&made_up, &request.parts(), "s", at(NOW));
        assert_eq!(result, Err(SigError::SignatureDoesNotMatch));
        assert!(verifier.cached_keys() <= 1024);
    }
}

#[test]
fn a_region_is_a_plain_name() {
    let (_, request) = named("sts query post");
    let authorization = request.headers["authorization"].to_str().expect("text").to_owned();
    let region = parse(&request.parts()).expect("parses").region;
    let long = "a".repeat(65);
    for bad in ["", "..", "a b", "a_b", "*", &long] {
        let mut copy = request.clone();
        copy.set("authorization", &authorization.replace(&format!("/{region}/"), &format!("/{bad}/")));
        let refused = parse(&copy.parts()).expect_err(bad);
        assert!(matches!(&refused, SigError::WrongScope(text) if text.contains("valid region")), "{bad}: {refused}");
    }
}
