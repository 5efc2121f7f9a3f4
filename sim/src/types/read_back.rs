//! Every type reads back what it was given, from the thing itself: a thing with every property that is served is
//! made by a stack and read; it is changed by an operation of its service, behind the stack's back, and what is read
//! shows the change; it is deleted, and is read no more.
//!
//! `changes.json` says for each type which operation changes its thing and what is read then, and why a property that
//! is served is not given in `types.yaml` (`without`), if so. The list of types is the registration itself.

use super::same::differs;
use super::{World, ada, kinds};
use crate::whole::whole;
use kiln_cloudformation_shapes as cfn;
use kiln_service_kit::{Cx, Error, ResourceType, invoke};
use kiln_template::schema::ResourceSchema;
use kiln_template::{Answer, Evaluator, Fact, Origin, Prefetched, Pseudo, Template, check_properties, facts};
use kiln_testkit::simulate;
use serde::Deserialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// What happens to a thing behind its stack's back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Service, operation and request; `$id` in a text is the thing's physical id, `${Name}` an export of the base or
    /// a property that was read.
    change: Option<(String, String, Json)>,
    /// What is read then; null: nothing any more.
    #[serde(default)]
    shows: Json,
    /// Properties that are not read then.
    #[serde(default)]
    lacks: Vec<String>,
    /// Instead of a change: why no operation changes it.
    constant: Option<String>,
    /// There is nothing that could change or go.
    #[serde(default)]
    stands_for_nothing: bool,
    /// Served properties that are not given, and why.
    #[serde(default)]
    without: BTreeMap<String, String>,
}

fn cases() -> BTreeMap<String, Case> {
    serde_json::from_str(include_str!("changes.json")).expect("changes.json can be read")
}

/// What the base exports.
async fn exports(world: &World) -> BTreeMap<String, String> {
    let (mut all, mut next_token) = (BTreeMap::new(), None);
    loop {
        let answer = world.kit.call(cfn::ListExportsRequest { next_token }).await.expect("listed");
        all.extend(answer.exports.into_iter().filter_map(|export| Some((export.name?, export.value?))));
        next_token = answer.next_token;
        if next_token.is_none() {
            return all;
        }
    }
}

/// The properties that a template gives its resource `A`.
fn given(world: &World, schema: &ResourceSchema, body: &str, exports: &BTreeMap<String, String>) -> Json {
    let template = Template::parse(body, Origin::Direct).expect("a template");
    let known = exports.iter().map(|(name, value)| (Fact::Export(name.clone()), Ok(Answer::text(value.clone()))));
    let lookup = Prefetched::new(known.collect());
    let pseudo = Pseudo {
        account_id: world.kit.scope().account.to_string(),
        region: world.kit.scope().region.to_string(),
        partition: "aws".to_owned(),
        url_suffix: "amazonaws.com".to_owned(),
        stack_name: "s".to_owned(),
        stack_id: "s".to_owned(),
        notification_arns: vec![],
    };
    let parameters = Default::default();
    let evaluator = Evaluator::new(&template, &pseudo, &parameters, &lookup).expect("worked out");
    let properties = evaluator.resource("A").expect("worked out").properties;
    check_properties(schema, &properties).unwrap_or_else(|wrong| panic!("{wrong:#?}"))
}

