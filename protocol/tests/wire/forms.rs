use crate::example::{Group, full};
use kiln_protocol::{Error, Shape, StructTyped, ec2, query};
use std::time::{Duration, Instant};

const FORM: &str = "Action=DescribeGroup&Version=2020-01-01&Name=web&Size=3&Ratio=0.25&On=true&Data=AP9kYXRh\
    &At=2026-01-02T03%3A04%3A05.678Z&Http=Fri%2C+02+Jan+2026+03%3A04%3A05+GMT&State=up\
    &Labels.entry.1.key=one&Labels.entry.1.value=1&Attribute.1.Name=a.b&Attribute.1.Value=2\
    &Parent.Name=up&Password=pw&Token=t&Parent.Token=&Flat.1=x&Flat.2=y";

fn group(form: &str) -> Group {
    Group::from_value(query::decode(form.as_bytes(), Group::SHAPE).expect(form)).expect(form)
}

fn refused(form: &str) -> Error {
    query::decode(form.as_bytes(), Group::SHAPE).expect_err(form)
}

#[test]
fn query_reads_every_kind() {
    let lists = "&Names.member.1=a&Names.member.2=b%26%3C&Tag.item.1.Key=k&Tag.item.1.Value=v&Tag.item.2.Key=l";
    assert_eq!(group(&format!("{FORM}{lists}")), full());
}

#[test]
fn ec2_lists_have_no_member_level() {
    let lists = "&Names.1=a&Names.2=b%26%3C&Tag.1.Key=k&Tag.1.Value=v&Tag.2.Key=l";
    let form = format!("{FORM}{lists}").replace("Parent.Token=", "Parent.Token=x");
    let value = ec2::decode(form.as_bytes(), Group::SHAPE).unwrap();
    let mut expected = full();
    expected.parent.as_mut().unwrap().token = "x".into();
    assert_eq!(Group::from_value(value).unwrap(), expected);
}

/// Packer sends `IamInstanceProfile.Name=`, `Placement.Tenancy=` and `VpcId=` with its plainest build;
/// DescribeInstances takes `NextToken=`; CreateSecurityGroup without a text in GroupDescription is
/// answered with MissingParameter. Of numbers and flags AWS's documents are silent.
#[test]
fn an_empty_parameter_of_ec2_is_none() {
    let read = |form: &str| {
        let value = ec2::decode(form.as_bytes(), Group::SHAPE).expect(form);
        Group::from_value(value).expect(form)
    };
    let named = Group { name: "web".into(), ..Group::default() };
    for empty in [
        "State=&Password=&Size=&Ratio=&On=&At=&Http=&Data=",
        "Parent.State=&Parent.Size=",
        "Parent=",
        "Parent.Parent.Password=&Parent.Parent.Names=",
        "Names=&Tag=&Flat=",
    ] {
        assert_eq!(read(&format!("Name=web&Token=t&{empty}")), Group { token: "t".into(), ..named.clone() }, "{empty}");
    }
    let missing = ec2::decode(b"Name=&Size=1", Group::SHAPE).unwrap();
    let refused = kiln_protocol::validate(&missing, Group::SHAPE, kiln_protocol::Protocol::Ec2).unwrap_err();
    assert_eq!(refused.to_string(), "MissingParameter: The request must contain the parameter Name");
    // What is a value though it is empty: an item (a filter's value), and what a table says so of.
    let kept = read("Name=web&Token=t&Names.1=&Tag.1.Key=k&Tag.1.Value=&Tag.2.Key=l");
    assert_eq!(kept.names, [""]);
    assert_eq!(kept.tags.iter().map(|tag| tag.value.as_deref()).collect::<Vec<_>>(), [Some(""), None]);
    // The query protocol takes it as it stands.
    assert_eq!(group("Name=&Token=&State=").state.as_deref(), Some(""));
}

#[test]
fn gaps_keep_their_order_and_an_empty_list_is_empty() {
    let some = group("Name=a&Token=&Names.member.10=c&Names.member.2=b&Names.member.1=a");
    assert_eq!(some.names, ["a", "b", "c"]);
    let none = query::decode(b"Names=", Group::SHAPE).unwrap();
    let kiln_protocol::Value::Struct(members) = none else { panic!("not a structure") };
    assert_eq!(members[8], kiln_protocol::Value::List(vec![]));
    // Keys that sort between a name and its parts.
    assert_eq!(group("Name=a&Token=&Names-x=1&Names.member.1=a&Names!=2&Names.member!=3").names, ["a"]);
}

#[test]
fn wrong_types_are_malformed_input() {
    for (form, expected) in [
        ("Size=x", "For input string: \"x\""),
        ("Size=", "For input string: \"\""),
        ("Size=99999999999999999999", "For input string: \"99999999999999999999\""),
        ("Ratio=1f", "For input string: \"1f\""),
        ("On=yes", "boolean must follow xsd1.1 definition"),
        ("At=never", "timestamp must follow ISO8601"),
        ("Name.x=1", "Unexpected complex element termination (at Name)"),
        ("Names=x", "Top level element may not be treated as a list (at Names)"),
        ("Names.member.x=1", "Unexpected list element termination (at Names.member.x)"),
        ("Parent=x", "Unexpected simple value where a structure was expected (at Parent)"),
    ] {
        let error = refused(form);
        assert_eq!((error.code.as_ref(), error.message.as_str()), ("MalformedInput", expected), "{form}");
    }
    let error = ec2::decode(b"Size=x", Group::SHAPE).unwrap_err();
    assert_eq!(
        error.to_string(),
        "InvalidParameterValue: Value (x) for parameter Size is invalid. Expected an integer."
    );
    let error = ec2::decode(b"Parent.Nonsense=x", Group::SHAPE).unwrap_err();
    assert_eq!(error.to_string(), "UnknownParameter: The parameter Parent.Nonsense is not recognized");
    ec2::decode(b"Action=x&Version=1&X-Amz-Date=1", Group::SHAPE).unwrap();
    assert_eq!(group("Name=a&Token=&Nonsense.1=x").name, "a");
}

#[test]
fn absurd_forms_are_refused_or_quick() {
    let started = Instant::now();
    let many: String = (1..=10_000).rev().map(|i| format!("&Tag.item.{i}.Key=k")).collect();
    assert_eq!(group(&format!("Name=a&Token={many}")).tags.len(), 10_000);
    assert!(started.elapsed() < Duration::from_secs(2), "took {:?}", started.elapsed());
    for form in [
        (1..=10_001).map(|i| format!("&Flat.{i}=")).collect::<String>(),
        "a=&".repeat(30_000),
        format!("{}=1", "x".repeat(5_000)),
        format!("{}Name=1", "Parent.".repeat(100)),
        "Names.member.4294967296=1".into(),
        "Names.member.-1=1".into(),
        "Names.member.+1=1".into(),
    ] {
        assert_eq!(refused(&form).code, "MalformedInput");
    }
}

#[test]
fn random_forms_never_panic() {
    let words =
        ["Name", "Names", "Tag", "item", "1", "2", "Parent", "Attribute", "entry", "", "=", "&", "%", "\u{e9}", "9e9"];
    let mut seed = 11u64;
    for _ in 0..50_000 {
        let mut form = String::new();
        for _ in 0..12 {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            form.push_str(words[(seed >> 33) as usize % words.len()]);
            form.push(['.', '=', '&'][(seed >> 20) as usize % 3]);
        }
        let _ = query::decode(form.as_bytes(), Group::SHAPE);
        let _ = ec2::decode(form.as_bytes(), Group::SHAPE);
    }
}
