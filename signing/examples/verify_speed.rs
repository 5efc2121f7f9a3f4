//! Prints the time one verification takes: a signed GetCallerIdentity, parsed and verified, with
//! the derived key cached and not. Run it with `--release`.

use std::{error::Error, hint::black_box, time::Instant};

use http::{HeaderMap, HeaderValue};
use kiln_signing::{Body, RequestParts, Signer, Verifier, parse, verify};
use time::macros::datetime;

const ROUNDS: u32 = 200_000;

fn main() -> Result<(), Box<dyn Error>> {
    let now = datetime!(2026-01-31 12:34:56 UTC);
    let (id, secret) = ("AKIAKILNEXAMPLE00001", "kilnTestSecret/0123456789abcdef0123456789");
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("127.0.0.1:4566"));
    headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8"));
    headers.insert("user-agent", HeaderValue::from_static("Boto3/1.43 Python/3.11 Linux"));
    let unsigned = RequestParts {
        method: "POST",
        path: "/",
        query: "",
        headers: &headers,
        authority: None,
        body: Body::Bytes(b"Action=GetCallerIdentity&Version=2011-06-15"),
    };
    let signer = Signer { access_key_id: id, secret, session_token: None, region: "us-east-1", service: "sts" };
    let mut signed = headers.clone();
    signed.extend(signer.sign(&unsigned, now)?);
    let request = RequestParts { headers: &signed, ..unsigned };

    let verifier = Verifier::new();
    let start = Instant::now();
    for _ in 0..ROUNDS {
        let claim = parse(black_box(&request))?;
        verifier.verify(&claim, &request, secret, now)?;
    }
    println!("key cached:  {} ns per verification", start.elapsed().as_nanos() / u128::from(ROUNDS));

    let start = Instant::now();
    for _ in 0..ROUNDS {
        let claim = parse(black_box(&request))?;
        verify(&claim, &request, secret, now)?;
    }
    println!("key derived: {} ns per verification", start.elapsed().as_nanos() / u128::from(ROUNDS));
    Ok(())
}
