//! What a test is worth: whether it is one, runs with `make test`, and can fail.
//!
//! By names and indentation, no types: a function counts as asserting if it, or one that it names in
//! the same folder of sources, has a word by which tests fail. It may find too much, never too little.

use crate::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The functions of the sources around a test, by name.
pub struct Functions(BTreeMap<String, Vec<Function>>);

struct Function {
    /// What stands above it: attributes or decorators.
    marks: String,
    body: String,
}

/// By which a test fails.
const FAILING: &[&str] = &["assert", "panic", "unwrap", "expect", "fail", "raise", "refused", "wait_for"];

impl Functions {
    /// Those of all files in and below `folder` that have the ending `ending`.
    pub fn below(folder: &Path, ending: &str) -> Result<Self> {
        let (mut open, mut found) = (vec![folder.to_owned()], Self(BTreeMap::new()));
        while let Some(path) = open.pop() {
            let failed = |e: std::io::Error| format!("failed to read {}: {e}", path.display());
            if path.is_dir() {
                for entry in std::fs::read_dir(&path).map_err(failed)? {
                    open.push(entry.map_err(failed)?.path());
                }
                open.retain(|path| !path.ends_with("target"));
            } else if path.extension().is_some_and(|e| e == ending) {
                found.add(&std::fs::read_to_string(&path).map_err(failed)?);
            }
        }
        Ok(found)
    }

    /// Those of one text.
    pub fn add(&mut self, text: &str) {
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(name) = name_of(line) else { continue };
            let depth = |line: &str| line.len() - line.trim_start().len();
            let above = lines[..at].iter().rev().take_while(|line| line.trim_start().starts_with(['#', '@']));
            let rest = lines[at + 1..].iter().take_while(|next| next.trim().is_empty() || depth(next) > depth(line));
            let marks = above.copied().collect::<Vec<_>>().join("\n");
            let body = [*line].into_iter().chain(rest.copied()).collect::<Vec<_>>().join("\n");
            self.0.entry(name.to_owned()).or_default().push(Function { marks, body });
        }
    }

    /// The names of all tests in a text.
    pub fn tests(text: &str) -> Vec<&str> {
        text.lines().filter_map(name_of).filter(|name| name.starts_with("test_")).collect()
    }

    /// Why `name` holds nothing, if so. `is_rust`: it needs the attribute of a test.
    pub fn objection(&self, name: &str, is_rust: bool) -> Option<&'static str> {
        let Some(named) = self.0.get(name) else { return Some("is not there") };
        let is_test = |f: &&Function| !is_rust || f.marks.contains("test");
        let Some(test) = named.iter().find(is_test) else { return Some("is no test: it has no #[test]") };
        if !is_rust && !name.starts_with("test") {
            return Some("is no test: unittest takes those whose names begin with `test`");
        }
        if ["ignore", "skip", "expectedFailure"].iter().any(|mark| test.marks.contains(mark)) {
            return Some("is left out when tests are run");
        }
        (!self.can_fail(test)).then_some("asserts nothing")
    }

    fn can_fail<'a>(&'a self, test: &'a Function) -> bool {
        let (mut open, mut seen) = (vec![test], BTreeSet::new());
        while let Some(function) = open.pop() {
            let words: BTreeSet<&str> = function.body.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            if words.iter().any(|word| FAILING.iter().any(|failing| word.starts_with(failing))) {
                return true;
            }
            for word in words {
                if let Some(called) = self.0.get(word).filter(|_| seen.insert(word)) {
                    open.extend(called);
                }
            }
        }
        false
    }
}

/// The name of the function that a line begins.
fn name_of(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let rest = [
        "fn ",
        "async fn ",
        "pub fn ",
        "pub async fn ",
        "pub(crate) fn ",
        "pub(crate) async fn ",
        "pub(super) fn ",
        "def ",
    ]
    .iter()
    .find_map(|start| line.strip_prefix(start))?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    rest[end..].starts_with(['(', '<']).then_some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_cannot_fail_or_does_not_run_holds_nothing() {
        let mut rust = Functions(BTreeMap::new());
        rust.add("#[test]\nfn good() {\n    helper();\n}\n\nfn helper() {\n    assert!(true);\n}\n");
        rust.add("#[tokio::test]\n#[ignore]\nasync fn left_out() {\n    assert!(true);\n}\n#[test]\nfn empty() {\n    let a = 1;\n}\n");
        assert_eq!(rust.objection("good", true), None);
        assert_eq!(rust.objection("helper", true), Some("is no test: it has no #[test]"));
        assert_eq!(rust.objection("left_out", true), Some("is left out when tests are run"));
        assert_eq!(rust.objection("empty", true), Some("asserts nothing"));
        assert_eq!(rust.objection("gone", true), Some("is not there"));
        let mut python = Functions(BTreeMap::new());
        python.add("class A:\n    def test_a(self):\n        self.assertEqual(1, 1)\n\n    @unittest.skip\n    def test_b(self):\n        self.assertEqual(1, 1)\n\n    def test_c(self):\n        pass\n");
        assert_eq!(python.objection("test_a", false), None);
        assert_eq!(python.objection("test_b", false), Some("is left out when tests are run"));
        assert_eq!(python.objection("test_c", false), Some("asserts nothing"));
    }
}
