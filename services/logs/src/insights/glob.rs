//! What `parse` takes out of a text: what stars of a glob stand for, or the named groups of an expression.

use regex::Regex;

#[derive(Debug, Clone)]
pub enum Extractor {
    /// What is between the stars.
    Glob(Vec<String>),
    /// And the numbers of its named groups.
    Regex(Regex, Vec<usize>),
}

impl Extractor {
    /// What is taken, piece by piece; whether there is anything. Nothing is taken of a text that does not fit whole.
    pub fn each<'t>(&self, text: &'t str, mut take: impl FnMut(usize, &'t str)) -> bool {
        match self {
            Self::Glob(parts) => glob(parts, text, &mut take),
            Self::Regex(regex, groups) => {
                let mut places = regex.capture_locations();
                if regex.captures_read(&mut places, text).is_none() {
                    return false;
                }
                for (n, group) in groups.iter().enumerate() {
                    if let Some((from, to)) = places.get(*group) {
                        take(n, &text[from..to]);
                    }
                }
                true
            }
        }
    }
}

/// A star stands for as little as may be; the last one, where nothing is behind it, for all the rest.
fn glob<'t>(parts: &[String], text: &'t str, take: &mut impl FnMut(usize, &'t str)) -> bool {
    let [first, rest @ ..] = parts else { return false };
    let Some(at) = text.find(first.as_str()) else { return false };
    let mut left = &text[at + first.len()..];
    let mut taken = Vec::with_capacity(rest.len());
    for (n, part) in rest.iter().enumerate() {
        let end = match part.is_empty() && n + 1 == rest.len() {
            true => left.len(),
            false => match left.find(part.as_str()) {
                Some(end) => end,
                None => return false,
            },
        };
        taken.push(&left[..end]);
        left = &left[end + part.len()..];
    }
    taken.into_iter().enumerate().for_each(|(n, piece)| take(n, piece));
    true
}
