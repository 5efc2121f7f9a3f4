//! The rules of composite alarms: `ALARM("a") AND NOT (OK(b) OR INSUFFICIENT_DATA("c"))`. Source: the API Reference,
//! PutCompositeAlarm: at most 100 alarms, 500 elements, 10,240 characters (the model's bound).

use crate::records::StateValue;

/// Brackets within each other.
const DEEPEST: usize = 50;
/// Elements, and different alarms.
const MOST: usize = 500;
pub const MOST_ALARMS: usize = 100;

/// What a rule says.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    Always(bool),
    /// Whether the alarm of that name is in that state.
    Is(StateValue, String),
    Not(Box<Rule>),
    All(Vec<Rule>),
    Any(Vec<Rule>),
}

impl Rule {
    /// Reads one; what is wrong in a few words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { rest: text, depth: 0, elements: 0 };
        let rule = parser.any()?;
        match parser.rest.trim_start() {
            "" => Ok(rule),
            rest => Err(format!("unexpected text at '{}'", rest.chars().take(20).collect::<String>())),
        }
    }

    /// Whether it holds; `state` knows the states of alarms, of one that is not there none.
    pub fn holds(&self, state: &impl Fn(&str) -> Option<StateValue>) -> bool {
        match self {
            Self::Always(holds) => *holds,
            Self::Is(value, name) => state(name) == Some(*value),
            Self::Not(rule) => !rule.holds(state),
            Self::All(rules) => rules.iter().all(|rule| rule.holds(state)),
            Self::Any(rules) => rules.iter().any(|rule| rule.holds(state)),
        }
    }

    /// The names of the alarms in it, in order, each once.
    pub fn alarms(&self) -> Vec<String> {
        let mut all = vec![];
        self.collect(&mut all);
        all.sort();
        all.dedup();
        all
    }

    fn collect(&self, all: &mut Vec<String>) {
        match self {
            Self::Always(_) => {}
            Self::Is(_, name) => all.push(name.clone()),
            Self::Not(rule) => rule.collect(all),
            Self::All(rules) | Self::Any(rules) => rules.iter().for_each(|rule| rule.collect(all)),
        }
    }
}

/// The name in a name or an ARN.
pub fn name_of(written: &str) -> &str {
    match written.starts_with("arn:") {
        true => written.split_once(":alarm:").map_or(written, |(_, name)| name),
        false => written,
    }
}

struct Parser<'t> {
    rest: &'t str,
    depth: usize,
    elements: usize,
}

impl<'t> Parser<'t> {
    fn word(&mut self, word: &str) -> bool {
        let rest = self.rest.trim_start();
        let Some(behind) =
            rest.get(..word.len()).filter(|start| start.eq_ignore_ascii_case(word)).map(|_| &rest[word.len()..])
        else {
            return false;
        };
        // A whole word.
        if word.chars().all(|c| c.is_ascii_alphabetic())
            && behind.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        {
            return false;
        }
        self.rest = behind;
        true
    }

    fn any(&mut self) -> Result<Rule, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("the rule is too deep".to_owned());
        }
        let mut rules = vec![self.all()?];
        while self.word("OR") {
            rules.push(self.all()?);
        }
        self.depth -= 1;
        Ok(if rules.len() == 1 { rules.swap_remove(0) } else { Rule::Any(rules) })
    }

    fn all(&mut self) -> Result<Rule, String> {
        let mut rules = vec![self.one()?];
        while self.word("AND") {
            rules.push(self.one()?);
        }
        Ok(if rules.len() == 1 { rules.swap_remove(0) } else { Rule::All(rules) })
    }

    fn one(&mut self) -> Result<Rule, String> {
        self.elements += 1;
        if self.elements > MOST {
            return Err(format!("the rule has more than {MOST} elements"));
        }
        if self.word("NOT") {
            self.depth += 1;
            if self.depth > DEEPEST {
                return Err("the rule is too deep".to_owned());
            }
            let rule = self.one()?;
            self.depth -= 1;
            return Ok(Rule::Not(Box::new(rule)));
        }
        if self.word("TRUE") {
            return Ok(Rule::Always(true));
        }
        if self.word("FALSE") {
            return Ok(Rule::Always(false));
        }
        for value in [StateValue::InsufficientData, StateValue::Alarm, StateValue::Ok] {
            let before = self.rest;
            if self.word(value.text()) {
                if self.word("(") {
                    return Ok(Rule::Is(value, self.name()?));
                }
                self.rest = before;
            }
        }
        if self.word("(") {
            let rule = self.any()?;
            return match self.word(")") {
                true => Ok(rule),
                false => Err("a bracket is not closed".to_owned()),
            };
        }
        let at: String = self.rest.trim_start().chars().take(20).collect();
        Err(format!("a function or an operator is expected at '{at}'"))
    }

    /// A name or ARN, in quotation marks or without, and the bracket behind it.
    fn name(&mut self) -> Result<String, String> {
        let rest = self.rest.trim_start();
        let (name, behind): (&'t str, &'t str) = match rest.strip_prefix('"') {
            Some(rest) => rest.split_once('"').ok_or("a name does not end")?,
            None => rest.find(')').map(|at| (rest[..at].trim(), &rest[at..])).ok_or("a bracket is not closed")?,
        };
        self.rest = behind;
        match self.word(")") && !name.is_empty() {
            true => Ok(name_of(name).to_owned()),
            false => Err("a function takes one name".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_hold_as_written() {
        let state = |name: &str| match name {
            "hot" => Some(StateValue::Alarm),
            "cold" => Some(StateValue::Ok),
            "new one" => Some(StateValue::InsufficientData),
            _ => None,
        };
        for (text, holds) in [
            ("TRUE", true),
            ("false", false),
            ("ALARM(hot)", true),
            ("ALARM(\"hot\") AND OK(cold)", true),
            ("ALARM(cold) OR INSUFFICIENT_DATA(\"new one\")", true),
            ("NOT ALARM(hot)", false),
            ("NOT (ALARM(cold) OR ALARM(gone))", true),
            ("ALARM(arn:aws:cloudwatch:us-east-1:123456789012:alarm:hot)", true),
            ("ALARM(cold) AND ALARM(hot) OR TRUE", true),
            ("(((OK( cold ))))", true),
            ("not not alarm(hot)", true),
        ] {
            let rule = Rule::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(rule.holds(&state), holds, "{text}");
        }
        assert_eq!(Rule::parse("OK(b) AND (ALARM(a) OR NOT OK(b))").expect("one").alarms(), ["a", "b"]);
    }

    #[test]
    fn what_is_no_rule_is_told() {
        let (deep, nots, long) = ("(".repeat(900), "NOT ".repeat(900), vec!["TRUE"; 600].join(" AND "));
        for text in [
            "",
            "ALARM",
            "ALARM()",
            "ALARM(a",
            "(TRUE",
            "TRUE)",
            "TRUE AND",
            "a",
            "ALARM(a) ALARM(b)",
            "TRUEISH",
            &deep,
            &nots,
            &long,
        ] {
            assert!(Rule::parse(text).is_err(), "{text}");
        }
    }
}
