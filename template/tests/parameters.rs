//! Parameters: declaration and given values in, what the template sees out.

use std::collections::BTreeMap;

use kiln_template::*;

use crate::table;
use crate::world::world;

/// Input: the declaration of `P`, then a line `given: …` (or none).
fn run(input: &str) -> String {
    let (declaration, given) = match input.split_once("\ngiven: ") {
        Some((declaration, given)) => (declaration, BTreeMap::from([("P".to_owned(), given.to_owned())])),
        None => (input, BTreeMap::new()),
    };
    let body = format!("Parameters:\n  P: {declaration}\nResources: {{R: {{Type: T}}}}\n");
    let seen = Template::parse(&body, Origin::Direct)
        .and_then(|template| resolve_parameters(&template.parameters, &given, &world()));
    match seen {
        Ok(seen) => {
            let resolved = seen.resolved.get("P").map(|text| format!(" (resolved: {text})")).unwrap_or_default();
            format!("{}{resolved}", seen.values["P"])
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn values_are_checked_as_the_table_says() {
    table::check("parameters", run);
}

#[test]
fn a_stranger_is_refused() {
    let given = BTreeMap::from([("X".to_owned(), "1".to_owned())]);
    let error = resolve_parameters(&BTreeMap::new(), &given, &world()).expect_err("not declared");
    assert_eq!(error.to_string(), "Parameters: [X] do not exist in the template");
}
