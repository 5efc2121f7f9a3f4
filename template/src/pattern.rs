//! Regular expressions from outside, in this engine's dialect.
//!
//! Schemas and templates write them as Java and JavaScript do, where `[`, `&&` and `~~` inside a character class are
//! plain characters; here they would mean set operations. Look-around does not exist here at all.

use regex::Regex;

/// Compiles a pattern; `Err` says why not.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    regex::RegexBuilder::new(&translate(pattern)).size_limit(1 << 20).build().map_err(|error| {
        let text = error.to_string();
        text.lines().last().map(|line| line.trim().trim_start_matches("error: ").to_owned()).unwrap_or(text)
    })
}

fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut inside = false;
    let mut characters = pattern.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\\' => {
                out.push(c);
                out.extend(characters.next());
                continue;
            }
            '[' if !inside => {
                inside = true;
                out.push(c);
                // A bracket right after the opening (or its ^) is a plain character.
                if characters.peek() == Some(&'^') {
                    out.extend(characters.next());
                }
                continue;
            }
            ']' => inside = false,
            '[' | '&' | '~' if inside => out.push('\\'),
            _ => {}
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::compile;

    #[test]
    fn brackets_and_ampersands_in_a_class_are_plain() {
        let regex = compile(r"^[a-z[\]&&~~]+$").expect("compiles");
        assert!(regex.is_match("a[b]&~"));
        assert!(!regex.is_match("A"));
        assert!(compile("(?!a)b").is_err());
    }
}
