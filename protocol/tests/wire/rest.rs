//! rest-json, rest-xml and cbor.

use crate::example::{Group, MODEL, full};
use kiln_protocol::rest::{RestRequest, decode, labels};
use kiln_protocol::{
    Blob, Error, Location, Map, Protocol, Shape, StructTyped, cbor, encode_error, encode_response, member, shape,
};

shape! {
    pub struct PutThing {
        id: String = member("Id").required().location(Location::Uri("Id")),
        size: Option<i32> = member("Size").location(Location::Query("size")),
        kinds: Vec<String> = member("Kinds").location(Location::Query("kind")),
        at: Option<kiln_protocol::Timestamp> = member("At").location(Location::Header("X-At")),
        meta: Map<String> = member("Meta").location(Location::Headers("x-meta-")),
        note: Option<String> = member("Note"),
        names: Vec<String> = member("Names").item("Name"),
        flat: Vec<i64> = member("Flat").flattened(),
    }
    pub struct Upload {
        body: Option<Blob> = member("Body").location(Location::Payload),
        etag: Option<String> = member("ETag").location(Location::Header("ETag")),
        status: Option<i32> = member("Status").location(Location::StatusCode),
    }
    pub struct Wrapped {
        thing: Option<PutThing> = member("Thing").location(Location::Payload),
    }
}

fn put(protocol: Protocol, body: &[u8]) -> Result<PutThing, Error> {
    let request = RestRequest {
        path: "/things/a%20b",
        query: "size=4&kind=x&kind=y%26&other=1",
        headers: &[("x-at", "Fri, 02 Jan 2026 03:04:05 GMT"), ("X-Meta-Team", "web")],
        body,
    };
    let labels = labels("/things/{Id}", request.path).expect("the path fits");
    PutThing::from_value(decode(protocol, &request, &labels, PutThing::SHAPE)?)
}

fn expected() -> PutThing {
    PutThing {
        id: "a b".into(),
        size: Some(4),
        kinds: vec!["x".into(), "y&".into()],
        at: Some(kiln_protocol::Timestamp::from_epoch_seconds(1_767_323_045)),
        meta: [("Team".to_owned(), "web".to_owned())].into(),
        note: Some("<n> & é".into()),
        names: vec!["a".into(), "b".into()],
        flat: vec![1, 2],
    }
}

#[test]
fn members_come_from_everywhere() {
    let json = r#"{"Note":"<n> & é","Names":["a","b"],"Flat":[1,2],"Id":"not from the body"}"#;
    assert_eq!(put(Protocol::RestJson, json.as_bytes()).unwrap(), expected());
    let xml = "<?xml version=\"1.0\"?><r:Any xmlns:r=\"x\"><Flat>1</Flat><Note>&lt;n> &amp; <![CDATA[\u{e9}]]></Note>\
        <!-- c --><Names><Name>a</Name><Name>&#98;</Name></Names><Unknown><x/></Unknown><Flat>2</Flat></r:Any>";
    assert_eq!(put(Protocol::RestXml, xml.as_bytes()).unwrap(), expected());
}

#[test]
fn paths_match_their_patterns() {
    assert_eq!(labels("/{Bucket}/{Key+}", "/b/a/b%2Fc"), Some(vec![("Bucket", "b".into()), ("Key", "a/b/c".into())]));
    assert_eq!(labels("/x/{Key+}/end?list", "/x/a/b/end"), Some(vec![("Key", "a/b".into())]));
    assert_eq!(labels("/", "/"), Some(vec![]));
    for (pattern, path) in
        [("/x", "/y"), ("/x", "/x/y"), ("/x/{A}", "/x"), ("/x/{A}", "/x/"), ("/x/{A+}/e", "/x/e"), ("/{A}", "/%ff")]
    {
        assert_eq!(labels(pattern, path), None, "{pattern} {path}");
    }
}

