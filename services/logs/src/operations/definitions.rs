//! Queries that are kept to be asked again. Source: CloudWatch Logs API Reference, PutQueryDefinition.

use crate::errors::{bad_token, over_limit};
use crate::names::of_identifier;
use crate::operations::queries::{parse, refuse_language};
use crate::records::QueryDefinition as Kept;
use kiln_logs_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation, paginate};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(DeleteQueryDefinition: delete_query_definition(DeleteQueryDefinitionRequest), on everything),
    operation!(DescribeQueryDefinitions: describe_query_definitions(DescribeQueryDefinitionsRequest), on everything),
    operation!(PutQueryDefinition: put_query_definition(PutQueryDefinitionRequest), on everything),
];

/// Definitions of an account in a region. Source: "CloudWatch Logs quotas".
const MOST: usize = 1_000;

fn not_there() -> Error {
    Error::sender("ResourceNotFoundException", "Query definition does not exist.")
}

async fn put_query_definition(
    cx: &Cx,
    request: PutQueryDefinitionRequest,
) -> Result<PutQueryDefinitionResponse, Error> {
    refuse_language(&request.query_language)?;
    if !request.parameters.is_empty() {
        return Err(Error::not_built("logs: parameters of query definitions"));
    }
    parse(&request.query_string)?;
    for name in &request.log_group_names {
        of_identifier(cx, name)?;
    }
    let new = cx.ids().uuid();
    let id = cx
        .store()
        .write::<_, Error>(|tx| {
            let all = tx.list::<Kept>(cx.scope())?;
            let id = match &request.query_definition_id {
                Some(id) => match tx.get::<Kept>(cx.scope(), id)? {
                    Some(_) => id.clone(),
                    None => return Err(not_there()),
                },
                None => {
                    let token = request.client_token.as_ref();
                    let again = all.iter().find(|(_, known)| token.is_some() && known.token.as_ref() == token);
                    if again.is_none() && all.len() >= MOST {
                        return Err(over_limit());
                    }
                    again.map_or(new, |(id, _)| id.to_string())
                }
            };
            let kept = Kept {
                id: id.clone(),
                name: request.name.clone(),
                text: request.query_string.clone(),
                groups: request.log_group_names.clone(),
                modified: tx.now(),
                token: request.client_token.clone(),
            };
            tx.put(cx.scope(), &id, kept)?;
            Ok(id)
        })
        .await?;
    Ok(PutQueryDefinitionResponse { query_definition_id: Some(id) })
}

async fn delete_query_definition(
    cx: &Cx,
    request: DeleteQueryDefinitionRequest,
) -> Result<DeleteQueryDefinitionResponse, Error> {
    cx.store()
        .write::<_, Error>(|tx| {
            tx.get::<Kept>(cx.scope(), &request.query_definition_id)?.ok_or_else(not_there)?;
            tx.delete::<Kept>(cx.scope(), &request.query_definition_id);
            Ok(())
        })
        .await?;
    Ok(DeleteQueryDefinitionResponse { success: Some(true) })
}

async fn describe_query_definitions(
    cx: &Cx,
    request: DescribeQueryDefinitionsRequest,
) -> Result<DescribeQueryDefinitionsResponse, Error> {
    refuse_language(&request.query_language)?;
    let prefix = request.query_definition_name_prefix.as_deref().unwrap_or("");
    let found = cx.store().list::<Kept>(cx.scope())?;
    let mut keyed: Vec<(String, Arc<Kept>)> = found
        .into_iter()
        .filter(|(_, kept)| kept.name.starts_with(prefix))
        .map(|(id, kept)| (format!("{}\u{0}{id}", kept.name), kept))
        .collect();
    keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
    let limit = request.max_results.unwrap_or(1_000) as usize;
    let page = paginate(keyed, |(key, _)| key, request.next_token.as_deref(), limit, bad_token)?;
    let shown = |(_, kept): (String, Arc<Kept>)| QueryDefinition {
        query_language: Some("CWLI".to_owned()),
        query_definition_id: Some(kept.id.clone()),
        name: Some(kept.name.clone()),
        query_string: Some(kept.text.clone()),
        last_modified: Some(kept.modified.millis()),
        log_group_names: kept.groups.clone(),
        ..Default::default()
    };
    Ok(DescribeQueryDefinitionsResponse {
        query_definitions: page.items.into_iter().map(shown).collect(),
        next_token: page.next_token,
    })
}
