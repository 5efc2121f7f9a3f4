//! The command line: what people type, and the client of a running kiln's control socket.
//!
//! `kiln up` runs the server (crate `server`); every other command talks to it over a Unix socket
//! in the state directory, which only its owner can open. AWS things are made with AWS's own
//! tools; these commands only start, stop, look and break.

mod arguments;
mod backup;
mod commands;
mod control;
mod detach;
mod manual;
mod output;
mod progress;
mod shell;
pub mod state_dir;
mod text;

pub use arguments::{Auth, Cli, Command, DownArguments, Machines, UpArguments};
pub use commands::{is_running, run};
pub use control::{SOCKET, State};
pub use detach::detach;
pub use output::{for_a_terminal, print_line};
