//! CreateEventBus, UpdateEventBus, DeleteEventBus, DescribeEventBus, ListEventBuses. Source: the API Reference.

use super::tags;
use crate::errors::{bad_token, no_bus, over_limit, validation};
use crate::names::{BusName, DEFAULT};
use crate::records::{Bus, Generation, Rule};
use crate::targets;
use kiln_events_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation, paginate};

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateEventBus: create_event_bus(CreateEventBusRequest),
        on |cx, r| Ok(targets::given(targets::bus(cx, Some(&r.name))?, &r.tags))),
    operation!(DeleteEventBus: delete_event_bus(DeleteEventBusRequest), on |cx, r| targets::bus(cx, Some(&r.name))),
    operation!(DescribeEventBus: describe_event_bus(DescribeEventBusRequest), on |cx, r| targets::bus(cx, r.name.as_deref())),
    operation!(ListEventBuses: list_event_buses(ListEventBusesRequest), on everything),
    operation!(UpdateEventBus: update_event_bus(UpdateEventBusRequest), on |cx, r| targets::bus(cx, r.name.as_deref())),
];

/// Source: "Amazon EventBridge quotas", event buses: 100 for each account.
const MOST: usize = 100;
/// Buses on a page.
const PAGE: usize = 100;

/// Members of buses that are not built.
fn refuse_unbuilt(key: bool, letters: bool, log: bool) -> Result<(), Error> {
    for (given, what) in [
        (key, "KmsKeyIdentifier of event buses"),
        (letters, "DeadLetterConfig of event buses"),
        (log, "LogConfig of event buses"),
    ] {
        if given {
            return Err(Error::not_built(format!("events: {what}")));
        }
    }
    Ok(())
}

async fn create_event_bus(cx: &Cx, request: CreateEventBusRequest) -> Result<CreateEventBusResponse, Error> {
    refuse_unbuilt(
        request.kms_key_identifier.is_some(),
        request.dead_letter_config.is_some(),
        request.log_config.is_some(),
    )?;
    if request.event_source_name.is_some() || request.name.starts_with("aws.partner/") {
        return Err(Error::not_built("events: buses of partner event sources"));
    }
    if request.name.contains('/') {
        return Err(validation("Event bus name must not contain '/'."));
    }
    let given = tags::read(cx, &request.tags)?;
    let bus = BusName::own(cx, &request.name);
    cx.store()
        .write::<_, Error>(|tx| {
            if request.name == DEFAULT || tx.get::<Bus>(cx.scope(), &request.name)?.is_some() {
                let text = format!("Event bus {} already exists.", request.name);
                return Err(Error::sender("ResourceAlreadyExistsException", text));
            }
            if tx.count::<Bus>(cx.scope()) >= MOST {
                return Err(over_limit("The requested resource exceeds the maximum number allowed."));
            }
            let made = Bus {
                description: request.description.clone(),
                tags: given.clone(),
                ..Bus::plain(&request.name, tx.now())
            };
            Ok(tx.put(cx.scope(), &request.name, made)?)
        })
        .await?;
    Ok(CreateEventBusResponse { event_bus_arn: Some(bus.arn), description: request.description, ..Default::default() })
}

async fn update_event_bus(cx: &Cx, request: UpdateEventBusRequest) -> Result<UpdateEventBusResponse, Error> {
    refuse_unbuilt(
        request.kms_key_identifier.is_some(),
        request.dead_letter_config.is_some(),
        request.log_config.is_some(),
    )?;
    let bus = BusName::parse_own(cx, request.name.as_deref())?;
    let changed = cx
        .store()
        .write::<_, Error>(|tx| {
            let before = bus.check(tx)?.map_or_else(|| Bus::plain(&bus.name, tx.now()), |bus| (*bus).clone());
            let changed = Bus { description: request.description.clone(), modified: tx.now(), ..before };
            tx.put(cx.scope(), &bus.name, changed.clone())?;
            Ok(changed)
        })
        .await?;
    Ok(UpdateEventBusResponse {
        arn: Some(bus.arn),
        name: Some(bus.name),
        description: changed.description,
        ..Default::default()
    })
}

async fn delete_event_bus(cx: &Cx, request: DeleteEventBusRequest) -> Result<DeleteEventBusResponse, Error> {
    if request.name == DEFAULT {
        return Err(validation("Cannot delete event bus default."));
    }
    let bus = BusName::own(cx, &request.name);
    cx.store()
        .write::<_, Error>(|tx| {
            if !tx.list_prefix::<Rule>(cx.scope(), &bus.rule_id(""))?.is_empty() {
                return Err(validation("Event bus can't be deleted since it has rules."));
            }
            tx.delete::<Bus>(cx.scope(), &request.name);
            tx.delete::<Generation>(cx.scope(), &request.name);
            Ok(())
        })
        .await?;
    Ok(DeleteEventBusResponse {})
}

async fn describe_event_bus(cx: &Cx, request: DescribeEventBusRequest) -> Result<DescribeEventBusResponse, Error> {
    let name = BusName::parse(cx, request.name.as_deref())?;
    if name.scope.account.as_ref() != cx.account() && !cx.is_let_in(&name.arn, &name.scope.account) {
        return Err(no_bus(&name.name));
    }
    let bus = name.check(cx.store())?;
    Ok(DescribeEventBusResponse {
        arn: Some(name.arn),
        name: Some(name.name),
        policy: bus.as_ref().and_then(|bus| bus.policy.clone()),
        description: bus.as_ref().and_then(|bus| bus.description.clone()),
        creation_time: bus.as_ref().map(|bus| bus.made),
        last_modified_time: bus.as_ref().map(|bus| bus.modified),
        ..Default::default()
    })
}

async fn list_event_buses(cx: &Cx, request: ListEventBusesRequest) -> Result<ListEventBusesResponse, Error> {
    let prefix = request.name_prefix.as_deref().unwrap_or("");
    let mut all: Vec<(String, Option<std::sync::Arc<Bus>>)> = cx
        .store()
        .list_prefix::<Bus>(cx.scope(), prefix)?
        .into_iter()
        .map(|(name, bus)| (name.to_string(), Some(bus)))
        .collect();
    if DEFAULT.starts_with(prefix) && !all.iter().any(|(name, _)| name == DEFAULT) {
        all.push((DEFAULT.to_owned(), None));
        all.sort_by(|one, other| one.0.cmp(&other.0));
    }
    let limit = request.limit.map_or(PAGE, |limit| limit as usize);
    let page = paginate(all, |(name, _)| name, request.next_token.as_deref(), limit, bad_token)?;
    let shown = |(name, bus): &(String, Option<std::sync::Arc<Bus>>)| EventBus {
        arn: Some(BusName::own(cx, name).arn),
        name: Some(name.clone()),
        policy: bus.as_ref().and_then(|bus| bus.policy.clone()),
        description: bus.as_ref().and_then(|bus| bus.description.clone()),
        creation_time: bus.as_ref().map(|bus| bus.made),
        last_modified_time: bus.as_ref().map(|bus| bus.modified),
    };
    Ok(ListEventBusesResponse { event_buses: page.items.iter().map(shown).collect(), next_token: page.next_token })
}
