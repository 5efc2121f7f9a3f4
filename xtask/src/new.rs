//! `cargo xtask new service X`: a service that compiles, from botocore's model to its first row, record and test.
//!
//! ```text
//! botocore's model ── the operation to begin with ── files of both crates ── shapes ── every list, coverage, vectors
//! ```
//! What it cannot know it does not make up: the operation answers that it is not built, the members of its request
//! are named by `cargo xtask members` until code reads them, and what else is a person's to say is printed.

use crate::shapes::facts::{Model, Operation};
use crate::{Result, check, coverage, services, shapes, wire};
use std::path::Path;

/// Makes the service `name`, which botocore calls `botocore`, beginning with one of its operations.
pub fn service(root: &Path, name: &str, botocore: Option<&str>, operation: Option<&str>) -> Result<()> {
    let botocore = botocore.unwrap_or(name);
    may_be_called(root, name)?;
    let model = shapes::read_model(botocore)?;
    let operation = first_operation(&model, operation)?;
    let folder = root.join("services").join(name);
    let thing = thing_of(operation);
    let new = New { name, botocore, operation, thing: &thing, model: &model, starts: services::last_start(root)? + 1 };
    for (path, text) in new.files() {
        let path = folder.join(path);
        let parent = path.parent().expect("a file stands in a folder");
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|e| format!("failed to write {}: {e}", path.display()))?;
    }
    make(root, name, &folder).map_err(|why| {
        format!("{why}\nservices/{name} is half made: remove it and run `cargo xtask services` before you try again")
    })?;
    println!("{}", new.what_is_left());
    Ok(())
}

/// What is made from the files that a person goes on with: shapes, lists, and an example that botocore agrees to.
fn make(root: &Path, name: &str, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder.join("shapes/src")).map_err(|e| format!("failed to make the folder src: {e}"))?;
    shapes::run(root, &[name], false)?;
    services::run(root, false)?;
    coverage::run(root, false)?;
    check::cargo(root, &["build", "--package", &format!("kiln-{name}")])?;
    // Keeps a request and an answer of it that botocore agrees to.
    wire::run(root, true)?;
    check::cargo(root, &["fmt", "--all"])
}

fn may_be_called(root: &Path, name: &str) -> Result<()> {
    let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !is_name {
        return Err(format!(
            "{name} is no name of a service: small letters and digits, as its crates are called by it"
        ));
    }
    if root.join("services").join(name).exists() {
        return Err(format!("services/{name} is there already"));
    }
    match services::models(root)?.iter().any(|model| model == name) {
        true => Err(format!(
            "protocol/tests/models/{name} stands in for the service until there is one: remove that folder first"
        )),
        false => Ok(()),
    }
}

/// The operation asked for, or one that lists something. It must need nothing, so that its test can ask it.
fn first_operation<'m>(model: &'m Model, asked: Option<&str>) -> Result<&'m str> {
    let needs_nothing = |operation: &Operation| match &operation.input {
        Some(input) => model.shape(&input.shape).is_ok_and(|shape| shape.required.is_empty()),
        None => true,
    };
    if let Some(asked) = asked {
        let (name, operation) = model
            .operations
            .get_key_value(asked)
            .ok_or_else(|| format!("botocore's model has no operation {asked}"))?;
        return match needs_nothing(operation) {
            true => Ok(name),
            false => {
                Err(format!("{asked} has required members: begin with an operation that has none, such as a listing"))
            }
        };
    }
    let good = |start: &str| {
        let mut all =
            model.operations.iter().filter(|(_, operation)| !operation.deprecated && needs_nothing(operation));
        all.find(|(name, _)| name.starts_with(start)).map(|(name, _)| name.as_str())
    };
    ["List", "Describe", "Get"].into_iter().find_map(good).ok_or_else(|| {
        "no operation lists something without being told what: name one without required members behind the service"
            .to_owned()
    })
}

/// `ListQueues` is about `Queues`.
fn things_of(operation: &str) -> &str {
    let verb = operation.char_indices().skip(1).find(|(_, c)| c.is_ascii_uppercase()).map_or(0, |(at, _)| at);
    &operation[verb..]
}

/// And each is a `Queue`.
fn thing_of(operation: &str) -> String {
    let things = things_of(operation);
    match things.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None if ["xes", "sses", "uses", "ches"].iter().any(|end| things.ends_with(end)) => {
            things[..things.len() - 2].to_owned()
        }
        None if things.ends_with("us") => things.to_owned(),
        None => things.strip_suffix('s').unwrap_or(things).to_owned(),
    }
}

struct New<'n> {
    name: &'n str,
    botocore: &'n str,
    operation: &'n str,
    thing: &'n str,
    model: &'n Model,
    starts: u32,
}

