//! Regular expressions from outside, in this engine's dialect.
//!
//! Those of parameters are Java's, those of schemas are ECMAScript's. Both have look-around and mean ASCII by `\d` and
//! `\w`. They run on `fancy-regex`: what needs no look-around is matched in linear time, the rest within a bounded
//! number of steps; what a pattern may become when it is compiled is bounded too. Turned down: a backtracking engine
//! without a limit (a pattern and a value of the caller's would decide how long it runs).

use fancy_regex::{Regex, RegexBuilder};

/// The longest pattern.
const MAX_PATTERN: usize = 4096;
/// Steps that one match may take back.
const MAX_STEPS: usize = 200_000;
/// What a compiled pattern may take, in bytes: `.{1,4096}` takes six million.
const MAX_SIZE: usize = 32 << 20;
/// A pattern with look-around is compiled in pieces, one more than it has of them; what each may take.
const MAX_PIECE: usize = 8 << 20;
/// The most look-arounds: 17 pieces × 8 MiB = 136 MiB.
const MAX_LOOKS: usize = 16;

/// Whose syntax a pattern is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    /// `[` and `&&` within a class have a meaning; `\Q…\E`, `\p{Alpha}`.
    Java,
    /// `[` and `&&` within a class are plain characters.
    Ecma,
}

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

/// A value took more steps than one may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManySteps;

impl Pattern {
    /// A pattern of Java's that the whole text must match (`AllowedPattern`); `Err` says why it is none.
    pub fn java(pattern: &str) -> Result<Self, String> {
        compile(&format!(r"\A(?:{})\z", translate(pattern, Dialect::Java)?), pattern)
    }

    /// A pattern of Java's, to be found anywhere in the text.
    pub fn java_within(pattern: &str) -> Result<Self, String> {
        compile(&translate(pattern, Dialect::Java)?, pattern)
    }

    /// A pattern of a schema, to be found anywhere in the text.
    pub fn ecma(pattern: &str) -> Result<Self, String> {
        compile(&translate(pattern, Dialect::Ecma)?, pattern)
    }

    /// Does the text match?
    pub fn is_match(&self, text: &str) -> Result<bool, TooManySteps> {
        self.0.is_match(text).map_err(|_| TooManySteps)
    }
}

fn compile(translated: &str, pattern: &str) -> Result<Pattern, String> {
    if pattern.len() > MAX_PATTERN {
        return Err(format!("it is longer than {MAX_PATTERN} characters"));
    }
    let looks = ["(?=", "(?!", "(?<=", "(?<!"].iter().map(|look| pattern.matches(look).count()).sum::<usize>();
    if looks > MAX_LOOKS {
        return Err(format!("it looks around more than {MAX_LOOKS} times"));
    }
    let size = if looks == 0 { MAX_SIZE } else { MAX_PIECE };
    let built = RegexBuilder::new(translated).backtrack_limit(MAX_STEPS).delegate_size_limit(size).build();
    built.map(Pattern).map_err(|error| {
        let text = error.to_string();
        text.lines().last().map(|line| line.trim().trim_start_matches("error: ").to_owned()).unwrap_or(text)
    })
}

/// The characters of a class that both dialects spell with one letter; ASCII only.
fn letter(c: char) -> Option<&'static str> {
    Some(match c {
        'd' | 'D' => "0-9",
        'w' | 'W' => "a-zA-Z0-9_",
        's' | 'S' => r" \t\n\x0B\f\r",
        'h' | 'H' => r" \t\x{A0}\x{1680}\x{180E}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}",
        _ => return None,
    })
}

/// Java's POSIX classes, which `\p` names.
fn posix(name: &str) -> Option<&'static str> {
    Some(match name {
        "Lower" => "a-z",
        "Upper" => "A-Z",
        "ASCII" => r"\x00-\x7F",
        "Alpha" => "a-zA-Z",
        "Digit" => "0-9",
        "Alnum" => "a-zA-Z0-9",
        "Punct" => r"!-/:-@\[-`{-~",
        "Graph" => "!-~",
        "Print" => " -~",
        "Blank" => r" \t",
        "Cntrl" => r"\x00-\x1F\x7F",
        "XDigit" => "0-9a-fA-F",
        "Space" => r" \t\n\x0B\f\r",
        _ => return None,
    })
}

struct Reader<'p> {
    rest: std::iter::Peekable<std::str::Chars<'p>>,
    dialect: Dialect,
    /// How many classes are open.
    depth: usize,
    out: String,
}

fn translate(pattern: &str, dialect: Dialect) -> Result<String, String> {
    let out = String::with_capacity(pattern.len() + 16);
    let mut reader = Reader { rest: pattern.chars().peekable(), dialect, depth: 0, out };
    while let Some(c) = reader.rest.next() {
        match c {
            '\\' => reader.escape()?,
            '[' if reader.depth == 0 || dialect == Dialect::Java => reader.open(),
            ']' if reader.depth > 0 => {
                reader.depth -= 1;
                reader.out.push(c);
            }
            '[' | '&' if reader.depth > 0 && dialect == Dialect::Ecma => reader.plain(c),
            '~' if reader.depth > 0 => reader.plain(c),
            '{' if reader.depth == 0 => reader.repetition()?,
            _ => reader.out.push(c),
        }
    }
    Ok(reader.out)
}

