//! A query on its way through events.
//!
//! ```text
//! event ─► fields, filter, parse … ─► what gathers: stats, or the rows that come first ─► the rest, on what was gathered
//! ```
//! What is gathered is bounded in bytes, whatever the query: one that needs more fails.

use super::MOST_ROWS;
use super::aggregate::State;
use super::eval::{Row, Scene, Seen};
use super::query::{Expr, FieldId, Query, Step};
use super::value::Value;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

/// Bytes that a query may gather.
const MOST_BYTES: usize = 64 << 20;

/// A query gathers more than is kept for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the query gathers more than {MOST_BYTES} bytes")]
pub struct TooLarge;

/// Rows as they are answered: names of fields, and values.
pub type Rows = Vec<Vec<(String, String)>>;

pub struct Run<'q> {
    scene: Scene<'q>,
    /// Steps before the one that gathers.
    before: &'q [Step],
    gather: Gather<'q>,
    /// Steps behind it.
    rest: &'q [Step],
    limit: usize,
    /// Events that got as far as where they are gathered.
    pub matched: u64,
}

enum Gather<'q> {
    Stats { step: &'q Step, groups: Groups },
    First(First<'q>),
}

impl<'q> Run<'q> {
    /// `limit`: rows that are answered where the query says nothing of it.
    pub fn new(query: &'q Query, now: i64, limit: usize) -> Self {
        let gathers = |step: &Step| !matches!(step, Step::Fields(_) | Step::Filter(_) | Step::Parse { .. });
        let at = query.steps.iter().position(gathers).unwrap_or(query.steps.len());
        let (before, behind) = query.steps.split_at(at);
        let limit = limit.min(MOST_ROWS);
        let (gather, rest) = match behind {
            [step @ Step::Stats { .. }, rest @ ..] => (Gather::Stats { step, groups: Groups::default() }, rest),
            behind => {
                let (by, rest) = match behind {
                    [Step::Sort(by), rest @ ..] => (Some(by.as_slice()), rest),
                    rest => (None, rest),
                };
                let first = First::new(query, by, rest, limit);
                (Gather::First(first), rest)
            }
        };
        Self { scene: Scene { query, now }, before, gather, rest, limit, matched: 0 }
    }

    /// Takes in an event.
    pub fn event(&mut self, seen: Seen<'_>) -> Result<(), TooLarge> {
        let mut row = Row::of(seen, self.scene.query.fields.len());
        for step in self.before {
            if !self.scene.pass(step, &mut row) {
                return Ok(());
            }
        }
        self.matched += 1;
        match &mut self.gather {
            Gather::Stats { step, groups } => groups.add(self.scene, step, &row),
            Gather::First(first) => first.add(self.scene, &row),
        }
    }

    /// What it comes to.
    pub fn end(self) -> Result<Rows, TooLarge> {
        let query = self.scene.query;
        let mut rows = match self.gather {
            Gather::Stats { step, groups } => groups.end(self.scene, step),
            Gather::First(first) => first.end(),
        };
        for step in self.rest {
            rows = self.scene.apply(step, rows)?;
        }
        rows.truncate(self.limit.max(query.limited().unwrap_or(0)));
        let shown = |row: &Row<'static>| {
            let mut fields: Vec<(String, String)> = vec![];
            for shown in &query.shown {
                if let Some(text) = row.get(query, shown.field).as_text() {
                    fields.push((shown.name.clone(), text.into_owned()));
                }
            }
            if let Some(ptr) = query.ptr.filter(|_| !query.shown.iter().any(|shown| shown.name == "@ptr"))
                && let Some(text) = row.get(query, ptr).as_text()
            {
                fields.push(("@ptr".to_owned(), text.into_owned()));
            }
            fields
        };
        Ok(rows.iter().map(shown).collect())
    }
}

impl Query {
    /// How many rows it says that it wants at most.
    fn limited(&self) -> Option<usize> {
        let limit = |step: &Step| if let Step::Limit(most) = step { Some(*most) } else { None };
        self.steps.iter().filter_map(limit).next_back()
    }
}

