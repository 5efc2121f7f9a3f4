//! Boolean functions worked out, and the section `Rules`, whose assertions are made of them.

use super::Evaluator;
use crate::error::{At, Mark, Result};
use crate::expr::{Expr, ExprKind};
use crate::functions::{self, scalar_text};

impl Evaluator<'_> {
    /// The first assertion that does not hold is an error.
    pub(super) fn rules(&self) -> Result<()> {
        let root = At::root();
        let at = root.key("Rules", Mark::default());
        for (name, rule) in &self.template.rules {
            let at = at.key(name, Mark::default());
            if let Some(condition) = &rule.condition
                && !self.holds(condition, &at.key("RuleCondition", condition.mark))?
            {
                continue;
            }
            for (assert, description) in &rule.assertions {
                let at = at.key("Assertions", assert.mark);
                if !self.holds(assert, &at)? {
                    let why = description.clone().unwrap_or_else(|| format!("an assertion of rule {name} failed"));
                    return Err(at.error(format!("Template constraint error: {why} (rule {name})")));
                }
            }
        }
        Ok(())
    }

    /// A boolean function worked out.
    pub(super) fn holds(&self, expr: &Expr, at: &At<'_>) -> Result<bool> {
        match &expr.kind {
            ExprKind::Condition(name) => self
                .conditions
                .get(name)
                .copied()
                .ok_or_else(|| at.error(format!("Template format error: Unresolved condition dependency {name}"))),
            ExprKind::Equals(a, b) => {
                let (a, b) = (self.value(a, at)?, self.value(b, at)?);
                match (a, b) {
                    (Some(a), Some(b)) => Ok(functions::equal(&a, &b)),
                    (a, b) => Ok(a.is_none() && b.is_none()),
                }
            }
            ExprKind::And(items) => self.count(items, at).map(|holding| holding == items.len()),
            ExprKind::Or(items) => self.count(items, at).map(|holding| holding > 0),
            ExprKind::Not(item) => self.holds(item, at).map(|holds| !holds),
            ExprKind::Contains(list, value) => {
                let list = self.list(list, at)?;
                let value = self.value(value, at)?;
                Ok(value.is_some_and(|value| list.iter().any(|item| functions::equal(item, &value))))
            }
            ExprKind::EachMemberEquals(list, value) => {
                let list = self.list(list, at)?;
                let value = self.value(value, at)?;
                Ok(value.is_some_and(|value| list.iter().all(|item| functions::equal(item, &value))))
            }
            ExprKind::EachMemberIn(list, of) => {
                let (list, of) = (self.list(list, at)?, self.list(of, at)?);
                Ok(list.iter().all(|item| of.iter().any(|other| functions::equal(item, other))))
            }
            _ => match self.value(expr, at)?.as_ref().and_then(scalar_text).as_deref() {
                Some("true") => Ok(true),
                Some("false") => Ok(false),
                _ => Err(at.error("Template error: a condition must be true or false")),
            },
        }
    }

    fn count(&self, items: &[Expr], at: &At<'_>) -> Result<usize> {
        let mut holding = 0;
        for item in items {
            holding += usize::from(self.holds(item, at)?);
        }
        Ok(holding)
    }
}
