//! `cargo xtask members`: members of served operations that no code reads. A parameter that is
//! accepted must have its effect or be refused by name; one that nobody looks at has neither.
//!
//! ```text
//! model.json ── every member of every input, structures in it too
//! src/**/*.rs ── each operation's function, and all that it calls ── the names read there
//! members-not-read.txt ── what may stay unread, each with its reason
//! ```
//! Names only, no types: a member counts as read if the functions that an operation reaches read a
//! field of its name. Calls are followed by name too, so it may miss an unread member, but it names
//! none that is read.

mod reach;

use crate::shapes::facts::{Model, Ref, Shape};
use crate::shapes::names;
use crate::{Result, services};
use reach::Sources;
use std::collections::BTreeSet;
use std::path::Path;

/// What may stay unread: `SERVICE OPERATION MEMBER: reason`, where the operation may be `*` and the
/// member may end in `.*`.
const ALLOWED: &str = "xtask/members-not-read.txt";

/// Fails for members that no code reads and that are not allowed to be, and for what is allowed in
/// vain.
pub fn run(root: &Path) -> Result<()> {
    let text = read(&root.join(ALLOWED))?;
    let allowed = text.lines().filter(|l| !l.is_empty() && !l.starts_with('#')).map(Entry::parse);
    let allowed = allowed.collect::<Result<Vec<_>>>()?;
    let mut used = BTreeSet::new();
    let mut unread = vec![];
    for services::Service { folder: service, .. } in services::all()? {
        for (operation, member) in find(root, service)? {
            let reasons: Vec<usize> =
                (0..allowed.len()).filter(|at| allowed[*at].covers(service, &operation, &member)).collect();
            if reasons.is_empty() {
                unread.push(format!("  {service} {operation} {member}"));
            }
            used.extend(reasons);
        }
    }
    let vain = (0..allowed.len()).filter(|at| !used.contains(at)).map(|at| format!("  {}", allowed[at].line));
    let vain: Vec<String> = vain.collect();
    if !unread.is_empty() {
        return Err(format!(
            "no code reads these members: let them work, refuse them by name, or say why not in {ALLOWED}\n{}",
            unread.join("\n")
        ));
    }
    if !vain.is_empty() {
        return Err(format!("{ALLOWED} allows what is read or not there:\n{}", vain.join("\n")));
    }
    Ok(())
}

/// One line of the list.
struct Entry<'a> {
    line: &'a str,
    service: &'a str,
    operation: &'a str,
    member: &'a str,
}

impl<'a> Entry<'a> {
    fn parse(line: &'a str) -> Result<Self> {
        let bad = || format!("{ALLOWED}: no `SERVICE OPERATION MEMBER: reason`: {line}");
        let (what, reason) = line.split_once(": ").ok_or_else(bad)?;
        let [service, operation, member] = what.split_whitespace().collect::<Vec<_>>()[..] else { return Err(bad()) };
        if reason.trim().is_empty() {
            return Err(bad());
        }
        Ok(Self { line, service, operation, member })
    }

    fn covers(&self, service: &str, operation: &str, member: &str) -> bool {
        let below = self.member.strip_suffix(".*");
        let named = match below {
            Some(outer) => member == outer || member.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.')),
            None => member == self.member,
        };
        self.service == service && (self.operation == "*" || self.operation == operation) && named
    }
}

/// Operation and member of everything in a service that is not read.
fn find(root: &Path, service: &str) -> Result<Vec<(String, String)>> {
    let dir = root.join("services").join(service);
    let model: Model = serde_json::from_str(&read(&dir.join("shapes/model.json"))?)
        .map_err(|e| format!("failed to read {service}'s model: {e}"))?;
    let sources = Sources::read(&dir.join("src"))?;
    let mut unread = vec![];
    for (name, operation) in &model.operations {
        let Some(input) = &operation.input else { continue };
        // Without a row it is answered that it is not built.
        let Some(reads) = sources.reads(name) else { continue };
        let mut walk = Walk { model: &model, reads: &reads, unread: vec![] };
        walk.structure(model.shape(&input.shape)?, "", &mut vec![&input.shape])?;
        unread.extend(walk.unread.into_iter().map(|member| (name.clone(), member)));
    }
    Ok(unread)
}

