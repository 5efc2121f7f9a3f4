//! Search expressions: `SEARCH('{shop,host} MetricName="Requests" web', 'Sum', 60)`. Source: the user guide, "CloudWatch
//! search expression syntax".
//!
//! A term without quotation marks stands for metrics that have its words, one behind the other, in a name or value, no
//! matter how they are written; names are cut into words at what is no letter or digit and where capitals begin. One in
//! quotation marks stands for a whole name or value.

use kiln_points::Metric;

/// Brackets within each other, and terms.
const DEEPEST: usize = 20;
const MOST: usize = 200;

/// What is searched for.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// The namespace and exactly these dimensions.
    pub schema: Option<(String, Vec<String>)>,
    terms: Term,
}

#[derive(Debug, Clone, PartialEq)]
enum Term {
    All(Vec<Term>),
    Any(Vec<Term>),
    Not(Box<Term>),
    Words { of: Option<String>, text: String, exact: bool },
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Open,
    Close,
    Equals,
    Text(String, bool),
}

impl Search {
    /// Reads one; what is wrong in a few words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (schema, rest) = match text.strip_prefix('{') {
            None => (None, text),
            Some(rest) => {
                let (inner, rest) = rest.split_once('}').ok_or("a schema does not end")?;
                let mut parts = inner.split(',').map(|part| part.trim().trim_matches('"').to_owned());
                let namespace = parts.next().filter(|name| !name.is_empty()).ok_or("a schema has no namespace")?;
                let mut dimensions: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
                dimensions.sort();
                (Some((namespace, dimensions)), rest)
            }
        };
        let tokens = tokens(rest)?;
        let mut parser = Parser { tokens, next: 0, depth: 0 };
        let terms = parser.any()?;
        match parser.next == parser.tokens.len() {
            true => Ok(Self { schema, terms }),
            false => Err("a bracket is closed that was not opened".to_owned()),
        }
    }

    /// Whether a metric is one that is searched for.
    pub fn finds(&self, metric: &Metric) -> bool {
        let fits = self.schema.as_ref().is_none_or(|(namespace, dimensions)| {
            metric.namespace == *namespace && metric.dimensions.iter().map(|(name, _)| name).eq(dimensions)
        });
        fits && self.terms.finds(metric)
    }
}

impl Term {
    fn finds(&self, metric: &Metric) -> bool {
        match self {
            Self::All(terms) => terms.iter().all(|term| term.finds(metric)),
            Self::Any(terms) => terms.iter().any(|term| term.finds(metric)),
            Self::Not(term) => !term.finds(metric),
            Self::Words { of, text, exact } => {
                let is = |known: &str| match exact {
                    true => known == text,
                    false => has_words(known, text),
                };
                let dimensions = metric.dimensions.iter();
                match of.as_deref() {
                    Some("Namespace") => is(&metric.namespace),
                    Some("MetricName") => is(&metric.name),
                    Some(of) => metric.dimensions.iter().any(|(name, value)| name == of && is(value)),
                    None => {
                        is(&metric.namespace)
                            || is(&metric.name)
                            || dimensions.clone().any(|(name, value)| is(name) || is(value))
                    }
                }
            }
        }
    }
}

fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![];
    let mut before: Option<char> = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if !c.is_alphanumeric() {
            before = None;
            continue;
        }
        let begins = match before {
            None => true,
            // `CPUUtilization` is two words: the last capital of several begins the next.
            Some(b) => {
                let next = chars.peek().is_some_and(|next| next.is_lowercase());
                (c.is_uppercase() && (b.is_lowercase() || (b.is_uppercase() && next)))
                    || (c.is_numeric() != b.is_numeric())
            }
        };
        if begins {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
        before = Some(c);
    }
    words
}

