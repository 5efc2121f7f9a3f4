use super::*;

fn body(policy: &str, message: &str) -> bool {
    let filter = Filter::parse(policy, true).unwrap_or_else(|e| panic!("{policy}: {e}"));
    filter.matches(serde_json::from_str(message).ok().as_ref())
}

#[test]
fn every_operator_matches_what_it_says() {
    for (tests, value, expected) in [
        (r#"["rugby","tennis"]"#, r#""rugby""#, true),
        (r#"["rugby","tennis"]"#, r#""Rugby""#, false),
        (r#"["rugby"]"#, r#"["baseball","rugby"]"#, true),
        (r#"["rugby"]"#, r#"[]"#, false),
        (r#"[{"anything-but":["rugby","tennis"]}]"#, r#""baseball""#, true),
        (r#"[{"anything-but":["rugby","tennis"]}]"#, r#""rugby""#, false),
        (r#"[{"anything-but":"rugby"}]"#, r#""tennis""#, true),
        (r#"[{"anything-but":[100,500]}]"#, "101", true),
        (r#"[{"anything-but":[100,500]}]"#, "100.0", false),
        (r#"[{"anything-but":{"prefix":"order-"}}]"#, r#""data-entry""#, true),
        (r#"[{"anything-but":{"prefix":"order-"}}]"#, r#""order-1""#, false),
        (r#"[{"anything-but":{"suffix":["1","2"]}}]"#, r#""order-2""#, false),
        (r#"[{"prefix":"bas"}]"#, r#""baseball""#, true),
        (r#"[{"suffix":"ball"}]"#, r#""baseball""#, true),
        (r#"[{"suffix":"ball"}]"#, r#""balls""#, false),
        (r#"[{"equals-ignore-case":"Tennis"}]"#, r#""TENNIS""#, true),
        (r#"[{"cidr":"10.0.0.0/24"}]"#, r#""10.0.0.255""#, true),
        (r#"[{"cidr":"10.0.0.0/24"}]"#, r#""10.1.1.0""#, false),
        (r#"[{"cidr":"2001:db8::/32"}]"#, r#""2001:db8::1""#, true),
        (r#"[{"cidr":"10.0.0.0/24"}]"#, r#""elsewhere""#, false),
        (r#"[{"numeric":["=",301.5]}]"#, "301.5", true),
        (r#"[{"numeric":["=",301.5]}]"#, "3.015e2", true),
        (r#"[301.5]"#, "301.500001", true),
        (r#"[{"numeric":["=",301.5]}]"#, r#""301.5""#, false),
        (r#"[{"numeric":[">",0,"<=",150]}]"#, "150", true),
        (r#"[{"numeric":[">",0,"<=",150]}]"#, "0", false),
        (r#"[{"numeric":["<",0]}]"#, "-0.00001", true),
        (r#"[{"exists":true}]"#, "null", true),
        (r#"[{"exists":true}]"#, r#"{"b":1}"#, false),
        (r#"[{"exists":false}]"#, r#"1"#, false),
        ("[true]", "true", true),
        ("[true]", r#""true""#, false),
        ("[null]", "null", true),
        ("[null]", "0", false),
    ] {
        assert_eq!(
            body(&format!(r#"{{"a":{tests}}}"#), &format!(r#"{{"a":{value}}}"#)),
            expected,
            "{tests} of {value}"
        );
    }
    assert!(body(r#"{"a":[{"exists":false}]}"#, r#"{"b":1}"#));
    assert!(!body(r#"{"a":[{"anything-but":"x"}]}"#, r#"{"b":1}"#), "what is not there is not anything");
}

#[test]
fn all_keys_hold_of_each_any_and_nested_ones_in_their_place() {
    let policy = r#"{"store":["a","b"],"order":{"kind":["new"],"price":[{"numeric":[">",5]}]}}"#;
    assert!(body(policy, r#"{"store":"b","order":{"kind":"new","price":6},"more":1}"#));
    assert!(!body(policy, r#"{"store":"b","order":{"kind":"new","price":5}}"#));
    assert!(!body(policy, r#"{"store":"c","order":{"kind":"new","price":6}}"#));
    assert!(!body(policy, r#"{"store":"b"}"#));
    assert!(body(policy, r#"{"store":"b","order":[{"kind":"old"},{"kind":"new","price":6}]}"#));
    assert!(!body(policy, r#"{"store":"b","order":[{"kind":"new"},{"price":6}]}"#), "of one of them all");
    let either = r#"{"s":["x"],"$or":[{"a":[1]},{"b":[2],"c":[3]}]}"#;
    assert!(body(either, r#"{"s":"x","a":1}"#) && body(either, r#"{"s":"x","b":2,"c":3}"#));
    assert!(!body(either, r#"{"s":"x","b":2}"#) && !body(either, r#"{"a":1}"#));
    assert!(body(r#"{"a":{"b":[{"exists":false}]}}"#, "{}") && body(r#"{"a":{"b":[{"exists":false}]}}"#, r#"{"a":1}"#));
    for none in ["[]", "1", "\"a\"", "no json"] {
        assert!(!body(r#"{"a":[{"exists":false}]}"#, none), "{none}");
    }
    assert!(body("{}", "{}"));
}

#[test]
fn what_is_no_policy_is_refused_in_sns_s_words() {
    let deep = format!("{}[1]{}", r#"{"a":"#.repeat(200), "}".repeat(200));
    for (policy, on_body, told) in [
        ("{", true, "failed to parse JSON."),
        ("[]", true, "Filter policy must be an object"),
        (r#"{"a":1}"#, true, "\"a\" must be an object or an array"),
        (r#"{"a":[]}"#, true, "Empty arrays are not allowed"),
        (r#"{"a":[[1]]}"#, true, "Match value must be String, number, true, false, or null"),
        (r#"{"a":[{"wildcard":"x*"}]}"#, true, "Unrecognized match type wildcard"),
        (r#"{"a":[{"prefix":1}]}"#, true, "prefix match pattern must be a string"),
        (r#"{"a":[{"exists":"yes"}]}"#, true, "exists match pattern must be either true or false."),
        (r#"{"a":[{"numeric":["<"]}]}"#, true, "Value of < must be numeric"),
        (r#"{"a":[{"numeric":["!",1]}]}"#, true, "Unrecognized numeric range operator: !"),
        (r#"{"a":[{"numeric":["<",1,">",0]}]}"#, true, "Too many terms in numeric range expression"),
        (r#"{"a":[{"numeric":[">",5,"<",1]}]}"#, true, "Bottom must be less than top"),
        (r#"{"a":[{"cidr":"10.0.0.0/33"}]}"#, true, "Malformed CIDR"),
        (r#"{"a":[2000000000]}"#, true, "Numeric values must be between -1000000000 and 1000000000"),
        (r#"{"a":{"b":["c"]}}"#, false, "Filter policy scope MessageAttributes does not support nested filter policy"),
        (r#"{"a":[1],"b":[1],"c":[1],"d":[1],"e":[1],"f":[1]}"#, true, "Filter policy can not have more than 5 keys"),
        (r#"{"a":{"b":{"c":[1,2,3,4]}},"d":{"e":[1,2,3]},"f":[1,2,3]}"#, true, "Filter policy is too complex"),
        (&deep, true, "failed to parse JSON."),
    ] {
        let refused = Filter::parse(policy, on_body).expect_err(policy);
        let expected = format!("Invalid parameter: FilterPolicy: {told}");
        assert!(refused.is("InvalidParameter") && refused.message.starts_with(&expected), "{policy}: {refused}");
    }
    // 4×3 times 3×2 is 72; 50 × 3 is what just may be.
    Filter::parse(r#"{"a":{"b":{"c":[1,2,3,4]}},"d":{"e":[1,2,3]}}"#, true).expect("simple enough");
}
