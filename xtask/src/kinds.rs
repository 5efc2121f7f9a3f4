//! `cargo xtask kinds`: kinds of records across services.
//!
//! A kind that a shapes crate publishes (`services/X/shapes/kinds.rs`) is a promise: records appear in the change
//! feed under that name. And who watches another service's records says so by such a constant: a literal would go
//! on compiling when the kind is renamed, and wake nobody. Read from the syntax trees, tests left out.

use crate::{Result, services};
use proc_macro2::{TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ExprLit, ImplItemConst, ItemConst, ItemMod, Lit, LitStr, Macro};

/// Fails, naming every kind that is published and that no record has, and every one that is written out in the
/// code of another service.
pub fn run(root: &Path) -> Result<()> {
    let mut seen = BTreeMap::new();
    for service in services::all()? {
        let folder = root.join("services").join(&service.folder);
        let mut found = Found::default();
        each_file(&folder.join("src"), &mut |file| found.visit_file(file))?;
        let published = folder.join("shapes/kinds.rs");
        if published.is_file() {
            let mut constants = Constants::default();
            constants.visit_file(&parse(&published)?);
            found.published = constants.0;
        }
        seen.insert(service.folder.as_str(), found);
    }
    let faults = faults(&seen);
    let published: usize = seen.values().map(|found| found.published.len()).sum();
    let kept: usize = seen.values().map(|found| found.kinds().count()).sum();
    if faults.is_empty() {
        println!(
            "{published} kinds are published, each is one of {kept} that records have; no service writes out another's"
        );
        return Ok(());
    }
    Err(faults.join("\n"))
}

fn faults(seen: &BTreeMap<&str, Found>) -> Vec<String> {
    let mut faults = vec![];
    for (service, found) in seen {
        for (name, kind) in &found.published {
            if !found.named.contains(name) && !found.literal.contains(kind) {
                faults.push(format!("  {name} ({kind:?}) of {service}'s shapes is the KIND of no record"));
            }
        }
        for (other, of_other) in seen.iter().filter(|(other, _)| *other != service) {
            for kind in of_other.kinds().filter(|kind| found.texts.contains(*kind)) {
                faults.push(format!(
                    "  {service} writes out {kind:?}, a kind of {other}'s: name a constant of its shapes"
                ));
            }
        }
    }
    faults
}

/// What one service says of kinds.
#[derive(Default)]
struct Found {
    /// Constants of its shapes, and their kinds.
    published: BTreeMap<String, String>,
    /// `KIND`s of records that are written out.
    literal: BTreeSet<String>,
    /// Constants that `KIND`s of records are.
    named: BTreeSet<String>,
    /// All texts in its code.
    texts: BTreeSet<String>,
}

impl Found {
    fn kinds(&self) -> impl Iterator<Item = &String> {
        self.literal.iter().chain(self.published.values())
    }
}

impl<'ast> Visit<'ast> for Found {
    fn visit_impl_item_const(&mut self, item: &'ast ImplItemConst) {
        if item.ident == "KIND" {
            match &item.expr {
                Expr::Lit(ExprLit { lit: Lit::Str(kind), .. }) => _ = self.literal.insert(kind.value()),
                Expr::Path(path) => self.named.extend(path.path.segments.last().map(|last| last.ident.to_string())),
                _ => {}
            }
        }
        visit::visit_impl_item_const(self, item);
    }

    fn visit_lit_str(&mut self, text: &'ast LitStr) {
        self.texts.insert(text.value());
    }

    fn visit_macro(&mut self, of: &'ast Macro) {
        texts_in(of.tokens.clone(), &mut self.texts);
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_test(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }
}

/// All texts in what a macro is given, which is no syntax tree: `matches!(kind, "a/disk")`.
fn texts_in(tokens: TokenStream, texts: &mut BTreeSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Literal(literal) => {
                texts.extend(syn::parse_str::<LitStr>(&literal.to_string()).map(|text| text.value()));
            }
            TokenTree::Group(group) => texts_in(group.stream(), texts),
            _ => {}
        }
    }
}

/// Public constants that are texts.
#[derive(Default)]
struct Constants(BTreeMap<String, String>);

impl<'ast> Visit<'ast> for Constants {
    fn visit_item_const(&mut self, item: &'ast ItemConst) {
        if let (syn::Visibility::Public(_), Expr::Lit(ExprLit { lit: Lit::Str(kind), .. })) = (&item.vis, &*item.expr) {
            self.0.insert(item.ident.to_string(), kind.value());
        }
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_test(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|a| a.path().is_ident("cfg") && a.parse_args::<syn::Path>().is_ok_and(|p| p.is_ident("test")))
}

fn parse(file: &Path) -> Result<syn::File> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("failed to read {}: {e}", file.display()))?;
    syn::parse_file(&text).map_err(|e| format!("failed to read {}: {e}", file.display()))
}

fn each_file(folder: &Path, look: &mut impl FnMut(&syn::File)) -> Result<()> {
    let failed = |e| format!("failed to list {}: {e}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        if name == "tests" || name.ends_with("_stories") {
            continue;
        }
        match path.is_dir() {
            true => each_file(&path, look)?,
            false if path.extension().is_some_and(|end| end == "rs") => look(&parse(&path)?),
            false => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(code: &str, published: &str) -> Found {
        let mut found = Found::default();
        found.visit_file(&syn::parse_file(code).expect("code"));
        let mut constants = Constants::default();
        constants.visit_file(&syn::parse_file(published).expect("code"));
        found.published = constants.0;
        found
    }

    #[test]
    fn a_published_kind_is_a_record_s_and_others_name_it() {
        let record = "impl Record for Disk { const KIND: &'static str = kinds::DISK; }";
        let literal = r#"impl Record for Disk { const KIND: &'static str = "a/disk"; }"#;
        let published = r#"pub const DISK: &str = "a/disk";"#;
        let other = r#"impl Controller for C { const WATCHES: &'static [&'static str] = &[kinds::DISK]; }"#;
        let judged = |code, published, other| {
            faults(&BTreeMap::from([("a", found(code, published)), ("b", found(other, ""))])).join("\n")
        };
        assert_eq!(judged(record, published, other), "");
        assert_eq!(judged(literal, published, other), "", "the same word");
        let renamed = r#"pub const DISK: &str = "a/disc"; pub const GONE: &str = "a/gone";"#;
        assert_eq!(judged(record, renamed, other), r#"  GONE ("a/gone") of a's shapes is the KIND of no record"#);
        assert!(judged(literal, renamed, other).contains(r#"DISK ("a/disc") of a's shapes"#));
        let written = r#"fn wakes(c: &Change) -> bool { &*c.kind == "a/disk" }"#;
        assert!(judged(record, published, written).contains(r#"b writes out "a/disk", a kind of a's"#));
        let within = r#"fn wakes(c: &Change) -> bool { matches!(&*c.kind, "a/disk" | "b/other") }"#;
        assert!(judged(record, published, within).contains(r#"b writes out "a/disk", a kind of a's"#), "in a macro");
        let tested = format!("#[cfg(test)] mod tests {{ {written} }}");
        assert_eq!(judged(record, published, &tested), "", "tests may");
    }
}
