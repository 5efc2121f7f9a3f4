//! The small static program inside every machine.
//!
//! A cloud image expects somebody to give a fresh machine its name, its SSH
//! keys and its user data; on AWS that is cloud-init, and CloudFormation's own
//! programs do the rest. This one binary plays both parts. It is static and has
//! no runtime of its own, so that it works in any image it is copied into.
//!
//! ```text
//!   systemd ──► kiln-guest boot ──► identity ──► user data ──► output log + console
//!   user data ─► cfn-init / cfn-signal (links to this binary) ──► CloudFormation
//! ```
//!
//! Turned down: shipping cloud-init itself (70 MB of Python, seconds of start).

mod boot;
mod cfn;
mod cloud_init;
mod files;
mod http;
mod machine;
mod seed;

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: kiln-guest <command> [options]

commands (none, in a machine: boot, then stay):
  boot [--root DIR] [--stage identity|all]   give this machine its name, keys and user data
  cfn-init, cfn-signal, cfn-get-metadata, cfn-hup
                                             CloudFormation's programs (also by link name)
  cloud-init status [--wait]                 how far user data is (also by link name)
  version                                    print the version";

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let called_as = args
        .first()
        .and_then(|arg| Path::new(arg).file_name()?.to_str().map(str::to_owned))
        .unwrap_or_else(|| "kiln-guest".to_owned());
    args.drain(..args.len().min(1));

    let command = if called_as.starts_with("cfn-") || called_as == "cloud-init" {
        called_as
    } else if args.is_empty() {
        if Path::new(seed::SEED_DIR).join("seed.json").exists() {
            return serve();
        }
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    } else {
        args.remove(0)
    };

    match command.as_str() {
        "boot" => boot::main(&args),
        "cfn-init" => cfn::init_main(&args),
        "cfn-signal" => cfn::signal_main(&args),
        "cfn-get-metadata" => cfn::metadata_main(&args),
        "cfn-hup" => cfn::hup_main(&args),
        "cloud-init" => cloud_init::main(&args),
        "version" | "--version" => {
            println!("kiln-guest {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        other => {
            eprintln!("kiln-guest: {other} is not a command of this program\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// As a service without a command: boot, then stay.
///
/// When a service's main process ends, systemd ends everything else in it. What
/// user data left running in the background must go on, so this process stays
/// for as long as the machine runs, asleep.
fn serve() -> ExitCode {
    // The outcome is in the console output; the machine runs on either way.
    let _ = boot::main(&[]);
    loop {
        nix::unistd::pause();
    }
}
