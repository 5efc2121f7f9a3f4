//! What is kept, one file per kind of thing.

mod dhcp;
mod gateway;
mod network_status;
mod route;
mod subnet;
mod vpc;

pub use dhcp::*;
pub use gateway::*;
pub use network_status::*;
pub use route::*;
pub use subnet::*;
pub use vpc::*;
