//! Topics made, removed and listed. Source: Amazon SNS API Reference.

use super::attributes::set;
use super::tags::read;
use crate::errors::invalid;
use crate::names::{TopicName, check_name};
use crate::records::{Subscription, Topic as Kept};
use crate::targets::{made, topic};
use kiln_service_kit::{Cx, Error, Operation, Scope, Tx, operation, paginate};
use kiln_sns_shapes::*;

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateTopic: create_topic(CreateTopicRequest), on |cx, r| made(cx, &r.name, &r.tags)),
    operation!(DeleteTopic: delete_topic(DeleteTopicRequest), on |cx, r| topic(cx, &r.topic_arn)),
    operation!(ListTopics: list_topics(ListTopicsRequest), on everything),
];

/// Topics of an account in a region. Source: Amazon SNS endpoints and quotas, standard topics.
const MOST: usize = 100_000;
/// Of every listing. Source: API Reference, ListTopics.
pub const PAGE: usize = 100;

async fn create_topic(cx: &Cx, request: CreateTopicRequest) -> Result<CreateTopicResponse, Error> {
    check_name(&request.name)?;
    let is_fifo = request.attributes.get("FifoTopic").is_some_and(|value| value == "true");
    match request.name.ends_with(".fifo") {
        true if is_fifo => return Err(Error::not_built("FIFO topics")),
        true => return Err(invalid("Topic Name")),
        false if is_fifo => {
            return Err(invalid(
                "Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase ASCII letters, numbers, underscores, and hyphens, and must be between 1 and 256 characters long.",
            ));
        }
        false => {}
    }
    if request.data_protection_policy.is_some_and(|policy| !policy.is_empty()) {
        return Err(Error::not_built("data protection policies of sns topics"));
    }
    let name = TopicName::own(cx, &request.name);
    let tags = read(cx, &request.tags)?;
    let mut wanted = Kept {
        name: request.name.clone(),
        made: cx.now(),
        display_name: String::new(),
        policy: None,
        delivery_policy: None,
        signature_version: None,
        tags,
        deleted: 0,
    };
    for (attribute, value) in &request.attributes {
        // It says what holds.
        if attribute == "FifoTopic" && value == "false" {
            continue;
        }
        if !set(cx, &mut wanted, attribute, value)? {
            return Err(invalid(format_args!("Attributes Reason: Unknown attribute: {attribute}")));
        }
    }
    cx.store()
        .write::<_, Error>(|tx| {
            let Some(there) = tx.get::<Kept>(&name.scope, &name.name)? else {
                if tx.count::<Kept>(&name.scope) >= MOST {
                    let text = "Exceeded the maximum number of topics in this account";
                    return Err(Error::sender("TopicLimitExceeded", text).with_status(403));
                }
                return Ok(tx.put(&name.scope, &name.name, wanted)?);
            };
            // Asked for again: as it is, or not at all.
            let mut same = (*there).clone();
            for (attribute, value) in &request.attributes {
                set(cx, &mut same, attribute, value)?;
            }
            if same != *there {
                return Err(invalid("Attributes Reason: Topic already exists with different attributes"));
            }
            if !request.tags.is_empty() && there.tags != wanted.tags {
                return Err(invalid("Tags Reason: Topic already exists with different tags"));
            }
            Ok(())
        })
        .await?;
    Ok(CreateTopicResponse { topic_arn: Some(name.arn) })
}

/// One that is gone is deleted as well.
async fn delete_topic(cx: &Cx, request: DeleteTopicRequest) -> Result<DeleteTopicResponse, Error> {
    let name = TopicName::parse(cx, &request.topic_arn)?;
    match name.find(cx) {
        Err(error) if error.is("NotFound") => return Ok(DeleteTopicResponse::default()),
        found => found?,
    };
    cx.store().write::<_, Error>(|tx| remove(tx, &name.scope, &name)).await?;
    Ok(DeleteTopicResponse::default())
}

fn remove(tx: &mut Tx<'_>, scope: &Scope, name: &TopicName) -> Result<(), Error> {
    for (id, _) in tx.list_prefix::<Subscription>(scope, &name.subscriptions())? {
        tx.delete::<Subscription>(scope, &id);
    }
    tx.delete::<Kept>(scope, &name.name);
    Ok(())
}

async fn list_topics(cx: &Cx, request: ListTopicsRequest) -> Result<ListTopicsResponse, Error> {
    let names: Vec<String> = cx.store().ids::<Kept>(cx.scope()).iter().map(|id| id.to_string()).collect();
    let page = paginate(names, |name| name, request.next_token.as_deref(), PAGE, || invalid("NextToken"))?;
    let topics = page.items.iter().map(|name| Topic { topic_arn: Some(cx.arn("sns", name)) }).collect();
    Ok(ListTopicsResponse { topics, next_token: page.next_token })
}
