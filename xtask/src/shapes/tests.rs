//! A small model with every trait the services use, against the code it must become.

use super::facts::Model;
use super::generate;
use super::quirks::Quirks;

const MODEL: &str = r#"{
  "metadata": {"apiVersion": "2020-01-01", "endpointPrefix": "box", "protocol": "PROTOCOL", "documentation": "prose"},
  "operations": {
    "Unserved": {"name": "Unserved", "http": {"method": "POST", "requestUri": "/"}, "input": {"shape": "Lonely"}},
    "MakeBox": {"name": "MakeBox", "http": {"method": "POST", "requestUri": "/"}, "documentation": "prose",
      "input": {"shape": "MakeBoxInput"}, "output": {"shape": "Box"}, "errors": [{"shape": "FullFault"}]}
  },
  "shapes": {
    "Lonely": {"type": "structure", "members": {}},
    "MakeBoxInput": {"type": "structure", "required": ["Type", "Token"], "members": {
      "Type": {"shape": "BoxType", "locationName": "boxType"},
      "Token": {"shape": "String", "idempotencyToken": true},
      "Code": {"shape": "Secret"},
      "Weights": {"shape": "Weights", "locationName": "Weight", "documentation": "prose"},
      "Inner": {"shape": "Box", "queryName": "InnerBox", "locationName": "inner"}}},
    "Box": {"type": "structure", "required": ["Name"], "members": {
      "Name": {"shape": "String"}, "Inside": {"shape": "Box"}, "Labels": {"shape": "Labels"}, "Made": {"shape": "Made"}}},
    "Made": {"type": "structure", "required": ["At"], "members": {"At": {"shape": "When"}}},
    "Weights": {"type": "list", "member": {"shape": "Weight", "locationName": "item"}, "min": 0, "max": 3},
    "Weight": {"type": "integer", "min": 0, "max": 99999999999999999},
    "Labels": {"type": "map", "key": {"shape": "String"}, "value": {"shape": "Secret"}},
    "Secret": {"type": "string", "sensitive": true, "pattern": "\\d+"},
    "When": {"type": "timestamp", "timestampFormat": "iso8601"},
    "BoxType": {"type": "string", "enum": ["big", "small"]},
    "String": {"type": "string"},
    "FullFault": {"type": "structure", "members": {}, "error": {"code": "BoxFull", "httpStatusCode": 409}, "exception": true}
  }
}"#;

fn model(protocol: &str) -> Model {
    let full: Model = serde_json::from_str(&MODEL.replace("PROTOCOL", protocol)).unwrap();
    full.keep("1.0", &["MakeBox"]).unwrap()
}

fn generated(protocol: &str, quirks: &str, file: &str) -> String {
    let files = generate::service("boxes", &model(protocol), &Quirks::parse(quirks).unwrap()).unwrap().files;
    files.get(std::path::Path::new(file)).unwrap_or_else(|| panic!("{file} among {:?}", files.keys())).clone()
}

#[track_caller]
fn has(text: &str, line: &str) {
    assert!(text.lines().any(|l| l.trim() == line), "no line\n{line}\nin\n{text}");
}

#[test]
fn facts_keep_what_is_served_and_no_prose() {
    let text = model("query").to_text().unwrap();
    assert!(!text.contains("prose") && !text.contains("Lonely"), "{text}");
    assert!(text.contains("\"all_operations\": [\"MakeBox\",\"Unserved\"]"), "{text}");
    let again: Model = serde_json::from_str(&text).unwrap();
    assert_eq!(again, model("query"));
}

