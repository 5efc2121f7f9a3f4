//! What EC2 keeps, one file per kind of thing.

mod acl;
mod address;
mod dhcp;
mod gateway;
mod group;
mod image;
mod instance;
mod interface;
mod key_pair;
mod launch_template;
mod network_status;
mod route;
mod subnet;
mod volume;
mod vpc;

pub use acl::*;
pub use address::*;
pub use dhcp::*;
pub use gateway::*;
pub use group::*;
pub use image::*;
pub use instance::*;
pub use interface::*;
pub use key_pair::*;
pub use launch_template::*;
pub use network_status::*;
pub use route::*;
pub use subnet::*;
pub use volume::*;
pub use vpc::*;
