//! Stories of networks, told through public operations.

mod network;
mod resources;
