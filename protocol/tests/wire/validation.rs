use crate::example::Group;
use kiln_protocol::{Protocol, StructTyped, ec2, json, query, validate};

fn refused(body: &str) -> String {
    let value = json::decode(body.as_bytes(), Group::SHAPE).expect(body);
    let error = validate(&value, Group::SHAPE, Protocol::Json11).expect_err(body);
    assert_eq!(error.code, "ValidationException");
    error.message
}

#[test]
fn a_good_request_passes_without_its_token() {
    let value = json::decode(br#"{"Name":"a-b","Size":0,"Names":["a"],"State":"up"}"#, Group::SHAPE).unwrap();
    for protocol in [Protocol::Query, Protocol::Json11, Protocol::Ec2] {
        validate(&value, Group::SHAPE, protocol).unwrap();
    }
}

#[test]
fn awss_wording() {
    let one = "1 validation error detected: ";
    for (body, expected) in [
        ("{}", "Value null at 'name' failed to satisfy constraint: Member must not be null"),
        (
            r#"{"Name":"a","Tags":[{"Key":""}]}"#,
            "Value '' at 'tags.1.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            r#"{"Name":"a b"}"#,
            r"Value 'a b' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w-]+",
        ),
        (
            r#"{"Name":"a","Size":6}"#,
            "Value '6' at 'size' failed to satisfy constraint: Member must have value less than or equal to 5",
        ),
        (
            r#"{"Name":"a","State":"x"}"#,
            "Value 'x' at 'state' failed to satisfy constraint: Member must satisfy enum value set: [up, down]",
        ),
        (
            r#"{"Name":"a","Names":["b","abcde"]}"#,
            "Value '[b, abcde]' at 'names' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 4, Member must have length greater than or equal to 1]",
        ),
        (
            r#"{"Name":"a","Names":["b",null]}"#,
            "Value null at 'names.2.member' failed to satisfy constraint: Member must not be null",
        ),
        (
            r#"{"Name":"a","Names":["b","c","d","e"]}"#,
            "Value '[b, c, d, e]' at 'names' failed to satisfy constraint: Member must have length less than or equal to 3",
        ),
        (
            r#"{"Name":"a","Labels":{"k":"abcde"}}"#,
            "Value '{k=abcde}' at 'labels' failed to satisfy constraint: Map value must satisfy constraint: [Member must have length less than or equal to 4]",
        ),
        (
            r#"{"Name":"a","Tags":[{"Key":"k"},{"Key":"123456789"}]}"#,
            "Value '123456789' at 'tags.2.member.key' failed to satisfy constraint: Member must have length less than or equal to 8",
        ),
        (
            r#"{"Name":"a","Password":"secret"}"#,
            "Value at 'password' failed to satisfy constraint: Member must have length less than or equal to 4",
        ),
        (
            r#"{"Name":"a","Parent":{}}"#,
            "Value null at 'parent.name' failed to satisfy constraint: Member must not be null",
        ),
    ] {
        assert_eq!(refused(body), format!("{one}{expected}"), "{body}");
    }
    assert_eq!(
        refused(r#"{"Size":-1}"#),
        "2 validation errors detected: Value null at 'name' failed to satisfy constraint: Member must not be null; \
         Value '-1' at 'size' failed to satisfy constraint: Member must have value greater than or equal to 0"
    );
}

#[test]
fn each_protocol_has_its_codes() {
    let value = query::decode(b"Size=1", Group::SHAPE).unwrap();
    assert_eq!(validate(&value, Group::SHAPE, Protocol::Query).unwrap_err().code, "ValidationError");
    for (form, expected) in [
        ("Size=1", "MissingParameter: The request must contain the parameter Name"),
        ("Name=a&Tag.2.Value=1", "MissingParameter: The request must contain the parameter Tag.1.Key"),
        ("Name=a&State=x", "InvalidParameterValue: Invalid value 'x' for State."),
        (
            "Name=a&Size=9",
            "InvalidParameterValue: Value (9) for parameter size is invalid. Member must have value less than or equal to 5",
        ),
    ] {
        let value = ec2::decode(form.as_bytes(), Group::SHAPE).unwrap();
        assert_eq!(validate(&value, Group::SHAPE, Protocol::Ec2).unwrap_err().to_string(), expected);
    }
}

#[test]
fn messages_stay_short() {
    let many = format!(r#"{{"Name":"{}","Tags":[{}{{}}]}}"#, "x".repeat(1_000_000), "{},".repeat(10_000));
    let message = refused(&many);
    assert!(message.starts_with("10002 validation errors detected: "), "{}", &message[..60]);
    assert!(message.len() < 10_000 && message.ends_with("; and 9970 more"), "{}", message.len());
}