impl New<'_> {
    /// The files below the service's folder that a person goes on with.
    fn files(&self) -> Vec<(String, String)> {
        let Self { name, botocore, operation, thing, starts, .. } = self;
        let function = shapes::names::field_name(operation);
        let file = shapes::names::field_name(things_of(operation));
        let record = self.record();
        let signing = self.signing();
        let manifest = |crate_name: &str, dependencies: &str| {
            format!(
                "[package]\nname = \"{crate_name}\"\nversion.workspace = true\nedition.workspace = true\n\
                 license.workspace = true\npublish.workspace = true\nrust-version.workspace = true\n\n\
                 [lints]\nworkspace = true\n\n[dependencies]\n{dependencies}"
            )
        };
        let routes = match self.model.metadata.protocol.starts_with("rest-") {
            true => format!("    service.routes = kiln_{name}_shapes::ROUTES;\n"),
            false => String::new(),
        };
        let files = [
            (
                "service.toml".to_owned(),
                format!(
                    "# What this service is. `cargo xtask services` makes every list from it; docs/guides/add-a-service.md says how.\n\
                     botocore = \"{botocore}\"\n# Its place among the services that are started.\nstarts = {starts}\n"
                ),
            ),
            (
                "README.md".to_owned(),
                format!(
                    "# {name}\n\nWhat it does, and what follows from it.\n\n## Differences from AWS\n\n\
                     - `{operation}` has a row and is not built, and says so.\n"
                ),
            ),
            (
                "Cargo.toml".to_owned(),
                manifest(
                    &format!("kiln-{name}"),
                    &format!(
                        "kiln-{name}-shapes.workspace = true\nkiln-service-kit.workspace = true\nserde.workspace = true\n\n\
                         [dev-dependencies]\ntokio.workspace = true\n"
                    ),
                ),
            ),
            (
                "shapes/Cargo.toml".to_owned(),
                manifest(&format!("kiln-{name}-shapes"), "kiln-protocol.workspace = true\n"),
            ),
            ("shapes/quirks.json".to_owned(), "{}\n".to_owned()),
            (
                "src/lib.rs".to_owned(),
                format!(
                    "//! What the service does, in a line.\n\nmod operations;\nmod records;\n\n#[cfg(test)]\nmod tests;\n\n\
                     use kiln_service_kit::{{Service, records}};\n\n/// The service.\npub fn service() -> Service {{\n\
                     \x20   let mut service = Service::new(&kiln_{name}_shapes::SERVICE, &[operations::{file}::OPERATIONS]);\n\
                     {routes}    service.records = records![records::{thing}];\n    service\n}}\n"
                ),
            ),
            (
                "src/records.rs".to_owned(),
                format!(
                    "//! What {name} keeps.\n\nuse kiln_service_kit::Record;\nuse serde::{{Deserialize, Serialize}};\n\n\
                     /// What is kept of one; its id in the store is its name.\n\
                     #[derive(Debug, Clone, Serialize, Deserialize)]\npub struct {thing} {{\n    pub name: String,\n}}\n\n\
                     impl Record for {thing} {{\n    const KIND: &'static str = \"{name}/{record}\";\n}}\n"
                ),
            ),
            ("src/operations/mod.rs".to_owned(), format!("//! One file per kind of call.\n\npub mod {file};\n")),
            (
                format!("src/operations/{file}.rs"),
                format!(
                    "//! Source: the service's API Reference, {operation}.\n\nuse crate::records::{thing} as Kept;\n\
                     use kiln_service_kit::{{Cx, Error, Operation, operation}};\nuse kiln_{name}_shapes::*;\n\n\
                     pub const OPERATIONS: &[Operation] = &[operation!({operation}: {function}({operation}Request){TOUCHES})];\n\n\
                     /// Nothing makes one yet: an answer would be made up.\n\
                     async fn {function}(cx: &Cx, _: {operation}Request) -> Result<{operation}Response, Error> {{\n\
                     \x20   let kept = cx.store().list::<Kept>(cx.scope())?.len();\n\
                     \x20   Err(Error::not_built(format!(\"{signing}:{operation} (there are {{kept}})\")))\n}}\n"
                ),
            ),
            (
                "src/tests.rs".to_owned(),
                format!(
                    "//! The service through its public operations, on a store in memory.\n\nuse kiln_service_kit::*;\n\
                     use kiln_{name}_shapes::*;\n\nfn given() -> Cx {{\n    let clock = Clock::system();\n\
                     \x20   let store = Store::in_memory(clock.clone());\n\
                     \x20   let platform = PlatformBuilder::new(store, clock, IdSource::seeded(1)).service(crate::service()).build();\n\
                     \x20   Cx::new(platform, Scope::new(\"000000000000\", \"us-east-1\"), Caller::root(\"000000000000\"), \"test\")\n}}\n\n\
                     #[tokio::test]\nasync fn what_is_not_built_is_told_by_name() {{\n\
                     \x20   let error = given().call({operation}Request::default()).await.expect_err(\"it is not built\");\n\
                     \x20   assert!(error.is(\"NotImplemented\") && error.message.contains(\"{signing}:{operation}\"), \"{{error}}\");\n}}\n"
                ),
            ),
        ];
        files.into()
    }

    fn signing(&self) -> &str {
        let metadata = &self.model.metadata;
        metadata.signing_name.as_deref().unwrap_or(&metadata.endpoint_prefix)
    }

    /// How its records are called in the store: `sqs/queue` without the service.
    fn record(&self) -> String {
        shapes::names::const_name(self.thing).to_ascii_lowercase().replace('_', "-")
    }

    fn what_is_left(&self) -> String {
        let Self { name, operation, thing, starts, .. } = self;
        let record = self.record();
        format!(
            "\nservices/{name} is there, with {operation}. `cargo xtask check` passes but for what is yours to decide:\n\
             \x20 - what {operation} does and answers, and each member of its request: `cargo xtask members` names those\n\
             \x20   that no code reads\n\
             \x20 - what is kept of a {thing} (src/records.rs)\n\
             \x20 - what policies are matched against: the row ends `on everything`, which is right where the Service\n\
             \x20   Authorization Reference has no resource type for {operation}; docs/guides/add-an-operation.md has the others\n\
             \x20 - its place at start (`starts = {starts}` in service.toml), what README.md says of it\n\
             \x20 - a test with a real client, tests/clients/test_calls_{name}.py: the run of all client tests names a served\n\
             \x20   operation that none was answered by\n\
             \x20 - a line of \"{name}/{record}\" in sim/records.jsonl, once something makes one: `cargo test -p kiln-sim` fails\n\
             \x20   until it is there; docs/guides/upgrade.md says where lines come from\n\
             docs/guides/add-a-service.md goes on from here."
        )
    }
}

