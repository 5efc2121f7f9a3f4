//! The project's own chores, run as `cargo xtask CHORE`.
//!
//! A chore that keeps committed text up to date also has `--check`, which writes nothing and fails
//! on the first difference; `cargo xtask check` runs all of those.

mod check;
mod circles;
mod coverage;
mod kinds;
mod layers;
mod members;
mod nameless;
mod new;
mod promises;
mod services;
mod shapes;
mod sim;
mod wire;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask CHORE
  services [--check]            write every list of services from services/*/service.toml
  shapes [--check] [SERVICE…]   write services/*/shapes from the installed botocore's models
  new service NAME [BOTOCORE-NAME [OPERATION]]
                                make services/NAME from botocore's model, with its first row, record and test
  wire [--write]                hold requests and answers of all served operations against botocore's; --write keeps
                                the readable ones in protocol/tests/data/vectors.json
  coverage [--check]            write docs/coverage.md: operations served, of all that AWS has
  members                       fail if no code reads a member of a served operation
  promises                      fail if SPECIFICATION.md names a test that is not there, is not run or cannot fail
  kinds                         fail on a published kind that no record has, and on another service's written out
  layers                        print who may depend on whom; fail on what is forbidden, on files in a circle
                                and on a service that the gateway names
  sim [--update] [FILE…]        play scripts with simulated machines; compare their stories
  check                         services, layers, kinds, promises, format, shapes, coverage, regions, members, facts
                                and clippy in one
";

/// What went wrong, for the person at the terminal.
type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let check = args.iter().any(|a| a == "--check");
    let words: Vec<&str> = args.iter().map(String::as_str).filter(|a| *a != "--check").collect();
    let outcome = match words.as_slice() {
        ["shapes", services @ ..] => shapes::run(&root(), services, check),
        ["services"] => services::run(&root(), check),
        ["new", "service", name] => new::service(&root(), name, None, None),
        ["new", "service", name, botocore] => new::service(&root(), name, Some(botocore), None),
        ["new", "service", name, botocore, operation] => new::service(&root(), name, Some(botocore), Some(operation)),
        ["coverage"] => coverage::run(&root(), check),
        ["sim", arguments @ ..] => sim::run(&root(), arguments),
        ["wire"] => wire::run(&root(), false),
        ["wire", "--write"] => wire::run(&root(), true),
        ["kinds"] => kinds::run(&root()),
        ["layers"] => layers::run(&root()),
        ["members"] => members::run(&root()),
        ["promises"] => promises::run(&root()),
        ["check"] => check::run(&root()),
        _ => Err(USAGE.to_string()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

/// The repository's top folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask/ stands in the repository").to_path_buf()
}
