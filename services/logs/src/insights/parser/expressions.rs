//! Expressions: what is worked out for an event, from the weakest operator to the strongest, and calls of functions and of
//! what is counted.

use super::*;

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Result<Expr> {
        self.binary(0)
    }

    pub(super) fn binary(&mut self, level: usize) -> Result<Expr> {
        const LEVELS: [&[(&str, Binary)]; 6] = [
            &[("or", Binary::Or)],
            &[("and", Binary::And)],
            &[],
            &[("+", Binary::Add), ("-", Binary::Subtract)],
            &[("*", Binary::Multiply), ("/", Binary::Divide), ("%", Binary::Remainder)],
            &[("^", Binary::Power)],
        ];
        if level == 2 {
            return self.negated();
        }
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        loop {
            let found = operators.iter().find(|(text, _)| self.sign(text) || self.word(text));
            let Some((_, operator)) = found else { return Ok(left) };
            let right = self.binary(level + 1)?;
            left = Expr::Binary(*operator, Box::new(left), Box::new(right));
            // A chain of them is as deep as it is long.
            self.operators += 1;
            if self.operators > OPERATORS {
                return Err(self.bad("the query has too many operators"));
            }
        }
    }

    pub(super) fn deeper<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == DEEPEST {
            return Err(self.bad("the expression is too deep"));
        }
        self.depth += 1;
        let done = work(self);
        self.depth -= 1;
        done
    }

    pub(super) fn negated(&mut self) -> Result<Expr> {
        match self.word("not") {
            true => self.deeper(|parser| Ok(Expr::Not(Box::new(parser.negated()?)))),
            false => self.comparison(),
        }
    }

    pub(super) fn comparison(&mut self) -> Result<Expr> {
        const COMPARED: [(&str, Binary); 7] = [
            ("==", Binary::Equal),
            ("!=", Binary::Different),
            ("<=", Binary::LessOrEqual),
            (">=", Binary::GreaterOrEqual),
            ("=", Binary::Equal),
            ("<", Binary::Less),
            (">", Binary::Greater),
        ];
        let left = self.binary(3)?;
        if self.sign("=~") {
            return self.like(left);
        }
        if let Some((_, operator)) = COMPARED.iter().find(|(text, _)| self.sign(text)) {
            let right = self.binary(3)?;
            return Ok(Expr::Binary(*operator, Box::new(left), Box::new(right)));
        }
        let not = matches!(self.tokens.get(self.at + 1), Some((Token::Word(next), _)) if is(next, "like") || is(next, "in"))
            && self.word("not");
        let found = if self.word("like") {
            self.like(left)?
        } else if self.word("in") {
            self.expect("[")?;
            let mut all = vec![self.expression()?];
            while self.sign(",") {
                all.push(self.expression()?);
            }
            self.expect("]")?;
            Expr::In(Box::new(left), all)
        } else {
            return Ok(left);
        };
        Ok(if not { Expr::Not(Box::new(found)) } else { found })
    }

    pub(super) fn like(&mut self, left: Expr) -> Result<Expr> {
        let place = self.place();
        if let Some(Token::Regex(text)) = self.peek().cloned() {
            self.at += 1;
            let regex = expression(&text).map_err(|text| BadQuery::at(place, text))?;
            return Ok(Expr::Matches(Box::new(left), regex));
        }
        let right = self.binary(3)?;
        Ok(Expr::Contains(Box::new(left), Box::new(right)))
    }

    pub(super) fn unary(&mut self) -> Result<Expr> {
        match self.sign("-") {
            true => self.deeper(|parser| Ok(Expr::Minus(Box::new(parser.unary()?)))),
            false => self.deeper(Self::primary),
        }
    }

    pub(super) fn primary(&mut self) -> Result<Expr> {
        if self.sign("(") {
            let within = self.expression()?;
            self.expect(")")?;
            return Ok(within);
        }
        let place = self.place();
        let open = matches!(self.tokens.get(self.at + 1), Some((Token::Sign("("), _)));
        match self.next() {
            Some(Token::Number(number)) => Ok(Expr::Literal(Value::Number(number))),
            Some(Token::Text(text)) => Ok(Expr::Literal(Value::text(text))),
            Some(Token::Word(name)) if open => {
                self.at += 1;
                self.call(&name, place)
            }
            Some(Token::Word(name)) if is(&name, "true") || is(&name, "false") => {
                Ok(Expr::Literal(Value::Truth(is(&name, "true"))))
            }
            Some(Token::Word(name)) if is(&name, "null") => Ok(Expr::Literal(Value::Null)),
            Some(Token::Word(name) | Token::Quoted(name)) => Ok(Expr::Field(self.field(&name))),
            _ => Err(BadQuery::at(place, "expected an expression")),
        }
    }

    /// Behind the name and the parenthesis.
    pub(super) fn call(&mut self, name: &str, place: Range<usize>) -> Result<Expr> {
        let lower = name.to_ascii_lowercase();
        if matches!(lower.as_str(), "bin" | "datefloor" | "dateceil") {
            let of = match lower.as_str() {
                "bin" => Expr::Field(self.field("@timestamp")),
                _ => {
                    let of = self.expression()?;
                    self.expect(",")?;
                    of
                }
            };
            let at = self.place();
            let period = match self.next() {
                Some(Token::Period(count, unit)) => Period::of(count, &unit),
                _ => None,
            };
            let period = period.ok_or_else(|| BadQuery::at(at, "expected a period, such as 5m"))?;
            self.expect(")")?;
            return Ok(match lower.as_str() {
                "dateceil" => Expr::Ceil(Box::new(of), period),
                _ => Expr::Floor(Box::new(of), period),
            });
        }
        if let Some(kind) = kind(&lower) {
            return self.aggregate(kind, place);
        }
        let Some((function, least, most)) = Function::named(name) else {
            return Err(BadQuery::at(place, format!("unknown function {name}")));
        };
        let mut given = vec![];
        if !self.sign(")") {
            loop {
                given.push(self.expression()?);
                if !self.sign(",") {
                    break;
                }
            }
            self.expect(")")?;
        }
        match (least..=most).contains(&given.len()) {
            true => Ok(Expr::Call(function, given)),
            false => Err(BadQuery::at(place, format!("{name} takes {least} to {most} arguments"))),
        }
    }

    pub(super) fn aggregate(&mut self, kind: Kind, place: Range<usize>) -> Result<Expr> {
        let Some(outside) = self.aggregates.take() else {
            return Err(BadQuery::at(place, "an aggregate stands in stats, and not within another"));
        };
        let mut kind = kind;
        let of = match kind {
            Kind::Count if self.sign("*") => Expr::Literal(Value::Null),
            Kind::Count if matches!(self.peek(), Some(Token::Sign(")"))) => Expr::Literal(Value::Null),
            _ => self.expression()?,
        };
        if kind == Kind::Count && matches!(of, Expr::Literal(Value::Null)) {
            kind = Kind::CountAll;
        }
        if let Kind::Pct(_) = kind {
            self.expect(",")?;
            let at = self.place();
            kind = match self.next() {
                Some(Token::Number(percent)) if (0.0..=100.0).contains(&percent) => Kind::Pct(percent),
                _ => return Err(BadQuery::at(at, "a percentile is a number from 0 to 100")),
            };
        }
        self.expect(")")?;
        let aggregates = self.aggregates.insert(outside);
        aggregates.push(Aggregate { kind, of });
        Ok(Expr::Aggregated(aggregates.len() - 1))
    }
}
