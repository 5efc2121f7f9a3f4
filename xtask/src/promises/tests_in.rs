//! What a test is worth: whether it is one, runs with `make test`, and can fail for what it says.
//!
//! ```text
//! Rust   ── syn ──  functions: attributes, assertions, names that they use  ─┐
//! Python ── lines ─ functions: decorators, assertions, names that they call ─┴─ asserts, or names one that does
//! ```
//! An assertion is a macro or method by which a test says what it expects: `assert…!`, `panic!`, `expect_err`,
//! `assertEqual`. That something could be unwrapped is none: it is how a test gets to its point. Names are followed
//! within the same folder of sources and the testkit, without types: it may find too much, never too little.

use crate::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use syn::visit::{self, Visit};

/// The functions of the sources around a test, by name.
#[derive(Default)]
pub struct Functions(BTreeMap<String, Vec<Function>>);

#[derive(Default)]
struct Function {
    is_test: bool,
    is_left_out: bool,
    asserts: bool,
    /// Names in its body that may be functions'.
    names: BTreeSet<String>,
}

/// Macros and methods of Rust by which a test says what it expects.
const RUST: &[&str] = &["panic", "unreachable", "expect_err", "unwrap_err"];

impl Functions {
    /// Those of all files in and below the folders that have the ending `ending`.
    pub fn below(folders: &[&Path], ending: &str) -> Result<Self> {
        let (mut open, mut found) = (folders.iter().map(|f| f.to_path_buf()).collect::<Vec<_>>(), Self::default());
        while let Some(path) = open.pop() {
            let failed = |e: std::io::Error| format!("failed to read {}: {e}", path.display());
            if path.is_dir() {
                for entry in std::fs::read_dir(&path).map_err(failed)? {
                    open.push(entry.map_err(failed)?.path());
                }
                open.retain(|path| !path.ends_with("target"));
            } else if path.extension().is_some_and(|e| e == ending) {
                let text = std::fs::read_to_string(&path).map_err(failed)?;
                match ending {
                    "rs" => found.add_rust(&text).map_err(|e| format!("failed to parse {}: {e}", path.display()))?,
                    _ => found.add_python(&text),
                }
            }
        }
        Ok(found)
    }

    fn add_rust(&mut self, text: &str) -> syn::Result<()> {
        let file = syn::parse_file(text)?;
        self.visit_file(&file);
        Ok(())
    }

    /// By lines and indentation.
    fn add_python(&mut self, text: &str) {
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(name) = python_name(line) else { continue };
            let depth = |line: &str| line.len() - line.trim_start().len();
            let above = lines[..at].iter().rev().take_while(|line| line.trim_start().starts_with('@'));
            let marks: String = above.copied().collect();
            let rest = lines[at + 1..].iter().take_while(|next| next.trim().is_empty() || depth(next) > depth(line));
            let code: Vec<&str> = rest.map(|line| line.split(" # ").next().unwrap_or(line)).collect();
            let code = code.join("\n");
            let words: BTreeSet<String> =
                code.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned).collect();
            let asserts = words.iter().any(|word| word.starts_with("assert") || word == "AssertionError")
                || ["self.fail(", "raise SystemExit"].iter().any(|call| code.contains(call));
            let is_left_out = ["skip", "expectedFailure"].iter().any(|mark| marks.contains(mark));
            let function = Function { is_test: name.starts_with("test"), is_left_out, asserts, names: words };
            self.0.entry(name.to_owned()).or_default().push(function);
        }
    }

    fn add_function(&mut self, name: &syn::Ident, attributes: &[syn::Attribute], body: &syn::Block) {
        let mut function = Function::default();
        for attribute in attributes {
            let path = attribute.path();
            function.is_test |= path.segments.last().is_some_and(|last| last.ident == "test");
            function.is_left_out |= path.is_ident("ignore");
            function.asserts |= path.is_ident("should_panic");
        }
        function.visit_block(body);
        self.0.entry(name.to_string()).or_default().push(function);
    }

    /// The names of all tests in a text of Python.
    pub fn tests(text: &str) -> Vec<&str> {
        text.lines().filter_map(python_name).filter(|name| name.starts_with("test_")).collect()
    }

    /// Why `name` holds nothing, if so. `is_rust`: it needs the attribute of a test.
    pub fn objection(&self, name: &str, is_rust: bool) -> Option<&'static str> {
        let Some(named) = self.0.get(name) else { return Some("is not there") };
        let tests: Vec<&Function> = named.iter().filter(|function| function.is_test).collect();
        if tests.is_empty() {
            return Some(match is_rust {
                true => "is no test: it has no #[test]",
                false => "is no test: unittest takes those whose names begin with `test`",
            });
        }
        // Of those with one name, all hold what it says.
        if tests.iter().any(|test| test.is_left_out) {
            return Some("is left out when tests are run");
        }
        tests.iter().any(|test| !self.can_fail(test)).then_some("asserts nothing")
    }

    fn can_fail<'a>(&'a self, test: &'a Function) -> bool {
        let (mut open, mut seen) = (vec![test], BTreeSet::new());
        while let Some(function) = open.pop() {
            if function.asserts {
                return true;
            }
            for name in &function.names {
                // Another test is run by itself.
                let called = self.0.get(name).filter(|_| seen.insert(name));
                open.extend(called.into_iter().flatten().filter(|function| !function.is_test));
            }
        }
        false
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add_function(&item.sig.ident, &item.attrs, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add_function(&item.sig.ident, &item.attrs, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        // `macro_rules! holds { … }`: what it becomes stands where it is used.
        if let Some(name) = &item.ident {
            let mut function = Function::default();
            function.tokens(item.mac.tokens.clone());
            self.0.entry(name.to_string()).or_default().push(function);
        }
    }
}

