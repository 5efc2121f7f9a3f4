//! Which resource needs which, and so what is made when, and what is removed when.
//!
//! Edges come from `Ref`, `Fn::GetAtt`, `Fn::Sub` and `DependsOn`. With the conditions known, resources that are
//! left out are gone, and of `Fn::If` only the taken side counts.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{At, Result, TemplateError};
use crate::expr::{Expr, ExprKind, Reference};
use crate::order;
use crate::template::{Resource, Template};

/// The resources of a stack and what each needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    needs: BTreeMap<String, BTreeSet<String>>,
    waves: Vec<Vec<String>>,
}

impl Graph {
    /// The graph of a template. `conditions` as evaluated; `None` takes every resource and both sides of `Fn::If`
    /// (all that can be said before parameters are known).
    pub fn of(template: &Template, conditions: Option<&BTreeMap<String, bool>>) -> Result<Graph> {
        let mut needs = BTreeMap::new();
        let mut gone = BTreeSet::new();
        for (id, resource) in &template.resources {
            if !active(resource, conditions) {
                continue;
            }
            let mut of = BTreeSet::new();
            let parts = [
                Some(&resource.properties),
                resource.creation_policy.as_ref(),
                resource.update_policy.as_ref(),
                resource.metadata.as_ref(),
            ];
            for expr in parts.into_iter().flatten() {
                taken(expr, conditions, &mut |reference| {
                    let (Reference::Ref(name) | Reference::GetAtt(name, _)) = reference else {
                        return;
                    };
                    match template.resources.get(&name) {
                        Some(target) if active(target, conditions) => {
                            of.insert(name);
                        }
                        Some(_) => {
                            gone.insert(name);
                        }
                        None => {}
                    }
                });
            }
            // AWS ignores a DependsOn whose resource the conditions leave out.
            let after = resource
                .depends_on
                .iter()
                .filter(|name| template.resources.get(*name).is_some_and(|target| active(target, conditions)));
            of.extend(after.cloned());
            needs.insert(id.clone(), of);
        }
        if !gone.is_empty() {
            let names: Vec<String> = gone.into_iter().collect();
            return Err(TemplateError::plain(format!(
                "Template format error: Unresolved resource dependencies [{}] in the Resources block of the template",
                names.join(", ")
            )));
        }
        Self::from_needs(needs).map_err(|cycle| {
            let mark = template.resources.get(&cycle[0]).map(|resource| resource.mark).unwrap_or_default();
            let root = At::root();
            let at = root.key("Resources", mark);
            at.key(&cycle[0], mark).error(format!("Circular dependency between resources: [{}]", cycle.join(", ")))
        })
    }

    /// Refuses outputs whose conditions hold and that refer to resources whose conditions do not.
    pub fn check_outputs(template: &Template, conditions: &BTreeMap<String, bool>) -> Result<()> {
        let holds =
            |name: &Option<String>| name.as_ref().is_none_or(|name| conditions.get(name).copied().unwrap_or(true));
        let (mut gone, mut first) = (BTreeSet::new(), None);
        for (name, output) in template.outputs.iter().filter(|(_, output)| holds(&output.condition)) {
            for expr in [Some(&output.value), output.export_name.as_ref()].into_iter().flatten() {
                taken(expr, Some(conditions), &mut |reference| {
                    let (Reference::Ref(id) | Reference::GetAtt(id, _)) = reference else { return };
                    if template.resources.get(&id).is_some_and(|target| !active(target, Some(conditions))) {
                        gone.insert(id);
                        first.get_or_insert((name, output.mark));
                    }
                });
            }
        }
        let Some((name, mark)) = first else { return Ok(()) };
        let (root, names) = (At::root(), gone.into_iter().collect::<Vec<_>>().join(", "));
        let at = root.key("Outputs", mark);
        Err(at.key(name, mark).error(format!(
            "Template format error: Unresolved resource dependencies [{names}] in the Outputs block of the template"
        )))
    }

    /// A graph from what each needs, as a deployed stack remembers it. `Err` names a circle.
    pub fn from_needs(needs: BTreeMap<String, BTreeSet<String>>) -> Result<Graph, Vec<String>> {
        let waves = order::waves(&needs)?;
        Ok(Graph { needs, waves })
    }

    /// What may be made at the same time: each wave needs only earlier ones.
    pub fn waves(&self) -> &[Vec<String>] {
        &self.waves
    }

    /// All in an order of creation; deletion is the reverse.
    pub fn creation_order(&self) -> Vec<String> {
        self.waves.iter().flatten().cloned().collect()
    }

    /// All in an order of deletion.
    pub fn deletion_order(&self) -> Vec<String> {
        self.waves.iter().rev().flat_map(|wave| wave.iter().rev()).cloned().collect()
    }

    /// What this one needs directly.
    pub fn needs(&self, logical_id: &str) -> impl Iterator<Item = &str> {
        self.needs.get(logical_id).into_iter().flatten().map(String::as_str)
    }

    /// Those that need this one directly.
    pub fn needed_by(&self, logical_id: &str) -> impl Iterator<Item = &str> {
        self.needs.iter().filter(move |(_, of)| of.contains(logical_id)).map(|(id, _)| id.as_str())
    }

    /// All that is in it with what each needs, to be kept with the stack.
    pub fn all_needs(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.needs
    }
}

fn active(resource: &Resource, conditions: Option<&BTreeMap<String, bool>>) -> bool {
    match (&resource.condition, conditions) {
        (Some(name), Some(values)) => values.get(name).copied().unwrap_or(true),
        _ => true,
    }
}

fn taken(expr: &Expr, conditions: Option<&BTreeMap<String, bool>>, visit: &mut dyn FnMut(Reference)) {
    if let (ExprKind::If { condition, then, otherwise }, Some(values)) = (&expr.kind, conditions)
        && let Some(holds) = values.get(condition)
    {
        return taken(if *holds { then } else { otherwise }, conditions, visit);
    }
    for reference in expr.own_references() {
        visit(reference);
    }
    for child in expr.children() {
        taken(child, conditions, visit);
    }
}