fn has_words(known: &str, wanted: &str) -> bool {
    let (known, wanted) = (words(known), words(wanted));
    !wanted.is_empty() && known.windows(wanted.len()).any(|some| some == wanted)
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let chars: Vec<char> = text.chars().collect();
    let (mut tokens, mut at) = (vec![], 0);
    while let Some(&c) = chars.get(at) {
        if tokens.len() > MOST {
            return Err("a search has too many terms".to_owned());
        }
        at += 1;
        match c {
            '(' => tokens.push(Token::Open),
            ')' => tokens.push(Token::Close),
            '=' => tokens.push(Token::Equals),
            '"' | '\'' => {
                let end = chars[at..].iter().position(|other| *other == c).ok_or("a text of a search does not end")?;
                tokens.push(Token::Text(chars[at..at + end].iter().collect(), true));
                at += end + 1;
            }
            c if c.is_whitespace() => {}
            _ => {
                let begin = at - 1;
                while chars.get(at).is_some_and(|c| !c.is_whitespace() && !matches!(c, '(' | ')' | '=' | '"')) {
                    at += 1;
                }
                tokens.push(Token::Text(chars[begin..at].iter().collect(), false));
            }
        }
    }
    Ok(tokens)
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Parser {
    fn word(&self, word: &str) -> bool {
        matches!(self.tokens.get(self.next), Some(Token::Text(text, false)) if text == word)
    }

    fn any(&mut self) -> Result<Term, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("a search is too deep".to_owned());
        }
        let mut all = vec![self.all()?];
        while self.word("OR") {
            self.next += 1;
            all.push(self.all()?);
        }
        self.depth -= 1;
        Ok(if all.len() == 1 { all.swap_remove(0) } else { Term::Any(all) })
    }

    fn all(&mut self) -> Result<Term, String> {
        let mut all = vec![];
        while self.next < self.tokens.len() && self.tokens[self.next] != Token::Close && !self.word("OR") {
            if self.word("AND") {
                self.next += 1;
                continue;
            }
            all.push(self.one()?);
        }
        Ok(Term::All(all))
    }

    fn one(&mut self) -> Result<Term, String> {
        if self.word("NOT") {
            self.next += 1;
            self.depth += 1;
            if self.depth > DEEPEST {
                return Err("a search is too deep".to_owned());
            }
            let term = self.one()?;
            self.depth -= 1;
            return Ok(Term::Not(Box::new(term)));
        }
        match self.tokens.get(self.next).cloned() {
            Some(Token::Open) => {
                self.next += 1;
                let inner = self.any()?;
                if self.tokens.get(self.next) != Some(&Token::Close) {
                    return Err("a bracket of a search is not closed".to_owned());
                }
                self.next += 1;
                Ok(inner)
            }
            Some(Token::Text(text, exact)) => {
                self.next += 1;
                if self.tokens.get(self.next) != Some(&Token::Equals) {
                    return Ok(Term::Words { of: None, text, exact });
                }
                self.next += 1;
                self.value(text)
            }
            _ => Err("a term of a search is missing".to_owned()),
        }
    }

    /// `name=value`, or `name=(value OR value)`.
    fn value(&mut self, of: String) -> Result<Term, String> {
        match self.tokens.get(self.next).cloned() {
            Some(Token::Text(text, exact)) => {
                self.next += 1;
                Ok(Term::Words { of: Some(of), text, exact })
            }
            Some(Token::Open) => {
                self.next += 1;
                let mut any = vec![];
                loop {
                    match self.tokens.get(self.next).cloned() {
                        Some(Token::Close) if !any.is_empty() => {
                            self.next += 1;
                            return Ok(Term::Any(any));
                        }
                        Some(Token::Text(word, false)) if word == "OR" && !any.is_empty() => self.next += 1,
                        Some(Token::Text(text, exact)) => {
                            self.next += 1;
                            any.push(Term::Words { of: Some(of.clone()), text, exact });
                        }
                        _ => return Err("values of a search do not end".to_owned()),
                    }
                }
            }
            _ => Err("a value of a search is missing".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_find_what_is_documented() {
        let metric = Metric {
            account: "1".into(),
            region: "r".into(),
            namespace: "AWS/EC2".into(),
            name: "CPUUtilization".into(),
            dimensions: vec![("InstanceId".into(), "i-0a1".into()), ("Stage".into(), "prod".into())],
        };
        for (text, finds) in [
            ("", true),
            ("{AWS/EC2,InstanceId,Stage}", true),
            ("{AWS/EC2,Stage, InstanceId} CPUUtilization", true),
            ("{AWS/EC2,InstanceId}", false),
            ("{\"AWS/EC2\",Stage,InstanceId} MetricName=\"CPUUtilization\"", true),
            ("MetricName=\"CPU\"", false),
            ("utilization", true),
            ("ec2", true),
            ("tilization", false),
            ("\"prod\" NOT test", true),
            ("NOT prod", false),
            ("test OR prod", true),
            ("test prod", false),
            ("Stage=(test OR \"prod\") AND (ec2 OR rds)", true),
            ("Stage=test", false),
        ] {
            let search = Search::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(search.finds(&metric), finds, "{text}");
        }
        let (deep, nots) = ("(".repeat(300), "NOT ".repeat(150));
        for text in ["{a", "{}", "(a", "a)", "a=", "\"a", "=", "a=(", "a=()", &deep, &nots] {
            assert!(Search::parse(text).is_err(), "{text}");
        }
    }
}
