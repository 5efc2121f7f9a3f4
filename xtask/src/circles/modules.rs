//! One crate as its files tell it: modules, what each defines, imports and names. Tests are left out.
//!
//! Names are followed as the compiler does, through imports, re-exports and globs, but by text: methods and what
//! a macro makes of its input are not seen, so an arrow can be missing and none is invented.

use super::names::{self, Names};
use crate::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A crate's modules; the first is its root.
#[derive(Default)]
pub struct Crate {
    /// Relative to the folder that was read from.
    pub files: Vec<PathBuf>,
    /// The file defines nothing: it only names modules and hands on what is in them.
    pub facades: BTreeSet<usize>,
    /// By file: the one that declares its module.
    declared_in: Vec<Option<usize>>,
    modules: Vec<Module>,
}

/// A module: a file, or a part of one.
#[derive(Default)]
struct Module {
    file: usize,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    /// What it defines, and in which file: an exported macro belongs to the root, wherever it stands.
    items: BTreeMap<String, usize>,
    names: Names,
}

/// What a path leads to.
#[derive(Clone, Copy, PartialEq)]
enum Found {
    Module(usize),
    /// In that file.
    Item(usize),
}

/// Modules and the names that they were asked for.
type Asked = BTreeSet<(usize, String)>;

impl Crate {
    /// Reads the crate whose root is the file `root`, below `top`.
    pub fn read(top: &Path, root: &Path) -> Result<Self> {
        let mut read = Self::default();
        let folder = root.parent().unwrap_or(top).to_path_buf();
        read.file(top, root, &folder, None)?;
        Ok(read)
    }

    /// Whether `file` holds the module `inner`, itself or through others.
    pub fn holds(&self, file: usize, inner: usize) -> bool {
        let mut above = self.declared_in[inner];
        while let Some(at) = above.filter(|at| *at != file) {
            above = self.declared_in[at];
        }
        above.is_some()
    }

    /// Whose names are whose: from a file to another, and what it takes from there.
    pub fn arrows(&self) -> BTreeMap<(usize, usize), BTreeSet<String>> {
        let mut arrows: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        for (at, module) in self.modules.iter().enumerate() {
            let imported = module.names.imports.values().flatten();
            for words in imported.chain(&module.names.named) {
                if let Some(Found::Item(file)) = self.find(at, words, &mut BTreeSet::new()) {
                    let name = words.last().cloned().unwrap_or_default();
                    if file != module.file {
                        arrows.entry((module.file, file)).or_default().insert(name);
                    }
                }
            }
        }
        arrows
    }

    fn file(&mut self, top: &Path, path: &Path, folder: &Path, parent: Option<usize>) -> Result<usize> {
        let failed = |e: &dyn std::fmt::Display| format!("failed to read {}: {e}", path.display());
        let text = std::fs::read_to_string(path).map_err(|e| failed(&e))?;
        let parsed = syn::parse_file(&text).map_err(|e| failed(&e))?;
        let file = self.files.len();
        self.files.push(path.strip_prefix(top).unwrap_or(path).to_path_buf());
        self.declared_in.push(parent.map(|module| self.modules[module].file));
        if names::only_hands_on(&parsed.items) {
            self.facades.insert(file);
        }
        self.module(top, path, folder, parent, file, &parsed.items)
    }

    fn module(
        &mut self,
        top: &Path,
        path: &Path,
        folder: &Path,
        parent: Option<usize>,
        file: usize,
        items: &[syn::Item],
    ) -> Result<usize> {
        let at = self.modules.len();
        self.modules.push(Module { file, parent, ..Module::default() });
        for item in items {
            if let Some(name) = names::exported_macro(item) {
                self.modules[0].items.insert(name, file);
            }
            if let Some(name) = names::defined(item) {
                self.modules[at].items.insert(name, file);
            }
            names::collect(item, &mut self.modules[at].names);
            let syn::Item::Mod(inner) = item else { continue };
            if names::is_test(&inner.attrs) {
                continue;
            }
            let name = names::plain(&inner.ident);
            let below = folder.join(&name);
            let child = match &inner.content {
                Some((_, items)) => self.module(top, path, &below, Some(at), file, items)?,
                None => {
                    let (path, below) = file_of(inner, path, folder, below)?;
                    self.file(top, &path, &below, Some(at))?
                }
            };
            self.modules[at].children.insert(name, child);
        }
        Ok(at)
    }

    /// What a path named in the module `at` leads to; nothing: to somewhere outside the crate.
    fn find(&self, at: usize, words: &[String], asked: &mut Asked) -> Option<Found> {
        let (first, mut rest) = words.split_first()?;
        let mut here = match first.as_str() {
            "crate" => Found::Module(0),
            "self" => Found::Module(at),
            "super" => Found::Module(self.modules[at].parent?),
            name => self.named(at, name, asked)?,
        };
        while let (Found::Module(module), Some((next, more))) = (here, rest.split_first()) {
            here = match next.as_str() {
                "super" => Found::Module(self.modules[module].parent?),
                "self" => here,
                name => match self.named(module, name, asked) {
                    Some(found) => found,
                    // Handed on from another crate.
                    None if self.modules[module].names.imports.contains_key(name) => return None,
                    // What is there and not defined by hand, a macro has made.
                    None => Found::Item(self.modules[module].file),
                },
            };
            rest = more;
        }
        Some(here)
    }

    /// What a name means in a module. Nobody is asked twice: imports can go in a ring.
    fn named(&self, at: usize, name: &str, asked: &mut Asked) -> Option<Found> {
        let module = &self.modules[at];
        if let Some(file) = module.items.get(name) {
            return Some(Found::Item(*file));
        }
        if let Some(child) = module.children.get(name) {
            return Some(Found::Module(*child));
        }
        if !asked.insert((at, name.to_owned())) {
            return None;
        }
        if let Some(imported) = module.names.imports.get(name) {
            // `use name;` beside a macro of that name, or the name of another crate.
            let mut others = imported.iter().filter(|words| words.len() > 1 || words[0] != name);
            return others.find_map(|words| self.find(at, words, asked));
        }
        module.names.globs.iter().find_map(|words| match self.find(at, words, asked) {
            Some(Found::Module(other)) if other != at => self.named(other, name, asked),
            _ => None,
        })
    }
}

/// Where `mod name;` is, and the folder of its own modules.
fn file_of(item: &syn::ItemMod, path: &Path, folder: &Path, below: PathBuf) -> Result<(PathBuf, PathBuf)> {
    if let Some(given) = names::given_path(&item.attrs) {
        let file = path.parent().unwrap_or(folder).join(given);
        let folder = file.parent().unwrap_or(folder).to_path_buf();
        return Ok((file, folder));
    }
    let (beside, inside) = (below.with_extension("rs"), below.join("mod.rs"));
    match [beside, inside].into_iter().find(|file| file.is_file()) {
        Some(file) => Ok((file, below)),
        None => Err(format!("mod {} of {} has no file", item.ident, path.display())),
    }
}
