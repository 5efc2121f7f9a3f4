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
    after_help = "First steps:\n  kiln up --detach && eval \"$(kiln env)\"\n  aws sts get-caller-identity\n  kiln status\n\nThings are made with AWS's own tools; these commands start, stop, look and break."
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
    #[command(
        after_help = "Examples:\n  kiln up --detach                 in the background, on 127.0.0.1:4566\n  kiln up --machines sim           without root: the control plane alone\n  kiln --state-dir /var/tmp/second up --detach --port 4567    a second one"
    )]
    Up(UpArguments),
    /// Stop kiln; its machines go on.
    ///
    /// The next `kiln up` adopts them. With --stop-machines they are stopped too, also those that a kiln left
    /// which does not run any more. Simulated machines end with kiln.
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
    #[command(
        after_help = "Examples:\n  kiln explain i-0123456789abcdef0     an instance\n  kiln explain my-group                a group, load balancer, target group or stack by its name or ARN\n  kiln explain vpc-0123456789abcdef0   a VPC; a subnet, security group or interface shows its VPC\n  kiln explain ami-0123456789abcdef0   an image and what is made of it"
    )]
    Explain {
        /// An ARN, an id, a name or a part of one.
        what: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show the latest API calls, kiln's own log or a machine's console.
    Logs {
        /// How many lines.
        #[arg(short = 'n', long, default_value_t = 50)]
        lines: usize,
        /// Also the calls that kiln's own services make to each other.
        #[arg(long, conflicts_with_all = ["server", "console"])]
        all: bool,
        /// The server's log file in place of the API calls.
        #[arg(long)]
        server: bool,
        /// An instance's console output in place of the API calls.
        #[arg(long, value_name = "INSTANCE", conflicts_with = "server")]
        console: Option<String>,
    },
    /// List what came into kiln's own mailbox, newest first, or show one mail.
    ///
    /// Topics' e-mail goes there, whatever the address; nothing leaves the host. The newest 1,000 at least are
    /// kept, for 30 days.
    #[command(
        after_help = "Examples:\n  kiln mail                          what there is\n  kiln mail m-0123456789ab            one of them, whole\n  kiln mail --to ops@example.com      those to one address"
    )]
    Mail {
        /// The id of a mail to show.
        id: Option<String>,
        /// Only those to this address.
        #[arg(long, value_name = "ADDRESS", conflicts_with = "id")]
        to: Option<String>,
        /// How many.
        #[arg(short = 'n', long, default_value_t = 50, conflicts_with = "id")]
        lines: usize,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Open a shell inside an instance (as root).
    #[command(
        after_help = "Examples:\n  kiln shell i-0123456789abcdef0\n  kiln shell i-0123456789abcdef0 -- systemctl --failed"
    )]
    Shell {
        /// The instance's id.
        instance: String,
        /// Run this command in place of a shell.
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Log in to an instance by ssh, at its public address (as admin).
    ///
    /// The host's ssh does it, with your keys. Where AWS would not let you in either, it says what
    /// stands in the way: no public address, no route, a security group, no sshd.
    #[command(
        after_help = "Examples:\n  kiln ssh i-0123456789abcdef0\n  kiln ssh -i my-key.pem i-0123456789abcdef0 -- uptime"
    )]
    Ssh {
        /// The instance's id.
        instance: String,
        /// The private key's file; else ssh looks for one itself.
        #[arg(short = 'i', long, value_name = "FILE")]
        identity: Option<PathBuf>,
        /// Another user than admin.
        #[arg(long)]
        user: Option<String>,
        /// Run this command in place of a login shell.
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Wait until a TCP port of an instance answers.
    ///
    /// Asked from its VPC's router; security groups apply as for any caller from outside the VPC.
    Probe {
        /// The instance's id.
        instance: String,
        /// The TCP port.
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
    /// Copy the state directory of a running kiln into one file, which must not be there yet.
    ///
    /// Everything acknowledged before it begins is in it. A running machine stands still while its disk is
    /// copied, for 30 s at most: then it goes on, and the backup fails with its name. The file has the secrets of the state directory in it, and only its owner can read it.
    #[command(
        after_help = "Example:\n  kiln backup /srv/backups/kiln-$(date +%F).backup\n  kiln --state-dir /var/tmp/second restore /srv/backups/kiln-2026-01-31.backup"
    )]
    Backup {
        /// The file to write.
        file: PathBuf,
    },
    /// Put what `kiln backup` copied into an empty state directory.
    ///
    /// Nothing is started: `kiln up` does. Machines that ran are then as after a crash of their host.
    Restore {
        /// The file to read.
        file: PathBuf,
    },
    /// Print what a shell needs to complete kiln's commands.
    #[command(
        after_help = "Examples:\n  eval \"$(kiln completion bash)\"\n  kiln completion zsh > ~/.zfunc/_kiln\n  kiln completion fish > ~/.config/fish/completions/kiln.fish"
    )]
    Completion {
        /// The shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Write kiln's manual pages into a directory.
    #[command(hide = true)]
    Man {
        /// The directory; it is made if it is not there.
        directory: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub enum Fault {
    /// Kill an instance's first process with SIGKILL, as a power cut would.
    Kill {
        /// The instance's id.
        instance: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum Image {
    /// Import an image as an AMI: an OCI layout directory, a docker archive, or one of a registry.
    ///
    /// A registry is asked by https, on loopback by plain http; everything is compared with its digest.
    #[command(
        after_help = "Examples:\n  kiln image import app.tar --name app\n  kiln image import docker://quay.io/org/app:1.2 \
                      --name app"
    )]
    Import {
        /// The layout directory, the archive, or docker://HOST/REPOSITORY[:TAG|@DIGEST].
        #[arg(value_name = "SOURCE")]
        source: PathBuf,
        /// A file with the registry's login, as `docker login` writes it.
        #[arg(long, value_name = "FILE")]
        credentials: Option<PathBuf>,
        /// The AMI's name.
        #[arg(long)]
        name: String,
    },
    /// Let an AMI answer to the names, owners and SSM parameters of others' images.
    ///
    /// Templates and `data aws_ami` that look for those images find it then; its description says
    /// that it is a stand-in. What stood in before no longer does.
    #[command(
        after_help = "NAME: amazon-linux-2023, amazon-linux-2, ubuntu-24.04, ubuntu-22.04, ubuntu-20.04, debian-13, \
                      debian-12, debian-11, rhel-9\n\nExample:\n  kiln image alias ami-0123456789abcdef0 --like \
                      amazon-linux-2023 --like ubuntu-24.04"
    )]
    Alias {
        /// The AMI's id.
        image: String,
        /// What it is to answer as; may be given several times.
        #[arg(long, value_name = "NAME", required = true)]
        like: Vec<String>,
    },
    /// End what `kiln image alias` began.
    Unalias {
        /// What the AMI answers as.
        #[arg(value_name = "NAME")]
        like: String,
    },
    /// List the AMIs that answer for others.
    Aliases {
        /// As JSON.
        #[arg(long)]
        json: bool,
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
    /// Port to listen on; 0 takes a free one.
    #[arg(long, env = "KILN_PORT", default_value_t = UpArguments::PORT)]
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
    /// With --detach: bytes of kiln.log at which it is set aside as kiln.log.1, in place of the one before.
    #[arg(long, env = "KILN_LOG_SIZE", default_value_t = 16 << 20, value_parser = clap::value_parser!(u64).range(4096..))]
    pub log_size: u64,
    /// The file that standard error is, as `kiln up --detach` tells the kiln that it starts.
    #[arg(long, hide = true)]
    pub log_to: Option<PathBuf>,
    /// The region `kiln env` names.
    #[arg(long, default_value = "us-east-1", value_parser = region)]
    pub region: String,
}

impl UpArguments {
    /// The port where nothing else is asked for.
    pub const PORT: u16 = 4566;
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

/// One that AWS has: it stands in ARNs and in the ids of zones.
fn region(text: &str) -> Result<String, String> {
    match kiln_ids::regions::region(text) {
        Some(_) => Ok(text.to_owned()),
        None => {
            let all: Vec<&str> = kiln_ids::regions::REGIONS.iter().map(|region| region.name).collect();
            Err(format!("AWS has no such region; it has {}", all.join(", ")))
        }
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
        for good in ["us-east-1", "us-gov-west-1", "ap-southeast-3", "cn-north-1"] {
            assert_eq!(region(good).as_deref(), Ok(good));
        }
        for bad in ["", "us-east", "us-east-1b", "US-EAST-1", "mars-1", "$(id)-a-1", "us-east-12"] {
            assert!(region(bad).is_err(), "{bad}");
        }
    }
}