impl Reader<'_> {
    /// A character that stands for itself.
    fn plain(&mut self, c: char) {
        if c.is_ascii_punctuation() && !matches!(c, '<' | '>') {
            self.out.push('\\');
        }
        self.out.push(c);
    }

    /// A class begins; a bracket right after the opening (or its ^) is a plain character.
    fn open(&mut self) {
        self.depth += 1;
        self.out.push('[');
        if self.rest.peek() == Some(&'^') {
            self.out.extend(self.rest.next());
        }
        // In ECMAScript `[]` is empty and never matches; nobody writes it.
        if let Some(c @ (']' | ':')) = self.rest.peek().copied() {
            self.rest.next();
            self.plain(c);
        }
    }

    /// `{n}`, `{n,}`, `{n,m}`. What else begins with a brace is an error in Java and a plain brace in ECMAScript.
    fn repetition(&mut self) -> Result<(), String> {
        let ahead: String = self.rest.clone().take_while(|c| *c != '}').take(24).collect();
        let number = |text: &str| text.parse::<u32>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
        let fits = match ahead.split_once(',') {
            None => number(&ahead).is_some(),
            Some((least, "")) => number(least).is_some(),
            Some((least, most)) => number(least).zip(number(most)).is_some_and(|(least, most)| least <= most),
        };
        match (fits, self.dialect) {
            (true, _) => self.out.push('{'),
            (false, Dialect::Ecma) => self.plain('{'),
            (false, Dialect::Java) => return Err(format!("{{{ahead} is no repetition")),
        }
        Ok(())
    }

    /// The characters of a class, or all others.
    fn class(&mut self, characters: &str, others: bool) {
        match (self.depth > 0, others) {
            (true, false) => self.out.push_str(characters),
            (_, true) => self.out.push_str(&format!("[^{characters}]")),
            (false, false) => self.out.push_str(&format!("[{characters}]")),
        }
    }

    fn escape(&mut self) -> Result<(), String> {
        let c = self.rest.next().ok_or("it ends with a backslash")?;
        let java = self.dialect == Dialect::Java;
        match c {
            'd' | 'D' | 'w' | 'W' | 's' | 'S' => self.class(letter(c).unwrap_or_default(), c.is_ascii_uppercase()),
            'h' | 'H' if java => self.class(letter(c).unwrap_or_default(), c.is_ascii_uppercase()),
            'v' | 'V' if java => self.class(r"\n\x0B\f\r\x{85}\x{2028}\x{2029}", c == 'V'),
            'R' if java => self.out.push_str(r"(?:\r\n|[\n\x0B\f\r\x{85}\x{2028}\x{2029}])"),
            // In ECMAScript it is a plain Z; but services match their schemas' patterns with Java's, and mean the end.
            'Z' => self.out.push_str(r"(?=\n?\z)"),
            'Q' if java => self.quoted(),
            'E' if java => {}
            'e' if java => self.out.push_str(r"\x1B"),
            'c' => {
                let c = self.rest.next().filter(char::is_ascii).ok_or(r"\c needs a letter")?;
                self.out.push_str(&format!(r"\x{{{:X}}}", u32::from(c) ^ 64));
            }
            'u' => self.unicode()?,
            '0' if java => {
                let mut value = 0;
                for _ in 0..3 {
                    let Some(digit) = self.rest.peek().and_then(|c| c.to_digit(8)).filter(|d| value * 8 + d < 256)
                    else {
                        break;
                    };
                    value = value * 8 + digit;
                    self.rest.next();
                }
                self.out.push_str(&format!(r"\x{{{value:X}}}"));
            }
            'p' | 'P' => self.property(c == 'P')?,
            c if !c.is_ascii_alphanumeric() => self.plain(c),
            c => {
                self.out.push('\\');
                self.out.push(c);
            }
        }
        Ok(())
    }

    /// `\Q…\E`: everything between stands for itself.
    fn quoted(&mut self) {
        while let Some(c) = self.rest.next() {
            if c == '\\' && self.rest.peek() == Some(&'E') {
                self.rest.next();
                return;
            }
            self.plain(c);
        }
    }

    /// `\uXXXX`, or two of them for a character beyond the first 2^16.
    fn unicode(&mut self) -> Result<(), String> {
        let first = self.four()?;
        let value = match (first, self.rest.clone().take(2).collect::<String>().as_str()) {
            (0xd800..0xdc00, r"\u") => {
                self.rest.nth(1);
                let second = self.four()?;
                0x10000 + ((first - 0xd800) << 10) + (second.saturating_sub(0xdc00) & 0x3ff)
            }
            _ => first,
        };
        // Half a pair stands for nothing that a text can hold; as the end of a range it bounds what can be.
        let value = if (0xd800..0xe000).contains(&value) { 0xd7ff } else { value };
        self.out.push_str(&format!(r"\x{{{value:X}}}"));
        Ok(())
    }

    fn four(&mut self) -> Result<u32, String> {
        let digits: String = self.rest.by_ref().take(4).collect();
        u32::from_str_radix(&digits, 16).map_err(|_| format!(r"\u{digits} is no character"))
    }

    fn property(&mut self, others: bool) -> Result<(), String> {
        let name: String = match self.rest.next() {
            Some('{') => self.rest.by_ref().take_while(|c| *c != '}').collect(),
            Some(c) => c.to_string(),
            None => return Err(r"\p needs a name".to_owned()),
        };
        if let Some(characters) = posix(&name).filter(|_| self.dialect == Dialect::Java) {
            self.class(characters, others);
            return Ok(());
        }
        let name = name.strip_prefix("Is").unwrap_or(&name);
        self.out.push_str(&format!(r"\{}{{{name}}}", if others { 'P' } else { 'p' }));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Pattern, TooManySteps};

    fn java(pattern: &str, text: &str) -> bool {
        let compiled = Pattern::java(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        compiled.is_match(text).unwrap_or_else(|_| panic!("{pattern} takes too long"))
    }

    #[test]
    fn javas_patterns_mean_what_they_mean_in_java() {
        for (pattern, matches, others) in [
            (r"\d+", "0123", "\u{661}"),
            (r"\w+", "a_Z9", "\u{e9}"),
            (r"[\w.-]+", "a.b-c", "\u{df}"),
            (r"[^\d]+", "abc\u{661}", "a1"),
            (r"[\D]+", "abc", "1"),
            (r"\W\S\s", "-x ", "axx"),
            (r"(?=.*[A-Z])(?=.*\d).{8,}", "Passw0rdX", "password1"),
            (r"(?!.*admin).*", "user", "an-admin"),
            (r"(?<!x)y", "y", "xy"),
            (r"[\x20-\x7E]{1,1024}", "any text", "\u{e9}"),
            (r".{1,4096}", "\u{1f600}", ""),
            (r"[a-z&&[^aeiou]]+", "xyz", "abc"),
            (r"[a-c[x-z]]+", "abxz", "m"),
            (r"\p{Alpha}\p{Punct}", "a!", "\u{e9}!"),
            (r"\p{Lu}\p{IsLatin}", "\u{c9}\u{e9}", "\u{e9}\u{e9}"),
            (r"\Qa.b*\E+", "a.b**", "aXb*"),
            (r"\/\-\_\@\:\<\>\ ", "/-_@:<> ", "x"),
            (r"(?i)abc", "aBC", "abd"),
            (r"a++b", "aab", "b"),
            (r"(a)\1", "aa", "ab"),
            (r"\u0041\x42\0103", "ABC", "ABD"),
            (r"a|ab", "ab", "abc"),
            ("^a$", "a", "a\n"),
        ] {
            assert!(java(pattern, matches), "{pattern} matches {matches:?}");
            assert!(!java(pattern, others), "{pattern} does not match {others:?}");
        }
        for wrong in ["(", "[a", r"\", "a{2,1}", "*a", r"\p{Nobody}", &"(?=a)".repeat(17), &"a".repeat(5000)] {
            assert!(Pattern::java(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn time_and_room_are_bounded() {
        let slow = Pattern::java(r"(?:(?=a)a+)+b").expect("compiles");
        assert_eq!(slow.is_match(&"a".repeat(4096)), Err(TooManySteps));
        // Without look-around there is nothing to take back.
        assert!(!java(r"(a+)+b", &"a".repeat(4096)));
        assert!(Pattern::java(r"((\p{L}{1,1000}){1,1000}){1,1000}").is_err());
    }

    #[test]
    fn brackets_and_ampersands_in_a_class_of_a_schema_are_plain() {
        let pattern = Pattern::ecma(r"^[a-z[\]&&~~]+$").expect("compiles");
        assert_eq!((pattern.is_match("a[b]&~"), pattern.is_match("A")), (Ok(true), Ok(false)));
        for (pattern, matches) in [
            (r"^arn:[a-z0-9-]+:kms:[a-z0-9-]+:\d{12}:(key|alias)/.+\Z", "arn:aws:kms:us-east-1:000000000000:key/1a-b"),
            (r"^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@\/-]+$", "arn:aws:iam::000000000000:role/base-Teller-1A2B"),
        ] {
            assert_eq!(Pattern::ecma(pattern).expect("compiles").is_match(matches), Ok(true), "{pattern}");
        }
        let pattern = Pattern::ecma("^(?!aws:)[a-z:]*$").expect("compiles");
        assert_eq!((pattern.is_match("my:x"), pattern.is_match("aws:x")), (Ok(true), Ok(false)));
    }
}