/// The end of a row: what its operation touches. Right where AWS names no resource type; that this is to be looked
/// up is printed.
const TOUCHES: &str = ", on everything";

#[cfg(test)]
mod tests {
    use super::*;

    fn model(operations: &str) -> Model {
        let text = format!(
            r#"{{"metadata": {{"apiVersion": "1", "endpointPrefix": "box", "protocol": "rest-json"}}, "operations": {{{operations}}},
                "shapes": {{"Named": {{"type": "structure", "required": ["Name"], "members": {{"Name": {{"shape": "Text"}}}}}},
                            "Text": {{"type": "string"}}}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn at(name: &str, more: &str) -> String {
        format!(r#""{name}": {{"http": {{"method": "GET", "requestUri": "/{name}"}}{more}}}"#)
    }

    #[test]
    fn it_begins_with_what_can_be_asked_without_a_member() {
        let named = r#", "input": {"shape": "Named"}"#;
        let all = [
            at("DescribeLids", ""),
            at("GetBox", named),
            at("ListBoxes", named),
            at("ListOld", r#", "deprecated": true"#),
        ];
        let model = model(&all.join(", "));
        assert_eq!(first_operation(&model, None), Ok("DescribeLids"));
        assert_eq!(first_operation(&model, Some("ListOld")), Ok("ListOld"));
        assert!(first_operation(&model, Some("GetBox")).unwrap_err().contains("required"));
        assert!(first_operation(&model, Some("Gone")).unwrap_err().contains("Gone"));
        for (operation, thing) in [
            ("ListQueues", "Queue"),
            ("DescribePolicies", "Policy"),
            ("GetTrace", "Trace"),
            ("ListBoxes", "Box"),
            ("DescribeAddresses", "Address"),
            ("GetJobStatus", "JobStatus"),
            ("ListDatabases", "Database"),
        ] {
            assert_eq!(thing_of(operation), thing);
        }
    }

    #[test]
    fn a_name_that_is_taken_or_none_is_refused() {
        let root = crate::root();
        for (name, why) in [("ec2", "already"), ("Ec2", "no name"), ("a-b", "no name"), ("xray", "stands in")] {
            let error = may_be_called(&root, name).unwrap_err();
            assert!(error.contains(why), "{name}: {error}");
        }
        assert_eq!(may_be_called(&root, "box"), Ok(()));
    }

    #[test]
    fn its_files_say_whose_they_are() {
        let model = model(&at("ListBoxes", ""));
        let new =
            New { name: "box", botocore: "boxes", operation: "ListBoxes", thing: "Box", model: &model, starts: 9 };
        let files = new.files();
        let text = |name: &str| &files.iter().find(|(file, _)| file == name).unwrap_or_else(|| panic!("{name}")).1;
        assert!(text("service.toml").contains("botocore = \"boxes\"") && text("service.toml").contains("starts = 9"));
        assert!(text("src/lib.rs").contains("service.routes = kiln_box_shapes::ROUTES;"), "{}", text("src/lib.rs"));
        // A row that does not say what it touches would not compile.
        let row = "operation!(ListBoxes: list_boxes(ListBoxesRequest), on everything)";
        assert!(text("src/operations/boxes.rs").contains(row));
        assert!(new.what_is_left().contains("no resource type for ListBoxes"), "{}", new.what_is_left());
        assert!(text("src/records.rs").contains("\"box/box\""));
        // A record that no service lists would fail the simulation's tests of what is kept.
        assert!(text("src/lib.rs").contains("service.records = records![records::Box];"), "{}", text("src/lib.rs"));
        assert!(new.what_is_left().contains("\"box/box\" in sim/records.jsonl"), "{}", new.what_is_left());
    }
}
