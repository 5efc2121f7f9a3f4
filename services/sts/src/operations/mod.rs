//! One file per kind of call.

pub mod assume_role;
pub mod identity;
pub mod session_token;
