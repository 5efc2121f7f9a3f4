//! Each intrinsic function: a value goes in, JSON or a refusal comes out.

use std::collections::BTreeMap;

use kiln_template::*;

use crate::table;
use crate::world::{pseudo, world};

/// What stands around each value.
const AROUND: &str = r#"
Parameters:
  Stage: {Type: String, Default: prod}
  Port: {Type: Number, Default: 80}
  Zones: {Type: CommaDelimitedList, Default: "a, b,c"}
  Image: {Type: "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", Default: /image}
Mappings:
  Sizes:
    prod: {Type: m5.large, Count: 3, Zones: [a, b]}
    eu-north-1: {Type: t3.micro}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsTest: !Equals [!Ref Stage, test]
  Neither: !Not [!Or [!Condition IsProd, !Condition IsTest]]
  Eighty: !Equals [!Ref Port, "80"]
  Both: !And [!Condition IsProd, !Condition Eighty]
Resources:
  Net: {Type: AWS::EC2::VPC}
  Gone: {Type: AWS::EC2::VPC, Condition: IsTest}
  R:
    Type: AWS::Test::Thing
    Properties:
"#;

fn run(value: &str) -> String {
    match properties(value) {
        Ok(value) => value.to_string(),
        Err(error) => error.to_string(),
    }
}

fn properties(value: &str) -> Result<serde_json::Value> {
    let indented: String = value.lines().map(|line| format!("      {line}\n")).collect();
    let body = format!("{AROUND}{indented}");
    let template = Template::parse(&body, Origin::Direct)?;
    let world = world();
    let parameters = resolve_parameters(&template.parameters, &BTreeMap::new(), &world)?;
    let pseudo = pseudo();
    let evaluator = Evaluator::new(&template, &pseudo, &parameters, &world)?;
    let resolved = evaluator.resource("R")?;
    Ok(resolved.properties)
}

#[test]
fn every_function_gives_what_the_table_says() {
    table::check("values", run);
}

#[test]
fn conditions_are_worked_out_in_order() {
    let body = format!("{AROUND}      V: 1\n");
    let template = Template::parse(&body, Origin::Direct).expect("parses");
    let (world, pseudo) = (world(), pseudo());
    let parameters = resolve_parameters(&template.parameters, &BTreeMap::new(), &world).expect("parameters");
    let evaluator = Evaluator::new(&template, &pseudo, &parameters, &world).expect("conditions");
    let holding: Vec<&str> =
        evaluator.conditions().iter().filter(|(_, holds)| **holds).map(|(name, _)| name.as_str()).collect();
    assert_eq!(holding, ["Both", "Eighty", "IsProd"]);
}

#[test]
fn what_was_not_fetched_is_wanted() {
    let body = "Resources:\n  A:\n    Type: T\n    Properties: {V: !ImportValue other, W: '{{resolve:ssm:/x:2}}'}\n";
    let template = Template::parse(body, Origin::Direct).expect("parses");
    let (world, pseudo, parameters) = (world(), pseudo(), ParameterValues::default());
    let evaluator = Evaluator::new(&template, &pseudo, &parameters, &world).expect("conditions");
    let seen = evaluator.resource("A").expect("resolves").properties;
    assert_eq!(seen, serde_json::json!({"V": UNKNOWN, "W": UNKNOWN}));
    let wanted: Vec<Fact> = world.take_wanted().into_iter().collect();
    assert_eq!(wanted, [Fact::Export("other".into()), Fact::SsmParameter("/x".into(), Some(2))]);
}
