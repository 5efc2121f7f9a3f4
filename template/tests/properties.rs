//! Properties against their type: made right, or all violations.

use kiln_template::schema::violations_text;
use kiln_template::{check_properties, facts};

use crate::table;

/// Input: a type, then its properties as JSON.
fn run(input: &str) -> String {
    let (name, properties) = input.split_once('\n').expect("a type and its properties");
    let all = facts::all();
    let properties = serde_json::from_str(properties).expect("the table holds JSON");
    match check_properties(&all[name], &properties) {
        Ok(properties) => properties.to_string(),
        Err(violations) => {
            let places: Vec<&str> = violations.iter().map(|violation| violation.path.as_str()).collect();
            format!("{}\nat {}", violations_text(&violations).replace("; ", "\n"), places.join(", "))
        }
    }
}

#[test]
fn properties_are_checked_as_the_table_says() {
    table::check("properties", run);
}
