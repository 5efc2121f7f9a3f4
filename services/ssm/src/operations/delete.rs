//! Removing parameters, with all their versions.

use super::get::find;
use crate::errors::not_found;
use crate::name::Pointer;
use crate::records::Parameter as Kept;
use crate::targets::{parameter, parameters};
use kiln_service_kit::{Cx, Error, Operation, operation};
use kiln_ssm_shapes::*;

pub const OPERATIONS: &[Operation] = &[
    operation!(DeleteParameter: delete_parameter(DeleteParameterRequest), on |cx, r| parameter(cx, &r.name)),
    operation!(DeleteParameters: delete_parameters(DeleteParametersRequest), on |cx, r| parameters(cx, &r.names)),
];

async fn delete_parameter(cx: &Cx, request: DeleteParameterRequest) -> Result<DeleteParameterResponse, Error> {
    match delete(cx, &request.name).await? {
        true => Ok(DeleteParameterResponse {}),
        false => Err(not_found(&request.name)),
    }
}

async fn delete_parameters(cx: &Cx, request: DeleteParametersRequest) -> Result<DeleteParametersResponse, Error> {
    let mut answer = DeleteParametersResponse::default();
    let mut names = request.names;
    names.sort();
    names.dedup();
    for name in names {
        let gone = match delete(cx, &name).await {
            Err(error) if error.is("ValidationException") => false,
            other => other?,
        };
        let list = if gone { &mut answer.deleted_parameters } else { &mut answer.invalid_parameters };
        list.push(name);
    }
    Ok(answer)
}

async fn delete(cx: &Cx, written: &str) -> Result<bool, Error> {
    let kept = match Pointer::whole(cx, written).and_then(|pointer| find(cx, &pointer)) {
        Ok(kept) => kept,
        Err(error) if error.is("ParameterNotFound") => return Ok(false),
        Err(error) => return Err(error),
    };
    cx.store().write(|tx| Ok(tx.delete::<Kept>(cx.scope(), &kept.name))).await
}
