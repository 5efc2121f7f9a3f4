//! Whole templates: accepted, or refused with AWS's sentence and the place.

use std::collections::BTreeMap;

use kiln_template::*;

use crate::table;
use crate::world::{pseudo, world};

/// Parses, orders, evaluates outputs; tells the first refusal.
fn run(body: &str) -> String {
    match tell(body) {
        Ok(text) => text,
        Err(error) => {
            let kind = if error.kind == ErrorKind::NotBuilt { "not built: " } else { "" };
            format!("{kind}{error}")
        }
    }
}

fn tell(body: &str) -> Result<String> {
    let template = Template::parse(body, Origin::Direct)?;
    template.check_attributes(&facts::all())?;
    let world = world();
    let parameters = resolve_parameters(&template.parameters, &BTreeMap::new(), &world)?;
    let pseudo = pseudo();
    let evaluator = Evaluator::new(&template, &pseudo, &parameters, &world)?;
    let graph = Graph::of(&template, Some(evaluator.conditions()))?;
    let mut text = format!("ok: {:?}\n", graph.waves());
    for output in evaluator.outputs()? {
        text.push_str(&format!("{} = {}", output.name, output.value));
        if let Some(name) = output.export_name {
            text.push_str(&format!(" exported as {name}"));
        }
        text.push('\n');
    }
    Ok(text)
}

#[test]
fn templates_are_taken_or_refused_as_the_table_says() {
    table::check("templates", run);
}

#[test]
fn limits_are_kept() {
    let long = format!("Resources: {{A: {{Type: T}}}}\n# {}", "x".repeat(MAX_DIRECT_BODY));
    let error = Template::parse(&long, Origin::Direct).expect_err("too long");
    assert!(error.message.contains("Member must have length less than or equal to 51200"), "{error}");
    Template::parse(&long, Origin::S3).expect("long enough for S3");

    let many = |count: usize| (0..count).map(|index| format!("  R{index}: {{Type: T}}\n")).collect::<String>();
    Template::parse(&format!("Resources:\n{}", many(500)), Origin::Direct).expect("500 resources");
    let error = Template::parse(&format!("Resources:\n{}", many(501)), Origin::Direct).expect_err("501 resources");
    assert_eq!(error.message, "Template format error: Number of resources, 501, is greater than maximum allowed, 500");
}

#[test]
fn aliases_may_be_expanded_by_tools() {
    let body =
        "Resources:\n  A: &a\n    Type: T\n    Properties: {X: 1, Y: 2}\n  B:\n    <<: *a\n    Properties: {X: 3}\n";
    let error = Template::parse(body, Origin::Direct).expect_err("AWS refuses aliases");
    assert_eq!(
        error.to_string(),
        "Template error: YAML aliases are not allowed in CloudFormation templates [Resources/B/<< at 6:9]"
    );
    let template = Template::parse_with(body, Origin::Direct, Aliases::Expand).expect("expanded");
    assert_eq!(template.resources["B"].resource_type, "T");
    let (world, pseudo, parameters) = (world(), pseudo(), ParameterValues::default());
    let evaluator = Evaluator::new(&template, &pseudo, &parameters, &world).expect("conditions");
    assert_eq!(evaluator.resource("B").expect("resolves").properties, serde_json::json!({"X": 3}));
}

#[test]
fn a_small_text_cannot_grow_huge() {
    let mut body = "A: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let many = vec![format!("*a{}", level - 1); 10].join(", ");
        body.push_str(&format!("A{level}: &a{level} [{many}]\n"));
    }
    let error = read(&body, Origin::Direct, Aliases::Expand).expect_err("refused");
    assert!(error.message.contains("more than 500000 values"), "{error}");
}

#[test]
fn capabilities_and_unknown_types_are_told() {
    let body = "Resources:\n  Role: {Type: 'AWS::IAM::Role', Properties: {AssumeRolePolicyDocument: {}}}\n  S: {Type: 'AWS::Kinesis::Stream'}\n";
    let template = Template::parse(body, Origin::Direct).expect("parses");
    assert_eq!(template.required_capabilities(), Some(("CAPABILITY_IAM", vec!["AWS::IAM::Role"])));
    let known = facts::all();
    let error = template.check_types(|name| known.contains_key(name)).expect_err("no streams here");
    assert_eq!(
        error.to_string(),
        "Template format error: Unrecognized resource types: [AWS::Kinesis::Stream] [Resources/S/Type at 3:3]"
    );
}
