//! Circles between the files of a crate: files that need each other cannot be read one after the other, and
//! mostly one of them hides a second subject. Part of `cargo xtask layers`.
//!
//! A file that only names modules and hands on what is in them (a facade) is no part of a circle: what goes
//! through it is followed to where it leads. A file that holds modules (`mod inner;`) may use what is in them and
//! they what is in it: that is what it holds them for. Between those beside each other, or anywhere else, no circle
//! is allowed.

mod known;
mod modules;
mod names;
#[cfg(test)]
mod tests;

use crate::Result;
use known::{KNOWN, Known};
use modules::Crate;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Files that need each other, and what each takes of which.
#[derive(Debug, PartialEq)]
pub struct Circle {
    files: Vec<String>,
    arrows: Vec<(String, String, Vec<String>)>,
}

impl std::fmt::Display for Circle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "  {}", self.files.join(" "))?;
        for (from, to, names) in &self.arrows {
            write!(f, "\n    {from} takes {} of {to}", names.join(", "))?;
        }
        Ok(())
    }
}

/// Fails naming every circle in the crates of `folders`, below `top`, that is not known, and every known one that
/// is not there.
pub fn check<'a>(top: &Path, folders: impl Iterator<Item = &'a Path>) -> Result<()> {
    let mut circles = vec![];
    for folder in folders {
        for root in ["src/lib.rs", "src/main.rs"] {
            let root = folder.join(root);
            if root.is_file() {
                circles.extend(find(&Crate::read(top, &root)?));
            }
        }
    }
    judge(&circles, KNOWN)
}

/// What is wrong with the circles there are, when `known` are to be there.
fn judge(circles: &[Circle], known: &[Known]) -> Result<()> {
    let new = circles.iter().filter(|circle| !known.iter().any(|known| fits(circle, known)));
    let new: Vec<String> = new.map(Circle::to_string).collect();
    if !new.is_empty() {
        let text = "files that need each other; move what both need into a file of its own";
        return Err(format!("{text}:\n{}", new.join("\n")));
    }
    let gone = known.iter().filter(|known| !circles.iter().any(|circle| fits(circle, known)));
    let gone: Vec<String> = gone.map(|(places, _)| format!("  {}", places.join(" "))).collect();
    if !gone.is_empty() {
        return Err(format!("known circles that are gone; take them from KNOWN:\n{}", gone.join("\n")));
    }
    println!("{} circles of files, all known", circles.len());
    Ok(())
}

/// Whether it is the known one: of these files and no others, or somewhere in these folders.
fn fits(circle: &Circle, (places, _): &Known) -> bool {
    if places.iter().all(|place| !place.ends_with('/')) {
        let files: BTreeSet<&str> = circle.files.iter().map(String::as_str).collect();
        return files == places.iter().copied().collect();
    }
    let is_at = |file: &String, place: &str| file == place || (place.ends_with('/') && file.starts_with(place));
    circle.files.iter().all(|file| places.iter().any(|place| is_at(file, place)))
}

/// All circles of a crate.
fn find(read: &Crate) -> Vec<Circle> {
    let mut arrows = read.arrows();
    let aside = |file: &usize| read.facades.contains(file);
    arrows.retain(|(from, to), _| !aside(from) && !aside(to) && !read.holds(*from, *to));
    let mut next: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (from, to) in arrows.keys() {
        next.entry(*from).or_default().insert(*to);
    }
    let reached: BTreeMap<usize, BTreeSet<usize>> = next.keys().map(|from| (*from, reach(&next, *from))).collect();
    let both = |a: usize, b: usize| {
        let leads = |a: usize, b: usize| reached.get(&a).is_some_and(|all| all.contains(&b));
        leads(a, b) && leads(b, a)
    };
    let mut seen = BTreeSet::new();
    let mut circles = vec![];
    for &file in next.keys() {
        if !both(file, file) || !seen.insert(file) {
            continue;
        }
        let inside: BTreeSet<usize> = next.keys().copied().filter(|other| both(file, *other)).collect();
        seen.extend(&inside);
        let name = |file: &usize| read.files[*file].display().to_string();
        let mut files: Vec<String> = inside.iter().map(name).collect();
        files.sort();
        let ties = arrows.iter().filter(|((from, to), _)| inside.contains(from) && inside.contains(to));
        let arrows = ties.map(|((from, to), names)| (name(from), name(to), names.iter().cloned().collect())).collect();
        circles.push(Circle { files, arrows });
    }
    circles
}

/// Where arrows lead from a file, one after the other.
fn reach(next: &BTreeMap<usize, BTreeSet<usize>>, from: usize) -> BTreeSet<usize> {
    let (mut open, mut seen) = (vec![from], BTreeSet::new());
    while let Some(at) = open.pop() {
        for to in next.get(&at).into_iter().flatten() {
            if seen.insert(*to) {
                open.push(*to);
            }
        }
    }
    seen
}
