//! What a machine wrote to its console, and the password that Windows would have put there.

use crate::instances::records::{ConsoleOutput, Instance};
use crate::instances::targets::INSTANCE;
use crate::kinds;
use crate::lookup;
use crate::targets::things;
use base64::{Engine, engine::general_purpose::STANDARD};
use kiln_ec2_shapes::{
    GetConsoleOutputRequest, GetConsoleOutputResponse, GetPasswordDataRequest, GetPasswordDataResponse,
};
use kiln_ids::InstanceId;
use kiln_machines_spec::{MachineDriver, MachineId};
use kiln_service_kit::{Cx, Error, Operation, operation};
use std::sync::Arc;

pub const OPERATIONS: &[Operation] = &[
    operation!(GetConsoleOutput: get_console_output(GetConsoleOutputRequest), on things![INSTANCE instance_id]),
    operation!(GetPasswordData: get_password_data(GetPasswordDataRequest), on things![INSTANCE instance_id]),
];

/// Machines run Linux, which has none: the answer is empty, as AWS's is for Linux.
async fn get_password_data(cx: &Cx, request: GetPasswordDataRequest) -> Result<GetPasswordDataResponse, Error> {
    let id = request.instance_id;
    lookup::selected::<Instance>(cx, std::slice::from_ref(&id))?;
    Ok(GetPasswordDataResponse { instance_id: Some(id), timestamp: Some(cx.now()), password_data: Some(String::new()) })
}

/// The driver keeps the last 64 KiB, as EC2 does; always the latest, so `Latest` changes nothing.
async fn get_console_output(cx: &Cx, request: GetConsoleOutputRequest) -> Result<GetConsoleOutputResponse, Error> {
    let id = &request.instance_id;
    kinds::INSTANCE.parse::<InstanceId>(id)?;
    if cx.store().get::<Instance>(cx.scope(), id)?.is_none() {
        return Err(kinds::INSTANCE.none(id));
    }
    let driver = cx.part::<Arc<dyn MachineDriver>>()?;
    let (output, at) = match driver.console(&MachineId::new(id.as_str())).await {
        Ok(bytes) => (Some(STANDARD.encode(bytes)), cx.now()),
        // Not launched yet, or terminated: then it was kept at its end.
        Err(error) if error.is_not_found() => match cx.history().newest::<ConsoleOutput>(cx.scope(), id)? {
            Some(kept) => (Some(kept.output.clone()), kept.at),
            None => (None, cx.now()),
        },
        Err(error) => return Err(Error::failed(format_args!("read the console of {id}"), error)),
    };
    Ok(GetConsoleOutputResponse { instance_id: Some(id.clone()), timestamp: Some(at), output })
}
