//! `SPECIFICATION.md`: every file and test that it names must be there. A promise whose test was renamed
//! or removed is no promise.
//!
//! In the last column of a table a file is `path/to/file.rs`, and a name after it is a test in that file.

use crate::Result;
use std::path::Path;

/// Fails naming every file or test that is named and is not there.
pub fn run(root: &Path) -> Result<()> {
    let path = root.join("SPECIFICATION.md");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("failed to read {}: {e}", path.display()))?;
    let read = |file: &str| std::fs::read_to_string(root.join(file)).ok();
    let (named, missing) = check(&text, &read);
    if named == 0 {
        return Err("SPECIFICATION.md names no test".to_owned());
    }
    if !missing.is_empty() {
        return Err(format!("SPECIFICATION.md names what is not there:\n{}", missing.join("\n")));
    }
    println!("{named} files and tests that hold promises are there");
    Ok(())
}

/// How many files and tests are named, and those that are missing.
fn check(text: &str, read: &dyn Fn(&str) -> Option<String>) -> (usize, Vec<String>) {
    let (mut named, mut missing) = (0, vec![]);
    for row in text.lines().filter(|line| line.starts_with('|')) {
        let holders = row.trim_end_matches('|').rsplit('|').next().unwrap_or("");
        let mut file: Option<(&str, String)> = None;
        // Every second part stands between backticks.
        for name in holders.split('`').skip(1).step_by(2) {
            named += 1;
            if name.contains('/') {
                file = read(name).map(|source| (name, source));
                if file.is_none() {
                    missing.push(format!("  {name}"));
                }
            } else {
                let there = file.as_ref().is_some_and(|(_, source)| {
                    ["fn ", "def "].iter().any(|kind| source.contains(&format!("{kind}{name}(")))
                });
                if !there {
                    let at = file.as_ref().map_or("no file", |(path, _)| path);
                    missing.push(format!("  {name} in {at}"));
                }
            }
        }
    }
    (named, missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_must_be_there() {
        let read = |file: &str| (file == "a/b.rs").then(|| "fn it_holds() {}".to_owned());
        let table = "| promise | held by |\n|---|---|\n| x `y` | `a/b.rs` `it_holds`, `it_fell` |\n| z | `a/c.py` `it_holds` |\n";
        let (named, missing) = check(table, &read);
        assert_eq!(
            (named, missing),
            (5, vec!["  it_fell in a/b.rs".into(), "  a/c.py".into(), "  it_holds in no file".into()])
        );
    }
}