#[test]
fn answers_put_members_where_they_belong() {
    let upload = Upload { body: Some(Blob(b"raw".to_vec())), etag: Some("e1".into()), status: Some(201) };
    let answer = encode_response(Protocol::RestXml, &MODEL, "Get", Upload::SHAPE, &upload.clone().into_value(), "id-1");
    assert_eq!(
        (answer.status, answer.content_type, answer.body.as_slice()),
        (201, "application/octet-stream", &b"raw"[..])
    );
    assert!(answer.headers.contains(&("ETag".into(), "e1".into())), "{:?}", answer.headers);
    let thing = expected();
    let answer =
        encode_response(Protocol::RestJson, &MODEL, "Get", PutThing::SHAPE, &thing.clone().into_value(), "id-1");
    assert_eq!(String::from_utf8(answer.body).unwrap(), r#"{"Note":"<n> & é","Names":["a","b"],"Flat":[1,2]}"#);
    assert!(answer.headers.contains(&("X-At".into(), "Fri, 02 Jan 2026 03:04:05 GMT".into())));
    assert!(answer.headers.contains(&("x-meta-Team".into(), "web".into())));
    let wrapped = Wrapped { thing: Some(PutThing { note: Some("n".into()), ..Default::default() }) };
    let answer =
        encode_response(Protocol::RestXml, &MODEL, "Get", Wrapped::SHAPE, &wrapped.clone().into_value(), "id-1");
    let text = String::from_utf8(answer.body).unwrap();
    assert!(text.contains("<Thing xmlns=\"https://example.test/doc\"><"), "{text}");
    let error = Error::sender("NoSuchThing", "gone").with_status(404);
    let answer = encode_error(Protocol::RestJson, &MODEL, &error, "id-1");
    assert_eq!(answer.status, 404);
    assert!(answer.headers.contains(&("x-amzn-errortype".into(), "NoSuchThing".into())));
}

#[test]
fn broken_xml_is_an_error() {
    for body in [
        "<a>",
        "<a></b>",
        "</a>",
        "<a/><b/>",
        "x",
        "<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>",
        "<a>&e;</a>",
        "<a>&#0;</a>",
        "<a><Flat>x</Flat></a>",
    ] {
        assert_eq!(put(Protocol::RestXml, body.as_bytes()).expect_err(body).code, "MalformedXML", "{body}");
    }
    for body in ["<a>".repeat(100_000), format!("<a>{}</a>", "<b/>".repeat(1_000_000))] {
        assert_eq!(put(Protocol::RestXml, body.as_bytes()).unwrap_err().code, "MalformedXML");
    }
}

#[test]
fn cbor_survives_the_round() {
    let bytes = cbor::encode(&full().into_value(), Group::SHAPE);
    assert_eq!(Group::from_value(cbor::decode(&bytes, Group::SHAPE).unwrap()).unwrap(), full());
    // {_ "Name": (_ "a", "b"), "x": [1, {2: h'00'}], "Size": -1 as half float's neighbour, "Ratio": half 1.5 }
    let odd = b"\xbf\x64Name\x7f\x61a\x61b\xff\x61x\x82\x01\xa1\x02\x41\x00\x65Ratio\xf9\x3e\x00\x64Size\x20\x65Token\x60\xff";
    let group = Group::from_value(cbor::decode(odd, Group::SHAPE).unwrap()).unwrap();
    assert_eq!((group.name.as_str(), group.ratio, group.size), ("ab", Some(1.5), Some(-1)));
}

#[test]
fn broken_cbor_is_an_error_and_never_a_panic() {
    for body in [
        &b"\x01"[..],
        b"\xa1",
        b"\xbf",
        b"\xff",
        b"\xa1\x64Name\x01",
        b"\xa1\x01\x01",
        b"\xa0\xa0",
        b"\xa1\x61x\x5b\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        assert_eq!(cbor::decode(body, Group::SHAPE).unwrap_err().code, "SerializationException", "{body:x?}");
    }
    let mut deep = b"\xa1\x66Parent".repeat(10_000);
    deep.push(0xa0);
    assert!(cbor::decode(&deep, Group::SHAPE).is_err());
    let mut skipped = b"\xa1\x61x".to_vec();
    skipped.extend(b"\x81".repeat(100_000));
    assert!(cbor::decode(&skipped, Group::SHAPE).is_err());
    let good = cbor::encode(&full().into_value(), Group::SHAPE);
    let mut seed = 3u64;
    for _ in 0..50_000 {
        let mut bytes = good.clone();
        for _ in 0..3 {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let at = (seed >> 33) as usize % bytes.len();
            bytes[at] = (seed >> 17) as u8;
        }
        let _ = cbor::decode(&bytes, Group::SHAPE);
    }
}