impl Scene<'_> {
    /// Carries out a step that takes rows one by one; whether the row goes on.
    fn pass(&self, step: &Step, row: &mut Row<'_>) -> bool {
        match step {
            Step::Filter(condition) => self.eval(condition, row, &[]).is_true(),
            Step::Fields(made) => {
                for (field, expr) in made {
                    let value = self.eval(expr, row, &[]).into_owned();
                    row.made[*field] = Some(value);
                }
                true
            }
            Step::Parse { from, with, into } => {
                for field in into {
                    row.made[*field] = Some(Value::Null);
                }
                // What is the event's own need not be copied.
                if let Some(text) = row.own_text(self.query, *from) {
                    with.each(text, |n, piece| row.made[into[n]] = Some(Value::text(piece)));
                } else {
                    let mut found = vec![];
                    if let Some(text) = row.get(self.query, *from).as_text() {
                        with.each(&text, |n, piece| found.push((n, piece.to_owned())));
                    }
                    found.into_iter().for_each(|(n, piece)| row.made[into[n]] = Some(Value::text(piece)));
                }
                true
            }
            Step::Stats { .. } | Step::Sort(_) | Step::Dedup(_) | Step::Limit(_) => true,
        }
    }

    /// Carries out any step on all that there is.
    fn apply(&self, step: &Step, mut rows: Vec<Row<'static>>) -> Result<Vec<Row<'static>>, TooLarge> {
        match step {
            Step::Stats { .. } => {
                let mut groups = Groups::default();
                rows.iter().try_for_each(|row| groups.add(*self, step, row))?;
                return Ok(groups.end(*self, step));
            }
            Step::Sort(by) => {
                let keys = |row: &Row<'static>| -> Vec<Value<'static>> {
                    by.iter().map(|(expr, _)| self.eval(expr, row, &[]).into_owned()).collect()
                };
                let mut keyed: Vec<_> = rows.into_iter().map(|row| (keys(&row), row)).collect();
                keyed.sort_by(|(a, _), (b, _)| order(by, a, b));
                rows = keyed.into_iter().map(|(_, row)| row).collect();
            }
            Step::Dedup(by) => {
                let mut seen = HashSet::new();
                rows.retain(|row| match self.key(by.iter().map(|field| row.get(self.query, *field))) {
                    // What lacks a value of these is kept.
                    Some(key) => seen.insert(key),
                    None => true,
                });
            }
            Step::Limit(most) => rows.truncate(*most),
            Step::Fields(_) | Step::Filter(_) | Step::Parse { .. } => rows.retain_mut(|row| self.pass(step, row)),
        }
        Ok(rows)
    }

    /// Values as one text; none where one is not there.
    fn key<'v>(&self, values: impl Iterator<Item = Value<'v>>) -> Option<Vec<u8>> {
        let mut key = vec![];
        for value in values {
            if value.is_null() {
                return None;
            }
            put(&mut key, &value);
        }
        Some(key)
    }
}

fn put(key: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Null => key.push(0),
        Value::Time(time) => {
            key.push(1);
            key.extend(time.to_be_bytes());
        }
        other => {
            let text = other.as_text().unwrap_or_default();
            key.push(2);
            key.extend((text.len() as u32).to_be_bytes());
            key.extend(text.as_bytes());
        }
    }
}

