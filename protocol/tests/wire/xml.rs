use crate::example::{Group, MODEL, full};
use kiln_protocol::{Error, Map, Protocol, Shape, StructTyped, Value, encode_error, encode_response, member, shape};

fn answer(protocol: Protocol, value: &Value) -> String {
    let answer = encode_response(protocol, &MODEL, "DescribeGroup", Group::SHAPE, value, "id-1");
    assert_eq!(answer.status, 200);
    String::from_utf8(answer.body).unwrap()
}

fn error(protocol: Protocol) -> String {
    let error = Error::sender("No<Such>", "it's \"gone\"\u{1}").with("ResourceType", "group");
    let answer = encode_error(protocol, &MODEL, &error, "id-1");
    assert_eq!(answer.status, 400);
    String::from_utf8(answer.body).unwrap()
}

#[test]
fn a_query_answer() {
    assert_eq!(
        answer(Protocol::Query, &full().into_value()),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DescribeGroupResponse xmlns=\"https://example.test/doc\"><DescribeGroupResult>\
         <groupName>web</groupName><size>3</size><ratio>0.25</ratio><on>true</on><data>AP9kYXRh</data>\
         <at>2026-01-02T03:04:05.678Z</at><http>Fri, 02 Jan 2026 03:04:05 GMT</http><state>up</state>\
         <nameSet><member>a</member><member>b&amp;&lt;</member></nameSet><flat>x</flat><flat>y</flat>\
         <tagSet><item><Key>k</Key><Value>v</Value></item><item><Key>l</Key></item></tagSet>\
         <labels><entry><key>one</key><value>1</value></entry></labels>\
         <attribute><Name>a.b</Name><Value>2</Value></attribute>\
         <parent><groupName>up</groupName><nameSet/><tagSet/><labels/><token></token></parent>\
         <password>pw</password><token>t</token>\
         </DescribeGroupResult><ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></DescribeGroupResponse>"
    );
}

#[test]
fn an_ec2_answer() {
    let text = answer(Protocol::Ec2, &full().into_value());
    assert!(
        text.contains(
            "<DescribeGroupResponse xmlns=\"https://example.test/doc/\"><requestId>id-1</requestId><groupName>"
        )
    );
    assert!(text.contains("<flat><member>x</member><member>y</member></flat>"), "{text}");
    assert!(text.ends_with("<token>t</token></DescribeGroupResponse>"));
}

#[test]
fn errors_in_each_protocol() {
    let inner =
        "<Code>No&lt;Such&gt;</Code><Message>it's &quot;gone&quot;</Message><ResourceType>group</ResourceType></Error>";
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    assert_eq!(
        error(Protocol::Query),
        format!(
            "{head}<ErrorResponse xmlns=\"https://example.test/doc\"><Error><Type>Sender</Type>{inner}<RequestId>id-1</RequestId></ErrorResponse>"
        )
    );
    assert_eq!(
        error(Protocol::Ec2),
        format!("{head}<Response><Errors><Error>{inner}</Errors><RequestID>id-1</RequestID></Response>")
    );
    assert_eq!(
        error(Protocol::Json11),
        r#"{"__type":"No<Such>","message":"it's \"gone\"\u0001","ResourceType":"group"}"#
    );
}

shape! {
    pub struct Told {
        tags: Vec<String> = member("Tags").omits_empty(),
        labels: Map<String> = member("Labels").omits_empty(),
        names: Vec<String> = member("Names"),
    }
}

#[test]
fn what_aws_leaves_out_is_left_out() {
    let answer = |value: &Told, protocol| {
        let encoded = encode_response(protocol, &MODEL, "Op", Told::SHAPE, &value.clone().into_value(), "r");
        String::from_utf8_lossy(&encoded.body).into_owned()
    };
    let empty = Told::default();
    for protocol in [Protocol::Query, Protocol::Ec2] {
        let text = answer(&empty, protocol);
        assert!(text.contains("<Names/>") && !text.contains("Tags") && !text.contains("Labels"), "{text}");
    }
    assert_eq!(answer(&empty, Protocol::Json11), r#"{"Names":[]}"#);
    let given = Told { tags: vec!["a".into()], ..Told::default() };
    assert_eq!(answer(&given, Protocol::Json11), r#"{"Tags":["a"],"Names":[]}"#);
}

#[test]
fn a_failure_inside_is_told_in_the_service_s_words_and_nothing_of_the_host() {
    let error = Error::failed("read a record", std::io::Error::other("/var/lib/kiln/state.db: no such file"));
    let told = |protocol, name| {
        let bare_errors = name == "s3";
        let model = kiln_protocol::ServiceModel { protocol, name, bare_errors, ..MODEL };
        let answer = encode_error(protocol, &model, &error, "id-1");
        assert_eq!(answer.status, 500);
        String::from_utf8(answer.body).unwrap()
    };
    let ec2 = told(Protocol::Ec2, "ec2");
    assert!(ec2.contains("<Code>InternalError</Code><Message>An internal error has occurred.</Message>"), "{ec2}");
    let s3 = told(Protocol::RestXml, "s3");
    assert!(s3.contains("<Code>InternalError</Code><Message>We encountered an internal error."), "{s3}");
    let query = told(Protocol::Query, "iam");
    assert!(query.contains("<Code>InternalFailure</Code><Message>The request processing has failed"), "{query}");
    for text in [ec2, s3, query] {
        assert!(!text.contains("state.db") && !text.contains("read a record") && text.contains("id-1"), "{text}");
    }
}
