//! Bad input: never a panic, never a deep stack, never long.

use std::collections::BTreeMap;

use kiln_template::*;

/// A small generator of its own: the same bytes on every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

/// How many texts each loop tries; `FUZZ_ROUNDS` for a long run.
fn rounds() -> usize {
    match std::env::var("FUZZ_ROUNDS") {
        Ok(text) => text.parse().expect("FUZZ_ROUNDS is a number"),
        Err(_) => 3_000,
    }
}

const SEED: &str = r#"AWSTemplateFormatVersion: 2010-09-09
Parameters:
  Stage: {Type: String, Default: prod, AllowedValues: [prod, test], AllowedPattern: "[a-z]+"}
  Zones: {Type: CommaDelimitedList, Default: "a,b"}
Mappings: {M: {prod: {Size: 3}}}
Conditions:
  P: !Equals [!Ref Stage, prod]
  Q: !And [!Condition P, !Not [!Equals [a, b]]]
Rules: {R: {Assertions: [{Assert: !Contains [[prod], !Ref Stage]}]}}
Resources:
  Net: {Type: "AWS::EC2::VPC", Properties: {CidrBlock: !Select [0, !Cidr [10.0.0.0/8, 2, 16]]}}
  Web:
    Type: AWS::EC2::Instance
    DependsOn: Net
    Condition: Q
    Properties:
      ImageId: !Sub ["${x}-${Net}", {x: !Join ["-", !Split [",", "a,b"]]}]
      Tags: [{Key: a, Value: !FindInMap [M, !Ref Stage, Size]}]
      UserData: !Base64 "{{resolve:ssm:/x}}"
Outputs:
  Id: {Value: !GetAtt Net.VpcId, Export: {Name: !ImportValue y}}
"#;

/// Everything that can be done with a text; errors are fine.
fn all_of_it(body: &str) {
    for aliases in [Aliases::Refuse, Aliases::Expand] {
        let Ok(template) = Template::parse_with(body, Origin::S3, aliases) else { continue };
        let world = Prefetched::default();
        let Ok(parameters) = resolve_parameters(&template.parameters, &BTreeMap::new(), &world) else { continue };
        let pseudo = Pseudo::default();
        let Ok(evaluator) = Evaluator::new(&template, &pseudo, &parameters, &world) else { continue };
        let _ = Graph::of(&template, None);
        let _ = evaluator.outputs();
        let schemas = facts::load(facts::FILES[2].1).expect("facts load");
        for (id, resource) in &template.resources {
            let Ok(resolved) = evaluator.resource(id) else { continue };
            if let Some(schema) = schemas.get(&resource.resource_type) {
                let _ = check_properties(schema, &resolved.properties);
            }
        }
    }
}