/// Texts with `$id` and `${…}` filled in.
fn filled(value: &Json, id: &str, words: &BTreeMap<String, String>) -> Json {
    match value {
        Json::String(text) => {
            let filled =
                words.iter().fold(text.clone(), |text, (name, word)| text.replace(&format!("${{{name}}}"), word));
            Json::String(filled.replace("$id", id))
        }
        Json::Array(items) => items.iter().map(|item| filled(item, id, words)).collect(),
        Json::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), filled(value, id, words)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

/// A public operation by its name.
async fn call(cx: &Cx, service: &str, operation: &str, request: &Json) -> Result<(), Error> {
    let row = cx.platform().operation(service, operation).unwrap_or_else(|| panic!("{service} {operation} is served"));
    let value = kiln_protocol::json::decode(request.to_string().as_bytes(), row.input)?;
    invoke(cx, row, value).await.map(drop)
}

/// What is read of a thing, as the schema has it.
async fn read(cx: &Cx, kind: &dyn ResourceType, schema: &ResourceSchema, id: &str, known: &Json) -> Option<Json> {
    let read = kind.read(cx, id, known).await.unwrap_or_else(|error| panic!("{}: {error}", kind.type_name()));
    let read = read?.into_json();
    for name in read.as_object().expect("an object").keys() {
        assert!(schema.members().contains_key(name), "{} has no property {name}", kind.type_name());
        assert!(!schema.write_only.contains(name), "{} is to read {name}, which is write-only", kind.type_name());
    }
    Some(schema.readable(read))
}

/// The first complaint about a type, if there is one.
async fn complaint(world: &mut World, body: &str, case: &Case, words: &BTreeMap<String, String>) -> Result<(), String> {
    let name =
        body.split("Type: ").nth(1).and_then(|rest| rest.trim_start_matches('\'').split(['\'', ',', '}']).next());
    let name = name.expect("a type");
    let kind = world.kit.platform().resource_type(name).expect("served");
    let schema = &facts::all()[name];
    let given = given(world, schema, body, words);
    for (property, _) in schema.members().iter().filter(|(name, _)| !schema.read_only.contains(*name)) {
        let (is_given, left_out) = (given.get(property).is_some(), case.without.get(property));
        match (kind.serves(property), is_given, left_out) {
            (true, false, None) => return Err(format!("{property} is served and not given")),
            (_, true, Some(why)) => return Err(format!("{property} is given, and not given because {why}")),
            (false, _, Some(_)) => return Err(format!("{property} is not served: there is nothing to say about it")),
            _ => {}
        }
    }
    world.create("s", body).await;
    if world.settled("s").await != "CREATE_COMPLETE" {
        return Err(format!("{:#?}", world.failures("s").await));
    }
    let resource = ("s".to_owned(), "A".to_owned());
    let asked = cfn::DescribeStackResourceRequest { stack_name: resource.0, logical_resource_id: resource.1 };
    let detail = world.kit.call(asked).await.expect("described").stack_resource_detail.expect("there");
    let id = detail.physical_resource_id.expect("it has an id");
    let cx = world.kit.cx().as_caller(ada(&world.kit));
    let mut wrong = vec![];
    match read(&cx, &*kind, schema, &id, &given).await {
        None => wrong.push("it is made and not read".to_owned()),
        Some(read) => {
            wrong.extend(differs(schema, &given, &read));
            let named = schema.primary_identifier.iter().filter(|name| read.get(name.as_str()).is_none());
            wrong.extend(named.map(|name| format!("{name} is part of the primary identifier and is not read")));
            let texts = read.as_object().expect("an object").iter();
            let texts = texts.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
            let words: BTreeMap<String, String> = words.clone().into_iter().chain(texts).collect();
            wrong.extend(changed(&cx, world, (&*kind, schema, &id), case, &given, &words).await);
        }
    }
    world.delete("s").await;
    if let (Some(left), true) = (read(&cx, &*kind, schema, &id, &given).await, !case.stands_for_nothing) {
        wrong.push(format!("it is deleted and read: {left}"));
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.join("\n  ")),
    }
}

/// Changes a thing and looks at what is read then.
async fn changed(
    cx: &Cx,
    world: &World,
    (kind, schema, id): (&dyn ResourceType, &ResourceSchema, &str),
    case: &Case,
    given: &Json,
    words: &BTreeMap<String, String>,
) -> Vec<String> {
    let Some((service, operation, request)) = &case.change else {
        let known = case.stands_for_nothing || case.constant.is_some();
        return if known { vec![] } else { vec!["nothing changes it".to_owned()] };
    };
    if let Err(error) = call(&world.kit.cx(), service, operation, &filled(request, id, words)).await {
        return vec![format!("{operation}: {error}")];
    }
    world.kit.settle().await;
    let shows = filled(&case.shows, id, words);
    match (read(cx, kind, schema, id, given).await, shows.is_null()) {
        (Some(read), false) => {
            let left = case
                .lacks
                .iter()
                .filter(|name| read.get(name.as_str()).is_some())
                .map(|name| format!("{name} is read"));
            differs(schema, &shows, &read)
                .into_iter()
                .chain(left)
                .map(|wrong| format!("after {operation}: {wrong}"))
                .collect()
        }
        (None, true) => vec![],
        (read, _) => vec![format!("after {operation} {read:?} is read")],
    }
}

#[test]
fn every_type_reads_back_what_it_was_given_and_what_became_of_it() {
    let folder = tempfile::tempdir().expect("a folder of the test's own");
    simulate(async {
        let mut world = World::new(folder.path()).await;
        let (kinds, cases, words) = (kinds(), cases(), exports(&world).await);
        let served = world.kit.platform().resource_types();
        whole(cases.keys(), &served, "changes.json is to have a case (`Case` in read_back.rs) of every type served");
        let mut wrong = vec![];
        for kind in served {
            let (_, body) =
                kinds.iter().find(|(name, _)| *name == kind).expect("types.yaml has one thing of every type");
            if let Err(why) = complaint(&mut world, body, &cases[kind], &words).await {
                wrong.push(format!("{kind}:\n  {why}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}
