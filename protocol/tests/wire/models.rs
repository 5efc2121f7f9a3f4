//! The tables of models that no service has yet, for the protocols that they speak: rest-json and rpc-v2-cbor.

use crate::services::Tables;

pub const MODELS: &[Tables] = &[
    (&kiln_cloudwatch_shapes::SERVICE, kiln_cloudwatch_shapes::OPERATIONS, &[]),
    (&kiln_efs_shapes::SERVICE, kiln_efs_shapes::OPERATIONS, kiln_efs_shapes::ROUTES),
    (&kiln_lambda_shapes::SERVICE, kiln_lambda_shapes::OPERATIONS, kiln_lambda_shapes::ROUTES),
    (&kiln_xray_shapes::SERVICE, kiln_xray_shapes::OPERATIONS, kiln_xray_shapes::ROUTES),
];
