//! The grammar of the command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::IpAddr;
use std::path::PathBuf;

/// AWS automation and immutable infrastructure, real, on your own machine.
#[derive(Debug, Parser)]
#[command(
    name = "kiln",
    version,
    arg_required_else_help = true,
    after_help = "First steps:\n  kiln up --detach && eval \"$(kiln env)\"\n  aws sts get-caller-identity\n  kiln status"
)]
pub struct Cli {
    /// Where kiln keeps its state, images and machines.
    #[arg(long, global = true, env = "KILN_STATE_DIR", default_value = "/var/lib/kiln")]
    pub state_dir: PathBuf,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start kiln.
    Up(UpArguments),
    /// Stop kiln. Machines keep running unless told otherwise; the next `kiln up` adopts them.
    Down(DownArguments),
    /// Print shell exports for endpoint, region and credentials: eval "$(kiln env)"
    Env,
    /// Show what runs, and what is waiting for what and why.
    Status {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say what controllers see, want, do next and wait for about one thing.
    Explain {
        /// An ARN, id or name.
        what: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show the latest API calls, or kiln's own log.
    Logs {
        /// How many lines.
        #[arg(short = 'n', long, default_value_t = 50)]
        lines: usize,
        /// The server's log file in place of the API calls.
        #[arg(long)]
        server: bool,
        /// An instance's console output in place of the API calls.
        #[arg(long, value_name = "INSTANCE", conflicts_with = "server")]
        console: Option<String>,
    },
    /// Open a shell inside an instance (as root).
    Shell {
        instance: String,
        /// Run this command in place of a shell.
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Wait until a TCP port of an instance answers, asked from its VPC's router. Security groups
    /// apply as for any caller from outside the VPC.
    Probe {
        instance: String,
        port: u16,
        /// Give up after this many seconds.
        #[arg(long, default_value_t = 30)]
        seconds: u64,
    },
    /// Break something on purpose, to watch it heal.
    Fault {
        #[command(subcommand)]
        fault: Fault,
    },
    /// Machine images on this host.
    Image {
        #[command(subcommand)]
        image: Image,
    },
}

#[derive(Debug, Subcommand)]
pub enum Fault {
    /// Kill an instance's first process with SIGKILL, as a power cut would.
    Kill { instance: String },
}

#[derive(Debug, Subcommand)]
pub enum Image {
    /// Import an OCI layout directory or a docker archive as an AMI.
    Import {
        /// The layout directory or the archive.
        path: PathBuf,
        /// The AMI's name.
        #[arg(long)]
        name: String,
    },
}

/// How callers are authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Auth {
    /// Signatures are verified and policies enforced.
    Enforced,
    /// Any credentials do; an access key id of twelve digits is the account. Loopback only.
    Open,
}

/// Where machines run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Machines {
    /// Isolated Linux machines on this host (needs root).
    Local,
    /// Simulated: no process is started. For rehearsing the control plane and for benchmarks.
    Sim,
}

#[derive(Debug, Clone, Args)]
pub struct UpArguments {
    /// Run in the background; returns when kiln answers and the base image is ready.
    #[arg(long)]
    pub detach: bool,
    /// With --detach: do not wait for the base image.
    #[arg(long)]
    pub no_wait: bool,
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    pub listen: IpAddr,
    /// Port to listen on.
    #[arg(long, default_value_t = 4566)]
    pub port: u16,
    /// How callers are authenticated.
    #[arg(long, value_enum, default_value_t = Auth::Enforced)]
    pub auth: Auth,
    /// Where machines run.
    #[arg(long, value_enum, default_value_t = Machines::Local)]
    pub machines: Machines,
    /// The account of the credentials made at first start (twelve digits).
    #[arg(long, default_value = "000000000000", value_parser = account)]
    pub account: String,
    /// The region `kiln env` names.
    #[arg(long, default_value = "us-east-1")]
    pub region: String,
}

#[derive(Debug, Clone, Args)]
pub struct DownArguments {
    /// Stop all machines too.
    #[arg(long)]
    pub stop_machines: bool,
}

fn account(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("an account id has exactly twelve digits".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
        let cli = Cli::try_parse_from(["kiln", "shell", "i-1", "--", "ls", "-l"]).expect("parses");
        let Command::Shell { instance, command } = cli.command else { panic!("not a shell") };
        assert_eq!((instance.as_str(), command.len()), ("i-1", 2));
        assert!(Cli::try_parse_from(["kiln", "up", "--account", "12"]).is_err());
    }
}