#[test]
fn query_names_are_the_location_names() {
    let requests = generated("query", "{}", "src/requests.rs");
    has(&requests, r#"r#type: String = member("Type").named("boxType").required().one_of(enums::BOX_TYPE),"#);
    has(&requests, r#"token: Option<String> = member("Token").token(),"#);
    has(&requests, r#"weights: Vec<i32> = member("Weights").named("Weight").item("item").max(3).item_min(0),"#);
    has(&requests, r#"inner: Option<BoxShape> = member("Inner").named("inner"),"#);
}

#[test]
fn ec2_keys_have_a_great_first_letter_and_query_names_win() {
    let requests = generated("ec2", "{}", "src/requests.rs");
    has(
        &requests,
        r#"r#type: String = member("Type").key("BoxType").element("boxType").required().one_of(enums::BOX_TYPE),"#,
    );
    has(&requests, r#"inner: Option<BoxShape> = member("Inner").key("InnerBox").element("inner"),"#);
}

#[test]
fn json_has_the_models_names_only() {
    let requests = generated("json", "{}", "src/requests.rs");
    has(&requests, r#"inner: Option<BoxShape> = member("Inner"),"#);
}

#[test]
fn inner_structures_are_strict_where_callers_send_them_and_may_hold_themselves() {
    let structures = generated("query", "{}", "src/structures.rs");
    has(&structures, r#"name: String = member("Name").required(),"#);
    has(&structures, r#"inside: Option<Box<BoxShape>> = member("Inside"),"#);
    has(&structures, r#"labels: Map<String> = member("Labels").item_pattern(r"\d+").sensitive(),"#);
    has(&structures, r#"at: Timestamp = member("At").required().time(TimeFormat::Iso8601),"#);
}

#[test]
fn answers_demand_nothing() {
    let responses = generated("query", "{}", "src/responses.rs");
    has(&responses, r#"name: Option<String> = member("Name"),"#);
    has(&responses, r#"labels: Map<String> = member("Labels").sensitive(),"#);
}

#[test]
fn operations_name_their_errors_as_the_wire_does() {
    let service = generated("query", "{}", "src/service.rs");
    has(&service, r#""MakeBox": MakeBoxRequest => MakeBoxResponse, "POST" "/" 200, ["BoxFull" 409];"#);
}

#[test]
fn quirks_correct_and_must_say_why_and_hit_something() {
    let quirks = r#"{"MakeBoxRequest.Weights": {"optional_list": true, "why": "empty clears"},
                     "MakeBoxRequest.Code": {"no_pattern": true, "why": "letters are taken"},
                     "MakeBoxRequest.Type": {"optional": true, "why": "has a default"}}"#;
    let requests = generated("query", quirks, "src/requests.rs");
    assert!(requests.contains("weights: Option<Vec<i32>>"), "{requests}");
    assert!(requests.contains("r#type: Option<String>"), "{requests}");
    has(&requests, r#"code: Option<String> = member("Code").sensitive(),"#);
    has(
        &generated("query", "{}", "src/requests.rs"),
        r#"code: Option<String> = member("Code").pattern(r"\d+").sensitive(),"#,
    );

    assert!(Quirks::parse(r#"{"A.B": {"optional": true, "why": ""}}"#).is_err());
    let unused = Quirks::parse(r#"{"A.B": {"optional": true, "why": "because"}}"#).unwrap();
    let refused = generate::service("boxes", &model("query"), &unused).err().expect("nothing is called A.B");
    assert!(refused.contains("A.B"), "{refused}");
}

#[test]
fn an_unknown_operation_is_refused() {
    let full: Model = serde_json::from_str(&MODEL.replace("PROTOCOL", "query")).unwrap();
    assert!(full.keep("1.0", &["Nope"]).unwrap_err().contains("Nope"));
}

#[test]
fn what_only_old_clients_use_keeps_a_route_of_its_own() {
    let at = |name: &str, uri: &str, more: &str| {
        format!(r#""{name}": {{"name": "{name}", "http": {{"method": "GET", "requestUri": "{uri}"}}{more}}}"#)
    };
    let old = r#", "deprecated": true"#;
    let operations = [
        at("GetRules", "/{Box}?rules", old),
        at("GetRulesConfiguration", "/{Name}?rules", ""),
        at("ListThings", "/things/{Name}", old),
    ];
    let text = format!(
        r#"{{"metadata": {{"apiVersion": "1", "endpointPrefix": "box", "protocol": "rest-json"}},
            "operations": {{{}}}, "shapes": {{}}}}"#,
        operations.join(", ")
    );
    let full: Model = serde_json::from_str(&text).unwrap();
    let kept = full.keep("1.0", &[]).unwrap();
    let routes: Vec<&str> = kept.routes.iter().map(|route| route.operation.as_str()).collect();
    assert_eq!(routes, ["GetRulesConfiguration", "ListThings"]);
}

#[test]
fn a_former_query_service_tells_the_codes_of_then() {
    let text = MODEL.replace("PROTOCOL", "smithy-rpc-v2-cbor");
    let text = text.replace(r#""endpointPrefix""#, r#""awsQueryCompatible": {}, "endpointPrefix""#);
    let full: Model = serde_json::from_str(&text).unwrap();
    let model = full.keep("1.0", &["MakeBox"]).unwrap();
    let files = generate::service("boxes", &model, &Quirks::parse("{}").unwrap()).unwrap().files;
    let service = &files[std::path::Path::new("src/service.rs")];
    assert!(service.contains(r#"query_errors: Some(&[("FullFault", "BoxFull")])"#), "{service}");
    has(service, r#""MakeBox": MakeBoxRequest => MakeBoxResponse, "POST" "/" 200, ["FullFault" 409];"#);
}
