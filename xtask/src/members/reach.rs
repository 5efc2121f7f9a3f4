//! What a crate's functions read and call, by name.

use crate::Result;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};

/// A function, or a constant: tables name functions too.
#[derive(Default)]
struct Item {
    file: usize,
    /// The modules it is in, as calls qualify it: a folder's hands on what its files have.
    modules: Vec<String>,
    /// The type of the `impl` around it.
    of: Option<String>,
    reads: BTreeSet<String>,
    /// Paths: the last name and the one before it.
    names: BTreeSet<(Option<String>, String)>,
    methods: BTreeSet<String>,
}

/// All of a crate's functions.
#[derive(Default)]
pub struct Sources {
    items: Vec<Item>,
    by_name: BTreeMap<String, Vec<usize>>,
    /// By file: other names for functions of elsewhere.
    renamed: BTreeMap<(usize, String), String>,
    /// Operation to file and function.
    handlers: BTreeMap<String, (usize, String)>,
}

impl Sources {
    /// Parses every file below a crate's `src`, tests left out, and resource types: they call operations, and none
    /// calls them.
    pub fn read(src: &Path) -> Result<Self> {
        let mut sources = Sources::default();
        let mut open = vec![src.to_path_buf()];
        let mut file = 0;
        while let Some(path) = open.pop() {
            let name = path.file_stem().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
            if name == "tests" || name == "resources" {
                continue;
            }
            let failed = |e: &dyn std::fmt::Display| format!("failed to read {}: {e}", path.display());
            if path.is_dir() {
                for entry in std::fs::read_dir(&path).map_err(|e| failed(&e))? {
                    open.push(entry.map_err(|e| failed(&e))?.path());
                }
                continue;
            }
            if path.extension().is_none_or(|end| end != "rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).map_err(|e| failed(&e))?;
            let parsed = syn::parse_file(&text).map_err(|e| failed(&e))?;
            let inside = path.strip_prefix(src).unwrap_or(&path);
            let folders = inside.parent().into_iter().flat_map(|p| p.iter()).filter_map(|part| part.to_str());
            let modules = folders.chain([name.as_str()]).map(str::to_owned).collect();
            let mut collect = Collect { sources: &mut sources, file, modules, of: None };
            collect.visit_file(&parsed);
            file += 1;
        }
        Ok(sources)
    }

    /// The names of all fields that an operation's function reads, or a function that it reaches; none
    /// for an operation that has no row.
    pub fn reads(&self, operation: &str) -> Option<BTreeSet<String>> {
        let (file, handler) = self.handlers.get(operation)?;
        let mut seen = BTreeSet::new();
        let mut open = self.called(*file, None, handler);
        let mut reads = BTreeSet::new();
        while let Some(at) = open.pop() {
            if !seen.insert(at) {
                continue;
            }
            let item = &self.items[at];
            reads.extend(item.reads.iter().cloned());
            for (qualifier, name) in &item.names {
                let qualifier = match qualifier.as_deref() {
                    Some("Self") => item.of.as_deref(),
                    other => other,
                };
                open.extend(self.called(item.file, qualifier, name));
            }
            for method in &item.methods {
                let from = (method == "into").then_some("from");
                for name in [method.as_str()].into_iter().chain(from) {
                    let all = self.by_name.get(name).into_iter().flatten().copied();
                    open.extend(all.filter(|at| self.items[*at].of.is_some()));
                }
            }
        }
        Some(reads)
    }

    /// The functions that a path in a file can mean.
    fn called(&self, file: usize, qualifier: Option<&str>, name: &str) -> Vec<usize> {
        let name = self.renamed.get(&(file, name.to_owned())).map_or(name, String::as_str);
        let all = self.by_name.get(name).map(Vec::as_slice).unwrap_or_default();
        let fits = |at: &&usize| {
            let item = &self.items[**at];
            match qualifier {
                Some(qualifier) if !matches!(qualifier, "self" | "super" | "crate") => {
                    item.of.as_deref() == Some(qualifier) || item.modules.iter().any(|module| module == qualifier)
                }
                _ => item.of.is_none(),
            }
        };
        let found: Vec<usize> = all.iter().filter(fits).copied().collect();
        let here: Vec<usize> = found.iter().filter(|at| self.items[**at].file == file).copied().collect();
        if here.is_empty() { found } else { here }
    }
}

/// Fills [`Sources`] from one file.
struct Collect<'a> {
    sources: &'a mut Sources,
    file: usize,
    modules: Vec<String>,
    /// The type of the `impl` around.
    of: Option<String>,
}

impl Collect<'_> {
    fn add(&mut self, name: String, look: impl FnOnce(&mut Look)) {
        let mut found = Look::default();
        look(&mut found);
        let Look { mut item, handlers } = found;
        item.file = self.file;
        item.modules = self.modules.clone();
        item.of = self.of.clone();
        self.sources.by_name.entry(name).or_default().push(self.sources.items.len());
        self.sources.items.push(item);
        let file = self.file;
        self.sources.handlers.extend(handlers.into_iter().map(|(operation, handler)| (operation, (file, handler))));
    }
}

