//! GetRandomPassword. Source: AWS Secrets Manager API Reference.

use crate::password;
use kiln_secretsmanager_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] =
    &[operation!(GetRandomPassword: get_random_password(GetRandomPasswordRequest), on everything)];

async fn get_random_password(cx: &Cx, request: GetRandomPasswordRequest) -> Result<GetRandomPasswordResponse, Error> {
    Ok(GetRandomPasswordResponse { random_password: Some(password::random(cx.ids(), &request)?) })
}