impl Function {
    fn name(&mut self, name: &syn::Ident) {
        let name = name.to_string();
        self.asserts |= name.starts_with("assert") || RUST.contains(&name.as_str());
        self.names.insert(name);
    }

    /// All names in a macro's text.
    fn tokens(&mut self, tokens: proc_macro2::TokenStream) {
        for token in tokens {
            match token {
                proc_macro2::TokenTree::Ident(name) => self.name(&name),
                proc_macro2::TokenTree::Group(group) => self.tokens(group.stream()),
                _ => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Function {
    fn visit_macro(&mut self, of: &'ast syn::Macro) {
        of.path.segments.last().into_iter().for_each(|last| self.name(&last.ident));
        self.tokens(of.tokens.clone());
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.name(&call.method);
        visit::visit_expr_method_call(self, call);
    }

    /// Also a function that is handed on.
    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        path.path.segments.last().into_iter().for_each(|last| self.name(&last.ident));
    }
}

/// The name of the function that a line of Python begins.
fn python_name(line: &str) -> Option<&str> {
    let rest = line.trim_start();
    let rest = rest.strip_prefix("async ").unwrap_or(rest).strip_prefix("def ")?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    rest[end..].starts_with('(').then_some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_cannot_fail_or_does_not_run_holds_nothing() {
        let mut rust = Functions::default();
        let text = r#"
            #[test] fn good() { helper(&[1]); }
            fn helper(all: &[i32]) { all.iter().for_each(check) }
            fn check(one: &i32) { assert!(*one > 0, "assert"); }
            #[tokio::test] #[ignore] async fn left_out() { assert!(true); }
            #[test] fn empty() { let a = "assert"; /* assert!(a) */ }
            #[test] fn only_gets_there() { File::open("x").unwrap().read().expect("readable"); }
            #[test] fn calls_a_test() { good(); }
            #[test] fn refused() { open("x").expect_err("no"); }
            #[test] #[should_panic] fn panics() { divide(1, 0); }
            #[test] fn by_macro() { holds!(1 > 0); }
            macro_rules! holds { ($what:expr) => { assert!($what) }; }
        "#;
        rust.add_rust(text).unwrap();
        for good in ["good", "refused", "panics", "by_macro"] {
            assert_eq!(rust.objection(good, true), None, "{good}");
        }
        for nothing in ["empty", "only_gets_there", "calls_a_test"] {
            assert_eq!(rust.objection(nothing, true), Some("asserts nothing"), "{nothing}");
        }
        assert_eq!(rust.objection("helper", true), Some("is no test: it has no #[test]"));
        assert_eq!(rust.objection("left_out", true), Some("is left out when tests are run"));
        assert_eq!(rust.objection("gone", true), Some("is not there"));
        let mut python = Functions::default();
        python.add_python("class A:\n    def test_a(self):\n        self.assertEqual(1, 1)\n\n    @unittest.skip\n    def test_b(self):\n        self.assertEqual(1, 1)\n\n    def test_c(self):\n        pass  # assert\n");
        assert_eq!(python.objection("test_a", false), None);
        assert_eq!(python.objection("test_b", false), Some("is left out when tests are run"));
        assert_eq!(python.objection("test_c", false), Some("asserts nothing"));
    }
}