impl<'ast> Visit<'ast> for Collect<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }
    fn visit_use_rename(&mut self, item: &'ast syn::UseRename) {
        self.sources.renamed.insert((self.file, item.rename.to_string()), item.ident.to_string());
    }
    /// A macro of the crate's own is looked through like a function, and so is whatever it is told to
    /// make.
    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        let tokens = &item.mac.tokens;
        if let Some(name) = &item.ident {
            return self.add(name.to_string(), |look| look.tokens(tokens.clone()));
        }
        let Some(called) = item.mac.path.segments.last().map(|s| s.ident.to_string()) else { return };
        let told = words(tokens.clone());
        for word in &told {
            self.add(word.clone(), |look| {
                look.tokens(tokens.clone());
                look.item.reads.extend(told.iter().cloned());
                look.item.names.insert((None, called.clone()));
            });
        }
    }
    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let before = self.of.take();
        self.of = match &*item.self_ty {
            syn::Type::Path(path) => path.path.segments.last().map(|s| s.ident.to_string()),
            _ => Some(String::new()),
        };
        visit::visit_item_impl(self, item);
        self.of = before;
    }
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add(item.sig.ident.to_string(), |look| look.visit_block(&item.block));
    }
    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add(item.sig.ident.to_string(), |look| look.visit_block(&item.block));
    }
    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.add(item.sig.ident.to_string(), |look| look.visit_block(block));
        }
    }
    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.add(item.ident.to_string(), |look| look.visit_expr(&item.expr));
    }
    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.add(item.ident.to_string(), |look| look.visit_expr(&item.expr));
    }
}

/// What one body reads and calls.
#[derive(Default)]
struct Look {
    item: Item,
    handlers: Vec<(String, String)>,
}

impl<'ast> Visit<'ast> for Look {
    fn visit_expr_field(&mut self, field: &'ast syn::ExprField) {
        if let syn::Member::Named(name) = &field.member {
            self.item.reads.insert(plain(name));
        }
        visit::visit_expr_field(self, field);
    }
    fn visit_pat_struct(&mut self, pattern: &'ast syn::PatStruct) {
        for field in &pattern.fields {
            if let (syn::Member::Named(name), false) = (&field.member, matches!(&*field.pat, syn::Pat::Wild(_))) {
                self.item.reads.insert(plain(name));
            }
        }
        visit::visit_pat_struct(self, pattern);
    }
    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.item.methods.insert(call.method.to_string());
        visit::visit_expr_method_call(self, call);
    }
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut back = path.segments.iter().rev();
        if let Some(last) = back.next() {
            self.item.names.insert((back.next().map(|s| s.ident.to_string()), last.ident.to_string()));
        }
        visit::visit_path(self, path);
    }
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if call.path.is_ident("operation") {
            let mut words = call.tokens.clone().into_iter().filter_map(|token| match token {
                TokenTree::Ident(word) => Some(word.to_string()),
                _ => None,
            });
            if let (Some(operation), Some(handler)) = (words.next(), words.next()) {
                self.handlers.push((operation, handler));
            }
            return;
        }
        // One of the crate's own is looked through; no other has an item of its name.
        self.item.names.extend(call.path.segments.last().map(|name| (None, name.ident.to_string())));
        match Punctuated::<syn::Expr, syn::Token![,]>::parse_terminated.parse2(call.tokens.clone()) {
            Ok(arguments) => {
                let mut inner = Look::default();
                arguments.iter().for_each(|argument| inner.visit_expr(argument));
                self.join(inner);
            }
            Err(_) => self.tokens(call.tokens.clone()),
        }
    }
}

impl Look {
    fn join(&mut self, inner: Look) {
        self.item.reads.extend(inner.item.reads);
        self.item.names.extend(inner.item.names);
        self.item.methods.extend(inner.item.methods);
        self.handlers.extend(inner.handlers);
    }

    /// A macro of a form of its own: `.name` is a field or a method, a name is perhaps a function's.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut after_dot = false;
        for token in tokens {
            match token {
                TokenTree::Ident(name) if after_dot => {
                    self.item.reads.insert(plain(&name));
                    self.item.methods.insert(name.to_string());
                    after_dot = false;
                }
                TokenTree::Ident(name) => {
                    self.item.names.insert((None, name.to_string()));
                }
                TokenTree::Punct(mark) => after_dot = mark.as_char() == '.',
                TokenTree::Group(group) => {
                    // A structure's pattern: `Some(Thing { member, .. })`.
                    if group.delimiter() == Delimiter::Brace {
                        self.pattern(group.stream());
                    }
                    self.tokens(group.stream());
                    after_dot = false;
                }
                TokenTree::Literal(_) => after_dot = false,
            }
        }
    }

    fn pattern(&mut self, tokens: TokenStream) {
        let names = tokens.into_iter().filter_map(|token| match token {
            TokenTree::Ident(name) => Some(plain(&name)),
            _ => None,
        });
        self.item.reads.extend(names);
    }
}

/// The names in a macro's arguments that can be functions'.
fn words(tokens: TokenStream) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for token in tokens {
        match token {
            TokenTree::Ident(name) => found.extend([name.to_string()]),
            TokenTree::Group(group) => found.extend(words(group.stream())),
            _ => {}
        }
    }
    found.retain(|word| word.starts_with(|c: char| c.is_ascii_lowercase()));
    found
}

fn plain(name: &proc_macro2::Ident) -> String {
    name.to_string().trim_start_matches("r#").to_owned()
}
