use super::modules::Crate;
use super::{Circle, find, judge};
use std::path::PathBuf;

/// A crate of these files in a folder of its own, gone at the end.
struct Made(PathBuf);

impl Made {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let folder = std::env::temp_dir().join(format!("kiln-circles-{}-{name}", std::process::id()));
        for (file, text) in files {
            let path = folder.join(file);
            std::fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("a folder can be made");
            std::fs::write(path, text).expect("a file can be written");
        }
        Self(folder)
    }

    fn circles(&self) -> Vec<Circle> {
        find(&Crate::read(&self.0, &self.0.join("lib.rs")).expect("the crate can be read"))
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn two_files_that_need_each_other_are_refused_by_name() {
    let made = Made::new(
        "two",
        &[
            ("lib.rs", "mod group;\nmod checks;\nmod apart;\npub use group::Group;\n"),
            (
                "group.rs",
                "use crate::checks::watch;\npub struct Group;\nimpl Group { pub fn go(&self) { watch(self) } }\n",
            ),
            ("checks.rs", "use super::group::{self, Group};\npub fn watch(g: &Group) { group::helper(g) }\n"),
            ("apart.rs", "pub fn uses() -> crate::Group { crate::Group }\n"),
        ],
    );
    let circles = made.circles();
    assert_eq!(circles.len(), 1, "{circles:?}");
    assert_eq!(circles[0].files, ["checks.rs", "group.rs"]);
    let text = judge(&circles, &[]).expect_err("it is new");
    assert!(text.contains("checks.rs takes Group, helper of group.rs"), "{text}");
    assert!(text.contains("group.rs takes watch of checks.rs"), "{text}");
}

#[test]
fn a_known_circle_is_let_be_and_must_go_from_the_list_when_it_is_gone() {
    let made = Made::new(
        "known",
        &[
            ("lib.rs", "mod a;\nmod b;\n"),
            ("a.rs", "pub struct A(crate::b::B);\n"),
            ("b.rs", "pub type B = Box<crate::a::A>;\n"),
        ],
    );
    assert_eq!(judge(&made.circles(), &[(&["a.rs", "b.rs"], "why")]), Ok(()));
    assert!(judge(&made.circles(), &[(&["a.rs", "c.rs"], "why")]).is_err(), "another circle");
    assert!(judge(&made.circles(), &[(&["elsewhere/"], "why")]).is_err(), "another folder");
    let gone = judge(&[], &[(&["a.rs", "b.rs"], "why")]).expect_err("it is gone");
    assert!(gone.contains("gone") && gone.contains("a.rs b.rs"), "{gone}");
}

#[test]
fn a_facade_is_looked_through_and_who_holds_a_module_may_use_it() {
    let rooms = "mod table;\nmod chair;\npub use chair::Chair;\npub use table::*;\n";
    let files = |chair| {
        let table = "pub struct Table(super::Chair);\n";
        [("lib.rs", "mod rooms;\n"), ("rooms/mod.rs", rooms), ("rooms/table.rs", table), ("rooms/chair.rs", chair)]
    };
    let down = Made::new("facade", &files("pub struct Chair;\n"));
    assert_eq!(down.circles(), []);
    let through = Made::new("through", &files("pub struct Chair(Vec<crate::rooms::Table>);\n"));
    assert_eq!(through.circles()[0].files, ["rooms/chair.rs", "rooms/table.rs"]);
    let lib = ("lib.rs", "mod plan;\nmod other;\n");
    let plan = ("plan.rs", "mod inner;\npub struct Step;\npub fn plan() -> Step { inner::plan() }\n");
    let inner = ("plan/inner.rs", "pub fn plan() -> super::Step { super::Step }\n");
    assert_eq!(Made::new("holds", &[lib, plan, inner, ("other.rs", "")]).circles(), []);
    // What is beside it and goes around by it is a circle.
    let around = "pub fn plan() -> super::Step { crate::other::step() }\n";
    let other = ("other.rs", "pub fn step() -> crate::plan::Step { crate::plan::plan() }\n");
    let plan = ("plan.rs", "mod inner;\npub use inner::plan;\npub struct Step;\n");
    let around = Made::new("around", &[lib, plan, ("plan/inner.rs", around), other]);
    assert_eq!(around.circles()[0].files, ["other.rs", "plan/inner.rs"]);
}

#[test]
fn macros_attributes_and_globs_are_read_and_tests_are_not() {
    let made = Made::new(
        "macros",
        &[
            ("lib.rs", "mod a;\nmod b;\nmod c;\nmod d;\nmod e;\nmod f;\n"),
            ("a.rs", "use crate::b;\npub fn a() -> String { format!(\"{}\", b::b()) }\n"),
            ("b.rs", "pub fn b() -> u8 { vec![1, crate::a::a().len() as u8][0] }\n"),
            ("c.rs", "pub struct C { #[serde(with = \"crate::d::hexadecimal\")] field: u8 }\n"),
            ("d.rs", "pub mod hexadecimal { pub fn serialize(c: crate::c::C) {} }\n"),
            ("e.rs", "use crate::f::*;\npub struct E(F);\n"),
            (
                "f.rs",
                "pub struct F;\n#[cfg(test)]\nmod tests { use crate::e::E; }\n#[cfg(test)]\nfn of_tests() -> crate::e::E { todo!() }\n",
            ),
        ],
    );
    let files: Vec<_> = made.circles().into_iter().map(|circle| circle.files).collect();
    assert_eq!(files, [["a.rs", "b.rs"], ["c.rs", "d.rs"]]);
}
