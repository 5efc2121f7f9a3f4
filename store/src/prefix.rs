//! Where the ids that begin alike end, so that a reader of ranges can step over them.

/// The first text behind all that begin with `prefix`; none when nothing can come behind them.
pub fn past_prefix(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    // Texts are ordered as their characters are: the last one that has a next gets it.
    while let Some(last) = chars.pop() {
        if let Some(next) = (last..=char::MAX).nth(1) {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}
