//! The binary `kiln`: reads the command line, builds the parts, starts them in order.
//!
//! ```text
//! state directory (lock, credentials) -> store -> machines (adopt what still runs) -> platform
//!   -> services' starters -> controllers -> gateway on the port, control socket
//! ```

mod admin;
mod backed_up;
mod backup;
mod backups;
mod base_image;
mod control;
mod credentials;
mod down;
mod explain;
mod hosts;
mod inside;
mod links;
mod log_line;
mod logging;
mod machines;
mod mail;
mod metrics;
mod resting;
mod root_key;
mod services;
mod ssh;
mod status;
mod up;
mod wait_conditions;

use clap::Parser;
use kiln_cli::{Cli, Command};
use std::process::ExitCode;

/// See docs/decisions/0006-allocator.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().enable_all().on_thread_park(resting::before_sleep).build() {
            Ok(runtime) => runtime,
            Err(error) => {
                logging::last_words(&format!("failed to start its runtime: {error}"));
                return ExitCode::FAILURE;
            }
        };
    let outcome = runtime.block_on(async {
        match &cli.command {
            Command::Up(arguments) if arguments.detach => kiln_cli::detach(&cli.state_dir, arguments).await,
            Command::Up(arguments) => up::up(services::services(), &cli.state_dir, arguments).await,
            Command::Down(arguments) if arguments.stop_machines && !kiln_cli::is_running(&cli.state_dir).await? => {
                kiln_cli::print_line(&down::stop_left(&cli.state_dir).await?)
            }
            _ => kiln_cli::run(cli).await,
        }
    });
    // What still runs in the background (an image that is being built) is begun anew by the next kiln.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(line) => {
            logging::last_words(&line);
            ExitCode::FAILURE
        }
    }
}
