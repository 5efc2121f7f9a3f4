//! Plain names for random ids, so that a story reads well and does not change with the seed.

use std::collections::BTreeMap;

/// Ids seen so far, numbered per kind in the order of their first appearance.
#[derive(Default)]
pub struct Names {
    given: BTreeMap<String, String>,
    counts: BTreeMap<String, usize>,
}

impl Names {
    /// The text with every random id replaced: `i-0f3a…` by `i-1`, a UUID by `uuid-1`, 16 bare
    /// hexadecimal digits by `id-1`.
    pub fn plain(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(is_word) {
            out.push_str(&rest[..start]);
            rest = &rest[start..];
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let word = &rest[..end];
            out.push_str(&self.word(word));
            rest = &rest[end..];
        }
        out.push_str(rest);
        out
    }

    fn word(&mut self, word: &str) -> String {
        let Some((before, kind, id)) = random_part(word) else { return word.to_owned() };
        let (given, counts) = (&mut self.given, &mut self.counts);
        let name = given.entry(id.to_owned()).or_insert_with(|| {
            let count = counts.entry(kind.to_owned()).or_default();
            *count += 1;
            format!("{kind}-{count}")
        });
        format!("{before}{name}")
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

/// What stands before the id, its kind and the id itself.
fn random_part(word: &str) -> Option<(&str, &str, &str)> {
    let parts: Vec<&str> = word.split('-').collect();
    let last = parts.last()?;
    if parts.len() >= 5 {
        let tail = &parts[parts.len() - 5..];
        let lengths: Vec<usize> = tail.iter().map(|p| p.len()).collect();
        if lengths == [8, 4, 4, 4, 12] && tail.iter().all(|p| is_hex(p)) {
            let at = word.len() - 36;
            return Some((&word[..at], "uuid", &word[at..]));
        }
    }
    let digits = last.chars().any(|c| c.is_ascii_digit());
    if parts.len() >= 2 && last.len() == 17 && is_hex(last) && digits {
        let kind = parts[parts.len() - 2];
        let at = word.len() - 18 - kind.len();
        return Some((&word[..at], kind, &word[at..]));
    }
    (parts.len() == 1 && last.len() == 16 && is_hex(last) && digits).then_some(("", "id", word))
}

fn is_hex(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_get_plain_names_in_the_order_of_their_appearance() {
        let mut names = Names::default();
        let text = "launch i-0123456789abcdef0 in subnet-0123456789abcdef1, then i-0123456789abcdef2";
        assert_eq!(names.plain(text), "launch i-1 in subnet-1, then i-2");
        assert_eq!(names.plain("\"i-0123456789abcdef2\" died."), "\"i-2\" died.");
        assert_eq!(
            names.plain("activity 01234567-89ab-4def-8123-456789abcdef: us-east-1a"),
            "activity uuid-1: us-east-1a"
        );
        assert_eq!(names.plain("targetgroup/web/0123456789abcdef"), "targetgroup/web/id-1");
        assert_eq!(names.plain("min 3, 2026-01-01T00:00:00Z, ü, a-b"), "min 3, 2026-01-01T00:00:00Z, ü, a-b");
    }
}