#[test]
fn mutated_templates_never_panic() {
    const PIECES: [&str; 24] = [
        "!Ref",
        "!Sub ",
        "!GetAtt a.b",
        "&a ",
        "*a",
        "<<: ",
        "{",
        "}",
        "[",
        "]",
        ": ",
        "- ",
        "\n",
        "  ",
        "\"",
        "'",
        "|\n",
        "${",
        "Fn::If",
        "\u{0}",
        "é",
        "\t",
        "{{resolve:",
        "0x",
    ];
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for _ in 0..rounds() {
        let mut bytes = SEED.as_bytes().to_vec();
        for _ in 0..=dice.roll(6) {
            let place = dice.roll(bytes.len());
            match dice.roll(4) {
                0 => bytes[place] = dice.roll(256) as u8,
                1 => {
                    let end = (place + dice.roll(30)).min(bytes.len());
                    bytes.drain(place..end);
                    bytes.push(b'\n');
                }
                2 => {
                    let piece = PIECES[dice.roll(PIECES.len())];
                    bytes.splice(place..place, piece.bytes());
                }
                _ => {
                    let from = dice.roll(bytes.len());
                    let end = (from + dice.roll(60)).min(bytes.len());
                    let copy = bytes[from..end].to_vec();
                    bytes.splice(place..place, copy);
                }
            }
        }
        all_of_it(&String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn random_bytes_never_panic() {
    let mut dice = Dice(42);
    for _ in 0..rounds() {
        let length = dice.roll(200);
        let mut bytes: Vec<u8> = (0..length).map(|_| dice.roll(256) as u8).collect();
        if dice.roll(2) == 0 {
            bytes.insert(0, b'{');
        }
        all_of_it(&String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn deep_nesting_is_refused_in_every_form() {
    let deep = 100_000;
    let bodies = [
        format!("{{\"Resources\": {}", "[".repeat(deep)),
        format!("{{\"Resources\": {}", "{\"a\":".repeat(deep)),
        format!("Resources: {}", "[".repeat(deep)),
        format!("Resources: {}", "{a: ".repeat(deep)),
        format!("Resources:\n  {}", "- ".repeat(deep)),
        format!("Resources: {}a", "!Sub [".repeat(deep)),
        (0..1_300).map(|level| format!("{}a:\n", " ".repeat(level))).collect::<String>(),
    ];
    for body in bodies {
        let error = Template::parse(&body, Origin::S3).expect_err("refused");
        assert!(error.message.contains("not well-formed"), "{error}");
    }
}

#[test]
fn a_megabyte_is_read_in_good_time() {
    let mut body = "Resources:\n".to_owned();
    for index in 0..440 {
        body.push_str(&format!("  R{index}:\n    Type: AWS::EC2::VPC\n    Metadata:\n"));
        for line in 0..60 {
            body.push_str(&format!("      k{line}: !Sub \"${{AWS::Region}}-{line}\"\n"));
        }
    }
    assert!(body.len() > 900_000 && body.len() < MAX_S3_BODY, "{}", body.len());
    Template::parse(&body, Origin::S3).expect("a large template is fine");
}

#[test]
fn a_small_template_cannot_become_huge_values() {
    let large = "x".repeat(4_000);
    let uses = "${P}".repeat(10_000);
    let body = format!(
        "Parameters: {{P: {{Type: String, Default: {large}}}}}\nResources: {{R: {{Type: T, Properties: {{A: !Sub \"{uses}\"}}}}}}\n"
    );
    let template = Template::parse(&body, Origin::Direct).expect("parses");
    let (world, pseudo) = (Prefetched::default(), Pseudo::default());
    let parameters = resolve_parameters(&template.parameters, &BTreeMap::new(), &world).expect("parameters");
    let evaluator = Evaluator::new(&template, &pseudo, &parameters, &world).expect("conditions");
    let error = evaluator.resource("R").expect_err("40 MB");
    assert_eq!(
        error.to_string(),
        "Template error: the values become larger than 16000000 bytes [Resources/R/Properties/A/Fn::Sub at 2:42]"
    );
}

#[test]
fn loops_cannot_make_a_small_template_huge() {
    let ten = "[a, b, c, d, e, f, g, h, i, j]";
    let mut deep = "{R: {Type: T}}".to_owned();
    for level in 0..12 {
        deep = format!("{{\"Fn::ForEach::L{level}\": [N{level}, {ten}, {deep}]}}");
    }
    let long = "x".repeat(20_000);
    let wide = format!(
        "{{\"Fn::ForEach::L\": [N, [{long}], {{R: {{Type: T, Metadata: {{A: \"{}\"}}}}}}]}}",
        "${N}".repeat(5_000)
    );
    for resources in [deep, wide] {
        let body = format!("Transform: AWS::LanguageExtensions\nResources: {resources}\n");
        let error = Template::parse(&body, Origin::Direct).expect_err("too much");
        assert!(
            error.message.contains("Template may not exceed") || error.message.contains("more than once"),
            "{error}"
        );
    }
}
