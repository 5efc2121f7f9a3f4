//! Why does a value change? Found by looking at how the old and the new template write it.

use std::collections::{BTreeMap, BTreeSet};

use super::{ChangeSource, Detail, Evaluation};
use crate::expr::{Expr, ExprKind, Reference};
use crate::template::Template;

/// What an update does with a resource others may refer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing.
    Unchanged,
    /// New, or certain to be replaced: its id and attributes are new.
    New,
    /// Changed in place: its id stays, attributes may change.
    InPlace,
    /// Perhaps replaced.
    Perhaps,
}

/// One version of a template with the conditions that held.
#[derive(Clone, Copy)]
pub(super) struct Version<'a> {
    pub template: &'a Template,
    pub conditions: &'a BTreeMap<String, bool>,
}

/// What is needed to name causes.
pub(super) struct Causes<'a> {
    pub old: Option<Version<'a>>,
    pub new: Version<'a>,
    /// Parameters whose values differ.
    pub changed: &'a BTreeSet<String>,
    pub fates: &'a BTreeMap<String, Fate>,
}

impl Causes<'_> {
    /// The detail once for each cause.
    pub fn explain(&self, logical_id: &str, detail: Detail) -> Vec<Detail> {
        let (new, old) = (self.find(Some(self.new), logical_id, &detail), self.find(self.old, logical_id, &detail));
        let Some(new) = new else { return vec![detail] };
        let references = self.references(&new);
        let secret = names_secret(self.new.template, &references);
        let was_secret = match (self.old, &old) {
            (Some(version), Some(old)) => names_secret(version.template, &old.expr.references()),
            _ => false,
        };
        let uncertain = references.iter().any(|reference| match reference {
            Reference::Ref(name) => self.fates.get(name) == Some(&Fate::Perhaps),
            Reference::GetAtt(name, _) => matches!(self.fates.get(name), Some(Fate::Perhaps | Fate::InPlace)),
            Reference::Condition(_) => false,
        });
        let mut base = detail;
        if secret || was_secret {
            base.before = base.before.map(|_| "****".to_owned());
        }
        if secret {
            base.after = base.after.map(|_| "****".to_owned());
        }
        if base.evaluation == Evaluation::Dynamic && !uncertain {
            // It refers to something that is certain to be new: it is certain to change.
            base.evaluation = Evaluation::Static;
        }
        let as_before = old.is_some_and(|old| old.written.same_text(new.written) && old.steps == new.steps);
        if !as_before {
            return vec![base];
        }
        let mut causes: Vec<(ChangeSource, String)> = Vec::new();
        for reference in references {
            let cause = match reference {
                Reference::Ref(name) if self.changed.contains(&name) => (ChangeSource::ParameterReference, name),
                Reference::Ref(name) if matches!(self.fates.get(&name), Some(Fate::New | Fate::Perhaps)) => {
                    (ChangeSource::ResourceReference, name)
                }
                Reference::GetAtt(name, attribute)
                    if !matches!(self.fates.get(&name), None | Some(Fate::Unchanged)) =>
                {
                    (ChangeSource::ResourceAttribute, format!("{name}.{}", attribute.unwrap_or_default()))
                }
                _ => continue,
            };
            if !causes.contains(&cause) {
                causes.push(cause);
            }
        }
        if causes.is_empty() {
            return vec![base];
        }
        causes
            .into_iter()
            .map(|(source, entity)| Detail { source, causing_entity: Some(entity), ..base.clone() })
            .collect()
    }

    /// How a version writes the value a detail is about.
    fn find<'v>(&self, version: Option<Version<'v>>, logical_id: &str, detail: &Detail) -> Option<Found<'v>> {
        let version = version?;
        let resource = version.template.resources.get(logical_id)?;
        let mut steps = detail.path.trim_start_matches('/').split('/');
        let mut found = Found {
            expr: match steps.next()? {
                "Properties" => &resource.properties,
                "Metadata" => resource.metadata.as_ref()?,
                "CreationPolicy" => resource.creation_policy.as_ref()?,
                "UpdatePolicy" => resource.update_policy.as_ref()?,
                _ => return None,
            },
            written: &resource.properties,
            steps: 0,
            conditions: Vec::new(),
        };
        found.written = found.expr;
        found.choose(version.conditions);
        for step in steps {
            let below = match &found.expr.kind {
                ExprKind::Map(entries) => entries.iter().find(|(key, _)| key == step).map(|(_, value)| value),
                // An item that may be left out shifts the others: the place in the list is not sure then.
                ExprKind::List(items) if !items.iter().any(|item| matches!(item.kind, ExprKind::If { .. })) => {
                    step.parse().ok().and_then(|index: usize| items.get(index))
                }
                _ => None,
            };
            let Some(below) = below else { break };
            found.expr = below;
            if found.conditions.is_empty() {
                found.written = below;
                found.steps += 1;
            }
            found.choose(version.conditions);
        }
        Some(found)
    }

    /// All a value depends on, conditions followed to the parameters they ask.
    fn references(&self, found: &Found<'_>) -> Vec<Reference> {
        let mut all = found.expr.references();
        let mut open: Vec<String> = found.conditions.iter().map(|name| (*name).to_owned()).collect();
        open.extend(all.iter().filter_map(condition_name));
        let mut seen = BTreeSet::new();
        while let Some(name) = open.pop() {
            if let Some(condition) = self.new.template.conditions.get(&name).filter(|_| seen.insert(name.clone())) {
                let more = condition.references();
                open.extend(more.iter().filter_map(condition_name));
                all.extend(more);
            }
        }
        all
    }
}

fn names_secret(template: &Template, references: &[Reference]) -> bool {
    references.iter().any(|reference| match reference {
        Reference::Ref(name) => template.parameters.get(name).is_some_and(|parameter| parameter.no_echo),
        _ => false,
    })
}

fn condition_name(reference: &Reference) -> Option<String> {
    match reference {
        Reference::Condition(name) => Some(name.clone()),
        _ => None,
    }
}

struct Found<'e> {
    expr: &'e Expr,
    /// The same before the first `Fn::If`: what the two templates must write alike.
    written: &'e Expr,
    /// How many steps of the path lead to `written`.
    steps: usize,
    /// Conditions asked on the way.
    conditions: Vec<&'e str>,
}

impl Found<'_> {
    /// Follows `Fn::If` to the side taken.
    fn choose(&mut self, conditions: &BTreeMap<String, bool>) {
        while let ExprKind::If { condition, then, otherwise } = &self.expr.kind {
            self.conditions.push(condition);
            self.expr = if conditions.get(condition).copied().unwrap_or(true) { then } else { otherwise };
        }
    }
}
