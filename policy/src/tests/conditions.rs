//! Every operator, set operators, and what a missing key means.

use time::macros::datetime;

use super::{identity, request};
use crate::{Policies, Policy, Request, evaluate};

/// Whether a statement with this condition applies to a request with these keys.
fn holds(condition: &str, keys: &[(&str, &[&str])]) -> bool {
    let statement = format!(r#"{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{{{condition}}}}}"#);
    let document = identity(&statement);
    let asked = keys.iter().fold(request("x:Y", "*"), |request, (key, values)| request.with_all(key, values));
    allowed(&asked, &document)
}

fn allowed(request: &Request, document: &crate::Document) -> bool {
    let identity = [Policy { name: "p", document }];
    evaluate(request, &Policies { identity: &identity, ..Policies::default() }).is_allowed()
}

#[test]
fn operators() {
    #[rustfmt::skip]
    let table = [
        (r#""StringEquals": {"k:a": ["x", "y"]}"#, "y", true),
        (r#""StringEquals": {"K:A": "X"}"#, "x", false),
        (r#""StringEquals": {"k:a": "x*"}"#, "xy", false),
        (r#""StringEquals": {"k:a": "${aws:username}"}"#, "ann", true),
        (r#""StringNotEquals": {"k:a": ["x", "y"]}"#, "y", false),
        (r#""StringNotEquals": {"k:a": ["x", "y"]}"#, "z", true),
        (r#""StringEqualsIgnoreCase": {"k:a": "X"}"#, "x", true),
        (r#""StringNotEqualsIgnoreCase": {"k:a": "X"}"#, "x", false),
        (r#""StringLike": {"k:a": "a?c*"}"#, "abcd", true),
        (r#""StringNotLike": {"k:a": "a?c*"}"#, "abcd", false),
        (r#""stringlike": {"k:a": "a*"}"#, "abcd", true),
        (r#""NumericEquals": {"k:a": 5}"#, "5.0", true),
        (r#""NumericNotEquals": {"k:a": "5"}"#, "5", false),
        (r#""NumericLessThan": {"k:a": "5"}"#, "5", false),
        (r#""NumericLessThanEquals": {"k:a": "5"}"#, "5", true),
        (r#""NumericGreaterThan": {"k:a": "5"}"#, "6", true),
        (r#""NumericGreaterThanEquals": {"k:a": "5"}"#, "4", false),
        (r#""NumericLessThan": {"k:a": "5"}"#, "abc", false),
        (r#""NumericLessThan": {"k:a": "5"}"#, "NaN", false),
        (r#""DateEquals": {"k:a": "2026-01-31T00:00:00Z"}"#, "2026-01-31", true),
        (r#""DateNotEquals": {"k:a": "2026-01-31T00:00:00Z"}"#, "2026-01-31", false),
        (r#""DateLessThan": {"k:a": "2026-01-31T00:00:00+01:00"}"#, "2026-01-30T22:59:59Z", true),
        (r#""DateLessThanEquals": {"k:a": "1769817600"}"#, "2026-01-31T00:00:00Z", true),
        (r#""DateGreaterThan": {"k:a": "2026"}"#, "2026-01-01T00:00:01Z", true),
        (r#""DateGreaterThanEquals": {"k:a": "2026-02"}"#, "2026-01-31T23:59:59Z", false),
        (r#""Bool": {"k:a": "true"}"#, "True", true),
        (r#""Bool": {"k:a": true}"#, "false", false),
        (r#""BinaryEquals": {"k:a": "QUJD"}"#, "QUJD", true),
        (r#""BinaryEquals": {"k:a": "QUJD"}"#, "QUJE", false),
        (r#""IpAddress": {"k:a": "10.1.0.0/16"}"#, "10.1.255.3", true),
        (r#""IpAddress": {"k:a": "10.1.0.0/16"}"#, "10.2.0.1", false),
        (r#""IpAddress": {"k:a": "10.1.0.0/16"}"#, "::ffff:10.1.2.3", true),
        (r#""IpAddress": {"k:a": "0.0.0.0/0"}"#, "8.8.8.8", true),
        (r#""IpAddress": {"k:a": "10.1.2.3"}"#, "10.1.2.4", false),
        (r#""IpAddress": {"k:a": "2001:db8::/32"}"#, "2001:db8:1::9", true),
        (r#""IpAddress": {"k:a": "2001:db8::/32"}"#, "10.0.0.1", false),
        (r#""NotIpAddress": {"k:a": "2001:db8::/32"}"#, "2001:db9::", true),
        (r#""NotIpAddress": {"k:a": ["10.0.0.0/8", "127.0.0.0/8"]}"#, "127.0.0.1", false),
        (r#""ArnLike": {"k:a": "arn:aws:s3:::*"}"#, "arn:aws:s3:::b", true),
        (r#""ArnEquals": {"k:a": "arn:aws:*:b"}"#, "arn:aws:s3:::b", false),
        (r#""ArnNotLike": {"k:a": "arn:aws:s3:::*"}"#, "arn:aws:s3:::b", false),
        (r#""ArnNotEquals": {"k:a": "arn:aws:s3:::c"}"#, "arn:aws:s3:::b", true),
        (r#""Null": {"k:a": "false"}"#, "x", true),
        (r#""Null": {"k:a": true}"#, "x", false),
        (r#""StringEquals": {"k:a": "x"}, "Bool": {"k:b": "true"}"#, "x", false),
    ];
    for (condition, value, expected) in table {
        assert_eq!(holds(condition, &[("k:a", &[value])]), expected, "{condition} with {value}");
    }
}

#[test]
fn missing_keys() {
    #[rustfmt::skip]
    let table = [
        (r#""StringEquals": {"k:a": "x"}"#, false),
        (r#""StringLike": {"k:a": "*"}"#, false),
        (r#""StringNotEquals": {"k:a": "x"}"#, true),
        (r#""NotIpAddress": {"k:a": "10.0.0.0/8"}"#, true),
        (r#""ArnNotLike": {"k:a": "arn:aws:s3:::*"}"#, true),
        (r#""StringEqualsIfExists": {"k:a": "x"}"#, true),
        (r#""BoolIfExists": {"k:a": "true"}"#, true),
        (r#""Bool": {"k:a": "false"}"#, false),
        (r#""Null": {"k:a": "true"}"#, true),
        (r#""Null": {"k:a": "false"}"#, false),
        (r#""ForAllValues:StringEquals": {"k:a": "x"}"#, true),
        (r#""ForAnyValue:StringEquals": {"k:a": "x"}"#, false),
        (r#""ForAnyValue:StringNotEquals": {"k:a": "x"}"#, false),
        (r#""ForAnyValue:StringEqualsIfExists": {"k:a": "x"}"#, true),
    ];
    for (condition, expected) in table {
        assert_eq!(holds(condition, &[]), expected, "{condition} with no such key");
    }
}

#[test]
fn sets_of_values() {
    #[rustfmt::skip]
    let table: [(&str, &[&str], bool); 9] = [
        (r#""ForAllValues:StringEquals": {"k:a": ["x", "y"]}"#, &["x", "y", "x"], true),
        (r#""ForAllValues:StringEquals": {"k:a": ["x", "y"]}"#, &["x", "z"], false),
        (r#""ForAllValues:StringEquals": {"k:a": ["x", "y"]}"#, &[], true),
        (r#""ForAllValues:StringNotEquals": {"k:a": ["x"]}"#, &["y", "x"], false),
        (r#""ForAnyValue:StringEquals": {"k:a": ["x", "y"]}"#, &["z", "y"], true),
        (r#""ForAnyValue:StringEquals": {"k:a": ["x", "y"]}"#, &["z"], false),
        (r#""ForAnyValue:StringNotEquals": {"k:a": ["x"]}"#, &["x", "y"], true),
        (r#""ForAnyValue:StringLike": {"k:a": "x*"}"#, &["z", "xy"], true),
        (r#""ForAnyValue:StringLike": {"k:a": "x*"}"#, &[], false),
    ];
    for (condition, values, expected) in table {
        assert_eq!(holds(condition, &[("k:a", values)]), expected, "{condition} with {values:?}");
    }
}

#[test]
fn time_and_address_come_with_the_request() {
    let document = identity(
        r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{
            "DateLessThan":{"aws:CurrentTime":"2026-02-01T00:00:00Z"},
            "IpAddress":{"aws:SourceIp":"127.0.0.0/8"},
            "StringEquals":{"aws:PrincipalTag/Team":"web"}}}"#,
    );
    let at = |now| {
        let asked = request("x:Y", "*").at(now).principal_tags([("Team", "web")]);
        allowed(&asked.from_address([127, 0, 0, 1].into()), &document)
    };
    assert!(at(datetime!(2026-01-31 12:00:00.5 UTC)));
    assert!(!at(datetime!(2026-02-01 00:00:00 UTC)));
}
