//! From the text of an expression to its tree. Bounded: the model bounds its length (2,048), this its depth and its
//! parts.

/// Brackets and functions within each other.
const DEEPEST: usize = 40;
/// Numbers, names and calls.
const MOST: usize = 1_000;

/// What an expression says.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    Number(f64),
    Text(String),
    /// The id of a query.
    Name(String),
    List(Vec<Expression>),
    Call(String, Vec<Expression>),
    Minus(Box<Expression>),
    Both(Operator, Box<Expression>, Box<Expression>),
}

/// Between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Plus,
    Minus,
    Times,
    By,
    Power,
}

impl Operator {
    /// Those that bind more are done first.
    fn binds(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal | Self::NotEqual => 3,
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual => 4,
            Self::Plus | Self::Minus => 5,
            Self::Times | Self::By => 6,
            Self::Power => 8,
        }
    }
}

/// How much a minus in front binds: more than `*`, less than `^`.
const MINUS: u8 = 7;

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Number(f64),
    Text(String),
    Word(String),
    Operator(Operator),
    Open,
    Close,
    OpenList,
    CloseList,
    Comma,
}

/// Reads an expression; what is wrong in a few words.
pub fn parse(text: &str) -> Result<Expression, String> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0 };
    let read = parser.expression(0)?;
    match parser.peek() {
        None => Ok(read),
        Some(_) => Err("something stands behind the end of the expression".to_owned()),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = vec![];
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        if tokens.len() > MOST {
            return Err("the expression has too many parts".to_owned());
        }
        let second = chars.get(at + 1);
        let two = |token, length| Some((Token::Operator(token), length));
        let operator = match (c, second) {
            ('|', Some('|')) => two(Operator::Or, 2),
            ('&', Some('&')) => two(Operator::And, 2),
            ('=', Some('=')) => two(Operator::Equal, 2),
            ('!', Some('=')) => two(Operator::NotEqual, 2),
            ('<', Some('=')) => two(Operator::LessOrEqual, 2),
            ('>', Some('=')) => two(Operator::GreaterOrEqual, 2),
            ('<', _) => two(Operator::Less, 1),
            ('>', _) => two(Operator::Greater, 1),
            ('+', _) => two(Operator::Plus, 1),
            ('-', _) => two(Operator::Minus, 1),
            ('*', _) => two(Operator::Times, 1),
            ('/', _) => two(Operator::By, 1),
            ('^', _) => two(Operator::Power, 1),
            ('(', _) => Some((Token::Open, 1)),
            (')', _) => Some((Token::Close, 1)),
            ('[', _) => Some((Token::OpenList, 1)),
            (']', _) => Some((Token::CloseList, 1)),
            (',', _) => Some((Token::Comma, 1)),
            _ => None,
        };
        if let Some((token, length)) = operator {
            tokens.push(token);
            at += length;
        } else if c.is_whitespace() {
            at += 1;
        } else if c == '\'' || c == '"' {
            let end = chars[at + 1..].iter().position(|other| *other == c).ok_or("a text does not end")?;
            tokens.push(Token::Text(chars[at + 1..at + 1 + end].iter().collect()));
            at += end + 2;
        } else if c.is_ascii_digit() || c == '.' {
            let begin = at;
            while chars.get(at).is_some_and(|c| c.is_ascii_digit() || *c == '.') {
                at += 1;
            }
            // 1e9, 1E-3
            if chars.get(at).is_some_and(|c| matches!(c, 'e' | 'E')) {
                let sign = usize::from(chars.get(at + 1).is_some_and(|c| matches!(c, '+' | '-')));
                if chars.get(at + 1 + sign).is_some_and(char::is_ascii_digit) {
                    at += 1 + sign;
                    while chars.get(at).is_some_and(char::is_ascii_digit) {
                        at += 1;
                    }
                }
            }
            let number: String = chars[begin..at].iter().collect();
            tokens.push(Token::Number(number.parse().map_err(|_| format!("{number} is no number"))?));
        } else if c.is_ascii_alphabetic() || c == '_' {
            let begin = at;
            while chars.get(at).is_some_and(|c| c.is_ascii_alphanumeric() || *c == '_') {
                at += 1;
            }
            let word: String = chars[begin..at].iter().collect();
            tokens.push(match word.as_str() {
                "AND" => Token::Operator(Operator::And),
                "OR" => Token::Operator(Operator::Or),
                _ => Token::Word(word),
            });
        } else {
            return Err(format!("{c} is not expected"));
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
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn take(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        self.next += usize::from(found);
        found
    }

    fn expression(&mut self, least: u8) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("the expression is too deep".to_owned());
        }
        let mut read = self.first()?;
        while let Some(Token::Operator(operator)) = self.peek() {
            let operator = *operator;
            if operator.binds() < least {
                break;
            }
            self.next += 1;
            // All but `^` from the left.
            let right = self.expression(operator.binds() + u8::from(operator != Operator::Power))?;
            read = Expression::Both(operator, Box::new(read), Box::new(right));
        }
        self.depth -= 1;
        Ok(read)
    }

    fn first(&mut self) -> Result<Expression, String> {
        let token = self.peek().cloned().ok_or("the expression ends early")?;
        self.next += 1;
        match token {
            Token::Number(number) => Ok(Expression::Number(number)),
            Token::Text(text) => Ok(Expression::Text(text)),
            Token::Operator(Operator::Minus) => Ok(Expression::Minus(Box::new(self.expression(MINUS)?))),
            Token::Operator(Operator::Plus) => self.expression(MINUS),
            Token::Open => {
                let inner = self.expression(0)?;
                match self.take(&Token::Close) {
                    true => Ok(inner),
                    false => Err("a bracket is not closed".to_owned()),
                }
            }
            Token::OpenList => Ok(Expression::List(self.list(&Token::CloseList)?)),
            Token::Word(word) => match self.take(&Token::Open) {
                true => Ok(Expression::Call(word, self.list(&Token::Close)?)),
                false => Ok(Expression::Name(word)),
            },
            _ => Err("a value is missing".to_owned()),
        }
    }

    fn list(&mut self, end: &Token) -> Result<Vec<Expression>, String> {
        let mut all = vec![];
        if self.take(end) {
            return Ok(all);
        }
        loop {
            all.push(self.expression(0)?);
            if self.take(end) {
                return Ok(all);
            }
            if !self.take(&Token::Comma) {
                return Err("a bracket is not closed".to_owned());
            }
        }
    }
}

impl Expression {
    /// The ids of queries that it names.
    pub fn names<'e>(&'e self, all: &mut Vec<&'e str>) {
        match self {
            Self::Name(name) => all.push(name),
            Self::List(parts) => parts.iter().for_each(|part| part.names(all)),
            // Its words are no ids: the order of SORT, how FILL fills.
            Self::Call(_, parts) => parts.iter().for_each(|part| part.names(all)),
            Self::Minus(part) => part.names(all),
            Self::Both(_, left, right) => [left, right].into_iter().for_each(|part| part.names(all)),
            Self::Number(_) | Self::Text(_) => {}
        }
    }

    /// The functions that it calls.
    pub fn calls<'e>(&'e self, all: &mut Vec<&'e str>) {
        match self {
            Self::Call(name, parts) => {
                all.push(name);
                parts.iter().for_each(|part| part.calls(all));
            }
            Self::List(parts) => parts.iter().for_each(|part| part.calls(all)),
            Self::Minus(part) => part.calls(all),
            Self::Both(_, left, right) => [left, right].into_iter().for_each(|part| part.calls(all)),
            Self::Number(_) | Self::Text(_) | Self::Name(_) => {}
        }
    }
}
