//! The models' regular expressions, compiled once.
//!
//! They are Java's. What differs is translated: surrogate pairs in ranges, and `\d \w \s`, which
//! mean ASCII there. The engine is that of callers' own patterns (`docs/decisions/0010-patterns.md`):
//! it knows look-around, and a match takes a bounded number of steps. A test compiles every pattern
//! of the tables, so that none is left unchecked.

use fancy_regex::{Regex, RegexBuilder};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Compiled form of a pattern, `None` for one that cannot be. Keyed by the address of the static
/// text: cheaper than hashing the text, and the number of patterns is fixed.
type Compiled = HashMap<(usize, usize), Option<&'static Regex>>;

static COMPILED: LazyLock<RwLock<Compiled>> = LazyLock::new(RwLock::default);

/// Whether the whole text matches. One that takes too many steps does not.
pub(crate) fn matches(pattern: &'static str, text: &str) -> bool {
    compiled(pattern).is_none_or(|regex| regex.is_match(text).unwrap_or(false))
}

fn compiled(pattern: &'static str) -> Option<&'static Regex> {
    let key = (pattern.as_ptr() as usize, pattern.len());
    if let Some(known) = COMPILED.read().get(&key) {
        return *known;
    }
    let regex = compile(pattern).ok().map(|regex| &*Box::leak(Box::new(regex)));
    *COMPILED.write().entry(key).or_insert(regex)
}

/// Compiles a model's pattern; the error says why it cannot be checked.
pub fn compile(pattern: &str) -> Result<Regex, Box<fancy_regex::Error>> {
    /// A few patterns repeat a class thousands of times; 4 MiB holds all but absurd ones.
    const SIZE: usize = 4 << 20;
    /// As callers' own patterns may take.
    const STEPS: usize = 200_000;
    let whole = format!(r"\A(?:{})\z", translate(pattern));
    RegexBuilder::new(&whole).backtrack_limit(STEPS).delegate_size_limit(SIZE).build().map_err(Box::new)
}

/// Java's spelling to the `regex` crate's.
fn translate(pattern: &str) -> String {
    // All code points beyond the first 2^16, as Java's UTF-16 ranges spell them.
    let pattern = pattern
        .replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\x{10000}-\x{10FFFF}")
        .replace(r"\ud800\udc00-\udbff\udfff", r"\x{10000}-\x{10ffff}");
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('d') => out.push_str("[0-9]"),
            Some('D') => out.push_str("[^0-9]"),
            Some('w') => out.push_str("[0-9A-Za-z_]"),
            Some('W') => out.push_str("[^0-9A-Za-z_]"),
            Some('s') => out.push_str(r"[ \t\n\x0B\f\r]"),
            Some('S') => out.push_str(r"[^ \t\n\x0B\f\r]"),
            Some('Z') => out.push_str(r"\z"),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_text_must_match() {
        assert!(matches("[a-z]+", "abc"));
        assert!(!matches("[a-z]+", "abc1"));
        assert!(!matches("a|b", "ab"));
        assert!(!matches("[a-z]+", "abc\n"));
    }

    #[test]
    fn javas_spellings_mean_the_same() {
        let text = r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*";
        assert!(compile(text).is_ok());
        assert!(matches(text, "plain \u{1f600} text"));
        assert!(!matches(text, "\u{0}"));
        assert!(matches(r"\d{12}", "123456789012"));
        assert!(!matches(r"\d{3}", "\u{0661}\u{0662}\u{0663}"), "only ASCII digits");
        assert!(matches(r"[\w+=,.@-]+", "a.b@c"));
        assert!(matches(r"[\S\s]*", "any\nthing"));
    }

    #[test]
    fn look_around_is_checked() {
        assert!(matches("(?!aws:).*", "mine"));
        assert!(!matches("(?!aws:).*", "aws:x"));
        let alias = "^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$";
        assert!(matches(alias, "my-shop"));
        assert!(!matches(alias, "my--shop") && !matches(alias, "my-"));
    }

    #[test]
    fn a_match_ends() {
        // Each of the groups can end anywhere: without a bound it would be looked at in 2^40 ways.
        assert!(!matches("(?=a)(a|aa)+(?!c)b", &"a".repeat(60)));
    }
}
