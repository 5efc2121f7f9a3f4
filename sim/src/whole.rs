//! Lists that people write, held to what there is: what differs is named, with what to do about it.

/// Panics naming each that is there and not told of, and each that is told of (once too often) and not there.
#[track_caller]
pub fn whole<T: AsRef<str>, U: AsRef<str>>(
    told: impl IntoIterator<Item = T>,
    there: impl IntoIterator<Item = U>,
    to_do: &str,
) {
    let mut vain: Vec<T> = told.into_iter().collect();
    let mut missing = vec![];
    for name in there {
        match vain.iter().position(|told| told.as_ref() == name.as_ref()) {
            Some(at) => drop(vain.swap_remove(at)),
            None => missing.push(name.as_ref().to_owned()),
        }
    }
    let vain: Vec<&str> = vain.iter().map(AsRef::as_ref).collect();
    assert!(missing.is_empty() && vain.is_empty(), "{to_do}: missing {missing:?}, there in vain {vain:?}");
}

#[test]
fn what_is_missing_and_what_is_told_twice_is_named() {
    whole(["b", "a"], ["a", "b"], "nothing to do");
    for (told, named) in [(vec!["a"], r#"missing ["b"], there in vain []"#), (vec!["a", "b", "a"], r#"in vain ["a"]"#)]
    {
        let said = std::panic::catch_unwind(|| whole(told, ["a", "b"], "do it")).expect_err("it differs");
        let said = said.downcast_ref::<String>().expect("a message");
        assert!(said.starts_with("do it: ") && said.contains(named), "{said}");
    }
}
