//! `SPECIFICATION.md`: every promise names what holds it, and that must be worth something. A file or
//! test that is named is there, is run by `make test`, is not left out and can fail; and what is promised of
//! every service or operation is run over the services that there are, not over a list of its own.
//!
//! In the last column of a table, `held by` or `measured by`, a file is `path/to/file.rs`, and a name after it is a test in that file.

mod tests_in;

use crate::Result;
use std::path::{Path, PathBuf};
use tests_in::Functions;

/// A file that holds a promise, and the tests of it that are named (none: the whole file).
#[derive(Debug, PartialEq)]
struct Holder<'t> {
    promise: &'t str,
    file: &'t str,
    tests: Vec<&'t str>,
}

/// Fails naming everything that is named and holds nothing.
pub fn run(root: &Path) -> Result<()> {
    let text = read(&root.join("SPECIFICATION.md"))?;
    let (holders, mut wrong) = holders(&text);
    let script = read(&root.join("scripts/test.sh"))?;
    for holder in &holders {
        wrong.extend(objections(root, &script, holder)?);
    }
    if holders.is_empty() {
        return Err("SPECIFICATION.md names no test".to_owned());
    }
    if !wrong.is_empty() {
        return Err(format!("SPECIFICATION.md names what holds nothing:\n  {}", wrong.join("\n  ")));
    }
    let named: usize = holders.iter().map(|holder| 1 + holder.tests.len()).sum();
    println!("{named} files and tests that hold promises are there, are run and can fail");
    Ok(())
}

/// What the tables name, and names that belong to no file.
fn holders(text: &str) -> (Vec<Holder<'_>>, Vec<String>) {
    let (mut holders, mut wrong) = (Vec::<Holder>::new(), vec![]);
    let mut is_held = false;
    for row in text.lines() {
        let (rest, last) = row.trim_end_matches('|').rsplit_once('|').unwrap_or(("", ""));
        // Other tables, and the end of one.
        is_held = matches!(last.trim(), "held by" | "measured by") || is_held && row.starts_with('|');
        if !is_held {
            continue;
        }
        let promise = rest.trim_start_matches('|').trim();
        let mut has_file = false;
        // Every second part stands between backticks.
        for name in last.split('`').skip(1).step_by(2) {
            match holders.last_mut().filter(|_| has_file) {
                _ if name.contains('/') => {
                    has_file = true;
                    holders.push(Holder { promise, file: name, tests: vec![] });
                }
                Some(holder) => holder.tests.push(name),
                None => wrong.push(format!("{name} in no file")),
            }
        }
    }
    (holders, wrong)
}

fn objections(root: &Path, script: &str, holder: &Holder) -> Result<Vec<String>> {
    let Holder { promise, file, tests } = holder;
    let path = root.join(file);
    let Ok(text) = std::fs::read_to_string(&path) else { return Ok(vec![format!("{file} is not there")]) };
    let mut wrong = vec![];
    if let Some(why) = not_run(root, script, file) {
        wrong.push(format!("{file} {why}"));
    }
    let of_all = |text: &str| ["every served operation", "every service"].iter().any(|words| text.contains(words));
    if (of_all(promise) || tests.iter().any(|test| of_all(&test.replace('_', " ")))) && !text.contains("services") {
        wrong.push(format!(
            "{file} is to hold for all services, but does not ask which there are (services/*/service.toml)"
        ));
    }
    let is_rust = file.ends_with(".rs");
    let (folder, ending) = match is_rust {
        true => (crate_of(&path), "rs"),
        false => (path.parent().map(Path::to_owned), "py"),
    };
    // A script or a benchmark is run whole.
    let is_script = script.contains(file) || file.starts_with("bench/");
    let tests = if tests.is_empty() && !is_rust && !is_script { Functions::tests(&text) } else { tests.clone() };
    if tests.is_empty() && !is_script {
        wrong.push(format!("{file} has no test"));
    }
    let Some(folder) = folder.filter(|_| !tests.is_empty()) else { return Ok(wrong) };
    let testkit = root.join("testkit/src");
    let mut folders = vec![folder.as_path()];
    folders.extend(is_rust.then_some(testkit.as_path()));
    let functions = Functions::below(&folders, ending)?;
    let here = |test: &str| ["fn ", "def "].iter().any(|kind| text.contains(&format!("{kind}{test}(")));
    for test in tests {
        let why = if here(test) { functions.objection(test, is_rust) } else { Some("is not there") };
        wrong.extend(why.map(|why| format!("{test} in {file} {why}")));
    }
    Ok(wrong)
}

/// The folder of the crate that a source file belongs to.
fn crate_of(path: &Path) -> Option<PathBuf> {
    path.ancestors().skip(1).find(|folder| folder.join("Cargo.toml").exists()).map(Path::to_owned)
}

/// Why `make test` does not come to a file, if so.
fn not_run(root: &Path, script: &str, file: &str) -> Option<&'static str> {
    let path = Path::new(file);
    let stem = path.file_stem()?.to_str()?;
    if script.contains(file) || file.starts_with("bench/") {
        return None;
    }
    if !file.ends_with(".rs") {
        let found = path.starts_with("tests/clients") && stem.starts_with("test");
        return (!found).then_some("is run by nothing: scripts/test.sh runs tests/clients/test*.py and what it names");
    }
    let folder = path.parent()?;
    // A folder's own file is a module of the folder above.
    let (folder, stem) = match stem {
        "lib" | "main" => return None,
        "mod" => (folder.parent()?, folder.file_name()?.to_str()?),
        _ => (folder, stem),
    };
    if folder.file_name()? == "tests" && root.join(folder.parent()?).join("Cargo.toml").exists() {
        return None;
    }
    let above = [folder.join("mod.rs"), folder.join("lib.rs"), folder.join("main.rs"), folder.with_extension("rs")];
    let declared = above.iter().any(|above| {
        let text = std::fs::read_to_string(root.join(above)).unwrap_or_default();
        text.lines().any(|line| {
            line.trim().trim_start_matches("pub ").trim_start_matches("pub(crate) ") == format!("mod {stem};")
        })
    });
    (!declared).then_some("is no module of its crate, so nothing runs it")
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| format!("failed to read {}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_their_tests_are_read_from_the_last_column() {
        let table = "| promise | held by |\n|---|---|\n| x `y` | `a/b.rs` `one`, `two`; `a/c.py` |\n| z | `alone` |\n";
        let (found, wrong) = holders(table);
        let holder = |file, tests: &[&'static str]| Holder { promise: "x `y`", file, tests: tests.to_vec() };
        assert_eq!(found, [holder("a/b.rs", &["one", "two"]), holder("a/c.py", &[])]);
        assert_eq!(wrong, ["alone in no file"]);
    }

    #[test]
    fn what_holds_nothing_is_named() {
        let root = crate::root();
        let wrong = |promise, file, tests: &[&'static str]| {
            objections(&root, "", &Holder { promise, file, tests: tests.to_vec() }).unwrap().join("\n")
        };
        let own = "xtask/src/promises/mod.rs";
        assert_eq!(wrong("x", own, &["what_holds_nothing_is_named"]), "");
        assert!(wrong("x", own, &["gone"]).contains("gone in xtask/src/promises/mod.rs is not there"));
        assert!(wrong("x", "a/gone.rs", &[]).contains("is not there"));
        assert!(wrong("x", "tests/clients/kiln.py", &[]).contains("is run by nothing"));
        let list = wrong("every served operation", "tests/clients/test_s3.py", &[]);
        assert!(list.contains("does not ask which there are"), "{list}");
    }
}