fn order(by: &[(Expr, bool)], a: &[Value<'_>], b: &[Value<'_>]) -> Ordering {
    for ((_, falling), (a, b)) in by.iter().zip(a.iter().zip(b)) {
        let order = if *falling { b.order(a) } else { a.order(b) };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// The groups of `stats`, in the order in which they came.
#[derive(Default)]
struct Groups {
    numbers: HashMap<Vec<u8>, usize>,
    all: Vec<(Vec<Value<'static>>, Vec<State>)>,
    weight: usize,
    key: Vec<u8>,
}

impl Groups {
    fn add(&mut self, scene: Scene<'_>, step: &Step, row: &Row<'_>) -> Result<(), TooLarge> {
        let Step::Stats { aggregates, by, .. } = step else { return Ok(()) };
        self.key.clear();
        for (_, expr) in by {
            put(&mut self.key, &scene.eval(expr, row, &[]));
        }
        let number = match self.numbers.get(self.key.as_slice()) {
            Some(number) => *number,
            None => {
                let values = by.iter().map(|(_, expr)| scene.eval(expr, row, &[]).into_owned()).collect();
                let states: Vec<State> = aggregates.iter().map(|aggregate| State::new(aggregate.kind)).collect();
                self.weight += 2 * self.key.len() + 64 + states.len() * size_of::<State>();
                self.all.push((values, states));
                self.numbers.insert(self.key.clone(), self.all.len() - 1);
                self.all.len() - 1
            }
        };
        let at = row.event.map_or(0, |event| event.at);
        for (state, aggregate) in self.all[number].1.iter_mut().zip(aggregates) {
            self.weight += state.add(aggregate.kind, &scene.eval(&aggregate.of, row, &[]), at);
        }
        if self.weight > MOST_BYTES { Err(TooLarge) } else { Ok(()) }
    }

    fn end(self, scene: Scene<'_>, step: &Step) -> Vec<Row<'static>> {
        let Step::Stats { aggregates, values, by } = step else { return vec![] };
        let mut rows = vec![];
        for (group, states) in self.all {
            let aggregated: Vec<_> =
                states.into_iter().zip(aggregates).map(|(state, aggregate)| state.end(aggregate.kind)).collect();
            let nothing = Row::kept(vec![]);
            let mut made = vec![Value::Null; scene.query.fields.len()];
            for (field, expr) in values {
                made[*field] = scene.eval(expr, &nothing, &aggregated).into_owned();
            }
            for ((field, _), value) in by.iter().zip(group) {
                made[*field] = value;
            }
            rows.push(Row::kept(made));
        }
        rows
    }
}

/// The rows that come first by an order; the latest events where none is said.
struct First<'q> {
    by: Option<&'q [(Expr, bool)]>,
    /// As many as are wanted; none: all.
    most: Option<usize>,
    rows: Vec<(Vec<Value<'static>>, Vec<Value<'static>>)>,
    /// What a row must come before, once there are enough.
    worst: Option<Vec<Value<'static>>>,
    kept: Vec<FieldId>,
    weight: usize,
}

impl<'q> First<'q> {
    fn new(query: &Query, by: Option<&'q [(Expr, bool)]>, rest: &[Step], limit: usize) -> Self {
        let mut most = Some(limit);
        for step in rest {
            match step {
                Step::Fields(_) | Step::Parse { .. } => {}
                Step::Limit(limit) => {
                    most = Some(*limit);
                    break;
                }
                Step::Filter(_) | Step::Stats { .. } | Step::Sort(_) | Step::Dedup(_) => {
                    most = None;
                    break;
                }
            }
        }
        let mut kept = vec![];
        rest.iter().for_each(|step| step.fields(&mut kept));
        kept.extend(query.shown.iter().map(|shown| shown.field));
        kept.extend(query.ptr);
        kept.sort_unstable();
        kept.dedup();
        Self { by, most, rows: vec![], worst: None, kept, weight: 0 }
    }

    fn keys(&self, scene: Scene<'_>, row: &Row<'_>) -> Vec<Value<'static>> {
        match self.by {
            Some(by) => by.iter().map(|(expr, _)| scene.eval(expr, row, &[]).into_owned()).collect(),
            None => vec![Value::Time(row.event.map_or(0, |event| event.at))],
        }
    }

    fn order(&self, a: &[Value<'_>], b: &[Value<'_>]) -> Ordering {
        match self.by {
            Some(by) => order(by, a, b),
            None => b[0].order(&a[0]),
        }
    }

    fn add(&mut self, scene: Scene<'_>, row: &Row<'_>) -> Result<(), TooLarge> {
        let keys = self.keys(scene, row);
        if self.worst.as_ref().is_some_and(|worst| self.order(&keys, worst).is_ge()) {
            return Ok(());
        }
        let mut values = vec![Value::Null; scene.query.fields.len()];
        for field in &self.kept {
            values[*field] = row.get(scene.query, *field).into_owned();
        }
        self.weight += weight(&keys) + weight(&values);
        self.rows.push((keys, values));
        match self.most {
            // Now and then, so that each row is sorted a few times only.
            Some(most) if self.rows.len() >= 2 * most + 256 || self.weight > MOST_BYTES => self.cut(most),
            _ => {}
        }
        if self.weight > MOST_BYTES { Err(TooLarge) } else { Ok(()) }
    }

    fn cut(&mut self, most: usize) {
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_by(|(a, _), (b, _)| self.order(a, b));
        rows.truncate(most);
        if rows.len() == most {
            self.worst = rows.last().map(|(keys, _)| keys.clone());
        }
        self.weight = rows.iter().map(|(keys, values)| weight(keys) + weight(values)).sum();
        self.rows = rows;
    }

    fn end(mut self) -> Vec<Row<'static>> {
        self.cut(self.most.unwrap_or(usize::MAX));
        self.rows.into_iter().map(|(_, values)| Row::kept(values)).collect()
    }
}

fn weight(values: &[Value<'_>]) -> usize {
    48 + values.iter().map(Value::weight).sum::<usize>()
}

impl Step {
    /// The fields that it asks for.
    fn fields(&self, into: &mut Vec<FieldId>) {
        match self {
            Self::Fields(made) => made.iter().for_each(|(_, expr)| expr.fields(into)),
            Self::Filter(condition) => condition.fields(into),
            Self::Parse { from, .. } => into.push(*from),
            Self::Stats { aggregates, by, .. } => {
                aggregates.iter().for_each(|aggregate| aggregate.of.fields(into));
                by.iter().for_each(|(_, expr)| expr.fields(into));
            }
            Self::Sort(by) => by.iter().for_each(|(expr, _)| expr.fields(into)),
            Self::Dedup(by) => into.extend(by),
            Self::Limit(_) => {}
        }
    }
}

impl Expr {
    fn fields(&self, into: &mut Vec<FieldId>) {
        match self {
            Self::Field(field) => into.push(*field),
            Self::Literal(_) | Self::Aggregated(_) => {}
            Self::Not(a) | Self::Minus(a) | Self::Matches(a, _) | Self::Floor(a, _) | Self::Ceil(a, _) => {
                a.fields(into)
            }
            Self::Binary(_, a, b) | Self::Contains(a, b) => {
                a.fields(into);
                b.fields(into);
            }
            Self::In(a, all) => {
                a.fields(into);
                all.iter().for_each(|one| one.fields(into));
            }
            Self::Call(_, given) => given.iter().for_each(|one| one.fields(into)),
        }
    }
}