struct Walk<'a> {
    model: &'a Model,
    reads: &'a BTreeSet<String>,
    unread: Vec<String>,
}

impl<'a> Walk<'a> {
    fn structure(&mut self, shape: &'a Shape, path: &str, within: &mut Vec<&'a str>) -> Result<()> {
        for (name, member) in &shape.members.0 {
            // The kit's own.
            if path.is_empty() && name == "DryRun" {
                continue;
            }
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let field = names::field_name(name);
            if !self.reads.contains(field.trim_start_matches("r#")) {
                // What is in it need not be told.
                self.unread.push(path);
                continue;
            }
            let inner = self.innermost(member)?;
            let inner_shape = self.model.shape(&inner.shape)?;
            if inner_shape.kind == "structure" && !within.contains(&inner.shape.as_str()) {
                within.push(&inner.shape);
                self.structure(inner_shape, &path, within)?;
                within.pop();
            }
        }
        Ok(())
    }

    /// What lists and maps are of.
    fn innermost(&self, member: &'a Ref) -> Result<&'a Ref> {
        let mut at = member;
        loop {
            let shape = self.model.shape(&at.shape)?;
            match shape.member.as_ref().or(shape.value.as_ref()) {
                Some(inner) => at = inner,
                None => return Ok(at),
            }
        }
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| format!("failed to read {}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_code_reads_is_found_through_calls_patterns_and_macros() {
        let folder = std::env::temp_dir().join(format!("kiln-members-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("launch")).unwrap();
        let files = [
            (
                "operations.rs",
                "pub const OPERATIONS: &[Operation] = &[operation!(Make: make(MakeRequest), on arns)];
                 async fn make(cx: &Cx, request: MakeRequest) -> Result<(), Error> {
                     refuse(\"Make\", &[(\"Colour\", request.colour.is_some())])?;
                     let MakeRequest { size, weight: _, .. } = &request;
                     look!(request);
                     request.parts.iter().map(launch::named).for_each(drop);
                     Thing::of(&request).keep()
                 }
                 fn never(request: &MakeRequest) { request.forgotten; }
                 macro_rules! look { ($given:expr) => { $given.token.clone() }; }",
            ),
            ("launch/part.rs", "pub fn named(part: &Part) -> bool { matches!(part.kind, Some(_)) }"),
            (
                "thing.rs",
                "impl Thing { fn of(r: &MakeRequest) -> Self { Self::more(r) } fn more(r: &R) { r.inner.deep } }",
            ),
            ("tests.rs", "fn make() { request.only_tests; }"),
        ];
        for (name, text) in files {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let sources = Sources::read(&folder);
        std::fs::remove_dir_all(&folder).unwrap();
        let sources = sources.unwrap();
        let reads = sources.reads("Make").expect("a row");
        for read in ["colour", "size", "token", "parts", "kind", "inner", "deep"] {
            assert!(reads.contains(read), "{read} is read: {reads:?}");
        }
        for unread in ["weight", "forgotten", "only_tests"] {
            assert!(!reads.contains(unread), "{unread} is not read");
        }
        assert!(sources.reads("Unserved").is_none());
    }

    #[test]
    fn an_entry_covers_what_it_names() {
        let entry = Entry::parse("ec2 * Placement.Host.*: refused").unwrap();
        for (service, operation, member, covered) in [
            ("ec2", "RunInstances", "Placement.Host", true),
            ("ec2", "RunInstances", "Placement.Host.Id", true),
            ("ec2", "RunInstances", "Placement.HostId", false),
            ("iam", "RunInstances", "Placement.Host", false),
        ] {
            assert_eq!(entry.covers(service, operation, member), covered, "{service} {member}");
        }
        for bad in ["ec2 Make Size", "ec2 Make: why", "ec2 Make Size: "] {
            assert!(Entry::parse(bad).is_err(), "{bad}");
        }
    }
}
