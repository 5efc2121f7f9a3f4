//! One file per CloudFormation type.

pub mod alias;
pub mod key;
