//! Roles that belong to a service. Kiln's services act as themselves and do not need them; clients
//! make them before they use a service, and find them here. Source: AWS IAM User Guide, "Create a
//! service-linked role", and the pages of the services named below.

use super::named::named;
use super::roles::shown;
use crate::holders::find;
use crate::linked_roles::ROLES;
use crate::records::{DeletionTask, LastUsed, Role, everywhere, key};
use crate::{errors, names};
use kiln_iam_shapes::{
    CreateServiceLinkedRoleRequest, CreateServiceLinkedRoleResponse, DeleteServiceLinkedRoleRequest,
    DeleteServiceLinkedRoleResponse, GetServiceLinkedRoleDeletionStatusRequest,
    GetServiceLinkedRoleDeletionStatusResponse,
};
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(CreateServiceLinkedRole: create(CreateServiceLinkedRoleRequest), on below_service, given service_name),
    operation!(DeleteServiceLinkedRole: delete(DeleteServiceLinkedRoleRequest), on named),
    operation!(GetServiceLinkedRoleDeletionStatus: deletion_status(GetServiceLinkedRoleDeletionStatusRequest),
        on named),
];

fn below_service(cx: &Cx, input: &CreateServiceLinkedRoleRequest) -> Vec<String> {
    let name = ROLES.iter().find(|(known, ..)| *known == input.aws_service_name).map_or("*", |(_, name, _)| name);
    vec![names::arn(cx, "role", &format!("/aws-service-role/{}/", input.aws_service_name), name)]
}

fn service_name(_: &Cx, input: &CreateServiceLinkedRoleRequest) -> Vec<(&'static str, String)> {
    vec![("iam:AWSServiceName", input.aws_service_name.clone())]
}

/// The name of a service's role.
pub fn role_name(service: &str, suffix: Option<&str>) -> Result<String, Error> {
    let (_, name, suffixes) = ROLES
        .iter()
        .find(|(known, ..)| *known == service)
        .ok_or_else(|| Error::not_built(format!("a service-linked role for {service}")))?;
    match suffix {
        None => Ok((*name).to_owned()),
        Some(suffix) if *suffixes => Ok(format!("{name}_{suffix}")),
        Some(_) => Err(errors::invalid_input(format!("Custom suffix is not allowed for {service}"))),
    }
}

async fn create(cx: &Cx, input: CreateServiceLinkedRoleRequest) -> Result<CreateServiceLinkedRoleResponse, Error> {
    let service = input.aws_service_name;
    let name = role_name(&service, input.custom_suffix.as_deref())?;
    let path = format!("/aws-service-role/{service}/");
    let role = Role {
        arn: names::arn(cx, "role", &path, &name),
        id: names::unique_id(cx, "AROA"),
        path,
        created: cx.now(),
        trust_policy: serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{"Action": ["sts:AssumeRole"], "Effect": "Allow", "Principal": {"Service": [service]}}],
        })
        .to_string(),
        description: input.description,
        max_session_duration: 3600,
        tags: Default::default(),
        permissions: Default::default(),
        name,
    };
    let made = shown(&role);
    cx.store()
        .write(|tx| {
            let (scope, key) = (cx.global_scope(), key(&role.name));
            if tx.get::<Role>(&scope, &key)?.is_some() {
                let text = format!(
                    "Service role name {} has been taken in this account, please try a different suffix.",
                    role.name
                );
                return Err(errors::invalid_input(text));
            }
            tx.put(&scope, &key, role)?;
            Ok(())
        })
        .await?;
    Ok(CreateServiceLinkedRoleResponse { role: Some(made) })
}

/// Nothing of Kiln's uses the role, so it is gone with the answer; the task says so.
async fn delete(cx: &Cx, input: DeleteServiceLinkedRoleRequest) -> Result<DeleteServiceLinkedRoleResponse, Error> {
    let uuid = cx.ids().uuid();
    let task = cx
        .store()
        .write(|tx| {
            let role = find::<Role>(tx, cx, &input.role_name)?;
            if !role.path.starts_with("/aws-service-role/") {
                return Err(errors::invalid_input(format!("{} is not a service-linked role.", role.name)));
            }
            let task = format!("task{}{}/{uuid}", role.path, role.name);
            tx.delete::<Role>(&cx.global_scope(), &key(&role.name));
            tx.delete::<LastUsed>(&everywhere(), &role.id);
            tx.put(&cx.global_scope(), &task, DeletionTask { at: cx.now() })?;
            Ok(task)
        })
        .await?;
    Ok(DeleteServiceLinkedRoleResponse { deletion_task_id: Some(task) })
}

async fn deletion_status(
    cx: &Cx,
    input: GetServiceLinkedRoleDeletionStatusRequest,
) -> Result<GetServiceLinkedRoleDeletionStatusResponse, Error> {
    let task = cx.store().get::<DeletionTask>(&cx.global_scope(), &input.deletion_task_id)?;
    match task {
        Some(_) => {
            Ok(GetServiceLinkedRoleDeletionStatusResponse { status: Some("SUCCEEDED".to_owned()), reason: None })
        }
        None => Err(errors::missing(format!("The deletion task {} cannot be found.", input.deletion_task_id))),
    }
}
