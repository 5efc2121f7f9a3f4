//! The gateway knows no service by its name: what is special to one, that one declares (its model, its `RestRules`).
//! Part of `cargo xtask layers`: the gateway's code, its tests and comments aside, may not have the word.

use crate::{Result, services};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What must stay without the names.
const FOLDER: &str = "gateway/src";
/// The one wire protocol that is called as its one service is, and before what `::` it is meant: `Protocol::Ec2`.
const PROTOCOL: (&str, [&str; 3]) = ("ec2", ["Family", "Protocol", "kiln_protocol"]);

/// Fails naming each place that names a service.
pub fn run(root: &Path) -> Result<()> {
    let names = names(root)?;
    let mut found = vec![];
    let files = files(&root.join(FOLDER))?;
    for file in &files {
        let text = std::fs::read_to_string(file).map_err(|e| format!("failed to read {}: {e}", file.display()))?;
        let shown = file.strip_prefix(root).unwrap_or(file).display();
        found.extend(named(&text, &names)?.into_iter().map(|what| format!("  {shown}: {what}")));
    }
    if !found.is_empty() {
        let text = "a service is named where none should be known; let it declare what is special to it";
        return Err(format!("{text}:\n{}", found.join("\n")));
    }
    println!("{} files of {FOLDER} name none of {} words for services", files.len(), names.len());
    Ok(())
}

/// All that a service is called by, and the services of others that are known to speak one of our protocols.
fn names(root: &Path) -> Result<Vec<String>> {
    let mut names: Vec<String> = kiln_protocol::REST_XML.map(str::to_owned).to_vec();
    for service in services::all()? {
        let path = root.join(format!("services/{}/shapes/model.json", service.folder));
        let text = std::fs::read_to_string(&path).map_err(|e| format!("failed to read {}: {e}", path.display()))?;
        let model: Value =
            serde_json::from_str(&text).map_err(|e| format!("failed to read {}: {e}", path.display()))?;
        let facts = ["endpointPrefix", "signingName"].iter().filter_map(|fact| model["metadata"][fact].as_str());
        names.extend([&*service.folder, &*service.botocore].into_iter().chain(facts).map(str::to_owned));
    }
    names.sort();
    names.dedup();
    Ok(names)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e: std::io::Error| format!("failed to list {}: {e}", folder.display());
    let mut found = vec![];
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        match path.is_dir() {
            true => found.extend(files(&path)?),
            false if path.extension().is_some_and(|kind| kind == "rs") => found.push(path),
            false => {}
        }
    }
    found.sort();
    Ok(found)
}

/// The words and texts of the code that have one of the names in them.
fn named(code: &str, names: &[String]) -> Result<Vec<String>> {
    let mut found = vec![];
    let tokens: TokenStream = code.parse().map_err(|e| format!("failed to read the code: {e}"))?;
    walk(tokens, names, &mut found);
    Ok(found)
}

fn walk(tokens: TokenStream, names: &[String], found: &mut Vec<String>) {
    let mut tokens = tokens.into_iter().peekable();
    // The word before, and how many colons came since.
    let (mut before, mut colons) = (String::new(), 0);
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '#' => {
                tokens.next_if(|next| matches!(next, TokenTree::Punct(mark) if mark.as_char() == '!'));
                let Some(TokenTree::Group(attribute)) = tokens.next() else { continue };
                if is_test(attribute.stream()) {
                    // To the end of what it is said of.
                    tokens.find(|token| match token {
                        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                        other => matches!(other, TokenTree::Punct(mark) if mark.as_char() == ';'),
                    });
                }
            }
            TokenTree::Punct(mark) if mark.as_char() == ':' => {
                colons += 1;
                continue;
            }
            TokenTree::Punct(_) => {}
            TokenTree::Ident(word) => {
                let word = word.to_string();
                let (protocol, within) = PROTOCOL;
                let is_protocol = colons == 2 && within.contains(&&*before) && word.eq_ignore_ascii_case(protocol);
                if !is_protocol && has_name(&word, names) {
                    found.push(word.clone());
                }
                (before, colons) = (word, 0);
                continue;
            }
            TokenTree::Literal(text) => {
                let text = text.to_string();
                if has_name(&text, names) {
                    found.push(text);
                }
            }
            TokenTree::Group(group) => walk(group.stream(), names, found),
        }
        (before, colons) = (String::new(), 0);
    }
}

fn is_test(attribute: TokenStream) -> bool {
    let words: Vec<String> = words(&attribute.to_string());
    words.first().is_some_and(|word| word == "cfg") && words.get(1).is_some_and(|word| word == "test")
}

/// Whether a name is among the words of a text, one after the other.
fn has_name(text: &str, names: &[String]) -> bool {
    let said = words(text);
    let is = |word: &String, name: &String| word == name || word.strip_suffix('s') == Some(name.as_str());
    names
        .iter()
        .map(|name| words(name))
        .any(|name| said.windows(name.len()).any(|some| some.iter().zip(&name).all(|(word, name)| is(word, name))))
}

/// The words of `a_name`, `AName` or a text, in small letters.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut was_small) = (vec![String::new()], false);
    for c in text.chars() {
        if !c.is_alphanumeric() || (was_small && c.is_uppercase()) {
            words.push(String::new());
        }
        was_small = c.is_lowercase() || c.is_ascii_digit();
        if c.is_alphanumeric() {
            words.last_mut().expect("there is always one").extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(code: &str) -> Vec<String> {
        named(code, &["ec2", "s3", "route53", "big-query"].map(str::to_owned)).expect("code")
    }

    #[test]
    fn a_name_is_found_in_any_form() {
        assert_eq!(found("fn f() { answer(Family::S3) }"), ["S3"]);
        assert_eq!(found("use kiln_s3_shapes::ROUTES;"), ["kiln_s3_shapes"]);
        assert_eq!(found("fn in_s3s_words() {}"), ["in_s3s_words"]);
        assert_eq!(found("struct S3Rules; struct TheS3;"), ["S3Rules", "TheS3"]);
        assert_eq!(found(r#"const X: [&str; 2] = ["route53", "s3.amazonaws.com"];"#).len(), 2);
        assert_eq!(found(r#"fn f() { if a { b(&[("x", c::d("in S3's words"))]) } }"#), [r#""in S3's words""#]);
        assert_eq!(found(r#"f("big-query"); f("big query"); f("query")"#).len(), 2);
        assert_eq!(found("match x { Other::Ec2 => 1, Ec2 => 2 }"), ["Ec2", "Ec2"]);
    }

    #[test]
    fn protocols_tests_and_comments_may_have_it() {
        assert!(found("match x { Protocol::Ec2 => kiln_protocol::ec2::decode(y) }").is_empty());
        assert!(found("/// As S3 does.\nfn f() {} // and EC2").is_empty());
        assert!(found("//! S3.\n#[cfg(test)]\nmod tests { fn s3() {} }").is_empty());
        assert!(found("fn is3() { let s32 = \"ec2s3\"; }").is_empty());
        assert_eq!(found("#[cfg(test)] mod t { fn ec2() {} } #[cfg(not(test))] fn ec2() {}"), ["ec2"]);
    }
}
