//! Texts in which a star stands for anything.

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wildcard {
    /// What is between the stars.
    parts: Vec<String>,
}

impl Wildcard {
    pub fn new(text: &str) -> Self {
        Self { parts: text.split('*').map(str::to_owned).collect() }
    }

    /// The first place of each part is as good as any later one, so nothing is tried twice.
    pub fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.parts.as_slice() else {
            return self.parts.first().is_some_and(|all| all == text);
        };
        let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
        for part in middle {
            match rest.find(part.as_str()) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last.as_str())
    }
}
