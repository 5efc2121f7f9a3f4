//! Order: waves of creation, the reverse for deletion, long chains without a deep stack.

use kiln_template::*;

#[test]
fn deletion_is_the_reverse_of_creation() {
    let body = "Resources:\n  A: {Type: T}\n  B: {Type: T, Properties: {X: !Ref A}}\n  C: {Type: T, Properties: {X: !Sub '${A.Arn}'}}\n  D: {Type: T, DependsOn: [B, C]}\n";
    let template = Template::parse(body, Origin::Direct).expect("parses");
    let graph = Graph::of(&template, None).expect("no circle");
    assert_eq!(graph.creation_order(), ["A", "B", "C", "D"]);
    assert_eq!(graph.deletion_order(), ["D", "C", "B", "A"]);
    assert_eq!(graph.waves().len(), 3);
    assert_eq!(graph.needs("D").collect::<Vec<_>>(), ["B", "C"]);
    assert_eq!(graph.needed_by("A").collect::<Vec<_>>(), ["B", "C"]);
    assert_eq!(Graph::from_needs(graph.all_needs().clone()).expect("the same"), graph);
}

#[test]
fn a_long_chain_of_conditions_needs_no_deep_stack() {
    let mut body = "Conditions:\n  C0: !Equals [a, a]\n".to_owned();
    for index in 1..20_000 {
        body.push_str(&format!("  C{index}: !Not [!Condition C{}]\n", index - 1));
    }
    body.push_str("Resources: {R: {Type: T}}\n");
    let template = Template::parse(&body, Origin::S3).expect("parses");
    let (pseudo, parameters, world) = (Pseudo::default(), ParameterValues::default(), Prefetched::default());
    let evaluator = Evaluator::new(&template, &pseudo, &parameters, &world).expect("evaluates");
    assert!(!evaluator.conditions()["C19999"]);
}
