//! Reads a table, runs each block, compares.

use std::path::Path;

/// Runs every block of `tables/NAME.txt` through `run` (input to output) and compares with what is committed.
pub fn check(name: &str, run: impl Fn(&str) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tables").join(format!("{name}.txt"));
    let text = std::fs::read_to_string(&path).expect("the table is committed");
    let mut whole = String::new();
    let mut wrong = Vec::new();
    let (head, blocks) = text.split_once("=== ").expect("a table has blocks");
    whole.push_str(head);
    for block in blocks.split("\n=== ") {
        let (title, rest) = block.split_once('\n').expect("a title line");
        let (input, expected) = rest.split_once("\n---\n").unwrap_or((rest.trim_end(), ""));
        let output = run(input);
        if output.trim_end() != expected.trim_end() {
            wrong.push(format!("=== {title}\nexpected:\n{}\ngot:\n{}\n", expected.trim_end(), output.trim_end()));
        }
        whole.push_str(&format!("=== {title}\n{input}\n---\n{}\n\n", output.trim_end()));
    }
    if std::env::var_os("UPDATE_TABLES").is_some() {
        std::fs::write(&path, whole.trim_end().to_owned() + "\n").expect("the table can be written");
        return;
    }
    assert!(wrong.is_empty(), "{name}.txt: {} of the blocks differ\n{}", wrong.len(), wrong.join("\n"));
}
