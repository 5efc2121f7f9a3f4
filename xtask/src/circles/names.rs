//! What one item of a file defines, imports and names.

use proc_macro2::{TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use syn::visit::{self, Visit};
use syn::{Attribute, Item};

/// The words of a path: `crate::store::Tx`.
pub type Words = Vec<String>;

/// What a module imports and names.
#[derive(Default)]
pub struct Names {
    /// What it imports, by the name it has here.
    pub imports: BTreeMap<String, Vec<Words>>,
    /// What it imports all of.
    pub globs: Vec<Words>,
    /// Every path that its code names.
    pub named: BTreeSet<Words>,
}

/// Whether a file of these items only names modules and hands on what is in them.
pub fn only_hands_on(items: &[Item]) -> bool {
    items.iter().all(|item| match item {
        Item::Mod(inner) => inner.content.is_none() || is_test(&inner.attrs),
        Item::Use(_) | Item::ExternCrate(_) => true,
        _ => false,
    })
}

/// Whether it is there for tests alone.
pub fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return attribute.path().is_ident("test") };
        let mut words = vec![];
        flat(list.tokens.clone(), &mut words);
        attribute.path().is_ident("cfg") && words.iter().any(|w| w == "test") && !words.iter().any(|w| w == "not")
    })
}

fn flat(tokens: TokenStream, words: &mut Vec<String>) {
    for token in tokens {
        match token {
            TokenTree::Ident(word) => words.push(word.to_string()),
            TokenTree::Group(group) => flat(group.stream(), words),
            _ => {}
        }
    }
}

/// The file that `#[path = "…"]` names.
pub fn given_path(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find(|a| a.path().is_ident("path")).and_then(|attribute| match &attribute.meta {
        syn::Meta::NameValue(syn::MetaNameValue {
            value: syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }),
            ..
        }) => Some(text.value()),
        _ => None,
    })
}

/// The name that an item gives to something of its own.
pub fn defined(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(i) => &i.ident,
        Item::Enum(i) => &i.ident,
        Item::Fn(i) => &i.sig.ident,
        Item::Macro(i) => i.ident.as_ref()?,
        Item::Static(i) => &i.ident,
        Item::Struct(i) => &i.ident,
        Item::Trait(i) => &i.ident,
        Item::TraitAlias(i) => &i.ident,
        Item::Type(i) => &i.ident,
        Item::Union(i) => &i.ident,
        _ => return None,
    };
    Some(plain(name))
}

/// The macro that an item gives to the whole crate and to others.
pub fn exported_macro(item: &Item) -> Option<String> {
    match item {
        Item::Macro(i) if i.attrs.iter().any(|a| a.path().is_ident("macro_export")) => i.ident.as_ref().map(plain),
        _ => None,
    }
}

/// A name without the mark of a keyword used as one.
pub fn plain(name: &proc_macro2::Ident) -> String {
    name.to_string().trim_start_matches("r#").to_owned()
}

/// Adds to a module's what an item imports and names; modules inside it and tests are left out.
pub fn collect(item: &Item, names: &mut Names) {
    if !matches!(item, Item::Mod(_)) {
        Collect(names).visit_item(item);
    }
}

struct Collect<'a>(&'a mut Names);

impl Collect<'_> {
    fn import(&mut self, tree: &syn::UseTree, before: &mut Words) {
        match tree {
            syn::UseTree::Path(path) => {
                before.push(plain(&path.ident));
                self.import(&path.tree, before);
                before.pop();
            }
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(tree, before)),
            syn::UseTree::Glob(_) => self.0.globs.push(before.clone()),
            syn::UseTree::Name(name) => self.imported(plain(&name.ident), plain(&name.ident), before),
            syn::UseTree::Rename(name) => self.imported(plain(&name.ident), plain(&name.rename), before),
        }
    }

    /// `use before::name as here`; `self` is the module before it.
    fn imported(&mut self, name: String, here: String, before: &Words) {
        let mut words = before.clone();
        let here = match (name.as_str(), here.as_str()) {
            ("self", "self") => before.last().cloned().unwrap_or_default(),
            ("self", _) => here,
            _ => {
                words.push(name);
                here
            }
        };
        self.0.imports.entry(here).or_default().push(words);
    }

    /// The paths in what a macro is given.
    fn tokens(&mut self, tokens: TokenStream) {
        let (mut path, mut colons): (Words, usize) = (vec![], 0);
        for token in tokens {
            match token {
                TokenTree::Ident(word) => {
                    if colons != 2 {
                        self.named(&mut path);
                    }
                    path.push(plain(&word));
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' && !path.is_empty() => colons += 1,
                other => {
                    self.named(&mut path);
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.named(&mut path);
    }

    fn named(&mut self, path: &mut Words) {
        // A single word can be anything there.
        if path.len() > 1 {
            self.0.named.insert(std::mem::take(path));
        }
        path.clear();
    }
}

impl<'ast> Visit<'ast> for Collect<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Const(i) => &i.attrs,
            Item::Enum(i) => &i.attrs,
            Item::Fn(i) => &i.attrs,
            Item::Impl(i) => &i.attrs,
            Item::Macro(i) => &i.attrs,
            Item::Static(i) => &i.attrs,
            Item::Struct(i) => &i.attrs,
            Item::Trait(i) => &i.attrs,
            Item::Type(i) => &i.attrs,
            Item::Use(i) => &i.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_test(attributes) {
            visit::visit_item(self, item);
        }
    }
    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.import(&item.tree, &mut vec![]);
    }
    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            self.0.named.insert(path.segments.iter().map(|s| plain(&s.ident)).collect());
        }
        visit::visit_path(self, path);
    }
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.tokens(call.tokens.clone());
    }
    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        if item.ident.is_none() {
            self.visit_path(&item.mac.path);
        }
        self.tokens(item.mac.tokens.clone());
    }
    /// serde takes paths as text: `#[serde(with = "crate::hexadecimal")]`.
    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        let syn::Meta::List(list) = &attribute.meta else { return };
        if !list.path.is_ident("serde") {
            return;
        }
        for token in list.tokens.clone() {
            let TokenTree::Literal(literal) = token else { continue };
            let text = literal.to_string();
            if let Ok(path) = syn::parse_str::<syn::Path>(text.trim_matches('"')) {
                let mut words: Words = path.segments.iter().map(|s| plain(&s.ident)).collect();
                // A function, or a module with one of that name.
                words.push("serialize".to_owned());
                self.named(&mut words);
            }
        }
    }
}
